"""Bulk API 1.0 (Bulk API Developer Guide): jobs made in JSON, batches in JSON or CSV, no XML data, no PK chunking."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from typing import Any

from refloop_sandbox.salesforce import rest
from refloop_sandbox.salesforce.bulk_ingest import OPERATIONS, cells, write_row
from refloop_sandbox.salesforce.bulk_job import Job, csv_line
from refloop_sandbox.salesforce.bulk_query import csv_rows, plan_of
from refloop_sandbox.salesforce.bulk_v1_shapes import (
    ENDED,
    AsyncJob,
    Batch,
    batch_answer,
    batch_info,
    document,
    elements,
    job_info,
    media_of,
    xml,
)
from refloop_sandbox.salesforce.call import Answer, Call
from refloop_sandbox.salesforce.errors import ApiError
from refloop_sandbox.salesforce.org import Org
from refloop_sandbox.salesforce.sobjects import without_attributes
from refloop_sandbox.salesforce.soql_sql import View

ROOT = "/services/async/"
_QUERIES = ("query", "queryAll")
_MODES = {0: "Parallel", 1: "Serial", None: "Parallel", "Parallel": "Parallel", "Serial": "Serial"}
_MOST_ROWS, _MOST_BYTES = 10_000, 10_000_000


def signed(call: Call) -> Call:
    """The call with its session where REST has it: here it comes in a header of its own."""
    session = call.headers.get("x-sfdc-session", "")
    return replace(call, headers={**call.headers, "authorization": f"Bearer {session}"})


def refusal(call: Call, error: ApiError) -> Answer:
    """An error in this API's shape: 400 with a code, in JSON for who sent JSON."""
    known = {"INVALID_SESSION_ID": "InvalidSessionId", "REQUEST_LIMIT_EXCEEDED": "ExceededQuota"}
    said = {"exceptionCode": known.get(error.code, error.code), "exceptionMessage": error.message}
    status = 400 if error.code in known else error.status
    if "json" in call.headers.get("content-type", "").lower():
        return Answer(status, said, media="application/json")
    return xml("error", said, status)


def dispatch(org: Org, call: Call) -> Answer:
    """Answers a call below `/services/async/N.0`. Raises ApiError where the API refuses."""
    found = re.fullmatch(ROOT + r"(\d+)\.0/job(/.*|)", re.sub("/+", "/", call.path.partition("?")[0]).rstrip("/"))
    if found is None:
        raise ApiError(404, "InvalidUrl", "Destination URL not reset. The URL returned from login must be set")
    if not rest.OLDEST <= int(found[1]) <= rest.NEWEST:
        raise _wrong("InvalidVersion", f"Unsupported API version {found[1]}.0")
    call = replace(call, version=f"{found[1]}.0")
    for method, pattern, resource in _ROUTES:
        path = re.fullmatch(pattern, found[2])
        if path is not None and method == call.method:
            return resource(org, call, *path.groups())
    raise _wrong("InvalidRequest", f"{call.method} is not supported for {call.path}")


def endpoint(call: Call) -> str:
    """What a call counts as."""
    path = re.sub(r"[\d.]+/job", "job", call.path.partition("?")[0].removeprefix(ROOT), count=1)
    path = re.sub(r"job/[^/]+", "job/{job}", path)
    path = re.sub(r"batch/[^/]+", "batch/{batch}", path)
    return f"{call.method} {ROOT}{re.sub(r'result/[^/]+', 'result/{result}', path)}"


def _wrong(code: str, message: str) -> ApiError:
    return ApiError(400, code, message)


# -- jobs


def create(org: Org, call: Call) -> Answer:
    if "sforce-enable-pkchunking" in call.headers:
        raise _wrong("FeatureNotEnabled", "PK chunking is not served by the local Salesforce")
    body = _json(call, "InvalidJob")
    operation, content = body.get("operation"), body.get("contentType", "XML")
    item = org.schema.get(str(body.get("object")))
    if operation not in (*OPERATIONS, *_QUERIES):
        raise _wrong("InvalidJob", f"Unsupported operation: {operation}")
    if item is None or item.tooling:
        raise _wrong("InvalidJob", f"Unable to find object: {body.get('object')}")
    if content not in ("CSV", "JSON"):
        raise _wrong("InvalidJob", f"The local Salesforce takes CSV and JSON, not {content}")
    if body.get("concurrencyMode") not in _MODES:
        raise _wrong("InvalidJob", f"Unsupported concurrencyMode: {body.get('concurrencyMode')}")
    key = str(body.get("externalIdFieldName") or "")
    if (operation == "upsert") != bool(key):
        raise _wrong("InvalidJob", "External ID was blank. An external ID must be specified for upsert, and only there")
    job = Job(
        org.store.next_id("750"), "v1", operation, item.name, call.user, call.version, org.records.stamp(), "Open",
        org.bulk_polls, external_id=key, assign=bool(body.get("assignmentRuleId")),
    )  # fmt: skip
    made = org.async_jobs[job.id] = AsyncJob(job, content, _MODES[body.get("concurrencyMode")])
    return job_info(call, made, 201)


