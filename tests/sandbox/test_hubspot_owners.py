"""Who owns a record: the owners of an account, those who have left too, and what a record says of its own."""

from __future__ import annotations

import pytest

from refloop_sandbox.hubspot import LocalHubSpot
from tests.sandbox.hubspot_api import Api, Clock, Gate

PATHS = ("/crm/v3/owners", "/crm/v3/owners/", "/crm/owners/2026-03", "/crm/owners/2026-09/")


def _pages(api: Api, path: str, **query: str) -> list[list[str]]:
    """The ids of each page."""
    pages, after = [], "0"
    while after:
        body = api.ask("GET", path, params={**query, "limit": "2", "after": after}).json()
        pages.append([one["id"] for one in body["results"]])
        after = body.get("paging", {}).get("next", {}).get("after", "")
    return pages


@pytest.mark.parametrize("path", PATHS)
def test_owners_come_in_pages(hubspot: LocalHubSpot, api: Api, path: str) -> None:
    ids = [hubspot.add_owner(f"o{number}@x.org", "O") for number in range(5)]
    assert _pages(api, path) == [ids[:2], ids[2:4], ids[4:]]
    assert [one["id"] for one in api.ask("GET", path).json()["results"]] == ids
    assert [one["id"] for one in api.ask("GET", f"{path}?email=O1@x.org").json()["results"]] == ids[1:2]
    assert api.ask("GET", f"{path}?limit=501").status_code == 400


def test_an_owner_is_told_as_hubspot_does(hubspot: LocalHubSpot, api: Api) -> None:
    owner = hubspot.add_owner("mira@x.org", "Mira", "Tamm")
    user = int(owner) + 9_000_000
    assert api.ask("GET", f"/crm/v3/owners/{owner}").json() == {
        "id": owner, "email": "mira@x.org", "type": "PERSON", "firstName": "Mira", "lastName": "Tamm",
        "userId": user, "userIdIncludingInactive": user, "archived": False,
        "createdAt": "2026-09-01T10:00:00Z", "updatedAt": "2026-09-01T10:00:00Z",
    }  # fmt: skip


@pytest.mark.parametrize("path", PATHS)
def test_who_has_left_is_among_the_archived(hubspot: LocalHubSpot, api: Api, clock: Clock, path: str) -> None:
    ids = [hubspot.add_owner(f"o{number}@x.org", "O") for number in range(4)]
    clock.pass_(minutes=5)
    for owner in (ids[0], ids[1], ids[3]):
        hubspot.archive_owner(owner)
    assert _pages(api, path) == [[ids[2]]]
    assert _pages(api, path, archived="true") == [[ids[0], ids[1]], [ids[3]]]
    one = f"{path.rstrip('/')}/{ids[0]}"
    assert api.ask("GET", one).status_code == 404
    gone = api.ask("GET", f"{one}?archived=true").json()
    assert (gone["archived"], gone["userId"], gone["userIdIncludingInactive"]) == (True, None, int(ids[0]) + 9_000_000)
    assert (gone["createdAt"], gone["updatedAt"]) == ("2026-09-01T10:00:00Z", "2026-09-01T10:05:00Z")


def test_an_owner_is_read_by_the_users_id_too(hubspot: LocalHubSpot, api: Api) -> None:
    owner = hubspot.add_owner("mira@x.org")
    user = int(owner) + 9_000_000
    assert api.ask("GET", f"/crm/v3/owners/{user}?idProperty=userId").json()["id"] == owner
    assert api.ask("GET", f"/crm/v3/owners/{owner}?idProperty=id").json()["id"] == owner
    assert api.ask("GET", f"/crm/v3/owners/{user}").status_code == 404
    assert api.ask("GET", f"/crm/v3/owners/{owner}?idProperty=userId").status_code == 404
    bad = api.ask("GET", f"/crm/v3/owners/{owner}?idProperty=email")
    assert (bad.status_code, bad.json()["category"]) == (400, "VALIDATION_ERROR")
    hubspot.archive_owner(owner)
    assert api.ask("GET", f"/crm/v3/owners/{user}?idProperty=userId&archived=true").json()["id"] == owner


@pytest.mark.parametrize("path", [*PATHS, "/crm/v3/owners/41000001", "/crm/owners/2026-03/41000001"])
def test_owners_need_a_scope(clock: Clock, served: tuple[Gate, str], path: str) -> None:
    served[0].account = LocalHubSpot(clock=clock, denied_scopes=["crm.objects.owners.read"]).app
    with Api(served[1]) as api:
        answer = api.ask("GET", path)
        assert (answer.status_code, answer.json()["category"]) == (403, "MISSING_SCOPES")
        assert answer.json()["message"] == "This app hasn't been granted all required scopes to make this call."
        assert answer.json()["errors"] == [
            {
                "message": "One or more of the following scopes are required.",
                "context": {"requiredGranularScopes": ["crm.objects.owners.read"]},
            }
        ]


@pytest.mark.parametrize("kind", ["contacts", "deals"])
def test_a_record_names_its_owner_by_id(hubspot: LocalHubSpot, api: Api, clock: Clock, kind: str) -> None:
    mira, kim = hubspot.add_owner("mira@x.org"), hubspot.add_owner("kim@x.org")
    (record,) = hubspot.load(kind, [{"hubspot_owner_id": mira}])
    (nobodys,) = hubspot.load(kind, [{}])
    path = f"/crm/v3/objects/{kind}"

    def shown(record_id: str) -> tuple[str | None, str]:
        body = api.ask("GET", f"{path}/{record_id}?properties=hubspot_owner_id").json()
        return body["properties"]["hubspot_owner_id"], body["updatedAt"]

    assert (shown(record)[0], shown(nobodys)[0]) == (mira, None)
    before = shown(record)[1]
    clock.pass_(minutes=5)
    hubspot.rename_owner(mira, "Mira", "Kask")
    assert shown(record) == (mira, before)
    hubspot.update(kind, record, {"hubspot_owner_id": kim})
    assert shown(record) == (kim, "2026-09-01T10:05:00Z")
    hubspot.update(kind, record, {"hubspot_owner_id": ""})
    assert shown(record)[0] is None


def test_who_has_left_keeps_records_and_gets_no_new_ones(hubspot: LocalHubSpot, api: Api) -> None:
    mira = hubspot.add_owner("mira@x.org")
    (record,) = hubspot.load("deals", [{"hubspot_owner_id": mira}])
    hubspot.archive_owner(mira)
    assert (hubspot.get("deals", record) or {})["hubspot_owner_id"] == mira
    for owner in (mira, "1", "mira@x.org"):
        bad = api.ask("POST", "/crm/v3/objects/deals", {"properties": {"hubspot_owner_id": owner}})
        assert (bad.status_code, bad.json()["errors"][0]["code"]) == (400, "INVALID_OWNER_ID")


def test_the_property_refers_to_owners(api: Api) -> None:
    found = api.ask("GET", "/crm/v3/properties/contacts/hubspot_owner_id").json()
    assert (found["type"], found["fieldType"], found["options"]) == ("enumeration", "select", [])
    assert (found["externalOptions"], found["referencedObjectType"]) == (True, "OWNER")
    assert "referencedObjectType" not in api.ask("GET", "/crm/v3/properties/contacts/email").json()


def test_only_owners_who_are_there_can_be_archived(hubspot: LocalHubSpot) -> None:
    with pytest.raises(KeyError, match="owner 5"):
        hubspot.archive_owner("5")
