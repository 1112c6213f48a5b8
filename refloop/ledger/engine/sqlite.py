"""SQLite under the ledger."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any

import sqlite_utils
import sqlite_utils.migrations

from refloop.errors import DiskError
from refloop.ledger.engine.base import Migrations, Row
from refloop.ledger.engine.checksum import remove_checksum, write_checksum
from refloop.ledger.engine.dialect import Dialect
from refloop.ledger.engine.errors import translated

APPLICATION_ID = 0x5265664C  # "RefL": `file` and our own start-up check tell a ledger from any other database

SQLITE = Dialect(
    ordered_join="CROSS JOIN",
    same="IS",  # it knows the standard's words from 3.39 on, and is older on many a server
    differs="IS NOT",
    json_text=r"""json_extract(\1, '$."' || \2 || '"')""",
    numbered_key="INTEGER PRIMARY KEY",
    table=" STRICT",
    table_by_key=" STRICT, WITHOUT ROWID",
    guards=tuple(
        # the one exception: `refloop forget`, which writes and takes away that row in its transaction
        f"CREATE TRIGGER {{table}}_no_{action.lower()} BEFORE {action} ON {{table}} "
        "WHEN NOT EXISTS (SELECT 1 FROM meta WHERE key = 'erasing') "
        "BEGIN SELECT RAISE(ABORT, '{table} are added, never edited'); END"
        for action in ("UPDATE", "DELETE")
    ),
)

spelled = lru_cache(maxsize=1024)(SQLITE.spelled)
"""Each statement is spelled once: almost all of them are constants."""


class SqliteEngine:
    """An open SQLite file, as `refloop.ledger.engine.base.Engine` says."""

    dialect = SQLITE

    def __init__(self, connection: sqlite3.Connection, path: Path) -> None:
        connection.row_factory = sqlite3.Row
        self.connection = connection
        self.path = path
        self._wrote = False

    @property
    def in_transaction(self) -> bool:
        return self.connection.in_transaction

    def execute(self, sql: str, parameters: Iterable[object] = ()) -> int:
        """Carries a statement out. Returns how many rows it touched."""
        try:
            return self.connection.execute(spelled(sql), tuple(parameters)).rowcount
        except sqlite3.DatabaseError as error:
            raise translated(error, self.path) from error

    def execute_many(self, sql: str, rows: Iterable[Sequence[Any]]) -> int:
        """Carries a statement out for each of the rows. Returns how many rows it touched."""
        try:
            return self.connection.executemany(spelled(sql), rows).rowcount
        except sqlite3.DatabaseError as error:
            raise translated(error, self.path) from error

    def rows(self, sql: str, parameters: Iterable[object] = ()) -> Iterator[Row]:
        """The rows of a query, streamed."""
        try:
            yield from self.connection.execute(spelled(sql), tuple(parameters))
        except sqlite3.DatabaseError as error:
            raise translated(error, self.path) from error

    def applied(self) -> list[str]:
        """The migrations that this file has seen."""
        return [migration.name for migration in _kept_migrations(self).applied(self._database)]

    def names(self) -> list[str]:
        """Of the tables, views, indexes and triggers in this file."""
        return [row[0] for row in self.rows("SELECT name FROM sqlite_schema")]

    def pending(self, migrations: Migrations) -> bool:
        """Whether there are migrations that this file has not seen."""
        return not set(migrations.steps).issubset(self.applied())

    def migrate(self, migrations: Migrations) -> None:
        """Carries those out, in their order. Call inside a transaction."""
        with self._translating():
            _kept_migrations(self, migrations).apply(self._database)
        self.execute(f"PRAGMA application_id={APPLICATION_ID}")

    @property
    def _database(self) -> sqlite_utils.Database:
        return sqlite_utils.Database(self.connection, execute_plugins=False)

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
            found = _stands(column, holding)
            done += self.execute(
                f'UPDATE OR REPLACE "{table}" SET "{column}" = rewritten("{column}") WHERE ({found}) '
                f'AND rewritten("{column}") <> "{column}"',
                holding,
            )
        self.connection.create_function("rewritten", 1, None)
        return done

    def holds_text(self, holding: Collection[str], is_it: Callable[[str], bool]) -> bool:
        """Whether there is a text in any table in which one of the (lower-case) strings stands, and that is it."""
        return any(
            is_it(row[0])
            for table, column in list(self._text_columns())
            for row in self.rows(f'SELECT "{column}" FROM "{table}" WHERE {_stands(column, holding)}', holding)
        )

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


def _stands(column: str, holding: Collection[str]) -> str:
    """The condition that one of as many strings stands in a column."""
    return " OR ".join([f'instr(lower("{column}"), ?)'] * len(holding))


def _kept_migrations(engine: SqliteEngine, migrations: Migrations | None = None) -> sqlite_utils.migrations.Migrations:
    """The migrations as sqlite-utils keeps count of them in the file."""
    kept = sqlite_utils.migrations.Migrations("refloop")
    for name, step in migrations.steps.items() if migrations else ():
        kept(name=name)(lambda _, step=step: step(engine))
    return kept
