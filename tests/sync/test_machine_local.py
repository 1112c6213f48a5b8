"""The state machine over the local Salesforce and HubSpot: the real connectors, over HTTP."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from refloop.testing import World
from refloop_sandbox.hubspot import Quirks
from refloop_sandbox.server import Server
from tests.connectors.hubspot.world import TOKEN, Front, HubSpotWorld
from tests.connectors.salesforce.world import SECRET, SalesforceWorld
from tests.sync.machine import Worlds, machine_of

QUICK = settings(
    max_examples=12,
    stateful_step_count=20,
    derandomize=True,
    phases=[Phase.generate],  # to shrink a history over HTTP takes longer than to read it
    suppress_health_check=[*settings().suppress_health_check, HealthCheck.filter_too_much],
)


@pytest.fixture
def local(monkeypatch: pytest.MonkeyPatch) -> Iterator[Worlds]:
    monkeypatch.setenv("SF_SECRET", SECRET)
    monkeypatch.setenv("SF_WRONG", "wrong")
    monkeypatch.setenv("HUBSPOT_TOKEN", TOKEN)
    monkeypatch.setenv("HUBSPOT_STRANGER", "pat-na1-stranger")
    front = Front()

    def worlds(stack: ExitStack) -> Mapping[str, World]:
        salesforce = SalesforceWorld("sales")
        stack.callback(salesforce.close)
        return {"sales": salesforce, "marketing": HubSpotWorld(front, server.url, Quirks(), "marketing")}

    with Server(front) as server:
        yield worlds


def test_people_clocks_and_faults_on_local_crms(local: Worlds) -> None:
    run_state_machine_as_test(machine_of(local), settings=QUICK)


@pytest.mark.slow
def test_people_clocks_and_faults_on_local_crms_at_length(local: Worlds) -> None:
    longer = settings(QUICK, max_examples=25, stateful_step_count=30)
    run_state_machine_as_test(machine_of(local), settings=longer)
