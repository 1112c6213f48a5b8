"""A deletion is not a withdrawal: what was decided on a record stands when it is archived, deleted or erased."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest
import requests

from refloop.ledger.rebuild import rebuild
from refloop.mapping.policy import StatusRules
from refloop.mapping.stages import status_words
from refloop.model import Kind, Ref, Relation, Status
from refloop.testing import Draft, MemoryCrm, World
from refloop_sandbox.hubspot import Quirks
from refloop_sandbox.server import Server
from tests.connectors.hubspot.world import TOKEN, Front, HubSpotWorld
from tests.connectors.salesforce.world import SECRET, SalesforceWorld
from tests.new_ledger import new_ledger
from tests.patience import PATIENCE
from tests.sync.loop import BY, Loop

A_DAY = timedelta(days=1, hours=1)


class Dropping(MemoryCrm):
    """A CRM that drops the links of a record with the record, as both CRMs do, and can bring it back with or without
    them."""

    def delete(self, ref: Ref) -> None:
        super().delete(ref)
        for deal, relation, person in list(self._links):
            if person == ref and relation is Relation.ASSOCIATED_WITH:
                self.dissociate(deal, person)

    def restore(self, ref: Ref) -> None:
        self._update(ref, deleted=False)

    def erase(self, ref: Ref) -> None:
        """Without a trace, as HubSpot's own deletion for privacy."""
        self.delete(ref)
        del self._rows[ref]


