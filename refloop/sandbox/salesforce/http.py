"""The API over HTTP: sessions, meters, faults on demand."""

from __future__ import annotations

import gzip
import json
import re
import zlib
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from email.utils import format_datetime
from typing import TypedDict

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from refloop.sandbox.salesforce import rest
from refloop.sandbox.salesforce.call import Answer, Call
from refloop.sandbox.salesforce.errors import ApiError
from refloop.sandbox.salesforce.oauth import Tokens
from refloop.sandbox.salesforce.org import Org
from refloop.sandbox.salesforce.routes import dispatch, endpoint
from refloop.sandbox.server import hang_up

_MAX_HEAD = 16_384
_IDENTITY = re.compile(r"/id/(\w{15,18})/(\w{15,18})")


class FaultOptions(TypedDict, total=False):
    """The fields of `Fault` but its status."""

    path: str
    method: str
    headers: Mapping[str, str]
    body: object
    after: bool
    drop: bool
    cut: bool
    times: int


@dataclass(slots=True)
class Fault:
    """What to answer instead. `after`: apply the request first. `drop`: close the connection, answer nothing.

    `cut`: send the head and half the body of the true answer, then close. `path` is a part of the path, query
    included; `method` empty matches all. `times` is how many requests it still holds for.
    """

    status: int = 503
    path: str = ""
    method: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    body: object = b"<html><head><title>Down for Maintenance</title></head><body>Service Unavailable</body></html>"
    after: bool = False
    drop: bool = False
    cut: bool = False
    times: int = 1

    def matches(self, call: Call) -> bool:
        return self.path in call.path and self.method in ("", call.method)

    def answer(self) -> Answer:
        media = "text/html; charset=UTF-8" if isinstance(self.body, bytes) else "application/json;charset=UTF-8"
        return Answer(self.status, self.body, self.headers, media)


class Api:
    """The ASGI application. Requests are served one at a time, on the event loop."""

    def __init__(self, org: Org, tokens: Tokens) -> None:
        self._org = org
        self._tokens = tokens
        self.calls: Counter[str] = Counter()
        self.faults: list[Fault] = []
        self.faults_injected = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        request = Request(scope, receive)
        call = _call(request, await request.body())
        with self._org.store.lock:
            answer, fault = self.answer(call)
            answer = replace(answer, headers={"Date": format_datetime(self._org.now(), usegmt=True), **answer.headers})
        if fault is None or not (fault.cut or fault.drop):
            await _response(answer)(scope, receive, send)
            return
        if fault.cut:
            await _response(answer)(scope, receive, _Cut(send))
        await hang_up(receive)

    def answer(self, call: Call) -> tuple[Answer, Fault | None]:
        """The answer to a call, and the fault that is to spoil it."""
        self.calls[endpoint(self._org, call)] += 1
        fault = self._fault(call)
        if fault is None:
            return self._serve(call), None
        if fault.cut:
            return self._serve(call), fault
        if fault.after:
            self._serve(call)
        return fault.answer(), fault

    def _fault(self, call: Call) -> Fault | None:
        for fault in self.faults:
            if fault.matches(call):
                fault.times -= 1
                self.faults_injected += 1
                if fault.times <= 0:
                    self.faults.remove(fault)
                return fault
        return None

    def _serve(self, call: Call) -> Answer:
        path = call.path.partition("?")[0].rstrip("/").lower()
        if path == "/services/data":
            return rest.versions()
        if path == "/services/oauth2/token":
            return self._tokens.token(self._org, call)
        try:
            return self._metered(_inflated(call), path)
        except ApiError as error:
            return self._with_limits(Answer(error.status, error.body()))

    def _metered(self, call: Call, path: str) -> Answer:
        _check_head(call)
        user = self._tokens.user(call)
        if user is None:
            raise ApiError(401, "INVALID_SESSION_ID", "Session expired or invalid")
        call = replace(call, user=user)
        if path == "/services/oauth2/userinfo":
            return rest.user_info(self._org, call)
        found = _IDENTITY.fullmatch(call.path.partition("?")[0].rstrip("/"))
        if found is not None:
            return rest.identity(self._org, call, *found.groups())
        if not self._org.count_request():
            raise ApiError(403, "REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded.")
        return self._with_limits(dispatch(self._org, call))

    def _with_limits(self, answer: Answer) -> Answer:
        usage = f"api-usage={self._org.used()}/{self._org.daily_limit}"
        return replace(answer, headers={**answer.headers, "Sforce-Limit-Info": usage})


def _call(request: Request, body: bytes) -> Call:
    raw = request.scope.get("raw_path") or request.scope["path"].encode()
    path = raw.decode("latin-1")
    query = request.scope["query_string"].decode("latin-1")
    headers = {name.lower(): value for name, value in request.headers.items()}
    base = f"{request.url.scheme}://{headers.get('host', '127.0.0.1')}"
    return Call(request.method, f"{path}?{query}" if query else path, headers=headers, body=body, base=base)


def _inflated(call: Call) -> Call:
    encoding = call.headers.get("content-encoding", "").lower()
    if encoding not in ("gzip", "deflate") or not isinstance(call.body, bytes):
        return call
    try:
        body = gzip.decompress(call.body) if encoding == "gzip" else zlib.decompress(call.body)
    except (OSError, EOFError, zlib.error):
        raise ApiError(400, "INVALID_REQUEST", "the body is not what Content-Encoding says") from None
    return replace(call, body=body)


def _check_head(call: Call) -> None:
    if len(call.path) > _MAX_HEAD:
        raise ApiError(414, "URI_TOO_LONG", "The URI is longer than 16,384 bytes")
    if len(call.path) + sum(len(name) + len(value) for name, value in call.headers.items()) > _MAX_HEAD:
        raise ApiError(431, "REQUEST_HEADER_TOO_LARGE", "The URI and headers are longer than 16,384 bytes")


def _response(answer: Answer) -> Response:
    headers = dict(answer.headers)
    if answer.body is None:
        return Response(status_code=answer.status, headers=headers)
    body = answer.body
    if not isinstance(body, bytes):
        body = json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()
    return Response(body, answer.status, headers, media_type=answer.media)


class _Cut:
    """Lets half of a body through."""

    def __init__(self, send: Send) -> None:
        self._send = send

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.body":
            half = message["body"][: len(message["body"]) // 2]
            message = {**message, "body": half, "more_body": True}
        await self._send(message)
