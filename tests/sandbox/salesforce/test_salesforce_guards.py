"""Row locks, validation rules, sessions that end, and answers in gzip."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest
import requests

from refloop_sandbox.salesforce import LocalSalesforce, RecordError

Tick = Callable[[float], datetime]
LOCKED = "UNABLE_TO_LOCK_ROW"


def contact(crm: LocalSalesforce, account: str | None = None) -> str:
    return crm.create("Contact", {"LastName": "Kim", "AccountId": account})


def opportunity(crm: LocalSalesforce, account: str) -> str:
    deal = {"Name": "D", "StageName": "Prospecting", "CloseDate": "2026-12-01", "AccountId": account}
    return crm.create("Opportunity", deal)


def codes(api: requests.Session, *records: tuple[str, str], **fields: object) -> list[str]:
    """What became of each record of one collection: its error's code, or nothing."""
    body = {"records": [{"attributes": {"type": kind}, "id": one, **fields} for kind, one in records]}
    results = api.patch("~/composite/sobjects", json=body).json()
    return ["" if one["success"] else one["errors"][0]["statusCode"] for one in results]


def code(answer: requests.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()[0]["errorCode"] if answer.content else ""


def test_a_locked_row_for_a_number_of_attempts(crm: LocalSalesforce, api: requests.Session) -> None:
    one = contact(crm)
    crm.lock(one, attempts=2)
    answers = [api.patch(f"~/sobjects/Contact/{one}", json={"Title": "x"}) for _ in range(3)]
    assert [code(answer) for answer in answers] == [(400, LOCKED), (400, LOCKED), (204, "")]
    assert answers[0].json()[0]["message"] == f"unable to obtain exclusive access to this record or 1 records: {one}"
    assert crm.faults_injected == 2


def test_a_locked_row_for_a_time_and_until_it_is_unlocked(
    crm: LocalSalesforce, api: requests.Session, tick: Tick
) -> None:
    one = contact(crm)
    crm.lock(one, seconds=10)
    tick(9)
    assert codes(api, ("Contact", one), Title="x") == [LOCKED]
    tick(1)
    assert codes(api, ("Contact", one), Title="x") == [""]
    crm.lock(one)
    tick(1e6)
    assert codes(api, ("Contact", one), Title="x") == [LOCKED]
    crm.unlock(one)
    assert codes(api, ("Contact", one), Title="x") == [""]


def test_a_locked_account_locks_its_contacts_and_opportunities(crm: LocalSalesforce, api: requests.Session) -> None:
    busy, free = (crm.create("Account", {"Name": name}) for name in ("Busy", "Free"))
    people = [contact(crm, busy), contact(crm, free), contact(crm, busy)]
    deal = opportunity(crm, busy)
    crm.lock(busy)
    rows = [*(("Contact", one) for one in people), ("Opportunity", deal)]
    assert codes(api, *rows, Description="x") == [LOCKED, "", LOCKED, LOCKED]
    assert codes(api, ("Contact", people[1]), AccountId=busy) == [LOCKED], "moving there locks it too"
    made = api.post("~/sobjects/Contact", json={"LastName": "New", "AccountId": busy})
    assert code(made) == (400, LOCKED)
    assert code(api.delete(f"~/sobjects/Contact/{people[0]}")) == (400, LOCKED)
    crm.update("Contact", people[0], {"Title": "a person waits and gets through"})
    crm.unlock(busy)
    assert codes(api, *rows, Description="x") == ["", "", "", ""]


def test_a_lock_is_met_by_each_record_of_a_batch(crm: LocalSalesforce, api: requests.Session) -> None:
    account = crm.create("Account", {"Name": "Busy"})
    people = [contact(crm, account) for _ in range(3)]
    crm.lock(account, attempts=2)
    assert codes(api, *(("Contact", one) for one in people), Title="x") == [LOCKED, LOCKED, ""]


def test_a_bulk_job_meets_locks_and_rules(crm: LocalSalesforce, api: requests.Session) -> None:
    first, second, third = (contact(crm) for _ in range(3))
    crm.lock(first)
    crm.add_validation_rule("Contact", lambda row, _: row["Title"] == "King", "No kings.", field="Title")
    crm.set_bulk_polls(1)
    job = api.post("~/jobs/ingest", json={"object": "Contact", "operation": "update", "lineEnding": "LF"}).json()["id"]
    rows = f"Id,Title\n{first},CTO\n{second},King\n{third},CTO\n"
    api.put(f"~/jobs/ingest/{job}/batches", data=rows.encode(), headers={"Content-Type": "text/csv"})
    api.patch(f"~/jobs/ingest/{job}", json={"state": "UploadComplete"})
    assert api.get(f"~/jobs/ingest/{job}").json()["numberRecordsFailed"] == 2
    failed = api.get(f"~/jobs/ingest/{job}/failedResults").text
    assert LOCKED in failed
    assert "FIELD_CUSTOM_VALIDATION_EXCEPTION:No kings." in failed


def test_a_validation_rule_sees_the_record_and_what_it_was(crm: LocalSalesforce, api: requests.Session) -> None:
    def goes_back(row: Any, before: Any) -> bool:
        return before is not None and before["StageName"] == "Closed Won" and row["StageName"] != "Closed Won"

    crm.add_validation_rule("Opportunity", goes_back, "Won is won.")
    deal = opportunity(crm, crm.create("Account", {"Name": "A"}))
    path = f"~/sobjects/Opportunity/{deal}"
    assert api.patch(path, json={"StageName": "Closed Won"}).status_code == 204
    refused = api.patch(path, json={"StageName": "Prospecting"})
    assert code(refused) == (400, "FIELD_CUSTOM_VALIDATION_EXCEPTION")
    assert refused.json() == [
        {"message": "Won is won.", "errorCode": "FIELD_CUSTOM_VALIDATION_EXCEPTION", "fields": []}
    ]
    assert api.patch(path, json={"Name": "Other"}).status_code == 204
    with pytest.raises(RecordError, match="Won is won"):
        crm.update("Opportunity", deal, {"StageName": "Prospecting"})


def test_a_validation_rule_on_new_records_names_its_field(crm: LocalSalesforce, api: requests.Session) -> None:
    crm.add_validation_rule("Lead", lambda row, before: before is None and not row["Email"], "Ask it.", field="Email")
    made = api.post("~/sobjects/Lead", json={"LastName": "Kim", "Company": "C"})
    assert made.json()[0]["fields"] == ["Email"]
    assert list(crm.rows("Lead")) == []


def test_sessions_end_after_a_number_of_calls(crm: LocalSalesforce, api: requests.Session) -> None:
    crm.limit_sessions(calls=2)
    answers = [api.get("~/limits") for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 401]
    assert code(answers[2]) == (401, "INVALID_SESSION_ID")
    api.headers["Authorization"] = f"Bearer {crm.access_token()}"
    assert api.get("~/limits").status_code == 200


def test_sessions_end_after_a_time(crm: LocalSalesforce, api: requests.Session, tick: Tick) -> None:
    crm.limit_sessions(seconds=60)
    tick(59)
    assert api.get("~/limits").status_code == 200
    tick(1)
    assert [api.get("~/limits").status_code for _ in range(2)] == [401, 401]
    crm.limit_sessions()
    assert api.get("~/limits").status_code == 401, "what is over stays over"


def test_a_checkbox_has_field_level_security(crm: LocalSalesforce, api: requests.Session) -> None:
    checkbox = {"label": "Referred", "type": "Checkbox", "defaultValue": False}
    crm.add_field("Lead", "Referred__c", checkbox, visible=False)
    crm.add_field("Lead", "Must__c", {"label": "Must", "type": "Text", "length": 10, "required": True}, visible=False)
    lead = crm.create("Lead", {"LastName": "Kim", "Company": "C", "Must__c": "x"})
    assert code(api.get("~/query", params={"q": "SELECT Referred__c FROM Lead"})) == (400, "INVALID_FIELD")
    assert codes(api, ("Lead", lead), Referred__c=True) == ["INVALID_FIELD_FOR_INSERT_UPDATE"]
    crm.grant_field("Lead", "Referred__c")
    assert codes(api, ("Lead", lead), Referred__c=True) == [""]
    described = {field["name"]: field for field in api.get("~/sobjects/Lead/describe").json()["fields"]}
    assert (described["Referred__c"]["permissionable"], described["Referred__c"]["nillable"]) == (True, False)
    assert described["Must__c"]["permissionable"] is False
    with pytest.raises(RecordError, match="required field"):
        crm.grant_field("Lead", "Must__c")


def test_a_retrieve_of_bad_ids_gives_nulls(crm: LocalSalesforce, api: requests.Session) -> None:
    one = contact(crm)
    account = crm.create("Account", {"Name": "A"})
    ids = [one, "nonsense", "003Lo000000ZZZZ", account, one[:15]]
    rows = api.post("~/composite/sobjects/Contact", json={"ids": ids, "fields": ["LastName"]}).json()
    assert [row and row["LastName"] for row in rows] == ["Kim", None, None, None, "Kim"]


@pytest.mark.parametrize(("accept", "packed"), [("gzip", True), ("gzip, deflate", True), ("identity", False)])
def test_big_answers_are_packed_for_who_asks(
    crm: LocalSalesforce, api: requests.Session, accept: str, packed: bool
) -> None:
    crm.load("Contact", ({"LastName": f"N{number}"} for number in range(300)))
    crm.set_bulk_polls(1)
    job = api.post("~/jobs/query", json={"operation": "query", "query": "SELECT LastName FROM Contact"}).json()["id"]
    assert "Content-Encoding" not in api.get(f"~/jobs/query/{job}").headers, "too small to pack"
    for path, start in (("~/query?q=SELECT+LastName+FROM+Contact", b"{"), (f"~/jobs/query/{job}/results", b'"La')):
        answer = api.get(path, headers={"Accept-Encoding": accept}, stream=True)
        raw = answer.raw.read(decode_content=False)
        assert (answer.headers.get("Content-Encoding") == "gzip") is packed
        assert int(answer.headers["Content-Length"]) == len(raw)
        assert (gzip.decompress(raw) if packed else raw).startswith(start)
