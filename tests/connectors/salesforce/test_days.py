"""Days without a zone become instants in the org's; which org it is, and in which zone, is asked once a day."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from refloop.connectors.salesforce.records import Reader
from refloop.mapping.days import day_in, zone_named
from refloop.model import Account, Everything, Kind, Outcome, Since
from refloop_sandbox.salesforce import LocalSalesforce
from tests.connectors.salesforce.connections import Connections, connections
from tests.connectors.salesforce.pages import last_cursor
from tests.connectors.salesforce.test_records import DEAL, row, settings

PACIFIC, TOKYO, AUCKLAND = "America/Los_Angeles", "Asia/Tokyo", "Pacific/Auckland"


def closed(
    zone: str, close: str | None, *, changed: str | None = None, saved: str = "2027-01-01T00:00:00Z"
) -> datetime:
    times = {"LastStageChangeDate": changed, "SystemModstamp": saved}
    shown = row(DEAL, IsClosed=True, IsWon=True, **({"CloseDate": close} if close else {})) | times
    record = Reader("crm", settings(), (), zone_named(zone)).record(Kind.DEAL, shown)
    assert record.outcome is Outcome.WON
    assert record.closed_at
    return record.closed_at


def utc(year: int, month: int, day: int, hour: int = 0, minute: int = 0, second: int = 0) -> datetime:
    return datetime(year, month, day, hour, minute, second, tzinfo=UTC)


@pytest.mark.parametrize(
    ("zone", "close", "begins"),
    [
        (PACIFIC, "2026-03-31", utc(2026, 3, 31, 7)),
        (PACIFIC, "2026-03-08", utc(2026, 3, 8, 8)),  # clocks go forward that night: it begins in winter
        (PACIFIC, "2026-03-09", utc(2026, 3, 9, 7)),
        (PACIFIC, "2026-11-02", utc(2026, 11, 2, 8)),
        (TOKYO, "2026-04-01", utc(2026, 3, 31, 15)),
        (AUCKLAND, "2026-04-06", utc(2026, 4, 5, 12)),  # the day after summer ends there
        ("GMT", "2026-04-01", utc(2026, 4, 1)),
    ],
)
def test_a_close_date_is_the_start_of_that_day_where_its_people_are(zone: str, close: str, begins: datetime) -> None:
    assert closed(zone, close) == begins
    assert day_in(zone_named(zone), begins).isoformat() == close


@pytest.mark.parametrize(
    ("zone", "close", "changed", "saved", "expected"),
    [
        # in the books for a day to come: closed when it entered its stage, else when it was saved
        (PACIFIC, "2027-12-31", "2026-06-01T10:00:00Z", "2026-06-09T10:00:00Z", utc(2026, 6, 1, 10)),
        (PACIFIC, "2027-12-31", None, "2026-06-09T10:00:00Z", utc(2026, 6, 9, 10)),
        (TOKYO, "2026-06-10", None, "2026-06-09T14:59:59Z", utc(2026, 6, 9, 14, 59, 59)),
        (TOKYO, "2026-06-10", None, "2026-06-09T15:00:00Z", utc(2026, 6, 9, 15)),
        # won on 31 March, 18:30 Pacific: today is 1 April for Salesforce, and stays 31 March after later saves
        (PACIFIC, "2026-04-01", "2026-04-01T01:30:00Z", "2026-04-01T01:30:00Z", utc(2026, 4, 1, 1, 30)),
        (PACIFIC, "2026-04-01", "2026-04-01T01:30:00Z", "2026-08-01T01:30:00Z", utc(2026, 4, 1, 1, 30)),
        # a correction of the stage a month later does not move the day
        (PACIFIC, "2026-03-31", "2026-04-28T12:00:00Z", "2026-04-28T12:00:00Z", utc(2026, 3, 31, 7)),
        # the books say a later day: that it has come since does not move the day, for whoever looked before said this
        (PACIFIC, "2026-06-30", "2026-06-10T12:00:00Z", "2026-07-02T12:00:00Z", utc(2026, 6, 10, 12)),
        # who may not see CloseDate
        (PACIFIC, None, "2026-06-10T12:00:00Z", "2026-07-02T12:00:00Z", utc(2026, 6, 10, 12)),
    ],
)
def test_a_deal_was_closed_no_later_than_it_was_saved(
    zone: str, close: str | None, changed: str | None, saved: str, expected: datetime
) -> None:
    assert closed(zone, close, changed=changed, saved=saved) == expected


def test_days_at_the_edge_of_the_calendar_are_days() -> None:
    assert closed(TOKYO, "0001-01-01") == utc(1, 1, 1)
    assert closed(PACIFIC, "9999-12-31", saved="2026-01-01T00:00:00Z") == utc(2026, 1, 1)
    changed = "2026-01-01T00:00:00Z"
    assert {closed(PACIFIC, day, changed=changed) for day in ("12026-01-01", "-0044-03-15")} == {utc(2026, 1, 1)}


@pytest.fixture
def pacific() -> Any:
    with LocalSalesforce(time_zone=PACIFIC, currency="CAD") as local:
        yield local


def test_which_org_it_is_costs_one_call_and_none_while_it_is_known(
    pacific: LocalSalesforce, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SF_SECRET", "local-secret")
    with connections(pacific) as connect:
        said = connect().account(None)
        assert said == Account(pacific.organization_id, PACIFIC, "CAD")
        before = pacific.api_usage
        assert before == 1
        assert connect().account(said) == said
        assert pacific.api_usage == before
        assert connect().account(Account("00D000000000001EAA", TOKYO, "JPY")) == said  # known of another org
        assert connect(time_zone=TOKYO).account(said) == Account(pacific.organization_id, TOKYO, "CAD")


def test_two_orgs_have_two_ids(local: LocalSalesforce, pacific: LocalSalesforce) -> None:
    assert local.organization_id != pacific.organization_id


def won(local: LocalSalesforce) -> str:
    deal = {"Name": "Deal", "StageName": "Closed Won", "CloseDate": "2026-03-31"}
    return local.load("Opportunity", [deal])[0]


@pytest.mark.parametrize("bulk_rows", [50_000, 0])
def test_days_are_read_in_the_zone_of_the_org(
    pacific: LocalSalesforce, monkeypatch: pytest.MonkeyPatch, bulk_rows: int
) -> None:
    monkeypatch.setenv("SF_SECRET", "local-secret")
    won(pacific)
    with connections(pacific, bulk_rows=bulk_rows) as connect:
        for changes, begins in (({}, utc(2026, 3, 31, 7)), ({"time_zone": TOKYO}, utc(2026, 3, 30, 15))):
            pages = list(connect(**changes).pull((), Everything()))
            assert [record.closed_at for page in pages for record in page.records] == [begins]


def test_where_the_zone_of_an_org_moves_all_days_are_read_again(local: LocalSalesforce, connect: Connections) -> None:
    won(local)
    crm = connect()
    crm.account(None)
    cursor = last_cursor(list(crm.pull((), Everything())))
    again = connect()
    again.account(None)
    cursor = last_cursor(list(again.pull((), Since(cursor))))

    local.set_time_zone(PACIFIC)
    moved = connect()
    moved.account(None)
    pages = list(moved.pull((), Since(cursor)))
    assert [record.closed_at for page in pages for record in page.records] == [utc(2026, 3, 31, 7)]
    calls = local.api_usage
    still = connect()
    still.account(Account(local.organization_id, PACIFIC, "USD"))
    list(still.pull((), Since(last_cursor(pages))))
    assert local.api_usage == calls + 1
