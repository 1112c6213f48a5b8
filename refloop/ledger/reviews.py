"""What was left for a person to look at."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable

from refloop.ledger.engine.base import Row
from refloop.ledger.history import Provenance, add_review_items
from refloop.ledger.store import Ledger, ref_of
from refloop.model import Ref, ReviewItem, ReviewReason


def keep_review_items(
    ledger: Ledger,
    by: Provenance,
    refs: Iterable[Ref],
    items: Iterable[ReviewItem],
    reasons: Collection[ReviewReason],
) -> list[ReviewItem]:
    """Replaces the review items of those reasons about those records. One that is open already keeps the run that
    found it first. Returns those that are open only now, and that are open no more."""
    found = {item.id: item for item in items}
    before = {item.id: item for item in review_items_of(ledger, refs, reasons)}
    gone = [item for name, item in before.items() if found.get(name) != item]
    new = [item for name, item in found.items() if before.get(name) != item]
    ledger.execute_many(
        "DELETE FROM questions WHERE connection = ? AND kind = ? AND id = ? AND doubt = ? AND field = ? "
        "AND evidence = ?",
        map(_key, gone),
    )
    ledger.execute_many(
        "INSERT INTO questions (connection, kind, id, doubt, field, evidence, candidates, run) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        [(*_key(item), json.dumps(item.candidates), by.run) for item in new],
    )
    closed = [item for item in gone if item.id not in found]
    add_review_items(ledger, by, closed, is_open=False)
    add_review_items(ledger, by, new, is_open=True)
    return gone + new


def close_all(ledger: Ledger, by: Provenance) -> None:
    """Takes every review item off the list: the records that they are about are to be read anew."""
    items = [review_item_from(row) for row in ledger.rows("SELECT * FROM questions")]
    add_review_items(ledger, by, items, is_open=False)
    ledger.execute("DELETE FROM questions")


def review_items_of(ledger: Ledger, refs: Iterable[Ref], reasons: Collection[ReviewReason]) -> list[ReviewItem]:
    """The open review items of those reasons about those records."""
    ledger.select(refs)
    marks = ", ".join("?" * len(reasons))
    rows = ledger.rows(
        "SELECT q.* FROM selection s ORDERED JOIN questions q "
        f"ON q.connection = s.connection AND q.kind = s.kind AND q.id = s.id WHERE q.doubt IN ({marks})",
        [reason.value for reason in reasons],
    )
    return [review_item_from(row) for row in rows]


def deals_asked_about(ledger: Ledger, referrals: Collection[str]) -> set[Ref]:
    """The deals about which somebody is asked whether one of the referrals brought them."""
    if not referrals:
        return set()
    marks = ", ".join("?" * len(_ABOUT_REFERRALS))
    rows = ledger.rows(f"SELECT * FROM questions WHERE doubt IN ({marks})", [one.value for one in _ABOUT_REFERRALS])
    return {ref_of(row) for row in rows if not set(json.loads(row["candidates"])).isdisjoint(referrals)}


_ABOUT_REFERRALS = (ReviewReason.NO_BUYER, ReviewReason.SAME_NAME, ReviewReason.REFERRER_IS_BUYER)


def review_item_from(row: Row) -> ReviewItem:
    """A row of `questions` as the value it was."""
    candidates = tuple(json.loads(row["candidates"]))
    return ReviewItem(ref_of(row), ReviewReason(row["doubt"]), row["field"], row["evidence"], candidates)


def _key(item: ReviewItem) -> tuple[str, ...]:
    ref = item.ref
    return (ref.connection, ref.kind.value, ref.id, item.reason.value, item.field, item.evidence)