@pytest.fixture(params=["memory", "hubspot", "salesforce"])
def crm(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    with ExitStack() as stack:
        if request.param == "memory":
            yield Dropping("crm")
        elif request.param == "hubspot":
            monkeypatch.setenv("HUBSPOT_TOKEN", TOKEN)
            front = Front()
            server = stack.enter_context(Server(front))
            yield HubSpotWorld(front, server.url, Quirks(), "crm")
        else:
            monkeypatch.setenv("SF_SECRET", SECRET)
            salesforce = SalesforceWorld("crm")
            stack.callback(salesforce.close)
            yield salesforce


@pytest.fixture
def loop(crm: World, folder: Path) -> Iterator[Loop]:
    ledger = new_ledger(folder / "refloop.db")
    made = Loop(ledger, {"crm": crm})
    made.provision()
    made.code("ANNA-7K2Q", "anna", "anna@partners.io")
    yield made
    ledger.close()


@pytest.fixture
def memory(folder: Path) -> Iterator[tuple[Loop, Dropping]]:
    ledger = new_ledger(folder / "refloop.db")
    crm = Dropping("crm")
    made = Loop(ledger, {"crm": crm})
    made.provision()
    made.code("ANNA-7K2Q", "anna", "anna@partners.io")
    yield made, crm
    ledger.close()


def later(loop: Loop) -> None:
    """A sync after a day, when every CRM shows what was deleted."""
    for crm in loop.crms.values():
        crm.pass_time(A_DAY)
    report = loop.sync()
    assert report.problems == []


def won_deal(loop: Loop, crm: World, code: str = "ANNA-7K2Q") -> tuple[Ref, Ref, Ref]:
    """Anna's own contact, a buyer of hers, and the buyer's won deal; synced."""
    anna = crm.create(Kind.CONTACT, Draft(email="anna@partners.io"))
    buyer = crm.create(Kind.CONTACT, Draft(email="bo@buyer.io", code=code))
    deal = crm.create(Kind.DEAL, Draft(title="Big", amount=Decimal(1000)))
    crm.associate(deal, buyer)
    later(loop)
    crm.win(deal)
    later(loop)
    assert loop.fields(anna)["won"] == "1"
    return anna, buyer, deal


def standing(loop: Loop) -> list[tuple[str, str]]:
    rows = loop.ledger.rows("SELECT status, reason FROM current_statuses ORDER BY referral")
    return [(row["status"], row["reason"]) for row in rows]


def test_a_won_deal_keeps_its_credit_when_its_contact_is_deleted(loop: Loop, crm: World) -> None:
    anna, buyer, deal = won_deal(loop, crm)
    before = loop.fields(anna), loop.fields(deal)
    crm.pass_time(timedelta(hours=1))
    crm.delete(buyer)
    later(loop)
    later(loop)
    assert (loop.fields(anna), loop.fields(deal)) == before
    assert standing(loop) == [("won", "a deal was won")]
    rebuild(loop.ledger, ["crm"], BY)
    later(loop)
    assert (loop.fields(anna), loop.fields(deal)) == before
    assert standing(loop) == [("won", "a deal was won")]


def test_who_was_taken_off_a_deal_by_a_person_is_off_it(loop: Loop, crm: World) -> None:
    anna = crm.create(Kind.CONTACT, Draft(email="anna@partners.io"))
    buyer = crm.create(Kind.CONTACT, Draft(email="bo@buyer.io", code="ANNA-7K2Q"))
    deal = crm.create(Kind.DEAL, Draft(title="Big", amount=Decimal(1000)))
    crm.associate(deal, buyer)
    later(loop)
    assert loop.fields(deal)["status"] == "opportunity"
    crm.dissociate(deal, buyer)
    later(loop)
    assert "status" not in loop.fields(deal)
    assert standing(loop) == [("submitted", "the code was received")]
    assert loop.fields(anna)["open"] == "1"


def test_a_deleted_buyer_of_an_open_referral_ends_it_as_such(loop: Loop, crm: World) -> None:
    anna = crm.create(Kind.CONTACT, Draft(email="anna@partners.io"))
    buyer = crm.create(Kind.CONTACT, Draft(email="bo@buyer.io", code="ANNA-7K2Q"))
    later(loop)
    assert standing(loop) == [("submitted", "the code was received")]
    crm.delete(buyer)
    later(loop)
    assert standing(loop) == [("withdrawn", "the buyer's record was deleted in the CRM")]
    assert loop.fields(anna)["open"] == "0"
    row = loop.ledger.one("SELECT void FROM referrals")
    assert row is not None
    assert row["void"] is None, "the code was not taken off: the claim is as good as it was"


def test_a_restored_record_brings_its_referral_back(memory: tuple[Loop, Dropping]) -> None:
    loop, crm = memory
    buyer = crm.create(Kind.CONTACT, Draft(email="bo@buyer.io", code="ANNA-7K2Q"))
    deal = crm.create(Kind.DEAL, Draft(title="Big", amount=Decimal(1000)))
    crm.associate(deal, buyer)
    later(loop)
    crm.delete(buyer)
    later(loop)
    assert standing(loop) == [("opportunity", "a deal is open")]
    crm.delete(deal)
    later(loop)
    assert standing(loop) == [("withdrawn", "the buyer's record was deleted in the CRM")]
    crm.restore(buyer)
    later(loop)
    assert standing(loop) == [("submitted", "the code was received")]


@pytest.mark.parametrize("link_comes_back", [True, False])
def test_the_deals_of_a_restored_person_are_asked_for(memory: tuple[Loop, Dropping], link_comes_back: bool) -> None:
    """No CRM says that a deal changed when a person on it came back."""
    loop, crm = memory
    _, buyer, deal = won_deal(loop, crm)
    crm.delete(buyer)
    later(loop)
    assert loop.fields(deal)["status"] == "won"
    crm.restore(buyer)
    if link_comes_back:
        crm._link(deal, Relation.ASSOCIATED_WITH, buyer)
    later(loop)
    assert (loop.fields(deal).get("status") == "won") is link_comes_back


def test_a_deal_that_was_deleted_credits_nobody_and_says_why(loop: Loop, crm: World) -> None:
    """A deal is no evidence, but what is paid for: the CRM does not count what was deleted there."""
    anna, _, deal = won_deal(loop, crm)
    crm.delete(deal)
    later(loop)
    assert standing(loop) == [("reversed", "the deal that had been won was deleted in the CRM")]
    assert loop.fields(anna)["won"] == "0"


def test_nothing_is_decided_about_a_missed_link_before_the_crm_was_asked(memory: tuple[Loop, Dropping]) -> None:
    loop, crm = memory
    _, buyer, deal = won_deal(loop, crm)
    crm.delete(buyer)
    crm.pass_time(A_DAY)
    asks: list[bool] = []
    records = crm.api_records

    def down(*_: object) -> object:
        asks.append(True)
        crm.garble_reads(on=True)
        return records(*_)  # type: ignore[arg-type]  # whatever it was called with

    crm.api_records = down  # type: ignore[method-assign,assignment]  # this one call fails
    report = loop.sync()
    assert (asks, [name for name, _ in report.problems]) == ([True], ["crm"])
    crm.garble_reads(on=False)
    del crm.api_records  # the class has its own
    assert standing(loop) == [("won", "a deal was won")]
    later(loop)
    assert loop.fields(deal)["status"] == "won"
    assert standing(loop) == [("won", "a deal was won")]


@pytest.fixture
def hub(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Loop, HubSpotWorld, Front]]:
    monkeypatch.setenv("HUBSPOT_TOKEN", TOKEN)
    front = Front()
    with Server(front) as server:
        ledger = new_ledger(folder / "refloop.db")
        crm = HubSpotWorld(front, server.url, Quirks(), "crm")
        made = Loop(ledger, {"crm": crm})
        made.provision()
        made.code("ANNA-7K2Q", "anna", "anna@partners.io")
        yield made, crm, front
        ledger.close()


