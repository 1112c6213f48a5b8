"""Error codes: what each asks of the transport, means for a call, and means for a record."""

from __future__ import annotations

import pytest

from refloop.connectors.http.retry import Disposition, Step
from refloop.connectors.salesforce.answers import Saved
from refloop.connectors.salesforce.error_codes import CATALOGUE, NOT_SENT, Treat
from refloop.connectors.salesforce.errors import MAX_REASON, SchemaChanged, classify, failure, verdict
from refloop.errors import AuthError, ConfigError, CrmUnavailable, RefloopError, TryLater
from refloop.model import Verdict


def said(code: str, message: str = "") -> object:
    return [{"errorCode": code, "message": message}]


@pytest.mark.parametrize(
    ("status", "body", "wanted"),
    [
        (200, None, Disposition(Step.OK)),
        (401, said("INVALID_SESSION_ID", "Session expired or invalid"), Disposition(Step.REFRESH)),
        (
            401,
            said("INVALID_SESSION_ID", "This session is not valid for use with the REST API"),
            Disposition(Step.FAIL),
        ),
        (401, None, Disposition(Step.REFRESH)),
        (
            403,
            said("REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded."),
            Disposition(Step.LATER, 3600.0, unprocessed=True),
        ),
        (
            403,
            said("REQUEST_LIMIT_EXCEEDED", "ConcurrentPerOrgLongTxn Limit exceeded."),
            Disposition(Step.RETRY, 5.0, unprocessed=True),
        ),
        (400, said("UNABLE_TO_LOCK_ROW"), Disposition(Step.RETRY, unprocessed=True)),
        (400, said("QUERY_TIMEOUT"), Disposition(Step.RETRY)),
        (400, said("INVALID_FIELD"), Disposition(Step.FAIL)),
        (403, said("API_DISABLED_FOR_ORG"), Disposition(Step.FAIL)),
        (420, None, Disposition(Step.RETRY, unprocessed=True)),
        (429, None, Disposition(Step.RETRY, unprocessed=True)),
        (500, said("UNSUPPORTED_API_VERSION"), Disposition(Step.FAIL)),
        (500, said("UNKNOWN_EXCEPTION"), Disposition(Step.RETRY)),
        (503, None, Disposition(Step.RETRY)),
    ],
)
def test_what_an_answer_asks_for(status: int, body: object, wanted: Disposition) -> None:
    assert classify(status, {}, body) == wanted


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (401, said("INVALID_SESSION_ID"), AuthError),
        (403, said("API_DISABLED_FOR_ORG"), AuthError),
        (403, said("SOMETHING_NEW"), AuthError),
        (400, said("INVALID_FIELD"), SchemaChanged),
        (400, said("INVALID_TYPE"), AuthError),
        (404, said("NOT_FOUND"), ConfigError),
        (500, said("UNSUPPORTED_API_VERSION"), ConfigError),
        (400, said("REQUEST_LIMIT_EXCEEDED"), TryLater),
        (400, said("MALFORMED_QUERY"), CrmUnavailable),
        (400, said("SOMETHING_NEW"), CrmUnavailable),
        (414, "<html>URI too long</html>", CrmUnavailable),
    ],
)
def test_what_a_final_no_means(status: int, body: object, kind: type[RefloopError]) -> None:
    error = failure(status, body, "GET queryAll")
    assert type(error) is kind or (kind is CrmUnavailable and isinstance(error, kind))
    assert "GET queryAll" in error.message
    assert error.remedy


def test_a_final_no_repeats_nothing_of_the_crm_but_its_code() -> None:
    error = failure(400, said("INVALID_FIELD", "SELECT Id FROM Lead WHERE Email = 'jane@example.com'"), "GET queryAll")
    assert "jane" not in str(error)
    assert "INVALID_FIELD" in str(error)


