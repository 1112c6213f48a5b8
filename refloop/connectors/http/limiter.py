"""Stays inside a CRM's rate limits, and leaves the customer's other tools their share of the day.

    limiter = Limiter((Rule("calls", 100, 10.0, covers_all),), read_hubspots_headers)
    transport.limiter = limiter

A call takes a place in every window that covers it before it leaves, and holds it until `seconds` after its answer
came. The CRM counted it no later than that, so that no window of the CRM's ever holds more than is allowed,
however long the way there takes.
"""

from __future__ import annotations

import math
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from refloop.connectors.http.threads import interruptible_sleep
from refloop.errors import TryLater
from refloop.model import Usage

_LOWEST = 0.1
_RECOVERY = 0.1
_SHORTEST_SLEEP = 0.001
_UNTIL_AN_ANSWER = 0.05


@dataclass(frozen=True, slots=True)
class Timer:
    """Seconds that only go forward, and how to wait. Tests bring their own."""

    now: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = interruptible_sleep


@dataclass(frozen=True, slots=True)
class Rule:
    """At most `most` calls in any `seconds`, of the calls whose endpoint it `covers`."""

    name: str
    most: int
    seconds: float
    covers: Callable[[str], bool]


@dataclass(frozen=True, slots=True)
class LimitInfo:
    """What one answer said about limits; None and "" where it said nothing.

    `window` is the rule that `most`, `seconds` and `remaining` (calls left in it, this one counted) speak of.
    `refused` is the rule that this call broke, and `wait` the seconds that it has to rest. `day_over` says that
    the day's quota is used up.
    """

    window: str = ""
    most: int | None = None
    seconds: float | None = None
    remaining: int | None = None
    refused: str = ""
    wait: float | None = None
    day_limit: int | None = None
    day_left: int | None = None
    day_over: bool = False


ReadLimits = Callable[[str, int, Mapping[str, str], Any], LimitInfo]
"""`(endpoint, status, headers, parsed JSON of an error or None) -> LimitInfo`, in one CRM's words."""


class Window:
    """One rule's window. Pure but for its own state: time is an argument, and goes only forward.

    Adapts to what the answers say: others' calls take places too; a refusal rests the window and halves it, and
    each window's worth of good answers gives a tenth back (additive increase, multiplicative decrease: Jacobson 1988).
    """

    def __init__(self, most: int, seconds: float) -> None:
        self.most = most
        self.seconds = seconds
        self._share = 1.0
        self._others = 0
        self._open = 0
        self._answered: deque[float] = deque()
        self._rests_until = -math.inf
        self._slowed_at = -math.inf

    @property
    def allowed(self) -> int:
        """How many places there are for us now."""
        return max(1, int(self.most * self._share) - self._others)

    @property
    def taken(self) -> int:
        """How many places we hold, by calls that are under way or were answered not long ago."""
        return self._open + len(self._answered)

    def delay(self, now: float, places: int = 1) -> float:
        """How long to wait before so many calls may leave; 0 when they may, endless when an answer has to come first.

        To be asked again after the wait. More than are ever allowed are as many as are allowed.
        """
        while self._answered and self._answered[0] <= now - self.seconds:
            self._answered.popleft()
        if now < self._rests_until:
            return self._rests_until - now
        surplus = self.taken + min(places, self.allowed) - 1 - self.allowed
        if surplus < 0:
            return 0.0
        if surplus >= len(self._answered):
            return math.inf
        return max(self._answered[surplus] + self.seconds - now, _SHORTEST_SLEEP)

    def enter(self) -> None:
        """Takes a place for a call that leaves."""
        self._open += 1

    def leave(self, now: float) -> None:
        """Notes that the answer to a call came, or that none will: its place is free `seconds` later."""
        self._open -= 1
        self._answered.append(now)

    def learn(self, most: int | None, seconds: float | None, remaining: int | None, taken: int) -> None:
        """The CRM's own count: what it counts beyond ours are the calls of others.

        It counted between the call and its answer, when we had `taken` places and have now those that we have.
        """
        self.most = most or self.most
        self.seconds = seconds or self.seconds
        if remaining is not None:
            self._others = max(0, self.most - remaining - max(taken, self.taken))

    def went_well(self) -> None:
        self._share = min(1.0, self._share + _RECOVERY / self.most)

    def was_refused(self, sent: float, now: float, wait: float) -> None:
        """Calls that left before the last slowing down knew nothing of it: they slow nothing down again."""
        self._rests_until = max(self._rests_until, now + wait)
        if sent >= self._slowed_at:
            self._share = max(_LOWEST, self._share / 2)
            self._slowed_at = now


class Day:
    """The account's quota of calls a day, of which a share of what is left at the start is ours to use."""

    def __init__(self, share: float) -> None:
        self._share = share
        self._reserve = 0
        self._at_start = -1
        self.limit = 0
        self.left: int | None = None
        self.ours = 0
        self.over = False

    @property
    def is_spent(self) -> bool:
        return self.over or (self.left is not None and self.left <= self._reserve)

    def enter(self) -> None:
        self.ours += 1
        if self.left is not None:
            self.left -= 1

    def learn(self, limit: int | None, left: int | None, uncounted: int) -> None:
        """`uncounted` calls were sent that the CRM may not have counted then. More left than ever: a new day."""
        if limit is None or left is None:
            return
        if left > self._at_start:
            self._at_start = left
            self._reserve = math.ceil(left * (1 - self._share))
        self.limit, self.left = limit, left - uncounted

    def usage(self) -> Usage | None:
        if self.left is None:
            return None
        return Usage(self.limit, self.limit - max(0, self.left), self.ours)


