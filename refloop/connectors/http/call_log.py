"""What the log says of each call: the endpoint without ids, the status, the time it took."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

from refloop import log
from refloop.connectors.http.errors import Call

_NOTICEABLE = 1.0
"""Seconds that a rate limit may hold a send up before that is worth a line."""


class CallLog:
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
        """Tells that a send is repeated after some seconds, and why."""
        log.info("wait", **self._named(call), seconds=round(seconds, 3), reason=reason)

    def renewed(self, call: Call) -> None:
        """Tells that the token was refused and a fresh one was got."""
        log.info("token refreshed", **self._named(call))

    def _named(self, call: Call) -> dict[str, object]:
        method, _, path = call.endpoint.partition(" ")
        return {"connection": self.connection or call.host, "method": method, "path": path}


_WORD = re.compile(
    r"v[0-9]{1,3}(?:\.[0-9])?|[0-9]{4}-[0-9]{2}|0-[0-9]{1,3}|[A-Za-z][A-Za-z_-]*[0-9]?(?:[A-Za-z0-9_]*__[a-z]{1,3})?"
)


def endpoint_of(method: str, url: str) -> str:
    """`METHOD /path` with ids left out: names of a few endpoints, no personal data."""
    path = urlsplit(url).path
    segments = (segment if not segment or is_word(segment) else "{id}" for segment in path.split("/"))
    return f"{method.upper()} {'/'.join(segments)}"


def is_word(segment: str) -> bool:
    """Whether a path segment is a part of the API (`v67.0`, `0-136`, `2026-09`, `Lead`) and not an id."""
    if not _WORD.fullmatch(segment):
        return False
    is_id = len(segment) in (15, 18) and "__" not in segment and any(letter.isdigit() for letter in segment)
    return not is_id
