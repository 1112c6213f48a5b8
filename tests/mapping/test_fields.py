"""Our fields, and what is wanted there: always in the form in which a CRM gives it back."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from refloop.mapping.fields import (
    BuyerView,
    Names,
    ReferrerView,
    day,
    desired_for_buyer,
    desired_for_referrer,
    field_specs,
    news,
    referrer_view,
    role_sentence,
    why_sentence,
)
from refloop.model import FieldType, Kind, Role, Status, StatusChange, canonical

AT = datetime(2026, 3, 12, 9, 30, 15, 999_999, tzinfo=UTC)
SPECS = {spec.name: spec for spec in field_specs("ref")}


def buyer(**facts: str) -> BuyerView:
    given: dict[str, str] = {"referral": "rf_1", "code": "ANNA", "referrer": "Anna", "why": "because", **facts}
    return BuyerView(given["referral"], given["code"], given["referrer"], Status.WON, AT, given["why"])


def referrer(amount: Decimal | None = None) -> ReferrerView:
    return ReferrerView(3, 1, 2, amount, "Acme: Won on 12 Mar 2026", AT)


def test_a_prefix_is_on_every_name() -> None:
    assert Names("acme")("status") == "acme_status"
    assert {spec.name for spec in field_specs("acme")} == {name.replace("ref_", "acme_", 1) for name in SPECS}
    assert set(desired_for_buyer(buyer(), "acme")) | set(desired_for_referrer(referrer(), "acme")) == {
        spec.name for spec in field_specs("acme")
    }


def test_six_fields_tell_the_buyer_and_six_the_referrer() -> None:
    wants = desired_for_buyer(buyer(), "ref")
    assert all(set(SPECS[name].kinds) == set(Kind) for name in wants)
    own = desired_for_referrer(referrer(), "ref")
    assert all(SPECS[name].kinds == (Kind.CONTACT,) for name in own)
    assert len(wants) == len(own) == 6


@pytest.mark.parametrize("story", [None, "one"])
def test_without_a_story_the_fields_are_wanted_empty(story: str | None) -> None:
    empty = not story
    assert all((want.value is None) is empty for want in desired_for_buyer(buyer() if story else None, "ref").values())
    assert all(
        (want.value is None) is empty for want in desired_for_referrer(referrer() if story else None, "ref").values()
    )


@given(st.text(), st.text(), st.text())
def test_a_wanted_text_is_what_a_crm_gives_back(code: str, name: str, why: str) -> None:
    for field, want in desired_for_buyer(buyer(code=code, referrer=name, why=why), "ref").items():
        value, spec = want.value, SPECS[field]
        if value is not None:
            assert value == canonical(spec.type, value)
            assert value == value.strip()
            assert value
            assert spec.type is not FieldType.TEXT or len(value) <= spec.length


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("", None),
        (" \n\t ", None),
        ("a  b\nc", "a b c"),
        ("x" * 255, "x" * 255),
        ("x" * 256, "x" * 254 + "…"),
        ("é" * 256, "é" * 254 + "…"),
        ("\U0001f600" * 256, "\U0001f600" * 254 + "…"),
        ("x" * 253 + " yyy", "x" * 253 + "…"),
    ],
    ids=["empty", "blank", "flat", "fits", "cut", "two bytes", "four bytes", "cut at a blank"],
)
def test_long_text_is_cut(text: str, value: str | None) -> None:
    assert desired_for_buyer(buyer(why=text), "ref")["ref_why"].value == value


def test_times_are_in_utc_and_whole_seconds() -> None:
    east = AT.astimezone(timezone(timedelta(hours=5)))
    story = BuyerView("rf_1", "ANNA", "Anna", Status.WON, east, "because")
    assert desired_for_buyer(story, "ref")["ref_status_at"].value == "2026-03-12T09:30:15Z"


@pytest.mark.parametrize(
    ("amount", "value"),
    [
        (None, "0"),
        (Decimal(0), "0"),
        (Decimal("1200.50"), "1200.5"),
        (Decimal("0.005"), "0.01"),
        (Decimal("0.015"), "0.02"),
        (Decimal("-0.001"), "0"),
        (Decimal("1E+3"), "1000"),
        (Decimal("12345678901234567.891"), "12345678901234567.89"),
    ],
)
def test_money_has_two_places_and_no_exponent(amount: Decimal | None, value: str) -> None:
    assert desired_for_referrer(referrer(amount), "ref")["ref_won_amount"].value == value


def test_every_status_can_be_chosen() -> None:
    assert {value for value, _ in SPECS["ref_status"].choices} == {status.value for status in Status}


@pytest.mark.parametrize(
    ("rule", "sentence"),
    [
        ("exact", "Code ANNA in Code__c, 12 Mar 2026"),
        ("url", "Code ANNA in the link of Code__c, 12 Mar 2026"),
        ("text", "Code ANNA mentioned in Code__c, 12 Mar 2026"),
        ("claim", "Code ANNA submitted by a person, 12 Mar 2026"),
    ],
)
def test_why_is_a_sentence(rule: str, sentence: str) -> None:
    assert why_sentence("ANNA", rule, "Code__c", AT) == sentence


@pytest.mark.parametrize("name", ["{field}", "{0}", "{", "%s", "{rule.__class__}"])
def test_a_fields_name_is_never_read_as_a_pattern(name: str) -> None:
    assert name in why_sentence("ANNA", "exact", name, AT)


@pytest.mark.parametrize(
    ("share", "said"),
    [("1", "100 %"), ("0.5", "50 %"), ("0.333333", "33.3 %"), ("0.0004", "0 %"), ("0.666667", "66.7 %")],
)
def test_a_deals_sentence_says_how_much_of_it(share: str, said: str) -> None:
    assert role_sentence("Why", Decimal(share), Role.INFLUENCED) == f"Why; influenced {said} of this deal"


def test_news_names_the_buyer_the_status_and_the_day() -> None:
    assert news("Acme", Status.OPPORTUNITY, AT) == "Acme: In negotiation on 12 Mar 2026"
    assert news("", Status.LOST, AT) == "A referral: Lost on 12 Mar 2026"
    assert day(datetime(2026, 1, 5, tzinfo=UTC)) == "5 Jan 2026"


def stood(name: str, status: Status, day: int) -> StatusChange:
    return StatusChange(name, status, AT + timedelta(days=day), "why", f"Buyer {name}")


@pytest.mark.parametrize(
    ("won", "currency", "amount"),
    [
        ([], "EUR", None),
        ([{"EUR": Decimal(5)}, {"EUR": Decimal(2)}], "EUR", Decimal(7)),
        ([{"EUR": Decimal(5), "USD": Decimal(9)}], "USD", Decimal(9)),
        ([{"EUR": Decimal(5)}], "USD", None),
        ([{"EUR": Decimal(5)}, {"EUR": Decimal(1)}], None, Decimal(6)),
        ([{"EUR": Decimal(5)}, {"USD": Decimal(1)}], None, None),
    ],
    ids=["nothing won", "one currency", "of two the one that counts", "another one", "not known", "not known of two"],
)
def test_a_referrer_is_told_in_one_currency(
    won: list[dict[str, Decimal]], currency: str | None, amount: Decimal | None
) -> None:
    standings = [stood("a", Status.WON, 1), stood("b", Status.LOST, 3), stood("c", Status.ON_HOLD, 2)]
    view = referrer_view(standings, won, currency)
    assert view is not None
    assert (view.sent, view.open, view.won, view.amount) == (3, 1, 1, amount)
    assert view.news == f"Buyer b: Lost on {day(AT + timedelta(days=3))}"


def test_who_referred_nobody_is_told_nothing() -> None:
    assert referrer_view([], [], "EUR") is None
