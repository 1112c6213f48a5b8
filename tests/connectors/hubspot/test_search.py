from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest

from refloop.connectors.hubspot import search
from refloop.connectors.hubspot.search import Query
from refloop.model import Kind


def test_the_body_is_a_keyset_inside_a_window() -> None:
    query = Query(Kind.CONTACT, (search.modified(Kind.CONTACT, 5, 9),), ("email",))
    assert query.body(77) == {
        "filterGroups": [
            {
                "filters": [
                    {"propertyName": "lastmodifieddate", "operator": "BETWEEN", "value": "5", "highValue": "9"},
                    {"propertyName": "hs_object_id", "operator": "GT", "value": "77"},
                ]
            }
        ],
        "sorts": [{"propertyName": "hs_object_id", "direction": "ASCENDING"}],
        "properties": ["email"],
        "limit": 200,
    }


def test_each_alternative_has_the_keyset() -> None:
    query = Query(Kind.DEAL, (search.modified(Kind.DEAL, 5, 9), search.created(5, 9)), ())
    groups = query.body(3)["filterGroups"]
    assert [group["filters"][0]["propertyName"] for group in groups] == ["hs_lastmodifieddate", "createdate"]
    assert all(group["filters"][1]["value"] == "3" for group in groups)


def test_a_window_without_end_is_open() -> None:
    assert search.modified(Kind.DEAL, 5, None) == {
        "propertyName": "hs_lastmodifieddate",
        "operator": "GTE",
        "value": "5",
    }


@pytest.mark.parametrize("start", [0, -5])
def test_no_window_begins_at_zero(start: int) -> None:
    assert search.modified(Kind.DEAL, start, 9)["value"] == "1"


@pytest.mark.parametrize("count", range(0, 200, 7))
def test_a_body_that_fits_has_at_most_3000_characters(count: int) -> None:
    properties = tuple(f"some_property_{number}" for number in range(count))
    query = Query(Kind.DEAL, (search.modified(Kind.DEAL, 10**13, 10**13), search.created(10**13, 10**13)), properties)
    if search.fits(properties):
        assert len(json.dumps(query.body(10**18))) <= 3_000
    else:
        assert len(json.dumps(query.body(10**18))) > 2_900


@pytest.mark.parametrize("microsecond", [0, 1_000, 5_000, 863_000, 999_000])
def test_milliseconds_are_exact(microsecond: int) -> None:
    moment = datetime(2026, 11, 21, 20, 4, 55, microsecond, tzinfo=UTC)
    assert search.milliseconds(moment) % 1_000 == microsecond // 1_000
    assert search.milliseconds(moment + timedelta(microseconds=999)) == search.milliseconds(moment)
    assert search.milliseconds(moment - timedelta(microseconds=1)) == search.milliseconds(moment) - 1