def erase_in_hubspot(crm: HubSpotWorld, ref: Ref) -> None:
    answer = requests.post(
        f"{crm._url}/crm/v3/objects/contacts/gdpr-delete",
        json={"objectId": ref.id},
        headers={"Authorization": f"Bearer {TOKEN}"},
        timeout=PATIENCE,
    )
    assert answer.status_code == 204


def test_who_was_erased_in_hubspot_is_erased_in_the_ledger_and_what_was_decided_stays(
    hub: tuple[Loop, HubSpotWorld, Front],
) -> None:
    loop, crm, _ = hub
    anna, buyer, deal = won_deal(loop, crm)
    before = loop.fields(anna), loop.fields(deal)
    erase_in_hubspot(crm, buyer)
    crm.edit(deal, "a word")  # so that the deal's links are read, on which the contact is missed
    later(loop)
    assert (loop.fields(anna), loop.fields(deal)) == before
    dump = "\n".join(loop.ledger.engine.connection.iterdump())  # type: ignore[attr-defined]  # SQLite's
    assert "bo@buyer.io" not in dump
    later(loop)
    assert (loop.fields(anna), loop.fields(deal)) == before
    assert standing(loop) == [("won", "a deal was won")]


def test_a_write_that_is_refused_leads_to_asking_whether_the_record_is_there(
    hub: tuple[Loop, HubSpotWorld, Front],
) -> None:
    loop, crm, _ = hub
    buyer = crm.create(Kind.CONTACT, Draft(email="bo@buyer.io", code="ANNA-7K2Q"))
    crm.crm.update("contacts", buyer.id, {"hs_lead_status": "OPEN"})
    later(loop)
    erase_in_hubspot(crm, buyer)
    loop.policy = replace(loop.policy, status=StatusRules(status_words({"open": Status.QUALIFIED})))
    assert loop.sync().counts["crm"]["refused"] > 0
    report = loop.sync()
    assert (report.counts["crm"]["refused"], report.counts["crm"]["erased"]) == (0, 1)
    assert standing(loop) == [("withdrawn", "the buyer's record was deleted in the CRM")]
    assert loop.ledger.one("SELECT 1 FROM records WHERE email = 'bo@buyer.io'") is None
