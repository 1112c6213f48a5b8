"""Salesforce's error codes: what each means for a call, and for one record of a call."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from refloop.connectors.faults import LOOK, Rejected
from refloop.connectors.retry import FAIL, REFRESH, Disposition, again, error_code, later
from refloop.connectors.retry import classify as http_classify
from refloop.connectors.salesforce.answers import Saved, first_error
from refloop.connectors.salesforce.quota import HOUR
from refloop.errors import AuthError, ConfigError, CrmUnavailable, RefloopError, TryLater
from refloop.model import Verdict

CONCURRENT_PAUSE = 5.0
"""Seconds to wait when too many long calls run at once: the limit is about calls of 20 s and more."""

_PASSING_STATUS = frozenset({406, 420})
"""Salesforce's edge answers these while it is busy; every client of its REST API repeats them."""


class SchemaChanged(ConfigError):  # noqa: N818 - named by the situation, as its siblings
    """A field that describe showed is not there any more, or not to the run user."""


_PROVISION = "Run `refloop provision`, or let the run user see the field (permission set Refloop_Sync)."
_GRANT = "Give the run user API Enabled, and Read, Edit and View All on leads, contacts and opportunities."
_RENEW = "Renew the credentials of the connection."
_VERSION = "Set `api_version` of the connection to one that `refloop check` lists."
_CHECK = "`refloop check` says whether the run user sees the object, and whether `api_version` is right."
_REPORT = "This is a bug in refloop: please report it."

_CALLS: Mapping[str, tuple[type[RefloopError], str]] = MappingProxyType(
    {
        "INVALID_SESSION_ID": (AuthError, _RENEW),
        "INVALID_AUTH_HEADER": (AuthError, _RENEW),
        "API_DISABLED_FOR_ORG": (AuthError, "This edition of Salesforce has no API, or it is switched off."),
        "API_CURRENTLY_DISABLED": (AuthError, _GRANT),
        "INSUFFICIENT_ACCESS": (AuthError, _GRANT),
        "INSUFFICIENT_ACCESS_OR_READONLY": (AuthError, _GRANT),
        "FUNCTIONALITY_NOT_ENABLED": (AuthError, _GRANT),
        "INVALID_TYPE": (AuthError, _GRANT),
        "NOT_FOUND": (ConfigError, _CHECK),
        "UNSUPPORTED_API_VERSION": (ConfigError, _VERSION),
        "INVALID_FIELD": (SchemaChanged, _PROVISION),
        "MALFORMED_QUERY": (RefloopError, _REPORT),
        "JSON_PARSER_ERROR": (RefloopError, _REPORT),
        "REQUEST_LIMIT_EXCEEDED": (TryLater, "Run later, or raise the org's API limit."),
        "SERVER_UNAVAILABLE": (CrmUnavailable, LOOK),
        "QUERY_TIMEOUT": (CrmUnavailable, LOOK),
        "UNABLE_TO_LOCK_ROW": (TryLater, "Run again later."),
    }
)

NOT_SENT = "NOT_SENT"
"""Our own code, for a record whose turn did not come."""

_CONVERTED = "the lead was converted: write to its contact and deal instead"
_GONE = "the record is gone"
_EDIT = "let the run user edit the field (permission set Refloop_Sync)"
_RULE = "a rule of the org refuses the record as it is: correct the record, or exempt the run user"

_RECORDS: Mapping[str, tuple[Verdict, str]] = MappingProxyType(
    {
        "UNABLE_TO_LOCK_ROW": (Verdict.DEFERRED, ""),
        "QUERY_TIMEOUT": (Verdict.DEFERRED, ""),
        "SERVER_UNAVAILABLE": (Verdict.DEFERRED, ""),
        "REQUEST_LIMIT_EXCEEDED": (Verdict.DEFERRED, ""),
        "PROCESSING_HALTED": (Verdict.DEFERRED, ""),
        NOT_SENT: (Verdict.DEFERRED, ""),
        "CANNOT_UPDATE_CONVERTED_LEAD": (Verdict.REFUSED, _CONVERTED),
        "ENTITY_IS_DELETED": (Verdict.REFUSED, _GONE),
        "INVALID_CROSS_REFERENCE_KEY": (Verdict.REFUSED, _GONE),
        "INVALID_FIELD_FOR_INSERT_UPDATE": (Verdict.REFUSED, _EDIT),
        "INSUFFICIENT_ACCESS_OR_READONLY": (Verdict.REFUSED, "let the run user edit the record (sharing, View All)"),
        "FIELD_CUSTOM_VALIDATION_EXCEPTION": (Verdict.REFUSED, _RULE),
        "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY": (Verdict.REFUSED, _RULE),
        "DUPLICATES_DETECTED": (Verdict.REFUSED, _RULE),
    }
)

CONVERTED = Saved("CANNOT_UPDATE_CONVERTED_LEAD", "cannot reference converted lead")
GONE = Saved("ENTITY_IS_DELETED", "entity is deleted")

MAX_REASON = 255


def classify(status: int, headers: Mapping[str, str], body: Any) -> Disposition:
    """What an answer asks of the transport: Salesforce's own word first, then HTTP's."""
    code, message = first_error(body)
    if code == "REQUEST_LIMIT_EXCEEDED":
        # "TotalRequests Limit exceeded." lasts until the last 24 hours hold fewer calls; the others, seconds
        return later(HOUR) if "TotalRequests" in message else again(CONCURRENT_PAUSE, unprocessed=True)
    if code == "UNABLE_TO_LOCK_ROW" or status in _PASSING_STATUS:
        return again(unprocessed=True)
    if code == "QUERY_TIMEOUT":
        return again()
    if code == "UNSUPPORTED_API_VERSION":
        return FAIL
    if status == 401:
        return FAIL if "not valid for use with the REST API" in message else REFRESH
    return http_classify(status, headers, body)


def failure(status: int, body: object, what: str) -> RefloopError:
    """What a final no to a whole call means. `what` names the call; the CRM's message stays out: it quotes data."""
    code = error_code(body)
    said = f"Salesforce refused {what}: {code or f'HTTP {status}'}"
    if code in _CALLS:
        kind, remedy = _CALLS[code]
        return kind(said, remedy=remedy)
    if status in (401, 403):
        return AuthError(said, remedy=_GRANT)
    return Rejected(said, remedy="`refloop check` says what the org lacks.", status=status, code=code)


def verdict(result: Saved) -> tuple[Verdict, str]:
    """What one record's result means for its changes: the verdict and the reason, in the CRM's own words."""
    if not result.code:
        return Verdict.WRITTEN, ""
    kind, advice = _RECORDS.get(result.code, (Verdict.REFUSED, ""))
    if "UNABLE_TO_LOCK_ROW" in result.message:  # a trigger hit the lock and passed it on under its own code
        kind, advice = Verdict.DEFERRED, ""
    words = " ".join(result.message.split())
    reason = ": ".join(part for part in (result.code, words) if part)
    return kind, (f"{advice} ({reason})" if advice else reason)[:MAX_REASON]
