"""SQLite under the ledger."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

from sqlite_utils import Database

from refloop.errors import DiskError, LedgerBusy, LedgerError
from refloop.ledger.engine.base import Row
from refloop.ledger.engine.checksum import remove_checksum, write_checksum


class SqliteEngine:
    """An open SQLite file. One writer at a time; not for use by several threads."""

    def __init__(self, connection: sqlite3.Connection, path: Path) -> None:
        self.connection = connection
        self.path = path
        self._wrote = False

    @property
    def database(self) -> Database:
        """What migrations work on."""
        return Database(self.connection, execute_plugins=False)

    @property
    def in_transaction(self) -> bool:
        return self.connection.in_transaction

    def execute(self, sql: str, parameters: Iterable[object] = ()) -> int:
        """Carries a statement out. Returns how many rows it touched."""
        try:
            return self.connection.execute(sql, tuple(parameters)).rowcount
        except sqlite3.DatabaseError as error:
            raise translated(error, self.path) from error

    def execute_many(self, sql: str, rows: Iterable[Sequence[Any]]) -> int:
        """Carries a statement out for each of the rows. Returns how many rows it touched."""
        try:
            return self.connection.executemany(sql, rows).rowcount
        except sqlite3.DatabaseError as error:
            raise translated(error, self.path) from error

    def rows(self, sql: str, parameters: Iterable[object] = ()) -> Iterator[Row]:
        """The rows of a query, streamed."""
        try:
            cursor = self.connection.execute(sql, tuple(parameters))
            cursor.row_factory = sqlite3.Row
            yield from cursor
        except sqlite3.DatabaseError as error:
            raise translated(error, self.path) from error

    def faults(self, most: int) -> Iterator[str]:
        """What SQLite's own checks find damaged; at most so many of each check."""
        for row in self.rows(f"PRAGMA integrity_check({most})"):
            if row[0] != "ok":
                yield str(row[0])
        for number, row in enumerate(self.rows("PRAGMA foreign_key_check")):
            if number < most:
                yield f"a row of {row[0]} names a row of {row[2]} that is not there"

    def copy_to(self, path: Path) -> SqliteEngine:
        """Copies the database into an empty file. Returns the copy, open, to be verified and closed."""
        copy = sqlite3.connect(path, isolation_level=None)
        try:
            copy.execute("PRAGMA synchronous=OFF").close()  # whoever asked for the copy syncs the whole file
            self.connection.backup(copy)
        except sqlite3.DatabaseError as error:
            copy.close()
            raise translated(error, path) from error
        except BaseException:
            copy.close()
            raise
        return SqliteEngine(copy, path)

    def compact(self) -> None:
        """Writes the file anew, without the free space in which something deleted may still stand."""
        with self._translating():
            self.connection.execute("VACUUM")

    def rewrite_texts(self, holding: Collection[str], rewrite: Callable[[str], str]) -> int:
        """Rewrites every text of every table in which one of the (lower-case) strings stands. Where two rows become
        one by it, one stays. Returns how many were rewritten. Call inside a transaction."""
        self.connection.execute("PRAGMA defer_foreign_keys=ON")
        self.connection.create_function("rewritten", 1, rewrite, deterministic=True)
        done = 0
        for table, column in list(self._text_columns()):
            found = " OR ".join([f'instr(lower("{column}"), ?)'] * len(holding))
            done += self.execute(
                f'UPDATE OR REPLACE "{table}" SET "{column}" = rewritten("{column}") WHERE ({found}) '
                f'AND rewritten("{column}") <> "{column}"',
                holding,
            )
        self.connection.create_function("rewritten", 1, None)
        return done

    def _text_columns(self) -> Iterator[tuple[str, str]]:
        for table in [row[0] for row in self.rows("SELECT name FROM sqlite_schema WHERE type = 'table'")]:
            for column in self.rows(f'PRAGMA table_info("{table}")'):
                if column["type"] == "TEXT":
                    yield table, column["name"]

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """One transaction: all of it is kept, or nothing. Nests."""
        with self._translating(), self._inner() if self.in_transaction else self._outer():
            yield

    @contextmanager
    def _translating(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.DatabaseError as error:
            raise translated(error, self.path) from error

    @contextmanager
    def _outer(self) -> Iterator[None]:
        self._begin()
        try:
            yield
            self.connection.execute("COMMIT")
        except BaseException:
            if self.in_transaction:
                self.connection.execute("ROLLBACK")
            raise

    @contextmanager
    def _inner(self) -> Iterator[None]:
        self.connection.execute("SAVEPOINT inner_transaction")
        try:
            yield
        except BaseException:
            if self.in_transaction:  # an error may have rolled all of it back
                self.connection.execute("ROLLBACK TO inner_transaction")
                self.connection.execute("RELEASE inner_transaction")
            raise
        self.connection.execute("RELEASE inner_transaction")

    def _begin(self) -> None:
        try:
            remove_checksum(self.path)
        except OSError as error:
            raise DiskError(f"cannot write beside the ledger {self.path}: {error.strerror}") from error
        self._wrote = True
        # deferred, a read-then-write beside another process fails at once and ignores the time-out
        self.connection.execute("BEGIN IMMEDIATE")

    def close(self) -> None:
        """Closes the file, and leaves its checksum beside it when something was written. Safe to repeat."""
        self.connection.close()
        if self._wrote:
            self._wrote = False
            write_checksum(self.path)


def translated(error: sqlite3.DatabaseError, path: Path) -> Exception:
    """What an SQLite error means to a person. Errors that only a bug can cause stay what they are."""
    name = getattr(error, "sqlite_errorname", "") or ""
    if not name and "decode" in str(error):  # the message goes on with the text itself, which may be a person's
        return damaged(path, "a text in it is none")
    if name.startswith(("SQLITE_FULL", "SQLITE_IOERR", "SQLITE_READONLY", "SQLITE_CANTOPEN")):
        return DiskError(f"cannot write the ledger {path}: {error}", remedy=_remedy(name))
    if name.startswith(("SQLITE_CORRUPT", "SQLITE_NOTADB")):
        return LedgerError(
            f"the ledger {path} is damaged or is not a ledger: {error}",
            remedy="Nothing was written. Put back a backup of the file, or move it away and run a full sync.",
        )
    if name.startswith("SQLITE_BUSY"):
        return LedgerBusy(
            f"the ledger {path} is locked by another program", remedy="Wait for it to end, or close it; then run again."
        )
    return error


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
        remedy="Nothing was written. Run `refloop ledger restore`, or move it away and run a full sync.",
    )


def play_journal_back(path: Path) -> None:
    """Ends what a crash left half done, where the file can still be read."""
    if path.exists():
        with suppress(sqlite3.DatabaseError), closing(sqlite3.connect(path, isolation_level=None)) as present:
            present.execute("BEGIN IMMEDIATE").close()
