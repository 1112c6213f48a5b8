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
    Winnings,
    desired_for_buyer,
    desired_for_referrer,
    field_specs,
    news,
    referrer_view,
)
from refloop.mapping.money import Won
from refloop.mapping.reasons import day
from refloop.model import NO_CURRENCY, FieldType, Kind, Status, StatusChange, canonical

AT = datetime(2026, 3, 12, 9, 30, 15, 999_999, tzinfo=UTC)
SPECS = {spec.name: spec for spec in field_specs("ref")}


def buyer(**facts: str) -> BuyerView:
    given: dict[str, str] = {"referral": "rf_1", "code": "ANNA", "referrer": "Anna", "why": "because", **facts}
    return BuyerView(given["referral"], given["code"], given["referrer"], Status.WON, AT, given["why"])


def referrer(
    amount: Decimal | None = None, currency: str | None = "EUR", note: str = "Not in it: 2.00 USD"
) -> ReferrerView:
    return ReferrerView(6, 1, 2, 1, 2, amount, "Acme: Won on 12 Mar 2026", AT, currency, note)


def test_a_prefix_is_on_every_name() -> None:
    assert Names("acme")("status") == "acme_status"
    assert {spec.name for spec in field_specs("acme")} == {name.replace("ref_", "acme_", 1) for name in SPECS}
    assert set(desired_for_buyer(buyer(), "acme")) | set(desired_for_referrer(referrer(), "acme")) == {
        spec.name for spec in field_specs("acme")
    }


def test_seven_fields_tell_the_buyer_and_ten_the_referrer() -> None:
    wants = desired_for_buyer(buyer(), "ref")
    assert all(set(SPECS[name].kinds) == set(Kind) for name in wants)
    own = desired_for_referrer(referrer(), "ref")
    assert all(SPECS[name].kinds == (Kind.CONTACT,) for name in own)
    assert (len(wants), len(own)) == (7, 10)


@pytest.mark.parametrize("story", [None, "one"])
def test_without_a_story_the_fields_are_wanted_empty(story: str | None) -> None:
    empty = not story
    told = desired_for_buyer(buyer() if story else None, "ref", answer="No such code" if story else "")
    assert all((want.value is None) is empty for want in told.values())
    assert all(
        (want.value is None) is empty
        for want in desired_for_referrer(referrer(Decimal(5)) if story else None, "ref").values()
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
        ("word " * 60, "word " * 50 + "word…"),
        ("<b>bold</b> <script>x</script>", "bold x"),
        ("a\u202eb\u200b\x07c\u2028d", "abc d"),
        ("\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645", "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645"),
    ],
    ids=[
        *("empty", "blank", "flat", "fits", "cut", "two bytes", "four bytes", "cut at a blank", "cut after a word"),
        *("markup", "hidden characters", "a joiner is a letter's"),
    ],
)
def test_long_text_is_cut(text: str, value: str | None) -> None:
    assert desired_for_buyer(buyer(why=text), "ref")["ref_why"].value == value


def test_times_are_in_utc_and_whole_seconds() -> None:
    east = AT.astimezone(timezone(timedelta(hours=5)))
    story = BuyerView("rf_1", "ANNA", "Anna", Status.WON, east, "because")
    assert desired_for_buyer(story, "ref")["ref_status_at"].value == "2026-03-12T09:30:15Z"


@pytest.mark.parametrize(
    ("amount", "currency", "value"),
    [
        (None, "EUR", None),
        (Decimal(0), "EUR", "0"),
        (Decimal("1200.50"), "EUR", "1200.5"),
        (Decimal("10.005"), "EUR", "10.01"),
        (Decimal("0.015"), "EUR", "0.02"),
        (Decimal("-0.001"), "EUR", "0"),
        (Decimal("1E+3"), "EUR", "1000"),
        (Decimal("12345678901234567.891"), "EUR", "12345678901234567.89"),
        (Decimal("99999999999999999999999999.995"), "EUR", "100000000000000000000000000"),
        (Decimal("1E+30"), "EUR", "1" + "0" * 30),
        (Decimal("10.5"), "JPY", "11"),
        (Decimal("10.0005"), "BHD", "10.001"),
        (Decimal("10.005"), None, "10.01"),
    ],
)
def test_money_has_the_places_of_its_currency_and_no_exponent(
    amount: Decimal | None, currency: str | None, value: str | None
) -> None:
    wants = desired_for_referrer(referrer(amount, currency), "ref")
    assert (wants["ref_won_amount"].value, wants["ref_won_currency"].value) == (value, currency)


def test_a_currency_that_nobody_knows_is_left_empty() -> None:
    assert desired_for_referrer(referrer(Decimal(1), NO_CURRENCY), "ref")["ref_won_currency"].value is None


