"""What comes due by time alone: a run looks at it first."""

from __future__ import annotations

from datetime import timedelta

from refloop.ledger.due import look_again, look_again_ids
from refloop.ledger.queue import Topic, pending
from refloop.model import Kind
from refloop.sync.context import RunContext
from refloop.sync.stages import Decider
from refloop.testing import Draft
from tests.sync.loop import NOW, POLICY, Loop


def decide(loop: Loop, after: timedelta) -> dict[str, int]:
    return dict(Decider(RunContext(loop.ledger, 0, POLICY, lambda: NOW + after)).decide())


def waiting(loop: Loop) -> int:
    row = loop.ledger.one("SELECT count(*) FROM due")
    assert row is not None
    return int(row[0])


def test_nothing_is_looked_at_before_its_time_and_once_after(loop: Loop) -> None:
    loop.code("ANNA-7K2Q", "anna")
    lead = loop.crms["sales"].create(Kind.LEAD, Draft(email="bo@buyer.io", code="ANNA-7K2Q"))
    loop.sync()
    (referral,) = (row["referral"] for row in loop.ledger.rows("SELECT referral FROM referrals"))
    with loop.ledger.writing():
        look_again(loop.ledger, Topic.CLAIM, [lead], NOW + timedelta(days=2))
        look_again_ids(loop.ledger, Topic.STATUS, [referral], NOW + timedelta(days=3))
    position = loop.ledger.position()
    assert decide(loop, timedelta(days=1)) == {}
    assert (waiting(loop), loop.ledger.position()) == (2, position)
    assert decide(loop, timedelta(days=2)) == {"claim": 1, "status": 1}, "deciding a claim has its status looked at"
    assert decide(loop, timedelta(days=2)) == {}
    assert decide(loop, timedelta(days=9)) == {"status": 1}
    assert waiting(loop) == 0
    assert pending(loop.ledger, Topic.PLAN) > 0


def test_of_two_times_the_earlier_counts_whichever_was_said_first(loop: Loop) -> None:
    lead = loop.crms["sales"].create(Kind.LEAD, Draft(email="bo@buyer.io"))
    with loop.ledger.writing():
        for days in (5, 2, 9):
            look_again(loop.ledger, Topic.MATCH, [lead], NOW + timedelta(days=days))
    assert waiting(loop) == 1
    assert decide(loop, timedelta(days=2)) == {"match": 1}
    assert waiting(loop) == 0
