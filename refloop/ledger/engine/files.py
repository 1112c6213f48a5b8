"""The file of a ledger, and what lies beside it: SQLite's journal, and the mark."""

from __future__ import annotations

import os
import sqlite3
import stat
from contextlib import closing, suppress
from pathlib import Path

from refloop.errors import DiskError
from refloop.ledger.engine.mark import remove_mark


def journal_of(path: Path) -> Path:
    """Where SQLite keeps what a transaction that is under way has overwritten."""
    return path.with_name(path.name + "-journal")


def make_private(path: Path) -> None:
    """Makes an empty file that its owner alone may read. Raises FileExistsError when something is there already."""
    # SQLite's own files beside it inherit the mode of this one
    os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600))


def refuse_unsafe(path: Path) -> None:
    """Raises DiskError for what is no file, or one that others may read."""
    info = path.lstat()
    if not stat.S_ISREG(info.st_mode):
        raise DiskError(f"the ledger {path} is not a regular file", remedy="Point `ledger:` at the file itself.")
    if info.st_uid != os.geteuid():
        raise DiskError(
            f"the ledger {path} belongs to another user",
            remedy="Whoever owns it can change what refloop writes into the CRM. Run refloop as its owner, or take it "
            f"over: chown $(id -un) {path}",
        )
    if info.st_mode & 0o077:
        raise DiskError(
            f"others may read or write the ledger {path}", remedy=f"It holds customers' data. Run: chmod 600 {path}"
        )


def remove(path: Path) -> None:
    """Removes a ledger. Takes the journal away first: SQLite would play it back into the next file of that name."""
    journal_of(path).unlink(missing_ok=True)
    remove_mark(path)
    path.unlink(missing_ok=True)


def give_second_name(path: Path, aside: Path) -> None:
    """Gives the file a second name: at no moment is there no ledger, of which a sync would make an empty one.

    Its journal has to go before another file takes the name, for SQLite would play it back into that one.
    """
    aside.hardlink_to(path)
    journal = journal_of(path)
    if journal.exists():
        journal.rename(journal_of(aside))


def play_journal_back(path: Path) -> None:
    """Ends what a crash left half done, where the file can still be read."""
    if path.exists():
        with suppress(sqlite3.DatabaseError), closing(sqlite3.connect(path, isolation_level=None)) as present:
            present.execute("BEGIN IMMEDIATE").close()
