"""Who is credited for a deal, as what, and what a person should look at first."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from refloop.mapping.attribution import Model
from refloop.mapping.credit import closed_before, credit_deal, review_deal, role_in
from refloop.mapping.days import zone_named
from refloop.model import Kind, Outcome, Record, Ref, Referral, ReviewItem, ReviewReason, Role, Status

DAY = datetime(2026, 3, 1, 9, tzinfo=UTC)
DEAL = Ref("crm", Kind.DEAL, "1")


def deal(
    created: int = 0, closed: int | None = None, outcome: Outcome | None = Outcome.WON, *, deleted: bool = False
) -> Record:
    ended = None if closed is None else DAY + timedelta(days=closed)
    at = DAY + timedelta(days=created)
    return Record(DEAL, at, at, stage="Strange", outcome=outcome, closed_at=ended, deleted=deleted)


def referral(name: str, day: float, void: Status | None = None) -> Referral:
    return Referral(name, name, "program", name, DAY + timedelta(days=day), void=void)


@pytest.mark.parametrize(
    ("closed", "claimed", "before"),
    [(None, 5, False), (4, 5, True), (5, 5, False), (5, 5.4, False), (5, 4, False)],
    ids=["open", "the day before", "the same day", "later that day", "the day after"],
)
def test_what_ended_before_the_referral_is_told_by_days(closed: int | None, claimed: float, before: bool) -> None:
    assert closed_before(deal(closed=closed), referral("a", claimed), UTC) is before


@pytest.mark.parametrize(
    ("created", "claimed", "role"),
    [(5, 4, Role.SOURCED), (5, 5, Role.SOURCED), (5, 5.4, Role.SOURCED), (5, 6, Role.INFLUENCED)],
)
def test_who_came_with_or_before_the_deal_sourced_it(created: int, claimed: float, role: Role) -> None:
    assert role_in(deal(created), referral("a", claimed), UTC) is role


def test_shares_go_to_those_that_count_the_earliest_first() -> None:
    referrals = [referral("late", 9), referral("b", 2), referral("void", 0, Status.DUPLICATE), referral("a", 1)]
    credits = credit_deal(deal(created=1, closed=5), referrals, Model.LINEAR, UTC)
    assert [(credit.referral, credit.share, credit.role, credit.model) for credit in credits] == [
        ("a", Decimal("0.500000"), Role.SOURCED, "linear"),
        ("b", Decimal("0.500000"), Role.INFLUENCED, "linear"),
    ]
    assert {credit.deal for credit in credits} == {DEAL}


def test_a_deleted_deal_credits_nobody_and_asks_nothing() -> None:
    gone = deal(closed=0, outcome=None, deleted=True)
    assert credit_deal(gone, [referral("a", 0)], Model.FIRST, UTC) == []
    assert review_deal(gone, [referral("a", 5)], UTC) == []


def test_what_a_person_should_look_at() -> None:
    late = ReviewItem(DEAL, ReviewReason.CLOSED_BEFORE, "closed_at", "2026-03-03", ("late",))
    strange = ReviewItem(DEAL, ReviewReason.UNKNOWN_STAGE, "stage", "Strange")
    referrals = [referral("late", 9), referral("a", 1), referral("void", 9, Status.DUPLICATE)]
    assert review_deal(deal(closed=2), referrals, UTC) == [late]
    assert review_deal(deal(closed=2, outcome=None), referrals, UTC) == [late, strange]
    assert review_deal(deal(outcome=None), [], UTC) == []


def between(name: str, since: float, by: float) -> Referral:
    """A referral whose code came between two days."""
    came = referral(name, since)
    return replace(came, since=came.claimed_at, by=DAY + timedelta(days=by))


@pytest.mark.parametrize(
    ("closed", "reasons", "credited"),
    [
        (1, [ReviewReason.CLOSED_BEFORE], []),
        (2, [ReviewReason.MAY_BE_BEFORE], []),
        (4, [ReviewReason.MAY_BE_BEFORE], []),
        (5, [], ["a"]),
        (6, [], ["a"]),
    ],
)
def test_a_deal_that_ended_while_the_code_came_is_a_question(
    closed: int, reasons: list[ReviewReason], credited: list[str]
) -> None:
    ended, referrals = deal(closed=closed), [between("a", 2, 5)]
    assert [item.reason for item in review_deal(ended, referrals, UTC)] == reasons
    assert [credit.referral for credit in credit_deal(ended, referrals, Model.FIRST, UTC)] == credited


def test_nobody_is_credited_while_one_of_them_may_have_been_first() -> None:
    referrals = [between("a", 2, 5), referral("b", 1)]
    assert credit_deal(deal(closed=3), referrals, Model.FIRST, UTC) == []
    contested = replace(referral("a", 1), rival="b")
    assert credit_deal(deal(closed=3), [contested], Model.FIRST, UTC) == []
    assert review_deal(deal(closed=3), [contested], UTC) == [
        ReviewItem(DEAL, ReviewReason.WHO_WAS_FIRST, "code", "2026-03-02", ("a", "b"))
    ]


@pytest.mark.parametrize(
    ("zone", "claimed", "closed", "before"),
    [
        # the evening of 31 March in California is 1 April in UTC
        ("America/Los_Angeles", "2026-04-01T01:30", "2026-03-31T07:00", False),
        ("UTC", "2026-04-01T01:30", "2026-03-31T07:00", True),
        # the morning of 1 April in Tokyo is 31 March in UTC
        ("Asia/Tokyo", "2026-03-31T16:00", "2026-03-31T14:30", True),
        ("UTC", "2026-03-31T16:00", "2026-03-31T14:30", False),
        # the night in which the clocks go forward, and the one in which they go back
        ("America/New_York", "2026-03-09T03:30", "2026-03-08T05:00", False),
        ("America/New_York", "2026-11-02T04:30", "2026-11-01T04:00", False),
        ("America/New_York", "2026-11-02T05:30", "2026-11-01T04:00", True),
    ],
)
def test_a_day_is_a_day_in_the_account_s_zone(zone: str, claimed: str, closed: str, before: bool) -> None:
    made, ended = (datetime.fromisoformat(text).replace(tzinfo=UTC) for text in (claimed, closed))
    won = replace(deal(), closed_at=ended)
    assert closed_before(won, replace(referral("a", 0), claimed_at=made), zone_named(zone)) is before
