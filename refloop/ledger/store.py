"""Opening the ledger, and its transactions."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

from refloop.ledger.engine.base import Engine, Row
from refloop.ledger.engine.opening import open_database
from refloop.ledger.schema import SELECTION, migrations
from refloop.model import Kind, Ref


class Ledger:
    """An open ledger. The verbs over it live in this package's other modules, by topic.

    One writer at a time. Not for use by several threads. `guard`, where there is one, begins every transaction and
    raises when this process may not write (see `refloop.ledger.lease`).
    """

    def __init__(self, engine: Engine, path: Path) -> None:
        self.engine = engine
        self.path = path
        self.guard: Callable[[], None] | None = None
        self._selected: object = None

    @contextmanager
    def writing(self) -> Iterator[None]:
        """One transaction: all of it is kept, or nothing. Nests.

        Raises DiskError when the disk is full or broken, LedgerError when the file is damaged, LedgerBusy when another
        program writes to it for long, LeaseLost when another process took over; all leave the ledger as it was.
        """
        outermost = not self.engine.in_transaction
        try:
            with self.engine.transaction():
                if outermost:
                    self.check_lease()
                yield
        finally:
            self._selected = None  # a selection that was filled in here may have been rolled back

    def execute(self, sql: str, parameters: Iterable[object] = ()) -> int:
        """Carries a statement out. Returns how many rows it touched."""
        return self.engine.execute(sql, parameters)

    def execute_many(self, sql: str, rows: Iterable[Sequence[object]]) -> int:
        """Carries a statement out for each of the rows. Returns how many rows it touched."""
        return self.engine.execute_many(sql, rows)

    def rows(self, sql: str, parameters: Iterable[object] = ()) -> Iterator[Row]:
        """The rows of a query, streamed."""
        return self.engine.rows(sql, parameters)

    def one(self, sql: str, parameters: Iterable[object] = ()) -> Row | None:
        """The first row of a query, or None."""
        return next(self.engine.rows(sql, parameters), None)

    def position(self) -> int:
        """Grows with every change that a plan may depend on."""
        row = self.one("SELECT value FROM meta WHERE key = 'position'")
        return int(row["value"]) if row else 0

    def check_lease(self) -> None:
        """Raises LeaseLost when another process took over: call right before writing anywhere else."""
        if self.guard:
            self.guard()

    def moved(self, steps: int = 1) -> None:
        """Moves the position: something a plan depends on has changed. Call inside the transaction that changed it."""
        self.execute("UPDATE meta SET value = CAST(value AS INTEGER) + ? WHERE key = 'position'", (steps,))

    @property
    def identity(self) -> str:
        """Which ledger this is: a plan of another one is refused."""
        row = self.one("SELECT value FROM meta WHERE key = 'ledger'")
        return str(row["value"]) if row else ""

    def select(self, refs: Iterable[Ref]) -> None:
        """Fills the temporary table `selection`, by which set queries join on many records at once.

        They say ORDERED JOIN: the selection first.
        """
        if refs is self._selected:
            return
        self._selected = None
        self.execute("DELETE FROM selection")
        self.execute_many(
            "INSERT INTO selection (connection, kind, id) VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
            ((ref.connection, ref.kind.value, ref.id) for ref in refs),
        )
        if isinstance(refs, (tuple, frozenset)):  # what cannot change need not be filled in again
            self._selected = refs

    def was_checked(self, at: datetime) -> None:
        """Remembers that all of it was looked through, and found sound."""
        self.engine.was_checked(at)

    def close(self) -> None:
        """Closes the ledger. Safe to repeat."""
        self.engine.close()


_KINDS = {kind.value: kind for kind in Kind}
"""Looking up is four times as fast as asking the class, and every row of a name is asked."""


def ref_of(row: Row | Mapping[str, Any]) -> Ref:
    """The record that a row with columns connection, kind and id speaks of."""
    return Ref(row["connection"], _KINDS.get(row["kind"]) or Kind(row["kind"]), row["id"])


def open_ledger(path: Path, *, doubted: bool = False) -> Ledger:
    """Opens the ledger, creating it (0600, in a folder 0700) or bringing its schema up to date. One that is `doubted`
    is about to be looked through, and is opened although something else than refloop saved its file.

    Raises LedgerError for a file that is no ledger, is damaged or comes from a newer refloop; DiskError when
    it cannot be reached or others may read it; ConfigError when it lies on a network or the database's library is
    too old.
    """
    engine = open_database(path, migrations, doubted=doubted)
    try:
        ledger = Ledger(engine, path)
        if engine.pending(migrations):
            _migrate(ledger)
        ledger.execute(SELECTION)
    except BaseException:
        engine.close()
        raise
    return ledger


def _migrate(ledger: Ledger) -> None:
    with ledger.writing():
        ledger.engine.migrate(migrations)
        if not ledger.identity:  # two processes may make it at once: the first names it
            ledger.execute_many(
                "INSERT INTO meta (key, value) VALUES (?, ?)", [("ledger", str(uuid.uuid4())), ("position", "0")]
            )
