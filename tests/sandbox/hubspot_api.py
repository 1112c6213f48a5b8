"""What tests of the local HubSpot speak to it with."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import requests
from starlette.types import ASGIApp, Receive, Scope, Send

from tests.patience import PATIENCE

START = datetime(2026, 9, 1, 10, 0, tzinfo=UTC)


class Clock:
    """A clock that moves when told to."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> datetime:
        return self.now

    def pass_(self, **by: float) -> None:
        self.now += timedelta(**by)


class Api(requests.Session):
    """Speaks to the local HubSpot with its token."""

    def __init__(self, url: str) -> None:
        super().__init__()
        self.trust_env = False
        self.url = url
        self.headers["Authorization"] = "Bearer pat-na1-local"

    def ask(self, method: str, path: str, body: Any = None, **more: Any) -> requests.Response:
        return self.request(method, self.url + path, json=body, timeout=PATIENCE, **more)


class Gate:
    """Lets one server serve the account of the test at hand."""

    account: ASGIApp

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self.account(scope, receive, send)
