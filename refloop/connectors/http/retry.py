"""When a call is repeated, and when not: what an answer asks for, how long to wait, how often at most."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from enum import Enum, auto
from typing import Any


class Step(Enum):
    """What an answer asks for."""

    OK = auto()
    RETRY = auto()  # a passing failure: send it again after a while
    REFRESH = auto()  # the token ran out: renew it once, send the same again
    LATER = auto()  # not in this run: the quota is used up
    FAIL = auto()  # a final no: the caller's business


@dataclass(frozen=True, slots=True)
class Disposition:
    """What an answer asks for. `seconds` is how long the CRM wants us to wait, None where it did not say.

    `unprocessed` says that the CRM did not begin the work (a rate limit, a lock), so that even a write may be
    sent again.
    """

    step: Step
    seconds: float | None = None
    unprocessed: bool = False


OK = Disposition(Step.OK)
REFRESH = Disposition(Step.REFRESH)
FAIL = Disposition(Step.FAIL)


def again(seconds: float | None = None, *, unprocessed: bool = False) -> Disposition:
    """A passing failure."""
    return Disposition(Step.RETRY, seconds, unprocessed)


def later(seconds: float | None = None) -> Disposition:
    """Nothing more in this run."""
    return Disposition(Step.LATER, seconds, unprocessed=True)


Classify = Callable[[int, Mapping[str, str], Any], Disposition]
"""`(status, headers, parsed JSON or None) -> Disposition`. Called for every answer, good ones included."""

_UNPROCESSED = frozenset({408, 423, 429})
_PASSING = frozenset({500, 502, 503, 504, 520, 521, 522, 523, 524})


def classify(status: int, headers: Mapping[str, str], _body: Any) -> Disposition:
    """What HTTP itself says (RFC 9110, RFC 6585). A connector asks its CRM's words first, then this."""
    if status < 400:
        return OK
    if status == 401:
        return REFRESH
    wait = retry_after(headers)
    if status in _UNPROCESSED or (status == 503 and wait is not None):
        return again(wait, unprocessed=True)
    return again(wait) if status in _PASSING else FAIL


def retry_after(headers: Mapping[str, str]) -> float | None:
    """The seconds that `Retry-After` asks for; None when it is missing or makes no sense.

    An HTTP date is measured against the answer's own `Date`: two readings of one clock, the server's.
    """
    text = headers.get("Retry-After", "").strip()
    if re.fullmatch(r"[0-9]{1,9}(?:\.[0-9]{1,6})?", text):
        return float(text)
    until, now = http_date(text), http_date(headers.get("Date", ""))
    if until is None or now is None:
        return None
    return max(0.0, (until - now).total_seconds())


def http_date(text: str) -> datetime | None:
    """The moment of an HTTP date, aware UTC; None when it is none."""
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)


_CODE = re.compile(r"[A-Za-z][A-Za-z_]{2,63}")
_CODE_NAMES = ("errorCode", "policyName", "category", "errorType", "error", "status")


def error_code(body: Any) -> str:
    """The CRM's word for what went wrong (`INVALID_FIELD`, `RATE_LIMITS`); "" when it gave none.

    Salesforce answers `[{"errorCode": ...}]`, HubSpot `{"category": ...}`, OAuth (RFC 6749, 5.2) `{"error": ...}`.
    Only a bare word passes: messages quote people's data.
    """
    first = body[0] if isinstance(body, list) and body else body
    if not isinstance(first, dict):
        return ""
    words = (first.get(name) for name in _CODE_NAMES)
    return next((word for word in words if isinstance(word, str) and _CODE.fullmatch(word)), "")


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """At most `attempts` sends a call, full jitter below `base * 2**n` seconds (at most `cap`) between them.

    A CRM that asks for more than `longest_wait` seconds gets the run ended instead. Over all calls, at most
    `spare + share * calls` retries (Google SRE, "Handling Overload": a retry budget of 10 %).
    """

    attempts: int = 4
    base: float = 0.5
    cap: float = 30.0
    longest_wait: float = 120.0
    share: float = 0.1
    spare: float = 10.0


class RetryBudget:
    """How many retries are left, shared by all calls of one transport."""

    def __init__(self, policy: RetryPolicy) -> None:
        self._share = policy.share
        self._left = policy.spare
        self._lock = threading.Lock()

    def earn(self) -> None:
        """A new call earns its share of a retry."""
        with self._lock:
            self._left += self._share

    def spend(self) -> bool:
        """Takes one retry; False when there is none left."""
        with self._lock:
            if self._left < 1:
                return False
            self._left -= 1
            return True
