"""Contact roles, over HTTP: what they cost, and what became of them when something breaks."""

from __future__ import annotations

from collections import Counter

import pytest

from refloop.connectors.salesforce.links import UNKNOWN_FATE
from refloop.errors import CrmUnavailable
from refloop.model import LINKED, Kind, LinkChange, Ref, Relation, Verdict
from refloop_sandbox.salesforce import LocalSalesforce
from tests.connectors.hostile import spelled
from tests.connectors.salesforce.connections import Connections
from tests.connectors.salesforce.world import refuse_next

ROLE = "OpportunityContactRole"
RECORDS = "/composite/sobjects"


def deals(local: LocalSalesforce, count: int) -> list[Ref]:
    deal = {"StageName": "Prospecting", "CloseDate": "2026-12-31"}
    made = local.load("Opportunity", ({"Name": f"D{n}", **deal} for n in range(count)))
    return [Ref("crm", Kind.DEAL, one) for one in made]


def person(local: LocalSalesforce) -> Ref:
    return Ref("crm", Kind.CONTACT, local.create("Contact", {"LastName": "C"}))


def link(deal: Ref, contact: Ref) -> LinkChange:
    return LinkChange(deal, Relation.ASSOCIATED_WITH, contact, None, LINKED, "test")


def unlink(deal: Ref, contact: Ref) -> LinkChange:
    return LinkChange(deal, Relation.ASSOCIATED_WITH, contact, LINKED, None, "test")


def roles(local: LocalSalesforce) -> int:
    return sum(row["IsDeleted"] is False for row in local.rows(ROLE))


def test_two_calls_for_two_hundred(local: LocalSalesforce, connect: Connections) -> None:
    refs, contact, crm = deals(local, 250), person(local), connect()
    receipts = list(crm.push_links([link(ref, contact) for ref in refs]))
    assert Counter(receipt.verdict for receipt in receipts) == {Verdict.WRITTEN: 250}
    assert roles(local) == 250
    assert sum(count for endpoint, count in crm.calls().items() if "oauth2" not in endpoint) == 4
    receipts = list(crm.push_links([unlink(ref, contact) for ref in refs]))
    assert Counter(receipt.verdict for receipt in receipts) == {Verdict.WRITTEN: 250}
    assert roles(local) == 0


def test_all_roles_of_a_contact_are_taken_away(local: LocalSalesforce, connect: Connections) -> None:
    (deal,), contact = deals(local, 1), person(local)
    for role in ("Decision Maker", "Evaluator", None):
        local.create(ROLE, {"OpportunityId": deal.id, "ContactId": contact.id, "Role": role})
    (receipt,) = connect().push_links([unlink(deal, contact)])
    assert (receipt.verdict, roles(local)) == (Verdict.WRITTEN, 0)


def test_a_contact_that_is_gone_is_refused_alone(local: LocalSalesforce, connect: Connections) -> None:
    (deal,), contact, gone = deals(local, 1), person(local), person(local)
    local.delete("Contact", gone.id)
    receipts = list(connect().push_links([link(deal, gone), link(deal, contact)]))
    assert [receipt.verdict for receipt in receipts] == [Verdict.REFUSED, Verdict.WRITTEN]
    assert receipts[0].reason


@pytest.mark.parametrize("applied", [True, False])
def test_a_lost_answer_leaves_the_fate_unknown(local: LocalSalesforce, connect: Connections, applied: bool) -> None:
    (deal,), contact = deals(local, 1), person(local)
    local.fail_next(None, applied=applied, path=RECORDS)
    (receipt,) = connect().push_links([link(deal, contact)])
    assert (receipt.verdict, receipt.reason, roles(local)) == (Verdict.UNKNOWN, UNKNOWN_FATE, int(applied))
    (again,) = connect().push_links([link(deal, contact)])
    assert again.verdict is (Verdict.PRESENT if applied else Verdict.WRITTEN)
    assert roles(local) == 1


@pytest.mark.parametrize("body", [b"{}", b"[]", b'[{"success": "yes"}]', b"[null]", b"[{}, {}]"])
def test_an_answer_that_tells_nothing_leaves_the_fate_unknown(
    local: LocalSalesforce, connect: Connections, body: bytes
) -> None:
    (deal,), contact = deals(local, 1), person(local)
    local.faults.add(spelled("nonsense", lambda _raw: body), path=RECORDS)
    (receipt,) = connect().push_links([link(deal, contact)])
    assert receipt.verdict is Verdict.UNKNOWN


def test_a_limit_leaves_it_for_later(local: LocalSalesforce, connect: Connections) -> None:
    (deal,), contact = deals(local, 1), person(local)
    refuse_next(local, 403, "REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded.", path=RECORDS)
    (receipt,) = connect().push_links([link(deal, contact)])
    assert (receipt.verdict, roles(local)) == (Verdict.DEFERRED, 0)


def test_a_look_that_makes_no_sense_ends_the_push_with_nothing_written(
    local: LocalSalesforce, connect: Connections
) -> None:
    (deal,), contact = deals(local, 1), person(local)
    local.create(ROLE, {"OpportunityId": deal.id, "ContactId": contact.id})
    local.faults.add(spelled("another deal", lambda raw: raw.replace(deal.id.encode(), b"nobody")), path="/query")
    with pytest.raises(CrmUnavailable):
        list(connect().push_links([unlink(deal, contact)]))
    assert roles(local) == 1
