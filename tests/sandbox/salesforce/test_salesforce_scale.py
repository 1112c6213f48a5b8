"""The local Salesforce must not be what a measurement measures: cost is counted in steps of SQLite, not in seconds."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

import pytest
import requests

from refloop_sandbox.salesforce import LocalSalesforce
from refloop_sandbox.salesforce.soql_sql import View
from tests.sandbox.sqlite_steps import steps_of

SMALL, LARGE = 1_000, 12_000


def _load(crm: LocalSalesforce, count: int) -> None:
    crm.load(
        "Lead",
        ({"LastName": f"L{number}", "Company": "C", "Email": f"p{number}@x.example",
          "SystemModstamp": f"2026-09-{1 + number % 28:02}T{number % 24:02}:00:00Z"} for number in range(count)),
    )  # fmt: skip


@pytest.fixture(scope="module")
def orgs() -> Iterator[tuple[LocalSalesforce, LocalSalesforce]]:
    """A small one and a large one."""
    with LocalSalesforce() as small, LocalSalesforce() as large:
        _load(small, SMALL)
        _load(large, LARGE)
        yield small, large


def _steps(crm: LocalSalesforce, act: Callable[[], object]) -> int:
    return steps_of(crm._org.store._connection, act)


def _ask(crm: LocalSalesforce, soql: str) -> Callable[[], object]:
    """Asks as the API does, without HTTP: all work of the database is done on this side of it."""
    view = View(crm._org.schema, None, crm._org.now())
    return partial(crm._org.queries.first, soql, view, root="/services/data/v67.0", batch=2000)


@pytest.mark.parametrize(
    "soql",
    [
        "SELECT Id, Email FROM Lead WHERE Email = 'p77@x.example'",
        "SELECT Id FROM Lead WHERE SystemModstamp >= 2026-10-01T00:00:00Z ORDER BY SystemModstamp, Id",
        "SELECT Id, Owner.Name, Owner.Type FROM Lead WHERE Id IN ('00QLo0000000001', '00QLo0000000002')",
        "SELECT Id FROM Lead WHERE Id > '00QLo0000000001' ORDER BY Id LIMIT 100",
    ],
)
def test_a_selective_query_costs_the_same_in_a_big_org(
    orgs: tuple[LocalSalesforce, LocalSalesforce], soql: str
) -> None:
    small, large = (_steps(crm, _ask(crm, soql)) for crm in orgs)
    assert large <= small * 2 + 2


def test_a_later_page_costs_no_more_than_the_first(orgs: tuple[LocalSalesforce, LocalSalesforce]) -> None:
    crm = orgs[1]
    page = _ask(crm, "SELECT Id, Name, Email, SystemModstamp FROM Lead")()
    assert isinstance(page, dict)
    name = page["nextRecordsUrl"].rpartition("/")[2].rpartition("-")[0]
    view = View(crm._org.schema, None, crm._org.now())
    early, late = (
        _steps(crm, partial(crm._org.queries.more, f"{name}-{at}", view, root="")) for at in (2000, LARGE - 2000)
    )
    assert early > 0
    assert late <= early * 1.1


def test_each_row_costs_the_same_to_load() -> None:
    with LocalSalesforce() as crm:
        first, second = (_steps(crm, partial(_load, crm, SMALL)) for _ in range(2))
        many = _steps(crm, partial(_load, crm, 5 * SMALL))
    assert first > 0
    assert second <= first * 1.1
    assert many <= first * 5 * 1.1


@pytest.mark.slow
def test_a_million_rows(crm: LocalSalesforce, api: requests.Session) -> None:
    _load(crm, 1_000_000)
    page = api.get("~/queryAll", params={"q": "SELECT Id, Email, SystemModstamp FROM Lead"}).json()
    seen = len(page["records"])
    while not page["done"]:
        page = api.get(page["nextRecordsUrl"]).json()
        seen += len(page["records"])
    assert seen == page["totalSize"] == 1_000_000
