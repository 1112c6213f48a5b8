from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import requests

from refloop_sandbox.salesforce import LocalSalesforce

Query = Callable[[str], list[dict[str, Any]]]

_LEADS: list[dict[str, object]] = [
    {"LastName": "Ada", "Company": "One", "Email": "ada@one.example", "LeadSource": "Web", "NumberOfEmployees": 5},
    {"LastName": "bob", "Company": "Two", "Email": "bob@two.example", "NumberOfEmployees": 50, "IsConverted": True},
    {"LastName": "Cy_d", "Company": "O'Hara \\ Sons", "LeadSource": "Other", "AnnualRevenue": 12.5},
    {"LastName": "Dé", "Company": "Four", "LeadSource": "web"},
]


@pytest.fixture
def leads(crm: LocalSalesforce) -> list[str]:
    stamps = (f"2026-09-0{day}T10:00:00Z" for day in (1, 2, 2, 4))
    return crm.load("Lead", [{**lead, "CreatedDate": stamp} for lead, stamp in zip(_LEADS, stamps, strict=True)])


@pytest.mark.parametrize(
    ("where", "found"),
    [
        ("LastName = 'ada'", "0"),  # text compares without case
        ("LastName != 'Ada'", "123"),
        ("LeadSource != 'Web'", "12"),  # an empty field differs from any value
        ("LeadSource = null", "1"),
        ("LeadSource = ''", "1"),
        ("LeadSource IN ('WEB', null)", "013"),
        ("LeadSource NOT IN ('Web')", "12"),
        ("NOT LeadSource = 'Web'", "12"),
        ("NOT (LeadSource = 'Web' OR IsConverted = true)", "2"),
        ("IsConverted = TRUE", "1"),
        ("IsConverted != true", "023"),
        ("NumberOfEmployees > 5", "1"),
        ("NumberOfEmployees >= 5 AND NumberOfEmployees < 50.0", "0"),
        ("AnnualRevenue = 12.5", "2"),
        ("Company LIKE 'O%'", "02"),
        (r"LastName LIKE 'Cy\_d'", "2"),
        (r"LastName LIKE 'b\_b'", ""),
        ("LastName LIKE 'b_b'", "1"),
        (r"Company = 'O\'Hara \\ Sons'", "2"),
        (r"LastName = 'D\u00e9'", "3"),
        ("CreatedDate >= 2026-09-02T10:00:00Z", "123"),
        ("CreatedDate > 2026-09-02T10:00:00.000+00:00", "3"),
        ("CreatedDate < 2026-09-02T12:00:01+0200", "012"),
        ("CreatedDate >= 2026-09-01T10:00:00.500Z", "123"),
        ("CreatedDate = LAST_MONTH", "0123"),
        ("CreatedDate = TODAY", ""),
        ("CreatedDate = LAST_N_DAYS:28", "3"),
        ("LeadSource = 'Other' OR (IsConverted = false AND LastName = 'Ada')", "02"),
        ("Lead.LastName = 'Ada'", "0"),
        ("Owner.Name = 'Ada Admin'", "0123"),
    ],
)
def test_where(leads: list[str], query: Query, where: str, found: str) -> None:
    records = query(" ".join(("SELECT Id FROM Lead WHERE", where, "ORDER BY Id")))
    assert "".join(str(leads.index(record["Id"])) for record in records) == found


@pytest.mark.parametrize(
    ("tail", "found"),
    [
        ("ORDER BY LeadSource, LastName DESC", "1230"),
        ("ORDER BY LeadSource DESC NULLS LAST, Id", "0321"),
        ("ORDER BY CreatedDate DESC, Id ASC", "3120"),
        ("ORDER BY Id LIMIT 2", "01"),
        ("ORDER BY Id LIMIT 2 OFFSET 1", "12"),
        ("LIMIT 0", ""),
    ],
)
def test_order_and_window(leads: list[str], query: Query, tail: str, found: str) -> None:
    records = query("SELECT Id FROM Lead " + tail)  # noqa: S608 - the test writes the query
    assert "".join(str(leads.index(record["Id"])) for record in records) == found


