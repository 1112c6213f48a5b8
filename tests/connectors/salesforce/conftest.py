"""Fixtures: a local org, and connectors to it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from refloop_sandbox.salesforce import LocalSalesforce
from tests.connectors.salesforce.connections import Connections, connections


@pytest.fixture
def local(monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalSalesforce]:
    """The org, and in the environment the secret that it takes."""
    monkeypatch.setenv("SF_SECRET", "local-secret")
    with LocalSalesforce() as local:
        yield local


@pytest.fixture
def connect(local: LocalSalesforce) -> Iterator[Connections]:
    with connections(local) as opened:
        yield opened
