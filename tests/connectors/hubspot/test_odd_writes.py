"""Answers to writes that HubSpot gives though nobody would expect them, and some that it should not give."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
import requests
import responses
from responses.matchers import header_matcher

from refloop.connectors.http.retry import RetryPolicy
from refloop.connectors.http.transport import Transport
from refloop.connectors.hubspot import HubSpot
from refloop.connectors.hubspot.client import Client, open_transport
from refloop.connectors.hubspot.push import push
from refloop.errors import AuthError, CrmUnavailable, RefloopError
from refloop.model import FieldChange, FieldSpec, Kind, Receipt, Ref, Verdict
from tests.connectors.hubspot.account import no_clock
from tests.connectors.hubspot.answers import (
    CODE,
    URL,
    WHY,
    answers,
    row,
    settings,
)

LATER = "2026-01-02T00:00:00Z"


def quick(count: int = 4) -> Transport:
    """A transport of the connector's own making, that does not wait between attempts."""
    made = open_transport(settings())
    transport = Transport(URL, retry=RetryPolicy(attempts=count), sleep=lambda _seconds: None)
    transport.authenticate, transport.classify = made.authenticate, made.classify
    made.close()
    return transport


def change(record: int, field: FieldSpec = CODE, after: str | None = "NEW") -> FieldChange:
    return FieldChange(Ref("hub", Kind.CONTACT, str(record)), field, None, after, "because")


def pushed(*changes: FieldChange) -> list[Receipt]:
    transport = quick()
    receipts = list(push(Client("hub", "2026-03", transport), "hub", changes))
    transport.close()
    return receipts


READ = f"{URL}/crm/objects/2026-03/contacts/batch/read"
UPDATE = f"{URL}/crm/objects/2026-03/contacts/batch/update"


def held(record: int, **properties: str | None) -> dict[str, Any]:
    return row(record, properties={"ref_code": None, "ref_why": None} | properties)


def arrived(record: int, **properties: str) -> dict[str, Any]:
    """As it is read back after a write of these values over nothing."""
    history = {name: [{"value": value, "timestamp": LATER, "sourceType": "X"}] for name, value in properties.items()}
    return held(record, **properties) | {"updatedAt": LATER, "propertiesWithHistory": history}


def complete(*rows: dict[str, Any], errors: list[Any] | None = None) -> dict[str, Any]:
    more = {"numErrors": len(errors), "errors": errors} if errors else {}
    return {"status": "COMPLETE", "results": list(rows), **more}


GONE = {"status": "error", "category": "OBJECT_NOT_FOUND", "message": "Could not get some", "context": {"ids": ["2"]}}
INVALID = {
    "status": "error",
    "category": "VALIDATION_ERROR",
    "message": "Property values were not valid",
    "context": {"objectWriteTraceId": ["2"]},
}
NAMELESS = {"status": "error", "category": "VALIDATION_ERROR", "message": "Something was not valid", "context": {}}


def verdicts(receipts: list[Receipt]) -> list[Verdict]:
    return [receipt.verdict for receipt in receipts]


@pytest.mark.parametrize("status", [200, 207])
@pytest.mark.parametrize(("error", "reason"), [(GONE, "gone"), (INVALID, "Property values were not valid")])
def test_partial_failure_is_told_by_the_body(
    crm: responses.RequestsMock, status: int, error: dict[str, Any], reason: str
) -> None:
    back = complete(arrived(1, ref_code="NEW"), arrived(3, ref_code="NEW"))
    answers(crm, "POST", READ, complete(held(1), held(2), held(3)), back)
    answers(crm, "POST", UPDATE, complete(row(3), row(1), errors=[error]), status=status)
    receipts = pushed(change(1), change(2), change(3))
    assert verdicts(receipts) == [Verdict.WRITTEN, Verdict.REFUSED, Verdict.WRITTEN]
    assert reason in receipts[1].reason


@pytest.mark.parametrize(
    ("errors", "now", "verdict"),
    [
        ([], "NEW", Verdict.WRITTEN),
        ([], None, Verdict.DEFERRED),
        ([], "THEIRS", Verdict.MOVED),
        ([NAMELESS], None, Verdict.REFUSED),
        ([NAMELESS], "NEW", Verdict.WRITTEN),
    ],
)
def test_a_record_that_the_answer_passes_over_is_read_back(
    crm: responses.RequestsMock, errors: list[Any], now: str | None, verdict: Verdict
) -> None:
    answers(crm, "POST", READ, complete(held(1), held(2)), complete(arrived(1, ref_code="NEW"), held(2, ref_code=now)))
    answers(crm, "POST", UPDATE, complete(row(1), errors=errors))
    assert verdicts(pushed(change(1), change(2))) == [Verdict.WRITTEN, verdict]


