"""Error codes: what each asks of the transport, means for a call, and means for a record."""

from __future__ import annotations

import pytest

from refloop.connectors.retry import Disposition, Step
from refloop.connectors.salesforce.answers import Saved
from refloop.connectors.salesforce.catalogue import MAX_REASON, SchemaChanged, classify, failure, verdict
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
        (400, said("MALFORMED_QUERY"), RefloopError),
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
        ("STRING_TOO_LONG", "too\n long", Verdict.REFUSED, "STRING_TOO_LONG: too long"),
    ],
)
def test_what_a_result_means_for_its_changes(code: str, message: str, kind: Verdict, reason: str) -> None:
    assert verdict(Saved(code, message)) == (kind, reason)


def test_a_reason_has_an_end() -> None:
    kind, reason = verdict(Saved("FIELD_CUSTOM_VALIDATION_EXCEPTION", "no " * 500))
    assert kind is Verdict.REFUSED
    assert len(reason) == MAX_REASON
