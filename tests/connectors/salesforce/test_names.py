"""Ids, names, values and queries: what passes, what is refused."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from refloop.connectors.salesforce.ids import record_id
from refloop.connectors.salesforce.names import ROLE, api_name, crm_name
from refloop.connectors.salesforce.soql import Window, columns, page_query
from refloop.connectors.salesforce.values import from_crm, to_crm
from refloop.model import FieldSpec, FieldType, Kind, canonical

LEAD = "00Q5f00000A1b2CEAR"


@pytest.mark.parametrize(
    ("given_id", "whole"),
    [
        ("001A0000006Vm9r", "001A0000006Vm9rIAC"),  # the pair in Salesforce's own documentation
        ("001A0000006Vm9rIAC", "001A0000006Vm9rIAC"),
        ("000000000000000", "000000000000000AAA"),
        ("ABCDEABCDEABCDE", "ABCDEABCDEABCDE555"),
    ],
)
def test_an_id_has_one_form(given_id: str, whole: str) -> None:
    assert record_id(given_id) == whole


@pytest.mark.parametrize(
    "text",
    [
        "",
        "001A0000006Vm9",
        "001A0000006Vm9r\n",
        "001A0000006Vm9rIAA",
        "001A0000006Vm9riac",
        "001A0000006Vm9' OR",
        "https://evil/x1",
        "../Account/0011",
        "001A0000006Vm\uff19r",
        None,
        15,
    ],
)
def test_what_is_no_id_is_refused(text: object) -> None:
    with pytest.raises(ValueError, match="not a Salesforce id"):
        record_id(text)


@given(st.text("abcXYZ019", min_size=15, max_size=15))
def test_the_long_form_is_its_own_long_form_and_minds_the_case(short: str) -> None:
    whole = record_id(short)
    assert record_id(whole) == whole
    assert whole[:15] == short
    if short != short.swapcase():
        assert record_id(short.swapcase())[15:] != whole[15:]


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ("ref_code", "Ref_Code__c"),
        ("ref_status_at", "Ref_Status_At__c"),
        ("acme_ref_won_amount", "Acme_Ref_Won_Amount__c"),
        ("x2", "X2__c"),
    ],
)
def test_our_field_in_their_spelling(ours: str, theirs: str) -> None:
    assert crm_name(FieldSpec(ours, "", FieldType.TEXT, ())) == theirs


@pytest.mark.parametrize("ours", ["", "_code", "ref__code", "ref_", "réf", "a" * 41, "ref code", "1st"])
def test_a_name_salesforce_cannot_carry_is_refused(ours: str) -> None:
    with pytest.raises(ValueError, match="cannot name a field"):
        crm_name(FieldSpec(ours, "", FieldType.TEXT, ()))


@pytest.mark.parametrize("name", ["Description", "Ref_Code__c", "acme__Ref_Code__c", "utm_source__c", "X1"])
def test_api_names(name: str) -> None:
    assert api_name(name) == name


@pytest.mark.parametrize(
    "name", ["", "Id FROM User", "Name\n", "a__b__c__d", "Account.Name", "_x", "x_", "x'", "COUNT()"]
)
def test_what_is_no_api_name_never_reaches_a_query(name: str) -> None:
    with pytest.raises(ValueError, match="not a Salesforce field name"):
        api_name(name)


START, END = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 2, 1, 0, 0, 0, 5, tzinfo=UTC)


@pytest.mark.parametrize(
    ("window", "after", "where"),
    [
        (Window(), "", ""),
        (Window(), LEAD[:15], f" WHERE Id > '{record_id(LEAD[:15])}'"),
        (Window(START), "", " WHERE SystemModstamp >= 2026-01-01T00:00:00Z"),
        (
            Window(START),
            LEAD[:15],
            f" WHERE SystemModstamp >= 2026-01-01T00:00:00Z AND Id > '{record_id(LEAD[:15])}'",
        ),
        (
            Window(START, END),
            "",
            " WHERE ((SystemModstamp >= 2026-01-01T00:00:00Z AND SystemModstamp < 2026-02-01T00:00:01Z)"
            " OR (CreatedDate >= 2026-01-01T00:00:00Z AND CreatedDate < 2026-02-01T00:00:01Z))",
        ),
    ],
)
def test_a_page_is_a_key_set_by_id(window: Window, after: str, where: str) -> None:
    query = page_query("Lead", ["Id", "Email"], window, after)
    assert query == "".join(("SELECT Id, Email FROM Lead", where, " ORDER BY Id LIMIT 2001"))


def test_a_contact_brings_its_account_along() -> None:
    assert columns("Contact", ["Id", "AccountId"]) == "Id, AccountId, Account.Name"
    assert columns(ROLE, ["Id", "ContactId"]) == "Id, ContactId"


@pytest.mark.parametrize("evil", ["x' OR Id != '", "001A0000006Vm9rIAA"])
def test_no_foreign_text_gets_into_a_query(evil: str) -> None:
    with pytest.raises(ValueError, match="not a Salesforce id"):
        page_query("Lead", ["Id"], Window(), evil)
    with pytest.raises(ValueError, match="not a Salesforce field name"):
        page_query("Lead", [evil + " "], Window(), "")


VALUES: Mapping[str, tuple[FieldType, object, str | None]] = {
    "empty text": (FieldType.TEXT, "", None),
    "null": (FieldType.MONEY, None, None),
    "text": (FieldType.TEXT, "Jane", "Jane"),
    "picklist": (FieldType.CHOICE, "won", "won"),
    "integer as double": (FieldType.NUMBER, Decimal("12.0"), "12"),
    "zero": (FieldType.NUMBER, 0, "0"),
    "money": (FieldType.MONEY, Decimal("1200.50"), "1200.5"),
    "time": (FieldType.TIME, "2026-10-01T00:00:01.000+0000", "2026-10-01T00:00:01Z"),
}


@pytest.mark.parametrize(("kind", "value", "text"), VALUES.values(), ids=VALUES)
def test_what_they_hold_in_our_form(kind: FieldType, value: object, text: str | None) -> None:
    assert from_crm(kind, value) == text


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (FieldType.TEXT, {"a": 1}),
        (FieldType.NUMBER, True),
        (FieldType.MONEY, "a lot"),
        (FieldType.TIME, "2026-10-01T00:00:01"),
    ],
)
def test_a_value_of_another_type_is_refused(kind: FieldType, value: object) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - the type is the promise, the words are the parser's
        from_crm(kind, value)


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        (FieldType.TEXT, None, None),
        (FieldType.TEXT, "12", "12"),
        (FieldType.NUMBER, "12", 12),
        (FieldType.MONEY, "1200.5", 1200.5),
        (FieldType.MONEY, "-0.01", -0.01),
        (FieldType.TIME, "2026-10-01T00:00:01Z", "2026-10-01T00:00:01Z"),
    ],
)
def test_what_we_send(kind: FieldType, text: str | None, value: object) -> None:
    sent = to_crm(kind, text)
    assert sent == value
    assert type(sent) is type(value)


@given(st.decimals("-1e9", "1e9", places=2))
def test_money_comes_back_as_it_went(amount: Decimal) -> None:
    text = canonical(FieldType.MONEY, amount)
    sent = to_crm(FieldType.MONEY, text)
    assert from_crm(FieldType.MONEY, Decimal(repr(sent))) == text


@pytest.mark.parametrize(("text", "places", "value"), [("10.005", 3, 10.005), ("10.5", 4, 10.5), ("10", 0, 10)])
def test_a_field_takes_as_many_digits_as_it_has(text: str, places: int, value: object) -> None:
    assert to_crm(FieldType.MONEY, text, places) == value


@pytest.mark.parametrize(
    ("text", "places"),
    [("10.005", 2), ("10.5", 0), ("12345678901234567", 2), ("1" + "0" * 26, 2), ("1" + "0" * 300, 2), ("0.0001", 3)],
)
def test_a_number_that_the_field_has_no_room_for_is_not_sent(text: str, places: int) -> None:
    with pytest.raises(ValueError, match="more digits"):
        to_crm(FieldType.MONEY, text, places)


@pytest.mark.parametrize("text", ["12345678901234567.89", "0.333"])
def test_a_number_that_would_come_back_changed_is_not_sent(text: str) -> None:
    with pytest.raises(ValueError, match="more digits"):
        to_crm(FieldType.MONEY, text)


def test_the_kinds_are_all_known() -> None:
    from refloop.connectors.salesforce.fields import STANDARD
    from refloop.connectors.salesforce.names import OBJECTS

    assert set(OBJECTS) == set(STANDARD) == set(Kind)
