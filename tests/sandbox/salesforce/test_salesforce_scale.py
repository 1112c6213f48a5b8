"""The local Salesforce must not be what a measurement measures. Ratios, not seconds: machines differ."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial

import pytest
import requests

from refloop_sandbox.salesforce import LocalSalesforce


def _load(crm: LocalSalesforce, count: int) -> None:
    crm.load(
        "Lead",
        ({"LastName": f"L{number}", "Company": "C", "Email": f"p{number}@x.example",
          "SystemModstamp": f"2026-09-{1 + number % 28:02}T{number % 24:02}:00:00Z"} for number in range(count)),
    )  # fmt: skip


def _best(act: Callable[[], object]) -> float:
    def once() -> float:
        start = time.perf_counter()
        act()
        return time.perf_counter() - start

    return min(once() for _ in range(3))


_SELECTIVE = (
    "SELECT Id, Email FROM Lead WHERE Email = 'p77@x.example'",
    "SELECT Id FROM Lead WHERE SystemModstamp >= 2026-10-01T00:00:00Z ORDER BY SystemModstamp, Id",
    "SELECT Id, Owner.Name FROM Lead WHERE Id IN ('00QLo0000000001', '00QLo0000000002')",
    "SELECT Id FROM Lead WHERE Id > '00QLo0000000001' ORDER BY Id LIMIT 100",
)


def test_a_selective_query_costs_the_same_in_a_big_org(crm: LocalSalesforce, api: requests.Session) -> None:
    def ask(soql: str) -> None:
        assert api.get("~/query", params={"q": soql}).status_code == 200

    _load(crm, 1000)
    small = [_best(partial(ask, soql)) for soql in _SELECTIVE]
    _load(crm, 49_000)
    big = [_best(partial(ask, soql)) for soql in _SELECTIVE]
    assert all(after < before * 5 + 0.005 for before, after in zip(small, big, strict=True))


def test_a_later_page_costs_no_more_than_the_first(crm: LocalSalesforce, api: requests.Session) -> None:
    _load(crm, 50_000)
    page = api.get("~/query", params={"q": "SELECT Id, Name, Email, SystemModstamp FROM Lead"}).json()
    name = page["nextRecordsUrl"].rsplit("-", 1)[0]
    early, late = (_best(partial(api.get, f"{name}-{at}")) for at in (2000, 48_000))
    assert late < early * 3


def test_loading_takes_time_in_proportion(crm: LocalSalesforce) -> None:
    few = _best(lambda: _load(crm, 5000))
    start = time.perf_counter()
    _load(crm, 50_000)
    assert time.perf_counter() - start < few * 10 * 2.5


@pytest.mark.slow
def test_a_million_rows(crm: LocalSalesforce, api: requests.Session) -> None:
    _load(crm, 1_000_000)
    page = api.get("~/queryAll", params={"q": "SELECT Id, Email, SystemModstamp FROM Lead"}).json()
    seen = len(page["records"])
    while not page["done"]:
        page = api.get(page["nextRecordsUrl"]).json()
        seen += len(page["records"])
    assert seen == page["totalSize"] == 1_000_000
