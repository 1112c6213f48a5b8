"""What people call fields, and what of a typed text is shown."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from refloop.mapping.labels import Labels, cut, quoted, readable
from refloop.model import Described, FieldLabel, Kind

LABELS = Labels.of(
    {
        "sf": Described("Salesforce", (FieldLabel(Kind.LEAD, "Lead_Source_Detail__c", "Lead Source Detail"),)),
        "hs": Described(
            "HubSpot",
            (FieldLabel(Kind.CONTACT, "hs_analytics_first_url", "First Page", "on the first page seen"),),
        ),
    }
)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("Lead_Source_Detail__c", "Lead Source Detail"),
        ("LeadSource", "Lead Source"),
        ("acme__Referral_Code__c", "Referral Code"),
        ("hs_analytics_first_url", "Analytics First Url"),
        ("promo_code (label)", "Promo Code"),
        ("Description", "Description"),
        ("__c", "__c"),
        ("", ""),
    ],
)
def test_a_name_is_read_as_words_where_nobody_said_its_label(name: str, words: str) -> None:
    assert readable(name) == words
    assert Labels().label("sf", Kind.LEAD, name) == words


@pytest.mark.parametrize(
    ("connection", "kind", "name", "reader", "place"),
    [
        ("sf", Kind.LEAD, "Lead_Source_Detail__c", ("sf", Kind.LEAD), "in Lead Source Detail"),
        ("sf", Kind.LEAD, "Lead_Source_Detail__c", ("sf", Kind.CONTACT), "in Lead Source Detail of the lead"),
        ("sf", Kind.LEAD, "Lead_Source_Detail__c", ("hs", Kind.CONTACT), "in Salesforce, field Lead Source Detail"),
        ("hs", Kind.CONTACT, "hs_analytics_first_url", ("hs", Kind.CONTACT), "on the first page seen"),
        ("hs", Kind.CONTACT, "hs_analytics_first_url", ("hs", Kind.DEAL), "on the first page seen"),
        ("hs", Kind.CONTACT, "hs_analytics_first_url", ("sf", Kind.LEAD), "on the first page seen (HubSpot)"),
        ("other", Kind.LEAD, "Promo__c", ("sf", Kind.LEAD), "in other, field Promo"),
    ],
)
def test_a_place_is_named_for_who_reads(
    connection: str, kind: Kind, name: str, reader: tuple[str, Kind], place: str
) -> None:
    assert LABELS.place(connection, kind, name, reader=reader) == place


def test_of_two_accounts_of_one_crm_the_connection_is_named() -> None:
    both = Labels.of({"eu": Described("Salesforce"), "us": Described("Salesforce")})
    assert both.place("us", Kind.LEAD, "Promo__c", reader=("eu", Kind.LEAD)) == "in us, field Promo"


@given(st.text(), st.integers(1, 40))
def test_what_is_quoted_is_plain_short_and_settled(text: str, most: int) -> None:
    shown = quoted(text, most)
    assert len(shown) <= most
    assert not any(unicodedata.category(one) in ("Cc", "Cs", "Zl", "Zp") for one in shown)
    assert not set(shown) & set("<>\u202a\u202b\u202d\u202e\u2066\u2067\u2068\u2069\u200e\u200f")
    assert quoted(shown, most) == shown


@pytest.mark.parametrize(
    ("text", "most", "shown"),
    [
        ("one two", 7, "one two"),
        ("one two three", 10, "one two…"),
        ("one, two three", 10, "one, two…"),
        ("incomprehensibilities", 8, "incompr…"),
    ],
)
def test_a_text_ends_after_a_word_where_one_ends_near(text: str, most: int, shown: str) -> None:
    assert cut(text, most) == shown
