"""A command that is killed anywhere is made good by running it again: nothing lost, nothing twice, nobody overwritten.

Real processes of the real command line, killed with SIGKILL at every SQL statement, before and after every HTTP
request to a local Salesforce and HubSpot, and at every change to a folder. The CRMs' own log of writes is the witness.
"""

from __future__ import annotations

import pytest

from refloop.model import Kind, Ref
from tests.crash.bench import WRITE, Bench
from tests.crash.crash_points import CrashPoints, Scenario, Tally, Typed, around_writes, requests, where_it_differs

SYNC = ("sync",)
PLAN = ("plan", "-o", "plan.jsonl")
APPLY = ("apply", "plan.jsonl")
BACKUP = ("ledger", "backup")
RESTORE = ("ledger", "restore", "--yes")
REBUILD = ("ledger", "rebuild", "--yes")
UNDO = ("undo", "1", "--yes")


def nobody(_bench: Bench) -> Typed:
    return frozenset()


def people(bench: Bench) -> Typed:
    """They correct a code, and type into fields of ours, in both CRMs."""
    ids = bench.ids
    bench.salesforce.update("Lead", ids["typo"], {"Description": "code ANNA-7K2Q"})
    bench.salesforce.update("Opportunity", ids["deal"], {"Ref_Why__c": "typed by hand"})
    bench.hubspot.update("contacts", ids["visitor"], {"ref_referrer": "typed by hand"})
    return frozenset({(Ref("sf", Kind.DEAL, ids["deal"]), "ref_why"), (visitor(bench), "ref_referrer")})


def visitor(bench: Bench) -> Ref:
    return Ref("hs", Kind.CONTACT, bench.ids["visitor"])


def synced(bench: Bench) -> None:
    bench.ready()
    bench.done("sync")
    bench.pass_time()


def lived(bench: Bench) -> None:
    """Synced; since then a lead was converted and won, and a deal came about in HubSpot."""
    synced(bench)
    became = bench.salesforce.convert_lead(bench.ids["lead"])
    assert became.opportunity
    bench.salesforce.update("Opportunity", became.opportunity, {"StageName": "Closed Won", "Amount": 99.5})
    deal = bench.hubspot.create("deals", {"dealname": "Acme", "pipeline": "default", "dealstage": "closedlost"})
    bench.hubspot.associate("deals", deal, "contacts", bench.ids["visitor"])


def planned(bench: Bench) -> None:
    bench.ready()
    bench.done(*PLAN)


def backed_up(bench: Bench) -> None:
    synced(bench)
    bench.done("ledger", "backup")


SCENARIOS = {
    "first sync": Scenario(Bench.ready, SYNC, people, (SYNC,)),
    "later sync": Scenario(lived, SYNC, people, (SYNC,)),
    "plan": Scenario(Bench.ready, PLAN, people, (PLAN, APPLY), (PLAN, APPLY)),
    "apply": Scenario(planned, APPLY, nobody, (APPLY,), (PLAN, APPLY)),
    "apply, people": Scenario(planned, APPLY, people, (APPLY,), (PLAN, APPLY)),
    "undo": Scenario(synced, UNDO, nobody, (UNDO, SYNC)),
    "undo, people": Scenario(synced, UNDO, people, (UNDO, SYNC)),
    "backup": Scenario(synced, BACKUP, nobody, (BACKUP, SYNC)),
    "restore": Scenario(backed_up, RESTORE, nobody, (RESTORE, SYNC)),
    "rebuild": Scenario(synced, REBUILD, people, (REBUILD, SYNC)),
}


def said(name: str, tally: Tally) -> None:
    print(f"\n{name}: {tally}")  # noqa: T201 - figures of docs/reliability.md: pytest -s shows them


def is_answer(_number: int, what: str) -> bool:
    """A write was carried out, and its answer is lost."""
    return what.startswith("http after") and what.endswith(WRITE)


def few(number: int, what: str) -> bool:
    """What the quick test can afford: a write whose answer is lost, and some of the rest."""
    return is_answer(number, what) or number % 197 == 0


@pytest.mark.parametrize("name", ["first sync", "undo"])
def test_a_command_that_is_killed_is_made_good(bench: Bench, name: str) -> None:
    crashes = CrashPoints(bench, SCENARIOS[name])
    tally = crashes.die(few)
    assert tally.kills == sum(few(number, what) for number, what in enumerate(crashes.points)) > 2
    said(name, tally)


PARTS = [(name, part) for name in SCENARIOS for part in range(3 if "sync" in name or name == "plan" else 1)]


@pytest.mark.slow
@pytest.mark.parametrize(("name", "part"), PARTS)
def test_a_command_that_is_killed_is_made_good_at_every_point(bench: Bench, name: str, part: int) -> None:
    parts = sum(name == other for other, _ in PARTS)
    crashes = CrashPoints(bench, SCENARIOS[name])
    tally = crashes.die(lambda number, _: number % parts == part)
    assert tally.kills == len(range(part, tally.points, parts))
    said(f"{name}, part {part + 1} of {parts}", tally)


def test_a_command_that_is_killed_twice_in_a_row_is_made_good(bench: Bench) -> None:
    tally = CrashPoints(bench, SCENARIOS["undo"]).die(is_answer, again=-1)
    assert tally.pairs > tally.kills > 0
    said("undo, twice", tally)


@pytest.mark.slow
@pytest.mark.thorough
@pytest.mark.parametrize("name", SCENARIOS)
def test_a_command_that_is_killed_twice_in_a_row_is_made_good_wherever_it_differs(bench: Bench, name: str) -> None:
    crashes = CrashPoints(bench, SCENARIOS[name])
    tally = crashes.die(where_it_differs, again=3)
    assert tally.kills == sum(where_it_differs(number, what) for number, what in enumerate(crashes.points))
    assert tally.pairs == tally.kills * 3
    said(f"{name}, twice", tally)


@pytest.mark.slow
@pytest.mark.thorough
@pytest.mark.parametrize("name", ["apply", "undo"])
def test_all_pairs_of_requests_at_which_a_command_and_its_repetition_are_killed(bench: Bench, name: str) -> None:
    tally = CrashPoints(bench, SCENARIOS[name]).die(requests, again=-1)
    assert tally.pairs >= tally.kills > 0
    said(f"{name}, all pairs of requests", tally)


@pytest.mark.parametrize(
    "sabotage", ["no outbox", *(pytest.param(name, marks=pytest.mark.slow) for name in ("receipt first", "unsettled"))]
)
def test_a_naive_sync_is_noticed(bench: Bench, sabotage: str) -> None:
    """Negative controls: each is right when nothing happens, and loses something when it dies at the wrong moment."""
    crashes = CrashPoints(bench, SCENARIOS["first sync"], sabotage)
    with pytest.raises(AssertionError, match="dying at point"):
        crashes.die(around_writes)
