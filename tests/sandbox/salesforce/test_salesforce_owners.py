"""Who owns a record: people, queues, and people who have left; their names in REST and in Bulk results."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest
import requests

from refloop_sandbox.salesforce import LocalSalesforce, RecordError

Query = Callable[[str], list[dict[str, Any]]]
Tick = Callable[[float], datetime]

DEAL = {"Name": "D", "StageName": "Prospecting", "CloseDate": "2026-12-01"}


def _user(crm: LocalSalesforce, first: str, last: str) -> str:
    address = f"{first}.{last}@quillmoor.example".lower()
    return crm.create("User", {"FirstName": first, "LastName": last, "Username": address, "Email": address})


@pytest.fixture
def mira(crm: LocalSalesforce) -> str:
    return _user(crm, "Mira", "Tamm")


@pytest.fixture
def leads(crm: LocalSalesforce, mira: str) -> list[str]:
    """One of a queue, one of a person."""
    rows = [{"LastName": name, "Company": "C", "OwnerId": owner} for name, owner in (("Q", crm.queue_id), ("P", mira))]
    return crm.load("Lead", rows)


def test_an_owner_is_named_with_its_type(crm: LocalSalesforce, mira: str, leads: list[str], query: Query) -> None:
    queue, person = (row["Owner"] for row in query("SELECT OwnerId, Owner.Name, Owner.Type FROM Lead ORDER BY Id"))
    assert (queue["Name"], queue["Type"]) == ("Inbound leads", "Queue")
    assert (person["Name"], person["Type"]) == ("Mira Tamm", "User")
    assert queue["attributes"]["type"] == person["attributes"]["type"] == "Name"
    assert queue["attributes"]["url"].endswith(f"/sobjects/Group/{crm.queue_id}")
    assert person["attributes"]["url"].endswith(f"/sobjects/User/{mira}")


@pytest.mark.parametrize(
    ("where", "found"),
    [
        ("Owner.Type = 'Queue'", "Q"),
        ("Owner.Type = 'queue'", "Q"),
        ("Owner.Type != 'Queue'", "P"),
        ("Owner.Type IN ('User', 'Queue')", "QP"),
        ("Owner.Name = 'mira tamm'", "P"),
        ("Owner.Name LIKE 'inbound%'", "Q"),
    ],
)
def test_leads_are_found_by_their_owner(leads: list[str], query: Query, where: str, found: str) -> None:
    rows = query(" ".join(("SELECT LastName FROM Lead WHERE", where, "ORDER BY Id")))
    assert "".join(row["LastName"] for row in rows) == found


def test_leads_are_counted_by_their_owner(leads: list[str], query: Query) -> None:
    rows = query("SELECT Owner.Type, COUNT(Id) n FROM Lead GROUP BY Owner.Type ORDER BY Owner.Type")
    assert rows == [{"Type": "Queue", "n": 1}, {"Type": "User", "n": 1}]


@pytest.mark.parametrize(
    ("soql", "entity"),
    [
        ("SELECT Owner.Type FROM Opportunity", "User"),
        ("SELECT Owner.Type FROM Contact", "User"),
        ("SELECT Owner.DeveloperName FROM Lead", "Name"),
        ("SELECT Owner.UserType FROM Lead", "Name"),
    ],
)
def test_only_an_owner_of_several_types_has_a_type(api: requests.Session, soql: str, entity: str) -> None:
    (error,) = api.get("~/query", params={"q": soql}).json()
    assert error["errorCode"] == "INVALID_FIELD"
    assert f"on entity '{entity}'" in error["message"]


@pytest.mark.parametrize(("resource", "names"), [("query", ["Mira Tamm"]), ("queryAll", ["Mira Tamm", "Mira Tamm"])])
def test_who_has_left_is_still_named(
    crm: LocalSalesforce, mira: str, api: requests.Session, resource: str, names: list[str]
) -> None:
    kept, gone = crm.load("Contact", ({"LastName": name, "OwnerId": mira} for name in ("Kept", "Gone")))
    crm.delete("Contact", gone)
    crm.update("User", mira, {"IsActive": False})
    soql = "SELECT Id, Owner.Name, Owner.IsActive FROM Contact"
    rows = api.get(f"~/{resource}", params={"q": soql}).json()["records"]
    assert [row["Owner"]["Name"] for row in rows] == names
    assert {row["Owner"]["IsActive"] for row in rows} == {False}
    assert rows[0]["Id"] == kept


def test_bulk_results_name_owners_in_columns(
    crm: LocalSalesforce, mira: str, leads: list[str], api: requests.Session
) -> None:
    soql = "SELECT Id, OwnerId, Owner.Name, Owner.Type FROM Lead ORDER BY Id"
    made = api.post("~/jobs/query", json={"operation": "query", "query": soql}).json()
    while api.get(f"~/jobs/query/{made['id']}").json()["state"] != "JobComplete":
        pass
    text = api.get(f"~/jobs/query/{made['id']}/results").text
    assert list(csv.DictReader(io.StringIO(text, newline=""))) == [
        {"Id": leads[0], "OwnerId": crm.queue_id, "Owner.Name": "Inbound leads", "Owner.Type": "Queue"},
        {"Id": leads[1], "OwnerId": mira, "Owner.Name": "Mira Tamm", "Owner.Type": "User"},
    ]


def test_users_and_queues_can_be_asked_for(crm: LocalSalesforce, mira: str, query: Query) -> None:
    crm.update("User", mira, {"IsActive": False})
    assert query("SELECT Id, Name, Email FROM User WHERE IsActive = false") == [
        {"Id": mira, "Name": "Mira Tamm", "Email": "mira.tamm@quillmoor.example"}
    ]
    assert query("SELECT Id, Name FROM Group WHERE Type = 'Queue'") == [{"Id": crm.queue_id, "Name": "Inbound leads"}]


@pytest.mark.parametrize(
    ("kind", "targets", "pointing"),
    [("Lead", ["Group", "User"], True), ("Contact", ["User"], False), ("Opportunity", ["User"], False)],
)
def test_describe_tells_what_owns(api: requests.Session, kind: str, targets: list[str], pointing: bool) -> None:
    fields = {field["name"]: field for field in api.get(f"~/sobjects/{kind}/describe").json()["fields"]}
    owner = fields["OwnerId"]
    assert (owner["type"], owner["relationshipName"], owner["referenceTo"]) == ("reference", "Owner", targets)
    assert (owner["namePointing"], owner["polymorphicForeignKey"], owner["nillable"]) == (pointing, pointing, False)


def test_an_owner_that_changes_moves_the_record_and_a_new_name_does_not(
    crm: LocalSalesforce, mira: str, leads: list[str], tick: Tick
) -> None:
    before = crm.get("Lead", leads[0]) or {}
    tick(60)
    crm.update("User", mira, {"LastName": "Kask"})
    assert crm.get("Lead", leads[0]) == before
    crm.update("Lead", leads[0], {"OwnerId": mira})
    after = crm.get("Lead", leads[0]) or {}
    assert {name for name in after if after[name] != before[name]} == {"OwnerId", "LastModifiedDate", "SystemModstamp"}


@pytest.mark.parametrize(
    ("kind", "fields"),
    [("Lead", {"LastName": "L", "Company": "C"}), ("Contact", {"LastName": "L"}), ("Opportunity", DEAL)],
)
def test_who_has_left_gets_deals_but_no_people(
    crm: LocalSalesforce, mira: str, kind: str, fields: dict[str, str]
) -> None:
    held = crm.create(kind, {**fields, "OwnerId": mira})
    crm.update("User", mira, {"IsActive": False})
    crm.update(kind, held, {"Description": "still editable"})
    if kind == "Opportunity":
        assert (crm.get(kind, crm.create(kind, {**fields, "OwnerId": mira})) or {})["OwnerId"] == mira
        return
    with pytest.raises(RecordError, match="INACTIVE_OWNER_OR_USER") as refused:
        crm.create(kind, {**fields, "OwnerId": mira})
    assert refused.value.message == f"operation performed with inactive user [{mira}] as owner of {kind.lower()}"


@pytest.mark.parametrize(
    ("kind", "fields", "code"),
    [("Contact", {"LastName": "L"}, "FIELD_INTEGRITY_EXCEPTION"), ("Opportunity", DEAL, "FIELD_INTEGRITY_EXCEPTION")],
)
def test_a_queue_owns_leads_alone(crm: LocalSalesforce, kind: str, fields: dict[str, str], code: str) -> None:
    with pytest.raises(RecordError, match=code):
        crm.create(kind, {**fields, "OwnerId": crm.queue_id})


def test_a_group_that_is_no_queue_owns_nothing(crm: LocalSalesforce) -> None:
    group = crm.create("Group", {"Name": "Everybody"})
    with pytest.raises(RecordError, match="Queue not associated with this SObject type"):
        crm.create("Lead", {"LastName": "L", "Company": "C", "OwnerId": group})
