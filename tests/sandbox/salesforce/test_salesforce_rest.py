from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from email.utils import format_datetime
from typing import Any

import pytest
import requests

from refloop_sandbox import faults
from refloop_sandbox.salesforce import LocalSalesforce, RecordError, troubles
from tests.patience import PATIENCE

Tick = Callable[[float], datetime]


def _error(answer: requests.Response) -> tuple[int, str]:
    (error,) = answer.json()
    assert set(error) <= {"message", "errorCode", "fields"}
    return answer.status_code, error["errorCode"]


def _lead(crm: LocalSalesforce, **fields: object) -> str:
    return crm.create("Lead", {"LastName": "Doe", "Company": "Acme", **fields})


def test_a_record_from_birth_to_death(crm: LocalSalesforce, api: requests.Session, tick: Tick) -> None:
    made = api.post("~/sobjects/Lead", json={"FirstName": "Jo", "LastName": "Doe", "Company": "Acme"})
    assert made.status_code == 201
    record_id = made.json()["id"]
    assert made.json() == {"id": record_id, "success": True, "errors": []}
    read = api.get(f"~/sobjects/lead/{record_id[:15]}/").json()
    assert (read["Id"], read["Name"], read["Status"]) == (record_id, "Jo Doe", "Open - Not Contacted")
    assert read["CreatedDate"] == read["SystemModstamp"] == "2026-10-01T12:00:00.000+0000"
    tick(60)
    assert api.patch(f"~/sobjects/Lead/{record_id}", json={"Title": "CEO", "FirstName": None}).status_code == 204
    changed = api.get(f"~/sobjects/Lead/{record_id}", params={"fields": "name,Title,SystemModstamp,CreatedDate"}).json()
    assert changed["Name"] == "Doe"
    assert (changed["Title"], changed["SystemModstamp"]) == ("CEO", "2026-10-01T12:01:00.000+0000")
    assert changed["CreatedDate"] == "2026-10-01T12:00:00.000+0000"
    assert api.delete(f"~/sobjects/Lead/{record_id}").status_code == 204
    assert _error(api.get(f"~/sobjects/Lead/{record_id}")) == (404, "ENTITY_IS_DELETED")
    assert _error(api.patch(f"~/sobjects/Lead/{record_id}", json={"Title": "x"})) == (404, "ENTITY_IS_DELETED")


@pytest.mark.parametrize(
    ("fields", "code", "named"),
    [
        ({"Company": "x" * 256}, "STRING_TOO_LONG", ["Company"]),
        ({"LastName": None}, "REQUIRED_FIELD_MISSING", ["LastName"]),
        ({"LastName": " "}, "REQUIRED_FIELD_MISSING", ["LastName"]),
        ({"Email": "not an address"}, "INVALID_EMAIL_ADDRESS", ["Email"]),
        ({"Nope__c": "x"}, "INVALID_FIELD", []),
        ({"Id": "00Q000000000001"}, "INVALID_FIELD", None),
        ({"Name": "x"}, "INVALID_FIELD_FOR_INSERT_UPDATE", ["Name"]),
        ({"IsConverted": True}, "INVALID_FIELD_FOR_INSERT_UPDATE", ["IsConverted"]),
        ({"OwnerId": "nope"}, "MALFORMED_ID", ["OwnerId"]),
        ({"OwnerId": "005000000000001"}, "INVALID_CROSS_REFERENCE_KEY", []),
        ({"OwnerId": "003000000000001"}, "FIELD_INTEGRITY_EXCEPTION", ["OwnerId"]),
        ({"AnnualRevenue": 1e17}, "NUMBER_OUTSIDE_VALID_RANGE", ["AnnualRevenue"]),
        ({"AnnualRevenue": "much"}, "JSON_PARSER_ERROR", None),
        ({"DoNotCall": "perhaps"}, "JSON_PARSER_ERROR", None),
        ({"LastName": {"a": 1}}, "JSON_PARSER_ERROR", None),
    ],
)
def test_what_a_write_is_refused_for(
    crm: LocalSalesforce, api: requests.Session, fields: dict[str, object], code: str, named: list[str] | None
) -> None:
    record_id = _lead(crm)
    before = crm.get("Lead", record_id)
    answer = api.patch(f"~/sobjects/Lead/{record_id}", json=fields, headers={"Sforce-Auto-Assign": "FALSE"})
    assert answer.status_code in (400, 404)
    (error,) = answer.json()
    assert (error["errorCode"], error.get("fields")) == (code, named)
    assert crm.get("Lead", record_id) == before


