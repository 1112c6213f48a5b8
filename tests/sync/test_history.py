"""What was, can be asked: who held what, what a code meant, and what was left for a person, at any run."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from refloop.model import Kind
from refloop.testing import Draft
from tests.sync.loop import Loop


def rows(loop: Loop, sql: str) -> list[tuple[object, ...]]:
    return [tuple(row) for row in loop.ledger.rows(sql)]


def test_a_claim_that_lost_still_says_when_it_counted(loop: Loop) -> None:
    sales = loop.crms["sales"]
    for code, name in (("ANNA-7K2Q", "anna"), ("BENS-4F6T", "ben")):
        loop.code(code, name)
    survivor = sales.create(Kind.CONTACT, Draft(email="bo@buyer.io", code="ANNA-7K2Q"))
    sales.pass_time(timedelta(days=1))
    loser = sales.create(Kind.CONTACT, Draft(email="bo@home.io", code="BENS-4F6T"))
    loop.sync()
    sales.merge(loser, survivor)
    loop.sync()
    of_ben = rows(loop, "SELECT run, void, void_reason FROM claims WHERE code_key = 'bens4f6t' ORDER BY seq")
    assert of_ben == [(1, None, ""), (2, "duplicate", "code ANNA-7K2Q came first")]
    runs = {row[0] for row in rows(loop, "SELECT run FROM runs")}
    assert {row[0] for row in of_ben} <= runs
    assert all(at for (at,) in rows(loop, "SELECT at FROM claims"))


def test_who_was_one_buyer_is_known_after_they_parted(loop: Loop) -> None:
    sales, marketing = loop.crms["sales"], loop.crms["marketing"]
    loop.code("ANNA-7K2Q", "anna")
    lead = sales.create(Kind.LEAD, Draft(email="bo@buyer.io", code="ANNA-7K2Q"))
    twin = marketing.create(Kind.CONTACT, Draft(email="bo@buyer.io"))
    loop.sync()
    marketing.delete(twin)
    loop.sync()
    told = rows(loop, "SELECT connection, id, holds, run FROM memberships ORDER BY run, connection")
    assert (("marketing", twin.id, 1, 1) in told, ("sales", lead.id, 1, 1) in told) == (True, True)
    assert told.count(("sales", lead.id, 1, 1)) == 1, "what stays as it is adds nothing"


def test_what_a_code_meant_before_it_was_changed(loop: Loop) -> None:
    loop.code("ANNA-7K2Q", "anna")
    loop.code("ANNA-7K2Q", "anna", valid_to=date(2026, 6, 30))
    loop.code("ANNA-7K2Q", "anna", valid_to=date(2026, 6, 30))
    assert rows(loop, "SELECT code, valid_to FROM code_definitions ORDER BY seq") == [
        ("ANNA-7K2Q", None),
        ("ANNA-7K2Q", "2026-06-30"),
    ]


def test_a_review_item_is_the_same_one_after_any_new_reading(loop: Loop) -> None:
    sales = loop.crms["sales"]
    loop.code("ANNA-7K2Q", "anna")
    lead = sales.create(Kind.LEAD, Draft(email="bo@buyer.io", code="ANNA-7K2X"))
    loop.sync()
    loop.code("BENS-4F6T", "ben")  # all text is read again
    loop.sync()
    sales.edit(lead, "nothing to see here")
    loop.sync()
    sales.edit(lead, "ANNA-7K2X")
    loop.sync()
    told = rows(loop, "SELECT item, reason, evidence, open, run FROM review_items ORDER BY seq")
    assert len({row[0] for row in told}) == 1
    assert [row[1:] for row in told] == [
        ("near", "ANNA-7K2X", 1, 1),
        ("near", "ANNA-7K2X", 0, 3),
        ("near", "ANNA-7K2X", 1, 4),
    ]
    assert rows(loop, "SELECT run FROM questions") == [(4,)]


@pytest.mark.parametrize("table", ["claims", "memberships", "code_definitions", "review_items"])
@pytest.mark.parametrize("change", ["UPDATE {} SET run = 0", "DELETE FROM {}"])
def test_history_is_added_never_edited(loop: Loop, table: str, change: str) -> None:
    loop.code("ANNA-7K2Q", "anna")
    for code in ("ANNA-7K2Q", "ANNA-7K2X"):
        loop.crms["sales"].create(Kind.LEAD, Draft(email="bo@buyer.io", code=code))
    loop.sync()
    with pytest.raises(Exception, match="added, never edited"), loop.ledger.writing():
        loop.ledger.execute(change.format(table))
