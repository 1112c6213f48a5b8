"""The checksum of a ledger at rest. The process that wrote to the ledger leaves it when closing, the next one compares.

SQLite's own checks see a page that makes no sense, and never a letter that became another one. The checksum lies in a
file beside the ledger, and is there only while nobody has written since: a process that is killed leaves none.
"""

from __future__ import annotations

import json
import os
import zlib
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

# SQLite's file format: https://sqlite.org/fileformat2.html#file_change_counter
_COUNTER = slice(24, 28)
_HEAD = 100
_PIECE = 1 << 20


class Checksum(NamedTuple):
    """Which state of which file: it says nothing of another file, or of one that another program wrote to since."""

    inode: int
    size: int
    counter: int
    checksum: int


def checksum_file(path: Path) -> Path:
    """Where the checksum of a ledger lies."""
    return path.with_name(path.name + ".seal")  # not renamed: an older refloop must find it to take it away


def remove_checksum(path: Path) -> None:
    """To be done before anything is written. Raises OSError."""
    checksum_file(path).unlink(missing_ok=True)


def write_checksum(path: Path) -> None:
    """Leaves the checksum of a ledger that this process has closed. Where that is not possible, there is none."""
    with suppress(OSError):
        found = _read(path)
        if found is None:
            return
        target = checksum_file(path)
        target.unlink(missing_ok=True)
        with os.fdopen(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="ascii") as file:
            json.dump(found, file)


def is_altered(path: Path) -> bool:
    """Whether a ledger is not what its checksum says. False where there is no checksum that is meant for it."""
    try:
        kept = Checksum(*json.loads(checksum_file(path).read_text(encoding="ascii")))
        found = _read(path)
    except (OSError, ValueError, TypeError):
        return False
    if found is None or found.inode != kept.inode:
        return False
    cut = found.size < _HEAD  # its counter went with its head, or with all the rest
    return found != kept and (cut or found.counter == kept.counter)


def _read(path: Path) -> Checksum | None:
    """None when somebody may be writing: beside a journal, or when the counter moves while this reads."""
    journal = path.with_name(path.name + "-journal")
    if journal.exists():
        return None
    with path.open("rb") as file:
        counter = file.read(_HEAD)[_COUNTER]
        file.seek(0)
        checksum = 0
        while piece := file.read(_PIECE):
            checksum = zlib.crc32(piece, checksum)
        file.seek(0)
        moved = file.read(_HEAD)[_COUNTER] != counter
        info = os.fstat(file.fileno())
    if moved or journal.exists():
        return None
    return Checksum(info.st_ino, info.st_size, int.from_bytes(counter, "big"), checksum)
