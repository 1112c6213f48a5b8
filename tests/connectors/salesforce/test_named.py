"""Records by name: what they cost, and what an answer must not bring."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

import pytest

from refloop.errors import CrmUnavailable
from refloop.model import Everything, Kind, Named, Owner, Ref
from refloop_sandbox.salesforce import LocalSalesforce
from tests.connectors.hostile import spelled
from tests.connectors.salesforce.connections import Connections

COMPOSITE = "POST /services/data/v67.0/composite"


def leads(local: LocalSalesforce, count: int) -> list[Ref]:
    made = local.load("Lead", ({"LastName": f"L{n}", "Company": "Acme"} for n in range(count)))
    return [Ref("crm", Kind.LEAD, one) for one in made]


def deals(local: LocalSalesforce, count: int) -> list[Ref]:
    deal = {"StageName": "Prospecting", "CloseDate": "2026-12-31"}
    made = local.load("Opportunity", ({"Name": f"D{n}", **deal} for n in range(count)))
    return [Ref("crm", Kind.DEAL, one) for one in made]


def spent(before: Mapping[str, int], after: Mapping[str, int]) -> Counter[str]:
    return Counter(after) - Counter(before)


@pytest.mark.parametrize(("people", "offers", "most"), [(1_250, 0, 1), (0, 500, 1), (251, 251, 2)])
def test_what_named_records_cost(
    local: LocalSalesforce, connect: Connections, people: int, offers: int, most: int
) -> None:
    refs = leads(local, people) + deals(local, offers)
    crm = connect()
    list(crm.pull((), Everything()))
    before = crm.calls()
    pages = list(crm.pull((), Named(tuple(refs))))
    assert [record.ref for page in pages for record in page.records] == refs
    assert spent(before, crm.calls()) == {COMPOSITE: most}


def test_an_answer_that_is_cut_short_is_gone_on_from(local: LocalSalesforce, connect: Connections) -> None:
    local._org.queries.page_size = 7
    refs = deals(local, 30)
    person = local.create("Contact", {"LastName": "C"})
    for ref in refs:
        local.create("OpportunityContactRole", {"OpportunityId": ref.id, "ContactId": person})
    (page,) = connect().pull((), Named(tuple(refs)))
    assert [record.ref for record in page.records] == refs
    assert {link.source for link in page.links} == set(refs)


def test_a_lead_of_a_queue_says_so(local: LocalSalesforce, connect: Connections) -> None:
    (ref,) = leads(local, 1)
    local.update("Lead", ref.id, {"OwnerId": local.queue_id})
    (page,) = connect().pull((), Named((ref,)))
    (queue,) = (row for row in local.rows("Group") if row["Id"] == local.queue_id)
    assert page.records[0].owner == Owner(local.queue_id, str(queue["Name"]))


def test_a_row_that_was_not_asked_for_is_refused(local: LocalSalesforce, connect: Connections) -> None:
    asked, other = leads(local, 2)

    def exchanged(raw: bytes) -> bytes:
        return raw.replace(asked.id.encode(), other.id.encode())

    crm = connect()
    list(crm.pull((), Everything()))
    local.faults.add(spelled("another row", exchanged), path="/queryAll")
    with pytest.raises(CrmUnavailable):
        list(crm.pull((), Named((asked,))))
