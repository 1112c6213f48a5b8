"""Where a referral stands by the CRM's own stage facts."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import permutations

import pytest

from refloop.mapping.fields import ReferralView, deal_view
from refloop.mapping.reasons import Reader
from refloop.mapping.stages import (
    OPEN,
    STANDARD_STATUSES,
    Course,
    label_of,
    status_of,
    status_words,
)
from refloop.model import Kind, Known, Outcome, Record, Ref, Referral, Stage, Status, StatusChange

CLAIMED = datetime(2026, 3, 1, 9, tzinfo=UTC)
WORDS = status_words({"Warm": Status.QUALIFIED, "QUALIFIED": Status.ACCEPTED})


def day(number: int) -> datetime:
    return CLAIMED + timedelta(days=number)


NOW = day(30)
REFERRAL = Referral("rf_1", "anna", "program", "anna", CLAIMED)


def deal(outcome: Outcome | None, created: datetime, closed: datetime | None, title: str) -> Record:
    ref = Ref("crm", Kind.DEAL, title)
    return Record(ref, created, max(created, closed or created), title=title, outcome=outcome, closed_at=closed)


def person(stage: str | None, title: str) -> Record:
    return Record(Ref("crm", Kind.LEAD, title), CLAIMED, CLAIMED, title=title, stage=stage)


def stood(status: Status | None) -> StatusChange | None:
    return StatusChange("rf_1", status, CLAIMED, "why", "Buyer") if status else None


def won(closed: int, title: str = "Won", created: int = 0) -> Record:
    return deal(Outcome.WON, day(created), day(closed), title)


def lost(closed: int, title: str = "Lost", created: int = 0) -> Record:
    return deal(Outcome.LOST, day(created), day(closed), title)


def opened(created: int, title: str = "Open") -> Record:
    return deal(Outcome.OPEN, day(created), None, title)


UNKNOWN = deal(None, day(1), None, "Strange")


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
        ([], Status.WON, Status.REVERSED, 30, "Buyer"),  # no CRM says when: the run that saw it
        ([], Status.REVERSED, Status.REVERSED, 0, "Buyer"),
        ([opened(2)], Status.WON, Status.OPPORTUNITY, 2, "Open"),  # reopened
        ([opened(2)], Status.REVERSED, Status.OPPORTUNITY, 2, "Open"),
        ([won(5)], Status.REVERSED, Status.WON, 5, "Won"),
        ([UNKNOWN], None, Status.SUBMITTED, 0, "Buyer"),
        ([UNKNOWN, won(5)], None, Status.WON, 5, "Won"),
        ([UNKNOWN, lost(5)], None, Status.LOST, 5, "Lost"),
        ([deal(Outcome.WON, day(4), None, "No close date")], None, Status.WON, 4, "No close date"),
        ([won(5, "")], None, Status.WON, 5, "Buyer"),
    ],
)
def test_deals_speak_before_people(
    deals: list[Record], before: Status | None, status: Status, at: int, label: str
) -> None:
    for order in permutations(deals):
        found = status_of(REFERRAL, Course([person(None, "Buyer")], order), WORDS, NOW, before=stood(before))
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
        found = status_of(REFERRAL, Course([person(stage, "Buyer") for stage in order]), WORDS, NOW)
        assert (found.status, found.at) == (status, CLAIMED)


def test_nobody_known_has_no_label() -> None:
    assert status_of(REFERRAL, Course(), WORDS, NOW).label == ""
    assert status_of(REFERRAL, Course([person(None, ""), person(None, "Two")]), WORDS, NOW).label == "Two"


def test_every_status_has_a_word_and_is_open_or_not() -> None:
    assert len({label_of(status) for status in Status}) == len(Status)
    assert Status.WON not in OPEN
    assert all(word == word.casefold() for word in STANDARD_STATUSES)


@pytest.mark.parametrize(("closed", "counts"), [(-1, False), (0, True), (1, True)])
def test_what_had_ended_before_the_referral_does_not_count(closed: int, counts: bool) -> None:
    found = status_of(REFERRAL, Course([], [won(closed, created=-9)]), WORDS, NOW)
    assert (found.status is Status.WON) is counts


def test_a_void_referral_stands_where_it_was_voided_to() -> None:
    void = replace(REFERRAL, void=Status.DUPLICATE, void_reason="code BEN came first")
    found = status_of(void, Course([person("Contacted", "Two")], [won(5)]), WORDS, NOW, before=stood(Status.WON))
    assert found == StatusChange("rf_1", Status.DUPLICATE, CLAIMED, "code BEN came first", "Buyer")


@pytest.mark.parametrize(
    ("word", "status"),
    [
        ("NEW", Status.SUBMITTED),
        ("OPEN", Status.SUBMITTED),
        ("IN_PROGRESS", Status.CONTACTED),
        ("OPEN_DEAL", Status.OPPORTUNITY),
        ("UNQUALIFIED", Status.DISQUALIFIED),
        ("ATTEMPTED_TO_CONTACT", Status.ACCEPTED),
        ("CONNECTED", Status.CONTACTED),
        ("BAD_TIMING", Status.ON_HOLD),
        ("subscriber", Status.SUBMITTED),
        ("lead", Status.SUBMITTED),
        ("marketingqualifiedlead", Status.QUALIFIED),
        ("salesqualifiedlead", Status.QUALIFIED),
        ("opportunity", Status.OPPORTUNITY),
        ("customer", Status.OPPORTUNITY),
        ("evangelist", Status.OPPORTUNITY),
        ("other", Status.SUBMITTED),
    ],
)
def test_every_word_that_hubspot_ships_with_is_known(word: str, status: Status) -> None:
    assert STANDARD_STATUSES[word.casefold()] is status
    assert status_of(REFERRAL, Course([person(word, "Buyer")]), WORDS, NOW).status is status


def told(
    stage: tuple[str, int | None], *further: tuple[str, int | None], seen: int | None = None, title: str = "Buyer"
) -> Record:
    """A person's record by days: its stage and since when, its further stages, and when they were first seen."""
    known = Known(stage_seen=None if seen is None else day(seen))
    stages = tuple(Stage(word, None if at is None else day(at)) for word, at in further)
    at = None if stage[1] is None else day(stage[1])
    return replace(person(stage[0], title), stage_at=at, further_stages=stages, known=known)


