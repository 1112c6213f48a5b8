"""The connector contract, against the local HubSpot over real HTTP, in the ways that HubSpot may behave."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from refloop.testing import ConnectorContract, World
from refloop_sandbox.hubspot import Quirks
from refloop_sandbox.server import Server
from tests.connectors.hubspot.world import TOKEN, Front, HubSpotWorld


@pytest.fixture(scope="module")
def served() -> Iterator[tuple[Front, str]]:
    front = Front()
    with Server(front) as server:
        yield front, server.url


@pytest.fixture(autouse=True)
def _secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HUBSPOT_TOKEN", TOKEN)
    monkeypatch.setenv("HUBSPOT_STRANGER", "pat-na1-stranger")


class TestHubSpot(ConnectorContract):
    @pytest.fixture
    def world(self, served: tuple[Front, str]) -> World:
        return HubSpotWorld(*served, Quirks())


class TestHubSpotTheOtherWay(ConnectorContract):
    """What HubSpot does not document, the other way round."""

    @pytest.fixture
    def world(self, served: tuple[Front, str]) -> World:
        other = Quirks(identical_writes_bump=False, batch_read_follows_merges=False, isolates_invalid_updates=False)
        return HubSpotWorld(*served, other)
