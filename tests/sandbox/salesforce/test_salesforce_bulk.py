from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from typing import Any

import pytest
import requests

from refloop_sandbox.salesforce import LocalSalesforce


def _leads(crm: LocalSalesforce, count: int) -> list[str]:
    return crm.load("Lead", ({"LastName": f'L, "{number}"\nx', "Company": "C"} for number in range(count)))


def _query_job(api: requests.Session, soql: str, **more: str) -> str:
    answer = api.post("~/jobs/query", json={"operation": "queryAll", "query": soql, **more})
    assert answer.status_code == 200, answer.text
    assert answer.json()["state"] == "UploadComplete"
    return f"~/jobs/query/{answer.json()['id']}"


def _finished(api: requests.Session, path: str) -> dict[str, Any]:
    states = []
    while True:
        job: dict[str, Any] = api.get(path).json()
        states.append(job["state"])
        if job["state"] not in ("UploadComplete", "InProgress"):
            break
    assert states == ["InProgress", job["state"]]
    return job


def _rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text, newline="")))


def test_a_query_job_page_by_page(crm: LocalSalesforce, api: requests.Session) -> None:
    ids = _leads(crm, 7)
    crm.delete("Lead", ids[0])
    path = _query_job(api, "SELECT Id, LastName, IsDeleted, CreatedDate, Email, Owner.Name FROM Lead")
    assert api.get(f"{path}/results").json()[0]["errorCode"] == "INVALIDJOBSTATE"
    assert _finished(api, path)["numberRecordsProcessed"] == 7
    crm.update("Lead", ids[1], {"LastName": "changed since"})
    found, locator, pages = [], "", 0
    while locator != "null":
        answer = api.get(f"{path}/results", params={"maxRecords": "3", "locator": locator})
        again = api.get(f"{path}/results", params={"maxRecords": "3", "locator": locator})
        assert answer.content == again.content
        assert int(answer.headers["Sforce-NumberOfRecords"]) == len(_rows(answer.text))
        found.extend(_rows(answer.text))
        locator, pages = answer.headers["Sforce-Locator"], pages + 1
    assert (pages, [row["Id"] for row in found]) == (3, ids)
    assert found[1] == {
        "Id": ids[1], "LastName": 'L, "1"\nx', "IsDeleted": "false", "CreatedDate": "2026-10-01T12:00:00.000Z",
        "Email": "", "Owner.Name": "Ada Admin",
    }  # fmt: skip
    assert found[0]["IsDeleted"] == "true"
    assert api.get(f"{path}/results", params={"locator": "zz"}).json()[0]["errorCode"] == "INVALID_LOCATOR"
    assert api.get(path.replace("~", "/services/data/v66.0")).status_code == 409
    assert api.delete(path).status_code == 204
    assert api.get(path).status_code == 404


def test_pages_to_fetch_in_parallel(crm: LocalSalesforce, api: requests.Session) -> None:
    ids = _leads(crm, 13)
    path = _query_job(api, "SELECT Id FROM Lead")
    _finished(api, path)
    body = api.get(f"{path}/resultPages", params={"maxRecords": 2}).json()
    links = [page["resultLink"] for page in body["resultPages"]]
    assert (len(links), body["done"]) == (5, False)
    rest = api.get(body["nextRecordsUrl"]).json()
    links += [page["resultLink"] for page in rest["resultPages"]]
    assert rest["done"] is True
    assert [row["Id"] for link in links for row in _rows(api.get(f"/{link}").text)] == ids


def test_an_empty_result_has_its_header(api: requests.Session) -> None:
    path = _query_job(api, "SELECT Id FROM Lead", columnDelimiter="TAB", lineEnding="CRLF")
    _finished(api, path)
    answer = api.get(f"{path}/results")
    assert (answer.text, answer.headers["Sforce-Locator"]) == ('"Id"\r\n', "null")


@pytest.mark.parametrize(
    "body",
    [
        {"operation": "query", "query": "SELECT COUNT(Id) FROM Lead"},
        {"operation": "query", "query": "SELECT Id FROM Lead LIMIT 1 OFFSET 1"},
        {"operation": "query", "query": "SELECT Nope FROM Lead"},
        {"operation": "query"},
        {"operation": "update", "query": "SELECT Id FROM Lead"},
        {"operation": "query", "query": "SELECT Id FROM Lead", "columnDelimiter": "X"},
    ],
)
def test_query_jobs_that_are_refused(api: requests.Session, body: dict[str, str]) -> None:
    answer = api.post("~/jobs/query/", json=body)
    assert answer.status_code == 400
    assert set(answer.json()[0]) == {"message", "errorCode"}


def test_an_aborted_query_job(api: requests.Session) -> None:
    path = _query_job(api, "SELECT Id FROM Lead")
    assert api.patch(path, json={"state": "Aborted"}).json()["state"] == "Aborted"
    assert api.patch(path, json={"state": "Aborted"}).status_code == 400
    assert api.get("~/jobs/query").json()["records"][0]["state"] == "Aborted"


