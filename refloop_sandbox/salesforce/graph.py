"""Several composite requests at once, each all or nothing (REST API Developer Guide, Composite Graph)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from refloop_sandbox.salesforce.call import Answer, Call
from refloop_sandbox.salesforce.composite import MAX_NODES, Dispatch, composite
from refloop_sandbox.salesforce.errors import ApiError, bad_json
from refloop_sandbox.salesforce.org import Org

_MAX_GRAPHS = 75


def graph(org: Org, call: Call, dispatch: Dispatch) -> Answer:
    """Runs the graphs in order. One that fails is undone and told; the others stay."""
    graphs = call.object().get("graphs")
    if not isinstance(graphs, list) or not graphs or not all(map(_is_graph, graphs)):
        raise bad_json("The request needs graphs, each with a graphId and a compositeRequest")
    names = [one["graphId"] for one in graphs]
    if len(set(names)) < len(names):
        raise ApiError(400, "DUPLICATE_GRAPH_ID", "Each graphId must be unique in a request")
    nodes = sum(len(one["compositeRequest"]) for one in graphs)
    if len(graphs) > _MAX_GRAPHS or nodes > MAX_NODES:
        raise ApiError(400, "LIMIT_EXCEEDED", f"The limit of {_MAX_GRAPHS} graphs and {MAX_NODES} nodes was exceeded")
    return Answer(body={"graphs": [_run(org, call, one, dispatch) for one in graphs]})


def _is_graph(one: object) -> bool:
    return (
        isinstance(one, dict) and isinstance(one.get("graphId"), str) and isinstance(one.get("compositeRequest"), list)
    )


def _run(org: Org, call: Call, one: Mapping[str, Any], dispatch: Dispatch) -> dict[str, object]:
    body = {"allOrNone": True, "compositeRequest": one["compositeRequest"]}
    answer = composite(org, replace(call, body=body), dispatch, most=MAX_NODES)
    response: Any = answer.body
    good = all(part["httpStatusCode"] < 400 for part in response["compositeResponse"])
    return {"graphId": one["graphId"], "graphResponse": response, "isSuccessful": good}
