"""Fixtures: accounts of the local HubSpot; and a HubSpot that gives whatever answers a test wants."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import responses

from refloop.connectors.hubspot import HubSpot
from tests.connectors.hubspot.account import Account, no_clock
from tests.connectors.hubspot.answers import settings


@pytest.fixture
def accounts(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Account]]:
    monkeypatch.setenv("HUBSPOT_TOKEN", "pat-local")
    made: list[Account] = []

    def make(**options: Any) -> Account:
        made.append(Account(**options))
        return made[-1]

    yield make
    for account in made:
        for close in account.closing:
            close()


@pytest.fixture
def account(accounts: Callable[..., Account]) -> Account:
    return accounts()


@pytest.fixture
def crm(monkeypatch: pytest.MonkeyPatch) -> Iterator[responses.RequestsMock]:
    monkeypatch.setenv("HUBSPOT_TOKEN", "pat-na1-secret")
    with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
        yield mock


@pytest.fixture
def hubspot(crm: responses.RequestsMock) -> Iterator[HubSpot]:
    """A connector to what `crm` answers."""
    connector = HubSpot("hub", settings(), clock=no_clock)
    yield connector
    connector.close()
