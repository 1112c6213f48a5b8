from __future__ import annotations

from typing import Any

import pytest

from refloop_sandbox.hubspot import LocalHubSpot
from tests.sandbox.hubspot_api import Api, Clock, Gate

PROPERTIES = "/crm/properties/2026-03/contacts"
CODE = {"name": "ref_code", "label": "Code", "type": "string", "fieldType": "text", "groupName": "referral"}


@pytest.fixture
def group(api: Api) -> str:
    answer = api.ask("POST", f"{PROPERTIES}/groups", {"name": "referral", "label": "Referral", "displayOrder": -1})
    assert answer.status_code == 201
    assert answer.json() == {"name": "referral", "label": "Referral", "displayOrder": -1, "archived": False}
    return "referral"


def test_the_standard_properties(api: Api) -> None:
    known = {one["name"]: one for one in api.ask("GET", "/crm/v3/properties/contacts").json()["results"]}
    assert known["email"]["hubspotDefined"] is True
    assert known["hs_analytics_first_url"]["modificationMetadata"]["readOnlyValue"] is True
    assert known["hs_analytics_source"]["modificationMetadata"]["readOnlyValue"] is False
    assert [option["value"] for option in known["lifecyclestage"]["options"]][:2] == ["subscriber", "lead"]
    assert known["lastmodifieddate"]["fieldType"] == "date"
    deals = {one["name"] for one in api.ask("GET", "/crm/v3/properties/0-3").json()["results"]}
    assert {"hs_is_closed_won", "hs_closed_won_date", "hs_date_entered_closedwon", "hs_merged_object_ids"} <= deals
    assert "hs_salesforceopportunityid" not in deals


@pytest.mark.parametrize("path", ["/properties/v1/contacts/properties", "/properties/v2/contact/properties"])
def test_old_connectors_still_read_properties(api: Api, path: str) -> None:
    assert api.ask("GET", path).json() == api.ask("GET", "/crm/v3/properties/contacts").json()["results"]


def test_the_salesforce_integration_brings_its_properties(served: tuple[Gate, str]) -> None:
    hubspot = LocalHubSpot(salesforce_integration=True)
    (deal,) = hubspot.load("deals", [{"hs_salesforceopportunityid": "006xx0000012345AAA"}])
    served[0].account = hubspot.app
    with Api(served[1]) as api:
        read = api.ask("GET", f"/crm/v3/objects/deals/{deal}?properties=hs_salesforceopportunityid").json()
    assert read["properties"]["hs_salesforceopportunityid"] == "006xx0000012345AAA"


def test_a_property_is_created_changed_and_archived(api: Api, group: str) -> None:
    made = api.ask("POST", PROPERTIES, {**CODE, "description": "Who sent them"})
    assert made.status_code == 201
    assert made.json()["createdAt"] == "2026-09-01T10:00:00Z"
    changed = api.ask("PATCH", f"{PROPERTIES}/ref_code", {"label": "Referral code"}).json()
    assert (changed["label"], changed["description"]) == ("Referral code", "Who sent them")
    assert api.ask("DELETE", f"{PROPERTIES}/ref_code").status_code == 204
    gone = api.ask("GET", f"{PROPERTIES}/ref_code")
    assert (gone.status_code, gone.json()["category"]) == (404, "OBJECT_NOT_FOUND")


def test_a_batch_creation_tells_existing_ones_apart(api: Api, group: str) -> None:
    status = {"name": "ref_status", "label": "Status", "type": "enumeration", "fieldType": "select", "groupName": group}
    body = {"inputs": [CODE, {**status, "options": [{"label": "Won", "value": "won"}]}]}
    first = api.ask("POST", f"{PROPERTIES}/batch/create", body)
    assert (first.status_code, len(first.json()["results"])) == (201, 2)
    again = api.ask("POST", f"{PROPERTIES}/batch/create", body)
    assert (again.status_code, again.json()["numErrors"], again.json()["results"]) == (207, 2, [])
    assert again.json()["errors"][0] == {
        "status": "error",
        "category": "OBJECT_ALREADY_EXISTS",
        "subCategory": "Properties.PROPERTY_WITH_NAME_EXISTS",
        "message": "A property named 'ref_code' already exists.",
        "context": {"name": ["ref_code"]},
    }
    newest = api.ask("POST", "/crm/properties/2026-09/contacts/batch/create", body)
    assert (newest.status_code, newest.json()["numErrors"]) == (200, 2)


@pytest.mark.parametrize(
    ("wrong", "status"),
    [
        ({"name": "Bad Name"}, 400),
        ({"name": ""}, 400),
        ({"type": "text"}, 400),
        ({"type": "datetime", "fieldType": "text"}, 400),
        ({"type": "enumeration", "fieldType": "select"}, 400),
        ({"type": "enumeration", "fieldType": "select", "options": [{"label": "A"}]}, 400),
        ({"type": "bool", "fieldType": "booleancheckbox", "options": [{"label": "A", "value": "yes"}]}, 400),
        ({"groupName": "nowhere"}, 400),
        ({"name": "email"}, 409),
        ({}, 201),
    ],
)
def test_definitions_are_checked(api: Api, group: str, wrong: dict[str, Any], status: int) -> None:
    assert api.ask("POST", PROPERTIES, {**CODE, **wrong}).status_code == status


