"""The mark of a ledger at rest. The process that wrote to the ledger leaves it when it is done, the next one compares.

It says which file it was, how long, in which state by SQLite's own count, and when it was last saved. As long as all of
that is so, nobody wrote to the file since, and nothing in it need be read to know it. The mark lies in a file beside
the ledger, and is there only while nobody writes: a process that is killed leaves none.

What it cannot see is a disk that gives back something else than it was given. For that, all of the ledger is looked
through once a day; the mark holds when that was.
"""

from __future__ import annotations

import json
import os
import time
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from pathlib import Path

# SQLite's file format: https://sqlite.org/fileformat2.html#file_change_counter
_COUNTER = slice(24, 28)
_HEAD = 100
_TICKS = 25
_TICK = 0.002
"""Seconds. What is saved within one tick of the file system's clock has one time (Linux: 4 ms, before 6.13 always)."""


@dataclass(frozen=True, slots=True)
class Mark:
    """A file as it was when its writer was done with it: `counter` is SQLite's count of its transactions, `saved` and
    `touched` are the times of its content and of its inode, in nanoseconds. `checked`: when all of it was last looked
    through (ISO 8601); "" when that is not known."""

    inode: int
    size: int
    counter: int
    saved: int
    touched: int
    checked: str = ""


@dataclass(frozen=True, slots=True)
class Standing:
    """What a file is by its mark. `proven`: as it was left. `altered`: written to by something that is not SQLite.
    Neither: there is no mark of this file in this state."""

    proven: bool = False
    altered: bool = False
    checked: datetime | None = None


def mark_file(path: Path) -> Path:
    """Where the mark of a ledger lies."""
    return path.with_name(path.name + ".seal")  # not renamed: an older refloop must find it to take it away


def remove_mark(path: Path) -> None:
    """To be done before anything is written. Raises OSError.

    SQLite syncs the folder before it writes to the file, and so this is on the disk before that is.
    """
    mark_file(path).unlink(missing_ok=True)


def leave_mark(path: Path, checked: datetime | None) -> None:
    """Leaves the mark of a ledger that this process is done with. Where that is not possible, there is none."""
    with suppress(OSError):
        found = _found(path, sync=True)
        if found is None:
            return
        target = mark_file(path)
        target.unlink(missing_ok=True)
        content = json.dumps(asdict(replace(found, checked=checked.isoformat() if checked else "")))
        with os.fdopen(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="ascii") as file:
            file.write(content)
        _wait_until_later(target, found.saved)


def _wait_until_later(mark: Path, saved: int) -> None:
    """Waits until a file that is saved from now on gets another time than the ledger has."""
    for _ in range(_TICKS):
        if mark.stat().st_mtime_ns > saved:
            return
        time.sleep(_TICK)
        os.utime(mark)


def standing_of(path: Path) -> Standing:
    """What a ledger is by its mark. Reads its head alone."""
    try:
        kept = Mark(**json.loads(mark_file(path).read_text(encoding="ascii")))
        checked = datetime.fromisoformat(kept.checked) if kept.checked else None
        found = _found(path)
    except (OSError, ValueError, TypeError):
        return Standing()
    if found is None or found.inode != kept.inode:
        return Standing()
    if found == replace(kept, checked=""):
        return Standing(proven=True, checked=checked)
    cut = found.size < _HEAD  # its counter went with its head, or with all the rest
    saved_otherwise = (found.size, found.saved) != (kept.size, kept.saved)
    return Standing(altered=saved_otherwise and (cut or found.counter == kept.counter))


def _found(path: Path, *, sync: bool = False) -> Mark | None:
    """None when somebody may be writing: beside a journal, or when the file is saved while this reads. `sync`: its
    times are to outlive a power cut, as its content does."""
    journal = path.with_name(path.name + "-journal")
    if journal.exists():
        return None
    with path.open("rb") as file:
        if sync:
            os.fsync(file.fileno())
        before = os.fstat(file.fileno())
        counter = int.from_bytes(file.read(_HEAD)[_COUNTER], "big")
        info = os.fstat(file.fileno())
    if info.st_mtime_ns != before.st_mtime_ns or journal.exists():
        return None
    return Mark(info.st_ino, info.st_size, counter, info.st_mtime_ns, info.st_ctime_ns)