def test_parents_nest_and_are_null_when_missing(crm: LocalSalesforce, query: Query) -> None:
    account = crm.create("Account", {"Name": "Acme"})
    crm.create("Contact", {"LastName": "With", "AccountId": account})
    crm.create("Contact", {"LastName": "Without"})
    rows = query("SELECT LastName, Account.Name, Account.Owner.Name FROM Contact ORDER BY LastName")
    assert [row["LastName"] for row in rows] == ["With", "Without"]
    assert rows[0]["Account"]["Name"] == "Acme"
    assert rows[0]["Account"]["attributes"]["url"].endswith(f"/sobjects/Account/{account}")
    assert rows[0]["Account"]["Owner"]["Name"] == "Ada Admin"
    assert rows[1]["Account"] is None


def test_names_of_owners_are_people_or_queues(crm: LocalSalesforce, query: Query) -> None:
    crm.load("Lead", [{"LastName": "Q", "Company": "C", "OwnerId": crm.queue_id}, {"LastName": "P", "Company": "C"}])
    rows = query("SELECT owner.name FROM lead ORDER BY Id")
    assert [row["Owner"]["Name"] for row in rows] == ["Inbound leads", "Ada Admin"]


def test_semi_joins(crm: LocalSalesforce, query: Query) -> None:
    campaign = crm.create("Campaign", {"Name": "Friends"})
    inside, outside = (crm.create("Lead", {"LastName": name, "Company": "C"}) for name in ("In", "Out"))
    crm.create("CampaignMember", {"CampaignId": campaign, "LeadId": inside})
    members = "(SELECT LeadId FROM CampaignMember WHERE CampaignId = '" + campaign[:15] + "')"  # noqa: S608 - the test writes the query
    assert query("SELECT Id FROM Lead WHERE Id IN " + members) == [{"Id": inside}]  # noqa: S608 - the test writes the query
    assert query("SELECT Id FROM Lead WHERE Id NOT IN " + members) == [{"Id": outside}]  # noqa: S608 - the test writes the query


def test_counts_and_groups(leads: list[str], api: requests.Session, query: Query) -> None:
    plain = api.get("~/query/", params={"q": "SELECT COUNT() FROM Lead WHERE IsConverted = false"}).json()
    assert plain == {"totalSize": 3, "done": True, "records": []}
    assert query("SELECT COUNT(Id) CNT FROM Lead") == [{"CNT": 4}]
    assert query("SELECT COUNT(Email), MAX(NumberOfEmployees) top FROM Lead") == [{"expr0": 2, "top": 50}]
    grouped = query("SELECT IsConverted, COUNT(Id) n FROM Lead GROUP BY IsConverted ORDER BY IsConverted")
    assert grouped == [{"IsConverted": False, "n": 3}, {"IsConverted": True, "n": 1}]


def test_all_fields_need_a_limit(leads: list[str], api: requests.Session, query: Query) -> None:
    assert query("SELECT FIELDS(ALL) FROM Lead LIMIT 1")[0]["Id"] in leads
    assert api.get("~/query", params={"q": "SELECT FIELDS(ALL) FROM Lead"}).json()[0]["errorCode"] == "MALFORMED_QUERY"


