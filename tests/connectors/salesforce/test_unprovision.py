"""Taking back what provisioning made: exactly that, with what stands in it; and the same as files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from refloop.connectors.salesforce.metadata import metadata_files
from refloop.errors import AuthError
from refloop.model import FieldSpec, FieldType, Finding, Kind, Level
from refloop_sandbox.salesforce import LocalSalesforce
from refloop_sandbox.salesforce.call import Answer, Call
from tests.connectors.salesforce.world import inside, refuse_next

EVERY = (Kind.LEAD, Kind.CONTACT, Kind.DEAL)
CODE = FieldSpec("ref_code", "Referral Code", FieldType.TEXT, EVERY, "The code.", length=64)
NOTE = FieldSpec("ref_note", "Note", FieldType.TEXT, (Kind.DEAL,), length=2000)
FIELDS = (CODE, NOTE)
SET = "crm: permission set Refloop_Sync"


def custom_fields(local: LocalSalesforce) -> set[str]:
    return {
        f"{item.name}.{field.name}"
        for name in ("Lead", "Contact", "Opportunity")
        for item in [local._org.schema.named(name)]
        for field in item.fields.values()
        if field.custom
    }


def told(findings: Sequence[Finding]) -> dict[str, tuple[Level, str]]:
    assert all(finding.remedy for finding in findings if finding.level is not Level.INFO)
    return {finding.place: (finding.level, finding.message) for finding in findings}


def test_what_was_made_is_removed_and_what_goes_with_it_is_said(local: LocalSalesforce, connect: Any) -> None:
    before = custom_fields(local)
    list(connect().provision(FIELDS))
    local.create("Lead", {"LastName": "L", "Company": "A", "Ref_Code__c": "ANNA"})
    for code in ("ANNA", "BEN", None):
        local.create("Contact", {"LastName": "C", "Ref_Code__c": code})
    found = told(list(connect().unprovision(FIELDS)))
    note = found.pop("crm: Opportunity.Ref_Note__c")
    assert note[1] in ("removed, with the values it held in 0 records", "removed, with whatever it held")
    assert found == {
        "crm: Lead.Ref_Code__c": (Level.INFO, "removed, with the value it held in 1 record"),
        "crm: Contact.Ref_Code__c": (Level.INFO, "removed, with the values it held in 2 records"),
        "crm: Opportunity.Ref_Code__c": (Level.INFO, "removed, with the values it held in 0 records"),
        SET: (Level.INFO, "removed; it was assigned to 1 user"),
    }
    assert custom_fields(local) == before
    assert not [
        row for row in local.rows("PermissionSet") if row["Name"] == "Refloop_Sync" and not row.get("IsDeleted")
    ]
    assert not list(local.rows("PermissionSetAssignment"))
    assert list(connect().unprovision(FIELDS)) == []


def test_a_fresh_start_works_again(local: LocalSalesforce, connect: Any) -> None:
    crm = connect()
    for _ in range(2):
        assert {finding.level for finding in crm.provision(FIELDS)} == {Level.INFO}
        assert list(crm.check(FIELDS)) == []
        assert {finding.level for finding in crm.unprovision(FIELDS)} == {Level.INFO}
    assert len(list(crm.check(FIELDS))) == 4


def test_nothing_of_others_is_touched(local: LocalSalesforce, connect: Any) -> None:
    local.add_field("Lead", "Ref_Code__c", {"label": "Code", "type": "Text", "length": 64, "description": "Ours!"})
    local.add_field("Lead", "Other__c", {"label": "Other", "type": "Text", "length": 64}, visible=False)
    local.create("PermissionSet", {"Name": "Refloop_Sync", "Label": "Somebody's"})
    before = custom_fields(local)
    crm = connect()
    list(crm.provision(FIELDS))
    found = told(list(crm.unprovision(FIELDS)))
    assert found["crm: Lead.Ref_Code__c"] == (Level.WARNING, "was not made by refloop, so it is left alone")
    assert found[SET][0] is Level.WARNING
    assert custom_fields(local) == before
    assert [row["Label"] for row in local.rows("PermissionSet") if row["Name"] == "Refloop_Sync"] == ["Somebody's"]


def test_some_fields_go_and_the_rights_of_the_others_stay(local: LocalSalesforce, connect: Any) -> None:
    crm = connect()
    list(crm.provision(FIELDS))
    assert set(told(list(crm.unprovision([NOTE])))) == {"crm: Opportunity.Ref_Note__c"}
    assert list(connect().check((CODE,))) == []


def test_a_field_that_is_in_use_stays_with_its_rights(local: LocalSalesforce, connect: Any) -> None:
    crm = connect()
    list(crm.provision(FIELDS))
    refuse_next(
        local,
        400,
        code="DELETE_FAILED",
        message="used in a flow",
        method="DELETE",
        path="/tooling/sobjects/CustomField/",
    )
    found = told(list(crm.unprovision(FIELDS)))
    (failed,) = [place for place, (level, _) in found.items() if level is Level.ERROR]
    assert found[failed] == (Level.ERROR, "could not be removed: DELETE_FAILED used in a flow")
    assert SET not in found
    again = told(list(connect().unprovision(FIELDS)))
    assert set(again) == {failed, SET}


def test_descriptions_that_cannot_be_queried_are_read_one_by_one(local: LocalSalesforce, connect: Any) -> None:
    local.add_field("Lead", "Ref_Code__c", {"label": "Code", "type": "Text", "length": 64})
    before = custom_fields(local)
    list(connect().provision(FIELDS))
    serve = inside(local)._serve

    def strict(call: Call) -> Any:
        if "/tooling/query" in call.path and "Description" in call.path:
            return Answer(400, [{"errorCode": "INVALID_FIELD", "message": "No such column 'Description'"}])
        return serve(call)

    inside(local)._serve = strict  # an org whose Tooling API is as documented
    crm = connect()
    some = told(list(crm.unprovision([NOTE])))
    assert set(some) == {"crm: Opportunity.Ref_Note__c"}  # fields of ours are left, so the rights stay
    rest = told(list(crm.unprovision(FIELDS)))
    assert {place for place, (level, _) in rest.items() if level is Level.WARNING} == {"crm: Lead.Ref_Code__c"}
    assert SET in rest
    assert custom_fields(local) == before


def test_who_may_not_remove_is_told(local: LocalSalesforce, connect: Any) -> None:
    list(connect().provision(FIELDS))
    refuse_next(local, 403, code="INSUFFICIENT_ACCESS", method="DELETE")
    with pytest.raises(AuthError) as failure:
        list(connect().unprovision(FIELDS))
    assert failure.value.remedy


# the same as files

NAMESPACE = "{http://soap.sforce.com/2006/04/metadata}"


def parsed(text: str) -> dict[str, Any]:
    def value(node: ET.Element) -> Any:
        return {child.tag.removeprefix(NAMESPACE): value(child) for child in node} if len(node) else node.text

    found = value(ET.fromstring(text))  # noqa: S314 - our own text
    assert isinstance(found, dict)
    return found


def test_the_files_say_what_provisioning_makes() -> None:
    status = FieldSpec(
        "ref_status", "Status <of> a & b", FieldType.CHOICE, (Kind.LEAD,), choices=(("lost", "Lost & gone"),)
    )
    files = metadata_files((CODE, status))
    folder = "force-app/main/default"
    assert list(files) == [
        *(f"{folder}/objects/{name}/fields/Ref_Code__c.field-meta.xml" for name in ("Lead", "Contact", "Opportunity")),
        f"{folder}/objects/Lead/fields/Ref_Status__c.field-meta.xml",
        f"{folder}/permissionsets/Refloop_Sync.permissionset-meta.xml",
        f"{folder}/permissionsets/Refloop_Read.permissionset-meta.xml",
        *(
            f"{folder}/objects/{name}/listViews/Refloop_Referrals.listView-meta.xml"
            for name in ("Lead", "Contact", "Opportunity")
        ),
        "page-layouts.txt",
    ]
    assert parsed(files[f"{folder}/objects/Lead/fields/Ref_Code__c.field-meta.xml"]) == {
        "fullName": "Ref_Code__c",
        "description": "Managed by refloop. The code.",
        "externalId": "false",
        "inlineHelpText": "The code.",
        "label": "Referral Code",
        "length": "64",
        "required": "false",
        "type": "Text",
        "unique": "false",
    }
    picklist = parsed(files[f"{folder}/objects/Lead/fields/Ref_Status__c.field-meta.xml"])
    assert picklist["label"] == "Status <of> a & b"
    assert picklist["valueSet"] == {
        "restricted": "false",
        "valueSetDefinition": {
            "sorted": "false",
            "value": {"fullName": "lost", "default": "false", "label": "Lost & gone"},
        },
    }


def test_the_permission_set_opens_our_fields_and_their_objects() -> None:
    files = metadata_files((replace(CODE, kinds=(Kind.CONTACT,)), NOTE))
    text = files["force-app/main/default/permissionsets/Refloop_Sync.permissionset-meta.xml"]
    root = ET.fromstring(text)  # noqa: S314 - our own text
    assert [node.findtext(f"{NAMESPACE}field") for node in root.iter(f"{NAMESPACE}fieldPermissions")] == [
        "Contact.Ref_Code__c",
        "Opportunity.Ref_Note__c",
    ]
    rights = {
        str(node.findtext(f"{NAMESPACE}object")): node.findtext(f"{NAMESPACE}allowEdit")
        for node in root.iter(f"{NAMESPACE}objectPermissions")
    }
    assert rights == {"Account": "false", "Contact": "true", "Opportunity": "true"}
    assert {node.findtext(f"{NAMESPACE}allowDelete") for node in root.iter(f"{NAMESPACE}objectPermissions")} == {
        "false"
    }


def test_people_get_to_see_the_fields_and_may_edit_none() -> None:
    files = metadata_files(FIELDS)
    root = ET.fromstring(files["force-app/main/default/permissionsets/Refloop_Read.permissionset-meta.xml"])  # noqa: S314 - our own text
    rights = [
        (node.findtext(f"{NAMESPACE}readable"), node.findtext(f"{NAMESPACE}editable"))
        for node in root.iter(f"{NAMESPACE}fieldPermissions")
    ]
    assert rights == [("true", "false")] * 4
    assert not list(root.iter(f"{NAMESPACE}objectPermissions"))
    assert "Page Layouts" in files["page-layouts.txt"]


def test_a_list_view_shows_what_fits_into_one() -> None:
    files = metadata_files((replace(CODE, kinds=(Kind.DEAL,)), NOTE))
    text = files["force-app/main/default/objects/Opportunity/listViews/Refloop_Referrals.listView-meta.xml"]
    root = ET.fromstring(text)  # noqa: S314 - our own text
    assert [node.text for node in root.iter(f"{NAMESPACE}columns")] == ["OPPORTUNITY.NAME", "Ref_Code__c"]
    assert [node.findtext(f"{NAMESPACE}field") for node in root.iter(f"{NAMESPACE}filters")] == ["Ref_Code__c"]
    assert root.findtext(f"{NAMESPACE}filterScope") == "Everything"


def test_the_files_as_one_text_that_does_not_change(connect: Any) -> None:
    crm = connect()
    text = crm.metadata(FIELDS)
    assert text == crm.metadata(FIELDS)
    assert text.count("==> force-app/") == 9
    assert text.startswith("==> force-app/main/default/objects/Lead/fields/Ref_Code__c.field-meta.xml <==\n<?xml")
    assert crm.calls() == {}