@dataclass(slots=True)
class WindowPermit:
    """One call that may leave; how many places were `taken` then in the windows that cover it, and how many calls of
    ours the CRM had `counted` then for sure.

    To be closed once: with what its answer said, or without when none came.
    """

    endpoint: str
    taken: Mapping[str, int]
    counted: int
    sent: float
    _limiter: Limiter = field(repr=False)

    def answered(self, status: int, headers: Mapping[str, str], error: Any) -> None:
        self._limiter.close(self, self._limiter.read_limits(self.endpoint, status, headers, error))

    def unanswered(self) -> None:
        self._limiter.close(self, None)


class Limiter:
    """One account's limits. Safe to share between threads.

    `share` is how much of the day's calls that are left at the start may be ours. One wait lasts `longest` seconds
    in all; what would take longer is TryLater. `day_ends` says in how many seconds a new day begins, where known.
    """

    def __init__(
        self,
        rules: Sequence[Rule],
        read_limits: ReadLimits,
        *,
        share: float = 0.8,
        longest: float = 120.0,
        timer: Timer = Timer(),
    ) -> None:
        self.read_limits = read_limits
        self.day_ends: Callable[[], float | None] = lambda: None
        self._rules = tuple(rules)
        self._windows = {rule.name: Window(rule.most, rule.seconds) for rule in rules}
        self._day = Day(share)
        self._longest = longest
        self._timer = timer
        self._open = 0
        self._latency = 0.0
        self._lock = threading.Condition()

    def admit(self, endpoint: str) -> WindowPermit:
        """Blocks until the call may leave. Raises TryLater when that is not soon."""
        waited = 0.0
        while not isinstance(place := self._place(endpoint), WindowPermit):
            waited = self._waited(endpoint, waited, place)
        return place

    def make_room(self, endpoint: str, calls: int) -> None:
        """Blocks until so many calls may leave one after the other without a wait. Takes no place.

        Raises TryLater when that is not soon.
        """
        waited = 0.0
        while (delay := self._delay(endpoint, calls)) > 0:
            waited = self._waited(endpoint, waited, delay)

    def _waited(self, endpoint: str, before: float, delay: float) -> float:
        """Waits, and says for how long in all. Raises TryLater when that is too long."""
        waited = before + (_UNTIL_AN_ANSWER if delay == math.inf else delay)
        if waited > self._longest:
            raise TryLater(
                f"the CRM's rate limit leaves no room for {endpoint} within {self._longest:.0f} s",
                remedy="Run again later: what was read so far is kept.",
                seconds=None if delay == math.inf else delay,
            )
        self._wait(delay)
        return waited

    def _place(self, endpoint: str) -> WindowPermit | float:
        """A place in each window; else how long to wait before asking again."""
        with self._lock:
            delay = self._delay(endpoint, 1)
            return delay if delay > 0 else self._enter(endpoint, self._covering(endpoint), self._timer.now())

    def _delay(self, endpoint: str, calls: int) -> float:
        with self._lock:
            now = self._timer.now()
            self._check_day()
            windows = (self._windows[name] for name in self._covering(endpoint))
            return max((window.delay(now, calls) for window in windows), default=0.0)

    def _covering(self, endpoint: str) -> tuple[str, ...]:
        return tuple(rule.name for rule in self._rules if rule.covers(endpoint))

    def _wait(self, seconds: float) -> None:
        if seconds < math.inf:
            self._timer.sleep(seconds)
            return
        with self._lock:
            self._lock.wait(_UNTIL_AN_ANSWER)
        interruptible_sleep(0)  # says whether anybody is still there to wait for it

    def _enter(self, endpoint: str, names: tuple[str, ...], now: float) -> WindowPermit:
        self._day.enter()
        self._open += 1
        for name in names:
            self._windows[name].enter()
        taken = {name: self._windows[name].taken for name in names}
        return WindowPermit(endpoint, taken, self._day.ours - self._open + 1, now, self)

    def _check_day(self) -> None:
        if not self._day.is_spent:
            return
        left, limit = max(0, self._day.left or 0), self._day.limit
        said = f"; {left} of {limit} are left for the account's other tools" if limit and not self._day.over else ""
        raise TryLater(
            f"refloop's share of the CRM's API calls of this day is used up{said}",
            remedy="Run again after midnight in the account's time zone: what was read so far is kept.",
            seconds=self.day_ends(),
        )

    def close(self, permit: WindowPermit, info: LimitInfo | None) -> None:
        """Takes in that a call is over, and what its answer said of limits. Called by its permit."""
        with self._lock:
            now = self._timer.now()
            self._open -= 1
            self._lock.notify_all()
            for name in permit.taken:
                self._windows[name].leave(now)
            if info is None:
                return
            took = now - permit.sent
            self._latency += (took - self._latency) / (4 if self._latency else 1)
            self._learn(permit, info, now)

    def _learn(self, permit: WindowPermit, info: LimitInfo, now: float) -> None:
        if info.window in self._windows:
            taken = permit.taken.get(info.window, 0)
            self._windows[info.window].learn(info.most, info.seconds, info.remaining, taken)
        self._day.learn(info.day_limit, info.day_left, self._day.ours - permit.counted)
        self._day.over = self._day.over or info.day_over
        refused = self._windows.get(info.refused)
        if refused is not None:
            refused.was_refused(permit.sent, now, refused.seconds if info.wait is None else info.wait)
        elif not info.day_over:
            for name in permit.taken:
                self._windows[name].went_well()

    def callers(self, rule: str, most: int) -> int:
        """How many callers at once, from 2 to `most`, use a window's places up within a fifth of its time."""
        with self._lock:
            window = self._windows[rule]
            return max(2, min(most, math.ceil(5 * window.allowed / window.seconds * self._latency)))

    def usage(self) -> Usage | None:
        """The day's calls as the latest answers said; None when none did."""
        with self._lock:
            return self._day.usage()
