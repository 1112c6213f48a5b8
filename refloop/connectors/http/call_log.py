"""What a transport allows a send, what it gives back of one, and what it tells the log of each."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from refloop import log
from refloop.connectors.http.errors import Call

_NOTICEABLE = 1.0
"""Seconds that a rate limit may hold a send up before that is worth a line."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Seconds to connect, between two reads and for one send in total; bytes of a decompressed body.

    `download_total` and `download` stand for `total` and `body` where the body goes to a file.
    """

    connect: float = 5.0
    read: float = 20.0
    total: float = 60.0
    body: int = 16 * 1024 * 1024
    download_total: float = 600.0
    download: int = 2 * 1024 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer: its status, its headers (any case) and its strict JSON (None when it has no body)."""

    status: int
    headers: Mapping[str, str]
    body: Any


class Telling:
    """The lines of one connection's calls: endpoints without ids, statuses, times."""

    def __init__(self) -> None:
        self.connection = ""

    @contextmanager
    def held_up(self, call: Call) -> Iterator[None]:
        """Tells of a wait for the rate limit, if the block was a long one."""
        began = time.monotonic()
        yield
        seconds = time.monotonic() - began
        if seconds >= _NOTICEABLE:
            log.info("wait", **self._named(call), seconds=round(seconds, 3), reason="rate limit")

    @contextmanager
    def sent(self, call: Call) -> Iterator[Callable[[int], None]]:
        """Tells of one send when it is over: the status that the block was given, or what broke."""
        began = time.monotonic()
        outcome: dict[str, object] = {}
        try:
            yield lambda status: outcome.update(status=status)
        except BaseException as error:
            outcome["broke"] = str(getattr(error, "failure", type(error).__name__)).partition("\n")[0]
            raise
        finally:
            took = round((time.monotonic() - began) * 1000)
            log.debug("http", **self._named(call), attempt=next(call.sends), ms=took, **outcome)

    def repeated(self, call: Call, seconds: float, reason: str) -> None:
        """A send is repeated after a while."""
        log.info("wait", **self._named(call), seconds=round(seconds, 3), reason=reason)

    def renewed(self, call: Call) -> None:
        """The token was refused, and there is a fresh one."""
        log.info("token refreshed", **self._named(call))

    def _named(self, call: Call) -> dict[str, object]:
        method, _, path = call.endpoint.partition(" ")
        return {"connection": self.connection or call.host, "method": method, "path": path}
