"""A person writes between our look and our write: told, kept, put back, and hers from then on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from refloop.errors import Exit
from refloop.ledger.reads.explain import record_story
from refloop.ledger.reads.receipts import overwritten
from refloop.ledger.receipts import intend
from refloop.ledger.undo import undoing
from refloop.model import FieldChange, Kind, Ref
from refloop.sync.push import Pusher
from refloop.sync.run_report import Report
from refloop.testing import Draft, MemoryCrm, RecallingConnector, World
from refloop_sandbox import faults
from refloop_sandbox.hubspot import Quirks
from refloop_sandbox.server import Server
from tests.connectors.hubspot.world import TOKEN, Front, HubSpotWorld
from tests.new_ledger import new_ledger
from tests.sync.loop import Loop

HOURS = timedelta(hours=2)


@pytest.fixture(params=["memory", "hubspot"])
def crm(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    if request.param == "memory":
        yield MemoryCrm("hub", connector_class=RecallingConnector)
        return
    monkeypatch.setenv("HUBSPOT_TOKEN", TOKEN)
    front = Front()
    with Server(front) as server:
        yield HubSpotWorld(front, server.url, Quirks())


@pytest.fixture
def hub(crm: World, folder: Path) -> Iterator[Loop]:
    ledger = new_ledger(folder / "refloop.db")
    made = Loop(ledger, {"hub": crm})
    made.provision()
    made.code("ANNA-7K2Q", "anna", "anna@partners.io")
    yield made
    ledger.close()


@pytest.fixture
def buyer(crm: World) -> Ref:
    return crm.create(Kind.CONTACT, Draft(email="bo@buyer.io", title="Buyer Inc", code="ANNA-7K2Q"))


def types(loop: Loop, ref: Ref, name: str, value: str | None) -> Callable[[], None]:
    """A person's edit of one of our fields, and the record of it."""
    crm = loop.crms[ref.connection]
    return lambda: crm.write(ref, loop.policy.spec(f"ref_{name}"), value)


def put_back(loop: Loop, run: int) -> Report:
    specs = {spec.name: spec for spec in loop.policy.fields}
    return loop.runner().undo(list(undoing(loop.ledger, run, specs, overwritten=True)))


def told(loop: Loop) -> list[tuple[str, str | None, str | None, int]]:
    return [(one.field, one.found, one.wrote, one.run) for one in overwritten(loop.ledger)]


def test_it_is_told_put_back_and_stays(hub: Loop, crm: World, buyer: Ref) -> None:
    crm.before_next_write(types(hub, buyer, "status", "lost"))
    report = hub.sync()
    written = hub.fields(buyer)
    ours = written["status"]
    assert ours != "lost"
    assert (report.counts["hub"]["overwrote"], report.exit) == (1, Exit.ATTENTION)
    assert told(hub) == [("ref_status", "lost", ours, report.run)]
    story = record_story(hub.ledger, buyer)
    assert story is not None
    assert [change.found for change in story.written if change.overwrote] == ["lost"]

    undo = put_back(hub, report.run)
    assert (undo.counts["hub"]["written"], undo.exit) == (1, Exit.OK)
    assert hub.fields(buyer) == written | {"status": "lost"}
    assert told(hub) == []
    for _ in range(2):
        crm.pass_time(HOURS)
        later = hub.sync()
        assert (later.counts["hub"]["written"], later.exit) == (0, Exit.OK)
    assert hub.fields(buyer)["status"] == "lost"


def test_what_was_put_back_is_hers_when_something_else_is_wanted(hub: Loop, crm: World, buyer: Ref) -> None:
    crm.before_next_write(types(hub, buyer, "status", "on_hold"))
    put_back(hub, hub.sync().run)
    deal = crm.create(Kind.DEAL, Draft(title="Big"))
    crm.associate(deal, buyer)
    crm.pass_time(HOURS)
    crm.win(deal)
    crm.pass_time(timedelta(days=1, hours=1))
    report = hub.sync()
    assert hub.fields(deal)["status"] == "won"
    assert hub.fields(buyer)["status"] == "on_hold"
    assert (report.counts["hub"]["conflicts"], report.exit) == (1, Exit.ATTENTION)


