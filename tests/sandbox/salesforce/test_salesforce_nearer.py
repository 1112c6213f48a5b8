"""What other clients and habits meet: closing days, upserts, envelopes of the Tooling API, faults of a body, HAVING."""

from __future__ import annotations

from typing import Any

import pytest
import requests
from simple_salesforce.exceptions import SalesforceAuthenticationFailed
from simple_salesforce.login import SalesforceLogin

from refloop_sandbox.salesforce import LocalSalesforce
from tests.patience import PATIENCE

DEAL = {"Name": "D", "StageName": "Prospecting", "CloseDate": "2027-12-31"}


@pytest.mark.parametrize(
    ("closes", "change", "then"),
    [
        ("2027-12-31", {"StageName": "Closed Won"}, "today"),
        ("2020-01-01", {"StageName": "Closed Won"}, "2020-01-01"),
        ("2027-12-31", {"StageName": "Closed Won", "CloseDate": "2027-11-30"}, "2027-11-30"),
        ("2027-12-31", {"StageName": "Closed Lost"}, "2027-12-31"),
        ("2027-12-31", {"StageName": "Qualification"}, "2027-12-31"),
        ("2027-12-31", {"Amount": 10}, "2027-12-31"),
    ],
)
def test_a_deal_that_is_won_closes_today(
    crm: LocalSalesforce, closes: str, change: dict[str, object], then: str
) -> None:
    deal = crm.create("Opportunity", {**DEAL, "CloseDate": closes})
    crm.update("Opportunity", deal, change)
    held = crm.get("Opportunity", deal)
    assert held is not None
    today = str(held["SystemModstamp"])[:10]
    assert held["CloseDate"] == (today if then == "today" else then)


def test_a_deal_that_is_made_won_keeps_its_day(crm: LocalSalesforce) -> None:
    held = crm.get("Opportunity", crm.create("Opportunity", {**DEAL, "StageName": "Closed Won"}))
    assert held is not None
    assert held["CloseDate"] == "2027-12-31"


def test_an_upsert_does_not_repeat_its_key(crm: LocalSalesforce, api: requests.Session) -> None:
    crm.add_field("Lead", "Key__c", {"label": "Key", "type": "Text", "length": 20, "externalId": True})
    body = {"LastName": "L", "Company": "C"}
    refused = api.patch("~/sobjects/Lead/Key__c/k-1", json={**body, "key__c": "k-1"})
    assert (refused.status_code, refused.json()[0]["errorCode"]) == (400, "INVALID_FIELD")
    assert "should not be specified in the sobject data" in refused.json()[0]["message"]
    assert api.patch("~/sobjects/Lead/Key__c/k-1", json=body).status_code == 201
    assert api.patch("~/sobjects/Lead/Key__c/k-1", json=body).status_code == 200


def test_a_page_of_the_tooling_api(crm: LocalSalesforce, api: requests.Session) -> None:
    crm.add_field("Lead", "Key__c", {"label": "Key", "type": "Text", "length": 20})
    page = api.get("~/tooling/query", params={"q": "SELECT Id, DeveloperName FROM CustomField"}).json()
    assert (page["size"], page["totalSize"], page["done"], page["queryLocator"]) == (1, 1, True, None)
    assert page["entityTypeName"] == "CustomField"
    assert page["records"][0]["DeveloperName"] == "Key"
    assert "size" not in api.get("~/query", params={"q": "SELECT Id FROM User"}).json()


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("{", "Unexpected end-of-input at [line:1, column:2]"),
        ('{"LastName": x}', "Unexpected character ('x' (code 120)) at [line:1, column:14]"),
        ('{"LastName":\n x}', "Unexpected character ('x' (code 120)) at [line:2, column:2]"),
        (
            '{"Company": "C", "AnnualRevenue": "many"}',
            "or request may be missing a required field at [line:1, column:36]",
        ),
    ],
)
def test_a_body_that_cannot_be_read(api: requests.Session, body: str, words: str) -> None:
    refused = api.post("~/sobjects/Lead", data=body, headers={"Content-Type": "application/json"})
    assert (refused.status_code, refused.json()[0]["errorCode"]) == (400, "JSON_PARSER_ERROR")
    assert refused.json()[0]["message"].endswith(words)