def read(org: Org, call: Call, id: str) -> Answer:  # noqa: A002 - the API's word
    return job_info(call, _job(org, call, id))


def change(org: Org, call: Call, id: str) -> Answer:  # noqa: A002 - the API's word
    """Closes a job, or aborts it: batches that have not begun are not processed then."""
    found, state = _job(org, call, id), _json(call, "InvalidJob").get("state")
    if state not in ("Closed", "Aborted") or found.job.state != "Open":
        raise _wrong("InvalidJobState", f"Changing the state of the job from {found.job.state} to {state}")
    found.job.state = state
    for batch in found.batches.values() if state == "Aborted" else ():
        if batch.state not in ENDED:
            batch.state = "NotProcessed"
    return job_info(call, found)


def _job(org: Org, call: Call, record_id: str) -> AsyncJob:
    found = next((job for known, job in org.async_jobs.items() if record_id in (known, known[:15])), None)
    if found is None or found.job.user != call.user:
        raise _wrong("InvalidJob", f"Unable to find job for id: {record_id}")
    return found


def _json(call: Call, code: str) -> dict[str, Any]:
    if "json" not in call.headers.get("content-type", "").lower():
        raise _wrong(code, "The local Salesforce takes jobs in JSON alone: Content-Type application/json")
    try:
        return call.object()
    except ApiError as error:
        raise _wrong(code, error.message) from None


# -- batches


def add(org: Org, call: Call, id: str) -> Answer:  # noqa: A002 - the API's word
    found = _job(org, call, id)
    body = call.body
    if found.job.state != "Open":
        raise _wrong("InvalidJobState", f"Job is not in an open state: {found.job.state}")
    if not isinstance(body, bytes) or not body.strip():
        raise _wrong("InvalidBatch", "The batch is empty")
    if len(body) > _MOST_BYTES:
        raise _wrong("InvalidBatch", f"A batch holds at most {_MOST_BYTES:,} bytes")
    if found.job.operation in _QUERIES and found.batches:
        raise _wrong("InvalidBatch", "A query job has one batch")
    batch = Batch(org.store.next_id("751"), body, org.records.stamp(), org.bulk_polls)
    found.batches[batch.id] = batch
    return batch_answer(found, batch, 201)


def batches(org: Org, call: Call, id: str) -> Answer:  # noqa: A002 - the API's word
    found = _job(org, call, id)
    listed = [_look(org, call, found, batch) for batch in found.batches.values()]
    if found.is_json:
        return Answer(body={"batchInfo": [batch_info(found, batch) for batch in listed]})
    inner = "".join(f"<batchInfo>{elements(batch_info(found, batch))}</batchInfo>" for batch in listed)
    return document("batchInfoList", inner)


def read_batch(org: Org, call: Call, id: str, batch: str) -> Answer:  # noqa: A002 - the API's word
    found = _job(org, call, id)
    return batch_answer(found, _look(org, call, found, _batch(found, batch)))


def request(org: Org, call: Call, id: str, batch: str) -> Answer:  # noqa: A002 - the API's word
    """The data of a batch as it was sent."""
    found = _job(org, call, id)
    return Answer(body=_batch(found, batch).body, media=media_of(found))


def result(org: Org, call: Call, id: str, batch: str) -> Answer:  # noqa: A002 - the API's word
    """What became of each record, in order; of a query, the ids of its results."""
    found, done = _complete(org, call, id, batch)
    if found.job.operation not in _QUERIES:
        return Answer(body=done.result, media=media_of(found))
    name = f"752{done.id[3:]}"
    if found.is_json:
        return Answer(body=[name])
    return document("result-list", f"<result>{name}</result>")


def query_result(org: Org, call: Call, id: str, batch: str, name: str) -> Answer:  # noqa: A002 - the API's word
    found, done = _complete(org, call, id, batch)
    if found.job.operation not in _QUERIES or name != f"752{done.id[3:]}":
        raise _wrong("InvalidBatch", f"Unable to find result {name}")
    return Answer(body=done.result, media=media_of(found))


def _batch(found: AsyncJob, record_id: str) -> Batch:
    batch = next((one for known, one in found.batches.items() if record_id in (known, known[:15])), None)
    if batch is None:
        raise _wrong("InvalidBatch", f"Unable to find batch for id: {record_id}")
    return batch


def _complete(org: Org, call: Call, job: str, batch: str) -> tuple[AsyncJob, Batch]:
    found = _job(org, call, job)
    done = _batch(found, batch)
    if done.state != "Completed":
        raise _wrong("InvalidBatch", f"Batch not completed: its state is {done.state}")
    return found, done


