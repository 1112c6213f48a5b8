"""Salesforce's error codes: what each means for a call, and for one record of a call."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, auto
from types import MappingProxyType
from typing import Any

from refloop.connectors.http.errors import LOOK, Rejected
from refloop.connectors.http.retry import FAIL, REFRESH, Disposition, again, error_code, later
from refloop.connectors.http.retry import classify as http_classify
from refloop.connectors.salesforce.answers import Saved, first_error
from refloop.connectors.salesforce.limits import HOUR
from refloop.errors import AuthError, ConfigError, CrmUnavailable, RefloopError, TryLater
from refloop.model import Verdict

CONCURRENT_PAUSE = 5.0
"""Seconds to wait when too many long calls run at once: the limit is about calls of 20 s and more."""

_PASSING_STATUS = frozenset({406, 420})
"""Salesforce's edge answers these while it is busy; every client of its REST API repeats them."""


class SchemaChanged(ConfigError):  # noqa: N818 - named by the situation, as its siblings
    """A field that describe showed is not there any more, or not to the run user."""


class Treat(Enum):
    """What is to be done about an error, by whom."""

    RETRY = auto()  # it passes: the same again, now or in the next run
    WAIT = auto()  # a limit is reached: later
    RENEW = auto()  # the session is over: renewed once by the transport, then a matter of the credentials
    GRANT = auto()  # the run user lacks a right
    CONFIG = auto()  # the configuration does not fit the org
    SCHEMA = auto()  # a field is not, or no longer, what it was
    PARK = auto()  # this record as it is: left until it changes
    GONE = auto()  # this record is not there to be written
    BUG = auto()  # nothing that refloop should ever send


@dataclass(frozen=True, slots=True)
class Entry:
    """`remedy` is what to do when a whole call fails so, `advice` what is said of one record."""

    treat: Treat
    remedy: str = ""
    advice: str = ""


NOT_SENT = "NOT_SENT"
"""Our own code, for a record whose turn did not come."""

EDITED = "PRECONDITION_FAILED"
"""Our own code too, for a record that was saved between our look and our write (HTTP 412, whatever its body)."""

_PROVISION = "Run `refloop provision`, or let the run user see the field (permission set Refloop_Sync)."
_RIGHTS = "Give the run user API Enabled, and Read, Edit and View All on leads, contacts and opportunities."
_VERSION = "Set `api_version` of the connection to one that `refloop check` lists."
_CHECK = "`refloop check` says whether the run user sees the object, and whether `api_version` is right."
_REPORT = "This is a bug in refloop: please report it."
_LACKS = "`refloop check` says what the org lacks."

_RENEW = Entry(Treat.RENEW, "Renew the credentials of the connection.")
_GRANT = Entry(Treat.GRANT, _RIGHTS, "let the run user edit the record (sharing, View All)")
_BUG = Entry(Treat.BUG, _REPORT)
_PASSES = Entry(Treat.RETRY, LOOK)
_GONE = Entry(Treat.GONE, _LACKS, "the record is gone")
_RULE = Entry(
    Treat.PARK, _LACKS, "a rule of the org refuses the record as it is: correct the record, or exempt the run user"
)
_VALUE = Entry(Treat.PARK, _LACKS, "the field does not take the value: see its definition in Setup > Object Manager")

