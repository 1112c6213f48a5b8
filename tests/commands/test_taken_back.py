"""Taking everything back: what provisioning would remove is shown first, and a CRM is left as it was found."""

from __future__ import annotations

import io
import json
import sys
from typing import Any

import pytest

from refloop.errors import Exit
from tests.cli.conftest import Office, fill

_STAMPS = {
    "LastModifiedDate",
    "LastModifiedById",
    "SystemModstamp",
    "lastmodifieddate",
    "hs_lastmodifieddate",
    "hs_object_source_detail_1",
}
"""What tells of any write at all, and cannot be taken back."""


def kept(values: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if name not in _STAMPS}


def found(office: Office) -> dict[str, Any]:
    """All that stands in both CRMs, and what they have fields for."""
    salesforce, hubspot = office.salesforce, office.hubspot
    records: dict[str, Any] = {
        name: [kept(row) for row in salesforce.rows(name) if not row.get("IsDeleted")]
        for name in ("Lead", "Contact", "Opportunity", "PermissionSet", "PermissionSetAssignment", "FieldPermissions")
    }
    records |= {name: [(key, kept(values)) for key, values in hubspot.rows(name)] for name in ("contacts", "deals")}
    schema = salesforce._org.schema
    records["fields"] = sorted(f"{name}.{field}" for name in ("Lead", "Contact") for field in schema.named(name).fields)
    return records


def test_undo_and_removal_leave_both_crms_as_they_were_found(office: Office) -> None:
    fill(office.salesforce, office.hubspot)
    before = found(office)
    office.ready()
    assert office.run("sync").code in (Exit.OK, Exit.ATTENTION)
    assert found(office) != before
    run = json.loads(office.run("runs", "--json").out)[0]["run"]
    assert office.run("undo", str(run), "--yes").code == Exit.OK
    assert office.run("provision", "--remove", "--yes").code == Exit.OK
    assert found(office) == before


@pytest.mark.parametrize("answer", ["n\n", ""])
def test_what_would_be_removed_is_shown_before_anything_is(
    office: Office, monkeypatch: pytest.MonkeyPatch, answer: str
) -> None:
    fill(office.salesforce, office.hubspot)
    office.ready()
    office.run("sync")
    there = found(office)
    shown = office.run("provision", "--remove", "--dry-run")
    assert shown.code == Exit.OK
    each = office.run("provision", "--remove", "--dry-run", "--all")
    assert "sf: Lead.Ref_Code__c: would be removed, with the value it held in 1 record" in each.out
    assert "hs: contacts.ref_code: would be removed; 1 record held a value" in each.out
    assert (
        "fields: would be removed, with the value it held in 1 record\n        Lead 6: Ref_Id__c, Ref_Code" in shown.out
    )
    assert "nothing was removed" in shown.out
    monkeypatch.setattr(sys, "stdin", io.StringIO(answer))
    asked = office.run("provision", "--remove")
    assert asked.code == Exit.DECLINED
    assert "would be removed" in asked.out
    assert "nothing was changed" in asked.err
    assert "Remove this for good?" in asked.err
    assert found(office) == there


def test_a_dry_run_is_refused_where_it_would_not_be_one(office: Office) -> None:
    there = found(office)
    refused = office.run("provision", "--dry-run")
    assert refused.code == Exit.USAGE
    assert "--remove" in refused.err
    assert found(office) == there