def _ingest(api: requests.Session, text: str, **body: str) -> dict[str, Any]:
    job = api.post("~/jobs/ingest", json={"object": "Lead", "operation": "update", **body}).json()
    assert job["state"] == "Open"

    def chunks() -> Iterator[bytes]:
        yield from (text[at : at + 10].encode() for at in range(0, len(text), 10))

    put = api.put(f"/{job['contentUrl']}", data=chunks(), headers={"Content-Type": "text/csv"})
    assert put.status_code == 201
    assert api.patch(f"~/jobs/ingest/{job['id']}", json={"state": "UploadComplete"}).status_code == 200
    return _finished(api, f"~/jobs/ingest/{job['id']}")


def _sets(api: requests.Session, job: dict[str, Any]) -> list[list[dict[str, str]]]:
    names = ("successfulResults", "failedresults", "unprocessedrecords")
    return [_rows(api.get(f"~/jobs/ingest/{job['id']}/{name}/").text) for name in names]


def test_an_update_job_and_its_three_results(crm: LocalSalesforce, api: requests.Session) -> None:
    first, second, gone = crm.load("Lead", [{"LastName": "L", "Company": "C", "Title": "T", "City": "X"}] * 3)
    crm.delete("Lead", gone)
    job = _ingest(api, f"Id,Title,City\n{first},New,\n{second},#N/A,Y\n{gone},New,Z\n")
    assert (job["state"], job["numberRecordsProcessed"], job["numberRecordsFailed"]) == ("JobComplete", 3, 1)
    good, bad, rest = _sets(api, job)
    assert [(row["sf__Id"], row["sf__Created"]) for row in good] == [(first, "false"), (second, "false")]
    assert [(row["sf__Id"], row["Title"]) for row in bad] == [(gone, "New")]
    assert bad[0]["sf__Error"].startswith("ENTITY_IS_DELETED:entity is deleted:")
    assert rest == []
    rows = [crm.get("Lead", one) or {} for one in (first, second)]
    assert [(row["Title"], row["City"]) for row in rows] == [("New", "X"), (None, "Y")]
    assert rows[0]["OwnerId"] == crm.admin_user  # no assignment rule without assignmentRuleId


def test_a_job_that_fails_midway_names_the_rest(crm: LocalSalesforce, api: requests.Session) -> None:
    ids = crm.load("Lead", [{"LastName": "L", "Company": "C"}] * 3)
    crm.fail_ingest_after(1)
    job = _ingest(api, "Id,Title\n" + "".join(f"{one},New\n" for one in ids))
    assert job["state"] == "Failed"
    good, bad, rest = _sets(api, job)
    assert [row["sf__Id"] for row in good] == ids[:1]
    assert bad == []
    assert [row["Id"] for row in rest] == ids[1:]
    assert [(crm.get("Lead", one) or {})["Title"] for one in ids] == ["New", None, None]


def test_insert_upsert_and_delete_jobs(crm: LocalSalesforce, api: requests.Session) -> None:
    crm.add_field("Lead", "Ext__c", {"label": "Ext", "type": "Text", "length": 20, "externalId": True})
    job = _ingest(api, "LastName,Company,Ext__c\nA,C,1\n,C,2\n", operation="insert")
    good, bad, _ = _sets(api, job)
    assert (len(good), bad[0]["sf__Error"].split(":")[0]) == (1, "REQUIRED_FIELD_MISSING")
    text = "Ext__c,LastName,Company\n1,B,C\n3,New,C\n"
    good, bad, _ = _sets(api, _ingest(api, text, operation="upsert", externalIdFieldName="Ext__c"))
    assert [row["sf__Created"] for row in good] == ["false", "true"]
    assert bad == []
    assert [row["LastName"] for row in crm.rows("Lead")] == ["B", "New"]
    text = "Id\n" + "".join(f"{row['Id']}\n" for row in crm.rows("Lead"))
    _ingest(api, text, operation="hardDelete")
    assert list(crm.rows("Lead")) == []


def test_line_endings_must_be_those_announced(api: requests.Session) -> None:
    job = _ingest(api, "Id,Title\r\nx,y\r\n")
    assert job["state"] == "Failed"
    assert "LineEnding" in job["errorMessage"]


def test_an_aborted_ingest_job_leaves_its_rows_unprocessed(crm: LocalSalesforce, api: requests.Session) -> None:
    job = api.post("~/jobs/ingest", json={"object": "Lead", "operation": "update"}).json()
    path = f"~/jobs/ingest/{job['id']}"
    assert api.put(f"{path}/batches", data=b"Id,Title\n00Q1,x\n").status_code == 201
    assert api.patch(path, json={"state": "Aborted"}).json()["state"] == "Aborted"
    assert [len(rows) for rows in _sets(api, job)] == [0, 0, 1]
    assert api.delete(path).status_code == 204
    for body in ({"object": "Nope", "operation": "update"}, {"object": "Lead", "operation": "upsert"}):
        assert api.post("~/jobs/ingest", json=body).status_code == 400
