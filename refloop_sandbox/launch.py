"""A local CRM in a process of its own, for measurements: its work is not the client's.

    with launch("hubspot", Setup(fill=1_000_000, strict=True, latency=0.15)) as crm:
        ...                         # crm.url, crm.credentials
        assert not crm.stats().refused

`python -m refloop_sandbox.launch '{"crm": "hubspot", "fill": 1000}'` does the same by hand: it prints one line of
JSON and serves until its standard input ends.
"""

from __future__ import annotations

import gc
import json
import subprocess
import sys
import urllib.request
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import timedelta
from types import TracebackType
from typing import Any, Literal, NamedTuple, Self

from refloop_sandbox.control import PREFIX, Control
from refloop_sandbox.fill import Fill, fill_hubspot, fill_salesforce
from refloop_sandbox.hubspot import Allowance, LocalHubSpot
from refloop_sandbox.salesforce import LocalSalesforce
from refloop_sandbox.server import Server

Crm = Literal["salesforce", "hubspot"]
_CLIENT = {"client_id": "local-client", "client_secret": "local-secret"}


@dataclass(frozen=True, slots=True)
class Setup:
    """How the CRM is: `latency` is seconds a call, `index_lag` seconds that HubSpot's search stays behind.

    `strict` enforces what the CRM's limits are, HubSpot's those of a free account or, with `professional`, of a
    larger one. `daily` is the number of calls a day, None the CRM's default. `per_ten_seconds` is what HubSpot
    announces in place of the account's own allowance.
    """

    fill: Fill = 0
    strict: bool = False
    latency: float = 0.0
    index_lag: float = 0.0
    professional: bool = False
    daily: int | None = None
    per_ten_seconds: int | None = None


class Stats(NamedTuple):
    """What the CRM met since it started or was `reset`: calls by endpoint, refusals by limit, faults in order.

    `received` counts all requests, `peak` the most at the same time; CPU is in seconds, memory in bytes.
    """

    calls: Mapping[str, int]
    refused: Mapping[str, int]
    injected: tuple[tuple[int, str, str, str], ...]
    received: int
    peak: int
    cpu: float
    memory: int
    peak_memory: int


class Process:
    """A running CRM. `filled` is how many records of each object it was given.

    `credentials` are for the client: token, refresh_token, client_id, client_secret.
    """

    def __init__(self, child: subprocess.Popen[str], started: Mapping[str, Any]) -> None:
        self._child = child
        self.url: str = started["url"]
        self.credentials: dict[str, str] = started["credentials"]
        self.filled: dict[str, int] = started["filled"]

    def stats(self) -> Stats:
        """The counters. Asking is not counted."""
        answer = self._ask("stats")
        injected = tuple((one[0], one[1], one[2], one[3]) for one in answer.pop("injected"))
        return Stats(injected=injected, **answer)

    def reset(self) -> None:
        """Sets the counters to zero, and empties the rate windows and the daily count."""
        self._ask("reset", {})

    def edit(self, object: str, count: int) -> int:  # noqa: A002 - the CRMs' word
        """People edit `count` records of an object; gives how many there were."""
        return int(self._ask("edit", {"object": object, "count": count})["edited"])

    def fail_next(self, status: int | None = 503, **how: Any) -> None:
        """As `LocalCrm.fail_next`; `how` must fit in JSON."""
        self._ask("fail", {"status": status, **how})

    def _ask(self, what: str, body: Mapping[str, object] | None = None) -> dict[str, Any]:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.url}{PREFIX}{what}", data)  # noqa: S310 - our own, on loopback
        # no proxy of the environment stands before loopback
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(request, timeout=600) as answer:
            parsed: dict[str, Any] = json.load(answer)
        return parsed

    def close(self) -> None:
        """Ends the process. Safe to repeat."""
        _end(self._child)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _end(child: subprocess.Popen[str]) -> None:
    """The end of its input is what ends it."""
    for pipe in (child.stdin, child.stdout):
        if pipe is not None:
            pipe.close()
    child.wait(timeout=60)


def launch(crm: Crm, setup: Setup = Setup()) -> Process:
    """Starts a CRM in a process of its own and waits until it is filled and answers.

    Raises RuntimeError when it ends before that; why, it says on standard error.
    """
    arguments = json.dumps({"crm": crm, **asdict(setup)})
    child = subprocess.Popen(  # noqa: S603 - our own module, by this interpreter
        [sys.executable, "-m", "refloop_sandbox.launch", arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    line = child.stdout.readline() if child.stdout else ""
    if not line:
        _end(child)
        raise RuntimeError(f"the local {crm} ended with code {child.returncode} before it served")
    return Process(child, json.loads(line))


def main(arguments: str) -> None:
    """Serves until standard input ends, which it does with the process that started this one, however that ends."""
    asked = json.loads(arguments)
    crm = asked.pop("crm")
    local, filled, credentials = _built(crm, Setup(**asked))
    # what was made so far stays for good: no collection needs to look at it
    gc.collect()
    gc.freeze()
    with Server(Control(local)) as server:
        started = {"url": server.url, "filled": filled, "credentials": credentials}
        sys.stdout.write(json.dumps(started) + "\n")
        sys.stdout.flush()
        sys.stdin.read()


def _built(crm: Crm, setup: Setup) -> tuple[LocalSalesforce | LocalHubSpot, dict[str, int], dict[str, str]]:
    if crm == "salesforce":
        org = LocalSalesforce(strict=setup.strict, latency=setup.latency, daily_limit=setup.daily or 100_000)
        held = {"token": org.access_token(), "refresh_token": org.refresh_token(), **_CLIENT}
        return org, fill_salesforce(org, setup.fill), held
    allowance = Allowance.professional() if setup.professional else Allowance()
    if setup.daily is not None:
        allowance = replace(allowance, daily=setup.daily)
    if setup.per_ten_seconds is not None:
        allowance = replace(allowance, per_ten_seconds=setup.per_ten_seconds)
    account = LocalHubSpot(
        strict=setup.strict,
        latency=setup.latency,
        index_lag=timedelta(seconds=setup.index_lag),
        allowance=allowance,
    )
    held = {"token": "pat-na1-local", "refresh_token": "local-refresh", **_CLIENT}
    return account, fill_hubspot(account, setup.fill), held


if __name__ == "__main__":
    main(sys.argv[1])