def test_a_record_that_was_merged_meanwhile_is_gone(crm: responses.RequestsMock) -> None:
    answers(crm, "POST", READ, complete(held(1)), complete(held(77)))
    answers(crm, "POST", UPDATE, complete())
    (receipt,) = pushed(change(1))
    assert receipt.verdict is Verdict.REFUSED
    assert "merged" in receipt.reason


def test_a_read_back_that_fails_leaves_the_fate_unknown(crm: responses.RequestsMock) -> None:
    answers(crm, "POST", READ, complete(held(1)), {"results": None})
    answers(crm, "POST", UPDATE, complete())
    assert verdicts(pushed(change(1))) == [Verdict.UNKNOWN]


def test_the_input_holds_only_what_changes(crm: responses.RequestsMock) -> None:
    cleared = held(2) | {"propertiesWithHistory": {"ref_why": [{"value": "", "timestamp": LATER}]}}
    back = complete(arrived(1, ref_code="NEW"), cleared)
    answers(crm, "POST", READ, complete(held(1, ref_why="old"), held(2, ref_why="why")), back)
    answers(crm, "POST", UPDATE, complete(row(1), row(2)))
    clear = FieldChange(Ref("hub", Kind.CONTACT, "2"), WHY, "why", None, "")
    present = FieldChange(Ref("hub", Kind.CONTACT, "1"), WHY, None, "old", "")
    assert verdicts(pushed(change(1), present, clear)) == [Verdict.WRITTEN, Verdict.PRESENT, Verdict.WRITTEN]
    assert json.loads(crm.calls[1].request.body or "") == {
        "inputs": [
            {"id": "1", "objectWriteTraceId": "1", "properties": {"ref_code": "NEW"}},
            {"id": "2", "objectWriteTraceId": "2", "properties": {"ref_why": ""}},
        ]
    }


def test_nothing_is_sent_when_nothing_is_to_be_written(crm: responses.RequestsMock) -> None:
    answers(crm, "POST", READ, complete(held(1, ref_code="NEW"), held(2, ref_code="THEIRS")))
    receipts = pushed(change(1), change(2))
    assert verdicts(receipts) == [Verdict.PRESENT, Verdict.MOVED]
    assert receipts[1].found == "THEIRS"
    assert len(crm.calls) == 1


MISSING = {
    "category": "VALIDATION_ERROR",
    "message": "Property values were not valid",
    "errors": [{"code": "PROPERTY_DOESNT_EXIST", "context": {"propertyName": ["ref_why"]}}],
}


def test_a_missing_property_refuses_its_changes_and_no_others(crm: responses.RequestsMock) -> None:
    answers(crm, "POST", READ, complete(row(1), row(2)), complete(arrived(1, ref_code="NEW")))
    crm.add("POST", UPDATE, json=MISSING, status=400)
    answers(crm, "POST", UPDATE, complete(row(1)))
    receipts = pushed(change(1), change(1, WHY), change(2, WHY))
    assert verdicts(receipts) == [Verdict.WRITTEN, Verdict.REFUSED, Verdict.REFUSED]
    assert "refloop provision" in receipts[1].reason
    assert len(crm.calls) == 4


def test_a_missing_property_that_a_207_names_is_sent_without(crm: responses.RequestsMock) -> None:
    named = MISSING | {"context": {"objectWriteTraceId": ["1"]}}
    back = complete(arrived(1, ref_code="NEW"), arrived(2, ref_code="NEW"))
    answers(crm, "POST", READ, complete(row(1), row(2)), back)
    answers(crm, "POST", UPDATE, complete(row(2), errors=[named]), complete(row(1)))
    receipts = pushed(change(1), change(1, WHY), change(2))
    assert verdicts(receipts) == [Verdict.WRITTEN, Verdict.REFUSED, Verdict.WRITTEN]


@pytest.mark.parametrize(
    ("broken", "verdict", "sends"),
    [
        ({"status": 502, "body": "<html>Bad gateway</html>"}, Verdict.UNKNOWN, 1),
        ({"body": requests.exceptions.ReadTimeout("slow")}, Verdict.UNKNOWN, 1),
        ({"status": 200, "body": '{"results": ['}, Verdict.UNKNOWN, 1),
        ({"status": 200, "body": "<html></html>", "content_type": "text/html"}, Verdict.UNKNOWN, 1),
        ({"status": 200, "json": {"status": "COMPLETE"}}, Verdict.UNKNOWN, 1),
        ({"status": 302, "headers": {"Location": "https://evil.example/"}}, Verdict.UNKNOWN, 1),
        ({"status": 423, "json": {"category": "LOCKED"}}, Verdict.DEFERRED, 4),
        ({"status": 429, "json": {"policyName": "SECONDLY"}}, Verdict.DEFERRED, 4),
        ({"status": 429, "json": {"policyName": "DAILY"}}, Verdict.DEFERRED, 1),
        ({"status": 477, "headers": {"Retry-After": "86400"}}, Verdict.DEFERRED, 1),
    ],
)
def test_a_write_without_a_verdict(
    crm: responses.RequestsMock, broken: dict[str, Any], verdict: Verdict, sends: int
) -> None:
    answers(crm, "POST", READ, complete(held(1), held(2)))
    crm.add("POST", UPDATE, **broken)
    receipts = pushed(change(1), change(2))
    assert verdicts(receipts) == [verdict, verdict]
    assert all(receipt.reason for receipt in receipts)
    assert len([call for call in crm.calls if call.request.url == UPDATE]) == sends