def test_required_fields_of_a_new_record(api: requests.Session) -> None:
    answer = api.post("~/sobjects/Opportunity", json={"Name": "Deal"})
    assert answer.json()[0]["message"] == "Required fields are missing: [StageName, CloseDate]"


@pytest.mark.parametrize(
    ("method", "path", "expected"),
    [
        ("GET", "~/sobjects/Lead/00QLo0000000abc", (404, "NOT_FOUND")),
        ("PATCH", "~/sobjects/Lead/00QLo0000000abc", (404, "INVALID_CROSS_REFERENCE_KEY")),
        ("DELETE", "~/sobjects/Lead/00QLo0000000abc", (404, "INVALID_CROSS_REFERENCE_KEY")),
        ("PATCH", "~/sobjects/Lead/short", (404, "NOT_FOUND")),
        ("GET", "~/sobjects/Nope", (404, "NOT_FOUND")),
        ("GET", "~/nope", (404, "NOT_FOUND")),
        ("PUT", "~/sobjects/Lead", (405, "METHOD_NOT_ALLOWED")),
        ("POST", "~/sobjects/LeadStatus", (400, "INVALID_TYPE_FOR_OPERATION")),
        ("GET", "/services/data/v20.0/limits", (410, "UNSUPPORTED_API_VERSION")),
        ("GET", "/services/data/v99.0/limits", (404, "NOT_FOUND")),
        ("GET", "~/query", (400, "MISSING_ARGUMENT")),
        ("GET", "~/query?q=" + "x" * 17_000, (414, "URI_TOO_LONG")),
    ],
)
def test_wrong_addresses(api: requests.Session, method: str, path: str, expected: tuple[int, str]) -> None:
    assert _error(api.request(method, path, json={} if method != "GET" else None)) == expected


def test_bodies_that_are_no_json(api: requests.Session) -> None:
    for body in (b"", b"{", b"[1]"):
        assert _error(api.post("~/sobjects/Lead", data=body)) == (400, "JSON_PARSER_ERROR")


def test_the_time_is_the_orgs_alone(api: requests.Session, tick: Tick) -> None:
    tick(5)
    for path in ("/services/data", "~/limits", "~/nope"):
        assert api.get(path).headers["Date"] == "Thu, 01 Oct 2026 12:00:05 GMT"


def test_writes_from_many_threads_are_all_kept(crm: LocalSalesforce, api: requests.Session, url: str) -> None:
    ids = crm.load("Lead", ({"LastName": f"L{number}", "Company": "C"} for number in range(40)))
    headers = {"Authorization": api.headers["Authorization"]}

    def change(record_id: str) -> int:
        crm.update("Lead", record_id, {"City": record_id})
        path = f"{url}/services/data/v67.0/sobjects/Lead/{record_id}"
        return requests.patch(path, json={"Title": record_id}, headers=headers, timeout=PATIENCE).status_code

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(change, ids)) == {204}
    assert all(row["City"] == row["Title"] == row["Id"] for row in crm.rows("Lead"))
    assert crm.calls == {"PATCH /sobjects/Lead/{id}": 40}


def test_compressed_bodies(crm: LocalSalesforce, api: requests.Session) -> None:
    body = gzip.compress(json.dumps({"LastName": "Zip", "Company": "Acme"}).encode())
    made = api.post("~/sobjects/Lead", data=body, headers={"Content-Encoding": "gzip"})
    assert made.status_code == 201
    assert _error(api.post("~/sobjects/Lead", data=b"x", headers={"Content-Encoding": "gzip"}))[0] == 400


def test_method_override(crm: LocalSalesforce, api: requests.Session) -> None:
    record_id = _lead(crm)
    assert api.post(f"~/sobjects/Lead/{record_id}?_HttpMethod=PATCH", json={"Title": "x"}).status_code == 204


def test_a_write_after_somebody_elses_is_refused_on_demand(
    crm: LocalSalesforce, api: requests.Session, tick: Tick
) -> None:
    record_id = _lead(crm)
    seen = format_datetime(tick(1), usegmt=True)
    assert api.patch(
        f"~/sobjects/Lead/{record_id}", json={"Title": "a"}, headers={"If-Unmodified-Since": seen}
    ).status_code == 204  # fmt: skip
    tick(1)
    crm.update("Lead", record_id, {"Title": "by hand"})
    late = api.patch(f"~/sobjects/Lead/{record_id}", json={"Title": "b"}, headers={"If-Unmodified-Since": seen})
    assert late.status_code == 412
    assert (crm.get("Lead", record_id) or {})["Title"] == "by hand"


