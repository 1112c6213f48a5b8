"""Who looks after a record: names that are good to have, at the price of one call, and without which a pull goes on."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import responses
from responses.matchers import query_param_matcher

from refloop.connectors.hubspot import HubSpot
from refloop.connectors.hubspot.account import OwnerNames
from refloop.errors import CrmUnavailable
from refloop.model import Everything, Kind, Named, Owner, Ref
from tests.connectors.hubspot.account import DAY, FIELDS, START, Account, calls, records
from tests.connectors.hubspot.answers import URL, answers

OWNERS = f"{URL}/crm/owners/2026-03"
LISTED = "GET /crm/owners"


def owned(account: Account, owner: str) -> list[str]:
    at = START - DAY
    row = {"createdate": at, "lastmodifieddate": at, "hubspot_owner_id": owner}
    return account.crm.load("contacts", [row, row])


def test_names_are_asked_for_once_a_run_and_only_where_there_is_an_owner(account: Account) -> None:
    nobodys = account.contacts(2)
    hubspot = account.hubspot()
    assert {record.owner for record in records(list(hubspot.pull(FIELDS, Everything()))).values()} == {None}
    assert calls(account.crm)[LISTED] == 0
    ann = account.crm.add_owner("ann@acme.example", "Ann", "Owner")
    anns = owned(account, ann)
    for _ in range(2):
        found = records(list(hubspot.pull(FIELDS, Everything())))
        assert {found[f"contact:{one}"].owner for one in anns} == {Owner(ann, "Ann Owner")}
        assert {found[f"contact:{one}"].owner for one in nobodys} == {None}
    assert calls(account.crm)[LISTED] == 1


def test_without_the_scope_there_are_ids_and_no_names(accounts: Callable[..., Account]) -> None:
    account = accounts(denied_scopes=["crm.objects.owners.read"])
    ann = account.crm.add_owner("ann@acme.example", "Ann", "Owner")
    (one, two) = owned(account, ann)
    found = records(list(account.hubspot().pull(FIELDS, Everything())))
    assert [found[f"contact:{record}"].owner for record in (one, two)] == [Owner(ann)] * 2


def listed(crm: responses.RequestsMock, archived: bool, *people: dict[str, object]) -> None:
    only = {"archived": "true"} if archived else {}
    matcher = query_param_matcher({"limit": "500", **only})
    answers(crm, "GET", OWNERS, {"results": list(people)}, match=[matcher])


def test_who_left_is_looked_up_among_those_who_left(crm: responses.RequestsMock, hubspot: HubSpot) -> None:
    listed(crm, False, {"id": "41", "firstName": "Ann", "lastName": "Owner"}, {"id": 42, "firstName": "Bob"})
    listed(crm, True, {"id": "43", "firstName": "Cem", "lastName": None}, {"id": "44", "email": "d@acme.example"})
    names = OwnerNames(hubspot._client)
    assert (names.name("41"), names.name("42")) == ("Ann Owner", "Bob")
    assert len(crm.calls) == 1
    assert (names.name("43"), names.name("44"), names.name("45"), names.name("46")) == ("Cem", "", "", "")
    assert len(crm.calls) == 2


def test_many_owners_come_page_by_page(crm: responses.RequestsMock, hubspot: HubSpot) -> None:
    more = {"paging": {"next": {"after": "42"}}}
    first, second = ({"limit": "500", **after} for after in ({}, {"after": "42"}))
    answers(crm, "GET", OWNERS, {"results": [{"id": "41"}]} | more, match=[query_param_matcher(first)])
    last = {"results": [{"id": "42", "lastName": "Bee"}]}
    answers(crm, "GET", OWNERS, last, match=[query_param_matcher(second)])
    assert OwnerNames(hubspot._client).name("42") == "Bee"


@pytest.mark.parametrize("body", [{"results": {}}, {"results": [1]}, [], {"results": [], "paging": {"next": {}}}])
def test_owners_that_make_no_sense_end_the_pull(crm: responses.RequestsMock, hubspot: HubSpot, body: object) -> None:
    answers(crm, "GET", OWNERS, body)
    with pytest.raises(CrmUnavailable):
        OwnerNames(hubspot._client).name("41")


def test_owner_pages_without_an_end_are_refused(crm: responses.RequestsMock, hubspot: HubSpot) -> None:
    answers(crm, "GET", OWNERS, {"results": [{"id": "41"}], "paging": {"next": {"after": "41"}}})
    with pytest.raises(CrmUnavailable):
        hubspot._client.owners()


def test_what_named_records_cost(account: Account) -> None:
    people, deals = account.contacts(150), account.deals(100)
    refs = [Ref("hub", Kind.CONTACT, one) for one in people] + [Ref("hub", Kind.DEAL, one) for one in deals]
    account.crm.archive("contacts", people[0])
    calls(account.crm)
    pages = list(account.hubspot().pull(FIELDS, Named(tuple(refs))))
    assert [len(page.records) for page in pages] == [100, 50, 100]
    assert calls(account.crm) == {
        "POST /crm/objects/contacts/batch/read": 2 + 1,  # once more for the one that was archived
        "POST /crm/objects/deals/batch/read": 1,
        "POST /crm/associations/deals/contacts/batch/read": 1,
        "GET /crm/pipelines/deals": 1,  # these three once a run, and only where no pull came before
        "GET /crm/properties/contacts": 1,
        "GET /crm/properties/deals": 1,
    }