@pytest.mark.parametrize(
    ("having", "found"),
    [
        ("COUNT(Id) > 1", ["Acme"]),
        ("COUNT() = 1", ["Beta", "Ceta"]),
        ("COUNT(Id) > 1 OR Company = 'Ceta'", ["Acme", "Ceta"]),
        ("NOT COUNT(Id) > 1 AND Company LIKE 'B%'", ["Beta"]),
        ("Company IN ('Beta') AND MAX(AnnualRevenue) >= 5", []),
    ],
)
def test_groups_are_filtered(crm: LocalSalesforce, api: requests.Session, having: str, found: list[str]) -> None:
    for company in ("Acme", "Acme", "Beta", "Ceta"):
        crm.create("Lead", {"LastName": "L", "Company": company})
    query = f"SELECT Company, COUNT(Id) n FROM Lead GROUP BY Company HAVING {having} ORDER BY Company"  # noqa: S608 - of the test
    assert [row["Company"] for row in api.get("~/query", params={"q": query}).json()["records"]] == found


def test_having_goes_with_groups(api: requests.Session) -> None:
    refused = api.get("~/query", params={"q": "SELECT COUNT(Id) n FROM Lead HAVING COUNT(Id) > 1"})
    assert (refused.status_code, refused.json()[0]["errorCode"]) == (400, "MALFORMED_QUERY")


def test_graphs_stand_and_fall_by_themselves(crm: LocalSalesforce, api: requests.Session) -> None:
    def step(name: str, kind: str, body: dict[str, object]) -> dict[str, object]:
        url = f"/services/data/v67.0/sobjects/{kind}"
        return {"method": "POST", "url": url, "referenceId": name, "body": body}

    good = [
        step("account", "Account", {"Name": "Acme"}),
        step("person", "Contact", {"LastName": "Doe", "AccountId": "@{account.id}"}),
    ]
    bad = [step("account", "Account", {"Name": "Beta"}), step("person", "Contact", {})]
    graphs = [{"graphId": "1", "compositeRequest": good}, {"graphId": "2", "compositeRequest": bad}]
    answer = api.post("~/composite/graph", json={"graphs": graphs}).json()["graphs"]
    assert [(one["graphId"], one["isSuccessful"]) for one in answer] == [("1", True), ("2", False)]
    assert [row["Name"] for row in crm.rows("Account")] == ["Acme"]
    halted = answer[1]["graphResponse"]["compositeResponse"]
    assert [part["body"][0]["errorCode"] for part in halted] == ["PROCESSING_HALTED", "REQUIRED_FIELD_MISSING"]
    refused = api.post("~/composite/graph", json={"graphs": [graphs[0]] * 2})
    assert refused.json()[0]["errorCode"] == "DUPLICATE_GRAPH_ID"


@pytest.mark.parametrize(
    ("version", "password", "code"),
    [
        ("59.0", "local-passwordTOKEN", ""),
        ("59.0", "wrong", "INVALID_LOGIN"),
        ("65.0", "local-password", "UNSUPPORTED"),
    ],
)
def test_clients_of_old_sign_in_by_soap(url: str, version: str, password: str, code: str) -> None:
    who: dict[str, Any] = {
        "username": "admin@local.example",
        "password": password,
        "security_token": "",
        "domain": "login",
    }
    if code:
        with pytest.raises(SalesforceAuthenticationFailed, match=code):
            SalesforceLogin(**who, sf_version=version, session=_Redirected(url))
        return
    session, host = SalesforceLogin(**who, sf_version=version, session=_Redirected(url))
    assert host == url.removeprefix("http://")
    headers = {"Authorization": f"Bearer {session}"}
    assert requests.get(f"{url}/services/data/v59.0/limits", headers=headers, timeout=PATIENCE).status_code == 200


class _Redirected(requests.Session):
    """Sends to the local org what is for the log-in host."""

    def __init__(self, base: str) -> None:
        super().__init__()
        self.trust_env = False
        self._base = base

    def request(self, method: str | bytes, url: str | bytes, *args: Any, **kwargs: Any) -> requests.Response:
        kwargs["timeout"] = PATIENCE
        return super().request(method, str(url).replace("https://login.salesforce.com", self._base), *args, **kwargs)


