"""The seal: a checksum of a ledger at rest. Who wrote to it seals it when closing, who opens it next compares.

SQLite's own checks see a page that makes no sense, and never a letter that became another one. The seal lies beside
the ledger, and is there only while nobody has written since: a process that is killed leaves none.
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


class Seal(NamedTuple):
    """Which state of which file: another file, or one that another program wrote to since, is not sealed by it."""

    inode: int
    size: int
    counter: int
    checksum: int


def seal_of(path: Path) -> Path:
    """Where the seal of a ledger lies."""
    return path.with_name(path.name + ".seal")


def break_seal(path: Path) -> None:
    """To be done before anything is written. Raises OSError."""
    seal_of(path).unlink(missing_ok=True)


def put_seal(path: Path) -> None:
    """Seals a ledger that this process has closed. Where that is not possible, it stays without."""
    with suppress(OSError):
        found = _read(path)
        if found is None:
            return
        target = seal_of(path)
        target.unlink(missing_ok=True)
        with os.fdopen(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="ascii") as file:
            json.dump(found, file)


def is_broken(path: Path) -> bool:
    """Whether a sealed ledger is not what was sealed. False where there is no seal that is meant for it."""
    try:
        kept = Seal(*json.loads(seal_of(path).read_text(encoding="ascii")))
        found = _read(path)
    except (OSError, ValueError, TypeError):
        return False
    if found is None or found.inode != kept.inode:
        return False
    cut = found.size < _HEAD  # its counter went with its head, or with all the rest
    return found != kept and (cut or found.counter == kept.counter)


def _read(path: Path) -> Seal | None:
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
    return Seal(info.st_ino, info.st_size, int.from_bytes(counter, "big"), checksum)
