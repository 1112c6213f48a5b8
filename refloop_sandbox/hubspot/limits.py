"""Rate limits: counted always, enforced when strict.

HubSpot usage guidelines: calls in any 10 seconds per app, searches per second per account (in a bucket of their
own), calls a day per account, which start anew at midnight in the account's time zone. HubSpot associations guide:
association calls have a window of their own; whether they are free of the app's is told both ways, so here they
fill both.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Literal, Self
from zoneinfo import ZoneInfo

from refloop_sandbox.hubspot import troubles
from refloop_sandbox.hubspot.errors import Refusal
from refloop_sandbox.hubspot.spelling import millis
from refloop_sandbox.traffic import Traffic, Window

Bucket = Literal["search", "associations", "other"]


@dataclass(frozen=True, slots=True)
class Allowance:
    """What an account may do. The default is that of a free one."""

    per_ten_seconds: int = 100
    searches_per_second: int = 5
    daily: int = 250_000
    associations_per_ten_seconds: int = 100

    @classmethod
    def professional(cls) -> Self:
        """What HubSpot allows an app of a Professional account."""
        return cls(per_ten_seconds=190, daily=650_000, associations_per_ten_seconds=150)


class Limits:
    """The windows of one app in one account. Refusals are counted by policy in `traffic`."""

    def __init__(
        self, clock: Callable[[], datetime], time_zone: str, portal_id: int, allowance: Allowance, traffic: Traffic
    ) -> None:
        self.clock = clock
        self.time_zone = time_zone
        self.allowance = allowance
        self.strict = False
        self.used_today = 0
        self._portal_id = portal_id
        self._traffic = traffic
        self._day: date | None = None
        self._app = Window(allowance.per_ten_seconds, 10_000)
        self._searches = Window(allowance.searches_per_second, 1_000)
        self._associations = Window(allowance.associations_per_ten_seconds, 10_000)

    def admit(self, bucket: Bucket) -> None:
        """Counts one call. Raises Refusal (429) when strict and over a limit; a refused call counts for the day."""
        self.roll()
        self.used_today += 1
        now = millis(self.clock())
        if self.strict:
            self._check(bucket, now)
        windows = [self._searches] if bucket == "search" else [self._app]
        if bucket == "associations":
            windows.append(self._associations)
        for window in windows:
            window.count(now)

    def _check(self, bucket: Bucket, now: int) -> None:
        if self.used_today > self.allowance.daily:
            raise self._refused("DAILY", troubles.daily())
        if bucket == "search" and self._searches.is_full(now):
            raise self._refused("SECONDLY", troubles.secondly())
        if bucket != "search" and self._app.is_full(now):
            raise self._refused("TEN_SECONDLY_ROLLING", troubles.ten_secondly(self._portal_id))
        if bucket == "associations" and self._associations.is_full(now):
            raise self._refused("TEN_SECONDLY_ROLLING", troubles.ten_secondly(self._portal_id, "associations"))

    def _refused(self, policy: str, refusal: Refusal) -> Refusal:
        self._traffic.refused[policy] += 1
        return refusal

    def reset(self) -> None:
        """Empties the windows and the day's count."""
        self.used_today = 0
        for window in (self._app, self._searches, self._associations):
            window.reset()

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
            "X-HubSpot-RateLimit-Remaining": str(max(0, allowed - self._app.used(millis(self.clock())))),
            "X-HubSpot-RateLimit-Interval-Milliseconds": "10000",
        }
        if not oauth:
            left = max(0, self.allowance.daily - self.used_today)
            shown["X-HubSpot-RateLimit-Daily"] = str(self.allowance.daily)
            shown["X-HubSpot-RateLimit-Daily-Remaining"] = str(left)
        return shown
