"""simple-salesforce, unchanged, against the local Salesforce."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
import requests
from simple_salesforce.api import Salesforce
from simple_salesforce.exceptions import (
    SalesforceGeneralError,
    SalesforceMalformedRequest,
    SalesforceRefusedRequest,
    SalesforceResourceNotFound,
)
from simple_salesforce.format import format_soql

from refloop_sandbox.salesforce import LocalSalesforce
from tests.patience import PATIENCE


class _Loopback(requests.Session):
    """simple-salesforce knows https and *.salesforce.com only."""

    def __init__(self, base: str) -> None:
        super().__init__()
        self.trust_env = False
        self.base = base

    def request(self, method: str | bytes, url: str | bytes, *args: Any, **kwargs: Any) -> requests.Response:
        path = "/" + str(url).split("/", 3)[3]
        kwargs.setdefault("timeout", PATIENCE)
        return super().request(method, self.base + path, *args, **kwargs)


@pytest.fixture
def sf(crm: LocalSalesforce, url: str) -> Iterator[Any]:  # its attributes are made as they are asked for
    with _Loopback(url) as session:
        yield Salesforce(instance_url=url, session_id=crm.access_token(), version="67.0", session=session)


def test_signing_in(crm: LocalSalesforce, url: str) -> None:
    with _Loopback(url) as session:
        sf = Salesforce(consumer_key="local-client", consumer_secret="local-secret", domain="local.my", session=session)
        assert sf.limits()["DailyApiRequests"]["Max"] == 100_000
        again: Any = Salesforce(
            username="admin@local.example", password="local-password", consumer_key="local-client",
            consumer_secret="local-secret", session=session,
        )  # fmt: skip
        assert again.query("SELECT COUNT() FROM User")["totalSize"] == 2


def test_queries(crm: LocalSalesforce, sf: Any) -> None:
    ids = crm.load("Lead", ({"LastName": f"L{number}", "Company": "O'Hara"} for number in range(2100)))
    soql = format_soql(
        "SELECT Id FROM Lead WHERE Company = {} AND CreatedDate <= {} ORDER BY Id", "O'Hara", datetime.now(UTC)
    )
    assert [row["Id"] for row in sf.query_all(soql)["records"]] == ids
    crm.delete("Lead", ids[0])
    assert sf.query("SELECT COUNT() FROM Lead")["totalSize"] == 2099
    assert sf.query("SELECT COUNT() FROM Lead", include_deleted=True)["totalSize"] == 2100
    assert sf.query("SELECT COUNT(Id) CNT FROM Lead")["records"][0]["CNT"] == 2099
    with pytest.raises(SalesforceMalformedRequest, match="INVALID_FIELD"):
        sf.query("SELECT Nope FROM Lead")


def test_records(sf: Any) -> None:
    made = sf.Lead.create({"LastName": "Doe", "Company": "Acme"})
    assert sf.Lead.get(made["id"])["Name"] == "Doe"
    assert sf.Lead.update(made["id"], {"Title": "CEO"}, headers={"Sforce-Auto-Assign": "FALSE"}) == 204
    with pytest.raises(SalesforceMalformedRequest, match="STRING_TOO_LONG"):
        sf.Lead.update(made["id"], {"Company": "x" * 300})
    assert sf.Lead.delete(made["id"]) == 204
    with pytest.raises(SalesforceResourceNotFound):
        sf.Lead.get(made["id"])


def test_describe(sf: Any) -> None:
    described = sf.describe()
    assert described is not None
    assert "Opportunity" in {item["name"] for item in described["sobjects"]}
    assert {field["name"] for field in sf.Opportunity.describe()["fields"]} >= {"StageName", "IsWon", "Amount"}


def test_replication(crm: LocalSalesforce, sf: Any) -> None:
    kept, gone = (crm.create("Lead", {"LastName": "L", "Company": "C"}) for _ in range(2))
    crm.delete("Lead", gone)
    start, end = datetime(2026, 10, 1, 11, tzinfo=UTC), datetime(2026, 10, 1, 12, 5, tzinfo=UTC)
    assert sf.Lead.updated(start, end)["ids"] == [kept]
    assert [row["id"] for row in sf.Lead.deleted(start, end)["deletedRecords"]] == [gone]


def test_composite(crm: LocalSalesforce, sf: Any) -> None:
    lead = crm.create("Lead", {"LastName": "L", "Company": "C"})
    part = {"method": "GET", "url": "/services/data/v67.0/query?q=SELECT+Id+FROM+Lead", "referenceId": "leads"}
    answer = sf.restful("composite", method="POST", json={"compositeRequest": [part]})
    assert answer["compositeResponse"][0]["body"]["records"][0]["Id"] == lead
    records = [{"attributes": {"type": "Lead"}, "id": lead, "Title": "x"}]
    results = sf.restful("composite/sobjects", method="PATCH", json={"allOrNone": False, "records": records})
    assert results == [{"id": lead, "success": True, "errors": []}]


def test_tooling_and_limits(crm: LocalSalesforce, sf: Any) -> None:
    metadata = {"label": "Ref", "type": "Text", "length": 20}
    body = {"FullName": "Lead.Ref__c", "Metadata": metadata}
    assert sf.toolingexecute("sobjects/CustomField", method="POST", data=body)["success"] is True
    crm.use_up_limit()
    with pytest.raises(SalesforceRefusedRequest, match="REQUEST_LIMIT_EXCEEDED"):
        sf.limits()


def test_an_expired_session_is_told_apart(crm: LocalSalesforce, sf: Any) -> None:
    crm.revoke_tokens()
    with pytest.raises(Exception, match="INVALID_SESSION_ID"):
        sf.query("SELECT Id FROM Lead")


def test_bulk_query(crm: LocalSalesforce, sf: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("simple_salesforce.bulk2.sleep", lambda _: None)
    ids = crm.load("Lead", ({"LastName": f"L{number}", "Company": "C"} for number in range(5)))
    pages = list(sf.bulk2.Lead.query("SELECT Id, LastName FROM Lead", max_records=2))
    rows = [row for page in pages for row in csv.DictReader(io.StringIO(page))]
    assert (len(pages), [row["Id"] for row in rows]) == (3, ids)


def test_bulk_update(crm: LocalSalesforce, sf: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("simple_salesforce.bulk2.sleep", lambda _: None)
    ids = crm.load("Lead", ({"LastName": f"L{number}", "Company": "C"} for number in range(3)))
    (summary,) = sf.bulk2.Lead.update(records=[{"Id": one, "Title": "New"} for one in [*ids, "00QLo0000000zzz"]])
    assert (summary["numberRecordsProcessed"], summary["numberRecordsFailed"]) == (4, 1)
    assert "INVALID_CROSS_REFERENCE_KEY" in sf.bulk2.Lead.get_failed_records(summary["job_id"])
    assert [row["Title"] for row in crm.rows("Lead")] == ["New"] * 3


def test_old_bulk_writes(crm: LocalSalesforce, sf: Any) -> None:
    crm.set_bulk_polls(1)
    crm.add_field("Lead", "Ext__c", {"label": "Ext", "type": "Text", "length": 20, "externalId": True})
    new = [{"LastName": f"L{number}", "Company": "C", "Ext__c": str(number)} for number in range(5)]
    made = sf.bulk.Lead.insert([*new, {"LastName": "no company"}], batch_size=4)
    assert [(one["success"], one["created"]) for one in made] == [(True, True)] * 5 + [(False, False)]
    assert made[5]["errors"][0]["statusCode"] == "REQUIRED_FIELD_MISSING"
    ids = [one["id"] for one in made[:5]]
    changed = sf.bulk.Lead.update(
        [{"Id": ids[0], "Title": "x"}, {"Id": ids[1], "Title": None}, {"Id": "00QLo0000000zzz"}]
    )
    assert [one["success"] for one in changed] == [True, True, False]
    assert changed[0] == {"success": True, "created": False, "id": ids[0], "errors": []}
    put = sf.bulk.Lead.upsert([{"Ext__c": "0", "Title": "y"}, {**new[0], "Ext__c": "9"}], "Ext__c")
    assert [one["created"] for one in put] == [False, True]
    (detailed,) = sf.bulk.Lead.update([{"Id": ids[2], "Title": "z"}], include_detailed_results=True)
    assert (detailed["success"], detailed["Title"]) == (True, "z")
    assert [one["success"] for one in sf.bulk.Lead.delete([{"Id": one} for one in ids[3:]])] == [True, True]
    assert [row["Title"] for row in crm.rows("Lead") if not row["IsDeleted"]] == ["y", None, "z", None]
    assert [row["LastName"] for row in crm.rows("Lead") if row["IsDeleted"]] == ["L3", "L4"]


def test_old_bulk_query(crm: LocalSalesforce, sf: Any) -> None:
    crm.set_bulk_polls(1)
    account = crm.create("Account", {"Name": "Acme"})
    contact = crm.create("Contact", {"LastName": "Doe", "AccountId": account})
    gone = crm.create("Contact", {"LastName": "Gone"})
    crm.delete("Contact", gone)
    soql = "SELECT Id, CreatedDate, Account.Name, Account.CreatedDate, Email FROM Contact ORDER BY Id"
    (row,) = sf.bulk.Contact.query(soql)
    at = int(datetime(2026, 10, 1, 12, tzinfo=UTC).timestamp()) * 1000
    assert (row["Id"], row["CreatedDate"], row["Email"]) == (contact, at, None)
    assert (row["Account"]["Name"], row["Account"]["CreatedDate"]) == ("Acme", at)
    assert [one["Id"] for one in sf.bulk.Contact.query_all(soql)] == [contact, gone]
    assert list(sf.bulk.Lead.query("SELECT Id FROM Lead")) == []
    with pytest.raises(SalesforceGeneralError, match="No such column"):
        sf.bulk.Contact.query("SELECT Nope FROM Contact")
    crm.revoke_tokens()
    with pytest.raises(SalesforceMalformedRequest, match="InvalidSessionId"):
        sf.bulk.Contact.query(soql)