@pytest.mark.parametrize(
    ("soql", "code", "part"),
    [
        ("SELECT Id FROM", "MALFORMED_QUERY", "unexpected token: '<EOF>'"),
        ("SELECT Id, FROM Lead", "MALFORMED_QUERY", "ERROR at Row:1:Column:"),
        ("SELECT Id FROM Lead WHERE Id = '1' OR Id = '2' AND Id = '3'", "MALFORMED_QUERY", "unexpected token: 'AND'"),
        ("SELECT Id FROM Lead ALL ROWS", "MALFORMED_QUERY", "ROWS"),
        ('SELECT Id FROM Lead WHERE LastName = "x"', "MALFORMED_QUERY", "ERROR at Row:1:Column:38"),
        ("SELECT Id FROM Lead WHERE LastName = 'x\\q'", "MALFORMED_QUERY", "Illegal character sequence '\\q'"),
        ("SELECT Id, Id FROM Lead", "MALFORMED_QUERY", "duplicate field selected: Id"),
        ("SELECT Id x FROM Lead", "MALFORMED_QUERY", "aliasing"),
        ("SELECT LastName, COUNT(Id) FROM Lead", "MALFORMED_QUERY", "Field must be grouped or aggregated: LastName"),
        ("SELECT Id FROM Lead WHERE CreatedDate > 2026-13-01T00:00:00Z", "MALFORMED_QUERY", "Invalid date"),
        ("SELECT Id FROM Leads", "INVALID_TYPE", "sObject type 'Leads' is not supported."),
        ("SELECT Id FROM CustomField", "INVALID_TYPE", "CustomField"),
        (
            "SELECT Id, Nope__c FROM Lead",
            "INVALID_FIELD",
            "Row:1:Column:12\nNo such column 'Nope__c' on entity",
        ),
        ("SELECT Id FROM Lead WHERE Nope = 1", "INVALID_FIELD", "No such column 'Nope' on entity 'Lead'"),
        ("SELECT Nope.Name FROM Lead", "INVALID_FIELD", "Didn't understand relationship 'Nope'"),
        ("SELECT CurrencyIsoCode FROM Opportunity", "INVALID_FIELD", "CurrencyIsoCode"),
        ("SELECT Id FROM Lead WHERE CreatedDate > '2026-01-01'", "INVALID_FIELD", "must be of type dateTime"),
        ("SELECT Id FROM Lead WHERE CreatedDate > 2026-01-01", "INVALID_FIELD", "must be of type dateTime"),
        ("SELECT Id FROM Lead WHERE IsConverted = 'true'", "INVALID_FIELD", "must be of type boolean"),
        ("SELECT Id FROM Lead WHERE LastName = 1", "INVALID_FIELD", "should be enclosed in quotes"),
        ("SELECT Id FROM Lead WHERE Description = 'x'", "INVALID_FIELD", "can not be filtered"),
        ("SELECT Id FROM Lead WHERE Id = 'nope'", "INVALID_QUERY_FILTER_OPERATOR", "invalid ID field: nope"),
        ("SELECT Id FROM Lead WHERE Id LIKE '00Q%'", "INVALID_QUERY_FILTER_OPERATOR", "invalid operator"),
        ("SELECT Id FROM Lead LIMIT 1 OFFSET 2001", "NUMBER_OUTSIDE_VALID_RANGE", "2000"),
    ],
)
def test_what_is_refused(api: requests.Session, soql: str, code: str, part: str) -> None:
    answer = api.get("~/query", params={"q": soql})
    (error,) = answer.json()
    assert (answer.status_code, error["errorCode"]) == (400, code)
    assert part in error["message"]


def test_a_value_is_never_part_of_the_sql(leads: list[str], query: Query) -> None:
    assert query("SELECT Id FROM Lead WHERE LastName = 'x\\' OR 1=1 --'") == []
    assert query("SELECT Id FROM Lead WHERE LastName IN ('\"]', '\";DROP TABLE Lead')") == []
    assert len(query("SELECT Id FROM Lead")) == len(leads)


def test_column_metadata_for_tables(api: requests.Session) -> None:
    soql = "SELECT Id, IsConverted, Owner.Name FROM Lead"
    body = api.get("~/query", params={"q": soql, "columns": "true"}).json()
    assert body["entityName"] == "Lead"
    assert [column["columnName"] for column in body["columnMetadata"]] == ["Id", "IsConverted", "Owner"]
    assert body["columnMetadata"][2]["joinColumns"][0]["columnName"] == "Name"


@pytest.mark.parametrize(
    "soql",
    [
        "SELECT Id, Name, NamespacePrefix, InstanceName, IsSandbox, TrialExpirationDate FROM Organization",
        "SELECT Id, Username, Email, IsActive FROM User WHERE Username = 'integration@local.example'",
        "SELECT QualifiedApiName, KeyPrefix FROM EntityDefinition WHERE QualifiedApiName = 'Lead'",
        "SELECT MasterLabel, IsClosed, IsWon FROM OpportunityStage WHERE IsWon = true",
        "SELECT ApiName FROM LeadStatus WHERE IsDefault = true",
        "SELECT QualifiedApiName FROM FieldDefinition WHERE EntityDefinition.QualifiedApiName = 'Lead' LIMIT 1",
    ],
)
def test_what_clients_ask_an_org_about_itself(query: Query, soql: str) -> None:
    assert len(query(soql)) == 1
