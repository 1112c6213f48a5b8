"""Bulk API 1.0, as clients speak it that know no other."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from typing import Any
from xml.etree import ElementTree

import pytest
import requests

from refloop_sandbox.salesforce import LocalSalesforce
from tests.patience import PATIENCE

JSON = {"Content-Type": "application/json"}
CSV = {"Content-Type": "text/csv"}
SPACE = "{http://www.force.com/2009/06/asyncapi/dataload}"


class Async(requests.Session):
    """Paths below `job`, of one version."""

    def __init__(self, base: str, token: str) -> None:
        super().__init__()
        self.trust_env = False
        self.base = f"{base}/services/async/61.0/job"
        self.headers["X-SFDC-Session"] = token

    def request(self, method: str | bytes, url: str | bytes, *args: Any, **kwargs: Any) -> requests.Response:
        kwargs.setdefault("timeout", PATIENCE)
        return super().request(method, url if str(url).startswith("http") else self.base + str(url), *args, **kwargs)

    def job(self, operation: str, content: str, sobject: str = "Lead") -> str:
        body = {"operation": operation, "object": sobject, "contentType": content}
        answer = self.post("", json=body)
        assert answer.status_code == 201, answer.text
        made: str = answer.json()["id"]
        return made


@pytest.fixture
def bulk(crm: LocalSalesforce, url: str) -> Iterator[Async]:
    with Async(url, crm.access_token()) as session:
        yield session


def leads(crm: LocalSalesforce, count: int) -> list[str]:
    return crm.load("Lead", ({"LastName": f"L{number}", "Company": "C, D"} for number in range(count)))


def said(answer: requests.Response) -> dict[str, str]:
    """The values of an XML answer."""
    assert answer.headers["Content-Type"].startswith("application/xml")
    return {one.tag.removeprefix(SPACE): one.text or "" for one in ElementTree.fromstring(answer.content)}  # noqa: S314 - the local CRM's


def code(answer: requests.Response) -> tuple[int, str]:
    text = answer.json() if "json" in answer.headers["Content-Type"] else said(answer)
    return answer.status_code, text["exceptionCode"]


def test_a_query_job_of_csv_speaks_xml(crm: LocalSalesforce, bulk: Async) -> None:
    """As tap-salesforce has it: the job in JSON, the batch's text as text/csv, everything about batches in XML."""
    ids = leads(crm, 3)
    crm.delete("Lead", ids[2])
    job = bulk.job("queryAll", "CSV")
    added = bulk.post(f"/{job}/batch", data="SELECT Id, Company, CreatedDate, IsDeleted FROM Lead", headers=CSV)
    batch = said(added)["id"]
    assert (added.status_code, said(added)["state"], said(added)["jobId"]) == (201, "Queued", job)
    assert bulk.post(f"/{job}", json={"state": "Closed"}).json()["state"] == "Closed"
    looks = [said(bulk.get(f"/{job}/batch/{batch}", headers=JSON)) for _ in range(3)]
    assert [look["state"] for look in looks] == ["InProgress", "Completed", "Completed"]
    assert looks[1]["numberRecordsProcessed"] == "3"
    assert looks[1]["createdDate"] == "2026-10-01T12:00:00.000Z"
    result = said(bulk.get(f"/{job}/batch/{batch}/result", headers=JSON))["result"]
    answer = bulk.get(f"/{job}/batch/{batch}/result/{result}")
    assert answer.headers["Content-Type"].startswith("text/csv")
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert [row["Id"] for row in rows] == ids
    assert rows[2] == {"Id": ids[2], "Company": "C, D", "CreatedDate": "2026-10-01T12:00:00.000Z", "IsDeleted": "true"}
    listed = ElementTree.fromstring(bulk.get(f"/{job}/batch").content)  # noqa: S314 - the local CRM's
    assert [one.findtext(f"{SPACE}id") for one in listed.findall(f"{SPACE}batchInfo")] == [batch]
    info = bulk.get(f"/{job}", headers=JSON).json()
    assert (info["numberBatchesCompleted"], info["numberRecordsProcessed"], info["apiVersion"]) == (1, 3, 61.0)
    assert said(bulk.get(f"/{job}"))["operation"] == "queryAll"


def test_batches_of_csv(crm: LocalSalesforce, bulk: Async) -> None:
    crm.set_bulk_polls(1)
    first, second, locked = leads(crm, 3)
    crm.update("Lead", second, {"Title": "old"})
    crm.lock(locked)
    job = bulk.job("update", "CSV")
    data = f"Id,Title,Phone\n{first},,1\n{second},#N/A,2\n{locked},x,3\nshort\n"
    batch = said(bulk.post(f"/{job}/batch", data=data, headers=CSV))["id"]
    assert bulk.get(f"/{job}/batch/{batch}/request").text == data
    state = said(bulk.get(f"/{job}/batch/{batch}"))
    assert (state["state"], state["numberRecordsProcessed"], state["numberRecordsFailed"]) == ("Completed", "4", "2")
    rows = list(csv.DictReader(io.StringIO(bulk.get(f"/{job}/batch/{batch}/result").text)))
    assert [(row["Id"], row["Success"], row["Created"]) for row in rows] == [
        (first, "true", "false"), (second, "true", "false"), ("", "false", "false"), ("", "false", "false")
    ]  # fmt: skip
    assert rows[2]["Error"].startswith("UNABLE_TO_LOCK_ROW:")
    assert [(row["Title"], row["Phone"]) for row in crm.rows("Lead")] == [(None, "1"), (None, "2"), (None, None)]


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        ({"operation": "explode", "object": "Lead", "contentType": "CSV"}, {}),
        ({"operation": "query", "object": "Nope", "contentType": "CSV"}, {}),
        ({"operation": "query", "object": "Lead"}, {}),
        ({"operation": "query", "object": "Lead", "contentType": "XML"}, {}),
        ({"operation": "upsert", "object": "Lead", "contentType": "CSV"}, {}),
        ({"operation": "query", "object": "Lead", "contentType": "CSV", "concurrencyMode": 7}, {}),
        ({"operation": "query", "object": "Lead", "contentType": "CSV"}, {"Content-Type": "application/xml"}),
        ({"operation": "query", "object": "Lead", "contentType": "CSV"}, {"Sforce-Enable-PKChunking": "true"}),
        ([], {}),
    ],
)
def test_jobs_that_are_refused(bulk: Async, body: object, headers: dict[str, str]) -> None:
    status, word = code(bulk.post("", data=json.dumps(body), headers={**JSON, **headers}))
    assert (status, word) == (400, "FeatureNotEnabled" if "Sforce-Enable-PKChunking" in headers else "InvalidJob")


