from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from email.utils import format_datetime
from typing import Any

import pytest
import requests

from refloop_sandbox.salesforce import LocalSalesforce

_ROOT = "/services/data/v67.0"


def _part(name: str, method: str, path: str, **more: Any) -> dict[str, Any]:
    return {"referenceId": name, "method": method, "url": f"{_ROOT}/{path}", **more}


def _composite(api: requests.Session, *parts: dict[str, Any], whole: bool = False) -> dict[str, Any]:
    answer = api.post("~/composite", json={"allOrNone": whole, "compositeRequest": parts})
    assert answer.status_code == 200, answer.text
    return {part["referenceId"]: part for part in answer.json()["compositeResponse"]}


def _leads(crm: LocalSalesforce, count: int) -> list[str]:
    return crm.load("Lead", ({"LastName": f"L{number}", "Company": "C"} for number in range(count)))


def _record(record_id: str, **fields: Any) -> dict[str, Any]:
    return {"attributes": {"type": "Lead"}, "id": record_id, **fields}


def test_one_call_reads_what_changed(crm: LocalSalesforce, api: requests.Session) -> None:
    _leads(crm, 2)
    window = "start=2026-10-01T11%3A00%3A00Z&end=2026-10-01T12%3A05%3A00%2B00%3A00"
    got = _composite(
        api,
        _part("leads", "GET", "queryAll?q=SELECT+Id+FROM+Lead+WHERE+SystemModstamp+%3E%3D+2026-10-01T00%3A00%3A00Z"),
        _part("contacts", "GET", "query/?q=SELECT+Id+FROM+Contact"),
        _part("bad", "GET", "query?q=SELECT+Nope+FROM+Lead"),
        _part("updated", "GET", f"sobjects/Lead/updated/?{window}"),
        _part("deleted", "GET", f"sobjects/Lead/deleted?{window}"),
    )
    assert got["leads"]["body"]["totalSize"] == 2
    assert got["contacts"]["body"]["done"] is True
    assert (got["bad"]["httpStatusCode"], got["bad"]["body"][0]["errorCode"]) == (400, "INVALID_FIELD")
    assert len(got["updated"]["body"]["ids"]) == 2
    assert got["deleted"]["body"]["deletedRecords"] == []
    assert crm.calls == {"POST /composite": 1}
    assert crm.api_usage == 1


def test_results_feed_later_parts(api: requests.Session) -> None:
    got = _composite(
        api,
        _part("account", "POST", "sobjects/Account", body={"Name": "Acme"}),
        _part("contact", "POST", "sobjects/Contact", body={"LastName": "Doe", "AccountId": "@{account.id}"}),
        _part("read", "GET", "sobjects/Contact/@{contact.id}?fields=AccountId"),
        _part("lost", "GET", "sobjects/Contact/@{nobody.id}"),
    )
    assert got["read"]["body"]["AccountId"] == got["account"]["body"]["id"]
    assert got["account"]["httpHeaders"]["Location"].endswith(got["account"]["body"]["id"])
    assert got["lost"]["body"][0]["errorCode"] == "PROCESSING_HALTED"


def test_all_or_none(crm: LocalSalesforce, api: requests.Session) -> None:
    (lead,) = _leads(crm, 1)
    parts = (
        _part("good", "PATCH", f"sobjects/Lead/{lead}", body={"Title": "x"}),
        _part("bad", "PATCH", f"sobjects/Lead/{lead}", body={"Nope": "x"}),
        _part("never", "GET", f"sobjects/Lead/{lead}"),
    )
    got = _composite(api, *parts, whole=True)
    assert [part["body"][0]["errorCode"] for part in got.values()] == [
        "PROCESSING_HALTED", "INVALID_FIELD", "PROCESSING_HALTED"
    ]  # fmt: skip
    assert (crm.get("Lead", lead) or {})["Title"] is None
    got = _composite(api, *parts)
    assert [part["httpStatusCode"] for part in got.values()] == [204, 400, 200]


def test_the_outer_all_or_none_rules_over_collections(crm: LocalSalesforce, api: requests.Session) -> None:
    first, second = _leads(crm, 2)
    records = [_record(first, Title="x"), _record(second, Nope="x")]
    part = _part("a", "PATCH", "composite/sobjects", body={"allOrNone": False, "records": records})
    assert [item["success"] for item in _composite(api, part)["a"]["body"]] == [True, False]
    crm.update("Lead", first, {"Title": None})
    undone = _composite(api, part, whole=True)["a"]["body"]
    assert undone[0]["errors"][0]["statusCode"] == "ALL_OR_NONE_OPERATION_ROLLED_BACK"
    assert (crm.get("Lead", first) or {})["Title"] is None


