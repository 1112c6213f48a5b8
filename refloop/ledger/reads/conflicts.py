"""Fields in which a person wrote something else than refloop wants."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from refloop.ledger.engine.base import Row
from refloop.ledger.receipts import conflict_from
from refloop.ledger.store import Ledger
from refloop.model import Conflict, Ref


@dataclass(frozen=True, slots=True)
class FoundConflict:
    """A conflict, and the run that found it first; None for one that a plan would find."""

    conflict: Conflict
    run: int | None


def conflicts(ledger: Ledger) -> Iterator[FoundConflict]:
    """The conflicts that stand, by record and field, streamed."""
    return map(_found, ledger.rows("SELECT * FROM conflicts ORDER BY connection, kind, id, field"))


def conflicts_on(ledger: Ledger, ref: Ref) -> tuple[FoundConflict, ...]:
    """The conflicts that stand on one record."""
    rows = ledger.rows(
        "SELECT * FROM conflicts WHERE (connection, kind, id) = (?, ?, ?)", (ref.connection, ref.kind.value, ref.id)
    )
    return tuple(map(_found, rows))


def conflicts_to_come(ledger: Ledger, found: Iterable[Conflict]) -> Iterator[FoundConflict]:
    """The conflicts that stand, and after them those of the ones that plans found that are new."""
    known: set[tuple[Ref, str]] = set()
    for standing in conflicts(ledger):
        known.add((standing.conflict.ref, standing.conflict.field))
        yield standing
    for conflict in found:
        if (conflict.ref, conflict.field) not in known:
            yield FoundConflict(conflict, None)


def count_conflicts(ledger: Ledger) -> int:
    """How many stand."""
    row = ledger.one("SELECT count(*) AS n FROM conflicts")
    return int(row["n"]) if row else 0


def _found(row: Row) -> FoundConflict:
    return FoundConflict(conflict_from(row), row["run"])
