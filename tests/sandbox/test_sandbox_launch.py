"""A local CRM in a process of its own, filled."""

from __future__ import annotations

from typing import Any

import pytest
import requests

from refloop_sandbox.fill import code, edit, fill_hubspot, fill_salesforce
from refloop_sandbox.hubspot import LocalHubSpot
from refloop_sandbox.launch import Crm, Setup, launch
from refloop_sandbox.salesforce import LocalSalesforce
from tests.patience import PATIENCE

SEARCH = "/crm/objects/2026-09/contacts/search"


def asked(url: str, token: str, method: str, path: str, body: Any = None) -> requests.Response:
    headers = {"Authorization": f"Bearer {token}"}
    return requests.request(method, url + path, json=body, headers=headers, timeout=PATIENCE)


def test_hubspot_in_a_process_of_its_own() -> None:
    with launch("hubspot", Setup(fill=400, strict=True)) as crm:
        assert crm.filled == {"contacts": 200, "deals": 100, "companies": 100}
        statuses = [asked(crm.url, crm.credentials["token"], "POST", SEARCH, {}).status_code for _ in range(6)]
        stats = crm.stats()
        assert stats.refused.get("SECONDLY", 0) == statuses.count(429)
        assert stats.calls == {"POST /crm/objects/contacts/search": 6}
        assert (stats.received, stats.injected) == (6, ())
        assert stats.peak_memory >= stats.memory > 10_000_000
        crm.reset()
        assert crm.edit("contacts", 30) == 30
        changed = {"filters": [{"propertyName": "jobtitle", "operator": "HAS_PROPERTY"}]}
        assert asked(crm.url, crm.credentials["token"], "POST", SEARCH, changed).json()["total"] == 30
        crm.fail_next(423, path="/search")
        assert asked(crm.url, crm.credentials["token"], "POST", SEARCH, {}).status_code == 423
        assert crm.stats().injected == ((1, "POST", SEARCH, "423"),)
        assert requests.get(f"{crm.url}/_local/nowhere", timeout=PATIENCE).status_code == 404


def test_salesforce_in_a_process_of_its_own() -> None:
    with launch("salesforce", Setup(fill={"Lead": 30, "Contact": 20}, daily=3)) as crm:
        form = {"grant_type": "client_credentials", **crm.credentials}
        token = requests.post(f"{crm.url}/services/oauth2/token", data=form, timeout=PATIENCE).json()["access_token"]
        count = "/services/data/v67.0/query?q=SELECT+COUNT()+FROM+Lead"
        answers = [asked(crm.url, token, "GET", count) for _ in range(4)]
        assert [one.status_code for one in answers] == [200, 200, 200, 403]
        assert answers[0].json()["totalSize"] == 30
        assert crm.stats().refused == {"daily": 1}
        crm.reset()
        assert crm.edit("Lead", 100) == 30
        edited = f"{count}+WHERE+Title+LIKE+'Edited%25'"
        assert asked(crm.url, token, "GET", edited).json()["totalSize"] == 30
    crm.close()


@pytest.mark.parametrize("crm", ["salesforce", "hubspot"])
def test_what_cannot_be_filled_is_said_at_once(crm: Crm, capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(RuntimeError, match="before it served"):
        launch(crm, Setup(fill={"Invoices": 3}))
    assert "cannot fill Invoices" in capfd.readouterr().err


def test_a_filled_salesforce_hangs_together() -> None:
    with LocalSalesforce() as crm:
        assert fill_salesforce(crm, 80) == {
            "Account": 10, "Contact": 20, "Lead": 20, "Opportunity": 20, "OpportunityContactRole": 10,
        }  # fmt: skip
        people = [*crm.rows("Lead"), *crm.rows("Contact")]
        assert [row["Description"] for row in people if row["Description"]] == [
            f"Sent by {code(number)}, thanks" for number in (0, 1, 0, 1)
        ]
        accounts, contacts = ({row["Id"] for row in crm.rows(name)} for name in ("Account", "Contact"))
        assert {row["AccountId"] for row in crm.rows("Opportunity")} == accounts
        assert {row["ContactId"] for row in crm.rows("OpportunityContactRole")} <= contacts
        assert edit(crm, "Opportunity", 3) == 3
        assert [row["Name"] for row in crm.rows("Opportunity")][:4] == ["Edited 0", "Edited 1", "Edited 2", "Deal 3"]


def test_a_filled_hubspot_hangs_together() -> None:
    crm = LocalHubSpot()
    fill_hubspot(crm, 80)
    deals = [record_id for record_id, _ in crm.rows("deals")]
    assert all(len(crm.associations("deals", deal, "contacts")) == 1 for deal in deals)
    urls = [properties["hs_analytics_first_url"] for _, properties in crm.rows("contacts")]
    assert [url.partition("ref=")[2] for url in urls if "ref=" in url] == [code(number) for number in range(4)]
