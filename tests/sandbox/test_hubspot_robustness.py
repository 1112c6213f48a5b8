"""No body, however wrong its shape, gets anything but an answer of the API."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from starlette.requests import Request

from refloop_sandbox.hubspot import LocalHubSpot
from refloop_sandbox.hubspot.app import Dispatcher
from refloop_sandbox.hubspot.routes.table import ENDPOINTS

START = datetime(2026, 9, 1, 10, 0, tzinfo=UTC)
PARTS = {"object": "deals", "to": "contacts", "id": "101", "to_id": "101", "name": "ref", "type": "3"}
JUNK: tuple[Any, ...] = (None, True, -1, 1.5, "", "x", [], [None], ["x"], {}, {"x": 1}, "9" * 30)

_TYPES = [{"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": 3}]
_TRACED = {"id": "101", "objectWriteTraceId": "t", "properties": {"amount": "1", "dealname": "D"}}
_FILTERS = [
    {"propertyName": "amount", "operator": "BETWEEN", "value": "1", "highValue": "2"},
    {"propertyName": "closedate", "operator": "IN", "values": ["1", "2"]},
    {"propertyName": "associations.contact", "operator": "EQ", "value": "101"},
]
_DEFINITION = {
    "name": "fresh",
    "label": "Fresh",
    "type": "enumeration",
    "fieldType": "select",
    "groupName": "dealinformation",
    "displayOrder": 1,
    "options": [{"label": "A", "value": "a", "displayOrder": 1, "hidden": False}],
}
_STAGE = {"label": "S", "displayOrder": 1, "metadata": {"isClosed": "true", "probability": "1.0"}}
_EDGE = {"from": {"id": "101"}, "to": {"id": "101"}, "types": _TYPES}
_OBJECTS, _LINKS = "/crm/objects/{object}", "/crm/associations/{object}/{to}"
_CREATED = {"properties": {"dealname": "D"}, "associations": [{"to": {"id": "101"}, "types": _TYPES}]}
BODIES: dict[str, Any] = {
    f"POST {_OBJECTS}": _CREATED,
    f"PATCH {_OBJECTS}/{{id}}": {"properties": {"amount": "1", "closedate": "2026-01-01"}},
    f"POST {_OBJECTS}/search": {
        "filterGroups": [{"filters": _FILTERS}],
        "sorts": [{"propertyName": "amount", "direction": "ASCENDING"}],
        "query": "D",
        "properties": ["amount"],
        "limit": 10,
        "after": "0",
    },
    f"POST {_OBJECTS}/merge": {"primaryObjectId": "101", "objectIdToMerge": "102"},
    f"POST {_OBJECTS}/gdpr-delete": {"objectId": "101", "idProperty": "ref"},
    f"POST {_OBJECTS}/batch/read": {
        "inputs": [{"id": "101"}],
        "properties": ["amount"],
        "propertiesWithHistory": ["amount"],
        "idProperty": "hs_object_id",
    },
    f"POST {_OBJECTS}/batch/create": {"inputs": [{**_CREATED, "objectWriteTraceId": "t"}]},
    f"POST {_OBJECTS}/batch/update": {"inputs": [_TRACED]},
    f"POST {_OBJECTS}/batch/upsert": {"inputs": [{**_TRACED, "idProperty": "ref"}]},
    f"POST {_OBJECTS}/batch/archive": {"inputs": [{"id": "102"}]},
    f"PUT {_OBJECTS}/{{id}}/associations/{{to}}/{{to_id}}": _TYPES,
    f"POST {_LINKS}/batch/read": {"inputs": [{"id": "101", "after": "0"}]},
    f"POST {_LINKS}/batch/create": {"inputs": [_EDGE]},
    f"POST {_LINKS}/batch/associate/default": {"inputs": [_EDGE]},
    f"POST {_LINKS}/batch/archive": {"inputs": [{"from": {"id": "101"}, "to": [{"id": "101"}]}]},
    f"POST {_LINKS}/batch/labels/archive": {"inputs": [_EDGE]},
    f"POST {_LINKS}/labels": {"label": "L", "inverseLabel": "R"},
    "POST /crm/properties/{object}": _DEFINITION,
    "PATCH /crm/properties/{object}/{name}": {"label": "R", "displayOrder": 1, "options": []},
    "POST /crm/properties/{object}/groups": {"name": "g", "label": "G", "displayOrder": 1},
    "POST /crm/properties/{object}/batch/create": {"inputs": [_DEFINITION]},
    "POST /crm/properties/{object}/batch/read": {"inputs": [{"name": "amount"}]},
    "POST /crm/properties/{object}/batch/archive": {"inputs": [{"name": "ref"}]},
    "POST /crm/pipelines/{object}": {"label": "P", "displayOrder": 1, "stages": [_STAGE]},
    "PATCH /crm/pipelines/{object}/{id}": {"label": "P", "displayOrder": 1},
    "POST /crm/pipelines/{object}/{id}/stages": _STAGE,
    "PATCH /crm/pipelines/{object}/{id}/stages/{stage}": _STAGE,
}
"""A sound body for each endpoint that takes one."""


def spoiled(body: Any) -> Iterator[Any]:
    """The body, with each of its parts in turn replaced by each kind of junk."""
    yield from JUNK
    if isinstance(body, dict):
        for key, value in body.items():
            for junk in spoiled(value):
                yield {**body, key: junk}
            yield {name: kept for name, kept in body.items() if name != key}
    elif isinstance(body, list):
        for place, value in enumerate(body):
            for junk in spoiled(value):
                yield [*body[:place], junk, *body[place + 1 :]]


def account() -> LocalHubSpot:
    hubspot = LocalHubSpot(clock=lambda: START)
    hubspot.load("contacts", [{"email": "a@x.org"}])
    hubspot.load("deals", [{"dealname": "D"}, {"dealname": "E"}])
    hubspot.define_property("deals", {"name": "ref", "hasUniqueValue": True})
    return hubspot


@pytest.mark.parametrize("name", BODIES)
@pytest.mark.parametrize("version", ["v3", "2026-03", "2026-09"])
def test_no_body_breaks_an_endpoint(name: str, version: str) -> None:
    method, path = name.split(" ")
    endpoint = next(one for one in ENDPOINTS if (one.method, one.path) == (method, path))
    parts = {**PARTS, "stage": "closedwon"}
    if path.startswith("/crm/pipelines"):
        parts["id"] = "default"
    hubspot = account()
    dispatcher = Dispatcher(hubspot._services, Counter())
    statuses = []
    for body in [BODIES[name], *spoiled(BODIES[name])]:
        scope = {
            "type": "http",
            "method": method,
            "path": path,
            "asked": path,
            "query_string": b"",
            "headers": [(b"authorization", b"Bearer pat-na1-local")],
            "path_params": parts,
            "version": version,
            "body": json.dumps(body).encode(),
            "struck": False,
            "server": ("127.0.0.1", 80),
        }
        answer = dispatcher.serve(endpoint, Request(scope))
        statuses.append(answer.status_code)
    assert statuses[0] < 300 or version == "v3"
    assert max(statuses) < 500