@pytest.mark.parametrize(
    ("headers", "moves"),
    [({}, True), ({"Sforce-Auto-Assign": "TRUE"}, True), ({"Sforce-Auto-Assign": "FALSE"}, False)],
)
def test_assignment_rules_run_unless_told_not_to(
    crm: LocalSalesforce, api: requests.Session, headers: dict[str, str], moves: bool
) -> None:
    record_id = _lead(crm)
    part = {"method": "PATCH", "url": f"/services/data/v67.0/sobjects/Lead/{record_id}", "referenceId": "a"}
    body = {"compositeRequest": [{**part, "body": {"Title": "x"}, "httpHeaders": headers}]}
    assert api.post("~/composite", json=body).json()["compositeResponse"][0]["httpStatusCode"] == 204
    owner = crm.queue_id if moves else crm.admin_user
    assert (crm.get("Lead", record_id) or {})["OwnerId"] == owner


def test_describe_and_its_cache(crm: LocalSalesforce, api: requests.Session, tick: Tick) -> None:
    answer = api.get("~/sobjects/Opportunity/describe")
    fields = {field["name"]: field for field in answer.json()["fields"]}
    assert fields["StageName"]["type"] == "picklist"
    assert "Closed Won" in [value["value"] for value in fields["StageName"]["picklistValues"]]
    assert (fields["Amount"]["precision"], fields["Amount"]["scale"]) == (18, 2)
    assert fields["AccountId"]["referenceTo"] == ["Account"]
    assert (fields["IsWon"]["updateable"], fields["Name"]["nillable"]) == (False, False)
    assert "CurrencyIsoCode" not in fields
    unchanged = {"If-Modified-Since": answer.headers["Last-Modified"]}
    assert api.get("~/sobjects/Opportunity/describe/", headers=unchanged).status_code == 304
    tick(5)
    crm.add_field("Opportunity", "Ref__c", {"label": "Ref", "type": "Text", "length": 10})
    again = api.get("~/sobjects/Opportunity/describe", headers=unchanged)
    assert "Ref__c" in [field["name"] for field in again.json()["fields"]]
    listed = {item["name"] for item in api.get("~/sobjects/").json()["sobjects"]}
    assert {"Lead", "Contact", "Opportunity", "CampaignMember", "Organization", "FieldPermissions"} <= listed


def test_upsert_by_external_id(crm: LocalSalesforce, api: requests.Session) -> None:
    crm.add_field("Lead", "Ext__c", {"label": "Ext", "type": "Text", "length": 20, "externalId": True, "unique": True})
    path = "~/sobjects/Lead/Ext__c/a%2Fb"
    first = api.patch(path, json={"LastName": "One", "Company": "C"})
    assert (first.status_code, first.json()["created"]) == (201, True)
    second = api.patch(path, json={"LastName": "Two"})
    assert (second.status_code, second.json()["created"]) == (200, False)
    assert api.get(path).json()["LastName"] == "Two"
    other = api.post("~/sobjects/Lead", json={"LastName": "X", "Company": "C", "Ext__c": "A/B"})
    assert _error(other) == (400, "DUPLICATE_VALUE")
    assert _error(api.patch("~/sobjects/Lead/Title/x", json={})) == (404, "NOT_FOUND")


def test_a_stage_decides_how_a_deal_stands(crm: LocalSalesforce, api: requests.Session, tick: Tick) -> None:
    deal = crm.create(
        "Opportunity", {"Name": "D", "StageName": "Prospecting", "CloseDate": "2026-12-01", "Amount": 100}
    )
    assert (crm.get("Opportunity", deal) or {})["LastStageChangeDate"] is None
    crm.add_stage("Signed", True, True)
    tick(10)
    for stage, closed, won, odds in (
        ("Signed", True, True, 100),
        ("Closed Lost", True, False, 0),
        ("Qualification", False, False, 10),
    ):
        assert api.patch(f"~/sobjects/Opportunity/{deal}", json={"StageName": stage}).status_code == 204
        now = crm.get("Opportunity", deal) or {}
        assert (now["IsClosed"], now["IsWon"], now["Probability"]) == (closed, won, odds)
    assert now["LastStageChangeDate"] == "2026-10-01T12:00:10.000+0000"
    assert (now["ExpectedRevenue"], now["Fiscal"]) == (10.0, "2026 4")


def test_several_currencies(clock: Callable[[], datetime]) -> None:
    with LocalSalesforce(clock=clock, currency="EUR", multi_currency=True) as crm:
        deal = crm.create("Opportunity", {"Name": "D", "StageName": "Prospecting", "CloseDate": "2026-12-01"})
        assert (crm.get("Opportunity", deal) or {})["CurrencyIsoCode"] == "EUR"


