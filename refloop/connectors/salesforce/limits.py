"""The org's daily allowance of API calls: what its answers say of it, and how much of it a run may spend."""

from __future__ import annotations

import re
import threading
from collections.abc import Mapping
from typing import Any, NamedTuple, Self

from refloop.errors import TryLater

HOUR = 3600.0
"""The allowance is that of the last 24 hours, whatever the hour: each hour gives back what was spent a day ago."""

_USED = re.compile(r"\s*api-usage\s*=\s*([0-9]{1,12})\s*/\s*([0-9]{1,12})\s*")


class Allowance(NamedTuple):
    """Calls of the last 24 hours, by everybody, and how many there may be."""

    used: int
    limit: int


def parse_limit_info(text: str) -> Allowance | None:
    """Reads `Sforce-Limit-Info: api-usage=10018/100000; per-app-api-usage=17/250(appName=x)`.

    Salesforce REST docs, "Limit Info Header": more parts may come along. None when it does not say.
    """
    for part in text.split(";"):
        if found := _USED.fullmatch(part):
            return Allowance(int(found[1]), int(found[2]))
    return None


class Quota:
    """Counts one connector's calls, and ends its run when it has spent its share of what was left at the start."""

    def __init__(self, host: str, share: float) -> None:
        self._host = host
        self._share = share
        self._lock = threading.Lock()
        self._spent = 0
        self._may_spend: float | None = None
        self.latest: Allowance | None = None

    @property
    def spent(self) -> int:
        """Calls so far that count against the allowance."""
        return self._spent

    def admit(self, endpoint: str) -> Self:
        """Lets a call leave. Raises TryLater in place of one too many."""
        if not is_free(endpoint):
            self.spend()
        return self

    def answered(self, status: int, headers: Mapping[str, str], error: Any) -> None:  # noqa: ARG002 - a gate's signature
        """Hears an answer of a call that it let leave."""
        self.learn(headers)

    def unanswered(self) -> None:
        """A call without an answer teaches nothing."""

    def spend(self) -> None:
        """Counts a call that is about to be sent. Raises TryLater in place of one too many."""
        with self._lock:
            if self._may_spend is not None and self._spent + 1 > self._may_spend:
                raise self._enough()
            self._spent += 1

    def learn(self, headers: Mapping[str, str]) -> None:
        """Takes in what an answer says. The first that says anything sets how much this connector may spend."""
        said = parse_limit_info(headers.get("Sforce-Limit-Info", ""))
        if said is None:
            return
        with self._lock:
            self.latest = said
            if self._may_spend is None:
                left = max(0, said.limit - said.used) + self._spent
                self._may_spend = max(self._spent, self._share * left)

    def _enough(self) -> TryLater:
        used, limit = self.latest or (0, 0)
        return TryLater(
            f"{self._host}: this run has made {self._spent} API calls, its share of what was left for the day "
            f"(the org has used {used} of {limit})",
            remedy="Run later: it goes on from here. Or raise `quota_share` of the connection, or the org's limit.",
            seconds=HOUR,
        )


def is_free(endpoint: str) -> bool:
    """Whether an endpoint is no part of the metered API: log-in, and the list of versions."""
    _, _, path = endpoint.partition(" ")
    return path.startswith("/services/oauth2/") or path == "/services/data"
