"""Connectors to one local org, over real HTTP."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from refloop.connectors.salesforce import Salesforce, SalesforceSettings
from refloop_sandbox.salesforce import LocalSalesforce
from refloop_sandbox.server import Server

APP = {"method": "client_credentials", "client_id": "local-client", "client_secret": "env:SF_SECRET"}


class Connections:
    """Makes connectors with these settings; notes the pauses that they would have made, or hands them to `sleep`."""

    def __init__(self, url: str, sleep: Callable[[float], None] | None = None, **settings: Any) -> None:
        self.url = url
        self.made: list[Salesforce] = []
        self.pauses: list[float] = []
        self._sleep = sleep or self.pauses.append
        self._settings = settings

    def __call__(self, **changes: Any) -> Salesforce:
        document = {"connector": "salesforce", "url": self.url, "auth": APP, **self._settings, **changes}
        settings = SalesforceSettings.model_validate(document)
        crm = Salesforce("crm", settings, clock=lambda: datetime.now(UTC))
        crm._client.transport._sleep = self._sleep
        self.made.append(crm)
        return crm


@contextmanager
def connections(
    local: LocalSalesforce, sleep: Callable[[float], None] | None = None, **settings: Any
) -> Iterator[Connections]:
    """Serves the org, and closes what was opened."""
    with Server(local.app) as server:
        opened = Connections(server.url, sleep, **settings)
        yield opened
        for crm in opened.made:
            crm.close()
