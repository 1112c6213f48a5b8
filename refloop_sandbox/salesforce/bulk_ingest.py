"""Bulk API 2.0 ingest jobs (Bulk API 2.0 Developer Guide, Ingest)."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence

from refloop_sandbox.salesforce.bulk_job import DELIMITERS, LINE_ENDINGS, Job, Lines, csv_format, csv_line
from refloop_sandbox.salesforce.bulk_query import abort, delete, find, listing
from refloop_sandbox.salesforce.call import Answer, Call
from refloop_sandbox.salesforce.errors import ApiError, not_found
from refloop_sandbox.salesforce.ids import full_id
from refloop_sandbox.salesforce.org import Org
from refloop_sandbox.salesforce.records import Actor
from refloop_sandbox.salesforce.schema import SObject
from refloop_sandbox.salesforce.sobjects import put

OPERATIONS = ("insert", "update", "upsert", "delete", "hardDelete")
_SETS = {name.lower(): name for name in ("successfulResults", "failedResults", "unprocessedRecords")}
_MAX_DATA = 100 * 1024 * 1024


def create(org: Org, call: Call) -> Answer:
    body = call.object()
    operation = str(body.get("operation"))
    if operation not in OPERATIONS:
        raise ApiError(400, "INVALIDJOB", f"Unsupported operation: {operation}")
    item = org.schema.get(str(body.get("object")))
    if item is None or item.tooling:
        raise ApiError(400, "INVALIDJOB", f"Unable to find object: {body.get('object')}")
    key = str(body.get("externalIdFieldName") or "")
    if (operation == "upsert") != bool(key):
        raise ApiError(400, "INVALIDJOB", "externalIdFieldName goes with the operation upsert, and only with it")
    delimiter, ending = csv_format(body)
    job = Job(
        org.store.next_id("750"), "ingest", operation, item.name, call.user, call.version, org.records.stamp(), "Open",
        org.bulk_polls, delimiter, ending, external_id=key, assign=bool(body.get("assignmentRuleId")),
    )  # fmt: skip
    org.jobs[job.id] = job
    return Answer(body=job.shown())


def list_jobs(org: Org, call: Call) -> Answer:
    return listing(org, call, "ingest")


def upload(org: Org, call: Call, id: str) -> Answer:  # noqa: A002 - the API's word
    job = find(org, call, "ingest", id)
    if job.state != "Open" or job.data:
        raise ApiError(400, "INVALIDJOBSTATE", "Data can be uploaded once, while the job is Open")
    if not isinstance(call.body, bytes) or len(call.body) > _MAX_DATA:
        raise ApiError(400, "INVALIDREQUEST", "The upload must be CSV of at most 100 MB")
    job.data = bytearray(call.body)
    return Answer(201)


def change(org: Org, call: Call, id: str) -> Answer:  # noqa: A002 - the API's word
    job = find(org, call, "ingest", id)
    body = call.object()
    if body.get("state") == "UploadComplete":
        if job.state != "Open":
            raise ApiError(400, "INVALIDJOBSTATE", f"Closing is not allowed in state {job.state}")
        job.state = "UploadComplete"
    else:
        abort(job, body)
        _keep(job, [], [], _rows(job)[1])
    return Answer(body=job.shown())


def read(org: Org, call: Call, id: str) -> Answer:  # noqa: A002 - the API's word
    job = find(org, call, "ingest", id)
    if job.advance():
        _run(org, call, job)
    return Answer(body=job.detail())


def _rows(job: Job) -> tuple[list[str], list[list[str]]]:
    text = bytes(job.data).decode("utf-8-sig")
    ending = "\r\n" if "\r\n" in text.partition("\n")[0] + "\n" else "\n"
    if text and ending != LINE_ENDINGS[job.line_ending]:
        message = f"LineEnding is invalid on user data. Current LineEnding setting is {job.line_ending}"
        raise ApiError(400, "INVALIDJOB", message)
    rows = [row for row in csv.reader(io.StringIO(text, newline=""), delimiter=DELIMITERS[job.delimiter]) if row]
    return (rows[0], rows[1:]) if rows else ([], [])


def _run(org: Org, call: Call, job: Job) -> None:
    try:
        header, rows = _rows(job)
        if not header:
            raise ApiError(400, "INVALIDJOB", "InvalidBatch : Field name not found : the data is empty")
    except (ApiError, UnicodeDecodeError) as error:
        job.state, job.error = "Failed", str(error)
        return
    item = org.schema.named(job.sobject)
    successes, failures = [], []
    most = len(rows) if org.ingest_fails_after is None else org.ingest_fails_after
    for row in rows[:most]:
        try:
            with org.store.transaction():
                record_id, created = write_row(org, call, (job, item), cells(header, row))
            successes.append([record_id, str(created).lower(), *row])
        except ApiError as error:
            names = ",".join(error.fields or ()) or "--"
            failures.append([_given_id(header, row), f"{error.code}:{error.message}:{names}", *row])
    job.state = "JobComplete" if most >= len(rows) else "Failed"
    if job.state == "Failed":
        job.error = "InternalServerError : the batch was tried 20 times"
        org.ingest_fails_after = None
    _keep(job, successes, failures, rows[most:])


def cells(header: Sequence[str], row: Sequence[str]) -> dict[str, object]:
    """A row as fields: an empty cell leaves its field alone, `#N/A` clears it."""
    if len(row) != len(header):
        raise ApiError(400, "INVALIDBATCH", f"The row has {len(row)} cells, the header {len(header)}")
    return {name: None if cell == "#N/A" else cell for name, cell in zip(header, row, strict=True) if cell != ""}


def _given_id(header: Sequence[str], row: Sequence[str]) -> str:
    return next((cell for name, cell in zip(header, row, strict=False) if name.lower() == "id"), "")


def write_row(org: Org, call: Call, what: tuple[Job, SObject], fields: dict[str, object]) -> tuple[str, bool]:
    """Does a job's operation with one record; gives its id and whether it is new. Raises ApiError where it fails."""
    job, item = what
    actor = Actor(job.user, api=True, assign=job.assign)
    if job.operation == "insert":
        return org.records.create(item, fields, actor), True
    key = job.external_id or "Id"
    value = next((fields.pop(name) for name in list(fields) if name.lower() == key.lower()), None)
    if not isinstance(value, str):
        raise ApiError(400, "MISSING_ARGUMENT", f"{key} not specified")
    if job.operation == "upsert":
        headers = {"sforce-auto-assign": str(job.assign)}
        quiet = Call(call.method, call.path, headers=headers, user=job.user, version=job.version)
        return put(org, quiet, item, (key, value), fields)
    if job.operation == "update":
        org.records.update(item, value, fields, actor)
    else:
        org.records.delete(item, value, actor, hard=job.operation == "hardDelete")
    return full_id(value) or value, False


