"""Which resource answers which path. Case and trailing slashes do not matter."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from urllib.parse import parse_qsl, unquote

from refloop_sandbox.salesforce import bulk_ingest, bulk_query, bulk_v1, composite, graph, rest, sobjects, sosl, tooling
from refloop_sandbox.salesforce.call import Answer, Call
from refloop_sandbox.salesforce.errors import ApiError, not_found
from refloop_sandbox.salesforce.org import Org

_VERSION = re.compile(r"/services/data/v(\d+)\.0(/.*|)", re.IGNORECASE)
_RETIRED_FROM = 7


def _composite(org: Org, call: Call) -> Answer:
    return composite.composite(org, call, dispatch)


def _batch(org: Org, call: Call) -> Answer:
    return composite.batch(org, call, dispatch)


def _graph(org: Org, call: Call) -> Answer:
    return graph.graph(org, call, dispatch)


_TABLE: tuple[tuple[str, str, Callable[..., Answer]], ...] = (
    ("GET", "", rest.resources),
    ("GET", "/query", rest.query),
    ("GET", "/query/{locator}", rest.query_more),
    ("GET", "/queryAll", rest.query_all),
    ("GET", "/queryAll/{locator}", rest.query_more),
    ("GET", "/search", sosl.search),
    ("GET", "/limits", rest.limits),
    ("GET", "/limits/recordCount", rest.record_count),
    ("GET", "/recent", rest.recent),
    ("GET", "/sobjects", sobjects.list_objects),
    ("GET", "/sobjects/{sobject}", sobjects.basic_info),
    ("POST", "/sobjects/{sobject}", sobjects.create),
    ("GET", "/sobjects/{sobject}/describe", sobjects.describe),
    ("GET", "/sobjects/{sobject}/updated", sobjects.updated),
    ("GET", "/sobjects/{sobject}/deleted", sobjects.deleted),
    ("GET", "/sobjects/{sobject}/{id}", sobjects.read),
    ("PATCH", "/sobjects/{sobject}/{id}", sobjects.change),
    ("DELETE", "/sobjects/{sobject}/{id}", sobjects.remove),
    ("GET", "/sobjects/{sobject}/{field}/{value}", sobjects.read_by),
    ("PATCH", "/sobjects/{sobject}/{field}/{value}", sobjects.upsert),
    ("POST", "/composite", _composite),
    ("POST", "/composite/batch", _batch),
    ("POST", "/composite/graph", _graph),
    ("POST", "/composite/sobjects", composite.create_all),
    ("PATCH", "/composite/sobjects", composite.update_all),
    ("DELETE", "/composite/sobjects", composite.delete_all),
    ("GET", "/composite/sobjects/{sobject}", composite.read_all),
    ("POST", "/composite/sobjects/{sobject}", composite.read_all),
    ("PATCH", "/composite/sobjects/{sobject}/{field}", composite.upsert_all),
    ("GET", "/jobs/query", bulk_query.list_jobs),
    ("POST", "/jobs/query", bulk_query.create),
    ("GET", "/jobs/query/{id}", bulk_query.read),
    ("PATCH", "/jobs/query/{id}", bulk_query.change),
    ("DELETE", "/jobs/query/{id}", bulk_query.remove),
    ("GET", "/jobs/query/{id}/results", bulk_query.results),
    ("GET", "/jobs/query/{id}/resultPages", bulk_query.result_pages),
    ("GET", "/jobs/ingest", bulk_ingest.list_jobs),
    ("POST", "/jobs/ingest", bulk_ingest.create),
    ("GET", "/jobs/ingest/{id}", bulk_ingest.read),
    ("PATCH", "/jobs/ingest/{id}", bulk_ingest.change),
    ("DELETE", "/jobs/ingest/{id}", bulk_ingest.remove),
    ("PUT", "/jobs/ingest/{id}/batches", bulk_ingest.upload),
    ("GET", "/jobs/ingest/{id}/{name:successfulResults|failedResults|unprocessedRecords}", bulk_ingest.results),
    ("GET", "/tooling/query", rest.tooling_query),
    ("GET", "/tooling/query/{locator}", rest.tooling_more),
    ("GET", "/tooling/sobjects", tooling.list_objects),
    ("GET", "/tooling/sobjects/CustomField/describe", tooling.describe),
    ("POST", "/tooling/sobjects/CustomField", tooling.create),
    ("GET", "/tooling/sobjects/CustomField/{id}", tooling.read),
    ("PATCH", "/tooling/sobjects/CustomField/{id}", tooling.change),
    ("DELETE", "/tooling/sobjects/CustomField/{id}", tooling.remove),
)


@dataclass(frozen=True, slots=True)
class Route:
    method: str
    template: str
    pattern: re.Pattern[str]
    resource: Callable[..., Answer]


def _route(method: str, template: str, resource: Callable[..., Answer]) -> Route:
    pattern = re.sub(r"\{(\w+):([^}]+)\}", r"(?P<\1>\2)", template)
    pattern = re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", pattern)
    return Route(method, re.sub(r":[^}]+", "", template), re.compile(pattern, re.IGNORECASE), resource)


_ROUTES = tuple(_route(*line) for line in _TABLE)


def dispatch(org: Org, call: Call) -> Answer:
    """Answers a call whose path starts with `/services/data/vN.0`. Raises ApiError where the API refuses."""
    call, rest_path = _versioned(call)
    allowed = []
    for route, found in _matching(rest_path):
        if route.method == call.method:
            return route.resource(org, call, **{name: unquote(value) for name, value in found.groupdict().items()})
        allowed.append(route.method)
    if not allowed:
        raise not_found()
    message = f"HTTP Method '{call.method}' not allowed. Allowed are {','.join(sorted(set(allowed)))}"
    raise ApiError(405, "METHOD_NOT_ALLOWED", message)


def _versioned(call: Call) -> tuple[Call, str]:
    path, _, query = call.path.partition("?")
    path = re.sub("/+", "/", path).rstrip("/")
    found = _VERSION.fullmatch(path)
    if found is None:
        raise not_found()
    number = int(found[1])
    if _RETIRED_FROM <= number < rest.OLDEST:
        message = f"API version {number}.0 is retired; use {rest.OLDEST}.0 or later"
        raise ApiError(410, "UNSUPPORTED_API_VERSION", message)
    if not rest.OLDEST <= number <= rest.NEWEST:
        raise not_found()
    asked = dict(parse_qsl(query, keep_blank_values=True))
    method = asked.pop("_HttpMethod", call.method) if call.method == "POST" else call.method
    return replace(call, method=method.upper(), query=asked, version=f"{number}.0"), found[2]


def _matching(path: str) -> Iterator[tuple[Route, re.Match[str]]]:
    for route in _ROUTES:
        found = route.pattern.fullmatch(path)
        if found is not None:
            yield route, found


def endpoint(org: Org, call: Call) -> str:
    """What a call counts as: its method and path with the version cut off and ids replaced."""
    path = re.sub("/+", "/", call.path.partition("?")[0]).rstrip("/")
    if path.startswith(bulk_v1.ROOT):
        return bulk_v1.endpoint(call)
    versioned = _VERSION.fullmatch(path)
    if versioned is None or not versioned[2]:
        return f"{call.method} {re.sub(r'/id/.*', '/id/{organization}/{user}', path)}"
    for route, found in _matching(versioned[2]):
        if route.method == call.method:
            names = {key: "{" + key + "}" for key in found.groupdict()}
            for key in ("sobject", "name"):
                if key in names:
                    known = org.schema.get(found[key])
                    names[key] = known.name if known else found[key]
            return f"{call.method} {route.template.format(**names)}"
    return f"{call.method} {versioned[2]}"
