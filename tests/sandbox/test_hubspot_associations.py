from __future__ import annotations

import pytest

from refloop_sandbox.hubspot import LocalHubSpot
from tests.sandbox.hubspot_api import Api, Clock


@pytest.fixture
def deal(hubspot: LocalHubSpot) -> str:
    return hubspot.load("deals", [{"hs_object_id": 7, "dealname": "D"}])[0]


@pytest.fixture
def people(hubspot: LocalHubSpot) -> list[str]:
    return hubspot.load("contacts", ({} for _ in range(3)))


@pytest.mark.parametrize("path", ["/crm/v4/associations", "/crm/associations/2026-03", "/crm/associations/2026-09"])
def test_a_batch_read_tells_types_and_who_has_none(
    hubspot: LocalHubSpot, api: Api, deal: str, people: list[str], path: str
) -> None:
    hubspot.associate("deals", deal, "contacts", people[1])
    body = {"inputs": [{"id": deal}, {"id": "888"}]}
    answer = api.ask("POST", f"{path}/deals/contacts/batch/read", body)
    assert answer.status_code == 207
    assert answer.json()["results"] == [
        {
            "from": {"id": deal},
            "to": [
                {
                    "toObjectId": int(people[1]),
                    "associationTypes": [{"category": "HUBSPOT_DEFINED", "typeId": 3, "label": None}],
                }
            ],
        }
    ]
    (error,) = answer.json()["errors"]
    assert error["subCategory"] == "crm.associations.NO_ASSOCIATIONS_FOUND"
    assert error["message"] == "No contact is associated with deal 888."
    back = api.ask("POST", f"{path}/contacts/deals/batch/read", {"inputs": [{"id": people[1]}]})
    assert back.status_code == 200
    assert back.json()["results"][0]["to"][0]["associationTypes"][0]["typeId"] == 4


def test_a_batch_read_in_v3_has_names(hubspot: LocalHubSpot, api: Api, deal: str, people: list[str]) -> None:
    hubspot.associate("deals", deal, "contacts", people[0])
    answer = api.ask("POST", "/crm/v3/associations/deals/contacts/batch/read", {"inputs": [{"id": deal}]})
    assert answer.json()["results"] == [{"from": {"id": deal}, "to": [{"id": people[0], "type": "deal_to_contact"}]}]


@pytest.mark.parametrize(
    ("verb", "count", "status"),
    [("read", 1000, 207), ("read", 1001, 400), ("create", 2001, 400), ("archive", 101, 400), ("archive", 100, 204)],
)
def test_batch_sizes(api: Api, verb: str, count: int, status: int) -> None:
    items = [{"id": str(number), "from": {"id": "1"}, "to": [{"id": "2"}]} for number in range(count)]
    answer = api.ask("POST", f"/crm/v4/associations/deals/contacts/batch/{verb}", {"inputs": items})
    assert answer.status_code == status


def test_long_lists_are_paged_for_each_input(hubspot: LocalHubSpot, api: Api, deal: str) -> None:
    people = hubspot.load("contacts", ({} for _ in range(501)))
    hubspot.load_associations("deals", "contacts", [(deal, one) for one in people])
    path = "/crm/v4/associations/deals/contacts/batch/read"
    (first,) = api.ask("POST", path, {"inputs": [{"id": deal}]}).json()["results"]
    assert len(first["to"]) == 500
    after = first["paging"]["next"]["after"]
    (rest,) = api.ask("POST", path, {"inputs": [{"id": deal, "after": after}]}).json()["results"]
    assert [str(one["toObjectId"]) for one in rest["to"]] == people[500:]
    assert "paging" not in rest
    page = api.ask("GET", f"/crm/v4/objects/deals/{deal}/associations/contacts?limit=400").json()
    assert (len(page["results"]), page["paging"]["next"]["after"]) == (400, people[400])


