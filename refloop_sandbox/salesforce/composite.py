"""Composite, batch and sObject Collections (REST API Developer Guide, Composite Resources)."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import groupby
from typing import Any

from refloop_sandbox.salesforce.call import Answer, Call
from refloop_sandbox.salesforce.errors import ApiError, RecordError, bad_json
from refloop_sandbox.salesforce.ids import full_id
from refloop_sandbox.salesforce.org import Org
from refloop_sandbox.salesforce.records import Actor
from refloop_sandbox.salesforce.schema import SObject
from refloop_sandbox.salesforce.sobjects import attributes, picked, put, without_attributes
from refloop_sandbox.salesforce.values import shown

Dispatch = Callable[[Org, Call], Answer]
_MAX_SUBREQUESTS = 25
MAX_NODES = 500
"""In all graphs of one request."""
_MAX_QUERIES = 5
_MAX_RECORDS = 200
_MAX_CHUNKS = 10
_MAX_READ = 2000
_REFERENCE = re.compile(r"@\{([A-Za-z0-9_]+)\.([^}]*)\}")
_REFERENCE_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_]*")
_INHERITED = frozenset({"accept", "authorization", "content-type"})
_QUERY_LIKE = re.compile(r"/services/data/v[\d.]+/(query|queryAll|composite/sobjects)\b", re.IGNORECASE)
_ALLOWED = re.compile(r"/services/data/v[\d.]+/(sobjects|query|queryAll|composite/sobjects)(/|\?|$)", re.IGNORECASE)
_ROLLED_BACK = "The transaction was rolled back since another operation in the same transaction failed."


class _RollBack(Exception):  # noqa: N818 - it steers, it is no error
    pass


def composite(org: Org, call: Call, dispatch: Dispatch, *, most: int = _MAX_SUBREQUESTS) -> Answer:
    """Runs up to 25 sub-requests in order (of a graph, `most`). With allOrNone, one failure undoes all."""
    body = call.object()
    parts = _parts(body, most)
    whole = body.get("allOrNone") is True
    done: dict[str, Answer] = {}
    try:
        with org.store.transaction():
            for part in parts:
                done[part["referenceId"]] = _run(org, call, part, done, (dispatch, whole))
                if whole and _failed(done[part["referenceId"]]):
                    raise _RollBack
    except _RollBack:
        org.records.rolled_back()
        done = {part["referenceId"]: _halted(done.get(part["referenceId"])) for part in parts}
    return Answer(body={"compositeResponse": [_response(name, answer) for name, answer in done.items()]})


def _failed(answer: Answer) -> bool:
    if answer.status >= 400:
        return True
    return isinstance(answer.body, list) and any(
        isinstance(item, dict) and item.get("success") is False for item in answer.body
    )


def _halted(answer: Answer | None) -> Answer:
    if answer is not None and _failed(answer):
        return answer
    return Answer(400, [{"errorCode": "PROCESSING_HALTED", "message": _ROLLED_BACK}])


def _response(name: str, answer: Answer) -> dict[str, object]:
    return {
        "body": answer.body, "httpHeaders": dict(answer.headers), "httpStatusCode": answer.status, "referenceId": name
    }  # fmt: skip


def _parts(body: Mapping[str, Any], most: int) -> Sequence[dict[str, Any]]:
    parts = body.get("compositeRequest")
    if not isinstance(parts, list) or not parts:
        raise bad_json("The compositeRequest must hold at least one subrequest")
    if len(parts) > most:
        raise ApiError(400, "LIMIT_EXCEEDED", f"The limit of {most} subrequests was exceeded")
    for part in parts:
        if not isinstance(part, dict) or not all(
            isinstance(part.get(name), str) for name in ("method", "url", "referenceId")
        ):
            raise bad_json("Each subrequest needs a method, url and referenceId")
        if not _REFERENCE_ID.fullmatch(part["referenceId"]):
            raise ApiError(400, "INVALID_REFERENCE_ID", f"Provided referenceId ('{part['referenceId']}') must start with a letter or a number, and it can contain only letters, numbers and underscores ('_').")  # fmt: skip # noqa: E501 - one text
    for part in parts:
        _check_headers(part.get("httpHeaders"))
    if len({part["referenceId"] for part in parts}) < len(parts):
        raise ApiError(400, "DUPLICATE_REFERENCE_ID", "Each referenceId must be unique in a request")
    if sum(bool(_QUERY_LIKE.match(part["url"])) for part in parts) > _MAX_QUERIES:
        message = f"The limit of {_MAX_QUERIES} query and sObject collection subrequests was exceeded"
        raise ApiError(400, "LIMIT_EXCEEDED", message)
    return parts


def _check_headers(headers: object) -> None:
    """REST API docs, "Composite Subrequest": what a part inherits it may not name, or the whole request fails."""
    if headers is None:
        return
    if not isinstance(headers, dict) or not all(isinstance(value, str) for value in headers.values()):
        raise bad_json("The httpHeaders of a subrequest must be a map of texts")
    for name in headers:
        if name.lower() in _INHERITED:
            raise ApiError(400, "INVALID_INPUT", f"The header {name} can't be specified in a subrequest")


def _run(org: Org, call: Call, part: dict[str, Any], done: Mapping[str, Answer], how: tuple[Dispatch, bool]) -> Answer:
    dispatch, whole = how
    try:
        part = {**part, "url": _filled(part["url"], done), "body": _filled(part.get("body"), done)}
        if not _ALLOWED.match(part["url"]):
            raise ApiError(400, "INVALID_INPUT", f"The url {part['url']} is not supported in a composite request")
        body = part["body"]
        if isinstance(body, dict) and "records" in body and whole:
            body = {**body, "allOrNone": True}
        headers = {name.lower(): value for name, value in (part.get("httpHeaders") or {}).items()}
        sub = replace(call, method=part["method"].upper(), path=part["url"], query={}, headers=headers, body=body)
        with org.store.transaction():
            return dispatch(org, sub)
    except ApiError as error:
        return Answer(error.status, error.body())


def _filled(value: Any, done: Mapping[str, Answer]) -> Any:
    """Puts the results of earlier sub-requests where `@{id.path}` stands."""
    if isinstance(value, dict):
        return {key: _filled(item, done) for key, item in value.items()}
    if isinstance(value, list):
        return [_filled(item, done) for item in value]
    if not isinstance(value, str):
        return value
    alone = _REFERENCE.fullmatch(value)
    if alone:
        return _looked_up(alone, done)
    return _REFERENCE.sub(lambda found: str(_looked_up(found, done)), value)


def _looked_up(found: re.Match[str], done: Mapping[str, Answer]) -> Any:
    name, path = found.groups()
    answer = done.get(name)
    value: Any = answer.body if answer is not None and answer.status < 400 else None
    try:
        for step in re.findall(r"[^.\[\]]+", path):
            value = value[int(step)] if isinstance(value, list) else value[step]
    except (KeyError, IndexError, TypeError, ValueError):
        message = f"Invalid reference specified. No value for {name}.{path} found in {name}"
        raise ApiError(400, "PROCESSING_HALTED", message) from None
    return value


def batch(org: Org, call: Call, dispatch: Dispatch) -> Answer:
    """Runs up to 25 independent sub-requests; each counts against the API limit."""
    parts = call.object().get("batchRequests")
    if not isinstance(parts, list) or not 0 < len(parts) <= _MAX_SUBREQUESTS:
        raise ApiError(400, "LIMIT_EXCEEDED", f"A batch holds 1 to {_MAX_SUBREQUESTS} subrequests")
    answers = []
    for part in parts:
        org.count_request()
        path = f"/services/data/{str(part['url']).lstrip('/')}"
        try:
            with org.store.transaction():
                sub = replace(call, method=part["method"].upper(), path=path, query={}, body=part.get("richInput"))
                answers.append(dispatch(org, sub))
        except ApiError as error:
            answers.append(Answer(error.status, error.body()))
    results = [{"statusCode": answer.status, "result": answer.body} for answer in answers]
    return Answer(body={"hasErrors": any(answer.status >= 400 for answer in answers), "results": results})


@dataclass(frozen=True, slots=True)
class _Collection:
    """Records of one request, each with its object, and whether all must succeed."""

    items: tuple[tuple[SObject, dict[str, Any]], ...]
    whole: bool


def create_all(org: Org, call: Call) -> Answer:
    def one(item: SObject, fields: dict[str, Any], actor: Actor) -> dict[str, object]:
        return {"id": org.records.create(item, fields, actor), "success": True, "errors": []}

    return _each(org, call, _collection(org, call), one)


def update_all(org: Org, call: Call) -> Answer:
    def one(item: SObject, fields: dict[str, Any], actor: Actor) -> dict[str, object]:
        record_id = _taken_id(fields)
        org.records.update(item, record_id, fields, actor)
        return {"id": full_id(record_id), "success": True, "errors": []}

    return _each(org, call, _collection(org, call), one)


def upsert_all(org: Org, call: Call, sobject: str, field: str) -> Answer:
    wanted = org.schema.named(sobject)
    collection = _collection(org, call)
    if any(item is not wanted for item, _ in collection.items):
        raise ApiError(400, "INVALID_TYPE", f"all records must be of type {wanted.name}")

    def one(item: SObject, fields: dict[str, Any], actor: Actor) -> dict[str, object]:  # noqa: ARG001 - put() asks call
        key = next((name for name in fields if name.casefold() == field.casefold()), None)
        if key is None or fields[key] in (None, ""):
            raise RecordError("MISSING_ARGUMENT", f"{field} not specified")
        value = fields.pop(key)
        record_id, created = put(org, call, item, (field, value), fields)
        return {"id": record_id, "success": True, "errors": [], "created": created}

    return _each(org, call, collection, one)


def delete_all(org: Org, call: Call) -> Answer:
    ids = call.asked("ids").split(",")
    items = tuple((_owner(org, record_id), {"id": record_id}) for record_id in ids)
    collection = _Collection(items, call.query.get("allOrNone", "false").lower() == "true")
    _check_size(collection.items)

    def one(item: SObject, fields: dict[str, Any], actor: Actor) -> dict[str, object]:
        org.records.delete(item, fields["id"], actor)
        return {"id": full_id(fields["id"]), "success": True, "errors": []}

    return _each(org, call, collection, one)


def _owner(org: Org, record_id: str) -> SObject:
    found = org.schema.by_prefix(record_id[:3]) if full_id(record_id) else None
    if found is None:
        raise ApiError(400, "MALFORMED_ID", f"malformed id {record_id}")
    return found


def _collection(org: Org, call: Call) -> _Collection:
    body = call.object()
    records = body.get("records")
    if not isinstance(records, list) or not all(isinstance(record, dict) for record in records):
        raise bad_json("The request needs a list of records")
    items = tuple((_typed(org, record), without_attributes(record)) for record in records)
    _check_size(items)
    return _Collection(items, body.get("allOrNone") is True)


def _typed(org: Org, record: Mapping[str, Any]) -> SObject:
    given = record.get("attributes")
    name = given.get("type") if isinstance(given, dict) else None
    if not isinstance(name, str):
        raise ApiError(400, "INVALID_INPUT", "each record needs attributes with its type")
    found = org.schema.get(name)
    if found is None or found.tooling:
        raise ApiError(400, "INVALID_TYPE", f"sObject type '{name}' is not supported.")
    return found


def _check_size(items: Sequence[tuple[SObject, object]]) -> None:
    if len(items) > _MAX_RECORDS:
        message = f"record limit reached. cannot submit more than {_MAX_RECORDS} records into this call"
        raise ApiError(400, "EXCEEDED_ID_LIMIT", message)
    chunks = sum(1 for _ in groupby(item.name for item, _ in items))
    if chunks > _MAX_CHUNKS:
        message = (
            f"Cannot have more than {_MAX_CHUNKS} chunks in a single operation. Please rearrange the data to reduce "
            "chunking."
        )
        raise ApiError(400, "LIMIT_EXCEEDED", message)
    if len({item.setup for item, _ in items}) > 1:
        message = (
            "DML operation on setup object is not permitted after you have updated a non-setup object (or vice versa)"
        )
        raise ApiError(400, "MIXED_DML_OPERATION", message)


def _each(
    org: Org, call: Call, collection: _Collection, one: Callable[[SObject, dict[str, Any], Actor], dict[str, object]]
) -> Answer:
    actor = call.actor()
    results: list[dict[str, object]] = []
    try:
        with org.store.transaction():
            for item, fields in collection.items:
                results.append(_attempt(org, partial(one, item, dict(fields), actor), fields))
            if collection.whole and any(not result["success"] for result in results):
                raise _RollBack
    except _RollBack:
        org.records.rolled_back()
        results = [_undone(result) for result in results]
    return Answer(body=results)


def _attempt(org: Org, one: Callable[[], dict[str, object]], fields: Mapping[str, Any]) -> dict[str, object]:
    try:
        with org.store.transaction():
            return one()
    except RecordError as error:
        failed: dict[str, object] = {"success": False, "errors": [error.result()]}
        given = next((value for name, value in fields.items() if name.lower() == "id"), None)
        if isinstance(given, str) and full_id(given) and error.code != "INVALID_CROSS_REFERENCE_KEY":
            failed = {"id": full_id(given), **failed}
        return failed


def _undone(result: dict[str, object]) -> dict[str, object]:
    if not result["success"]:
        return result
    message = "Record rolled back because not all records were valid and the request was using AllOrNone header"
    error = RecordError("ALL_OR_NONE_OPERATION_ROLLED_BACK", message)
    return {**({"id": result["id"]} if "id" in result else {}), "success": False, "errors": [error.result()]}


def _taken_id(fields: dict[str, Any]) -> str:
    key = next((name for name in fields if name.lower() == "id"), None)
    if key is None:
        raise RecordError("MISSING_ARGUMENT", "Id not specified in an update call")
    return str(fields.pop(key))


def read_all(org: Org, call: Call, sobject: str) -> Answer:
    """Rows by id: null where the id is malformed or there is none to see. Fields must be named."""
    item = org.schema.named(sobject)
    if call.method == "GET":
        ids, names = call.asked("ids").split(","), call.asked("fields").split(",")
    else:
        body = call.object()
        ids, names = body.get("ids") or [], body.get("fields") or []
    if len(ids) > _MAX_READ:
        raise ApiError(400, "EXCEEDED_ID_LIMIT", f"cannot retrieve more than {_MAX_READ} records in this call")
    fields = org.schema.readable(item, call.user)
    wanted = [picked(item, fields, str(name)) for name in names]
    answers: list[object] = []
    for record_id in ids:
        row = org.store.row(item, full_id(str(record_id)) or "")
        if row is None or row.get("IsDeleted"):
            answers.append(None)
        else:
            shown_row = {field.name: shown(field, row[field.name]) for field in wanted}
            answers.append({"attributes": attributes(call, item, row), **shown_row})
    return Answer(body=answers)