def test_every_status_can_be_chosen() -> None:
    assert {value for value, _ in SPECS["ref_status"].choices} == {status.value for status in Status}


def test_news_names_the_buyer_the_status_and_the_day() -> None:
    assert news("Acme", Status.OPPORTUNITY, AT) == "Acme: In negotiation on 12 Mar 2026"
    assert news("", Status.LOST, AT) == "A referral: Lost on 12 Mar 2026"
    assert day(datetime(2026, 1, 5, tzinfo=UTC)) == "5 Jan 2026"


def stood(name: str, status: Status, day: int) -> StatusChange:
    return StatusChange(name, status, AT + timedelta(days=day), "why", f"Buyer {name}")


EUR5, USD9 = Won(Decimal(5), "EUR"), Won(Decimal(9), "USD")


@pytest.mark.parametrize(
    ("won", "currency", "amount", "told_in", "note"),
    [
        ([], "EUR", Decimal(0), "EUR", ""),
        ([], None, Decimal(0), None, ""),
        ([EUR5, EUR5], "EUR", Decimal(10), "EUR", ""),
        ([EUR5, USD9], "USD", Decimal(9), "USD", "Not in it: 5.00 EUR"),
        ([EUR5], "USD", None, "USD", "Not in it: 5.00 EUR"),
        ([EUR5, EUR5], None, Decimal(10), "EUR", ""),
        ([EUR5, USD9], None, None, None, "Not in it: 5.00 EUR, 9.00 USD"),
        ([EUR5, Won(Decimal(4000), NO_CURRENCY)], "EUR", Decimal(5), "EUR", "Not in it: 4,000.00 in no known currency"),
    ],
    ids=[
        "nothing won",
        "nothing won, not known",
        "one currency",
        "of two the one that counts",
        "another one",
        "not known",
        "not known of two",
        "a currency that nobody said",
    ],
)
def test_a_referrer_is_told_in_one_currency_and_that_there_is_more(
    won: list[Won], currency: str | None, amount: Decimal | None, told_in: str | None, note: str
) -> None:
    standings = [stood("a", Status.WON, 1), stood("b", Status.LOST, 3), stood("c", Status.ON_HOLD, 2)]
    view = referrer_view(standings, Winnings(won), currency)
    assert view is not None
    assert (view.sent, view.open, view.won, view.lost, view.other) == (3, 1, 1, 1, 0)
    assert (view.amount, view.currency, view.note) == (amount, told_in, note)
    assert view.news == f"Buyer b: Lost on {day(AT + timedelta(days=3))}"


def test_what_its_crm_converts_is_counted_where_that_is_wanted_and_told() -> None:
    standings = [stood("a", Status.WON, 1)]
    won = [
        EUR5,
        Won(Decimal(9), "USD", Decimal("8.1"), "EUR"),
        Won(Decimal(9), "USD", Decimal("8.2"), "EUR"),  # another day's rate
        Won(Decimal(7), "GBP", Decimal(9), "USD"),  # of an account that keeps its books in another currency
        Won(Decimal(1), "EUR", Decimal(1), "EUR"),
    ]
    view = referrer_view(standings, Winnings(won), "EUR", converted=True)
    assert view is not None
    assert view.amount == Decimal("22.3")
    assert view.note == "Not in it: 7.00 GBP; In it, converted by the CRM's own rates: 18.00 USD"
    apart = referrer_view(standings, Winnings(won, 2), "EUR")
    assert apart is not None
    assert (apart.amount, apart.note) == (
        Decimal(6),
        "Not in it: 7.00 GBP, 18.00 USD; 2 deals won without an amount",
    )


def test_who_referred_nobody_is_told_nothing() -> None:
    assert referrer_view([], Winnings(), "EUR") is None


@given(st.lists(st.sampled_from(Status)))
def test_what_was_sent_is_open_won_lost_and_the_rest(statuses: list[Status]) -> None:
    view = referrer_view([stood(str(n), status, n) for n, status in enumerate(statuses)], Winnings(), "EUR")
    if view is None:
        assert not statuses
    else:
        assert view.sent == view.open + view.won + view.lost + view.other == len(statuses)
        told = desired_for_referrer(view, "ref")
        parts = ("open", "won", "lost", "other")
        assert int(told["ref_sent"].value or "") == sum(int(told[f"ref_{name}"].value or "") for name in parts)


def test_where_no_referral_counts_only_the_reason_is_told() -> None:
    told = desired_for_buyer(None, "ref", ended="Code ANNA does not count: the buyer is the referrer")
    assert {name for name, want in told.items() if want.value} == {"ref_why"}
