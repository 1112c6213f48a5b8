"""SQLite under the ledger."""

from __future__ import annotations

import sqlite3
import sys
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

from refloop.errors import DiskError, LedgerBusy
from refloop.ledger.engine.base import Migrations, Row
from refloop.ledger.engine.dialect import Dialect
from refloop.ledger.engine.errors import damaged, translated
from refloop.ledger.engine.mark import Standing, leave_mark, remove_mark, standing_of

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

_MIGRATIONS_TABLE, _MIGRATION_SET = "_sqlite_migrations", "refloop"
"""Where sqlite-utils keeps count of the migrations that a file has seen (its docs, "Migrations"); the name of ours."""
_PAGES_AT_ONCE = 2048
"""Pages of a copy, 8 MB, between which others may write."""
_MOST_TIMES = 100
"""That a copy begins anew, or waits."""
_NAP = 0.05
"""Seconds until a copy tries again while somebody writes."""

_SUSPICIOUS = ("SQLITE_IOERR", "SQLITE_CORRUPT", "SQLITE_NOTADB")
"""After one of these, nothing is said of the file: whoever opens it next looks all of it through."""

spelled = lru_cache(maxsize=1024)(SQLITE.spelled)
"""Each statement is spelled once: almost all of them are constants."""


class SqliteEngine:
    """An open SQLite file, as `refloop.ledger.engine.base.Engine` says."""

    dialect = SQLITE

    def __init__(self, connection: sqlite3.Connection, path: Path, standing: Standing = Standing()) -> None:  # noqa: B008 - a frozen value
        connection.row_factory = sqlite3.Row
        self.connection = connection
        self.path = path
        self._proven = standing.proven
        self._checked = standing.checked
        self._wrote = False
        self._suspect = False

    @property
    def checked(self) -> datetime | None:
        """When all of it was last looked through; None when that is not known, or somebody else wrote to it since."""
        return self._checked if self._proven else None

    @property
    def in_transaction(self) -> bool:
        return self.connection.in_transaction

    def execute(self, sql: str, parameters: Iterable[object] = ()) -> int:
        """Carries a statement out. Returns how many rows it touched."""
        try:
            return self.connection.execute(spelled(sql), tuple(parameters)).rowcount
        except sqlite3.DatabaseError as error:
            raise self._translated(error) from error

    def execute_many(self, sql: str, rows: Iterable[Sequence[Any]]) -> int:
        """Carries a statement out for each of the rows. Returns how many rows it touched."""
        try:
            return self.connection.executemany(spelled(sql), rows).rowcount
        except sqlite3.DatabaseError as error:
            raise self._translated(error) from error

    def rows(self, sql: str, parameters: Iterable[object] = ()) -> Iterator[Row]:
        """The rows of a query, streamed."""
        try:
            rows = self.connection.execute(spelled(sql), tuple(parameters))
            for row in rows:  # noqa: UP028 - `yield from` closes the cursor if nobody reads on: the file may be closed
                yield row
        except sqlite3.DatabaseError as error:
            raise self._translated(error) from error

    def _translated(self, error: sqlite3.Error) -> Exception:
        self._suspect |= str(getattr(error, "sqlite_errorname", "")).startswith(_SUSPICIOUS)
        return translated(error, self.path)

    def applied(self) -> list[str]:
        """The migrations that this file has seen."""
        if _MIGRATIONS_TABLE not in self.names():
            return []
        sql = f"SELECT name FROM {_MIGRATIONS_TABLE} WHERE migration_set = ? ORDER BY rowid"
        return [row["name"] for row in self.rows(sql, (_MIGRATION_SET,))]

    def names(self) -> list[str]:
        """Of the tables, views, indexes and triggers in this file."""
        return [row[0] for row in self.rows("SELECT name FROM sqlite_schema")]

    def pending(self, migrations: Migrations) -> bool:
        """Whether there are migrations that this file has not seen."""
        return not set(migrations.steps).issubset(self.applied())

    def migrate(self, migrations: Migrations) -> None:
        """Carries those out, in their order. Call inside a transaction."""
        import sqlite_utils.migrations  # only here: to load it takes a third of the memory of looking at a ledger

        kept = sqlite_utils.migrations.Migrations(_MIGRATION_SET)
        for name, step in migrations.steps.items():
            kept(name=name)(lambda _, step=step: step(self))
        with self._translating():
            kept.apply(sqlite_utils.Database(self.connection, execute_plugins=False))
        self.execute(f"PRAGMA application_id={APPLICATION_ID}")

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
            self.connection.backup(copy, pages=_PAGES_AT_ONCE, progress=self._refuse_endless(), sleep=_NAP)
        except sqlite3.DatabaseError as error:
            copy.close()
            raise translated(error, path) from error
        except BaseException:
            copy.close()
            raise
        return SqliteEngine(copy, path)

    def _refuse_endless(self) -> Callable[[int, int, int], None]:
        """Notices that a copy begins anew, or waits, as it does when somebody else writes to the file. Raises
        LedgerBusy when it does so again and again."""
        left, again = sys.maxsize, 0

        def look(_: int, remaining: int, __: int) -> None:
            nonlocal left, again
            again += remaining >= left
            left = remaining
            if again > _MOST_TIMES:
                raise LedgerBusy(
                    f"the ledger {self.path} was written to all the while that it was copied",
                    remedy="Run again when no other run is at work.",
                )

        return look

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
            raise self._translated(error) from error

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
            remove_mark(self.path)
        except OSError as error:
            raise DiskError(f"cannot write beside the ledger {self.path}: {error.strerror}") from error
        self._wrote = True
        # deferred, a read-then-write beside another process fails at once and ignores the time-out
        self.connection.execute("BEGIN IMMEDIATE")
        if not self._proven:
            self._refuse_damaged()
            self._proven = True

    def _refuse_damaged(self) -> None:
        try:
            fault = next(self.faults(1), None)
            if fault is not None:
                raise damaged(self.path, fault)
        except BaseException:
            self._suspect = True
            self.connection.execute("ROLLBACK")
            raise

    def was_checked(self, at: datetime) -> None:
        """Remembers that all of it was looked through, and found sound."""
        is_known, self._proven, self._checked = self._proven, True, at
        if not self._wrote and (not is_known or standing_of(self.path).proven):
            leave_mark(self.path, at)

    def rest(self) -> None:
        """Leaves the mark of what this process wrote: nobody need look through it to go on."""
        if self._wrote:
            self._wrote = False
            if not self._suspect:
                leave_mark(self.path, self._checked)

    def close(self) -> None:
        """Closes the file, and leaves its mark beside it when something was written. Safe to repeat."""
        self.connection.close()
        self.rest()


def _stands(column: str, holding: Collection[str]) -> str:
    """The condition that one of as many strings stands in a column."""
    return " OR ".join([f'instr(lower("{column}"), ?)'] * len(holding))
