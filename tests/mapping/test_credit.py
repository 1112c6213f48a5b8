"""Who is credited for a deal, as what, and what a person should look at first."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from refloop.mapping.attribution import Model
from refloop.mapping.credit import closed_before, credit_deal, review_deal, role_in
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
    assert closed_before(deal(closed=closed), referral("a", claimed)) is before


@pytest.mark.parametrize(
    ("created", "claimed", "role"),
    [(5, 4, Role.SOURCED), (5, 5, Role.SOURCED), (5, 5.4, Role.SOURCED), (5, 6, Role.INFLUENCED)],
)
def test_who_came_with_or_before_the_deal_sourced_it(created: int, claimed: float, role: Role) -> None:
    assert role_in(deal(created), referral("a", claimed)) is role


def test_shares_go_to_those_that_count_the_earliest_first() -> None:
    referrals = [referral("late", 9), referral("b", 2), referral("void", 0, Status.DUPLICATE), referral("a", 1)]
    credits = credit_deal(deal(created=1, closed=5), referrals, Model.LINEAR)
    assert [(credit.referral, credit.share, credit.role, credit.model) for credit in credits] == [
        ("a", Decimal("0.500000"), Role.SOURCED, "linear"),
        ("b", Decimal("0.500000"), Role.INFLUENCED, "linear"),
    ]
    assert {credit.deal for credit in credits} == {DEAL}


def test_a_deleted_deal_credits_nobody_and_asks_nothing() -> None:
    gone = deal(closed=0, outcome=None, deleted=True)
    assert credit_deal(gone, [referral("a", 0)], Model.FIRST) == []
    assert review_deal(gone, [referral("a", 5)]) == []


def test_what_a_person_should_look_at() -> None:
    late = ReviewItem(DEAL, ReviewReason.CLOSED_BEFORE, "closed_at", "2026-03-03", ("late",))
    strange = ReviewItem(DEAL, ReviewReason.UNKNOWN_STAGE, "stage", "Strange")
    referrals = [referral("late", 9), referral("a", 1), referral("void", 9, Status.DUPLICATE)]
    assert review_deal(deal(closed=2), referrals) == [late]
    assert review_deal(deal(closed=2, outcome=None), referrals) == [late, strange]
    assert review_deal(deal(outcome=None), []) == []
