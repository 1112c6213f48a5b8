"""Associations, over HTTP: what they cost, and what became of them when something breaks."""

from __future__ import annotations

from collections import Counter

import pytest

from refloop.connectors.hubspot.links import NOT_THERE
from refloop.model import LINKED, Kind, LinkChange, Ref, Relation, Verdict
from tests.connectors.hubspot.account import EDGES, Account, calls

CREATED = "POST /crm/associations/deals/contacts/batch/associate/default"
REMOVED = "POST /crm/associations/deals/contacts/batch/archive"


def link(deal: str, contact: str) -> LinkChange:
    ends = Ref("hub", Kind.DEAL, deal), Ref("hub", Kind.CONTACT, contact)
    return LinkChange(ends[0], Relation.ASSOCIATED_WITH, ends[1], None, LINKED, "test")


def unlink(deal: str, contact: str) -> LinkChange:
    ends = Ref("hub", Kind.DEAL, deal), Ref("hub", Kind.CONTACT, contact)
    return LinkChange(ends[0], Relation.ASSOCIATED_WITH, ends[1], LINKED, None, "test")


def test_three_calls_a_hundred(account: Account) -> None:
    deals, (contact,), hubspot = account.deals(150), account.contacts(1), account.hubspot()
    calls(account.crm)
    for change, written in ((link, CREATED), (unlink, REMOVED)):
        receipts = list(hubspot.push_links([change(deal, contact) for deal in deals]))
        assert Counter(receipt.verdict for receipt in receipts) == {Verdict.WRITTEN: 150}
        assert calls(account.crm) == {EDGES: 4, written: 2}
        receipts = list(hubspot.push_links([change(deal, contact) for deal in deals]))
        assert Counter(receipt.verdict for receipt in receipts) == {Verdict.PRESENT: 150}
        assert calls(account.crm) == {EDGES: 2}


def test_one_that_is_gone_is_refused_alone(account: Account) -> None:
    deals, (contact, gone) = account.deals(3), account.contacts(2)
    account.crm.archive("contacts", gone)
    account.crm.archive("deals", deals[2])
    changes = [link(deals[0], contact), link(deals[1], gone), link(deals[2], contact), link(deals[1], contact)]
    receipts = list(account.hubspot().push_links(changes))
    assert [receipt.change for receipt in receipts] == changes
    expected = [Verdict.WRITTEN, Verdict.REFUSED, Verdict.REFUSED, Verdict.WRITTEN]
    assert [receipt.verdict for receipt in receipts] == expected
    assert all(receipt.reason for receipt in receipts[1:3])


@pytest.mark.parametrize("applied", [True, False])
def test_a_lost_answer_leaves_the_fate_unknown(account: Account, applied: bool) -> None:
    (deal,), (contact,) = account.deals(1), account.contacts(1)
    account.crm.fail_next(None, path="/associate/default", applied=applied)
    (receipt,) = account.hubspot().push_links([link(deal, contact)])
    assert receipt.verdict is Verdict.UNKNOWN
    (again,) = account.hubspot().push_links([link(deal, contact)])
    assert again.verdict is (Verdict.PRESENT if applied else Verdict.WRITTEN)


def test_what_hubspot_says_is_done_and_is_not_there_is_refused(account: Account) -> None:
    (deal,), (contact,) = account.deals(1), account.contacts(1)
    body = b'{"status": "COMPLETE", "results": []}'
    account.crm.fail_next(200, body=body, path="/associate/default")
    (receipt,) = account.hubspot().push_links([link(deal, contact)])
    assert (receipt.verdict, receipt.reason) == (Verdict.REFUSED, NOT_THERE)


def test_a_day_that_is_over_leaves_it_for_later(account: Account) -> None:
    (deal,), (contact,) = account.deals(1), account.contacts(1)
    body = b'{"status": "error", "policyName": "DAILY", "message": "You have reached your daily limit."}'
    account.crm.fail_next(429, body=body, path="/associate/default")
    (receipt,) = account.hubspot().push_links([link(deal, contact)])
    assert receipt.verdict is Verdict.DEFERRED