def test_a_batch_creation_and_archiving(hubspot: LocalHubSpot, api: Api, deal: str, people: list[str]) -> None:
    types = [{"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": 3}]
    items = [{"from": {"id": deal}, "to": {"id": one}, "types": types} for one in [*people, "888"]]
    path = "/crm/associations/2026-03/deals/contacts/batch"
    made = api.ask("POST", f"{path}/create", {"inputs": items})
    assert (made.status_code, len(made.json()["results"]), made.json()["numErrors"]) == (207, 3, 1)
    assert made.json()["results"][0] == {
        "fromObjectTypeId": "0-3",
        "fromObjectId": 7,
        "toObjectTypeId": "0-1",
        "toObjectId": int(people[0]),
        "labels": [],
    }
    assert set(hubspot.associations("deals", deal, "contacts")) == set(people)
    gone = {"inputs": [{"from": {"id": deal}, "to": [{"id": people[0]}, {"id": people[1]}]}]}
    assert api.ask("POST", f"{path}/archive", gone).status_code == 204
    assert set(hubspot.associations("deals", deal, "contacts")) == {people[2]}


def test_a_type_must_go_that_way(api: Api, deal: str, people: list[str]) -> None:
    body = {"inputs": [{"from": {"id": deal}, "to": {"id": people[0]}, "types": [{"associationTypeId": 4}]}]}
    assert api.ask("POST", "/crm/v4/associations/deals/contacts/batch/create", body).status_code == 400


def test_one_company_is_primary(hubspot: LocalHubSpot, api: Api, people: list[str]) -> None:
    first, second = hubspot.load("companies", [{"name": "A"}, {"name": "B"}])
    for company in (first, second):
        path = f"/crm/v4/objects/contacts/{people[0]}/associations/default/companies/{company}"
        assert api.ask("PUT", path).status_code == 200
    assert hubspot.associations("contacts", people[0], "companies") == {first: {1, 279}, second: {279}}
    body = [{"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": 1}]
    path = f"/crm/objects/2026-03/contacts/{people[0]}/associations/companies/{second}"
    assert api.ask("PUT", path, body).status_code == 201
    assert hubspot.associations("contacts", people[0], "companies") == {first: {279}, second: {1, 279}}
    assert (hubspot.get("contacts", people[0]) or {})["associatedcompanyid"] == second
    record = api.ask("GET", f"/crm/v3/objects/contacts/{people[0]}?associations=companies").json()
    names = [(one["id"], one["type"]) for one in record["associations"]["companies"]["results"]]
    assert names == [
        (first, "contact_to_company_unlabeled"),
        (second, "contact_to_company"),
        (second, "contact_to_company_unlabeled"),
    ]


def test_the_primary_company_of_a_deal_is_a_property_of_it(hubspot: LocalHubSpot, api: Api, deal: str) -> None:
    first, second = hubspot.load("companies", [{"name": "A"}, {"name": "B"}])
    assert "hs_primary_associated_company" not in (hubspot.get("deals", deal) or {})
    for company in (first, second):
        hubspot.associate("deals", deal, "companies", company)
    assert (hubspot.get("deals", deal) or {})["hs_primary_associated_company"] == first
    only = {"propertyName": "hs_primary_associated_company", "operator": "EQ", "value": first}
    found = api.ask("POST", "/crm/v3/objects/deals/search", {"filterGroups": [{"filters": [only]}]}).json()
    assert [one["id"] for one in found["results"]] == [deal]


def test_associating_moves_no_modified_date(
    hubspot: LocalHubSpot, api: Api, clock: Clock, deal: str, people: list[str]
) -> None:
    clock.pass_(hours=1)
    hubspot.associate("deals", deal, "contacts", people[0])
    record = api.ask("GET", f"/crm/v3/objects/deals/{deal}?properties=num_associated_contacts").json()
    assert record["updatedAt"] == "2026-09-01T10:00:00Z"
    assert record["properties"]["num_associated_contacts"] == "1"


