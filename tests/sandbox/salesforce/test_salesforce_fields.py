"""Custom fields through the Tooling API, and who may see them."""

from __future__ import annotations

from typing import Any

import pytest
import requests

from refloop_sandbox.salesforce import LocalSalesforce

_TEXT = {"label": "Referral Code", "type": "Text", "length": 80}


def _make(api: requests.Session, name: str, metadata: dict[str, Any]) -> requests.Response:
    return api.post("~/tooling/sobjects/CustomField", json={"FullName": name, "Metadata": metadata})


def _post(api: requests.Session, kind: str, **fields: Any) -> str:
    answer = api.post(f"~/sobjects/{kind}", json=fields)
    assert answer.status_code == 201, answer.text
    made: str = answer.json()["id"]
    return made


def _names(api: requests.Session) -> set[str]:
    return {field["name"] for field in api.get("~/sobjects/Lead/describe").json()["fields"]}


def test_a_new_field_is_seen_by_nobody_until_granted_and_assigned(crm: LocalSalesforce, api: requests.Session) -> None:
    made = _make(api, "Lead.Referral_Code__c", _TEXT)
    assert (made.status_code, made.json()["success"]) == (201, True)
    lead = crm.create("Lead", {"LastName": "L", "Company": "C", "Referral_Code__c": "ABC"})
    soql = {"q": "SELECT Referral_Code__c FROM Lead WHERE Referral_Code__c = 'abc'"}
    body = {"Referral_Code__c": "DEF"}

    def hidden() -> None:
        assert "Referral_Code__c" not in _names(api)
        assert (
            "No such column 'Referral_Code__c' on entity 'Lead'" in api.get("~/query", params=soql).json()[0]["message"]
        )
        refused = api.patch(f"~/sobjects/Lead/{lead}", json=body).json()[0]
        assert (refused["errorCode"], refused["fields"]) == ("INVALID_FIELD_FOR_INSERT_UPDATE", ["Referral_Code__c"])
        assert "Referral_Code__c" not in api.get(f"~/sobjects/Lead/{lead}").json()

    hidden()
    permissions = _post(api, "PermissionSet", Name="Referral_Sync", Label="Referral Sync")
    grant = {"ParentId": permissions, "SobjectType": "Lead", "Field": "Lead.Referral_Code__c", "PermissionsRead": True}
    granted = _post(api, "FieldPermissions", **grant)
    hidden()
    assigned = _post(api, "PermissionSetAssignment", PermissionSetId=permissions, AssigneeId=crm.integration_user)
    assert "Referral_Code__c" in _names(api)
    assert api.get("~/query", params=soql).json()["records"][0]["Referral_Code__c"] == "ABC"
    assert api.patch(f"~/sobjects/Lead/{lead}", json=body).json()[0]["errorCode"] == "INVALID_FIELD_FOR_INSERT_UPDATE"
    assert api.patch(f"~/sobjects/FieldPermissions/{granted}", json={"PermissionsEdit": True}).status_code == 204
    assert api.patch(f"~/sobjects/Lead/{lead}", json=body).status_code == 204
    assert api.delete(f"~/sobjects/PermissionSetAssignment/{assigned}").status_code == 204
    hidden()


def test_a_grant_that_was_rolled_back_grants_nothing(crm: LocalSalesforce, api: requests.Session) -> None:
    _make(api, "Lead.Ref__c", _TEXT)
    root = "/services/data/v67.0/sobjects"
    field = {"ParentId": "@{set.id}", "SobjectType": "Lead", "Field": "Lead.Ref__c", "PermissionsRead": True}
    assign = {"PermissionSetId": "@{set.id}", "AssigneeId": crm.integration_user}
    parts = [
        ("set", "PermissionSet", {"Name": "A", "Label": "A"}), ("field", "FieldPermissions", field),
        ("assign", "PermissionSetAssignment", assign), ("bad", "PermissionSet", {"Name": "A", "Label": "A"}),
    ]  # fmt: skip
    requests_ = [
        {"method": "POST", "url": f"{root}/{kind}", "referenceId": name, "body": body} for name, kind, body in parts
    ]
    api.post("~/composite", json={"allOrNone": True, "compositeRequest": requests_})
    assert "Ref__c" not in _names(api)
    api.post("~/composite", json={"allOrNone": False, "compositeRequest": requests_})
    assert "Ref__c" in _names(api)


