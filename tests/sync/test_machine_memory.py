"""The state machine over CRMs in memory, and the proof that it would notice."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack

import pytest
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis.stateful import run_state_machine_as_test

from refloop.mapping import changes as planning
from refloop.model import FieldChange, Ref
from refloop.testing import MemoryConnector, MemoryCrm, RecallingConnector, World
from refloop.testing.memory_api import Held
from tests.sync.machine import machine_of

QUICK = settings(
    phases=[Phase.generate],
    max_examples=60,
    stateful_step_count=25,
    derandomize=True,
    suppress_health_check=[*settings().suppress_health_check, HealthCheck.filter_too_much],
)


SOUGHT = settings(QUICK, derandomize=False, database=None, max_examples=400)
SOON = seed(12)
"""Histories among the first of which both faults below show; any others show them too, later."""


def in_memory(stack: ExitStack) -> Mapping[str, World]:
    return {"sales": MemoryCrm("sales"), "marketing": MemoryCrm("marketing", connector_class=RecallingConnector)}


def test_people_clocks_and_faults() -> None:
    run_state_machine_as_test(machine_of(in_memory), settings=QUICK)


@pytest.mark.slow
def test_people_clocks_and_faults_at_length() -> None:
    longer = settings(QUICK, max_examples=600, stateful_step_count=40)
    run_state_machine_as_test(machine_of(in_memory), settings=longer)


def test_the_machine_notices_a_planner_that_overwrites_people(monkeypatch: pytest.MonkeyPatch) -> None:
    """Negative control: without the three-way rule, the machine must fail."""
    careful = planning.plan_record

    def careless(record, desired, known, rules):  # type: ignore[no-untyped-def]  # a saboteur
        planned = careful(record, desired, known, rules)
        forced = tuple(
            FieldChange(record.ref, rules.specs[conflict.field], conflict.found, conflict.want, "forced")
            for conflict in planned.conflicts
        )
        return planning.RecordPlan(planned.ref, planned.changes + forced)

    monkeypatch.setattr("refloop.sync.plan.plan_record", careless)
    with pytest.raises(AssertionError, match="a person's value"):
        run_state_machine_as_test(SOON(machine_of(in_memory)), settings=SOUGHT)


def test_the_machine_notices_a_rule_that_does_not_reach(monkeypatch: pytest.MonkeyPatch) -> None:
    """Negative control: what was decided under other rules must not stand beside what is decided under these."""
    monkeypatch.setattr("refloop.sync.stages.decide_anew", lambda *_: [])
    with pytest.raises(AssertionError, match="deciding everything anew wants something else"):
        run_state_machine_as_test(SOON(machine_of(in_memory)), settings=SOUGHT)


class Blind(MemoryConnector):
    """Writes without a condition, and does not look back."""

    def _write(self, values: Held, seen: Held) -> tuple[Mapping[Ref, str], bool]:  # noqa: ARG002 - that is the fault
        return super()._write(values, {})


def test_the_machine_notices_a_connector_that_overwrites_unseen() -> None:
    """Negative control: what a person types in the moment of a write must not be lost in silence."""

    def worlds(stack: ExitStack) -> Mapping[str, World]:
        return {"sales": MemoryCrm("sales", connector_class=Blind), "marketing": MemoryCrm("marketing")}

    with pytest.raises(AssertionError, match="and nobody was told"):
        run_state_machine_as_test(SOON(machine_of(worlds)), settings=SOUGHT)
