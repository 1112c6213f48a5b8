"""What provisioning sends, and what it does when Salesforce says no."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import responses

from refloop.connectors.salesforce import Salesforce, SalesforceSettings
from refloop.connectors.salesforce.ids import record_id
from refloop.connectors.salesforce.metadata import metadata
from refloop.errors import AuthError, ConfigError, CrmUnavailable, RefloopError
from refloop.model import FieldSpec, FieldType, Kind, Level

URL = "http://127.0.0.1:9"
DATE = {"Date": "Thu, 01 Oct 2026 12:00:00 GMT", "Content-Type": "application/json"}
CODE = FieldSpec("ref_code", "Referral Code", FieldType.TEXT, (Kind.LEAD,), length=64)
PARENT, USER = record_id("0PS000000000001"), record_id("005000000000001")


class Setup:
    """An org that has a permission set and nothing in it. `answers` replace what a resource says."""

    def __init__(self) -> None:
        self.updateable = True
        self.answers: dict[str, tuple[int, Any]] = {
            "/services/oauth2/userinfo": (200, {"user_id": USER}),
            "tooling/sobjects/CustomField": (201, {"id": PARENT, "success": True, "errors": []}),
        }
        self.created: list[tuple[str, Mapping[str, Any]]] = []

    def __call__(self, request: Any) -> tuple[int, dict[str, str], str]:
        split = urlsplit(request.url)
        path = split.path.partition("/v67.0/")[2] or split.path
        body = json.loads(request.body) if request.body else None
        status, answer = self.answer(path, body, parse_qs(split.query))
        return status, DATE, json.dumps(answer)

    def answer(self, path: str, body: Any, query: Mapping[str, list[str]]) -> tuple[int, Any]:
        if path == "composite":
            names = [part["referenceId"] for part in body["compositeRequest"]]
            parts = [{"referenceId": name, "httpStatusCode": 200, "body": self.described(name)} for name in names]
            return 200, {"compositeResponse": parts}
        if path == "query":
            asked = query["q"][0]
            rows = [{"Id": PARENT, "Name": "Refloop_Sync"}] if " FROM PermissionSet WHERE" in asked else []
            return 200, {"totalSize": len(rows), "done": True, "records": rows}
        if body is not None:
            self.created.append((path, body))
        if path in self.answers:
            return self.answers[path]
        if path == "composite/sobjects":
            return 200, [{"id": PARENT, "success": True, "errors": []} for _ in body["records"]]
        return 201, {"id": PARENT, "success": True, "errors": []}

    def described(self, name: str) -> dict[str, Any]:
        return {"name": name, "updateable": self.updateable, "fields": []}


@pytest.fixture
def setup() -> Iterator[Setup]:
    setup = Setup()
    with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
        for method in ("GET", "POST", "PATCH"):
            mock.add_callback(method, re.compile(URL + "/.*"), callback=setup)
        yield setup


@pytest.fixture
def crm(monkeypatch: pytest.MonkeyPatch) -> Iterator[Salesforce]:
    monkeypatch.setenv("SF_TOKEN", "00D-token")
    auth = {"method": "access_token", "token": "env:SF_TOKEN"}
    settings = SalesforceSettings.model_validate({"connector": "salesforce", "url": URL, "auth": auth})
    connector = Salesforce("crm", settings, clock=lambda: datetime.now(UTC))
    yield connector
    connector.close()


def test_a_field_its_rights_and_the_user_who_has_them(setup: Setup, crm: Salesforce) -> None:
    findings = list(crm.provision([CODE]))
    assert {finding.level for finding in findings} == {Level.INFO}
    rights = {"PermissionsRead": True, "PermissionsEdit": True}
    grant = {"ParentId": PARENT, "SobjectType": "Lead", "Field": "Lead.Ref_Code__c", **rights}
    assert setup.created == [
        ("tooling/sobjects/CustomField", {"FullName": "Lead.Ref_Code__c", "Metadata": dict(metadata(CODE))}),
        (
            "composite/sobjects",
            {"allOrNone": False, "records": [{"attributes": {"type": "FieldPermissions"}, **grant}]},
        ),
        ("sobjects/PermissionSetAssignment", {"AssigneeId": USER, "PermissionSetId": PARENT}),
    ]


def test_an_object_that_may_not_be_edited_is_opened(setup: Setup, crm: Salesforce) -> None:
    setup.updateable = False
    assert {finding.level for finding in crm.provision([CODE])} == {Level.INFO}
    opened = [body["SobjectType"] for path, body in setup.created if path == "sobjects/ObjectPermissions"]
    assert opened == ["Lead", "Contact", "Opportunity"]


def no(status: int, code: str) -> tuple[int, Any]:
    return status, [{"errorCode": code, "message": "no"}]


def test_a_field_that_cannot_be_made_does_not_hold_up_the_others(setup: Setup, crm: Salesforce) -> None:
    setup.answers["tooling/sobjects/CustomField"] = no(400, "FIELD_LIMIT_EXCEEDED")
    (finding,) = crm.provision([CODE])
    assert finding.level is Level.ERROR
    assert "Lead.Ref_Code__c" in finding.place
    assert "FIELD_LIMIT_EXCEEDED" in finding.message


def test_a_field_that_cannot_be_made_editable_is_told(setup: Setup, crm: Salesforce) -> None:
    refused = {"success": False, "errors": [{"statusCode": "FIELD_INTEGRITY_EXCEPTION", "message": "no"}]}
    setup.answers["composite/sobjects"] = 200, [refused]
    (finding,) = [finding for finding in crm.provision([CODE]) if finding.level is Level.ERROR]
    assert "FIELD_INTEGRITY_EXCEPTION" in finding.message


@pytest.mark.parametrize(
    ("path", "answer", "kind"),
    [
        ("tooling/sobjects/CustomField", no(403, "INSUFFICIENT_ACCESS"), AuthError),
        ("composite/sobjects", no(400, "JSON_PARSER_ERROR"), ConfigError),
        ("sobjects/PermissionSetAssignment", no(403, "INSUFFICIENT_ACCESS_OR_READONLY"), AuthError),
        ("composite/sobjects", no(403, "FUNCTIONALITY_NOT_ENABLED"), AuthError),
        ("composite/sobjects", (200, [{}, {}]), CrmUnavailable),
        ("/services/oauth2/userinfo", (200, {"user_id": "me"}), CrmUnavailable),
        ("/services/oauth2/userinfo", (200, []), CrmUnavailable),
        ("/services/oauth2/userinfo", no(403, "Missing_OAuth_Token"), AuthError),
    ],
)
def test_what_ends_provisioning(
    setup: Setup, crm: Salesforce, path: str, answer: tuple[int, Any], kind: type[RefloopError]
) -> None:
    setup.answers[path] = answer
    with pytest.raises(kind) as failure:
        list(crm.provision([CODE]))
    assert failure.value.remedy


@pytest.mark.parametrize(
    ("path", "right"),
    [
        ("tooling/sobjects/CustomField", "Customize Application"),
        ("sobjects/PermissionSetAssignment", "Assign Permission Sets"),
        ("composite/sobjects", "Manage Profiles and Permission Sets"),
    ],
)
def test_who_may_not_is_told_which_right_is_missing(setup: Setup, crm: Salesforce, path: str, right: str) -> None:
    setup.answers[path] = 403, [{"errorCode": "INSUFFICIENT_ACCESS", "message": "the org's own sentence"}]
    with pytest.raises(AuthError, match="the org's own sentence") as failure:
        list(crm.provision([CODE]))
    assert right in failure.value.remedy
    assert "--print-metadata" in failure.value.remedy


def test_people_are_told_how_they_get_to_see_the_fields(setup: Setup, crm: Salesforce) -> None:
    (*_, last) = crm.provision([CODE])
    assert (last.level, last.place) == (Level.INFO, "crm: people")
    assert "Page Layouts" in last.remedy
    assert "Refloop_Read" in last.remedy


def spec(kind: FieldType, **more: Any) -> FieldSpec:
    return FieldSpec("ref_x", "X", kind, (Kind.LEAD,), **more)


@pytest.mark.parametrize(
    ("field", "made"),
    [
        (spec(FieldType.TEXT, length=64), {"type": "Text", "length": 64, "externalId": False, "unique": False}),
        (spec(FieldType.TEXT, length=2000), {"type": "LongTextArea", "length": 2000, "visibleLines": 3}),
        (spec(FieldType.NUMBER), {"type": "Number", "precision": 18, "scale": 0}),
        (spec(FieldType.NUMBER, places=3), {"type": "Number", "precision": 18, "scale": 3}),
        (spec(FieldType.MONEY), {"type": "Number", "precision": 18, "scale": 2}),
        (spec(FieldType.MONEY, places=3), {"type": "Number", "precision": 18, "scale": 3}),
        (spec(FieldType.TIME), {"type": "DateTime"}),
        (
            spec(FieldType.CHOICE, choices=(("won", "Won"),)),
            {
                "type": "Picklist",
                "valueSet": {
                    "restricted": False,
                    "valueSetDefinition": {
                        "sorted": False,
                        "value": [{"valueName": "won", "label": "Won", "default": False}],
                    },
                },
            },
        ),
    ],
)
def test_our_types_in_their_metadata(field: FieldSpec, made: Mapping[str, Any]) -> None:
    assert metadata(field) == {"label": "X", "description": "Managed by refloop.", "required": False, **made}


def test_fields_carry_help_text() -> None:
    made = metadata(FieldSpec("ref_x", "X", FieldType.TIME, (Kind.LEAD,), "What it is. " * 50))
    assert made["inlineHelpText"] == ("What it is. " * 50)[:510]