@pytest.mark.parametrize(
    ("count", "path", "status"),
    [(25, "sobjects", 200), (26, "sobjects", 400), (5, "query?q=SELECT+Id+FROM+Lead", 200),
     (6, "query?q=SELECT+Id+FROM+Lead", 400), (6, "composite/sobjects/Lead?ids=&fields=Id", 400)],
)  # fmt: skip
def test_limits_of_a_composite(api: requests.Session, count: int, path: str, status: int) -> None:
    parts = [_part(f"r{number}", "GET", path) for number in range(count)]
    assert api.post("~/composite", json={"compositeRequest": parts}).status_code == status


@pytest.mark.parametrize(
    "body",
    [
        {}, {"compositeRequest": []}, {"compositeRequest": [{"method": "GET"}]},
        {"compositeRequest": [_part("a-b", "GET", "sobjects")]},
        {"compositeRequest": [_part("a", "GET", "sobjects"), _part("a", "GET", "sobjects")]},
    ],
)  # fmt: skip
def test_malformed_composites(api: requests.Session, body: dict[str, Any]) -> None:
    answer = api.post("~/composite", json=body)
    assert answer.status_code == 400
    assert set(answer.json()[0]) == {"message", "errorCode"}


def test_resources_that_composite_does_not_take(api: requests.Session) -> None:
    assert _composite(api, _part("a", "GET", "limits"))["a"]["httpStatusCode"] == 400


def test_each_part_may_have_a_condition_of_its_own(
    crm: LocalSalesforce, api: requests.Session, tick: Callable[[float], datetime]
) -> None:
    """REST API docs, "Conditional Request Headers" and "Composite Subrequest": any header that the resource takes."""
    edited, quiet, broken = _leads(crm, 3)
    seen = format_datetime(tick(1), usegmt=True)
    tick(1)
    crm.update("Lead", edited, {"Title": "hers"})
    parts = [
        _part(name, "PATCH", f"sobjects/Lead/{one}", body={"Title": "ours"}, httpHeaders={"If-Unmodified-Since": when})
        for name, one, when in (("edited", edited, seen), ("quiet", quiet, seen), ("broken", broken, "yesterday"))
    ]
    got = _composite(api, *parts)
    assert [got[name]["httpStatusCode"] for name in ("edited", "quiet", "broken")] == [412, 204, 400]
    assert [(crm.get("Lead", one) or {})["Title"] for one in (edited, quiet, broken)] == ["hers", "ours", None]
    assert crm.api_usage == 1


def test_a_condition_of_the_whole_composite_is_not_one_of_its_parts(
    crm: LocalSalesforce, api: requests.Session
) -> None:
    (lead,) = _leads(crm, 1)
    body = {"compositeRequest": [_part("a", "PATCH", f"sobjects/Lead/{lead}", body={"Title": "ours"})]}
    long_ago = {"If-Unmodified-Since": "Thu, 01 Jan 2026 00:00:00 GMT"}
    assert api.post("~/composite", json=body, headers=long_ago).status_code == 200
    assert (crm.get("Lead", lead) or {})["Title"] == "ours"


@pytest.mark.parametrize(
    "headers",
    [{"Accept": "*/*"}, {"authorization": "Bearer x"}, {"CONTENT-TYPE": "text/plain"},
     {"Sforce-Auto-Assign": ["FALSE"]}, {"Sforce-Auto-Assign": False}, ["If-Unmodified-Since"]],
)  # fmt: skip
def test_headers_that_a_part_inherits_or_cannot_have_refuse_the_whole(
    crm: LocalSalesforce, api: requests.Session, headers: object
) -> None:
    (lead,) = _leads(crm, 1)
    good = _part("good", "PATCH", f"sobjects/Lead/{lead}", body={"Title": "x"})
    bad = _part("bad", "GET", f"sobjects/Lead/{lead}", httpHeaders=headers)
    assert api.post("~/composite", json={"compositeRequest": [good, bad]}).status_code == 400
    assert (crm.get("Lead", lead) or {})["Title"] is None