@pytest.mark.parametrize(
    ("people", "status", "at"),
    [
        ([told(("OPEN", 9), ("salesqualifiedlead", 5))], Status.QUALIFIED, 5),
        ([told(("salesqualifiedlead", 5), ("OPEN", 9))], Status.QUALIFIED, 5),
        ([told(("CONNECTED", None), seen=4)], Status.CONTACTED, 4),  # the save that first showed it
        ([told(("CONNECTED", 3), seen=4)], Status.CONTACTED, 3),
        ([told(("CONNECTED", None))], Status.CONTACTED, 0),
        ([told(("CONNECTED", -7), seen=4)], Status.CONTACTED, 0),  # never before the claim
        ([told(("CONNECTED", 50))], Status.CONTACTED, 30),  # nor after the run
        ([told(("OPEN", 9), seen=9)], Status.SUBMITTED, 0),  # which is no news
        ([told(("UNQUALIFIED", 8), ("salesqualifiedlead", 5))], Status.DISQUALIFIED, 8),  # given up after it
        ([told(("UNQUALIFIED", 3), ("salesqualifiedlead", 5))], Status.QUALIFIED, 5),
        ([told(("UNQUALIFIED", None), ("salesqualifiedlead", 5), seen=8)], Status.QUALIFIED, 5),
        ([told(("CONNECTED", 8), title="a"), told(("IN_PROGRESS", 6), title="b")], Status.CONTACTED, 6),
    ],
)
def test_a_persons_stage_is_the_furthest_and_counts_since_the_crm_says(
    people: list[Record], status: Status, at: int
) -> None:
    for order in permutations(people):
        found = status_of(REFERRAL, Course(list(order)), WORDS, NOW)
        assert (found.status, found.at) == (status, day(at))
        assert status_of(REFERRAL, Course(list(order)), WORDS, day(40), before=found) in (found, replace(found, at=NOW))


def test_a_deal_that_is_won_before_its_close_date_counts_from_when_it_was_won() -> None:
    early = replace(won(400), modified_at=day(7), known=Known(stage_seen=day(6)))
    found = status_of(REFERRAL, Course([], [early]), WORDS, NOW)
    assert (found.status, found.at) == (Status.WON, day(6))
    view = ReferralView(early.ref, "rf_1", "A", "Anna", CLAIMED, Status.WON, CLAIMED, "why")
    reader = Reader(early.ref.connection, Kind.DEAL)
    assert deal_view(early, view, reader).at == day(6)
    assert deal_view(replace(early, stage_at=day(5)), view, reader).at == day(5)
    assert deal_view(won(9), view, reader).at == day(9)


def test_what_is_dated_after_the_run_stays_where_it_was_first_put() -> None:
    late = replace(won(35), stage_at=day(34))
    first = status_of(REFERRAL, Course([], [late]), WORDS, NOW)
    assert first.at == NOW
    assert status_of(REFERRAL, Course([], [late]), WORDS, day(31), before=first).at == NOW


def test_a_stage_that_a_company_calls_won_is_not_reversed_for_want_of_a_deal() -> None:
    words = status_words({"customer": Status.WON})
    course = Course([told(("customer", 5))])
    found = status_of(REFERRAL, course, words, NOW)
    assert (found.status, found.at) == (Status.WON, day(5))
    assert status_of(REFERRAL, course, words, NOW, before=found) == found


def test_a_won_deal_that_counts_no_longer_is_no_reversal() -> None:
    course = Course([person(None, "Buyer")], [], [won(5)])
    assert status_of(REFERRAL, course, WORDS, NOW, before=stood(Status.WON)).status is Status.SUBMITTED
