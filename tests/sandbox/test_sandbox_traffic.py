"""Latency, rate windows and long-running requests of both local CRMs."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import requests
from starlette.types import Message

from refloop_sandbox.crm import LocalCrm
from refloop_sandbox.hubspot import Allowance, LocalHubSpot
from refloop_sandbox.salesforce import LocalSalesforce
from refloop_sandbox.server import Server
from refloop_sandbox.traffic import Traffic, Window
from tests.patience import PATIENCE
from tests.sandbox.virtual_time import VirtualTime

LIMITS = "/services/data/v67.0/limits"
CONTACTS = "/crm/objects/2026-09/contacts"


def statuses(url: str, token: str, count: int, *, at_once: int = 8) -> list[int]:
    def ask(_: int) -> int:
        return requests.get(url, headers={"Authorization": f"Bearer {token}"}, timeout=PATIENCE).status_code

    with ThreadPoolExecutor(at_once) as pool:
        return list(pool.map(ask, range(count)))


def at_once(crm: LocalCrm, clock: VirtualTime, path: str, token: str, count: int) -> list[int]:
    """The statuses of calls that all arrive in the same moment."""

    async def call() -> int:
        scope = {
            "type": "http", "method": "GET", "scheme": "http", "path": path, "raw_path": path.encode(),
            "query_string": b"", "headers": [(b"authorization", f"Bearer {token}".encode())],
        }  # fmt: skip
        sent: list[Message] = []

        async def receive() -> Message:
            return {"type": "http.request", "body": b""}

        async def send(message: Message) -> None:
            sent.append(message)

        await crm.app(scope, receive, send)
        return int(sent[0]["status"])

    async def calls() -> list[int]:
        return await asyncio.gather(*(call() for _ in range(count)))

    return clock.run(calls)


def salesforce(**settings: Any) -> tuple[LocalSalesforce, str, str]:
    org = LocalSalesforce(latency=0.15, **settings)
    return org, LIMITS, org.access_token()


@pytest.mark.parametrize("made", [salesforce, lambda: (LocalHubSpot(latency=0.15), CONTACTS, "pat-na1-local")])
def test_calls_at_the_same_time_share_the_latency(made: Callable[[], tuple[LocalCrm, str, str]]) -> None:
    crm, path, token = made()
    clock = VirtualTime()
    assert at_once(crm, clock, path, token, 1) == [200]
    assert clock.now == pytest.approx(0.15)
    assert at_once(crm, clock, path, token, 8) == [200] * 8
    assert clock.now == pytest.approx(0.3)
    assert crm.traffic.peak == 8
    assert crm.refused == {}


def test_latency_may_depend_on_the_call() -> None:
    seen: list[tuple[str, str]] = []

    def latency(method: str, path: str) -> float:
        seen.append((method, path))
        return 0.0

    with LocalSalesforce(latency=latency) as org, Server(org.app) as server:
        assert statuses(server.url + LIMITS, org.access_token(), 1) == [200]
    assert seen == [("GET", LIMITS)]


def test_a_window_slides() -> None:
    window = Window(2, 1000)
    for now, full in [(0, False), (400, False), (500, True), (999, True), (1000, False), (1001, True), (1400, False)]:
        assert window.is_full(now) is full
        if not full:
            window.count(now)


def test_long_requests_beyond_the_limit_are_refused_and_short_ones_never() -> None:
    org, path, token = salesforce(strict=True)
    clock = VirtualTime()
    org.traffic.clock = clock.time
    assert at_once(org, clock, path, token, 30) == [200] * 30, "none of them ran for 20 seconds"
    org.traffic.long_after, org.traffic.most_long = 0.05, 2
    assert sorted(at_once(org, clock, path, token, 4)) == [200, 200, 403, 403]
    assert org.refused == {"concurrent": 2}
    assert at_once(org, clock, path, token, 2) == [200, 200]
    org.close()


def test_what_runs_long_counts_the_one_that_asks() -> None:
    traffic = Traffic(most_long=1, long_after=0.0)
    with traffic.flight():
        assert not traffic.crowded()
        with traffic.flight():
            assert traffic.crowded()
        assert not traffic.crowded()


def test_a_daily_limit_refuses_and_is_counted() -> None:
    with LocalSalesforce(daily_limit=3) as org, Server(org.app) as server:
        assert statuses(server.url + LIMITS, org.access_token(), 5, at_once=1) == [200] * 3 + [403] * 2
        assert org.refused == {"daily": 2}


def test_hubspots_windows_count_what_they_refuse() -> None:
    allowance = Allowance(per_ten_seconds=3, searches_per_second=1, associations_per_ten_seconds=2)
    account = LocalHubSpot(strict=True, allowance=allowance)
    headers = {"Authorization": "Bearer pat-na1-local"}
    with Server(account.app) as server, requests.Session() as session:
        session.headers.update(headers)
        links = f"{server.url}/crm/associations/2026-09/deals/contacts/batch/read"
        answers = [session.post(links, json={"inputs": []}) for _ in range(3)]
        assert [one.status_code < 300 for one in answers] == [True, True, False]
        assert answers[2].json()["groupName"].startswith("publicapi:associations-ten-secondly")
        assert statuses(server.url + CONTACTS, "pat-na1-local", 2, at_once=1) == [200, 429]
        assert answers[1].headers["X-HubSpot-RateLimit-Remaining"] == "1"
    assert account.refused == {"TEN_SECONDLY_ROLLING": 2}


def test_nothing_is_refused_unless_it_is_strict() -> None:
    account = LocalHubSpot(allowance=Allowance(per_ten_seconds=1, daily=1))
    with Server(account.app) as server:
        assert statuses(server.url + CONTACTS, "pat-na1-local", 5) == [200] * 5
    assert account.refused == {}


def test_a_professional_account_has_more() -> None:
    allowance = Allowance.professional()
    assert (allowance.per_ten_seconds, allowance.associations_per_ten_seconds, allowance.daily) == (190, 150, 650_000)