@pytest.mark.parametrize(
    ("metadata", "type_", "value", "shown"),
    [
        (_TEXT, "string", "x", "x"),
        ({"label": "N", "type": "Number", "precision": 18, "scale": 2}, "double", "1.005", 1.0),
        ({"label": "C", "type": "Currency", "precision": 18, "scale": 2}, "currency", 10, 10.0),
        ({"label": "B", "type": "Checkbox", "defaultValue": False}, "boolean", True, True),
        ({"label": "D", "type": "Date"}, "date", "2026-02-03", "2026-02-03"),
        ({"label": "T", "type": "DateTime"}, "datetime", "2026-02-03T01:00:00+01:00", "2026-02-03T00:00:00.000+0000"),
        ({"label": "U", "type": "Url"}, "url", "https://a.example", "https://a.example"),
        ({"label": "L", "type": "LongTextArea", "length": 1000, "visibleLines": 3}, "textarea", "x" * 999, "x" * 999),
    ],
)
def test_types(
    crm: LocalSalesforce, api: requests.Session, metadata: dict[str, Any], type_: str, value: object, shown: object
) -> None:
    assert _make(api, "Lead.Extra__c", metadata).status_code == 201
    crm.grant_field("Lead", "Extra__c")
    lead = crm.create("Lead", {"LastName": "L", "Company": "C", "Extra__c": value})
    described = {field["name"]: field for field in api.get("~/sobjects/Lead/describe").json()["fields"]}["Extra__c"]
    assert (described["type"], described["custom"], described["label"]) == (type_, True, metadata["label"])
    assert api.get(f"~/sobjects/Lead/{lead}").json()["Extra__c"] == shown


def test_restricted_choices(crm: LocalSalesforce, api: requests.Session) -> None:
    values = [{"fullName": "won", "label": "Won", "default": False}, {"fullName": "lost", "label": "Lost"}]
    value_set = {"restricted": True, "valueSetDefinition": {"sorted": False, "value": values}}
    assert _make(api, "Lead.Ref__c", {"label": "Ref", "type": "Picklist", "valueSet": value_set}).status_code == 201
    crm.grant_field("Lead", "Ref__c")
    lead = crm.create("Lead", {"LastName": "L", "Company": "C", "Ref__c": "won"})
    refused = api.patch(f"~/sobjects/Lead/{lead}", json={"Ref__c": "open"}).json()[0]
    assert refused["errorCode"] == "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST"
    assert refused["message"] == "Ref: bad value for restricted picklist field: open"


@pytest.mark.parametrize(
    ("name", "metadata", "code"),
    [
        ("Lead.Ref__c", _TEXT, "DUPLICATE_DEVELOPER_NAME"),
        ("lead.REF__C", _TEXT, "INVALID_FULL_NAME"),
        ("Nope.Ref__c", _TEXT, "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST"),
        ("Lead.Ref", _TEXT, "INVALID_FULL_NAME"),
        ("Lead.1x__c", _TEXT, "INVALID_FULL_NAME"),
        ('Lead.x"__c', _TEXT, "INVALID_FULL_NAME"),
        ("Lead.x__y__c", _TEXT, "INVALID_FULL_NAME"),
        ("Lead.New__c", {"label": "N", "type": "Text"}, "FIELD_INTEGRITY_EXCEPTION"),
        ("Lead.New__c", {"label": "N", "type": "Number"}, "FIELD_INTEGRITY_EXCEPTION"),
        ("Lead.New__c", {"type": "Date"}, "REQUIRED_FIELD_MISSING"),
        ("Lead.New__c", {"label": "N", "type": "Nope"}, "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST"),
        ("Lead.New__c", {"label": "N", "type": "Picklist"}, "FIELD_INTEGRITY_EXCEPTION"),
    ],
)
def test_fields_that_are_refused(api: requests.Session, name: str, metadata: dict[str, Any], code: str) -> None:
    assert _make(api, "Lead.Ref__c", _TEXT).status_code == 201
    answer = _make(api, name, metadata)
    assert (answer.status_code, answer.json()[0]["errorCode"]) == (400, code)