def _keep(job: Job, successes: list[list[str]], failures: list[list[str]], rest: list[list[str]]) -> None:
    header, _ = _rows(job)
    job.processed, job.failed = len(successes) + len(failures), len(failures)
    for name, extra, rows in (
        ("successfulResults", ["sf__Id", "sf__Created"], successes),
        ("failedResults", ["sf__Id", "sf__Error"], failures),
        ("unprocessedRecords", [], rest),
    ):
        lines = Lines("".join(_lines(job, [[*extra, *header]])))
        lines.extend(_lines(job, rows))
        job.results[name] = lines


def _lines(job: Job, rows: list[list[str]]) -> Iterator[str]:
    return (csv_line(row, job) for row in rows)


def results(org: Org, call: Call, id: str, name: str) -> Answer:  # noqa: A002 - the API's word
    """One of the three result sets; all are empty but for their header until the job has ended."""
    job = find(org, call, "ingest", id)
    if job.state not in ("JobComplete", "Failed", "Aborted"):
        raise ApiError(400, "INVALIDJOBSTATE", f"The job has no results in state {job.state}")
    lines = job.results.get(_SETS[name.lower()])
    if lines is None:
        raise not_found()
    headers = {"Sforce-NumberOfRecords": str(len(lines)), "Sforce-Locator": "null"}
    return Answer(body=lines.page(0, len(lines)), headers=headers, media="text/csv; charset=UTF-8")


def remove(org: Org, call: Call, id: str) -> Answer:  # noqa: A002 - the API's word
    delete(org, find(org, call, "ingest", id))
    return Answer(204)