def test_hubspots_own_properties_stay(api: Api) -> None:
    assert api.ask("DELETE", f"{PROPERTIES}/email").status_code == 400
    assert api.ask("PATCH", f"{PROPERTIES}/email", {"label": "Mail"}).status_code == 400


def test_ten_unique_properties_an_object(hubspot: LocalHubSpot, api: Api, group: str) -> None:
    for number in range(10):
        hubspot.define_property("contacts", {"name": f"key_{number}", "hasUniqueValue": True})
    answer = api.ask("POST", PROPERTIES, {**CODE, "hasUniqueValue": True})
    assert (answer.status_code, answer.json()["category"]) == (400, "LIMIT_EXCEEDED")


def test_a_batch_read_of_properties(api: Api) -> None:
    answer = api.ask("POST", f"{PROPERTIES}/batch/read", {"inputs": [{"name": "email"}, {"name": "nope"}]})
    assert answer.status_code == 207
    assert [one["name"] for one in answer.json()["results"]] == ["email"]
    assert answer.json()["errors"][0]["context"] == {"name": ["nope"]}


def test_the_default_pipeline(api: Api) -> None:
    (pipeline,) = api.ask("GET", "/crm/pipelines/2026-03/deals").json()["results"]
    assert pipeline["id"] == "default"
    shown = {stage["id"]: stage["metadata"] for stage in pipeline["stages"]}
    assert shown["closedwon"] == {"isClosed": "true", "probability": "1.0"}
    assert shown["contractsent"] == {"isClosed": "false", "probability": "0.9"}
    assert list(shown)[-1] == "closedlost"
    assert api.ask("GET", "/crm/v3/pipelines/contacts").status_code == 400
    assert api.ask("GET", "/crm/v3/pipelines/deals/nope").status_code == 404


def test_pipelines_and_stages_of_ones_own(hubspot: LocalHubSpot, api: Api) -> None:
    pipeline = hubspot.add_pipeline("Partners", [{"label": "In", "metadata": {"probability": "0.3"}}])
    won = hubspot.add_stage(pipeline, "Signed", probability="1.0")
    assert won.isdecimal()
    stages = api.ask("GET", f"/crm/v3/pipelines/deals/{pipeline}/stages").json()["results"]
    assert [(stage["label"], stage["metadata"]["isClosed"]) for stage in stages] == [
        ("In", "false"),
        ("Signed", "true"),
    ]
    body = {"properties": {"dealstage": won}}
    assert api.ask("POST", "/crm/v3/objects/deals", body).status_code == 400
    body["properties"]["pipeline"] = pipeline
    deal = api.ask("POST", "/crm/v3/objects/deals", body).json()
    assert deal["properties"]["hs_is_closed_won"] == "true"
    assert deal["properties"][f"hs_date_entered_{won}"] == "2026-09-01T10:00:00Z"
    path = f"/crm/v3/pipelines/deals/{pipeline}/stages"
    assert api.ask("POST", path, {"label": "Bad", "metadata": {"probability": "2"}}).status_code == 400
    renamed = api.ask("PATCH", f"{path}/{won}", {"label": "Done"}).json()
    assert (renamed["label"], renamed["metadata"]["probability"]) == ("Done", "1.0")
    assert api.ask("DELETE", f"{path}/{won}").status_code == 204
    assert api.ask("GET", f"{path}/{won}").status_code == 404


def test_owners(hubspot: LocalHubSpot, api: Api) -> None:
    ids = [hubspot.add_owner(f"o{number}@x.org", "O") for number in range(3)]
    first = api.ask("GET", "/crm/v3/owners/?limit=2").json()
    assert [one["id"] for one in first["results"]] == ids[:2]
    rest = api.ask("GET", f"/crm/owners/2026-03?after={first['paging']['next']['after']}").json()
    assert [one["id"] for one in rest["results"]] == ids[2:]
    assert [one["id"] for one in api.ask("GET", "/crm/v3/owners?email=o1@x.org").json()["results"]] == ids[1:2]
    assert api.ask("GET", f"/crm/v3/owners/{ids[0]}").json()["email"] == "o0@x.org"
    bad = api.ask("POST", "/crm/v3/objects/deals", {"properties": {"hubspot_owner_id": "1"}})
    assert bad.json()["errors"][0]["code"] == "INVALID_OWNER_ID"


@pytest.mark.parametrize("path", ["/account-info/v3/details", "/account-info/2026-03/details"])
def test_the_account_tells_its_zone_and_currency(served: tuple[Gate, str], clock: Clock, path: str) -> None:
    served[0].account = LocalHubSpot(
        clock=clock, time_zone="America/New_York", currency="EUR", portal_id=42, account_type="SANDBOX"
    ).app
    with Api(served[1]) as api:
        details = api.ask("GET", path).json()
    assert (details["portalId"], details["timeZone"], details["companyCurrency"]) == (42, "America/New_York", "EUR")
    assert details["accountType"] == "SANDBOX"
    assert (details["utcOffset"], details["utcOffsetMilliseconds"]) == ("-04:00", -14_400_000)
