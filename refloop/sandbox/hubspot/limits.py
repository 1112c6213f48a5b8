"""Rate limits: counted always, enforced when strict.

HubSpot usage guidelines: calls in any 10 seconds per app, searches per second per account (in a bucket of their
own), calls a day per account, which start anew at midnight in the account's time zone.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from refloop.sandbox.hubspot.errors import Refusal, correlation_id, error_body
from refloop.sandbox.hubspot.wire import millis


@dataclass(frozen=True, slots=True)
class Allowance:
    """What an account may do. The default is that of a free one."""

    per_ten_seconds: int = 100
    searches_per_second: int = 5
    daily: int = 250_000


@dataclass
class Limits:
    """The windows of one app in one account."""

    clock: Callable[[], datetime]
    time_zone: str
    portal_id: int
    allowance: Allowance = Allowance()
    strict: bool = False
    used_today: int = 0
    _day: date | None = None
    _calls: deque[int] = field(default_factory=deque)
    _searches: deque[int] = field(default_factory=deque)

    def admit(self, *, search: bool) -> None:
        """Counts one call. Raises Refusal (429) when strict and over a limit; a refused call counts for the day."""
        self.roll()
        self.used_today += 1
        if self.strict and self.used_today > self.allowance.daily:
            raise self._daily()
        now = millis(self.clock())
        window, length = (self._searches, 1000) if search else (self._calls, 10_000)
        while window and window[0] <= now - length:
            window.popleft()
        allowed = self.allowance.searches_per_second if search else self.allowance.per_ten_seconds
        if self.strict and len(window) >= allowed:
            raise self._secondly() if search else self._ten_secondly()
        window.append(now)

    def roll(self) -> None:
        """Starts the new day if the account's midnight has passed."""
        today = self.clock().astimezone(ZoneInfo(self.time_zone)).date()
        if today != self._day:
            self._day, self.used_today = today, 0

    def resets_at(self) -> datetime:
        """The account's next midnight."""
        local = self.clock().astimezone(ZoneInfo(self.time_zone))
        return datetime.combine(local.date() + timedelta(days=1), time(), ZoneInfo(self.time_zone))

    def headers(self, *, oauth: bool) -> dict[str, str]:
        """What normal answers carry; searches carry none of it. The daily figures are not for OAuth apps."""
        allowed = self.allowance.per_ten_seconds
        shown = {
            "X-HubSpot-RateLimit-Max": str(allowed),
            "X-HubSpot-RateLimit-Remaining": str(max(0, allowed - len(self._calls))),
            "X-HubSpot-RateLimit-Interval-Milliseconds": "10000",
        }
        if not oauth:
            left = max(0, self.allowance.daily - self.used_today)
            shown["X-HubSpot-RateLimit-Daily"] = str(self.allowance.daily)
            shown["X-HubSpot-RateLimit-Daily-Remaining"] = str(left)
        return shown

    def _ten_secondly(self) -> Refusal:
        return Refusal(
            429,
            error_body(
                "You have reached your ten_secondly_rolling limit.",
                errorType="RATE_LIMIT",
                policyName="TEN_SECONDLY_ROLLING",
                groupName=f"publicapi:private-apps-api-calls-ten-secondly:{self.portal_id}",
            ),
        )

    def _secondly(self) -> Refusal:
        return Refusal(
            429,
            error_body("You have reached your secondly limit.", "RATE_LIMITS", policyName="SECONDLY"),
            {"Retry-After": "1"},
        )

    def _daily(self) -> Refusal:
        return Refusal(
            429,
            error_body(
                "You have reached your daily limit.",
                errorType="RATE_LIMIT",
                policyName="DAILY",
                requestId=correlation_id().replace("-", ""),
            ),
        )