def test_children_come_with_their_parents(crm: LocalSalesforce, api: requests.Session) -> None:
    acme, beta = (crm.create("Account", {"Name": name}) for name in ("Acme", "Beta"))
    for name in ("C", "A", "B"):
        crm.create("Contact", {"LastName": name, "AccountId": acme})
    gone = crm.create("Contact", {"LastName": "D", "AccountId": beta})
    crm.delete("Contact", gone)
    children = "(SELECT LastName, Account.Name FROM contacts WHERE LastName != 'C' ORDER BY LastName LIMIT 1)"
    query = f"SELECT Name, {children} FROM Account ORDER BY Name"  # noqa: S608 - of the test
    rows = api.get("~/query", params={"q": query}).json()["records"]
    assert [(row["Name"], row["Contacts"] and row["Contacts"]["totalSize"]) for row in rows] == [
        ("Acme", 1),
        ("Beta", None),
    ]
    (child,) = rows[0]["Contacts"]["records"]
    assert (child["LastName"], child["Account"]["Name"], child["attributes"]["type"]) == ("A", "Acme", "Contact")
    deleted = api.get("~/queryAll", params={"q": "SELECT Id, (SELECT Id FROM Contacts) FROM Account ORDER BY Name"})
    assert [row["Contacts"]["totalSize"] for row in deleted.json()["records"]] == [3, 1]


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("SELECT Id, (SELECT Id FROM Leads) FROM Account", "INVALID_TYPE"),
        ("SELECT Id, (SELECT COUNT(Id) n FROM Contacts) FROM Account", "MALFORMED_QUERY"),
        ("SELECT Id FROM Lead WHERE Id IN (SELECT Id, (SELECT Id FROM CampaignMembers) FROM Lead)", "MALFORMED_QUERY"),
    ],
)
def test_sub_queries_that_are_none(api: requests.Session, query: str, code: str) -> None:
    refused = api.get("~/query", params={"q": query})
    assert (refused.status_code, refused.json()[0]["errorCode"]) == (400, code)


def test_words_are_found_in_several_objects(crm: LocalSalesforce, api: requests.Session) -> None:
    lead = crm.create("Lead", {"LastName": "Doe", "Company": "100% Acme", "Email": "jo@acme.example"})
    crm.create("Lead", {"LastName": "Roe", "Company": "Beta"})
    contact = crm.create("Contact", {"LastName": "Acmesen"})

    def sought(query: str) -> list[str]:
        return [row["Id"] for row in api.get("~/search", params={"q": query}).json()["searchRecords"]]

    assert sought("FIND {acme} IN ALL FIELDS RETURNING Lead(Id, Company), Contact(Id)") == [lead, contact]
    assert sought("FIND {acme} IN EMAIL FIELDS RETURNING Lead(Id), Contact(Id)") == [lead]
    assert sought("FIND {Acme*} IN NAME FIELDS RETURNING Lead(Id), Contact(Id ORDER BY Name LIMIT 5)") == [contact]
    assert sought("FIND {100%} RETURNING Lead(Id WHERE LastName = 'Doe')") == [lead]
    assert set(sought("FIND {acme}")) == {lead, contact}
    assert sought("FIND {acme} RETURNING Lead(Id), Contact(Id) LIMIT 1") == [lead]
    assert sought("FIND {a_me} RETURNING Lead(Id)") == []


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("SELECT Id FROM Lead", "MALFORMED_SEARCH"),
        ("FIND {a}", "MALFORMED_SEARCH"),
        ("FIND {acme} RETURNING Nope(Id)", "INVALID_TYPE"),
        ("FIND {acme} RETURNING Lead(Nope)", "INVALID_FIELD"),
    ],
)
def test_searches_that_are_none(api: requests.Session, query: str, code: str) -> None:
    refused = api.get("~/search", params={"q": query})
    assert (refused.status_code, refused.json()[0]["errorCode"]) == (400, code)
