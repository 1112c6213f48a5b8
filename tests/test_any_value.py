"""Any value that may arrive is kept and comes back as it is, or is refused as that one value: it is never a bug."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from refloop.connectors.hubspot.answers import Row as HubSpotRow
from refloop.connectors.hubspot.answers import read_listing
from refloop.connectors.hubspot.page import page_of
from refloop.connectors.hubspot.records import Reader as HubSpotReader
from refloop.connectors.hubspot.records import canonical_value
from refloop.connectors.salesforce.records import Reader as SalesforceReader
from refloop.connectors.salesforce.values import to_crm
from refloop.errors import CrmUnavailable
from refloop.ledger import Ledger
from refloop.ledger.bounds import LONGEST_TEXT, MOST_LABELS, MOST_OF_A_RECORD
from refloop.ledger.record_rows import labels_from
from refloop.ledger.records import keep_page, record_of
from refloop.mapping.codes import CodeBook, code_key
from refloop.mapping.fields import Winnings, desired_for_referrer, field_specs, referrer_view
from refloop.mapping.match import CarriedTexts, read_codes
from refloop.mapping.money import Won, share_of
from refloop.mapping.policy import Policy
from refloop.model import (
    LARGEST_POWER,
    MOST_PLACES,
    Code,
    FieldType,
    Kind,
    Link,
    OutOfBounds,
    Owner,
    Page,
    Record,
    Ref,
    Relation,
    Stage,
    Status,
    StatusChange,
    canonical,
    format_time,
    parse_time,
)
from refloop.sync.context import RunContext
from refloop.sync.stages import Decider
from tests.connectors.hubspot.test_records import Facts
from tests.connectors.hubspot.test_records import settings as hubspot_settings
from tests.connectors.salesforce.test_records import DEAL, row
from tests.connectors.salesforce.test_records import settings as salesforce_settings
from tests.new_ledger import new_ledger
from tests.sync.loop import MEMORY_DISK
from tests.work import calls_of

NOW = datetime(2026, 6, 1, tzinfo=UTC)
LONGEST_NUMBER = LARGEST_POWER + MOST_PLACES + 3  # digits, sign, point
FIELDS = field_specs("ref")
HUBSPOT = HubSpotReader("hub", hubspot_settings(), FIELDS, Facts("EUR"))
CODES = CodeBook(Code(text, code_key(text), "anna", "spring") for text in ("ANN-2026", "12345"))

DIGITS = st.text("0123456789", min_size=1, max_size=40)
NUMBERS = st.one_of(
    st.builds("{}{}.{}e{}".format, st.sampled_from(["", "-", "+"]), DIGITS, DIGITS, st.integers(-(10**12), 10**12)),
    st.builds("{}{}".format, st.sampled_from(["", "-"]), DIGITS),
    st.sampled_from(
        ["NaN", "sNaN", "Infinity", "-0", "1e309", "1e308", "1E-400", "1E-401", "9" * 26, "1e30", "1e999999999",
         "1e-999999999", "0e999999999", "9" * 5_000, "0." + "9" * 5_000, "1_000", "\u0663", " 1 ", "0x10",
         "1e", "", "."]
    ),
)  # fmt: skip
OFFSETS = st.sampled_from(["Z", "+00:00", "-00:00", "+14:00", "-12:00", "+23:59", "-23:59", "+0530", "", "+99:99"])
TIMES = st.one_of(
    st.builds(
        "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}{}{}".format,
        st.one_of(st.sampled_from([0, 1, 2, 1699, 1700, 4000, 9998, 9999]), st.integers(0, 9999)),
        st.integers(0, 13),
        st.integers(0, 32),
        st.integers(0, 25),
        st.integers(0, 60),
        st.integers(0, 61),
        st.sampled_from(["", ".999999", ".9999999999", ".1"]),
        OFFSETS,
    ),
    st.sampled_from(
        ["0001-01-01T00:00+14:00", "9999-12-31T23:59:59.999999-12:00", "9999-12-31", "0001-01-01", "", "T"]
    ),
    st.integers(-(10**20), 10**20).map(str),
)
TEXTS = st.one_of(st.text(), st.text(st.characters(categories=["Cs", "Co", "Cn", "Cc", "Lo"])), NUMBERS, TIMES)
QUICK = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture(scope="module")
def ledger() -> Iterator[Ledger]:
    with TemporaryDirectory(dir=MEMORY_DISK) as folder, contextlib.closing(new_ledger(Path(folder) / "any.db")) as made:
        yield made


@given(NUMBERS)
@QUICK
def test_a_number_is_kept_with_all_its_digits_or_refused(text: str) -> None:
    try:
        kept = canonical(FieldType.MONEY, text)
    except ValueError:
        return
    if kept is None:
        assert text == ""
        return
    assert len(kept) <= LONGEST_NUMBER
    assert "e" not in kept.lower()
    assert Decimal(kept) == Decimal(text)
    assert canonical(FieldType.MONEY, kept) == kept


@pytest.mark.parametrize("text", ["1e999999999", "-1e309", "1e-999999999", "9" * 5_000, "0." + "9" * 5_000])
def test_what_no_crm_can_hold_is_refused_before_it_is_written_out(text: str) -> None:
    with pytest.raises(OutOfBounds):
        canonical(FieldType.NUMBER, text)


@given(TIMES)
@QUICK
def test_a_time_is_kept_to_the_second_or_refused(text: str) -> None:
    try:
        moment = parse_time(text)
    except ValueError:
        return
    told = format_time(moment)
    assert len(told) == len("2026-01-01T00:00:00Z")
    assert parse_time(told) == moment.replace(microsecond=0)
    assert canonical(FieldType.TIME, told) == told


@pytest.mark.parametrize("text", ["0001-01-01T00:00+14:00", "9999-12-31T23:00-12:00"])
def test_a_time_outside_of_the_calendar_is_refused(text: str) -> None:
    with pytest.raises(OutOfBounds):
        parse_time(text)
    with pytest.raises(OutOfBounds):
        format_time(datetime.fromisoformat(text))


def from_hubspot(properties: dict[str, str | None]) -> Record:
    moments = dict.fromkeys(("createdAt", "updatedAt"), "2026-01-01T00:00:00Z")
    answer = {"results": [{"id": "1", "properties": properties, **moments}]}
    (found,) = read_listing(answer, "deals", limit=1).rows
    reader = HubSpotReader("hub", hubspot_settings(code_fields={"deal": ["note"]}), FIELDS, Facts("EUR"))
    return reader.record(Kind.DEAL, found)


def from_salesforce(values: dict[str, Any]) -> Record | None:
    """None: not the form of this CRM's answers, so no answer of it."""
    reader = SalesforceReader("crm", salesforce_settings(code_fields={"deal": ["Note__c"]}), FIELDS)
    try:
        return reader.record(Kind.DEAL, row(DEAL, IsWon=True, IsClosed=True, **values))
    except ValueError:
        return None


