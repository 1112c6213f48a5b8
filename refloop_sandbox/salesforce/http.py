"""The API over HTTP: sessions and meters."""

from __future__ import annotations

import gzip
import json
import re
import zlib
from collections import Counter
from dataclasses import replace
from functools import partial

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from refloop_sandbox.salesforce import bulk_v1, rest, soap, troubles
from refloop_sandbox.salesforce.call import Answer, Call
from refloop_sandbox.salesforce.errors import ApiError, located
from refloop_sandbox.salesforce.oauth import Tokens
from refloop_sandbox.salesforce.org import Org
from refloop_sandbox.salesforce.routes import dispatch, endpoint
from refloop_sandbox.traffic import Traffic

_MAX_HEAD = 16_384
_IDENTITY = re.compile(r"/id/(\w{15,18})/(\w{15,18})")


class Api:
    """The ASGI application, to be put behind a `Middleware`. Requests are served one at a time, on the event loop."""

    def __init__(self, org: Org, tokens: Tokens, traffic: Traffic, calls: Counter[str]) -> None:
        self._org = org
        self._tokens = tokens
        self._traffic = traffic
        self._calls = calls

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        call = _call(Request(scope), scope["body"])
        with self._org.store.lock:
            self._calls[endpoint(self._org, call)] += 1
            answer = Answer() if scope["struck"] else self._serve(call)
        await _response(answer)(scope, receive, send)

    def _serve(self, call: Call) -> Answer:
        path = call.path.partition("?")[0].rstrip("/").lower()
        if path == "/services/data":
            return rest.versions()
        if path == "/services/oauth2/token":
            return self._tokens.token(self._org, call)
        if soap.ADDRESS.fullmatch(path):
            return soap.login(self._org, call, partial(self._tokens.sign_in, self._org))
        try:
            return self._metered(_inflated(call), path)
        except ApiError as error:
            if path.startswith(bulk_v1.ROOT):
                return bulk_v1.refusal(call, error)
            return self._with_limits(Answer(error.status, located(error, call.body).body()))

    def _metered(self, call: Call, path: str) -> Answer:
        _check_head(call)
        is_bulk = path.startswith(bulk_v1.ROOT)
        call = bulk_v1.signed(call) if is_bulk else call
        user = self._tokens.user(self._org, call)
        if user is None:
            raise troubles.session_expired()
        call = replace(call, user=user)
        if path == "/services/oauth2/userinfo":
            return rest.user_info(self._org, call)
        found = _IDENTITY.fullmatch(call.path.partition("?")[0].rstrip("/"))
        if found is not None:
            return rest.identity(self._org, call, *found.groups())
        if self._traffic.crowded():
            self._traffic.refused["concurrent"] += 1
            raise troubles.concurrent()
        if not self._org.count_request():
            self._traffic.refused["daily"] += 1
            raise troubles.daily()
        return bulk_v1.dispatch(self._org, call) if is_bulk else self._with_limits(dispatch(self._org, call))

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