CATALOGUE: Mapping[str, Entry] = MappingProxyType(
    {
        "INVALID_SESSION_ID": _RENEW,
        "INVALID_AUTH_HEADER": _RENEW,
        "API_DISABLED_FOR_ORG": Entry(
            Treat.GRANT, "This edition of Salesforce has no API, or it is switched off: ask the org's administrator."
        ),
        "API_CURRENTLY_DISABLED": _GRANT,
        "INSUFFICIENT_ACCESS": _GRANT,
        "INSUFFICIENT_ACCESS_OR_READONLY": _GRANT,
        "INSUFFICIENT_ACCESS_ON_CROSS_REFERENCE_ENTITY": _GRANT,
        "FUNCTIONALITY_NOT_ENABLED": _GRANT,
        "INVALID_TYPE": _GRANT,
        "NOT_FOUND": Entry(Treat.CONFIG, _CHECK, "the record is gone"),
        "UNSUPPORTED_API_VERSION": Entry(Treat.CONFIG, _VERSION),
        "API_VERSION_MISMATCH": Entry(Treat.CONFIG, _VERSION),
        "INVALID_FIELD": Entry(Treat.SCHEMA, _PROVISION, "the field is gone, or hidden: run `refloop provision`"),
        "INVALID_FIELD_FOR_INSERT_UPDATE": Entry(
            Treat.SCHEMA, _PROVISION, "let the run user edit the field (permission set Refloop_Sync)"
        ),
        "MALFORMED_QUERY": _BUG,
        "MALFORMED_ID": _BUG,
        "JSON_PARSER_ERROR": _BUG,
        "EXCEEDED_ID_LIMIT": _BUG,
        "INVALID_REPLICATION_DATE": _BUG,
        "INVALID_BATCH_REQUEST": _BUG,
        "METHOD_NOT_ALLOWED": _BUG,
        "URI_TOO_LONG": _BUG,
        "REQUEST_HEADER_TOO_LARGE": _BUG,
        "REQUEST_LIMIT_EXCEEDED": Entry(Treat.WAIT, "Run later, or raise the org's API limit."),
        "UNABLE_TO_LOCK_ROW": Entry(Treat.WAIT, "Run again later."),
        NOT_SENT: Entry(Treat.WAIT),
        EDITED: Entry(Treat.WAIT, "Run again later."),
        "QUERY_TIMEOUT": _PASSES,
        "SERVER_UNAVAILABLE": _PASSES,
        "PROCESSING_HALTED": _PASSES,
        "INVALID_QUERY_LOCATOR": _PASSES,
        "INVALID_LOCATOR": _PASSES,
        "CANNOT_UPDATE_CONVERTED_LEAD": Entry(
            Treat.GONE, _LACKS, "the lead was converted: write to its contact and deal instead"
        ),
        "ENTITY_IS_DELETED": _GONE,
        "INVALID_CROSS_REFERENCE_KEY": _GONE,
        "ENTITY_IS_LOCKED": Entry(
            Treat.PARK, _LACKS, "the record waits for an approval: it can be written when that is over"
        ),
        "FIELD_CUSTOM_VALIDATION_EXCEPTION": _RULE,
        "FIELD_FILTER_VALIDATION_EXCEPTION": _RULE,
        "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY": _RULE,
        "CANNOT_EXECUTE_FLOW_TRIGGER": _RULE,
        "DUPLICATES_DETECTED": _RULE,
        "REQUIRED_FIELD_MISSING": _RULE,
        "DUPLICATE_VALUE": _VALUE,
        "STRING_TOO_LONG": _VALUE,
        "NUMBER_OUTSIDE_VALID_RANGE": _VALUE,
        "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST": _VALUE,
        "INVALID_TYPE_ON_FIELD_IN_RECORD": _VALUE,
        "FIELD_INTEGRITY_EXCEPTION": _VALUE,
    }
)
"""Salesforce's error codes (REST API docs, "Status Codes and Error Responses"; SOAP API docs, "StatusCode")."""

_CALLS: Mapping[Treat, type[RefloopError]] = MappingProxyType(
    {
        Treat.RETRY: CrmUnavailable,
        Treat.WAIT: TryLater,
        Treat.RENEW: AuthError,
        Treat.GRANT: AuthError,
        Treat.CONFIG: ConfigError,
        Treat.SCHEMA: SchemaChanged,
        Treat.BUG: RefloopError,
    }
)
_PASSING = frozenset({Treat.RETRY, Treat.WAIT})

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
    entry = CATALOGUE.get(code)
    if entry is not None and entry.treat in _CALLS:
        return _CALLS[entry.treat](said, remedy=entry.remedy)
    if status in (401, 403):
        return AuthError(said, remedy=_RIGHTS)
    return Rejected(said, remedy=_LACKS, status=status, code=code)


def verdict(result: Saved) -> tuple[Verdict, str]:
    """What one record's result means for its changes: the verdict and the reason, in the CRM's own words."""
    if not result.code:
        return Verdict.WRITTEN, ""
    entry = CATALOGUE.get(result.code, Entry(Treat.PARK))
    # a trigger that hits a lock passes it on under its own code
    passing = entry.treat in _PASSING or "UNABLE_TO_LOCK_ROW" in result.message
    words = " ".join(result.message.split())
    named = ", ".join(name for name in result.fields if name not in words)
    reason = ": ".join(part for part in (result.code, words, named) if part)
    if passing:
        return Verdict.DEFERRED, reason[:MAX_REASON]
    return Verdict.REFUSED, (f"{entry.advice} ({reason})" if entry.advice else reason)[:MAX_REASON]
