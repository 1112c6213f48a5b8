"""The many ways in which clients spell the same address."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import requests

from refloop_sandbox.salesforce import LocalSalesforce

_WINDOW = "start=2026-10-01T10%3A00%3A00Z&end=2026-10-01T11%3A00%3A00Z"


@pytest.mark.parametrize("version", ["51.0", "61.0", "62.0", "65.0", "67.0"])
@pytest.mark.parametrize(
    "path",
    [
        "", "/", "/limits", "/limits/", "/LIMITS", "/sobjects/", "/sobjects/lead/Describe/",
        "/query?q=SELECT+COUNT()+FROM+Lead", "/query/?q=SELECT+COUNT(Id)+CNT+FROM+Lead",
        "/queryall/?q=SELECT+Id+FROM+Lead",
        f"/sobjects/Lead/updated?{_WINDOW}", f"/sobjects/Lead/updated/?{_WINDOW}", f"/sobjects/Lead/deleted/?{_WINDOW}",
        "/tooling/query/?q=SELECT+Id+FROM+CustomField", "/jobs/query/", "/jobs/ingest",
    ],
)  # fmt: skip
def test_slashes_case_and_versions(api: requests.Session, version: str, path: str) -> None:
    assert api.get(f"/services/data/v{version}{path}").status_code == 200


@pytest.mark.parametrize("soql", ["SELECT Id FROM ScratchOrgInfo", "SELECT IsPersonAccount FROM Account"])
def test_what_an_org_lacks_is_said_in_the_apis_words(api: requests.Session, soql: str) -> None:
    answer = api.get("~/query", params={"q": soql})
    assert answer.status_code == 400
    assert answer.json()[0]["errorCode"] in ("INVALID_TYPE", "INVALID_FIELD")


def test_an_upload_in_chunks_and_the_end_of_its_job(crm: LocalSalesforce, api: requests.Session) -> None:
    lead = crm.create("Lead", {"LastName": "Kim", "Company": "C"})
    crm.set_bulk_polls(1)
    asked = {"object": "Lead", "operation": "update", "lineEnding": "LF"}
    job = api.post("~/jobs/ingest", json=asked).json()["id"]

    def chunks() -> Iterator[bytes]:
        yield b"Id,Title\n"
        yield f"{lead},CTO\n".encode()

    path = f"~/jobs/ingest/{job}"
    assert api.put(f"{path}/batches", data=chunks(), headers={"Content-Type": "text/csv"}).status_code == 201
    api.patch(path, json={"state": "UploadComplete"})
    assert api.get(path).json()["state"] == "JobComplete"
    assert (crm.get("Lead", lead) or {})["Title"] == "CTO"
    assert api.get(f"{path}/unprocessedrecords").text == api.get(f"{path}/unprocessedRecords/").text
    assert api.delete(path).status_code == 204
    assert api.get(path).status_code == 404