@given(NUMBERS, TIMES, TEXTS, TEXTS)
@QUICK
def test_any_record_of_hubspot_is_read_kept_and_given_back(
    ledger: Ledger, amount: str, closed: str, text: str, own: str
) -> None:
    given: dict[str, str | None] = {
        "amount": amount, "closedate": closed, "note": text, "dealname": text,
        "dealstage": "won", "pipeline": "default",
        "deal_currency_code": own, "ref_code": own, "ref_status_at": closed,
    }  # fmt: skip
    is_kept_and_read(ledger, from_hubspot(given))


@given(NUMBERS, TIMES, TEXTS)
@QUICK
def test_any_record_of_salesforce_is_read_kept_and_given_back(
    ledger: Ledger, amount: str, closed: str, text: str
) -> None:
    number: object = None
    with contextlib.suppress(ArithmeticError):
        number = Decimal(amount)
    for values in (
        {"Amount": number, "Note__c": number, "Name": text},
        {"CloseDate": closed, "Note__c": text},
        {"Amount": amount or None, "Note__c": amount},
    ):
        if (record := from_salesforce(values)) is not None:
            is_kept_and_read(ledger, record)


def is_kept_and_read(ledger: Ledger, record: Record) -> None:
    keep_page(ledger, 1, record.ref.connection, Page((record,)), NOW)
    ledger.execute("DELETE FROM queue")
    kept = record_of(ledger, record.ref)
    ledger.execute("DELETE FROM records")
    assert kept is not None
    assert (kept.amount, kept.closed_at, kept.currency) == (record.amount, record.closed_at, record.currency)
    assert kept.texts.keys() == record.texts.keys()
    reading = read_codes(CarriedTexts(record.ref, record.texts, NOW.date()), CODES)
    assert reading.match is None or reading.match.code in CODES


AMOUNTS = st.tuples(NUMBERS, st.sampled_from(["EUR", "JPY", "BHD", "XXX"]))


