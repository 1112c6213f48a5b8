"""HubSpot's rate limits, and what its answers say of them.

HubSpot docs, "API usage guidelines": 100 to 250 calls in 10 s for an app, by subscription (each answer says how
many); 5 searches in 1 s for the whole account, all of its apps together, which no answer shows; 100 to 200 calls to
the associations API in 10 s; a day's calls for the account, until midnight in its own time zone.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from refloop.connectors.http.limiter import Limiter, LimitInfo, Rule, Timer
from refloop.connectors.http.retry import Step
from refloop.connectors.hubspot.errors import disposition

CALLS, SEARCHES, ASSOCIATIONS = "calls", "searches", "associations"

_MOST = 10_000_000
"""A figure above it is no limit that HubSpot has."""


def limiter(share: float, timer: Timer) -> Limiter:
    """The limits of a free account, until an answer says better; one search in five is left to other apps."""
    rules = (
        Rule(CALLS, 100, 10.0, lambda endpoint: not _is_search(endpoint)),
        Rule(SEARCHES, 4, 1.0, _is_search),
        Rule(ASSOCIATIONS, 100, 10.0, _is_association),
    )
    return Limiter(rules, limit_info, share=share, timer=timer)


def limit_info(endpoint: str, status: int, headers: Mapping[str, str], error: Any) -> LimitInfo:
    """What an answer says. Answers to searches carry no such headers, those to OAuth apps none of the day."""
    milliseconds = _whole(headers, "Interval-Milliseconds")
    refused, wait, day_over = _refusal(endpoint, status, headers, error)
    return LimitInfo(
        window=CALLS,
        most=_whole(headers, "Max"),
        seconds=milliseconds / 1000 if milliseconds else None,
        remaining=_whole(headers, "Remaining", least=0),
        refused=refused,
        wait=wait,
        day_limit=_whole(headers, "Daily"),
        day_left=_whole(headers, "Daily-Remaining", least=0),
        day_over=day_over,
    )


def seconds_to_midnight(now: datetime, zone: str) -> float | None:
    """How long the day of an account in that time zone still lasts; None for a zone that nobody knows."""
    try:
        local = now.astimezone(ZoneInfo(zone))
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return None
    midnight = datetime.combine(local.date() + timedelta(days=1), time(), local.tzinfo)
    return (midnight - now).total_seconds()


def _refusal(endpoint: str, status: int, headers: Mapping[str, str], error: Any) -> tuple[str, float | None, bool]:
    """(the rule that was broken, how long to rest, whether the day is over)."""
    if status != 429:
        return "", None, False
    asked = disposition(status, headers, error)
    if asked.step is Step.LATER:
        return "", None, True
    return SEARCHES if _is_search(endpoint) else CALLS, asked.seconds, False


def _is_search(endpoint: str) -> bool:
    return endpoint.endswith("/search")


def _is_association(endpoint: str) -> bool:
    return "/associations/" in endpoint


def _whole(headers: Mapping[str, str], name: str, *, least: int = 1) -> int | None:
    text = headers.get(f"X-HubSpot-RateLimit-{name}", "")
    number = int(text) if text.isascii() and text.isdigit() and len(text) <= len(str(_MOST)) else -1
    return number if least <= number <= _MOST else None
