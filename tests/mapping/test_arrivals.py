"""When a code came to a record."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from refloop.mapping.arrivals import Past, arrivals_on, narrowed, precedes
from refloop.model import Arrival, FieldHistory, Kind, Known, Match, Presence, Record, Ref, Rule, Version

DAY = datetime(2026, 3, 1, 9, tzinfo=UTC)
REF = Ref("crm", Kind.CONTACT, "1")
TYPED = "ref_code"


def at(day: float) -> datetime:
    return DAY + timedelta(days=day)


def match(code: str, field: str = "Note") -> Match:
    return Match(code, Rule.TEXT, field, code.upper(), 90)


def record(saved: float, texts_after: float | None = None, found_after: float | None = None) -> Record:
    """Made on day 0, saved last on another day, and seen without its texts, or our fields, on others."""
    known = Known(*(None if day is None else at(day) for day in (texts_after, found_after)))
    return Record(REF, at(0), at(saved), known=known)


def arrival(code: str, since: float, by: float, presence: Presence = Presence.CARRIED, field: str = "Note") -> Arrival:
    return Arrival(match(code, field), at(since), at(by), at(since), presence=presence)


@pytest.mark.parametrize(
    ("seen", "since", "by", "came", "late"),
    [
        (record(0), 0, 0, 0, False),
        (record(0.005), 0, 0.005, 0, False),  # a form that saves twice
        (record(30), 0, 30, 0, True),
        (record(30, texts_after=20), 20, 30, 30, True),
        (record(30, found_after=20), 0, 30, 0, True),  # our own fields say nothing of its texts
    ],
    ids=["made with it", "saved at once", "saved later", "known without it", "our fields changed"],
)
def test_a_new_code_came_within_what_is_known(
    seen: Record, since: float, by: float, came: float, *, late: bool
) -> None:
    found = arrivals_on(seen, {"ann": match("ann")}, {}, typed=TYPED)["ann"]
    assert (found.since, found.by, found.at, found.is_late) == (at(since), at(by), at(came), late)


def test_a_typed_code_came_with_our_field() -> None:
    found = arrivals_on(record(30, texts_after=1, found_after=20), {"ann": match("ann", TYPED)}, {}, typed=TYPED)["ann"]
    assert (found.since, found.by) == (at(20), at(30))


def test_what_is_known_of_a_code_that_is_still_there_stays() -> None:
    known = arrival("ann", 3, 4)
    assert arrivals_on(record(90, texts_after=80), {"ann": match("ann")}, {"ann": known}, typed=TYPED) == {"ann": known}


@pytest.mark.parametrize(
    ("carried", "presence"),
    [
        ({"ben": match("ben")}, Presence.OVERWRITTEN),
        ({"ben": match("ben", "Other")}, Presence.GONE),
        ({}, Presence.GONE),
        ({"ben": match("ben", TYPED)}, Presence.GONE),
    ],
    ids=["another in its place", "another elsewhere", "emptied", "a person corrected it"],
)
def test_what_became_of_a_code_that_is_no_longer_there(carried: dict[str, Match], presence: Presence) -> None:
    found = arrivals_on(record(30, 20, 20), carried, {"ann": arrival("ann", 1, 2)}, typed=TYPED)
    assert found["ann"] == arrival("ann", 1, 2, presence)
    assert found.keys() == {"ann", *carried}


def test_a_code_that_comes_back_came_when_it_first_did() -> None:
    """Whoever did not look in between cannot know that it was away."""
    gone = {"ann": arrival("ann", 1, 2, Presence.GONE)}
    assert arrivals_on(record(30, 20), {"ann": match("ann")}, gone, typed=TYPED)["ann"] == arrival("ann", 1, 2)
    away = history((0, "ann"), (30, None), (40, "ann"))
    assert told([arrival("ann", 0, 90)], away) == {"ann": (at(0), at(0), Presence.CARRIED)}


def read(field: str, text: str) -> dict[str, Match]:
    return {word: match(word, field) for word in text.split() if word in ("ann", "ben")}


def history(*versions: tuple[float, str | None], field: str = "Note", whole: bool = True) -> FieldHistory:
    return FieldHistory(REF, field, tuple(Version(at(day), text) for day, text in versions), is_whole=whole)


def told(known: Sequence[Arrival], *histories: FieldHistory) -> dict[str, tuple[datetime, datetime, Presence]]:
    past = Past(histories, TYPED, read)
    found = narrowed(record(90), {one.code: one for one in known}, past)
    return {code: (one.since, one.by, one.presence) for code, one in found.items()}


def test_a_history_tells_the_moment() -> None:
    known = [arrival("ann", 0, 90)]
    assert told(known, history((0, None), (40, "code ann"), (50, "ann called"))) == {
        "ann": (at(40), at(40), Presence.CARRIED)
    }


def test_a_history_tells_what_was_overwritten_before_anybody_looked() -> None:
    assert told([arrival("ben", 0, 90)], history((0, "ann"), (40, "ben"))) == {
        "ben": (at(40), at(40), Presence.CARRIED),
        "ann": (at(0), at(0), Presence.OVERWRITTEN),
    }


def test_what_was_taken_off_before_another_came_is_gone() -> None:
    assert told([arrival("ben", 0, 90)], history((0, "ann"), (30, None), (40, "ben"))).keys() == {"ben"}


def test_a_history_that_begins_later_tells_only_the_end() -> None:
    assert told([arrival("ann", 0, 90)], history((40, "ann"), whole=False)) == {
        "ann": (at(0), at(40), Presence.CARRIED)
    }


def test_a_history_without_values_tells_that_it_came_no_later_than_the_last_change() -> None:
    changed = FieldHistory(REF, "Note", (Version(at(20), None, is_told=False), Version(at(60), None, is_told=False)))
    assert told([arrival("ann", 0, 90)], changed) == {"ann": (at(0), at(60), Presence.CARRIED)}


def test_our_own_echo_in_our_field_is_no_evidence() -> None:
    assert told([arrival("ann", 0, 90)], history((5, "ann"), field=TYPED)) == {}
    typed = replace(arrival("ann", 0, 90), match=match("ann", TYPED))
    assert told([typed], history((5, "ann"), field=TYPED)) == {"ann": (at(5), at(5), Presence.CARRIED)}


def test_of_a_field_without_a_history_the_other_one_tells_the_end_alone() -> None:
    known = [arrival("ann", 0, 90, field="Other")]
    assert told(known, history((0, None), (40, "ann"))) == {"ann": (at(0), at(40), Presence.CARRIED)}


@pytest.mark.parametrize(
    ("first", "other", "before"),
    [
        ((0, 1), (1, 2), True),
        ((0, 1), (2, 2), True),
        ((0, 2), (1, 3), False),
        ((1, 1), (1, 1), False),
        ((2, 3), (0, 1), False),
    ],
)
def test_who_came_first_is_told_only_when_it_is_certain(
    first: tuple[float, float], other: tuple[float, float], *, before: bool
) -> None:
    assert precedes(arrival("ann", *first), arrival("ben", *other)) is before
