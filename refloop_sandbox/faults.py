"""Faults on demand, the same for every local CRM: what networks, proxies and overloaded servers do to an answer.

crm.faults.add(reset(applied=True), path="/batch/update")     # the next one: applied, and the answer is lost
crm.faults.add(maintenance(), chance=0.05)                    # every twentieth request, by a seeded die
assert [one.fault for one in crm.faults.injected] == ["reset"]
"""

from __future__ import annotations

import json
import random
import threading
import zlib
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache
from typing import NamedTuple, TypedDict, Unpack

MAINTENANCE = "<html><head><title>Down for Maintenance</title></head><body>Service Unavailable</body></html>"


class Asked(NamedTuple):
    """A request: its number among all that the CRM received, its path with the query, and its body."""

    number: int
    method: str
    path: str
    body: bytes


class Reply(NamedTuple):
    """An answer that was made, not yet sent. Headers are keyed in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Delivery(Enum):
    """How an answer goes over the wire."""

    WHOLE = "whole"
    CLOSED = "closed"  # the connection ends in good order, without an answer
    RESET = "reset"
    CUT = "cut"  # half of the body that Content-Length announced
    CUT_OPEN = "cut, unannounced"  # half of a body that the end of the connection delimits
    DRIP = "drip"


class Alter(NamedTuple):
    """Changes the true answer. `change` gets the earlier page of the same list, where there was one."""

    change: Callable[[Asked, Reply, Reply | None], Reply]
    fits: Callable[[Asked, Reply | None], bool] = lambda _asked, _before: True


@dataclass(frozen=True, slots=True)
class Fault:
    """One kind of trouble; made by the functions of this module and of each CRM's `troubles`.

    `instead` answers in place of the CRM, which gets to see the request only when it is `applied`. `pace` is the
    pause in seconds between the drops of a dripped body. `first` is done before the CRM works on the request.
    """

    name: str
    instead: Reply | None = None
    applied: bool = False
    alter: Alter | None = None
    delivery: Delivery = Delivery.WHOLE
    pace: float = 0.0
    first: Callable[[], object] | None = None

    @property
    def is_served(self) -> bool:
        """Whether the CRM works on the request."""
        silent = self.delivery in (Delivery.CLOSED, Delivery.RESET)
        return self.applied or (self.instead is None and not silent)


class Injected(NamedTuple):
    """A fault that struck: the request's number, its method and path, the fault's name."""

    number: int
    method: str
    path: str
    fault: str


class Where(TypedDict, total=False):
    """Which requests a rule strikes: all its conditions hold.

    `path` is a part of the path, query included; `method` is one; `index` is one or several request numbers;
    `when` decides for itself; `chance` is between 0 and 1; `skip` lets so many matching requests pass first. `times`
    is how often it strikes: once unless it is given, without end where only `index` or `chance` say.
    """

    path: str
    method: str
    index: int | Collection[int]
    when: Callable[[Asked], bool]
    chance: float
    skip: int
    times: int


@dataclass
class _Rule:
    fault: Fault
    path: str = ""
    method: str = ""
    numbers: Collection[int] | None = None
    when: Callable[[Asked], bool] | None = None
    chance: float = 1.0
    skip: int = 0
    left: int | None = 1

    def holds(self, asked: Asked, before: Reply | None, die: random.Random) -> bool:
        if self.path not in asked.path or self.method not in ("", asked.method):
            return False
        if self.numbers is not None and asked.number not in self.numbers:
            return False
        if self.when is not None and not self.when(asked):
            return False
        if self.fault.alter is not None and not self.fault.alter.fits(asked, before):
            return False
        if self.skip > 0:
            self.skip -= 1
            return False
        return self.chance >= 1 or die.random() < self.chance


class Plan:
    """The rules that wait, in order; the first that holds strikes. Safe to change while the CRM serves."""

    def __init__(self) -> None:
        self.injected: list[Injected] = []
        self._rules: list[_Rule] = []
        self._die = random.Random(0)  # noqa: S311 - a die, not a secret
        self._lock = threading.Lock()

    def add(self, fault: Fault, **where: Unpack[Where]) -> None:
        """Adds a rule. Raises ValueError for a chance outside 0 to 1."""
        chance, index = where.get("chance", 1.0), where.get("index")
        if not 0 <= chance <= 1:
            raise ValueError(f"a chance is between 0 and 1, not {chance}")
        numbers = {index} if isinstance(index, int) else None if index is None else frozenset(index)
        endless = "chance" in where or "index" in where
        rule = _Rule(
            fault,
            path=where.get("path", ""),
            method=where.get("method", ""),
            numbers=numbers,
            when=where.get("when"),
            chance=chance,
            skip=where.get("skip", 0),
            left=where.get("times", None if endless else 1),
        )
        with self._lock:
            self._rules.append(rule)

    def seed(self, seed: int) -> None:
        """Throws the die of `chance` from here on as `seed` says; it is 0 from the start."""
        with self._lock:
            self._die.seed(seed)

    def clear(self) -> None:
        """Drops the rules that still wait; the log stays."""
        with self._lock:
            self._rules.clear()

    @property
    def waiting(self) -> bool:
        """Whether any rule is left."""
        return bool(self._rules)

    def strike(self, asked: Asked, before: Reply | None = None) -> Fault | None:
        """The fault for this request, noted in the log. `before` is the earlier page of the same list."""
        if not self._rules:
            return None
        with self._lock:
            for rule in self._rules:
                if rule.holds(asked, before, self._die):
                    self._use(rule)
                    self.injected.append(Injected(asked.number, asked.method, asked.path, rule.fault.name))
                    return rule.fault
        return None

    def _use(self, rule: _Rule) -> None:
        if rule.left is not None:
            rule.left -= 1
            if rule.left <= 0:
                self._rules.remove(rule)


# -- people who are quicker


def meanwhile(act: Callable[[], object]) -> Fault:
    """Somebody does this in the CRM right before it works on the request, which goes on as if nothing were."""
    return Fault("meanwhile", first=act)


# -- faults in place of an answer


def answer(
    status: int, body: object = MAINTENANCE, headers: Mapping[str, str] | None = None, *, applied: bool = False
) -> Fault:
    """A status with a body: text and bytes as they are, anything else as JSON. `applied`: the work is done first."""
    if isinstance(body, str | bytes):
        raw = body.encode() if isinstance(body, str) else body
        media = "text/html" if raw.lstrip().startswith(b"<") else "text/plain"
    else:
        raw, media = json.dumps(body, separators=(",", ":"), ensure_ascii=False).encode(), "application/json"
    named = {name.lower(): value for name, value in (headers or {}).items()}
    return Fault(f"{status}{', applied' * applied}", Reply(status, {"content-type": media, **named}, raw), applied)


def maintenance(*, retry_after: int | None = None) -> Fault:
    """503 with a page for people, as a proxy in front of the CRM sends it."""
    return answer(503, MAINTENANCE, {} if retry_after is None else {"Retry-After": str(retry_after)})


def redirect(status: int, to: str) -> Fault:
    """301, 302, 303, 307 or 308 to another address. The request is not worked on."""
    return answer(status, b"", {"Location": to})


def html() -> Fault:
    """200 with a page for people, such as a captive portal's."""
    return _instead("html", b"<html><body>Please log in</body></html>", "text/html")