def test_a_field_that_she_had_emptied_is_emptied_again(hub: Loop, crm: World, buyer: Ref) -> None:
    hub.sync()
    before = hub.fields(buyer)["why"]
    crm.pass_time(HOURS)
    crm.edit(buyer, "https://x.io/?ref=anna-7k2q")
    crm.before_next_write(types(hub, buyer, "why", None))
    crm.pass_time(HOURS)
    report = hub.sync()
    assert hub.fields(buyer)["why"] != before
    assert told(hub) == [("ref_why", None, hub.fields(buyer)["why"], report.run)]
    put_back(hub, report.run)
    crm.pass_time(HOURS)
    hub.sync()
    assert "why" not in hub.fields(buyer)


def test_a_code_that_was_put_back_is_read_as_hers(hub: Loop, crm: World, buyer: Ref) -> None:
    hub.code("BENS-4F6T", "ben", "ben@partners.io")
    crm.before_next_write(types(hub, buyer, "code", "BENS-4F6T"))
    run = hub.sync().run
    assert (hub.fields(buyer)["code"], hub.fields(buyer)["referrer"]) == ("ANNA-7K2Q", "Anna")
    put_back(hub, run)
    crm.pass_time(HOURS)
    hub.sync()
    assert (hub.fields(buyer)["code"], hub.fields(buyer)["referrer"]) == ("BENS-4F6T", "Ben")


def test_a_whole_undo_puts_back_hers_and_takes_back_ours(hub: Loop, crm: World, buyer: Ref) -> None:
    crm.before_next_write(types(hub, buyer, "status", "lost"))
    run = hub.sync().run
    specs = {spec.name: spec for spec in hub.policy.fields}
    hub.runner().undo(list(undoing(hub.ledger, run, specs)))
    assert hub.fields(buyer) == {"status": "lost"}


def test_it_is_told_of_a_write_that_nobody_heard_of(hub: Loop, crm: World, buyer: Ref) -> None:
    """The process died after it had sent: the next run reads back what that write went over."""
    hub.sync(push=False)
    spec = hub.policy.spec("ref_status")
    change = FieldChange(buyer, spec, None, "won", "because")
    with hub.ledger.writing():
        intend(hub.ledger, 1, [change])
    crm.before_next_write(types(hub, buyer, "status", "lost"))
    list(crm.connector().push([change]))
    counts = Pusher(hub.context(2)).settle("hub", crm.connector())
    assert counts == {"settled": 1, "written": 1, "overwrote": 1}
    assert told(hub) == [("ref_status", "lost", "won", 2)]


@pytest.mark.parametrize("crm", ["hubspot"], indirect=True)
def test_it_is_told_when_the_answer_was_lost(hub: Loop, crm: HubSpotWorld, buyer: Ref) -> None:
    lost = replace(faults.closed(applied=True), first=types(hub, buyer, "status", "lost"))
    crm.crm.faults.add(lost, path="/batch/update")
    report = hub.sync()
    assert [one.fault for one in crm.crm.faults.injected] == ["closed, applied"]
    assert (report.counts["hub"]["overwrote"], report.counts["hub"]["unknown"]) == (1, 0)
    assert [row[:2] for row in told(hub)] == [("ref_status", "lost")]


def test_it_is_settled_when_a_person_types_there_again(hub: Loop, crm: World, buyer: Ref) -> None:
    crm.before_next_write(types(hub, buyer, "status", "lost"))
    hub.sync()
    assert len(told(hub)) == 1
    crm.pass_time(HOURS)
    types(hub, buyer, "status", "on_hold")()
    crm.pass_time(HOURS)
    hub.sync()
    assert told(hub) == []
    assert hub.fields(buyer)["status"] == "on_hold"


def test_a_crm_with_conditions_keeps_hers(folder: Path) -> None:
    crm = MemoryCrm("hub")
    ledger = new_ledger(folder / "refloop.db")
    loop = Loop(ledger, {"hub": crm})
    loop.provision()
    loop.code("ANNA-7K2Q", "anna", "anna@partners.io")
    buyer = crm.create(Kind.CONTACT, Draft(email="bo@buyer.io", code="ANNA-7K2Q"))
    crm.before_next_write(types(loop, buyer, "status", "lost"))
    report = loop.sync()
    assert (report.counts["hub"]["moved"], report.counts["hub"]["overwrote"]) == (1, 0)
    assert loop.fields(buyer)["status"] == "lost"
    ledger.close()
