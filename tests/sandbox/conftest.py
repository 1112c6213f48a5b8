"""Fixtures: an account of the local HubSpot, behind one server for all tests of a file."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from refloop_sandbox.hubspot import LocalHubSpot
from refloop_sandbox.server import Server
from tests.sandbox.hubspot_api import Api, Clock, Gate


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def hubspot(clock: Clock) -> LocalHubSpot:
    return LocalHubSpot(clock=clock)


@pytest.fixture(scope="module")
def served() -> Iterator[tuple[Gate, str]]:
    gate = Gate()
    with Server(gate) as server:
        yield gate, server.url


@pytest.fixture
def api(hubspot: LocalHubSpot, served: tuple[Gate, str]) -> Iterator[Api]:
    gate, url = served
    gate.account = hubspot.app
    with Api(url) as session:
        yield session
