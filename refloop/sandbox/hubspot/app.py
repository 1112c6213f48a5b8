"""The HTTP side: paths of every version, credentials, limits, faults, and the headers of an answer."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from email.utils import format_datetime
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from refloop.sandbox.hubspot.call import Answer, Call, Services
from refloop.sandbox.hubspot.errors import Refusal, correlation_id, no_such_path
from refloop.sandbox.hubspot.faults import Fault, Faults, HangUp
from refloop.sandbox.hubspot.records import InvalidValues
from refloop.sandbox.hubspot.routes.table import ENDPOINTS, Endpoint
from refloop.sandbox.hubspot.schema import object_type
from refloop.sandbox.hubspot.wire import moment

_FAMILIES = "objects|associations|properties|pipelines|owners"
_LEGACY = re.compile(rf"/(?P<api>crm)/(?P<version>v3|v4)/(?P<rest>(?:{_FAMILIES})(?:/.*)?)")
_DATED = re.compile(rf"/(?P<api>crm)/(?P<family>{_FAMILIES})/(?P<version>2026-03|2026-09)(?P<rest>(?:/.*)?)")
_OLD_PROPERTIES = re.compile(r"/properties/(?P<version>v1|v2)/(?P<object>[^/]+)/properties")
_OTHERS = re.compile(r"/(?P<api>account-info|oauth)/(?P<version>v1|v3|2026-03|2026-09)(?P<rest>/.*)")


def canonical(path: str) -> tuple[str, str] | None:
    """(path without its version, version): `/crm/v3/objects/x` and `/crm/objects/2026-03/x` are one endpoint.

    None for a path that HubSpot does not have. v4 holds associations alone.
    """
    path = path.rstrip("/")
    if found := _LEGACY.fullmatch(path):
        rest = found["rest"]
        if found["version"] == "v4" and "associations" not in rest:
            return None
        return f"/crm/{rest}", found["version"]
    if found := _DATED.fullmatch(path):
        return f"/crm/{found['family']}{found['rest']}", found["version"]
    if found := _OLD_PROPERTIES.fullmatch(path):
        return f"/properties/{found['object']}/properties", found["version"]
    if found := _OTHERS.fullmatch(path):
        return f"/{found['api']}{found['rest']}", found["version"]
    return None


class Desk:
    """Takes requests for endpoints: counts them, lets faults strike, checks the bearer, calls the handler."""

    def __init__(self, services: Services, faults: Faults, calls: Counter[str]) -> None:
        self._services = services
        self._faults = faults
        self._calls = calls

    def endpoint(self, endpoint: Endpoint) -> Callable[[Request], Awaitable[Response]]:
        async def serve(request: Request) -> Response:
            raw = await request.body()
            with self._services.portal.store.lock:
                return self.serve(endpoint, request, raw)

        return serve

    def serve(self, endpoint: Endpoint, request: Request, raw: bytes) -> Response:
        """One request, already routed and read. The caller holds the account's lock."""
        self._calls[f"{endpoint.method} {_counted_path(endpoint, request.path_params)}"] += 1
        fault = self._faults.take(request.scope["asked_path"])
        if fault is not None and not fault.applied:
            return _struck(fault)
        answer = self._answered(endpoint, request, raw)
        return answer if fault is None else _struck(fault)

    def _answered(self, endpoint: Endpoint, request: Request, raw: bytes) -> Response:
        services = self._services
        open_to_all = endpoint.path.startswith("/oauth/")
        call = Call(
            services, request.scope["version"], request.path_params, request.query_params, raw, str(request.url)
        )
        searching = endpoint.path.endswith("/search")
        try:
            oauth = open_to_all or services.access.check(request.headers)
            services.limits.admit(search=searching)
            services.access.require(endpoint.scopes(call))
            answer = _handled(endpoint, call)
        except Refusal as refusal:
            return _response(refusal.status, refusal.body(), refusal.headers)
        shown = {} if searching or open_to_all else services.limits.headers(oauth=oauth)
        return _response(answer.status, answer.body, shown)


def _handled(endpoint: Endpoint, call: Call) -> Answer:
    try:
        with call.portal.store.atomic():
            return endpoint.handler(call)
    except InvalidValues as problem:
        raise problem.refusal(call.portal) from None


def _counted_path(endpoint: Endpoint, parts: Mapping[str, Any]) -> str:
    """The endpoint's path with its objects named, and ids left out."""
    named = dict(parts)
    for key in ("object", "to"):
        if key in named:
            try:
                named[key] = object_type(named[key]).name
            except Refusal:
                named[key] = "unknown"
    return endpoint.path.replace("{object}", named.get("object", "")).replace("{to}", named.get("to", ""))


def _struck(fault: Fault) -> Response:
    if fault.status is None:
        return HangUp()
    if isinstance(fault.body, Mapping):
        return _response(fault.status, dict(fault.body), fault.headers)
    kind = "text/html" if str(fault.body).lstrip().startswith("<") else "text/plain"
    return Response(fault.body, fault.status, {"content-type": kind, **fault.headers})


def _response(status: int, body: Any, headers: Mapping[str, str]) -> Response:
    text = b"" if body is None else json.dumps(body, separators=(",", ":"), ensure_ascii=False).encode()
    correlation = body.get("correlationId") if isinstance(body, dict) else None
    named = {"x-hubspot-correlation-id": correlation or correlation_id(), **headers}
    return Response(text, status, named, None if body is None else "application/json;charset=utf-8")


async def _unknown_path(_request: Request, problem: Exception) -> Response:
    if isinstance(problem, HTTPException) and problem.status_code == 405:
        body = {"status": "error", "message": "HTTP 405 Method Not Allowed", "correlationId": correlation_id()}
        return _response(405, body, problem.headers or {})
    return _response(404, no_such_path().body(), {})


class Versions:
    """In front of the endpoints: takes the version out of the path, and puts the account's time on each answer."""

    def __init__(self, inner: ASGIApp, services: Services) -> None:
        self._inner = inner
        self._portal = services.portal

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        path, version = canonical(scope["path"]) or ("/", "")

        async def dated(message: Message) -> None:
            if message["type"] == "http.response.start":
                now = format_datetime(moment(self._portal.now()), usegmt=True)
                message = {**message, "headers": [*message["headers"], (b"date", now.encode())]}
            await send(message)

        inner_scope = {
            **scope,
            "path": path,
            "raw_path": path.encode(),
            "version": version,
            "asked_path": scope["path"],
        }
        await self._inner(inner_scope, receive, dated)


def application(services: Services, faults: Faults, calls: Counter[str]) -> ASGIApp:
    """The ASGI application of one account."""
    desk = Desk(services, faults, calls)
    routes = [Route(one.path, desk.endpoint(one), methods=[one.method]) for one in ENDPOINTS]
    inner = Starlette(routes=routes, exception_handlers={404: _unknown_path, 405: _unknown_path})
    return Versions(inner, services)
