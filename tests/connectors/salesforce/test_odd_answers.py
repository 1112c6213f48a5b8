"""Answers that no sound Salesforce gives, and answers about failures: nothing is believed, nothing is lost."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any
from urllib.parse import parse_qs, urlsplit

import jwt
import pytest
import requests
import responses
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from refloop.connectors.salesforce import Salesforce, SalesforceSettings
from refloop.connectors.salesforce.cursor import parse_cursor
from refloop.connectors.salesforce.ids import record_id
from refloop.errors import AuthError, ConfigError, CrmUnavailable, RefloopError, TryLater
from refloop.model import Everything, FieldChange, FieldSpec, FieldType, Kind, Page, Receipt, Ref, Since, Verdict

URL = "http://127.0.0.1:9"
ROOT = f"{URL}/services/data/v67.0"
CODE = FieldSpec("ref_code", "Code", FieldType.TEXT, (Kind.LEAD,), length=64)
FIELDS = (CODE,)
DATE = {"Date": "Thu, 01 Oct 2026 12:00:00 GMT"}
NOW = datetime(2026, 10, 1, 12, tzinfo=UTC)
LEADS = [record_id(f"00Q{n:012d}") for n in range(1, 1202)]

Answer = tuple[int, Any]


def lead(record: str, **fields: Any) -> dict[str, Any]:
    return {
        "attributes": {"type": "Lead"},
        "Id": record,
        "CreatedDate": "2026-10-01T00:00:00.000+0000",
        "SystemModstamp": "2026-10-01T00:00:00.000+0000",
        "IsDeleted": False,
        "Ref_Code__c": None,
        **fields,
    }


def rows(*some: Mapping[str, Any], **changes: Any) -> dict[str, Any]:
    return {"totalSize": len(some), "done": True, "records": list(some), **changes}


def error(code: str, message: str = "") -> list[dict[str, Any]]:
    return [{"errorCode": code, "message": message}]


class Org:
    """A scripted org. `answers` replace what it would say, by the part of the path that names the resource."""

    def __init__(self) -> None:
        self.leads: list[dict[str, Any]] = []
        self.fields = ["Id", "CreatedDate", "SystemModstamp", "IsDeleted", "Description", "Ref_Code__c"]
        self.update: Callable[[list[dict[str, Any]]], Answer] = self.saves
        self.outer: list[requests.RequestException | tuple[int, dict[str, str], str]] = []
        self.updated: Answer = (404, error("NOT_FOUND"))
        self.inner: dict[str, Answer] = {}
        self.always: dict[str, Answer] = {}
        self.headers: list[Mapping[str, str]] = []
        self.asked: list[str] = []
        self.queries: list[str] = []

    def saves(self, records: list[dict[str, Any]]) -> Answer:
        return 200, [{"id": record["id"], "success": True, "errors": []} for record in records]

    def __call__(self, request: Any) -> tuple[int, dict[str, str], str]:
        self.headers.append(dict(request.headers))
        path = urlsplit(request.url).path.partition("/v67.0/")[2]
        if self.outer and not path.startswith("sobjects"):
            scripted = self.outer.pop(0)
            if isinstance(scripted, requests.RequestException):
                raise scripted
            return scripted
        body: Any = json.loads(request.body) if request.body else None
        self.asked.append(path)
        if path != "composite":
            status, answer = self.part(request.method, request.url, body)
            return status, DATE, json.dumps(answer)
        parts = [
            {"referenceId": part["referenceId"], "httpHeaders": {}, "httpStatusCode": status, "body": answer}
            for part in body["compositeRequest"]
            for status, answer in [self.part(part["method"], part["url"], part.get("body"))]
        ]
        return 200, DATE, json.dumps({"compositeResponse": parts})

    def part(self, method: str, url: str, body: Any) -> Answer:
        split = urlsplit(url)
        path = split.path.partition("/v67.0/")[2]
        if path == "queryAll" and "COUNT()" in (query := parse_qs(split.query)["q"][0]):
            return 200, rows(totalSize=len(self.leads) if " FROM Lead" in query else 0)
        if path in self.inner:
            return self.inner.pop(path)
        if path in self.always:
            return self.always[path]
        if path.endswith("/updated"):
            return self.updated
        if path.endswith("/deleted"):
            return 404, error("NOT_FOUND")
        if path.endswith("/describe"):
            return 200, self.describe(path.split("/")[1])
        if path == "queryAll":
            query = parse_qs(split.query)["q"][0]
            self.queries.append(query)
            if "Ref_Code__c" in query and "Ref_Code__c" not in self.fields:
                return 400, error("INVALID_FIELD", "No such column")
            return 200, rows(*(self.leads if " FROM Lead" in query and "Id >" not in query else []))
        if method == "PATCH":
            return self.update(body["records"])
        known = {row["Id"]: row for row in self.leads}
        return 200, [known.get(one) for one in body["ids"]]

    def describe(self, name: str) -> dict[str, Any]:
        fields = [{"name": field, "type": "string", "length": 255, "updateable": True} for field in self.fields]
        return {"name": name, "updateable": True, "fields": fields}


@pytest.fixture
def mocked() -> Iterator[responses.RequestsMock]:
    with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
        yield mock


@pytest.fixture
def org(mocked: responses.RequestsMock) -> Org:
    org = Org()
    mocked.get(f"{URL}/services/data", json=[{"version": "67.0"}], headers=DATE)
    for method in ("GET", "POST", "PATCH"):
        mocked.add_callback(method, re.compile(ROOT + "/.*"), callback=org)
    return org


@pytest.fixture
def crm(monkeypatch: pytest.MonkeyPatch) -> Iterator[Salesforce]:
    monkeypatch.setenv("SF_TOKEN", "00D-token")
    connector = connected({"method": "access_token", "token": "env:SF_TOKEN"})
    yield connector
    connector.close()


def connected(auth: Mapping[str, str]) -> Salesforce:
    document = {"connector": "salesforce", "url": URL, "auth": auth, "conditional_writes": "never"}
    connector = Salesforce("crm", SalesforceSettings.model_validate(document), clock=lambda: NOW)
    connector._client.transport._sleep = lambda _: None
    return connector


def pull(crm: Salesforce) -> list[Page]:
    return list(crm.pull(FIELDS, Everything()))


def change(record: str, after: str = "ACME1") -> FieldChange:
    return FieldChange(Ref("crm", Kind.LEAD, record), CODE, None, after, "test")


def push(crm: Salesforce, count: int) -> list[Receipt]:
    return list(crm.push([change(record) for record in LEADS[:count]]))


# pulling


def test_a_pull_is_one_call_to_describe_and_one_a_page(org: Org, crm: Salesforce) -> None:
    org.leads = [lead(LEADS[0])]
    (page,) = pull(crm)
    assert [record.ref.id for record in page.records] == [LEADS[0]]
    assert org.asked == ["composite", "composite"]
    assert page.cursor
    org.asked.clear()
    assert len(list(crm.pull(FIELDS, Since(page.cursor)))) == 1
    assert org.asked == ["composite"]


HTML = (200, {"Content-Type": "text/html"}, "<html>maintenance</html>")
OUTER: dict[str, tuple[int, dict[str, str], str]] = {
    "web page": HTML,
    "web page, said to be JSON": (200, DATE, "<html>"),
    "cut JSON": (200, DATE, '{"compositeResponse": [{"body": {"totalSize": 0, "done": true, "rec'),
    "empty": (200, DATE, ""),
    "null": (200, DATE, "null"),
    "empty object": (200, DATE, "{}"),
    "no parts": (200, DATE, '{"compositeResponse": []}'),
    "redirect": (302, {**DATE, "Location": "https://evil.example/"}, ""),
    "parts of another request": (
        200,
        DATE,
        json.dumps({"compositeResponse": [{"referenceId": "x", "httpStatusCode": 200, "body": rows()}] * 4}),
    ),
}


@pytest.mark.parametrize("answer", OUTER.values(), ids=OUTER)
def test_an_answer_that_is_none_brings_no_page(
    org: Org, crm: Salesforce, answer: tuple[int, dict[str, str], str]
) -> None:
    crm.read([], [])
    org.outer = [(200, DATE, json.dumps({"compositeResponse": _described(org)})), *[answer] * 9]
    with pytest.raises(CrmUnavailable):
        pull(crm)


def _described(org: Org) -> list[dict[str, Any]]:
    """What an org says to a pull that begins: its schema, its size, and nothing about long transactions."""
    objects = ("Lead", "Contact", "Opportunity")
    every = (*objects, "OpportunityContactRole")
    described = [{"referenceId": name, "httpStatusCode": 200, "body": org.describe(name)} for name in every]
    counted = [{"referenceId": f"{name}Count", "httpStatusCode": 200, "body": rows()} for name in every]
    refused = [{"referenceId": f"{name}Updated", "httpStatusCode": 404, "body": error("NOT_FOUND")} for name in objects]
    return [*described, *counted, *refused]


INNER: dict[str, Any] = {
    "fewer rows than it says": rows(lead(LEADS[0]), totalSize=5),
    "goes on elsewhere": rows(
        lead(LEADS[0]), totalSize=5, done=False, nextRecordsUrl="https://evil.example/services/data/v67.0/query/x"
    ),
    "a bad id": rows(lead("x")),
    "a row without times": rows(lead(LEADS[0], SystemModstamp=None)),
    "errors with status 200": error("INVALID_FIELD"),
    "null": None,
}


@pytest.mark.parametrize("body", INNER.values(), ids=INNER)
def test_a_page_that_is_not_whole_is_not_yielded(org: Org, crm: Salesforce, body: Any) -> None:
    org.always["queryAll"] = 200, body
    with pytest.raises(CrmUnavailable, match="nonsense"):
        pull(crm)


CUT = {name: body for name, body in INNER.items() if name != "a row without times"}  # which is whole, and says nothing


@pytest.mark.parametrize("body", CUT.values(), ids=CUT)
def test_a_page_that_is_whole_when_it_is_asked_for_again_is_taken(org: Org, crm: Salesforce, body: Any) -> None:
    org.leads = [lead(LEADS[0])]
    org.inner["queryAll"] = 200, body
    (page,) = pull(crm)
    assert [record.ref.id for record in page.records] == [LEADS[0]]
    assert org.asked == ["composite"] * 3


@pytest.mark.parametrize("status", [400, 404, 405])
def test_an_org_that_refuses_composite_calls_is_asked_one_by_one(org: Org, crm: Salesforce, status: int) -> None:
    org.leads = [lead(LEADS[0])]
    org.outer = [(status, DATE, json.dumps(error("NOT_FOUND")))]
    (page,) = pull(crm)
    assert len(page.records) == 1
    objects = ("Lead", "Contact", "Opportunity")
    assert org.asked == [
        *(f"sobjects/{name}/describe" for name in (*objects, "OpportunityContactRole")),
        *["queryAll"] * 4,
        *(f"sobjects/{name}/updated" for name in objects),
        *["queryAll"] * 4,
    ]


def test_a_part_that_fails_within_a_composite_call_is_asked_alone(org: Org, crm: Salesforce) -> None:
    org.inner["queryAll"] = 400, error("NOT_SUPPORTED_HERE")
    assert len(pull(crm)) == 1
    assert org.asked == ["composite", "composite", "queryAll"]


def test_a_field_that_vanished_is_asked_for_no_more(org: Org, crm: Salesforce) -> None:
    (page,) = pull(crm)
    org.fields.remove("Ref_Code__c")
    org.leads = [lead(LEADS[0])]
    assert page.cursor
    (page,) = crm.pull(FIELDS, Since(page.cursor))
    assert [record.ref.id for record in page.records] == [LEADS[0]]


@pytest.mark.parametrize(("age", "calls"), [(timedelta(hours=23), 1), (timedelta(hours=25), 2)])
def test_the_org_is_described_again_once_a_day(org: Org, crm: Salesforce, age: timedelta, calls: int) -> None:
    (page,) = pull(crm)
    assert page.cursor
    position = parse_cursor(page.cursor)
    old = replace(position, described=position.watermark - age).cursor()
    org.asked.clear()
    list(connected({"method": "access_token", "token": "env:SF_TOKEN"}).pull(FIELDS, Since(old)))
    assert org.asked.count("composite") == calls


def test_a_server_without_a_clock_is_refused(org: Org, mocked: responses.RequestsMock, crm: Salesforce) -> None:
    mocked.replace("GET", f"{URL}/services/data", json=[])
    org.outer = [(200, {}, json.dumps({"compositeResponse": _described(org)}))]
    with pytest.raises(CrmUnavailable, match="Date"):
        pull(crm)


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (403, error("REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded."), TryLater),
        (403, error("REQUEST_LIMIT_EXCEEDED", "ConcurrentPerOrgLongTxn Limit exceeded."), TryLater),
        (500, error("UNSUPPORTED_API_VERSION"), ConfigError),
        (401, error("INVALID_SESSION_ID", "This session is not valid for use with the REST API"), AuthError),
        (401, error("INVALID_SESSION_ID", "Session expired or invalid"), AuthError),
        (503, None, CrmUnavailable),
    ],
)
def test_a_failure_says_what_to_do(org: Org, crm: Salesforce, status: int, body: Any, kind: type[RefloopError]) -> None:
    org.outer = [(status, DATE, json.dumps(body))] * 99
    with pytest.raises(kind) as failure:
        pull(crm)
    assert failure.value.remedy
    assert "00D-token" not in str(failure.value)


@pytest.mark.parametrize(
    ("updated", "watermark"),
    [
        ((404, error("NOT_FOUND")), NOW),
        ((200, None), NOW),
        ((200, {"ids": [], "latestDateCovered": "yesterday"}), NOW),
        ((200, {"ids": [], "latestDateCovered": "2026-10-01T09:30:00.000+0000"}), NOW.replace(hour=9, minute=30)),
        ((200, {"ids": [], "latestDateCovered": "2026-10-02T00:00:00.000+0000"}), NOW),
    ],
    ids=["refused", "null", "nonsense", "a long transaction runs", "later than now"],
)
def test_the_next_pull_starts_where_the_org_says_that_all_is_seen(
    org: Org, crm: Salesforce, updated: Answer, watermark: datetime
) -> None:
    org.updated = updated
    (page,) = pull(crm)
    assert page.cursor
    kept = parse_cursor(page.cursor).watermark
    assert watermark - timedelta(seconds=2) <= kept <= watermark


def test_the_watermark_is_the_orgs_clock_before_the_query(
    org: Org, crm: Salesforce, monkeypatch: pytest.MonkeyPatch
) -> None:
    ticks = count(0, 30)  # each look at the stop watch is half a minute after the one before
    monkeypatch.setattr("refloop.connectors.salesforce.client.time.monotonic", lambda: float(next(ticks)))
    (page,) = pull(crm)
    assert page.cursor
    assert parse_cursor(page.cursor).watermark <= NOW - timedelta(seconds=30)


def test_the_next_pull_looks_back_from_there(org: Org, crm: Salesforce) -> None:
    org.updated = 200, {"ids": [], "latestDateCovered": "2026-10-01T11:00:00.000+0000"}
    (page,) = pull(crm)
    assert page.cursor
    assert not any("SystemModstamp >=" in query for query in org.queries)
    org.queries.clear()
    list(crm.pull(FIELDS, Since(page.cursor)))
    assert len(org.queries) == 4
    assert all(" WHERE SystemModstamp >= 2026-10-01T10:45:00Z ORDER BY Id" in query for query in org.queries)


# pushing


def test_a_thousand_records_are_three_calls_once(org: Org, crm: Salesforce) -> None:
    org.leads = [lead(record) for record in LEADS]
    receipts = push(crm, 1000)
    assert {receipt.verdict for receipt in receipts} == {Verdict.WRITTEN}
    # describe (once a process), look, write
    assert org.asked == ["composite", "composite/sobjects/Lead", "composite"]
    assert org.headers[-1]["Sforce-Auto-Assign"] == "FALSE"
    assert [receipt.change.ref.id for receipt in receipts] == LEADS[:1000]


@pytest.mark.parametrize(
    "answer",
    [*(OUTER[name] for name in OUTER), (500, DATE, "[]"), requests.ConnectionError("reset"), requests.ReadTimeout()],
)
def test_a_write_without_an_answer_has_an_unknown_fate(org: Org, crm: Salesforce, answer: Any) -> None:
    org.leads = [lead(record) for record in LEADS]
    push(crm, 1)
    looked = (200, DATE, json.dumps(org.leads[:300]))
    org.outer = [looked, answer]
    receipts = push(crm, 300)
    assert {receipt.verdict for receipt in receipts} == {Verdict.UNKNOWN}
    assert org.outer == []


def test_results_that_are_not_of_these_records_confirm_nothing(org: Org, crm: Salesforce) -> None:
    org.leads = [lead(record) for record in LEADS]
    org.update = lambda records: (200, org.saves(records)[1][1:])
    assert {receipt.verdict for receipt in push(crm, 3)} == {Verdict.UNKNOWN}


def test_one_malformed_record_does_not_hold_up_the_others(org: Org, crm: Salesforce) -> None:
    org.leads = [lead(record) for record in LEADS]
    bad = LEADS[137]
    org.update = lambda records: (
        (400, error("JSON_PARSER_ERROR", "bad")) if any(one["id"] == bad for one in records) else org.saves(records)
    )
    receipts = push(crm, 1000)
    assert [receipt.change.ref.id for receipt in receipts if receipt.verdict is not Verdict.WRITTEN] == [bad]
    assert receipts[137] == Receipt(change(bad), Verdict.REFUSED, reason="JSON_PARSER_ERROR: bad")
    assert len(org.asked) <= 17


def locks(org: Org, times: int) -> Callable[[list[dict[str, Any]]], Answer]:
    """Locks the second record so many times."""
    left = [times]

    def update(records: list[dict[str, Any]]) -> Answer:
        status, results = org.saves(records)
        for place, record in enumerate(records):
            if record["id"] == LEADS[1] and left[0]:
                left[0] -= 1
                failed = {"statusCode": "UNABLE_TO_LOCK_ROW", "message": "unable to obtain exclusive access"}
                results[place] = {"success": False, "errors": [failed]}
        return status, results

    return update


@pytest.mark.parametrize(("times", "verdict"), [(1, Verdict.WRITTEN), (2, Verdict.WRITTEN), (3, Verdict.DEFERRED)])
def test_a_locked_record_is_tried_again_and_then_left(org: Org, crm: Salesforce, times: int, verdict: Verdict) -> None:
    org.leads = [lead(record) for record in LEADS]
    org.update = locks(org, times)
    pauses: list[float] = []
    crm._client.transport._sleep = pauses.append
    assert [receipt.verdict for receipt in push(crm, 3)] == [Verdict.WRITTEN, verdict, Verdict.WRITTEN]
    assert len(pauses) == min(times, 2)
    assert all(2**n <= pause <= 2 ** (n + 1) for n, pause in enumerate(pauses))


def test_locked_records_are_tried_again_in_smaller_collections(org: Org, crm: Salesforce) -> None:
    org.leads = [lead(record) for record in LEADS]
    sizes: list[int] = []

    def update(records: list[dict[str, Any]]) -> Answer:
        sizes.append(len(records))
        failed = {"success": False, "errors": [{"statusCode": "UNABLE_TO_LOCK_ROW", "message": "busy"}]}
        return org.saves(records) if len(records) < 100 else (200, [failed] * len(records))

    org.update = update
    assert {receipt.verdict for receipt in push(crm, 150)} == {Verdict.WRITTEN}
    assert sizes == [150, *[20] * 7, 10]


def test_a_locked_record_is_looked_at_again_before_it_is_written(org: Org, crm: Salesforce) -> None:
    org.leads = [lead(record) for record in LEADS[:3]]
    lock = locks(org, 1)

    def update(records: list[dict[str, Any]]) -> Answer:
        answer = lock(records)
        org.leads[1]["Ref_Code__c"] = "PERSON"  # whoever held the lock wrote this
        return answer

    org.update = update
    receipts = push(crm, 3)
    assert receipts[1] == Receipt(change(LEADS[1]), Verdict.MOVED, found="PERSON")


def test_what_was_written_is_told_before_the_quota_ends_the_push(org: Org, crm: Salesforce) -> None:
    org.leads = [lead(record) for record in LEADS]
    spent = (403, DATE, json.dumps(error("REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded.")))
    receipts: list[Receipt] = []
    writes = [0]

    def update(records: list[dict[str, Any]]) -> Answer:
        writes[0] += 1
        if writes[0] == 5:
            org.outer = [spent]
        return org.saves(records)

    org.update = update
    with pytest.raises(TryLater):
        receipts.extend(crm.push([change(record) for record in LEADS]))
    assert [receipt.verdict for receipt in receipts] == [Verdict.WRITTEN] * 1000 + [Verdict.DEFERRED] * 201


def test_what_was_written_is_told_before_a_second_look_fails(org: Org, crm: Salesforce) -> None:
    org.leads = [lead(record) for record in LEADS]
    lock = locks(org, 1)

    def update(records: list[dict[str, Any]]) -> Answer:
        org.outer = [(503, DATE, "")] * 9
        return lock(records)

    org.update = update
    receipts: list[Receipt] = []
    with pytest.raises(CrmUnavailable):
        receipts.extend(crm.push([change(record) for record in LEADS[:3]]))
    assert [receipt.verdict for receipt in receipts] == [Verdict.WRITTEN, Verdict.DEFERRED, Verdict.WRITTEN]


def test_a_look_that_makes_no_sense_writes_nothing(org: Org, crm: Salesforce) -> None:
    org.leads = [lead(LEADS[0], Ref_Code__c={"x": 1})]
    with pytest.raises(CrmUnavailable, match="Ref_Code__c is wrong"):
        push(crm, 1)
    with pytest.raises(CrmUnavailable, match="Ref_Code__c is wrong"):
        crm.read([change(LEADS[0]).ref], [CODE])
    assert org.asked == ["composite", *["composite/sobjects/Lead"] * 2]


def test_no_field_no_write(org: Org, crm: Salesforce) -> None:
    org.leads = [lead(record) for record in LEADS]
    org.fields.remove("Ref_Code__c")
    with pytest.raises(ConfigError) as failure:
        push(crm, 1)
    assert "Lead.Ref_Code__c" in str(failure.value)
    assert "provision" in failure.value.remedy
    assert org.asked == ["composite"]


@pytest.mark.parametrize("bad", ["x", "../Account/001", "https://evil.example/x"])
def test_a_foreign_id_is_refused_without_a_call(org: Org, crm: Salesforce, bad: str) -> None:
    (receipt,) = crm.push([change(bad)])
    assert receipt.verdict is Verdict.REFUSED
    assert crm.read([Ref("crm", Kind.LEAD, bad), Ref("other", Kind.LEAD, LEADS[0])], [CODE]) == {}
    assert org.asked == []


# logging in

TOKEN_URL = f"{URL}/services/oauth2/token"
CREDENTIALS = {"method": "client_credentials", "client_id": "3MVG", "client_secret": "env:SF_SECRET"}


def granted(**changes: Any) -> dict[str, Any]:
    return {"access_token": "00D-fresh", "instance_url": URL, "token_type": "Bearer", **changes}


@pytest.fixture
def app(monkeypatch: pytest.MonkeyPatch) -> Iterator[Salesforce]:
    monkeypatch.setenv("SF_SECRET", "s3cret")
    connector = connected(CREDENTIALS)
    yield connector
    connector.close()


def test_client_credentials_go_in_the_header(mocked: responses.RequestsMock, org: Org, app: Salesforce) -> None:
    mocked.post(TOKEN_URL, json=granted())
    pull(app)
    login = mocked.calls[0].request
    assert login.body == "grant_type=client_credentials"
    assert login.headers["Authorization"] == "Basic " + base64.b64encode(b"3MVG:s3cret").decode()
    assert {headers["Authorization"] for headers in org.headers} == {"Bearer 00D-fresh"}


def test_a_jwt_is_for_this_org_and_this_minute(
    mocked: responses.RequestsMock, org: Org, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    form = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    monkeypatch.setenv("SF_KEY", key.private_bytes(serialization.Encoding.PEM, *form).decode())
    mocked.post(TOKEN_URL, json=granted())
    crm = connected({"method": "jwt", "client_id": "3MVG", "username": "sync@acme.com", "private_key": "env:SF_KEY"})
    pull(crm)
    sent = parse_qs(str(mocked.calls[0].request.body))
    assert sent["grant_type"] == ["urn:ietf:params:oauth:grant-type:jwt-bearer"]
    claims = jwt.decode(
        sent["assertion"][0], key.public_key(), algorithms=["RS256"], audience=URL, options={"verify_exp": False}
    )
    assert claims == {"iss": "3MVG", "sub": "sync@acme.com", "aud": URL, "exp": int(NOW.timestamp()) + 180}


def test_a_key_that_is_none_is_not_repeated(org: Org, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SF_KEY", "-----BEGIN garbage")
    crm = connected({"method": "jwt", "client_id": "3MVG", "username": "sync@acme.com", "private_key": "env:SF_KEY"})
    with pytest.raises(ConfigError, match="env:SF_KEY") as failure:
        pull(crm)
    assert "garbage" not in str(failure.value)


@pytest.mark.parametrize(
    ("status", "body", "kind", "words"),
    [
        (400, {"error": "invalid_client", "error_description": "invalid client credentials"}, AuthError, "secret"),
        (400, {"error": "invalid_grant"}, AuthError, "run user"),
        (400, {"error": "app_not_found"}, AuthError, "audience"),
        (404, None, ConfigError, "My Domain"),
        (200, granted(instance_url="https://evil.my.salesforce.com"), ConfigError, "another host"),
        (200, granted(instance_url=None), ConfigError, "another host"),
        (200, {"instance_url": URL}, CrmUnavailable, "no token"),
        (200, [], CrmUnavailable, "no token"),
    ],
)
def test_a_login_that_fails(
    mocked: responses.RequestsMock, org: Org, app: Salesforce, status: int, body: Any, kind: type, words: str
) -> None:
    mocked.post(TOKEN_URL, json=body, status=status)
    with pytest.raises(kind, match=words) as failure:
        pull(app)
    assert "s3cret" not in str(failure.value)
    assert org.headers == []


def test_a_refresh_repeats_the_write_with_all_its_headers(
    mocked: responses.RequestsMock, org: Org, app: Salesforce
) -> None:
    mocked.post(TOKEN_URL, json=granted())
    org.leads = [lead(record) for record in LEADS]
    push(app, 1)
    expired = (401, DATE, json.dumps(error("INVALID_SESSION_ID", "Session expired or invalid")))
    org.outer = [(200, DATE, json.dumps(org.leads[:1])), expired]
    mocked.replace("POST", TOKEN_URL, json=granted(access_token="00D-second"))
    assert [receipt.verdict for receipt in push(app, 1)] == [Verdict.WRITTEN]
    refused, repeated = org.headers[-2:]
    assert (refused["Authorization"], repeated["Authorization"]) == ("Bearer 00D-fresh", "Bearer 00D-second")
    assert refused["Sforce-Auto-Assign"] == repeated["Sforce-Auto-Assign"] == "FALSE"
