"""Every address of a person identifies them, in both CRMs; another spelling of one only raises a question."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest

from refloop.ledger.reads.referrers import referrers_without_contact
from refloop.model import Kind, Ref, Status
from refloop.report.health import referrer_findings
from refloop.sync.intake import Claim, submit
from refloop.testing import Draft, MemoryCrm
from tests.sync.loop import Loop


def contact(loop: Loop, name: str, email: str | None, *further: str, code: str | None = None) -> Ref:
    crm = loop.crms[name]
    assert isinstance(crm, MemoryCrm)
    ref = crm.create(Kind.CONTACT, Draft(email=email, code=code))
    crm._update(ref, emails=further)
    return ref


def voids(loop: Loop) -> list[str | None]:
    return [row["void"] for row in loop.ledger.rows("SELECT void FROM referrals ORDER BY claimed_at, referral")]


def asked(loop: Loop) -> list[tuple[str, str]]:
    return [(row["doubt"], row["id"]) for row in loop.ledger.rows("SELECT doubt, id FROM questions")]


def test_a_referrer_is_found_by_a_further_address(loop: Loop) -> None:
    """After a merge HubSpot keeps the other contact's address in hs_additional_emails."""
    loop.code("ANNA-7K2Q", "anna", "anna@partners.io")
    own = contact(loop, "sales", "anna@private.io", "anna@partners.io")
    contact(loop, "sales", "bo@buyer.io", code="ANNA-7K2Q")
    loop.sync()
    assert loop.fields(own)["sent"] == "1"


def test_a_further_address_that_comes_later_makes_one_buyer(loop: Loop) -> None:
    loop.code("ANNA-7K2Q", "anna")
    here = contact(loop, "sales", "bo@buyer.io", code="ANNA-7K2Q")
    there = contact(loop, "marketing", "bo@private.io")
    loop.sync()
    assert "code" not in loop.fields(there)
    crm = loop.crms["marketing"]
    assert isinstance(crm, MemoryCrm)
    crm._update(there, emails=("bo@buyer.io",))
    loop.sync()
    assert loop.fields(there)["id"] == loop.fields(here)["id"]
    crm._update(there, emails=())
    loop.sync()
    assert "id" not in loop.fields(there), "and are two again without it"


def test_a_submitted_referral_finds_its_buyer_by_a_further_address(loop: Loop) -> None:
    loop.code("ANNA-7K2Q", "anna")
    with loop.ledger.writing():
        submit(loop.context(), Claim("ANNA-7K2Q", "bo@private.io", date(2026, 1, 20), ""))
    buyer = contact(loop, "sales", "bo@buyer.io", "bo@private.io")
    loop.sync()
    assert loop.fields(buyer)["code"] == "ANNA-7K2Q"


def test_a_shared_mailbox_identifies_nobody_as_a_further_address_either(loop: Loop) -> None:
    loop.code("ANNA-7K2Q", "anna")
    contact(loop, "sales", "bo@buyer.io", "info@buyer.io", code="ANNA-7K2Q")
    other = contact(loop, "marketing", "cy@buyer.io", "info@buyer.io")
    loop.sync()
    assert "code" not in loop.fields(other)


def test_who_refers_themselves_by_a_further_address_is_the_referrer(loop: Loop) -> None:
    loop.code("ANNA-7K2Q", "anna", "anna@partners.io")
    contact(loop, "sales", "anna@private.io", "anna@partners.io", code="ANNA-7K2Q")
    loop.sync()
    assert voids(loop) == [Status.DISQUALIFIED]


@pytest.mark.parametrize("email", ["gilmoor+x@gmail.com", "gil.moor@googlemail.com"])
def test_another_spelling_of_the_referrers_address_is_asked_about_and_held(loop: Loop, email: str) -> None:
    loop.code("GIL-7K2Q", "gil", "gil.moor@gmail.com")
    buyer = contact(loop, "sales", email, code="GIL-7K2Q")
    crm = loop.crms["sales"]
    deal = crm.create(Kind.DEAL, Draft(title="Big", amount=Decimal(1000)))
    crm.associate(deal, buyer)
    crm.win(deal)
    loop.sync()
    assert (voids(loop), asked(loop)) == ([Status.ON_HOLD], [("self-referral", buyer.id)])
    assert "status" not in loop.fields(deal), "nothing is credited while it is asked"
    crm.write(buyer, loop.policy.spec("ref_code"), "GIL-7K2Q")
    loop.sync()
    assert (voids(loop), asked(loop)) == ([None], []), "a person said so"
    assert loop.fields(deal)["status"] == "won"


def test_a_submitted_referral_is_held_by_the_same_rule(loop: Loop) -> None:
    loop.code("GIL-7K2Q", "gil", "gil.moor@gmail.com")
    with loop.ledger.writing():
        submit(loop.context(), Claim("GIL-7K2Q", "gilmoor@gmail.com", date(2026, 1, 20), ""))
    assert voids(loop) == [Status.ON_HOLD]
    buyer = contact(loop, "sales", "gilmoor@gmail.com")
    loop.sync()
    assert (voids(loop), asked(loop)) == ([Status.ON_HOLD], [("self-referral", buyer.id)])


def test_a_waiting_referral_is_judged_anew_when_its_referrers_address_is_known(loop: Loop) -> None:
    loop.code("ANNA-7K2Q", "anna")
    with loop.ledger.writing():
        submit(loop.context(), Claim("ANNA-7K2Q", "anna@partners.io", date(2026, 1, 20), ""))
    assert voids(loop) == [None]
    loop.code("ANNA-7K2Q", "anna", "anna@partners.io")
    assert voids(loop) == [Status.DISQUALIFIED]
    loop.code("ANNA-7K2Q", "anna", "anna@elsewhere.io")
    assert voids(loop) == [None]
    loop.sync()
    assert [row["status"] for row in loop.ledger.rows("SELECT status FROM current_statuses")] == ["submitted"]


def test_referrers_without_any_contact_are_listed(loop: Loop) -> None:
    loop.code("ANNA-7K2Q", "anna", "anna@partners.io")
    loop.code("BENS-4F6T", "ben", "ben@partners.io")
    loop.code("CODY-4F6T", "cody")
    assert referrers_without_contact(loop.ledger) == [], "nothing was pulled yet"
    own = contact(loop, "sales", "ben@private.io", "ben@partners.io")
    loop.crms["sales"].create(Kind.LEAD, Draft(email="anna@partners.io"))
    loop.sync()
    assert [referrer.id for referrer in referrers_without_contact(loop.ledger)] == ["anna", "cody"]
    places = [(found.place, found.message) for found in referrer_findings(referrers_without_contact(loop.ledger))]
    assert places == [
        ("referrer anna", "no CRM has a contact with this address"),
        ("referrer cody", "no e-mail address is known"),
    ]
    loop.crms["sales"].delete(own)
    loop.sync()
    assert [referrer.id for referrer in referrers_without_contact(loop.ledger)] == ["anna", "ben", "cody"]
