"""Fixtures: HubSpot accounts of the local CRM."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.connectors.hubspot.account import (
    Office,
)


@pytest.fixture
def offices(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Office]]:
    monkeypatch.setenv("HUBSPOT_TOKEN", "pat-local")
    made: list[Office] = []

    def make(**account: Any) -> Office:
        made.append(Office(**account))
        return made[-1]

    yield make
    for office in made:
        for close in office.closing:
            close()


@pytest.fixture
def office(offices: Callable[..., Office]) -> Office:
    return offices()
