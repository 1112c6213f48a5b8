"""Salesforce's error codes: what each asks of us, of whom, and in which words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, auto
from types import MappingProxyType

from refloop.connectors.http.errors import LOOK


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
    BUG = auto()  # nothing that refloop should ever send: this connection's trouble, and to be reported


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
RIGHTS = "Give the run user API Enabled, and Read, Edit and View All on leads, contacts and opportunities."
_VERSION = "Set `api_version` of the connection to one that `refloop check` lists."
_CHECK = "`refloop check` says whether the run user sees the object, and whether `api_version` is right."
_REPORT = "Run again; when it stays so, it is a bug in refloop: please report it."
LACKS = "`refloop check` says what the org lacks."

_RENEW = Entry(Treat.RENEW, "Renew the credentials of the connection.")
_GRANT = Entry(Treat.GRANT, RIGHTS, "let the run user edit the record (sharing, View All)")
_BUG = Entry(Treat.BUG, _REPORT)
_PASSES = Entry(Treat.RETRY, LOOK)
_GONE = Entry(Treat.GONE, LACKS, "the record is gone")
_RULE = Entry(
    Treat.PARK, LACKS, "a rule of the org refuses the record as it is: correct the record, or exempt the run user"
)
_VALUE = Entry(Treat.PARK, LACKS, "the field does not take the value: see its definition in Setup > Object Manager")

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
            Treat.GONE, LACKS, "the lead was converted: write to its contact and deal instead"
        ),
        "ENTITY_IS_DELETED": _GONE,
        "INVALID_CROSS_REFERENCE_KEY": _GONE,
        "ENTITY_IS_LOCKED": Entry(
            Treat.PARK, LACKS, "the record waits for an approval: it can be written when that is over"
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
