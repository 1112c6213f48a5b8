"""HubSpot tells nobody of people who were erased: that a record is not there is seen when it is to be written."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from refloop.errors import Exit, OtherAccount
from refloop.ledger.records import record_of
from refloop.model import Kind
from refloop.testing import Draft
from refloop_sandbox.hubspot import LocalHubSpot, Quirks
from refloop_sandbox.server import Server
from tests.connectors.hubspot.world import TOKEN, Front, HubSpotWorld
from tests.new_ledger import new_ledger
from tests.sync.loop import Loop

HOURS = timedelta(hours=2)
A_DAY = timedelta(days=1, hours=1)


@pytest.fixture
def front() -> Front:
    return Front()


@pytest.fixture
def crm(front: Front, monkeypatch: pytest.MonkeyPatch) -> Iterator[HubSpotWorld]:
    monkeypatch.setenv("HUBSPOT_TOKEN", TOKEN)
    with Server(front) as server:
        yield HubSpotWorld(front, server.url, Quirks())


@pytest.fixture
def loop(crm: HubSpotWorld, folder: Path) -> Iterator[Loop]:
    ledger = new_ledger(folder / "refloop.db")
    made = Loop(ledger, {"hub": crm})
    made.provision()
    made.code("ANNA-7K2Q", "anna", "anna@partners.io")
    yield made
    ledger.close()


def test_an_erased_person_is_refused_once_and_then_known_as_gone(loop: Loop, crm: HubSpotWorld) -> None:
    buyer = crm.create(Kind.CONTACT, Draft(email="bo@buyer.io", code="ANNA-7K2Q"))
    crm.before_next_write(lambda: crm.crm.erase("contacts", buyer.id))
    assert loop.sync().counts["hub"]["refused"] > 0
    later = [loop.sync().counts["hub"]["refused"] for _ in range(2)]
    record = record_of(loop.ledger, buyer)
    assert record is not None
    assert record.deleted
    assert later == [0, 0]


def test_an_erased_buyer_of_a_deal_is_noticed_by_the_link_that_went(loop: Loop, crm: HubSpotWorld) -> None:
    buyer = crm.create(Kind.CONTACT, Draft(email="bo@buyer.io", code="ANNA-7K2Q"))
    deal = crm.create(Kind.DEAL, Draft(title="Big", amount=Decimal(1000)))
    crm.associate(deal, buyer)
    loop.sync()
    crm.pass_time(HOURS)
    crm.crm.erase("contacts", buyer.id)
    crm.win(deal)
    assert loop.sync().counts["hub"]["refused"] == 0
    record = record_of(loop.ledger, buyer)
    assert record is not None
    assert record.deleted
    assert loop.fields(deal)["status"] == "won"


def test_restored_records_are_there_again_within_a_day(loop: Loop, crm: HubSpotWorld) -> None:
    """Though restoring moves no modified date, and no list tells of it."""
    buyer = crm.create(Kind.CONTACT, Draft(email="bo@buyer.io", code="ANNA-7K2Q"))
    deal = crm.create(Kind.DEAL, Draft(title="Big", amount=Decimal(1000)))
    crm.associate(deal, buyer)
    loop.sync()

    def deleted() -> list[bool]:
        crm.pass_time(A_DAY)
        loop.sync()
        found = [record_of(loop.ledger, ref) for ref in (buyer, deal)]
        return [record.deleted for record in found if record is not None]

    for ref, objects in ((buyer, "contacts"), (deal, "deals")):
        crm.delete(ref)
        assert sorted(deleted()) == [False, True]
        crm.crm.restore(objects, ref.id)
        assert deleted() == [False, False]


def test_a_key_of_another_portal_reads_and_writes_nothing(loop: Loop, crm: HubSpotWorld, front: Front) -> None:
    buyer = crm.create(Kind.CONTACT, Draft(email="bo@buyer.io", code="ANNA-7K2Q"))
    loop.sync()
    theirs = LocalHubSpot(token=TOKEN, portal_id=4711)
    stranger = theirs.create("contacts", {"email": "bo@buyer.io"})
    before = theirs.get("contacts", stranger)
    front.behind = theirs.app
    report = loop.sync()
    assert report.exit is Exit.DATA
    ((_, problem),) = report.problems
    assert isinstance(problem, OtherAccount)
    assert "4711" in problem.message
    assert dict(theirs.calls) == {"GET /account-info/details": 1}
    assert theirs.get("contacts", stranger) == before
    front.behind = crm.crm.app
    assert loop.sync().exit is Exit.OK
    assert loop.fields(buyer)["code"] == "ANNA-7K2Q"


def test_a_rule_of_an_administrator_is_told_with_what_it_asks_for(loop: Loop, crm: HubSpotWorld) -> None:
    """API versions from 2026-09 on enforce such rules on every write."""
    locked = crm.create(Kind.CONTACT, Draft(email="bo@buyer.io", code="ANNA-7K2Q"))
    open_one = crm.create(Kind.CONTACT, Draft(email="di@buyer.io", code="ANNA-7K2Q"))
    crm.poison(locked)
    report = loop.sync()
    assert report.exit is Exit.ATTENTION
    assert loop.fields(open_one)["code"] == "ANNA-7K2Q"
    (row,) = loop.ledger.rows("SELECT DISTINCT reason FROM receipts WHERE verdict = 'refused'")
    assert "required properties were not set" in row["reason"]
    assert "key_of_the_lock" in row["reason"]