@pytest.mark.parametrize(
    ("field", "code"),
    [
        ({"Field": "Lead.Nope__c", "PermissionsRead": True}, "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST"),
        ({"Field": "Lead.LastName", "PermissionsRead": True}, "FIELD_INTEGRITY_EXCEPTION"),
        ({"Field": "Lead.Ref__c", "PermissionsEdit": True}, "FIELD_INTEGRITY_EXCEPTION"),
        ({"Field": "Lead.Ref__c", "ParentId": "0PS000000000000"}, "INVALID_CROSS_REFERENCE_KEY"),
    ],
)
def test_grants_that_are_refused(api: requests.Session, field: dict[str, Any], code: str) -> None:
    _make(api, "Lead.Ref__c", _TEXT)
    parent = _post(api, "PermissionSet", Name="A", Label="A")
    answer = api.post("~/sobjects/FieldPermissions", json={"ParentId": parent, "SobjectType": "Lead", **field})
    assert answer.json()[0]["errorCode"] == code


def test_a_second_grant_is_a_duplicate(api: requests.Session) -> None:
    _make(api, "Lead.Ref__c", _TEXT)
    parent = _post(api, "PermissionSet", Name="A", Label="A")
    grant = {"ParentId": parent, "SobjectType": "Lead", "Field": "Lead.Ref__c", "PermissionsRead": True}
    _post(api, "FieldPermissions", **grant)
    assert api.post("~/sobjects/FieldPermissions", json=grant).json()[0]["errorCode"] == "DUPLICATE_VALUE"
    found = api.get("~/query", params={"q": "SELECT Field, Parent.Name FROM FieldPermissions"}).json()["records"]
    assert [(row["Field"], row["Parent"]["Name"]) for row in found] == [("Lead.Ref__c", "A")]


def test_tooling_finds_changes_and_deletes_fields(crm: LocalSalesforce, api: requests.Session) -> None:
    made = _make(api, "Lead.Ref__c", _TEXT).json()["id"]
    _make(api, "Contact.Ref__c", _TEXT)
    soql = "SELECT Id, DeveloperName, TableEnumOrId, FullName, Metadata FROM CustomField WHERE DeveloperName = 'Ref'"
    two = api.get("~/tooling/query/", params={"q": soql}).json()[0]
    assert "no more than one row" in two["message"]
    (row,) = api.get("~/tooling/query", params={"q": f"{soql} AND TableEnumOrId = 'Lead'"}).json()["records"]
    assert (row["Id"], row["FullName"], row["Metadata"]["length"]) == (made, "Lead.Ref__c", 80)
    crm.grant_field("Lead", "Ref__c")
    change = {"Metadata": {**_TEXT, "label": "New label", "length": 100}}
    assert api.patch(f"~/tooling/sobjects/CustomField/{made}", json=change).status_code == 204
    assert api.get(f"~/tooling/sobjects/CustomField/{made}").json()["Metadata"]["label"] == "New label"
    assert api.delete(f"~/tooling/sobjects/CustomField/{made}").status_code == 204
    assert "Ref__c" not in _names(api)
    assert list(crm.rows("FieldPermissions")) == []
    assert api.get(f"~/tooling/sobjects/CustomField/{made}").status_code == 404
    assert _make(api, "Lead.Ref__c", _TEXT).status_code == 201
