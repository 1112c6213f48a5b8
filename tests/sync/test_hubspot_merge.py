"""HubSpot merges records into a new one with a new id: what the ledger knew of the old ones goes on at the survivor."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from refloop.model import Kind, Ref
from refloop.testing import Draft
from refloop_sandbox.hubspot import Quirks
from refloop_sandbox.server import Server
from tests.connectors.hubspot.world import TOKEN, Front, HubSpotWorld
from tests.new_ledger import new_ledger
from tests.sync.loop import Loop

HOURS = timedelta(hours=2)
A_DAY = timedelta(days=1, hours=1)


@pytest.fixture(params=[True, False], ids=["old-ids-answer", "old-ids-are-gone"])
def crm(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[HubSpotWorld]:
    monkeypatch.setenv("HUBSPOT_TOKEN", TOKEN)
    front = Front()
    with Server(front) as server:
        yield HubSpotWorld(front, server.url, Quirks(batch_read_follows_merges=request.param))


@pytest.fixture
def loop(crm: HubSpotWorld, folder: Path) -> Iterator[Loop]:
    ledger = new_ledger(folder / "refloop.db")
    made = Loop(ledger, {"hub": crm})
    made.provision()
    made.code("ANNA-7K2Q", "anna", "anna@partners.io")
    made.code("BEN-3XYZ", "ben", "ben@partners.io")
    yield made
    ledger.close()


def held(loop: Loop, ref: Ref, *names: str) -> list[str | None]:
    fields = loop.fields(ref)
    return [fields.get(name) for name in names]


def test_a_referral_moves_to_the_contact_that_survives(loop: Loop, crm: HubSpotWorld) -> None:
    referred = crm.create(Kind.CONTACT, Draft(email="bo@buyer.io", code="ANNA-7K2Q"))
    other = crm.create(Kind.CONTACT, Draft(email="bo@private.io"))
    deal = crm.create(Kind.DEAL, Draft(title="Big", amount=Decimal(1000)))
    crm.associate(deal, referred)
    loop.sync()
    (referral,) = held(loop, referred, "id")
    assert referral
    assert held(loop, deal, "id") == [referral]
    crm.pass_time(HOURS)
    survivor = crm.merge(referred, other)
    assert survivor.id not in (referred.id, other.id)
    crm.pass_time(HOURS)
    loop.sync()
    assert held(loop, survivor, "id", "code") == [referral, "ANNA-7K2Q"]
    crm.pass_time(HOURS)
    crm.win(deal)
    loop.sync()
    for ref in (survivor, deal):
        assert held(loop, ref, "id", "status") == [referral, "won"]
    assert loop.planned() == {}
    crm.pass_time(A_DAY)
    assert loop.sync().counts["hub"]["written"] == 0


@pytest.mark.parametrize("later_one_survives", [True, False])
def test_two_referred_contacts_in_one_hold_the_earlier_claim(
    loop: Loop, crm: HubSpotWorld, later_one_survives: bool
) -> None:
    """Whichever values HubSpot keeps: all of them are ours."""
    first = crm.create(Kind.CONTACT, Draft(email="bo@buyer.io", code="ANNA-7K2Q"))
    loop.sync()
    crm.pass_time(HOURS)
    second = crm.create(Kind.CONTACT, Draft(email="bo@private.io", code="BEN-3XYZ"))
    loop.sync()
    (referral,) = held(loop, first, "id")
    crm.pass_time(HOURS)
    survivor = crm.merge(first, second) if later_one_survives else crm.merge(second, first)
    for pause in (HOURS, A_DAY):
        crm.pass_time(pause)
        loop.sync()
        assert held(loop, survivor, "id", "code", "referrer") == [referral, "ANNA-7K2Q", "Anna"]
        assert loop.planned() == {}


def test_a_deal_that_survives_keeps_its_credit(loop: Loop, crm: HubSpotWorld) -> None:
    buyer = crm.create(Kind.CONTACT, Draft(email="bo@buyer.io", code="ANNA-7K2Q"))
    one, two = (crm.create(Kind.DEAL, Draft(title=title, amount=Decimal(500))) for title in ("One", "Two"))
    crm.associate(one, buyer)
    loop.sync()
    (referral,) = held(loop, buyer, "id")
    crm.pass_time(HOURS)
    survivor = crm.merge(two, one)
    crm.pass_time(HOURS)
    crm.win(survivor)
    loop.sync()
    assert held(loop, survivor, "id", "status") == [referral, "won"]
    crm.pass_time(A_DAY)
    loop.sync()
    assert held(loop, survivor, "id", "status") == [referral, "won"]
    assert [row["id"] for row in loop.ledger.rows("SELECT id FROM credited_deals")] == [survivor.id]


def test_a_merge_of_merged_records_is_followed_too(loop: Loop, crm: HubSpotWorld) -> None:
    refs = [
        crm.create(Kind.CONTACT, Draft(email=f"bo{number}@buyer.io", code=None if number else "ANNA-7K2Q"))
        for number in range(3)
    ]
    loop.sync()
    (referral,) = held(loop, refs[0], "id")
    crm.pass_time(HOURS)
    survivor = crm.merge(crm.merge(refs[0], refs[1]), refs[2])
    crm.pass_time(HOURS)
    loop.sync()
    assert held(loop, survivor, "id") == [referral]
    assert loop.planned() == {}


def merged_deals(loop: Loop, crm: HubSpotWorld) -> tuple[Ref, Ref, Ref]:
    """A referrer's contact, a buyer, and the deal that is left of two, one of which was won and credited."""
    anna = crm.create(Kind.CONTACT, Draft(email="anna@partners.io"))
    buyer = crm.create(Kind.CONTACT, Draft(email="bo@buyer.io", code="ANNA-7K2Q"))
    deals = [crm.create(Kind.DEAL, Draft(title=f"Deal {n}", amount=Decimal(1000))) for n in range(2)]
    crm.associate(deals[0], buyer)
    crm.pass_time(HOURS)
    loop.sync()
    crm.win(deals[0])
    crm.pass_time(HOURS)
    loop.sync()
    assert held(loop, anna, "won") == ["1"]
    return anna, buyer, crm.merge(deals[0], deals[1])


def test_a_deal_that_was_merged_away_credits_nobody_whom_the_survivor_does_not_know(
    loop: Loop, crm: HubSpotWorld
) -> None:
    anna, buyer, survivor = merged_deals(loop, crm)
    crm.pass_time(A_DAY)
    loop.sync()
    on_it = held(loop, survivor, "code")
    assert on_it == ["ANNA-7K2Q"]
    crm.dissociate(survivor, buyer)
    crm.edit(survivor, "nothing of ours")  # the links of a closed deal are read when it changes
    crm.pass_time(A_DAY)
    loop.sync()
    assert held(loop, survivor, "code") == [None]
    assert held(loop, anna, "won") == ["0"]


def test_a_credited_deal_whose_survivor_was_archived_before_it_was_seen_is_won_no_more(
    loop: Loop, crm: HubSpotWorld
) -> None:
    anna, _, survivor = merged_deals(loop, crm)
    crm.delete(survivor)
    crm.pass_time(A_DAY)
    loop.sync()
    assert held(loop, anna, "won") == ["0"]
    assert [row["status"] for row in loop.ledger.rows("SELECT status FROM current_statuses")] == ["reversed"]
