"""What a user may do: objects that his profile closes, system permissions, and licences."""

from __future__ import annotations

import requests

from refloop_sandbox.salesforce import LocalSalesforce

LEAD = {"LastName": "Doe", "Company": "Acme"}


def test_an_object_that_is_closed_to_edits(crm: LocalSalesforce, api: requests.Session) -> None:
    lead = crm.create("Lead", LEAD)
    crm.limit_object("Lead", "read")
    described = api.get("~/sobjects/Lead/describe").json()
    assert not described["updateable"]
    assert not any(field["updateable"] for field in described["fields"])
    assert api.get("~/query", params={"q": "SELECT Id FROM Lead"}).json()["totalSize"] == 1
    refused = api.patch(f"~/sobjects/Lead/{lead}", json={"Company": "X"})
    assert (refused.status_code, refused.json()[0]["errorCode"]) == (403, "INSUFFICIENT_ACCESS_OR_READONLY")
    records = [{"attributes": {"type": "Lead"}, "id": lead, "Company": "X"}]
    (result,) = api.patch("~/composite/sobjects", json={"records": records}).json()
    assert result["errors"][0]["statusCode"] == "INSUFFICIENT_ACCESS_OR_READONLY"
    crm.update("Lead", lead, {"Company": "a person may"})


def test_an_object_that_is_not_seen(crm: LocalSalesforce, api: requests.Session) -> None:
    crm.limit_object("Lead")
    assert api.get("~/sobjects/Lead/describe").status_code == 404
    assert "Lead" not in {item["name"] for item in api.get("~/sobjects").json()["sobjects"]}
    refused = api.get("~/query", params={"q": "SELECT Id FROM Lead"})
    assert (refused.status_code, refused.json()[0]["errorCode"]) == (400, "INVALID_TYPE")


def test_a_permission_set_opens_it_again(crm: LocalSalesforce, api: requests.Session) -> None:
    lead = crm.create("Lead", LEAD)
    crm.limit_object("Lead", "read")
    made = crm.create("PermissionSet", {"Name": "Sync", "Label": "Sync"})
    rights = {"ParentId": made, "SobjectType": "Lead", "PermissionsRead": True, "PermissionsEdit": True}
    crm.create("ObjectPermissions", rights)
    assert api.patch(f"~/sobjects/Lead/{lead}", json={"Company": "X"}).status_code == 403
    assigned = crm.create("PermissionSetAssignment", {"PermissionSetId": made, "AssigneeId": crm.integration_user})
    assert api.patch(f"~/sobjects/Lead/{lead}", json={"Company": "X"}).status_code == 204
    crm.delete("PermissionSetAssignment", assigned)
    assert api.patch(f"~/sobjects/Lead/{lead}", json={"Company": "X"}).status_code == 403


def test_who_may_not_customize_makes_no_fields(crm: LocalSalesforce, api: requests.Session) -> None:
    crm.withhold("Customize Application")
    field = {"FullName": "Lead.A__c", "Metadata": {"label": "A", "type": "Text", "length": 10}}
    refused = api.post("~/tooling/sobjects/CustomField", json=field)
    assert (refused.status_code, refused.json()[0]["errorCode"]) == (403, "INSUFFICIENT_ACCESS")


def test_who_may_not_manage_permission_sets_makes_none(crm: LocalSalesforce, api: requests.Session) -> None:
    crm.withhold("Manage Profiles and Permission Sets")
    assert api.post("~/sobjects/PermissionSet", json={"Name": "A", "Label": "A"}).status_code == 403
    assert api.get("~/query", params={"q": "SELECT Id FROM PermissionSet"}).status_code == 200


def test_a_licence_that_does_not_allow_a_permission_set(crm: LocalSalesforce, api: requests.Session) -> None:
    crm.license(permission_set_license=False)
    made = crm.create("PermissionSet", {"Name": "Sync", "Label": "Sync"})
    crm.create("ObjectPermissions", {"ParentId": made, "SobjectType": "Lead", "PermissionsRead": True})
    assignment = {"PermissionSetId": made, "AssigneeId": crm.integration_user}
    refused = api.post("~/sobjects/PermissionSetAssignment", json=assignment)
    assert (refused.status_code, refused.json()[0]["errorCode"]) == (400, "FIELD_INTEGRITY_EXCEPTION")
    assert "user license doesn't allow the permission" in refused.json()[0]["message"]
    crm.license(permission_set_license=True)
    assert api.post("~/sobjects/PermissionSetAssignment", json=assignment).status_code == 201
