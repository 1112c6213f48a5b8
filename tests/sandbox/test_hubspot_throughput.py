"""The local HubSpot must not be what a benchmark measures: cost is counted in steps of SQLite, not in seconds."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest

from refloop_sandbox.hubspot import LocalHubSpot
from refloop_sandbox.hubspot.schema import CONTACTS
from refloop_sandbox.hubspot.search import Search, parse
from tests.sandbox.sqlite_steps import steps_of

SMALL, LARGE = 1_000, 10_000
START = 1_767_225_600_000


def load(hubspot: LocalHubSpot, first: int, end: int) -> None:
    numbers = range(first, end)
    hubspot.load("contacts", ({"email": f"p{number}@x.org", "lastmodifieddate": START + number} for number in numbers))


def account(size: int) -> LocalHubSpot:
    hubspot = LocalHubSpot()
    load(hubspot, 0, size)
    return hubspot


@pytest.fixture(scope="module")
def accounts() -> tuple[LocalHubSpot, LocalHubSpot]:
    return account(SMALL), account(LARGE)


def steps(hubspot: LocalHubSpot, body: dict[str, Any]) -> int:
    """How many hundreds of SQLite's own instructions a search takes."""

    def search() -> None:
        assert Search(hubspot._portal).run(CONTACTS, parse(body, 10_000)).rows

    return steps_of(hubspot._portal.store.sql, search)


def body(*filters: tuple[str, str, str], **more: Any) -> dict[str, Any]:
    listed = [{"propertyName": name, "operator": operator, "value": value} for name, operator, value in filters]
    return {"filterGroups": [{"filters": listed}], "limit": 200, **more}


BY_ID = {"sorts": [{"propertyName": "hs_object_id", "direction": "ASCENDING"}]}


@pytest.mark.parametrize(
    "asked",
    [
        body(("email", "EQ", "p77@x.org")),
        body(("lastmodifieddate", "LT", str(START + 500)), ("hs_object_id", "GT", "100"), **BY_ID),
        body(("hs_object_id", "EQ", "777")),
    ],
    ids=["by e-mail", "a small window by id", "one id"],
)
def test_a_search_costs_what_it_finds(accounts: tuple[LocalHubSpot, LocalHubSpot], asked: dict[str, Any]) -> None:
    small, large = (steps(one, asked) for one in accounts)
    assert large <= small * 2 + 2


def test_a_walk_through_everything_counts_once(accounts: tuple[LocalHubSpot, LocalHubSpot]) -> None:
    hubspot = accounts[1]
    statements: list[str] = []
    store = hubspot._portal.store
    store.sql.set_trace_callback(statements.append)
    search, last = Search(hubspot._portal), 0
    while rows := search.run(CONTACTS, parse(body(("hs_object_id", "GT", str(last)), **BY_ID), 10_000)).rows:
        last = rows[-1].id
    store.sql.set_trace_callback(None)
    assert sum("count(*)" in statement for statement in statements) == 1
    assert len(statements) == 1 + LARGE // 200 + 1


def test_each_row_costs_the_same_to_load() -> None:
    hubspot = LocalHubSpot()
    sql = hubspot._portal.store.sql
    first, second = (steps_of(sql, partial(load, hubspot, at, at + SMALL)) for at in (0, SMALL))
    many = steps_of(sql, partial(load, hubspot, 2 * SMALL, 7 * SMALL))
    assert first > 0
    assert second <= first * 1.1
    assert many <= first * 5 * 1.1
