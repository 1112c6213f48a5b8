"""No text of a record, a cursor or a configuration becomes a part of a query but in the one form it can have."""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from refloop.connectors.hubspot import HubSpotSettings
from refloop.connectors.hubspot.names import OBJECTS
from refloop.connectors.hubspot.search import highest, holding
from refloop.connectors.salesforce import SalesforceSettings
from refloop.connectors.salesforce.ids import record_id
from refloop.connectors.salesforce.soql import Window, filled_query, page_query, quoted_id, quoted_name, whole_query
from refloop.model import Kind

IDENTIFIER = re.compile(r"[A-Za-z][A-Za-z0-9_]*(\.[A-Za-z][A-Za-z0-9_]*)?")
GOOD_ID = record_id("00Q000000000001")
NEARLY = st.builds(
    lambda sound, place, evil: sound[:place] + evil + sound[place:],
    st.sampled_from([GOOD_ID, GOOD_ID[:15], "Description", "Ref_Code__c", "Lead"]),
    st.integers(0, 18),
    st.sampled_from(
        ["'", "\\", "\\'", "\n", " ", ";", "%27", "\u2019", "\uff07", "\0", " OR Id != null", ")", "--", "\u202e"]
    ),
)
TEXTS = st.one_of(st.text(max_size=40), NEARLY)
_PAGE = " FROM Lead ORDER BY Id LIMIT 2001"
_SINCE = " WHERE SystemModstamp >= 2026-01-01T00:00:00Z"
WINDOW = Window(datetime(2026, 1, 1, tzinfo=UTC))


@settings(max_examples=500)
@given(TEXTS)
def test_soql_takes_identifiers_and_ids_alone(text: str) -> None:
    queries: tuple[Callable[[], str], ...] = (
        lambda: page_query("Lead", [text], Window(), "").removeprefix("SELECT ").removesuffix(_PAGE),
        lambda: whole_query(text, ["Id"], WINDOW).removeprefix("SELECT Id FROM ").removesuffix(_SINCE),
        lambda: filled_query("Lead", text).removeprefix("SELECT COUNT() FROM Lead WHERE ").removesuffix(" != null"),
        lambda: quoted_name(text)[1:-1],
    )
    for query in queries:
        with suppress(ValueError):
            assert query() == text
            assert IDENTIFIER.fullmatch(text)
    with suppress(ValueError):
        assert re.fullmatch(r"'[A-Za-z0-9]{18}'", quoted_id(text))
        assert text in (record_id(text), record_id(text)[:15])


@settings(max_examples=200)
@given(TEXTS)
def test_a_configuration_names_fields_and_nothing_else(text: str) -> None:
    """What `code_fields` lets through goes into queries, addresses and filters."""
    auth = {"method": "access_token", "token": "env:X"}
    with suppress(ValidationError):
        sf = SalesforceSettings.model_validate(
            {"connector": "salesforce", "url": "http://127.0.0.1", "auth": auth, "code_fields": {"lead": [text]}}
        )
        assert all(IDENTIFIER.fullmatch(name) for name in sf.fields_with_codes(Kind.LEAD))
    with suppress(ValidationError):
        hs = HubSpotSettings.model_validate(
            {
                "connector": "hubspot",
                "auth": {"method": "service_key", "token": "env:X"},
                "code_fields": {"contact": [text]},
            }
        )
        assert all(re.fullmatch(r"[a-z0-9_]+", name) for name in hs.code_fields.contact)


def test_the_properties_can_fail() -> None:
    """A text that must be refused, and is; one that must not, and is not."""
    for evil in ("Id' OR Id != null", "Id\n", "Id--", f"{GOOD_ID}'"):
        with pytest.raises(ValueError, match="not a"):
            page_query("Lead", [evil], Window(), "")
    assert quoted_id(GOOD_ID[:15]) == f"'{GOOD_ID}'"
    assert "Ref_Code__c" in page_query("Lead", ["Ref_Code__c"], Window(), GOOD_ID)


def test_hubspots_filters_are_values_of_ours() -> None:
    assert highest(7)["filterGroups"][0]["filters"][0]["value"] == "7"
    assert holding("ref_code")["filterGroups"][0]["filters"] == [
        {"propertyName": "ref_code", "operator": "HAS_PROPERTY"}
    ]
    assert all(name.isalpha() for name in OBJECTS.values())
