"""What SQLite's errors mean to a person."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from refloop.errors import DiskError, LedgerBusy, LedgerError
from refloop.ledger.engine.base import StatementError

PUT_BACK = (
    "Nothing was written. `refloop ledger restore` puts the newest backup in its place; docs/operations.md says what "
    "to do where there is none."
)


def translated(error: sqlite3.Error, path: Path) -> Exception:
    """What an SQLite error means to a person; a StatementError, where only a bug can cause it."""
    name = getattr(error, "sqlite_errorname", "") or ""
    if not name and "decode" in str(error):  # the message goes on with the text itself, which may be a person's
        return damaged(path, "a text in it is none")
    if name.startswith(("SQLITE_FULL", "SQLITE_IOERR", "SQLITE_READONLY", "SQLITE_CANTOPEN")):
        return DiskError(f"cannot write the ledger {path}: {error}", remedy=_remedy(name))
    if name.startswith(("SQLITE_CORRUPT", "SQLITE_NOTADB")):
        return LedgerError(
            f"the ledger {path} is damaged or is not a ledger: {error}",
            remedy=PUT_BACK,
        )
    if name.startswith("SQLITE_BUSY"):
        return LedgerBusy(
            f"the ledger {path} is locked by another program", remedy="Wait for it to end, or close it; then run again."
        )
    return StatementError(str(error))


def _remedy(name: str) -> str:
    if name.startswith(("SQLITE_READONLY", "SQLITE_CANTOPEN")):
        return "Make it and its folder writable for the user who runs refloop, then run again."
    what = (
        "Free some disk space" if name == "SQLITE_FULL" else "Look into the system's log, and free or repair the disk"
    )
    return f"{what}, then run again: what was done is kept, and the next run goes on from there."


def damaged(path: Path, how: str) -> LedgerError:
    """The error for a ledger that is damaged, and how."""
    return LedgerError(
        f"the ledger {path} is damaged: {how}",
        remedy=PUT_BACK,
    )


def altered(path: Path) -> LedgerError:
    """The error for a ledger that was saved by something that is not SQLite since its last writer was done with it."""
    return LedgerError(
        f"the ledger {path} is not what was written to it last: something else than refloop has saved the file since",
        remedy="Nothing was written. Run `refloop ledger restore`; or, if you know that it is as it was, `refloop "
        "ledger verify`, which looks all of it through and takes it where it finds nothing.",
    )
