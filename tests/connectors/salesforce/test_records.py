"""Rows -> records and links, the layout of a query, and the cursor."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from refloop.connectors.salesforce import SalesforceSettings
from refloop.connectors.salesforce.cursor import FROM_THE_START, Job, Position, parse_cursor
from refloop.connectors.salesforce.fields import ROLE_FIELDS, is_missing_some, layout, parse_describe
from refloop.connectors.salesforce.ids import record_id
from refloop.connectors.salesforce.names import OBJECTS, ROLE
from refloop.connectors.salesforce.records import Reader
from refloop.model import Cursor, FieldSpec, FieldType, Kind, Link, Outcome, Record, Ref, Relation

EVERY = (Kind.LEAD, Kind.CONTACT, Kind.DEAL)
CODE = FieldSpec("ref_code", "Code", FieldType.TEXT, EVERY, length=64)
SENT = FieldSpec("ref_sent", "Sent", FieldType.NUMBER, (Kind.CONTACT,))
FIELDS = (CODE, SENT)

LEAD, CONTACT, DEAL, ROLE_ID = (record_id(f"{prefix}000000000001") for prefix in ("00Q", "003", "006", "00K"))
WINNER = record_id("00Q000000000002")
DAY = datetime(2026, 10, 1, tzinfo=UTC)


def settings(**changes: Any) -> SalesforceSettings:
    document = {
        "connector": "salesforce",
        "url": "https://acme.my.salesforce.com",
        "auth": {"method": "access_token", "token": "env:SF_TOKEN"},
        **changes,
    }
    return SalesforceSettings.model_validate(document)


def row(record: str, **fields: Any) -> dict[str, Any]:
    stamps = {"CreatedDate": "2026-10-01T00:00:00.000+0000", "SystemModstamp": "2026-10-01T00:00:00.000+0000"}
    return {"Id": record, "IsDeleted": False, **stamps, **fields}


def ref(kind: Kind, record: str) -> Ref:
    return Ref("crm", kind, record)


def read(kind: Kind, fields: Mapping[str, Any], **config: Any) -> Record:
    return Reader("crm", settings(**config), FIELDS).record(kind, fields)


def test_a_lead() -> None:
    record = read(
        Kind.LEAD,
        row(
            LEAD[:15],
            Email="jane@example.com",
            Company="Acme",
            Status="Working",
            Description="code ACME-1",
            Ref_Code__c="ACME1",
            Ref_Sent__c=3,
        ),
    )
    assert record == Record(
        ref=ref(Kind.LEAD, LEAD),
        created_at=DAY,
        modified_at=DAY,
        email="jane@example.com",
        title="Acme",
        texts={"Description": "code ACME-1"},
        found={"ref_code": "ACME1"},  # ref_sent is a field of contacts only
        stage="Working",
    )


def test_a_contact() -> None:
    record = read(
        Kind.CONTACT, row(CONTACT, Email=None, Description="", Account={"Name": "Acme"}, Ref_Sent__c=Decimal("3.0"))
    )
    assert (record.title, record.email, record.stage, dict(record.texts), dict(record.found)) == (
        "Acme",
        None,
        None,
        {},
        {"ref_sent": "3"},
    )
    assert read(Kind.CONTACT, row(CONTACT, Account=None)).title is None


@pytest.mark.parametrize(
    ("fields", "outcome", "closed_at"),
    [
        ({"IsClosed": False, "IsWon": False, "CloseDate": "2026-12-31"}, Outcome.OPEN, None),
        ({"IsClosed": True, "IsWon": True, "CloseDate": "2026-09-05"}, Outcome.WON, datetime(2026, 9, 5, tzinfo=UTC)),
        (
            {"IsClosed": True, "IsWon": False, "CloseDate": "2026-09-05"},
            Outcome.LOST,
            datetime(2026, 9, 5, tzinfo=UTC),
        ),
        (
            {"IsClosed": True, "IsWon": True, "LastStageChangeDate": "2026-09-04T10:00:00.000+0000"},
            Outcome.WON,
            datetime(2026, 9, 4, 10, tzinfo=UTC),
        ),
        ({"StageName": "?"}, None, None),
    ],
)
def test_how_a_deal_stands(fields: dict[str, Any], outcome: Outcome | None, closed_at: datetime | None) -> None:
    record = read(Kind.DEAL, row(DEAL, Name="Acme renewal", **fields))
    assert (record.outcome, record.closed_at, record.title) == (outcome, closed_at, "Acme renewal")


@pytest.mark.parametrize(
    ("closed", "won", "setting", "reason"),
    [
        (True, False, "loss_reason__c", "Price"),
        (True, False, None, None),
        (True, True, "Loss_Reason__c", None),
        (False, False, "Loss_Reason__c", None),
    ],
)
def test_why_a_deal_was_lost_is_read_where_the_org_has_a_field_for_it(
    closed: bool, won: bool, setting: str | None, reason: str | None
) -> None:
    fields = {"IsClosed": closed, "IsWon": won, "CloseDate": "2026-09-05", "Loss_Reason__c": "Price"}
    assert read(Kind.DEAL, row(DEAL, **fields), lost_reason=setting).lost_reason == reason


@pytest.mark.parametrize(
    ("fields", "config", "amount", "currency"),
    [
        ({"Amount": Decimal("1200.50"), "CurrencyIsoCode": "USD"}, {"currency": "EUR"}, Decimal("1200.5"), "USD"),
        ({"Amount": 1200}, {"currency": "EUR"}, Decimal(1200), "EUR"),
        ({"Amount": 0}, {}, Decimal(0), "XXX"),
        ({"Amount": None, "CurrencyIsoCode": "USD"}, {}, None, None),
    ],
)
def test_money_has_its_currency(
    fields: dict[str, Any], config: dict[str, Any], amount: Decimal | None, currency: str | None
) -> None:
    record = read(Kind.DEAL, row(DEAL, **fields), **config)
    assert (record.amount, record.currency) == (amount, currency)


@pytest.mark.parametrize(
    ("json", "csv", "text"),
    [
        (Decimal("12345.0"), "12345.0", "12345"),
        (12345, "12345", "12345"),
        (Decimal("1.2345678E7"), "1.2345678E7", "12345678"),
        (Decimal("1.234567890123456E15"), "1.234567890123456E15", "1234567890123456"),
        (Decimal("12345.5"), "12345.5", "12345.5"),
        (Decimal("0.0"), "0.0", "0"),
        (Decimal("-5.00"), "-5.00", "-5"),
        ("0012.0", "0012.0", "0012.0"),
        ("12.000", "12.000", "12.000"),
        ("7E10", "7E10", "7E10"),
        (Decimal("1E+999999999"), None, "1E+999999999"),
    ],
)
def test_a_code_in_a_number_field_is_its_digits_whichever_way_it_was_brought(
    json: object, csv: str | None, text: str
) -> None:
    for value in (json, csv):
        if value is not None:
            record = read(Kind.LEAD, row(LEAD, Score__c=value), code_fields={"lead": ["Score__c"]})
            assert record.texts == {"Score__c": text}


@pytest.mark.parametrize("amount", [Decimal("1E+999999999"), Decimal("1E-999999999"), Decimal("1E+309")])
def test_a_value_that_no_crm_can_hold_is_none_and_refuses_no_page(amount: Decimal) -> None:
    record = read(
        Kind.DEAL, row(DEAL, IsWon=True, IsClosed=True, Amount=amount, LastStageChangeDate="0001-01-01T00:00:00+14:00")
    )
    assert (record.amount, record.outcome, record.closed_at) == (None, Outcome.WON, None)


@pytest.mark.parametrize(("scale", "places", "keeps"), [(2, 2, True), (2, 3, False), (3, 3, True), (None, 2, True)])
def test_a_field_that_keeps_too_few_digits_of_an_amount_is_known(scale: int | None, places: int, keeps: bool) -> None:
    body = {"name": "Ref_Won__c", "type": "double", **({} if scale is None else {"scale": scale})}
    found = parse_describe("Contact", {"name": "Contact", "fields": [body]}).find("Ref_Won__c")
    assert found is not None
    assert found.keeps_cents(FieldSpec("ref_won", "Won", FieldType.MONEY, (Kind.CONTACT,), places=places)) is keeps


@pytest.mark.parametrize("kind", ["percent", "currency", "double", "int", "long"])
def test_a_code_may_stand_in_any_kind_of_number(kind: str) -> None:
    field = {"name": "Score__c", "type": kind}
    schema = parse_describe("Lead", {"name": "Lead", "fields": [field]})
    found = schema.find("Score__c")
    assert found is not None
    assert found.holds_text()


def test_code_fields_are_named_as_the_crm_names_them() -> None:
    config = {"code_fields": {"deal": ["utm_campaign__C", "Score__c", "Gone__c"]}}
    record = read(Kind.DEAL, row(DEAL, Utm_Campaign__c="spring", Score__c=7, Description="not asked for"), **config)
    assert record.texts == {"Utm_Campaign__c": "spring", "Score__c": "7"}


def test_a_deleted_record_says_so() -> None:
    assert read(Kind.LEAD, row(LEAD) | {"IsDeleted": True}).deleted


LINKS: Mapping[str, tuple[Kind, dict[str, Any], list[Link]]] = {
    "nothing": (Kind.LEAD, row(LEAD, ConvertedContactId=None, MasterRecordId=None), []),
    "conversion": (
        Kind.LEAD,
        row(LEAD, IsConverted=True, ConvertedContactId=CONTACT[:15], ConvertedOpportunityId=DEAL),
        [
            Link(ref(Kind.LEAD, LEAD), Relation.CONVERTED_TO, ref(Kind.CONTACT, CONTACT)),
            Link(ref(Kind.LEAD, LEAD), Relation.CONVERTED_TO, ref(Kind.DEAL, DEAL)),
        ],
    ),
    "merge": (
        Kind.LEAD,
        row(LEAD, MasterRecordId=WINNER),
        [Link(ref(Kind.LEAD, LEAD), Relation.MERGED_INTO, ref(Kind.LEAD, WINNER))],
    ),
    "deal": (Kind.DEAL, row(DEAL, ContactId=CONTACT), []),
}


@pytest.mark.parametrize(("kind", "fields", "links"), LINKS.values(), ids=LINKS)
def test_links_of_a_row(kind: Kind, fields: dict[str, Any], links: list[Link]) -> None:
    assert list(Reader("crm", settings(), FIELDS).links(kind, fields)) == links


@pytest.mark.parametrize("gone", [True, False])
def test_a_contact_role_is_an_edge_with_a_name(gone: bool) -> None:
    fields = {"Id": ROLE_ID, "OpportunityId": DEAL, "ContactId": CONTACT, "IsDeleted": gone}
    edge = Link(ref(Kind.DEAL, DEAL), Relation.ASSOCIATED_WITH, ref(Kind.CONTACT, CONTACT), ROLE_ID, gone)
    reader = Reader("crm", settings(), FIELDS)
    assert list(reader.role(fields)) == [edge]
    assert list(reader.role({**fields, "ContactId": None})) == []


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"CreatedDate": None}, "CreatedDate is missing"),
        ({"SystemModstamp": "2026-10-01T00:00:00"}, "SystemModstamp is wrong"),
        ({"SystemModstamp": 1}, "SystemModstamp is wrong"),
        ({"Email": {"x": 1}}, "Email is wrong"),
        ({"IsDeleted": "false"}, "IsDeleted is wrong"),
        ({"Amount": "jane@example.com"}, "Amount is wrong: not a number"),
        ({"CloseDate": "jane@example.com", "IsWon": True}, "CloseDate is wrong"),
        ({"Ref_Code__c": []}, "Ref_Code__c is wrong"),
    ],
)
def test_nonsense_in_a_row_names_the_field_and_not_the_value(fields: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words) as refusal:
        read(Kind.DEAL, row(DEAL) | fields)
    assert "jane" not in str(refusal.value)


def described(name: str, *fields: str | dict[str, Any]) -> dict[str, Any]:
    usual: dict[str, Any] = {"type": "string", "length": 255, "updateable": True}
    some = [{**usual, **({"name": field} if isinstance(field, str) else field)} for field in fields]
    return {"name": name, "updateable": True, "fields": some}


def test_only_what_the_run_user_sees_is_asked_for() -> None:
    schemas = {
        "Lead": parse_describe("Lead", described("Lead", "Id", "Email", "description", "Ref_Code__c", "Secret__c")),
        "Contact": parse_describe(
            "Contact", described("Contact", "Id", "AccountId", {"name": "Ref_Sent__c", "type": "string"})
        ),
        "Opportunity": parse_describe("Opportunity", described("Opportunity", {"name": "Flag__c", "type": "boolean"})),
        ROLE: parse_describe(ROLE, described(ROLE, "Id", "Hidden__c")),
    }
    config = settings(code_fields={"lead": ["Description"], "deal": ["Flag__c"]})
    assert layout(schemas, config, FIELDS) == {
        "Lead": ("Id", "Email", "description", "Ref_Code__c"),
        "Contact": ("Id", "AccountId"),  # Ref_Sent__c is there, but as a text
        "Opportunity": (),
        ROLE: ROLE_FIELDS,
    }


@pytest.mark.parametrize(
    "body", [None, {}, {"name": "Case", "fields": []}, {"name": "Lead"}, {"name": "Lead", "fields": ["x"]}]
)
def test_a_description_of_something_else_is_refused(body: object) -> None:
    with pytest.raises(ValueError, match="not a description"):
        parse_describe("Lead", body)


WHOLE = {
    "Lead": ("Id", "Description", "Ref_Code__c"),
    "Contact": ("Id", "Description", "Ref_Code__c", "Ref_Sent__c"),
    "Opportunity": ("Id", "Ref_Code__c"),
    ROLE: ROLE_FIELDS,
}


@pytest.mark.parametrize(
    ("change", "missing"), [({}, False), ({"Contact": ("Id", "Description")}, True), ({"Lead": ("Ref_Code__c",)}, True)]
)
def test_a_layout_without_a_field_we_want_is_looked_at_again(change: dict[str, Any], missing: bool) -> None:
    assert is_missing_some({**WHOLE, **change}, settings(), FIELDS) is missing


ORG, JOB = record_id("00D000000000001"), record_id("750000000000001")
POSITION = Position(DAY, DAY - timedelta(minutes=15), {"Lead": LEAD, ROLE: ""}, WHOLE, DAY - timedelta(hours=3))


@pytest.mark.parametrize(
    "position",
    [
        POSITION,
        Position(DAY, None, FROM_THE_START, WHOLE, DAY),
        Position(DAY, None, {}, WHOLE, DAY),
        Position(DAY, None, {}, WHOLE, DAY, ORG, {"Lead": Job(JOB), ROLE: Job(JOB, "MTAw=", 50, 70, True)}),
        Position(DAY, None, {}, WHOLE, DAY, ORG, zone="Asia/Tokyo"),
    ],
)
def test_a_cursor_comes_back_as_it_went(position: Position) -> None:
    assert parse_cursor(position.cursor()) == position


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('{"v":2', '{"v":3'),
        ('"v":2,', ""),
        ('"Lead":"00Q', '"Case":"00Q'),
        (LEAD, "' OR Id != '"),
        ('"watermark":"2026-10-01T00:00:00Z"', '"watermark":"yesterday"'),
        ('"watermark":"2026-10-01T00:00:00Z"', '"watermark":null'),
        ('"Ref_Code__c"', '"Id FROM User"'),
        ('"layout":{', '"layout":[],"x":{'),
        ("{", "["),
        (f'"{ROLE}":[', '"Case":['),
    ],
)
def test_a_cursor_of_somebody_else_is_refused(old: str, new: str) -> None:
    text = POSITION.cursor().text
    assert old in text
    with pytest.raises(ValueError):  # noqa: PT011 - each part has its own words
        parse_cursor(Cursor(text.replace(old, new)))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (JOB, "../Account/001"),
        ("MTAw=", "x&locator=y"),
        (",50,70,", ",70,50,"),
        (",50,70,", ",true,70,"),
        (",70,true]", ",70]"),
        (ORG, "00D"),
        (f'"{ROLE}":["750', '"Case":["750'),
    ],
)
def test_a_cursor_with_a_job_that_is_none_is_refused(old: str, new: str) -> None:
    text = Position(DAY, None, {}, WHOLE, DAY, ORG, {ROLE: Job(JOB, "MTAw=", 50, 70, True)}).cursor().text
    assert old in text
    with pytest.raises(ValueError):  # noqa: PT011 - each part has its own words
        parse_cursor(Cursor(text.replace(old, new)))


def test_a_cursor_of_the_first_version_is_read() -> None:
    body = json.loads(POSITION.cursor().text)
    old = {name: value for name, value in body.items() if name not in ("jobs", "org")} | {"v": 1}
    assert parse_cursor(Cursor(json.dumps(old))) == POSITION


@pytest.mark.parametrize("text", ["", "null", "[]", "1", "[" * 5000, '"x"'])
def test_a_text_that_is_no_cursor_is_refused(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - each part has its own words
        parse_cursor(Cursor(text))


@pytest.mark.parametrize(("age", "fresh"), [(0, True), (23, True), (24, False), (-1, True)])
def test_a_description_is_believed_for_a_day(age: int, fresh: bool) -> None:
    assert Position(DAY, None, {}, WHOLE, DAY - timedelta(hours=age)).is_fresh(DAY) is fresh


def test_every_object_is_pulled() -> None:
    assert set(FROM_THE_START) == {*OBJECTS.values(), ROLE}
