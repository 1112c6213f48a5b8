"""What stands before every local CRM: it meters requests, lets faults strike, and puts answers on the wire.

The CRM behind it is an ASGI application that answers in one piece. It finds two things in the scope: `body`, the
request's, and `struck`, which is true when a fault takes its place: then it counts the request and does nothing.
"""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import Callable, MutableMapping
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from refloop_sandbox.faults import Asked, Delivery, Fault, Plan, Reply
from refloop_sandbox.pages import family, is_page
from refloop_sandbox.server import connection, hang_up, reset
from refloop_sandbox.traffic import Traffic

_SMALLEST_GZIP = 1_000
_PAGES = 64


class Middleware:
    """The ASGI application that clients talk to. `now` is the CRM's clock, for the `Date` of each answer.

    `compresses`: bodies go out in gzip to clients that ask for it.
    """

    def __init__(
        self, inner: ASGIApp, traffic: Traffic, faults: Plan, now: Callable[[], datetime], *, compresses: bool = False
    ) -> None:
        self._inner = inner
        self._traffic = traffic
        self._faults = faults
        self._now = now
        self._compresses = compresses
        self._pages: dict[str, Reply] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        body = await _whole(receive)
        with self._traffic.flight() as number:
            asked = Asked(number, scope["method"], _path(scope), body)
            await self._traffic.pause(asked.method, asked.path)
            before = self._pages.get(family(asked)) if self._faults.waiting else None
            fault = self._faults.strike(asked, before)
            reply = await self._worked(scope, asked, fault)
            reply = self._finished(reply if fault is None else _struck(asked, reply, before, fault), scope)
            await _deliver(reply, fault, receive, send)

    async def _worked(self, scope: Scope, asked: Asked, fault: Fault | None) -> Reply:
        """The true answer; an empty one where the request must not be worked on."""
        catch = _Catch()
        struck = fault is not None and not fault.is_served
        if fault is not None and fault.first is not None:
            fault.first()
        await self._inner({**scope, "body": asked.body, "struck": struck}, catch.asked, catch)
        reply = catch.reply()
        if self._faults.waiting and is_page(reply):
            self._pages[family(asked)] = reply
            while len(self._pages) > _PAGES:
                del self._pages[next(iter(self._pages))]
        return reply

    def _finished(self, reply: Reply, scope: Scope) -> Reply:
        """With its date, compressed where that is asked for, and as long as it says."""
        body, headers = reply.body, {"date": _http_date(self._now()), **reply.headers}
        if self._compresses and len(body) >= _SMALLEST_GZIP and "content-encoding" not in headers:
            headers["vary"] = "Accept-Encoding"
            if _takes_gzip(scope):
                # the fastest level: a benchmark is not to measure this side
                body, headers["content-encoding"] = gzip.compress(body, compresslevel=1), "gzip"
        if reply.status not in (204, 304):
            headers["content-length"] = str(len(body))
        return Reply(reply.status, headers, body)


def _struck(asked: Asked, reply: Reply, before: Reply | None, fault: Fault) -> Reply:
    if fault.instead is not None:
        return fault.instead
    return reply if fault.alter is None else fault.alter.change(asked, reply, before)


def _http_date(moment: datetime) -> str:
    return format_datetime(moment.astimezone(UTC).replace(microsecond=0), usegmt=True)


async def _whole(receive: Receive) -> bytes:
    parts: list[bytes] = []
    while True:
        message = await receive()
        parts.append(message.get("body", b""))
        if not message.get("more_body"):
            return b"".join(parts)


def _path(scope: Scope) -> str:
    raw: bytes = scope.get("raw_path") or scope["path"].encode()
    query: bytes = scope["query_string"]
    return raw.partition(b"?")[0].decode("latin-1") + ("?" + query.decode("latin-1") if query else "")


def _takes_gzip(scope: Scope) -> bool:
    return any(name == b"accept-encoding" and b"gzip" in value.lower() for name, value in scope["headers"])


class _Catch:
    """Takes an answer instead of the wire."""

    def __init__(self) -> None:
        self._status = 200
        self._headers: dict[str, str] = {}
        self._parts: list[bytes] = []

    async def __call__(self, message: MutableMapping[str, Any]) -> None:
        if message["type"] == "http.response.start":
            self._status = message["status"]
            named = ((name.decode("latin-1").lower(), value.decode("latin-1")) for name, value in message["headers"])
            self._headers = {name: value for name, value in named if name != "content-length"}
        else:
            self._parts.append(message.get("body", b""))

    async def asked(self) -> Message:
        """The request's body is in the scope already."""
        return {"type": "http.disconnect"}

    def reply(self) -> Reply:
        return Reply(self._status, self._headers, b"".join(self._parts))


async def _deliver(reply: Reply, fault: Fault | None, receive: Receive, send: Send) -> None:
    how = Delivery.WHOLE if fault is None else fault.delivery
    if how is Delivery.CLOSED:
        await hang_up(receive)
    elif how is Delivery.RESET:
        await reset(receive)
    elif how is Delivery.CUT_OPEN:
        connection(receive).write(_head(reply) + reply.body[: len(reply.body) // 2])
        await hang_up(receive)
    elif how is Delivery.CUT:
        await _start(reply, send)
        await send({"type": "http.response.body", "body": reply.body[: len(reply.body) // 2], "more_body": True})
        await hang_up(receive)
    else:
        await _start(reply, send)
        if how is Delivery.DRIP and fault is not None:
            await _drip(reply.body, fault.pace, receive, send)
        await send({"type": "http.response.body", "body": b"" if how is Delivery.DRIP else reply.body})


async def _start(reply: Reply, send: Send) -> None:
    headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in reply.headers.items()]
    await send({"type": "http.response.start", "status": reply.status, "headers": headers})


async def _drip(body: bytes, pace: float, receive: Receive, send: Send) -> None:
    """A few bytes at a time, until the client has had enough."""
    size = max(1, len(body) // 200)
    for start in range(0, len(body), size):
        if connection(receive).is_closing():
            return
        await send({"type": "http.response.body", "body": body[start : start + size], "more_body": True})
        await asyncio.sleep(pace)


def _head(reply: Reply) -> bytes:
    """A head that neither announces a length nor chunks."""
    named = {name: value for name, value in reply.headers.items() if name != "content-length"}
    lines = [f"HTTP/1.1 {reply.status} ", *(f"{name}: {value}" for name, value in named.items())]
    return "\r\n".join([*lines, "connection: close", "", ""]).encode("latin-1")
