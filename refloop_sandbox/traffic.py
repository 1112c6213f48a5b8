"""What a CRM meters: requests in flight, sliding windows, how long an answer takes, and how often it said no."""

from __future__ import annotations

import asyncio
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

Latency = float | Callable[[str, str], float]
"""Seconds a call takes before it is worked on; or a function of its method and path."""


class Window:
    """So many calls in any stretch of so many milliseconds. Times are the caller's, and never go back."""

    def __init__(self, limit: int, length_ms: int) -> None:
        self.limit = limit
        self._length = length_ms
        self._calls: deque[int] = deque()

    def used(self, now_ms: int) -> int:
        """Calls in the stretch that ends now."""
        while self._calls and self._calls[0] <= now_ms - self._length:
            self._calls.popleft()
        return len(self._calls)

    def is_full(self, now_ms: int) -> bool:
        return self.used(now_ms) >= self.limit

    def reset(self) -> None:
        self._calls.clear()

    def count(self, now_ms: int) -> None:
        self.used(now_ms)
        self._calls.append(now_ms)


@dataclass
class Traffic:
    """All requests of one CRM. `refused` counts by the name of the limit: empty means "never refused once".

    A request is long-running once it has been in flight for `long_after` seconds; `most_long` of them may be at a
    time (None: any number). `peak` is the most requests that ever were in flight together. `clock` is in seconds.
    """

    latency: Latency = 0.0
    most_long: int | None = None
    long_after: float = 20.0
    refused: Counter[str] = field(default_factory=Counter)
    received: int = 0
    peak: int = 0
    clock: Callable[[], float] = time.monotonic
    _flying: list[float] = field(default_factory=list)

    def reset(self) -> None:
        """Counts from zero again."""
        self.refused.clear()
        self.received = self.peak = 0

    @contextmanager
    def flight(self) -> Iterator[int]:
        """One request, from its arrival to its last byte; gives its number, from 0 on."""
        number = self.received
        self.received += 1
        began = self.clock()
        self._flying.append(began)
        self.peak = max(self.peak, len(self._flying))
        try:
            yield number
        finally:
            self._flying.remove(began)

    @property
    def in_flight(self) -> int:
        """Requests that have arrived and are not answered yet."""
        return len(self._flying)

    def crowded(self) -> bool:
        """Whether as many requests run long as may. The one that asks counts when it runs long itself."""
        if self.most_long is None:
            return False
        since = self.clock() - self.long_after
        return sum(began <= since for began in self._flying) > self.most_long

    async def pause(self, method: str, path: str) -> None:
        """The time that the call takes on its way; others overlap with it."""
        seconds = self.latency(method, path) if callable(self.latency) else self.latency
        if seconds > 0:
            await asyncio.sleep(seconds)