def test_labels_of_ones_own(hubspot: LocalHubSpot, api: Api, deal: str, people: list[str]) -> None:
    body = {"label": "Referrer", "inverseLabel": "Referred", "name": "referrer"}
    made = api.ask("POST", "/crm/v4/associations/deals/contacts/labels", body).json()["results"]
    assert [(one["category"], one["label"]) for one in made] == [("USER_DEFINED", "Referrer")]
    hubspot.associate("deals", deal, "contacts", people[0], made[0]["typeId"])
    back = api.ask("GET", f"/crm/v4/objects/contacts/{people[0]}/associations/deals").json()["results"][0]
    assert [one["label"] for one in back["associationTypes"]] == [None, "Referred"]
    hubspot.disassociate("deals", deal, "contacts", people[0], made[0]["typeId"])
    assert hubspot.associations("deals", deal, "contacts") == {people[0]: {3}}
    types = api.ask("GET", "/crm/v3/associations/deals/contacts/types").json()["results"]
    assert {"id": "3", "name": "deal_to_contact"} in types


def test_paired_labels_are_told_from_both_ends(hubspot: LocalHubSpot, api: Api, deal: str, people: list[str]) -> None:
    referrer = hubspot.add_label("deals", "contacts", "Referred by", "Referred")
    referred = hubspot.add_label("contacts", "contacts", "Referred", "Referred by")
    hubspot.associate("deals", deal, "contacts", people[0], referrer)
    hubspot.associate("contacts", people[0], "contacts", people[1], referred)
    hubspot.load_associations("deals", "contacts", [(deal, people[2])], referrer)

    def listed(ends: str) -> dict[str, int]:
        found = api.ask("GET", f"/crm/associations/2026-03/{ends}/labels").json()["results"]
        return {one["label"]: one["typeId"] for one in found if one["category"] == "USER_DEFINED"}

    def told(ends: str, *ids: str) -> dict[str, dict[int, set[str | None]]]:
        inputs = {"inputs": [{"id": one} for one in ids]}
        answer = api.ask("POST", f"/crm/associations/2026-03/{ends}/batch/read", inputs).json()
        return {
            one["from"]["id"]: {
                to["toObjectId"]: {kind["label"] for kind in to["associationTypes"]} for to in one["to"]
            }
            for one in answer["results"]
        }

    assert listed("deals/contacts") == {"Referred by": referrer}
    assert listed("contacts/deals") == {"Referred": referrer + 1}
    assert listed("contacts/contacts") == {"Referred": referred, "Referred by": referred + 1}
    both = {int(people[0]): {None, "Referred by"}, int(people[2]): {None, "Referred by"}}
    assert told("deals/contacts", deal) == {deal: both}
    assert told("contacts/deals", people[0]) == {people[0]: {int(deal): {None, "Referred"}}}
    assert told("contacts/contacts", people[0], people[1]) == {
        people[0]: {int(people[1]): {None, "Referred"}},
        people[1]: {int(people[0]): {None, "Referred by"}},
    }


def test_a_link_to_a_closed_deal_is_seen_by_reading_links_alone(
    hubspot: LocalHubSpot, api: Api, clock: Clock, people: list[str]
) -> None:
    deal = hubspot.create("deals", {"dealname": "D", "dealstage": "closedwon"})
    before = hubspot.get("deals", deal), hubspot.get("contacts", people[0])
    clock.pass_(days=30)
    hubspot.associate("deals", deal, "contacts", people[0])
    after = hubspot.get("deals", deal), hubspot.get("contacts", people[0])
    for old, new in zip(before, after, strict=True):
        assert old is not None
        assert new is not None
        assert {name for name in new if old.get(name) != new[name]} <= {
            "num_associated_contacts",
            "num_associated_deals",
        }
    since = {"propertyName": "hs_lastmodifieddate", "operator": "GT", "value": "2026-09-02"}
    found = api.ask("POST", "/crm/v3/objects/deals/search", {"filterGroups": [{"filters": [since]}]}).json()
    assert found["total"] == 0
    links = api.ask("POST", "/crm/v4/associations/deals/contacts/batch/read", {"inputs": [{"id": deal}]}).json()
    assert [one["toObjectId"] for one in links["results"][0]["to"]] == [int(people[0])]


def test_archiving_a_record_ends_its_associations(hubspot: LocalHubSpot, deal: str, people: list[str]) -> None:
    hubspot.associate("deals", deal, "contacts", people[0])
    hubspot.archive("contacts", people[0])
    assert hubspot.associations("deals", deal, "contacts") == {}