def test_a_collection_answers_in_order(crm: LocalSalesforce, api: requests.Session) -> None:
    good, gone, converted, locked = _leads(crm, 4)
    crm.delete("Lead", gone)
    crm.convert_lead(converted)
    crm.refuse_next(locked, "UNABLE_TO_LOCK_ROW", "unable to obtain exclusive access to this record")
    ids = [good[:15], gone, converted, locked, "00QLo0000000zzz", "short"]
    answer = api.patch("~/composite/sobjects", json={"records": [_record(one, Title="x") for one in ids]})
    assert answer.status_code == 200
    results = answer.json()
    assert results[0] == {"id": good, "success": True, "errors": []}
    assert [result["errors"][0]["statusCode"] for result in results[1:]] == [
        "ENTITY_IS_DELETED", "CANNOT_UPDATE_CONVERTED_LEAD", "UNABLE_TO_LOCK_ROW", "INVALID_CROSS_REFERENCE_KEY",
        "MALFORMED_ID",
    ]  # fmt: skip
    assert [result.get("id") for result in results] == [good, gone, converted, locked, None, None]
    assert results[2]["errors"][0]["message"] == "cannot reference converted lead"


def test_a_wrong_type_refuses_the_whole_collection(crm: LocalSalesforce, api: requests.Session) -> None:
    first, second = _leads(crm, 2)
    records = [_record(first, Title="x"), _record(second, NumberOfEmployees="many")]
    answer = api.patch("~/composite/sobjects", json={"records": records})
    assert (answer.status_code, answer.json()[0]["errorCode"]) == (400, "JSON_PARSER_ERROR")
    assert (crm.get("Lead", first) or {})["Title"] is None


def test_limits_of_a_collection(crm: LocalSalesforce, api: requests.Session) -> None:
    ids = _leads(crm, 201)
    assert api.patch("~/composite/sobjects", json={"records": [_record(one) for one in ids]}).status_code == 400
    assert api.patch("~/composite/sobjects", json={"records": [_record(one) for one in ids[1:]]}).status_code == 200
    mixed = [{"attributes": {"type": kind}, "LastName": "x", "Company": "y"} for kind in ("Lead", "Contact") * 6]
    for record in mixed:
        if record["attributes"] == {"type": "Contact"}:
            del record["Company"]
    assert api.post("~/composite/sobjects", json={"records": mixed[:11]}).status_code == 400
    assert all(item["success"] for item in api.post("~/composite/sobjects", json={"records": mixed[:10]}).json())
    setup = {"attributes": {"type": "PermissionSet"}, "Name": "a", "Label": "a"}
    answer = api.post("~/composite/sobjects", json={"records": [mixed[0], setup]})
    assert answer.json()[0]["errorCode"] == "MIXED_DML_OPERATION"


def test_create_upsert_and_delete_collections(crm: LocalSalesforce, api: requests.Session) -> None:
    crm.add_field("Lead", "Ext__c", {"label": "Ext", "type": "Text", "length": 20, "externalId": True})
    new = {"attributes": {"type": "Lead"}, "LastName": "N", "Company": "C"}
    made = api.post(
        "~/composite/sobjects", json={"records": [{**new, "Ext__c": "1"}, {"attributes": {"type": "Lead"}}]}
    )
    assert [item["success"] for item in made.json()] == [True, False]
    records = [{**new, "Ext__c": "1"}, {**new, "Ext__c": "2"}, new]
    put = api.patch("~/composite/sobjects/Lead/Ext__c", json={"records": records}).json()
    assert [item.get("created") for item in put] == [False, True, None]
    ids = [put[0]["id"], put[1]["id"]]
    gone = api.delete("~/composite/sobjects", params={"ids": ",".join(ids)}).json()
    assert [item["id"] for item in gone if item["success"]] == ids


def test_rows_by_id(crm: LocalSalesforce, api: requests.Session) -> None:
    here, gone = _leads(crm, 2)
    crm.delete("Lead", gone)
    body = {"ids": [gone, here[:15], "00QLo0000000zzz"], "fields": ["Id", "LastName", "IsConverted"]}
    rows = api.post("~/composite/sobjects/Lead", json=body).json()
    assert [row and (row["Id"], row["IsConverted"]) for row in rows] == [None, (here, False), None]
    many = {"ids": [here] * 2001, "fields": ["Id"]}
    assert api.post("~/composite/sobjects/Lead", json=many).json()[0]["errorCode"] == "EXCEEDED_ID_LIMIT"
    wrong = {"ids": [here], "fields": ["Nope"]}
    assert api.post("~/composite/sobjects/Lead", json=wrong).json()[0]["errorCode"] == "INVALID_FIELD"


def test_each_part_of_a_batch_costs_a_call(crm: LocalSalesforce, api: requests.Session) -> None:
    (lead,) = _leads(crm, 1)
    parts = [{"method": "GET", "url": f"v67.0/sobjects/Lead/{lead}?fields=Id"}, {"method": "GET", "url": "v67.0/nope"}]
    body = api.post("~/composite/batch", json={"batchRequests": parts}).json()
    assert (body["hasErrors"], [item["statusCode"] for item in body["results"]]) == (True, [200, 404])
    assert crm.api_usage == 3
