"""When records are one buyer's, which speaks first, and when what a CRM shows is believed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from refloop.mapping.identity import MOST_RECORDS_OF_ONE_PERSON, first_person, is_placeholder
from refloop.mapping.trust import LEAST_SHOWN, is_shrunk
from refloop.model import Kind, Record, Ref

DAY = datetime(2026, 3, 1, 9, tzinfo=UTC)


def person(number: int, day: int) -> Record:
    at = DAY + timedelta(days=day)
    return Record(Ref("crm", Kind.CONTACT, str(number)), at, at)


def test_who_was_there_first_speaks_and_of_equals_the_lower_name() -> None:
    assert first_person([person(1, 3), person(2, 1), person(3, 2)]).id == "2"
    assert first_person([person(2, 1), person(1, 1)]).id == "1"


@pytest.mark.parametrize(
    ("holders", "placeholder"),
    [(1, False), (MOST_RECORDS_OF_ONE_PERSON, False), (MOST_RECORDS_OF_ONE_PERSON + 1, True)],
)
def test_an_address_of_too_many_records_is_nobodys(holders: int, placeholder: bool) -> None:
    assert is_placeholder(holders, MOST_RECORDS_OF_ONE_PERSON) is placeholder


@pytest.mark.parametrize(
    ("found", "known", "shrunk"), [(0, 0, False), (0, 1, True), (5, 10, False), (4, 10, True), (9, 4, False)]
)
def test_less_than_half_is_not_believed(found: int, known: int, shrunk: bool) -> None:
    assert is_shrunk(found, known, LEAST_SHOWN) is shrunk
    assert not is_shrunk(found, known, 0)
