"""What a local CRM holds is there again after it was kept in a file."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import requests

from refloop_sandbox.company import build
from refloop_sandbox.hubspot import LocalHubSpot
from refloop_sandbox.salesforce import LocalSalesforce
from refloop_sandbox.server import Server
from tests.patience import PATIENCE

DAY = datetime(2026, 3, 12, 12, tzinfo=UTC)


def made_up() -> tuple[LocalSalesforce, LocalHubSpot]:
    """The made-up company, whose portal has stages, labels, owners and a pipeline of its own."""
    salesforce, hubspot = LocalSalesforce(clock=lambda: DAY, number=4711), LocalHubSpot(clock=lambda: DAY)
    build(salesforce, hubspot, today=DAY.date(), size=0.1)
    salesforce.add_field("Lead", "Ref_Code__c", {"type": "Text", "length": 40, "label": "Code"})
    stage = {"fullName": "won", "default": False, "label": "won"}
    values = {"restricted": True, "valueSetDefinition": {"sorted": False, "value": [stage]}}
    salesforce.add_field("Contact", "Ref_Status__c", {"type": "Picklist", "label": "Status", "valueSet": values})
    salesforce.track_history("Lead", "Status")
    salesforce.map_lead_field("Ref_Code__c", "Contact", "Description")
    return salesforce, hubspot


def asked(url: str, token: str, path: str) -> Any:
    answer = requests.get(url + path, headers={"Authorization": f"Bearer {token}"}, timeout=PATIENCE)
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_a_salesforce_is_as_it_was(tmp_path: Path) -> None:
    crm, _ = made_up()
    lead = next(row for row in crm.rows("Lead") if not row["IsConverted"] and not row["IsDeleted"])
    crm.update("Lead", str(lead["Id"]), {"Ref_Code__c": "ANN-2026", "Status": "Working - Contacted"})
    crm.keep(tmp_path / "org.db")
    with LocalSalesforce.reopened(tmp_path / "org.db", clock=lambda: DAY) as again:
        assert (again.organization_id, again.currency) == (crm.organization_id, crm.currency)
        for name in ("Lead", "Contact", "Opportunity", "LeadHistory", "User", "FieldPermissions"):
            assert list(again.rows(name)) == list(crm.rows(name)), name
        paths = [f"/services/data/v67.0/sobjects/{name}/describe" for name in ("Lead", "Contact", "Opportunity")]
        with Server(crm.app) as first, Server(again.app) as second:
            for path in paths:
                assert asked(second.url, again.access_token(), path) == asked(first.url, crm.access_token(), path)
        before = len(list(again.rows("LeadHistory")))
        again.update("Lead", str(lead["Id"]), {"Status": "Open - Not Contacted"})
        assert len(list(again.rows("LeadHistory"))) == before + 1, "the history is still kept"
        converted = again.convert_lead(str(lead["Id"]))
        contact = again.get("Contact", converted.contact)
        assert contact is not None
        assert contact["Description"] == "ANN-2026", "fields are still mapped"
        assert again.create("Lead", {"LastName": "New", "Company": "X"}) not in {row["Id"] for row in crm.rows("Lead")}
    crm.close()


def test_a_hubspot_is_as_it_was(tmp_path: Path) -> None:
    _, crm = made_up()
    crm.keep(tmp_path / "portal.db")
    again = LocalHubSpot.reopened(tmp_path / "portal.db", clock=lambda: DAY)
    names = ("contacts", "deals", "companies")
    for name in names:
        assert list(again.rows(name)) == list(crm.rows(name)), name
    paths = [
        *(f"/crm/v3/properties/{name}" for name in names),
        *(f"/crm/v3/properties/{name}/groups" for name in names),
        "/crm/v3/pipelines/deals",
        "/crm/v3/owners?limit=500",
        "/crm/v3/owners?limit=500&archived=true",
        "/crm/v4/associations/deals/contacts/labels",
        "/account-info/v3/details",
    ]
    with Server(crm.app) as first, Server(again.app) as second:
        for path in paths:
            assert asked(second.url, "pat-na1-local", path) == asked(first.url, "pat-na1-local", path), path
    deal = next(iter(crm.rows("deals")))[0]
    assert again.associations("deals", deal, "contacts") == crm.associations("deals", deal, "contacts")


def test_a_file_of_another_kind_is_refused(tmp_path: Path) -> None:
    with LocalSalesforce() as crm:
        crm.keep(tmp_path / "org.db")
    with pytest.raises(ValueError, match="holds a salesforce, no hubspot"):
        LocalHubSpot.reopened(tmp_path / "org.db")
    (tmp_path / "text").write_text("no database", encoding="utf-8")
    for reopened in (LocalHubSpot.reopened, LocalSalesforce.reopened):
        with pytest.raises(ValueError, match="is no file of a local CRM"):
            reopened(tmp_path / "text")
        with pytest.raises(ValueError, match="is no file of a local CRM"):
            reopened(tmp_path / "nowhere")
    assert not (tmp_path / "nowhere").exists()
