"""Where a referral stands by the CRM's own stage facts."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import permutations

import pytest

from refloop.mapping.stages import (
    OPEN,
    STANDARD_STATUSES,
    DealFacts,
    PersonFacts,
    label_of,
    standing,
    status_words,
)
from refloop.model import Outcome, Status

CLAIMED = datetime(2026, 3, 1, 9, tzinfo=UTC)
WORDS = status_words({"Warm": Status.QUALIFIED, "QUALIFIED": Status.ACCEPTED})


def day(number: int) -> datetime:
    return CLAIMED + timedelta(days=number)


def won(closed: int, title: str = "Won", created: int = 0) -> DealFacts:
    return DealFacts(Outcome.WON, day(created), day(closed), title)


def lost(closed: int, title: str = "Lost", created: int = 0) -> DealFacts:
    return DealFacts(Outcome.LOST, day(created), day(closed), title)


def opened(created: int, title: str = "Open") -> DealFacts:
    return DealFacts(Outcome.OPEN, day(created), None, title)


UNKNOWN = DealFacts(None, day(1), None, "Strange")


@pytest.mark.parametrize(
    ("deals", "before", "status", "at", "label"),
    [
        ([], None, Status.SUBMITTED, 0, "Buyer"),
        ([opened(2)], None, Status.OPPORTUNITY, 2, "Open"),
        ([opened(-5)], None, Status.OPPORTUNITY, 0, "Open"),  # older than the referral that influenced it
        ([opened(3, "B"), opened(2, "A")], None, Status.OPPORTUNITY, 2, "A"),
        ([won(5)], None, Status.WON, 5, "Won"),
        ([won(9, "late"), won(5, "early")], None, Status.WON, 5, "early"),
        ([won(5), opened(1), lost(2)], None, Status.WON, 5, "Won"),
        ([opened(4), lost(6)], None, Status.OPPORTUNITY, 4, "Open"),
        ([lost(3, "a"), lost(6, "b")], None, Status.LOST, 6, "b"),
        ([lost(6)], Status.OPPORTUNITY, Status.LOST, 6, "Lost"),
        ([lost(6)], Status.WON, Status.REVERSED, 6, "Lost"),
        ([lost(6)], Status.REVERSED, Status.REVERSED, 6, "Lost"),
        ([], Status.WON, Status.REVERSED, 0, "Buyer"),
        ([], Status.REVERSED, Status.REVERSED, 0, "Buyer"),
        ([opened(2)], Status.WON, Status.OPPORTUNITY, 2, "Open"),  # reopened
        ([opened(2)], Status.REVERSED, Status.OPPORTUNITY, 2, "Open"),
        ([won(5)], Status.REVERSED, Status.WON, 5, "Won"),
        ([UNKNOWN], None, Status.SUBMITTED, 0, "Buyer"),
        ([UNKNOWN, won(5)], None, Status.WON, 5, "Won"),
        ([UNKNOWN, lost(5)], None, Status.LOST, 5, "Lost"),
        ([DealFacts(Outcome.WON, day(4), None, "No close date")], None, Status.WON, 4, "No close date"),
        ([won(5, "")], None, Status.WON, 5, "Buyer"),
    ],
)
def test_deals_speak_before_people(
    deals: list[DealFacts], before: Status | None, status: Status, at: int, label: str
) -> None:
    for order in permutations(deals):
        found = standing(CLAIMED, order, [PersonFacts(None, "Buyer")], WORDS, before=before)
        assert (found.status, found.at, found.label) == (status, day(at), label)
        assert found.reason


@pytest.mark.parametrize(
    ("stages", "status"),
    [
        ([None], Status.SUBMITTED),
        (["never heard of"], Status.SUBMITTED),
        (["Working - Contacted"], Status.CONTACTED),
        (["CLOSED - not converted"], Status.DISQUALIFIED),
        (["warm"], Status.QUALIFIED),
        (["WARM", "Contacted"], Status.QUALIFIED),
        (["BAD_TIMING", "Unqualified"], Status.ON_HOLD),
        (["Unqualified", "Connected"], Status.CONTACTED),
        (["Qualified"], Status.ACCEPTED),  # the company's own word wins
        ([None, "never heard of", "salesqualifiedlead"], Status.QUALIFIED),
    ],
)
def test_without_deals_the_persons_own_stage_speaks(stages: list[str | None], status: Status) -> None:
    for order in permutations(stages):
        found = standing(CLAIMED, [], [PersonFacts(stage, "Buyer") for stage in order], WORDS)
        assert (found.status, found.at) == (status, CLAIMED)


def test_nobody_known_has_no_label() -> None:
    assert standing(CLAIMED, [], [], WORDS).label == ""
    assert standing(CLAIMED, [], [PersonFacts(None, ""), PersonFacts(None, "Two")], WORDS).label == "Two"


def test_every_status_has_a_word_and_is_open_or_not() -> None:
    assert len({label_of(status) for status in Status}) == len(Status)
    assert Status.WON not in OPEN
    assert all(word == word.casefold() for word in STANDARD_STATUSES)