@pytest.mark.parametrize(
    ("code", "message", "kind", "reason"),
    [
        ("", "", Verdict.WRITTEN, ""),
        ("UNABLE_TO_LOCK_ROW", "busy", Verdict.DEFERRED, "UNABLE_TO_LOCK_ROW: busy"),
        (
            "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY",
            "T: execution of BeforeUpdate caused by: UNABLE_TO_LOCK_ROW",
            Verdict.DEFERRED,
            "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY: T: execution of BeforeUpdate caused by: UNABLE_TO_LOCK_ROW",
        ),
        (
            "ENTITY_IS_DELETED",
            "entity is deleted",
            Verdict.REFUSED,
            "the record is gone (ENTITY_IS_DELETED: entity is deleted)",
        ),
        (
            "CANNOT_UPDATE_CONVERTED_LEAD",
            "",
            Verdict.REFUSED,
            "the lead was converted: write to its contact and deal instead (CANNOT_UPDATE_CONVERTED_LEAD)",
        ),
        ("SOMETHING_NEW", "too\n long", Verdict.REFUSED, "SOMETHING_NEW: too long"),
    ],
)
def test_what_a_result_means_for_its_changes(code: str, message: str, kind: Verdict, reason: str) -> None:
    assert verdict(Saved(code, message)) == (kind, reason)


@pytest.mark.parametrize(
    ("message", "fields", "reason"),
    [
        ("no", ("Ref_Code__c", "Status"), "INVALID_FIELD_FOR_INSERT_UPDATE: no: Ref_Code__c, Status"),
        ("no Ref_Code__c", ("Ref_Code__c",), "INVALID_FIELD_FOR_INSERT_UPDATE: no Ref_Code__c"),
    ],
)
def test_a_reason_names_the_fields(message: str, fields: tuple[str, ...], reason: str) -> None:
    kind, said = verdict(Saved("INVALID_FIELD_FOR_INSERT_UPDATE", message, fields))
    assert (kind, said) == (
        Verdict.REFUSED,
        f"let the run user edit the field (permission set Refloop_Sync) ({reason})",
    )


@pytest.mark.parametrize(
    ("treat", "codes"),
    [
        (Treat.RETRY, "QUERY_TIMEOUT SERVER_UNAVAILABLE INVALID_QUERY_LOCATOR"),
        (Treat.WAIT, "REQUEST_LIMIT_EXCEEDED UNABLE_TO_LOCK_ROW"),
        (Treat.RENEW, "INVALID_SESSION_ID"),
        (Treat.GRANT, "API_DISABLED_FOR_ORG INSUFFICIENT_ACCESS INSUFFICIENT_ACCESS_OR_READONLY INVALID_TYPE"),
        (Treat.CONFIG, "NOT_FOUND UNSUPPORTED_API_VERSION API_VERSION_MISMATCH"),
        (Treat.SCHEMA, "INVALID_FIELD INVALID_FIELD_FOR_INSERT_UPDATE"),
        (
            Treat.PARK,
            "FIELD_CUSTOM_VALIDATION_EXCEPTION INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST STRING_TOO_LONG DUPLICATE_VALUE "
            "REQUIRED_FIELD_MISSING CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY DUPLICATES_DETECTED",
        ),
        (Treat.GONE, "CANNOT_UPDATE_CONVERTED_LEAD INVALID_CROSS_REFERENCE_KEY ENTITY_IS_DELETED"),
        (Treat.BUG, "MALFORMED_QUERY EXCEEDED_ID_LIMIT INVALID_REPLICATION_DATE URI_TOO_LONG"),
    ],
)
def test_each_code_is_treated_in_one_way(treat: Treat, codes: str) -> None:
    assert {CATALOGUE[code].treat for code in codes.split()} == {treat}


@pytest.mark.parametrize("code", CATALOGUE)
def test_every_code_says_what_to_do(code: str) -> None:
    entry = CATALOGUE[code]
    assert entry.remedy or code == NOT_SENT
    assert entry.advice or entry.treat in {Treat.RETRY, Treat.WAIT, Treat.RENEW, Treat.GRANT, Treat.CONFIG, Treat.BUG}
    assert verdict(Saved(code, "m"))[0] is (
        Verdict.DEFERRED if entry.treat in (Treat.RETRY, Treat.WAIT) else Verdict.REFUSED
    )


def test_a_reason_has_an_end() -> None:
    kind, reason = verdict(Saved("FIELD_CUSTOM_VALIDATION_EXCEPTION", "no " * 500))
    assert kind is Verdict.REFUSED
    assert len(reason) == MAX_REASON
