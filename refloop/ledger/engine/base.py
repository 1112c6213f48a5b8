"""What the ledger asks of the database under it, whichever it is."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

from refloop.ledger.engine.dialect import Dialect


class Row(Protocol):
    """A row of a query: its values by the names of their columns, or in order."""

    def __getitem__(self, key: str | int, /) -> Any: ...

    def __iter__(self) -> Iterator[Any]: ...

    def keys(self) -> list[str]: ...


class StatementError(Exception):
    """The database refuses a statement, which only a bug can cause."""


class Engine(Protocol):
    """An open database. One writer at a time; not for use by several threads.

    Statements are written as SQLite and PostgreSQL both understand them, with the words of `Dialect`. Every verb
    raises DiskError when the disk is full or broken, LedgerError when the database is damaged, LedgerBusy when
    another program writes to it for long, and StatementError.
    """

    @property
    def dialect(self) -> Dialect: ...

    @property
    def in_transaction(self) -> bool: ...

    def transaction(self) -> AbstractContextManager[None]:
        """One transaction: all of it is kept, or nothing. Nests."""

    def execute(self, sql: str, parameters: Iterable[object] = ()) -> int:
        """Carries a statement out. Returns how many rows it touched."""

    def execute_many(self, sql: str, rows: Iterable[Sequence[object]]) -> int:
        """Carries a statement out for each of the rows. Returns how many rows it touched."""

    def rows(self, sql: str, parameters: Iterable[object] = ()) -> Iterator[Row]:
        """The rows of a query, streamed."""

    def pending(self, migrations: Migrations) -> bool:
        """Whether there are migrations that this database has not seen."""

    def migrate(self, migrations: Migrations) -> None:
        """Carries those out, in their order. Call inside a transaction."""

    def faults(self, most: int) -> Iterator[str]:
        """What the database's own checks find damaged; at most so many of each check."""

    def copy_to(self, path: Path) -> Engine:
        """Copies the database, as it is at one moment, into an empty file; others may write to it meanwhile. Returns
        the copy, open, to be verified and closed."""

    def compact(self) -> None:
        """Gives up the free space in which something deleted may still stand."""

    def rewrite_texts(self, holding: Collection[str], rewrite: Callable[[str], str]) -> int:
        """Rewrites every text of every table in which one of the (lower-case) strings stands. Where two rows become
        one by it, one stays. Returns how many were rewritten. Call inside a transaction."""

    def holds_text(self, holding: Collection[str], is_it: Callable[[str], bool]) -> bool:
        """Whether there is a text in any table in which one of the (lower-case) strings stands, and that is it."""

    @property
    def checked(self) -> datetime | None:
        """When all of it was last looked through; None when that is not known, or somebody else wrote to it since."""

    def was_checked(self, at: datetime) -> None:
        """Remembers that all of it was looked through, and found sound."""

    def rest(self) -> None:
        """Says, for who opens it next, that this process is done writing for now."""

    def close(self) -> None:
        """Closes the database. Safe to repeat."""


class Migrations:
    """The steps by which a schema came to be. Steps are added at the end, and never edited."""

    def __init__(self) -> None:
        self.steps: dict[str, Callable[[Engine], None]] = {}

    def __call__(self, name: str = "") -> Callable[[Callable[[Engine], None]], Callable[[Engine], None]]:
        """Adds a step, by default of the function's name."""

        def added(step: Callable[[Engine], None]) -> Callable[[Engine], None]:
            self.steps[name or step.__name__] = step
            return step

        return added
