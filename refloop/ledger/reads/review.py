"""What was left for a person to decide."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from refloop.ledger.codes import code_of
from refloop.ledger.engine.base import Row
from refloop.ledger.reviews import review_item_from
from refloop.ledger.store import Ledger
from refloop.model import Ref, ReviewItem, ReviewReason


@dataclass(frozen=True, slots=True)
class OpenItem:
    """A review item that is open, and the run that found it first."""

    item: ReviewItem
    run: int


def count_open(ledger: Ledger) -> dict[ReviewReason, int]:
    """How much is open, by why, the most frequent reason first."""
    rows = ledger.rows("SELECT doubt, count(*) AS n FROM questions GROUP BY 1 ORDER BY 2 DESC, 1")
    return {ReviewReason(row["doubt"]): row["n"] for row in rows}


def open_items(ledger: Ledger) -> Iterator[OpenItem]:
    """All that is open, streamed: the newest run first, then by reason; `candidates` are codes as they were issued, or
    ids of referrals."""
    for row in ledger.rows("SELECT * FROM questions ORDER BY run DESC, doubt, connection, kind, id"):
        found = _open(row)
        candidates = tuple(_issued(ledger, key) for key in found.item.candidates)
        yield replace(found, item=replace(found.item, candidates=candidates))


def open_items_of(ledger: Ledger, ref: Ref) -> tuple[OpenItem, ...]:
    """What is open about one record; `candidates` are keys of codes, or ids of referrals."""
    rows = ledger.rows(
        "SELECT * FROM questions WHERE (connection, kind, id) = (?, ?, ?)", (ref.connection, ref.kind.value, ref.id)
    )
    return tuple(map(_open, rows))


def _open(row: Row) -> OpenItem:
    return OpenItem(review_item_from(row), row["run"])


def _issued(ledger: Ledger, key: str) -> str:
    code = code_of(ledger, key)
    return code.code if code else key
