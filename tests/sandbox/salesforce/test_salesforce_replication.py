"""What a client needs to miss no change: cursors, queryAll, updated and deleted."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
import requests

from refloop_sandbox.salesforce import LocalSalesforce

Tick = Callable[[float], datetime]


def _leads(crm: LocalSalesforce, count: int) -> list[str]:
    return crm.load("Lead", ({"LastName": f"L{number}", "Company": "C"} for number in range(count)))


def _pages(api: requests.Session, soql: str, headers: dict[str, str] | None = None) -> list[dict[str, Any]]:
    page = api.get("~/queryAll", params={"q": soql}, headers=headers).json()
    pages = [page]
    while not page["done"]:
        page = api.get(page["nextRecordsUrl"]).json()
        pages.append(page)
    return pages


def test_pages_bring_each_row_once(crm: LocalSalesforce, api: requests.Session) -> None:
    ids = _leads(crm, 4500)
    pages = _pages(api, "SELECT Id FROM Lead ORDER BY Id")
    assert [len(page["records"]) for page in pages] == [2000, 2000, 500]
    assert {page["totalSize"] for page in pages} == {4500}
    assert [row["Id"] for page in pages for row in page["records"]] == ids
    assert crm.calls == {"GET /queryAll": 1, "GET /query/{locator}": 2}


@pytest.mark.parametrize(("asked", "size"), [("batchSize=200", 200), ("batchSize=1", 200), ("batchSize=9999", 450)])
def test_a_client_may_ask_for_smaller_pages(crm: LocalSalesforce, api: requests.Session, asked: str, size: int) -> None:
    _leads(crm, 450)
    pages = _pages(api, "SELECT Id FROM Lead", {"Sforce-Query-Options": asked})
    assert len(pages[0]["records"]) == size
    assert sum(len(page["records"]) for page in pages) == 450


def test_locators(crm: LocalSalesforce, api: requests.Session, tick: Tick) -> None:
    ids = _leads(crm, 2001)
    following = api.get("~/query", params={"q": "SELECT Id FROM Lead ORDER BY Id"}).json()["nextRecordsUrl"]
    crm.delete("Lead", ids[0])
    again = [api.get(f"{following}?q=stale").json() for _ in range(2)]
    assert again[0] == again[1]
    assert [row["Id"] for row in again[0]["records"]] == ids[2000:]
    for locator in ("nope", following.rsplit("/", 1)[1].replace("-2000", "-9999")):
        answer = api.get(f"~/query/{locator}")
        assert (answer.status_code, answer.json()[0]["errorCode"]) == (400, "INVALID_QUERY_LOCATOR")
    stranger = {"Authorization": f"Bearer {crm.access_token(crm.admin_user)}"}
    assert api.get(following, headers=stranger).json()[0]["errorCode"] == "INVALID_QUERY_LOCATOR"
    tick(2 * 86_400 + 1)
    assert api.get(following).json()[0]["errorCode"] == "INVALID_QUERY_LOCATOR"


def test_deleted_rows_are_in_query_all_only(crm: LocalSalesforce, api: requests.Session) -> None:
    kept, binned, purged = _leads(crm, 3)
    crm.delete("Lead", binned)
    crm.delete("Lead", purged, hard=True)
    soql = {"q": "SELECT Id, IsDeleted FROM Lead ORDER BY Id"}
    assert [row["Id"] for row in api.get("~/query", params=soql).json()["records"]] == [kept]
    everything = api.get("~/queryAll/", params=soql).json()["records"]
    assert [(row["Id"], row["IsDeleted"]) for row in everything] == [(kept, False), (binned, True)]


def _window(start: datetime, end: datetime) -> dict[str, str]:
    return {"start": start.isoformat(), "end": end.isoformat()}


def test_updated_counts_whole_minutes(crm: LocalSalesforce, api: requests.Session, tick: Tick) -> None:
    start = tick(0)
    (early,) = _leads(crm, 1)
    tick(90)
    (late,) = _leads(crm, 1)
    now = tick(60)
    body = api.get("~/sobjects/Lead/updated/", params=_window(start, now)).json()
    assert body == {"ids": [early, late], "latestDateCovered": "2026-10-01T12:02:00.000+0000"}
    body = api.get("~/sobjects/Lead/updated", params=_window(start, start + timedelta(seconds=119))).json()
    assert body == {"ids": [early], "latestDateCovered": "2026-10-01T12:01:00.000+0000"}


def test_the_future_is_not_covered(api: requests.Session, tick: Tick) -> None:
    now = tick(0)
    body = api.get("~/sobjects/Lead/updated", params=_window(now - timedelta(hours=1), now + timedelta(hours=1))).json()
    assert body["latestDateCovered"] == "2026-10-01T12:00:00.000+0000"


def test_a_long_transaction_holds_the_covered_date_back(
    crm: LocalSalesforce, api: requests.Session, tick: Tick
) -> None:
    (lead,) = _leads(crm, 1)
    start = tick(60)
    with crm.transaction() as slow:
        slow.update("Lead", lead, {"Title": "late"})
        end = tick(600)
        seen = api.get("~/sobjects/Lead/updated", params=_window(start, end)).json()
        assert seen == {"ids": [], "latestDateCovered": "2026-10-01T12:01:00.000+0000"}
    row = crm.get("Lead", lead) or {}
    assert (row["Title"], row["SystemModstamp"]) == ("late", "2026-10-01T12:01:00.000+0000")
    seen = api.get("~/sobjects/Lead/updated", params=_window(start, end)).json()
    assert seen == {"ids": [lead], "latestDateCovered": "2026-10-01T12:11:00.000+0000"}


def test_deleted_lists_soft_and_hard_deletions(crm: LocalSalesforce, api: requests.Session, tick: Tick) -> None:
    start = tick(0)
    _, binned, purged, back = _leads(crm, 4)
    crm.delete("Lead", binned)
    crm.delete("Lead", purged, hard=True)
    crm.delete("Lead", back)
    crm.undelete("Lead", back)
    window = _window(start, tick(60))
    body = api.get("~/sobjects/Lead/deleted/", params=window).json()
    assert [row["id"] for row in body["deletedRecords"]] == [binned, purged]
    assert body["deletedRecords"][0]["deletedDate"] == "2026-10-01T12:00:00.000+0000"
    assert body["earliestDateAvailable"] == "2026-09-16T12:01:00.000+0000"
    crm.forget_deletions()
    assert api.get("~/sobjects/Lead/deleted", params=window).json()["deletedRecords"] == []


@pytest.mark.parametrize(
    ("resource", "start", "end", "code"),
    [
        ("updated", "2026-10-01T11:00:00Z", "2026-10-01T11:00:59Z", "INVALID_REPLICATION_DATE"),
        ("updated", "2026-10-01T11:01:00Z", "2026-10-01T11:00:00Z", "INVALID_REPLICATION_DATE"),
        ("updated", "2026-08-01T11:00:00Z", "2026-10-01T11:00:00Z", "INVALID_REPLICATION_DATE"),
        ("deleted", "2026-09-10T11:00:00Z", "2026-10-01T11:00:00Z", "INVALID_REPLICATION_DATE"),
        ("updated", "2026-10-01T11:00:00", "2026-10-01T12:00:00Z", "INVALID_REPLICATION_DATE"),
        ("updated", "2026-10-01T11:00:00 00:00", "2026-10-01T12:00:00Z", "INVALID_REPLICATION_DATE"),
    ],
)
def test_windows_that_are_refused(api: requests.Session, resource: str, start: str, end: str, code: str) -> None:
    answer = api.get(f"~/sobjects/Lead/{resource}", params={"start": start, "end": end})
    assert (answer.status_code, answer.json()[0]["errorCode"]) == (400, code)
