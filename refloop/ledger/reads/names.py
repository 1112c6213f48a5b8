"""What people call the records."""

from __future__ import annotations

from collections.abc import Iterable

from refloop.ledger.store import Ledger, ref_of
from refloop.model import Ref


def names_of(ledger: Ledger, refs: Iterable[Ref]) -> dict[Ref, str]:
    """What people call those records: a person's name and company, a deal's name. One that has none, or is not known,
    is not there."""
    ledger.select(refs)
    rows = ledger.rows(
        "SELECT r.connection, r.kind, r.id, r.name, r.title FROM selection s ORDERED JOIN records r "
        "ON r.connection = s.connection AND r.kind = s.kind AND r.id = s.id "
        "WHERE r.name IS NOT NULL OR r.title IS NOT NULL"
    )
    return {ref_of(row): ", ".join(filter(None, dict.fromkeys((row["name"], row["title"])))) for row in rows}
