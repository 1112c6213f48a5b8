"""A local Salesforce on loopback, its clock, and a session that is signed in."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import requests
from starlette.types import ASGIApp, Receive, Scope, Send

from refloop_sandbox.salesforce import LocalSalesforce
from refloop_sandbox.server import Server
from tests.patience import PATIENCE


class _Clock:
    def __init__(self) -> None:
        self.now = datetime(2026, 10, 1, 12, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def tick(self, seconds: float) -> datetime:
        self.now += timedelta(seconds=seconds)
        return self.now


class _Session(requests.Session):
    """Takes paths: `~/` stands for the API version's root."""

    def __init__(self, base: str, token: str) -> None:
        super().__init__()
        self.trust_env = False
        self.base = base
        self.headers["Authorization"] = f"Bearer {token}"

    def request(self, method: str | bytes, url: str | bytes, *args: Any, **kwargs: Any) -> requests.Response:
        path = str(url).replace("~/", "/services/data/v67.0/", 1)
        kwargs.setdefault("timeout", PATIENCE)
        return super().request(method, path if path.startswith("http") else self.base + path, *args, **kwargs)


@pytest.fixture
def clock() -> _Clock:
    return _Clock()


@pytest.fixture
def tick(clock: _Clock) -> Callable[[float], datetime]:
    return clock.tick


@pytest.fixture
def crm(clock: _Clock) -> Iterator[LocalSalesforce]:
    with LocalSalesforce(clock=clock) as local:
        yield local


class _Switch:
    """One server for all tests: to start and stop one costs more than most tests."""

    def __init__(self) -> None:
        self.app: ASGIApp | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        assert self.app is not None
        await self.app(scope, receive, send)


@pytest.fixture(scope="session")
def switch() -> Iterator[tuple[_Switch, str]]:
    switch = _Switch()
    with Server(switch) as server:
        yield switch, server.url


@pytest.fixture
def url(switch: tuple[_Switch, str], crm: LocalSalesforce) -> str:
    switch[0].app = crm.app
    return switch[1]


@pytest.fixture
def api(crm: LocalSalesforce, url: str) -> Iterator[requests.Session]:
    with _Session(url, crm.access_token()) as session:
        yield session


@pytest.fixture
def query(api: requests.Session) -> Callable[[str], list[dict[str, Any]]]:
    """The records of a query that fits one page, without their attributes."""

    def run(soql: str) -> list[dict[str, Any]]:
        answer = api.get("~/query", params={"q": soql})
        assert answer.status_code == 200, answer.text
        records: list[dict[str, Any]] = answer.json()["records"]
        for record in records:
            del record["attributes"]
        return records

    return run