def _look(org: Org, call: Call, found: AsyncJob, batch: Batch) -> Batch:
    """One look at a batch; at the last one its work is done."""
    if batch.state in ENDED:
        return batch
    batch.polls -= 1
    batch.state = "InProgress"
    if batch.polls > 0:
        return batch
    try:
        (_query if found.job.operation in _QUERIES else _write)(org, call, found, batch)
    except (ApiError, UnicodeDecodeError) as error:
        said = error.message if isinstance(error, ApiError) else "the data is no UTF-8"
        batch.state, batch.message = "Failed", f"InvalidBatch : {said}"
    else:
        batch.state = "Completed"
    return batch


def _query(org: Org, call: Call, found: AsyncJob, batch: Batch) -> None:
    job = found.job
    plan = plan_of(org, batch.body.decode(), View(org.schema, job.user, org.now(), deleted=job.operation == "queryAll"))
    if plan.sobject.name != job.sobject:
        raise _wrong("InvalidBatch", f"The query is of {plan.sobject.name}, the job of {job.sobject}")
    rows = org.queries.matching(plan)
    if found.is_json:
        times = {column.path for column in plan.columns if column.field.type == "datetime"}
        records = org.queries.records(plan, rows, f"/services/data/v{call.version}")
        for record in records:
            _in_milliseconds(record, times)
        batch.result = json.dumps(records, ensure_ascii=False).encode()
    else:
        head = csv_line([".".join(column.path) for column in plan.columns], job)
        batch.result = "".join([head, *csv_rows(org, plan, rows, job)]).encode()
    batch.processed = len(rows)


def _in_milliseconds(record: dict[str, Any], times: set[tuple[str, ...]]) -> None:
    """In JSON this API shows a time as milliseconds since 1970 (simple-salesforce issue 290)."""
    for path in times:
        owner: Any = record
        for step in path[:-1]:
            owner = owner and owner.get(step)
        if owner and owner[path[-1]] is not None:
            moment = datetime.fromisoformat(owner[path[-1]])
            owner[path[-1]] = int(moment.astimezone(UTC).timestamp()) * 1000


def _write(org: Org, call: Call, found: AsyncJob, batch: Batch) -> None:
    item = org.schema.named(found.job.sobject)
    results: list[dict[str, object]] = []
    for fields in _records(found, batch.body):
        try:
            with org.store.transaction():
                record_id, created = write_row(org, call, (found.job, item), fields())
            results.append({"success": True, "created": created, "id": record_id, "errors": []})
        except ApiError as error:
            said = {"message": error.message, "fields": list(error.fields or ()), "statusCode": error.code}
            wrong = {**said, "extendedErrorDetails": None}
            results.append({"success": False, "created": False, "id": None, "errors": [wrong]})
    batch.processed, batch.failed = len(results), sum(not one["success"] for one in results)
    batch.result = json.dumps(results).encode() if found.is_json else _as_csv(found.job, results)


def _records(found: AsyncJob, body: bytes) -> Sequence[Callable[[], dict[str, object]]]:
    """The records of a batch; each is read when its turn comes, so that a bad one is its own matter."""
    if found.is_json:
        try:
            rows = json.loads(body)
        except ValueError:
            raise _wrong("InvalidBatch", "Failed to parse the JSON of the batch") from None
        if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
            raise _wrong("InvalidBatch", "Records not found: the batch is no list of objects")
        records: list[Callable[[], dict[str, object]]] = [partial(without_attributes, row) for row in rows]
    else:
        lines = [line for line in csv.reader(io.StringIO(body.decode("utf-8-sig"), newline="")) if line]
        records = [partial(cells, lines[0], line) for line in lines[1:]]
    if len(records) > _MOST_ROWS:
        raise _wrong("InvalidBatch", f"Records exceeded: a batch holds at most {_MOST_ROWS:,}")
    return records


def _as_csv(job: Job, results: Sequence[Mapping[str, Any]]) -> bytes:
    lines = [["Id", "Success", "Created", "Error"]]
    for one in results:
        said = [
            f"{wrong['statusCode']}:{wrong['message']}:{','.join(wrong['fields']) or '--'}" for wrong in one["errors"]
        ]
        lines.append([one["id"] or "", str(one["success"]).lower(), str(one["created"]).lower(), "".join(said)])
    return "".join(csv_line(line, job) for line in lines).encode()


_ID, _BATCHES = "/([^/]+)", "/([^/]+)/batch"
_ROUTES: tuple[tuple[str, str, Callable[..., Answer]], ...] = (
    ("POST", "", create),
    ("GET", _ID, read),
    ("POST", _ID, change),
    ("POST", _BATCHES, add),
    ("GET", _BATCHES, batches),
    ("GET", _BATCHES + _ID, read_batch),
    ("GET", _BATCHES + _ID + "/request", request),
    ("GET", _BATCHES + _ID + "/result", result),
    ("GET", _BATCHES + _ID + "/result" + _ID, query_result),
)