def test_root_versions_and_identity(crm: LocalSalesforce, api: requests.Session, url: str) -> None:
    versions = requests.get(f"{url}/services/data/", timeout=PATIENCE)
    assert "Sforce-Limit-Info" not in versions.headers
    assert {"label": "Summer '26", "url": "/services/data/v67.0", "version": "67.0"} in versions.json()
    assert versions.json()[-1]["label"] == "Winter '27"
    assert crm.api_usage == 0
    identity = api.get("~/").json()["identity"]
    assert identity == f"{url}/id/{crm.organization_id}/{crm.integration_user}"
    assert api.get(identity).json()["username"] == "integration@local.example"
    assert api.get("/services/oauth2/userinfo").json()["organization_id"] == crm.organization_id


def test_the_meter_and_the_limit(crm: LocalSalesforce, api: requests.Session, tick: Tick) -> None:
    assert api.get("~/limits/").headers["Sforce-Limit-Info"] == "api-usage=1/100000"
    assert api.get("~/limits").json()["DailyApiRequests"] == {"Max": 100_000, "Remaining": 99_998}
    assert api.get("~/nope").headers["Sforce-Limit-Info"] == "api-usage=3/100000"
    crm.use_up_limit()
    blocked = api.get("~/limits")
    assert _error(blocked) == (403, "REQUEST_LIMIT_EXCEEDED")
    assert blocked.json()[0]["message"] == "TotalRequests Limit exceeded."
    tick(86_400)
    assert api.get("~/limits").status_code == 200
    assert crm.calls == {"GET /limits": 4, "GET /nope": 1}


def test_faults_on_demand(crm: LocalSalesforce, api: requests.Session) -> None:
    record_id = _lead(crm)
    path = f"~/sobjects/Lead/{record_id}"
    crm.fail_next(path="/sobjects/Lead", method="PATCH", applied=True)
    assert api.get(path).status_code == 200
    assert "text/html" in api.patch(path, json={"Title": "kept"}).headers["Content-Type"]
    assert (crm.get("Lead", record_id) or {})["Title"] == "kept"
    crm.faults.add(troubles.fault(troubles.concurrent()), times=2)
    assert [_error(api.get(path))[0] for _ in range(2)] == [403, 403]
    crm.fail_next(None)
    with pytest.raises(requests.ConnectionError):
        api.patch(path, json={"Title": "lost"})
    crm.fail_next(None, applied=True)
    with pytest.raises(requests.ConnectionError):
        api.patch(path, json={"City": "applied"})
    assert (crm.get("Lead", record_id) or {})["City"] == "applied"
    crm.faults.add(faults.cut())
    with pytest.raises(requests.exceptions.ChunkedEncodingError):
        api.get(path)
    assert (crm.get("Lead", record_id) or {})["Title"] == "kept"
    assert crm.faults_injected == 6
    assert api.get(path).status_code == 200


def test_a_refused_record(crm: LocalSalesforce, api: requests.Session) -> None:
    record_id = _lead(crm)
    crm.refuse_next(record_id, "UNABLE_TO_LOCK_ROW", "unable to obtain exclusive access to this record")
    assert _error(api.patch(f"~/sobjects/Lead/{record_id}", json={"Title": "x"})) == (400, "UNABLE_TO_LOCK_ROW")
    assert api.patch(f"~/sobjects/Lead/{record_id}", json={"Title": "x"}).status_code == 204
    assert crm.faults_injected == 1


def test_a_person_is_refused_with_an_exception(crm: LocalSalesforce) -> None:
    with pytest.raises(RecordError, match="STRING_TOO_LONG"):
        _lead(crm, Company="x" * 300)
    assert list(crm.rows("Lead")) == []


def test_loading_keeps_what_it_is_given(crm: LocalSalesforce) -> None:
    given: dict[str, Any] = {
        "Id": "00Q000000000001",
        "LastName": "L",
        "CreatedDate": "2020-01-01T00:00:00Z",
        "IsDeleted": True,
    }
    (record_id,) = crm.load("Lead", [given])
    row = crm.get("Lead", record_id) or {}
    assert record_id == row["Id"] == "00Q000000000001EAA"
    assert row["SystemModstamp"] == row["CreatedDate"] == "2020-01-01T00:00:00.000+0000"
    assert row["IsDeleted"] is True
    with pytest.raises(RecordError, match="Nope"):
        crm.load("Lead", [{"LastName": "fine"}, {"Nope": 1}])
    assert len(list(crm.rows("Lead"))) == 1
