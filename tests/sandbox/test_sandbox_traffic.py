"""Latency, rate windows and long-running requests of both local CRMs."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests

from refloop_sandbox.crm import LocalCrm
from refloop_sandbox.hubspot import Allowance, LocalHubSpot
from refloop_sandbox.salesforce import LocalSalesforce
from refloop_sandbox.server import Server
from refloop_sandbox.traffic import Traffic, Window

LIMITS = "/services/data/v67.0/limits"
CONTACTS = "/crm/objects/2026-09/contacts"


def statuses(url: str, token: str, count: int, *, at_once: int = 8) -> list[int]:
    def ask(_: int) -> int:
        return requests.get(url, headers={"Authorization": f"Bearer {token}"}, timeout=20).status_code

    with ThreadPoolExecutor(at_once) as pool:
        return list(pool.map(ask, range(count)))


@pytest.fixture(params=["salesforce", "hubspot"])
def slow(request: pytest.FixtureRequest) -> Iterator[tuple[LocalCrm, str, str]]:
    if request.param == "salesforce":
        with LocalSalesforce(latency=0.15) as org, Server(org.app) as server:
            yield org, server.url + LIMITS, org.access_token()
    else:
        account = LocalHubSpot(latency=0.15)
        with Server(account.app) as server:
            yield account, server.url + CONTACTS, "pat-na1-local"


def test_calls_at_the_same_time_share_the_latency(slow: tuple[LocalCrm, str, str]) -> None:
    crm, url, token = slow
    start = time.perf_counter()
    assert statuses(url, token, 1) == [200]
    one = time.perf_counter() - start
    start = time.perf_counter()
    assert statuses(url, token, 8) == [200] * 8
    eight = time.perf_counter() - start
    assert one >= 0.15
    assert eight < 8 * 0.15 / 2
    assert crm.traffic.peak > 1
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
    with LocalSalesforce(strict=True, latency=0.3) as org, Server(org.app) as server:
        token = org.access_token()
        assert statuses(server.url + LIMITS, token, 30, at_once=30) == [200] * 30, "none of them ran for 20 seconds"
        org.traffic.long_after, org.traffic.most_long = 0.05, 2
        answers = statuses(server.url + LIMITS, token, 4, at_once=4)
        assert set(answers) == {200, 403}
        assert org.refused["concurrent"] == answers.count(403)
        assert statuses(server.url + LIMITS, token, 2, at_once=2) == [200, 200]


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