@pytest.mark.parametrize(
    ("operation", "content", "data", "message"),
    [
        ("query", "CSV", "SELECT Nope FROM Lead", "No such column"),
        ("query", "CSV", "SELECT Id FROM Contact", "of Contact"),
        ("query", "JSON", "SELECT COUNT() FROM Lead", "not supported"),
        ("insert", "JSON", "{}", "no list"),
        ("insert", "JSON", "[1]", "no list"),
        ("insert", "JSON", "nonsense", "parse"),
        ("insert", "JSON", json.dumps([{}] * 10_001), "10,000"),
        ("insert", "CSV", b"LastName\n\xff\n", "UTF-8"),
    ],
)
def test_batches_that_fail(
    crm: LocalSalesforce, bulk: Async, operation: str, content: str, data: str | bytes, message: str
) -> None:
    crm.set_bulk_polls(1)
    job = bulk.job(operation, content)
    bulk.post(f"/{job}/batch", data=data, headers=CSV if content == "CSV" else JSON)
    listed = bulk.get(f"/{job}/batch")
    if content == "JSON":
        (batch,) = listed.json()["batchInfo"]
    else:
        (found,) = ElementTree.fromstring(listed.content)  # noqa: S314 - the local CRM's
        batch = {one.tag.removeprefix(SPACE): one.text for one in found}
    assert (batch["state"], message in batch["stateMessage"]) == ("Failed", True)
    assert code(bulk.get(f"/{job}/batch/{batch['id']}/result")) == (400, "InvalidBatch")


def test_states_and_ids(crm: LocalSalesforce, bulk: Async) -> None:
    job = bulk.job("insert", "JSON")
    one = bulk.post(f"/{job}/batch", json=[{"LastName": "L", "Company": "C"}]).json()
    assert code(bulk.get(f"/{job}/batch/{one['id']}/result")) == (400, "InvalidBatch")  # nobody has looked at it yet
    assert bulk.post(f"/{job}", json={"state": "Aborted"}).json()["state"] == "Aborted"
    assert bulk.get(f"/{job}/batch/{one['id']}").json()["state"] == "NotProcessed"
    assert list(crm.rows("Lead")) == []
    assert code(bulk.post(f"/{job}/batch", json=[{}])) == (400, "InvalidJobState")
    assert code(bulk.post(f"/{job}", json={"state": "Closed"})) == (400, "InvalidJobState")
    assert code(bulk.get("/750000000000000", headers=JSON)) == (400, "InvalidJob")
    assert code(bulk.get(f"/{job}/batch/751000000000000")) == (400, "InvalidBatch")
    assert code(bulk.put(f"/{job}")) == (400, "InvalidRequest")
    query = bulk.job("query", "JSON")
    assert bulk.post(f"/{query}/batch", data="SELECT Id FROM Lead").status_code == 201
    assert code(bulk.post(f"/{query}/batch", data="SELECT Id FROM Lead")) == (400, "InvalidBatch")
    assert code(bulk.post(f"/{bulk.job('insert', 'CSV')}/batch", data=" ")) == (400, "InvalidBatch")


def test_versions_sessions_and_limits(crm: LocalSalesforce, bulk: Async) -> None:
    assert code(bulk.get(bulk.base.replace("61.0", "7.0") + "/750")) == (400, "InvalidVersion")
    used = crm.api_usage
    job = bulk.job("query", "JSON")
    batch = bulk.post(f"/{job}/batch", data="SELECT Id FROM Lead").json()["id"]
    bulk.get(f"/{job}/batch/{batch}")
    assert crm.api_usage - used == 3  # every request counts
    assert crm.calls["GET /services/async/job/{job}/batch/{batch}"] == 1
    crm.use_up_limit()
    assert code(bulk.get(f"/{job}")) == (400, "ExceededQuota")
    crm.use_up_limit(left=10)
    crm.revoke_tokens()
    assert code(bulk.get(f"/{job}", headers=JSON)) == (400, "InvalidSessionId")
    assert code(bulk.get(f"/{job}")) == (400, "InvalidSessionId")


def test_a_job_is_its_users_alone(crm: LocalSalesforce, bulk: Async, url: str) -> None:
    job = bulk.job("query", "JSON")
    with Async(url, crm.access_token(crm.admin_user)) as other:
        assert code(other.get(f"/{job}", headers=JSON)) == (400, "InvalidJob")