def test_after_two_limits_in_a_row_the_rest_waits_unsent(crm: responses.RequestsMock) -> None:
    crm.add("POST", READ, json={"policyName": "DAILY"}, status=429)
    receipts = pushed(*(change(record) for record in range(1, 501)))
    assert set(verdicts(receipts)) == {Verdict.DEFERRED}
    assert len(crm.calls) == 2


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (403, {"category": "MISSING_SCOPES", "context": {"requiredGranularScopes": ["x.write"]}}, AuthError),
        (404, {"category": "NOT_FOUND"}, RefloopError),
        (401, {"category": "INVALID_AUTHENTICATION"}, AuthError),
    ],
)
def test_a_whole_call_that_is_refused_raises(
    crm: responses.RequestsMock, status: int, body: Any, kind: type[RefloopError]
) -> None:
    answers(crm, "POST", READ, complete(held(1)))
    crm.add("POST", UPDATE, json=body, status=status)
    with pytest.raises(kind) as caught:
        pushed(change(1))
    assert "pat-na1" not in str(caught.value)


def test_a_batch_read_that_is_not_whole_is_refused(crm: responses.RequestsMock, hubspot: HubSpot) -> None:
    answers(crm, "POST", READ, complete(held(1), errors=[{"category": "INTERNAL_ERROR"}]), status=207)
    with pytest.raises(CrmUnavailable, match="INTERNAL_ERROR"):
        hubspot.read([Ref("hub", Kind.CONTACT, "1")], [CODE])


TOKEN = f"{URL}/oauth/2026-03/token"


@pytest.fixture
def app(monkeypatch: pytest.MonkeyPatch) -> Iterator[HubSpot]:
    monkeypatch.setenv("SECRET", "s3cret")
    monkeypatch.setenv("REFRESH", "first-refresh")
    auth = {"method": "oauth", "client_id": "abc", "client_secret": "env:SECRET", "refresh_token": "env:REFRESH"}
    connector = HubSpot("hub", settings(auth=auth), clock=no_clock)
    yield connector
    connector.close()


def test_an_expired_token_is_renewed_once(crm: responses.RequestsMock, app: HubSpot) -> None:
    answers(crm, "POST", TOKEN, {"access_token": "one", "refresh_token": "second-refresh"}, {"access_token": "two"})
    one, two = ([header_matcher({"Authorization": f"Bearer {token}"})] for token in ("one", "two"))
    answers(crm, "POST", READ, complete(held(1, ref_code="A")), match=one)
    crm.add("POST", READ, json={"category": "EXPIRED_AUTHENTICATION"}, status=401, match=one)
    answers(crm, "POST", READ, complete(held(1, ref_code="B")), match=two)
    ref = Ref("hub", Kind.CONTACT, "1")
    assert app.read([ref], [CODE]) == {ref: {"ref_code": "A"}}
    assert app.read([ref], [CODE]) == {ref: {"ref_code": "B"}}
    assert [call.request.url for call in crm.calls] == [TOKEN, READ, READ, TOKEN, READ]
    assert all("Authorization" not in crm.calls[place].request.headers for place in (0, 3))
    assert "refresh_token=first-refresh" in str(crm.calls[0].request.body)
    assert "refresh_token=second-refresh" in str(crm.calls[3].request.body)


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        ({"status": 400, "json": {"error": "invalid_grant", "message": "s3cret"}}, AuthError),
        ({"status": 401, "body": "no"}, AuthError),
        ({"status": 200, "json": {}}, CrmUnavailable),
        ({"status": 200, "json": []}, CrmUnavailable),
        ({"status": 200, "body": "{"}, CrmUnavailable),
    ],
)
def test_a_refused_refresh_says_what_to_do(
    crm: responses.RequestsMock, app: HubSpot, answer: dict[str, Any], kind: type[RefloopError]
) -> None:
    crm.add("POST", TOKEN, **answer)
    with pytest.raises(kind) as caught:
        app.read([Ref("hub", Kind.CONTACT, "1")], [CODE])
    assert caught.value.remedy
    assert "s3cret" not in str(caught.value)
