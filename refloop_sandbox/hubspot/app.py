"""The HTTP side: paths of every version, credentials, limits, and the headers of an answer."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from refloop_sandbox.hubspot.call import Answer, Call, Services
from refloop_sandbox.hubspot.errors import Refusal, correlation_id, no_such_path
from refloop_sandbox.hubspot.limits import Bucket
from refloop_sandbox.hubspot.records import InvalidValues
from refloop_sandbox.hubspot.routes.table import ENDPOINTS, Endpoint
from refloop_sandbox.hubspot.schema import object_type

_FAMILIES = "objects|associations|properties|pipelines|owners|schemas"
_LEGACY = re.compile(rf"/(?P<api>crm)/(?P<version>v3|v4)/(?P<rest>(?:{_FAMILIES})(?:/.*)?)")
_DATED = re.compile(rf"/(?P<api>crm)/(?P<family>{_FAMILIES})/(?P<version>2026-03|2026-09)(?P<rest>(?:/.*)?)")
_OLD_PROPERTIES = re.compile(r"/properties/(?P<version>v1|v2)/(?P<object>[^/]+)/properties")
_LEGACY_DEALS = re.compile(r"/(?P<api>companies|deals)/(?P<version>v1|v2)(?P<rest>/.*)")
_OTHERS = re.compile(r"/(?P<api>account-info|oauth)/(?P<version>v1|v3|2026-03|2026-09)(?P<rest>/.*)")
_CONTACTS = re.compile(r"/crm/contacts/(?P<version>v3|2026-03|2026-09)/gdpr-delete")


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
    if found := _CONTACTS.fullmatch(path):
        return "/crm/objects/contacts/gdpr-delete", found["version"]
    if found := _OLD_PROPERTIES.fullmatch(path):
        return f"/properties/{found['object']}/properties", found["version"]
    if found := _OTHERS.fullmatch(path) or _LEGACY_DEALS.fullmatch(path):
        return f"/{found['api']}{found['rest']}", found["version"]
    return None


class Dispatcher:
    """Takes requests for endpoints: counts them, checks the bearer and the limits, calls the handler."""

    def __init__(self, services: Services, calls: Counter[str]) -> None:
        self._services = services
        self._calls = calls

    def endpoint(self, endpoint: Endpoint) -> Callable[[Request], Awaitable[Response]]:
        async def serve(request: Request) -> Response:
            with self._services.portal.store.lock:
                return self.serve(endpoint, request)

        return serve

    def serve(self, endpoint: Endpoint, request: Request) -> Response:
        """One request, already routed and read. The caller holds the account's lock."""
        self._calls[f"{endpoint.method} {_counted_path(endpoint, request.path_params)}"] += 1
        return Response() if request.scope["struck"] else self._answered(endpoint, request)

    def _answered(self, endpoint: Endpoint, request: Request) -> Response:
        services = self._services
        open_to_all = endpoint.path.startswith("/oauth/")
        scope = request.scope
        asked = request.url.replace(path=scope["asked"])
        call = Call(services, scope["version"], request.path_params, request.query_params, scope["body"], asked)
        bucket = _bucket(endpoint)
        try:
            oauth = open_to_all or services.access.check(request.headers)
            services.limits.admit(bucket)
            services.access.require(endpoint.scopes(call))
            answer = _handled(endpoint, call)
        except Refusal as refusal:
            return _response(refusal.status, refusal.body(), refusal.headers)
        shown = {} if bucket == "search" or open_to_all else services.limits.headers(oauth=oauth)
        return _response(answer.status, answer.body, shown)


def _bucket(endpoint: Endpoint) -> Bucket:
    if endpoint.path.endswith("/search"):
        return "search"
    return "associations" if "/associations/" in endpoint.path else "other"


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
    """In front of the endpoints: takes the version out of the path."""

    def __init__(self, inner: ASGIApp) -> None:
        self._inner = inner

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path, version = canonical(scope["path"]) or ("/", "")
        seen = {"path": path, "raw_path": path.encode(), "version": version, "asked": scope["path"]}
        await self._inner({**scope, **seen}, receive, send)


def application(services: Services, calls: Counter[str]) -> ASGIApp:
    """The ASGI application of one account, to be put behind a `Middleware`."""
    dispatcher = Dispatcher(services, calls)
    routes = [Route(one.path, dispatcher.endpoint(one), methods=[one.method]) for one in ENDPOINTS]
    inner = Starlette(routes=routes, exception_handlers={404: _unknown_path, 405: _unknown_path})
    return Versions(inner)
