"""Salesforce's errors as ours: what each means for a call, and for one record of a call."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from refloop.connectors.http.errors import Rejected
from refloop.connectors.http.retry import FAIL, REFRESH, Disposition, again, error_code, later
from refloop.connectors.http.retry import classify as http_classify
from refloop.connectors.salesforce.answers import Saved, first_error
from refloop.connectors.salesforce.error_codes import CATALOGUE, LACKS, RIGHTS, Entry, Treat
from refloop.connectors.salesforce.limits import HOUR
from refloop.errors import AuthError, ConfigError, CrmUnavailable, RefloopError, TryLater
from refloop.model import Verdict

CONCURRENT_PAUSE = 5.0
"""Seconds to wait when too many long calls run at once: the limit is about calls of 20 s and more."""

_PASSING_STATUS = frozenset({406, 420})
"""Salesforce's edge answers these while it is busy; every client of its REST API repeats them."""


class SchemaChanged(ConfigError):  # noqa: N818 - named by the situation, as its siblings
    """A field that describe showed is not there any more, or not to the run user."""


CONVERTED = Saved("CANNOT_UPDATE_CONVERTED_LEAD", "cannot reference converted lead")
GONE = Saved("ENTITY_IS_DELETED", "entity is deleted")

_CALLS: Mapping[Treat, type[RefloopError]] = MappingProxyType(
    {
        Treat.RETRY: CrmUnavailable,
        Treat.WAIT: TryLater,
        Treat.RENEW: AuthError,
        Treat.GRANT: AuthError,
        Treat.CONFIG: ConfigError,
        Treat.SCHEMA: SchemaChanged,
    }
)
_PASSING = frozenset({Treat.RETRY, Treat.WAIT})

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
        return AuthError(said, remedy=RIGHTS)
    return Rejected(said, remedy=entry.remedy if entry else LACKS, status=status, code=code)


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
