"""What a run wrote, and what of it a person undid."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from refloop.ledger.store import Ledger, ref_of
from refloop.model import FieldChange, FieldSpec, Ref


def undoing(
    ledger: Ledger, run: int, specs: Mapping[str, FieldSpec], *, overwritten: bool = False
) -> Iterator[FieldChange]:
    """The changes that take back what a run wrote, by record: to what stood there right before, which is a person's
    value where one was overwritten. Fields that a later run wrote again are left out. `overwritten`: only people's
    values."""
    rows = ledger.rows(
        "SELECT r.connection, r.kind, r.id, r.field, r.after, iif(r.overwrote, r.found, r.before) AS stood "
        "FROM receipts r WHERE r.run = ? AND r.verdict = 'written' AND r.overwrote >= ? AND r.seq = ("
        "  SELECT max(q.seq) FROM receipts q WHERE q.connection = r.connection AND q.kind = r.kind AND q.id = r.id "
        "  AND q.field = r.field AND q.verdict = 'written') "
        "ORDER BY r.connection, r.kind, r.id, r.field",
        (run, overwritten),
    )
    for row in rows:
        if row["field"] in specs:
            yield FieldChange(ref_of(row), specs[row["field"]], row["after"], row["stood"], f"undo of run {run}")


def keep_undone(ledger: Ledger, run: int, changes: Iterable[FieldChange]) -> None:
    """Remembers the values that were undone, so that the next sync does not write them again. Undoing an undo
    forgets them."""
    for change in changes:
        name = (change.ref.connection, change.ref.kind.value, change.ref.id, change.field.name)
        forgotten = ledger.execute(
            "DELETE FROM undone WHERE connection = ? AND kind = ? AND id = ? AND field = ? AND value IS ?",
            (*name, change.after),
        )
        if not forgotten:
            ledger.execute(
                "INSERT INTO undone (connection, kind, id, field, value, run) VALUES (?, ?, ?, ?, ?, ?) "
                "ON CONFLICT (connection, kind, id, field) DO UPDATE SET value = excluded.value, run = excluded.run",
                (*name, change.before, run),
            )
    ledger.moved()


def undone_values(ledger: Ledger, refs: Iterable[Ref]) -> dict[Ref, dict[str, str | None]]:
    """The values that were undone, by record and field."""
    ledger.select(refs)
    rows = ledger.rows(
        "SELECT u.* FROM selection s CROSS JOIN undone u "
        "ON u.connection = s.connection AND u.kind = s.kind AND u.id = s.id"
    )
    found: dict[Ref, dict[str, str | None]] = {}
    for row in rows:
        found.setdefault(ref_of(row), {})[row["field"]] = row["value"]
    return found
