"""What one run brought, beside what it counted itself; and what lasts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from refloop.ledger.reads.receipts import Overwritten, overwritten
from refloop.ledger.store import Ledger
from refloop.ledger.told import Told
from refloop.model import ReviewReason

__all__ = ["Brought", "Told", "brought"]


@dataclass(frozen=True, slots=True)
class Brought:
    """How many records a run wrote to and how many conflicts it was the first to find, by connection; how many review
    items, by why; and what it wrote over."""

    records: Mapping[str, int]
    conflicts: Mapping[str, int]
    review: Mapping[ReviewReason, int]
    overwritten: tuple[Overwritten, ...]


def brought(ledger: Ledger, run: int, counts: Mapping[str, Mapping[str, int]]) -> Brought:
    """What a run with these counts brought. Of what it did not count, nothing is looked up: a tick without news reads
    nothing."""
    counted = {word for of in counts.values() for word, count in of.items() if count}
    decided = any(counts.get("", {}).values())
    return Brought(
        records=_records(ledger, run) if "written" in counted else {},
        conflicts=_conflicts(ledger, run) if "conflicts" in counted else {},
        review=_review(ledger, run) if decided else {},
        overwritten=tuple(one for one in overwritten(ledger) if one.run == run) if "overwrote" in counted else (),
    )


def _records(ledger: Ledger, run: int) -> dict[str, int]:
    rows = ledger.rows(
        "SELECT connection, count(*) AS n FROM (SELECT DISTINCT connection, kind, id FROM receipts "
        "WHERE run = ? AND verdict = 'written') AS w GROUP BY 1",
        (run,),
    )
    return {row["connection"]: row["n"] for row in rows}


def _conflicts(ledger: Ledger, run: int) -> dict[str, int]:
    rows = ledger.rows("SELECT connection, count(*) AS n FROM conflicts WHERE run = ? GROUP BY 1", (run,))
    return {row["connection"]: row["n"] for row in rows}


def _review(ledger: Ledger, run: int) -> dict[ReviewReason, int]:
    rows = ledger.rows("SELECT doubt, count(*) AS n FROM questions WHERE run = ? GROUP BY 1 ORDER BY 2 DESC, 1", (run,))
    return {ReviewReason(row["doubt"]): row["n"] for row in rows}