@given(st.lists(AMOUNTS, max_size=6), st.sampled_from(["apart", "converted"]))
@QUICK
def test_any_amounts_are_told_in_what_a_crm_can_hold(amounts: list[tuple[str, str]], wish: str) -> None:
    won: list[Won] = []
    for text, currency in amounts:
        with contextlib.suppress(ValueError):
            if kept := canonical(FieldType.MONEY, text):
                won.append(share_of(Won(Decimal(kept), currency, Decimal(kept), "EUR"), Decimal("0.333333")))
    standings = [StatusChange("rf_1", Status.WON, NOW + timedelta(days=1), "why", "Buyer")]
    view = referrer_view(standings, Winnings(won), "EUR", converted=wish == "converted")
    wants = desired_for_referrer(view, "ref")
    for field in FIELDS:
        value = wants[field.name].value if field.name in wants else None
        assert value is None or canonical(field.type, value) == value
        assert value is None or field.type is not FieldType.TEXT or len(value) <= field.length
        with contextlib.suppress(ValueError):  # a receipt then says that Salesforce does not keep such a number
            to_crm(field.type, value)


@given(TEXTS)
@QUICK
def test_what_a_person_left_in_a_field_of_ours_is_read_as_it_is(text: str) -> None:
    for field in FIELDS:
        assert canonical_value(field, text) is None or text


@given(st.dictionaries(st.sampled_from(["createdAt", "updatedAt"]), TIMES))
@QUICK
def test_an_answer_without_readable_stamps_is_refused_as_no_answer(stamps: dict[str, str]) -> None:
    answer = {
        "results": [{"id": "1", "properties": {}, "createdAt": "2026-01-01", "updatedAt": "2026-01-01", **stamps}]
    }
    with contextlib.suppress(CrmUnavailable):
        read_listing(answer, "deals", limit=1)


ENDLESS = "a" * 10_000_000


def test_what_is_kept_of_a_record_has_a_bound(ledger: Ledger) -> None:
    person = Record(
        Ref("crm", Kind.CONTACT, "1"), NOW, NOW, email="b@" + ENDLESS, title=ENDLESS, texts={"note": ENDLESS},
        found={"ref_code": ENDLESS}, stage=ENDLESS, owner=Owner("7", ENDLESS), name=ENDLESS, account=ENDLESS,
        emails=("a@" + ENDLESS, *(f"b{number}@buyer.io" for number in range(20_000))),
        further_stages=tuple(Stage(f"s{number}") for number in range(20_000)),
    )  # fmt: skip
    stands = Link(Ref("crm", Kind.DEAL, "2"), Relation.ASSOCIATED_WITH, person.ref, labels=(ENDLESS,) * 1_000)
    for _ in range(2):
        counts = keep_page(ledger, 1, "crm", Page((person,), (stands,)), NOW)
    assert counts["unchanged"] == 1, "what was cut is known again"
    kept = record_of(ledger, person.ref)
    assert kept
    assert (kept.email, len(kept.emails), len(kept.further_stages)) == (None, MOST_OF_A_RECORD, MOST_OF_A_RECORD)
    texts = (kept.title, kept.texts["note"], kept.found["ref_code"], kept.stage, kept.owner and kept.owner.name)
    assert [len(text or "") for text in texts] == [LONGEST_TEXT] * 5
    (row,) = ledger.rows("SELECT labels FROM links")
    assert len(labels_from(row["labels"])) == MOST_LABELS
    for table in ("records", "links", "queue"):
        ledger.execute(f"DELETE FROM {table}")  # noqa: S608 - constants


def work_of_a_merge(ledger: Ledger, losers: int) -> int:
    """How many calls it takes to read, keep and decide a contact into which so many others were merged."""
    rows = [HubSpotRow("7", NOW, NOW, {"hs_all_contact_vids": ";".join(str(10**9 + at) for at in range(losers))})]

    def done() -> None:
        keep_page(ledger, 1, "hub", page_of(HUBSPOT, Kind.CONTACT, rows, {}), NOW)
        Decider(RunContext(ledger, 1, Policy(), lambda: NOW)).decide()

    work = calls_of(done)
    for table in ("records", "links"):
        ledger.execute(f"DELETE FROM {table}")  # noqa: S608 - constants
    return work


def test_the_records_that_were_merged_into_one_are_work_in_proportion_and_bounded(ledger: Ledger) -> None:
    work = {losers: work_of_a_merge(ledger, losers) for losers in (250, 1_000, 20_000, 200_000)}
    assert work[1_000] < 4.5 * work[250]
    assert work[200_000] < 1.1 * work[20_000] < 2 * work[1_000]