def empty() -> Fault:
    """200 and nothing."""
    return _instead("empty", b"")


def json_null() -> Fault:
    return _instead("null", b"null")


def json_list() -> Fault:
    """200 and `[]`."""
    return _instead("[]", b"[]")


def _instead(name: str, body: bytes, media: str = "application/json") -> Fault:
    return Fault(name, Reply(200, {"content-type": media}, body))


def gzip_bomb(size: int = 200_000_000) -> Fault:
    """200 with JSON that is `size` bytes long once it is unpacked, and a thousandth of it before."""
    headers = {"content-type": "application/json", "content-encoding": "gzip"}
    return Fault("gzip bomb", Reply(200, headers, _bomb(size)))


@lru_cache(maxsize=2)
def _bomb(size: int) -> bytes:
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    block = b" " * 1_000_000
    parts = [packer.compress(b"{"), *(packer.compress(block) for _ in range(size // len(block)))]
    return b"".join([*parts, packer.compress(b" " * (size % len(block)) + b"}"), packer.flush()])


# -- faults of the connection


def closed(*, applied: bool = False) -> Fault:
    """The connection ends without an answer, before the request is handled or after it was `applied`."""
    return Fault(f"closed{', applied' * applied}", applied=applied, delivery=Delivery.CLOSED)


def reset(*, applied: bool = False) -> Fault:
    """The connection is torn down (TCP RST), before the request is handled or after it was `applied`."""
    return Fault(f"reset{', applied' * applied}", applied=applied, delivery=Delivery.RESET)


def cut(*, announced: bool = True) -> Fault:
    """Half of the true body, then the end; `announced` in full by Content-Length, else by nothing at all."""
    return Fault("cut" if announced else "cut, unannounced", delivery=Delivery.CUT if announced else Delivery.CUT_OPEN)


def drip(pace: float = 0.05) -> Fault:
    """The true body, a few bytes at a time with `pace` seconds in between."""
    return Fault("drip", delivery=Delivery.DRIP, pace=pace)


# -- faults in the true answer


def truncated() -> Fault:
    """Half of the true body, as if that were all of it."""
    return _altered("truncated", lambda reply: reply._replace(body=reply.body[: len(reply.body) // 2]))


def wrong_type(media: str = "text/html") -> Fault:
    """The true body under another content type."""
    return _altered("wrong type", lambda reply: reply._replace(headers={**reply.headers, "content-type": media}))


def _altered(name: str, change: Callable[[Reply], Reply]) -> Fault:
    return Fault(name, alter=Alter(lambda _asked, reply, _before: change(reply)))
