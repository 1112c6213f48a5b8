"""Stays below HubSpot's rate limits, so that other apps of the account keep their share.

HubSpot docs, "API usage guidelines": 100 to 250 calls in 10 s for an app, by subscription (each answer says how
many: `X-HubSpot-RateLimit-Max`); 5 searches in 1 s for the whole account, which no answer shows.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any

from refloop.connectors.retry import Classify, Disposition

_SHARE = 0.9
_SEARCHES = 4
_WINDOW = 10.0


class Window:
    """At most `most` entries in any `seconds`. Not safe for threads."""

    def __init__(self, most: int, seconds: float) -> None:
        self.most = most
        self._seconds = seconds
        self._times: deque[float] = deque()

    def delay(self, now: float) -> float:
        """How long to wait before the next entry."""
        while self._times and self._times[0] <= now - self._seconds:
            self._times.popleft()
        if len(self._times) < self.most:
            return 0.0
        return self._times[-self.most] + self._seconds - now

    def enter(self, now: float) -> None:
        self._times.append(now)


class Pace:
    """The transport's limiter for one account. Safe to share between threads."""

    def __init__(
        self, *, now: Callable[[], float] = time.monotonic, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        self._now = now
        self._sleep = sleep
        self._lock = threading.Lock()
        self._calls = Window(int(100 * _SHARE), _WINDOW)
        self._searches = Window(_SEARCHES, 1.0)

    def wait(self, endpoint: str) -> None:
        """Blocks until this call may leave. Searches have a window of their own."""
        window = self._searches if endpoint.endswith("/search") else self._calls
        with self._lock:
            while (delay := window.delay(self._now())) > 0:
                self._sleep(delay)
            window.enter(self._now())

    def learning(self, classify: Classify) -> Classify:
        """The same classification, with an ear for the limit that each answer tells."""

        def classified(status: int, headers: Mapping[str, str], body: Any) -> Disposition:
            self._learn(headers.get("X-HubSpot-RateLimit-Max", ""))
            return classify(status, headers, body)

        return classified

    def _learn(self, most: str) -> None:
        if most.isascii() and most.isdigit() and 0 < int(most) <= 1_000:
            self._calls.most = max(1, int(int(most) * _SHARE))
