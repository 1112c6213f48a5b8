"""Bulk API 2.0 query jobs (Bulk API 2.0 Developer Guide, Query)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from refloop_sandbox.salesforce.bulk_job import Job, Lines, csv_format, csv_line
from refloop_sandbox.salesforce.call import Answer, Call
from refloop_sandbox.salesforce.errors import ApiError, not_found
from refloop_sandbox.salesforce.org import Org
from refloop_sandbox.salesforce.soql_sql import Plan, View
from refloop_sandbox.salesforce.values import csv_text

_CHUNK = 2000
_PAGE = 50_000
_PAGES_AT_ONCE = 5


def create(org: Org, call: Call) -> Answer:
    body = call.object()
    operation, text = body.get("operation"), body.get("query")
    if operation not in ("query", "queryAll") or not isinstance(text, str):
        raise ApiError(400, "INVALIDJOB", "A query job needs the operation query or queryAll, and a query")
    plan = plan_of(org, text, org.view(call, deleted=operation == "queryAll"))
    delimiter, ending = csv_format(body)
    job = Job(
        org.store.next_id("750"), "query", operation, plan.sobject.name, call.user, call.version, org.records.stamp(),
        "UploadComplete", org.bulk_polls, delimiter, ending, text,
    )  # fmt: skip
    org.jobs[job.id] = job
    return Answer(body=job.shown())


def plan_of(org: Org, text: str, view: View) -> Plan:
    """The query, as far as Bulk API can do it. Raises ApiError API_ERROR."""
    try:
        plan = org.queries.compile(text, view)
    except ApiError as error:
        raise ApiError(400, "API_ERROR", f"{error.code}: {error.message}") from None
    if plan.kind != "rows" or plan.offset is not None:
        raise ApiError(400, "API_ERROR", "Aggregate Relationships, GROUP BY and OFFSET are not supported in Bulk Query")
    return plan


def find(org: Org, call: Call, kind: str, record_id: str) -> Job:
    """The job. Raises ApiError NOT_FOUND, or 409 for another API version than the one that made it."""
    job = org.jobs.get(record_id) or next((job for job in org.jobs.values() if job.id[:15] == record_id), None)
    if job is None or job.kind != kind:
        raise not_found()
    if job.version != call.version:
        message = f"The job was created with API version {job.version}; use that version"
        raise ApiError(409, "API_VERSION_MISMATCH", message)
    return job


def listing(org: Org, call: Call, kind: str) -> Answer:
    records = [job.shown() for job in org.jobs.values() if job.kind == kind and job.version == call.version]
    return Answer(body={"done": True, "records": records, "nextRecordsUrl": None})


def list_jobs(org: Org, call: Call) -> Answer:
    return listing(org, call, "query")


def read(org: Org, call: Call, id: str) -> Answer:  # noqa: A002 - the API's word
    job = find(org, call, "query", id)
    if job.advance():
        _run(org, job)
    return Answer(body=job.detail())


def _run(org: Org, job: Job) -> None:
    view = View(org.schema, job.user, org.now(), deleted=job.operation == "queryAll", rights=org.records.rights)
    try:
        plan = plan_of(org, job.text, view)
    except ApiError as error:
        job.state, job.error = "Failed", error.message
        return
    rows = org.queries.matching(plan)
    lines = Lines(csv_line([".".join(column.path) for column in plan.columns], job))
    for start in range(0, len(rows), _CHUNK):
        lines.extend(csv_rows(org, plan, rows[start : start + _CHUNK], job))
    job.results["results"] = lines
    job.processed = len(lines)
    job.state = "JobComplete"


def csv_rows(org: Org, plan: Plan, rows: Sequence[int], job: Job) -> Iterator[str]:
    """These rows of a query as lines of CSV."""
    first = 1 + len(plan.relations)
    fields = [column.field for column in plan.columns]
    for values in org.queries.fetch(plan, rows):
        yield csv_line([csv_text(*cell) for cell in zip(fields, values[first:], strict=True)], job)


def results(org: Org, call: Call, id: str) -> Answer:  # noqa: A002 - the API's word
    """A page of CSV. The locator after the last page is the word `null`."""
    lines = _complete(find(org, call, "query", id))
    start, count = _start(call.query.get("locator"), lines), _count(call)
    end = min(start + count, len(lines))
    headers = {
        "Sforce-Locator": _locator(end) if end < len(lines) else "null",
        "Sforce-NumberOfRecords": str(end - start),
    }
    return Answer(body=lines.page(start, count), headers=headers, media="text/csv; charset=UTF-8")


def _complete(job: Job) -> Lines:
    if job.state != "JobComplete":
        raise ApiError(400, "INVALIDJOBSTATE", f"The job is not complete: its state is {job.state}")
    return job.results["results"]


def _locator(start: int) -> str:
    return f"MTAw{start:x}"


def _start(locator: str | None, lines: Lines) -> int:
    if locator in (None, "", "null"):
        return 0
    digits = str(locator).removeprefix("MTAw")
    if digits == locator or not digits.isalnum():
        raise _bad_locator(locator)
    try:
        start = int(digits, 16)
    except ValueError:
        raise _bad_locator(locator) from None
    if start >= max(1, len(lines)):
        raise _bad_locator(locator)
    return start


def _bad_locator(locator: object) -> ApiError:
    return ApiError(400, "INVALID_LOCATOR", f"invalid locator: {locator}")


def _count(call: Call) -> int:
    text = call.query.get("maxRecords", str(_PAGE))
    if not text.isdigit() or int(text) < 1:
        raise ApiError(400, "INVALID_INPUT", f"maxRecords must be a positive number: {text}")
    return int(text)


def result_pages(org: Org, call: Call, id: str) -> Answer:  # noqa: A002 - the API's word
    """Up to five pages at once, for parallel download (v58.0 and later)."""
    job = find(org, call, "query", id)
    lines = _complete(job)
    first, count = _start(call.query.get("locator"), lines), _count(call)
    starts = range(first, max(len(lines), 1), count)
    base = f"services/data/v{job.version}/jobs/query/{job.id}"
    pages = [{"resultLink": f"{base}/results?locator={_locator(start)}&maxRecords={count}"} for start in starts]
    more = len(pages) > _PAGES_AT_ONCE
    body: dict[str, object] = {"resultPages": pages[:_PAGES_AT_ONCE], "done": not more}
    if more:
        following = _locator(starts[_PAGES_AT_ONCE])
        body["nextRecordsUrl"] = f"/{base}/resultPages?locator={following}&maxRecords={count}"
    return Answer(body=body)


def change(org: Org, call: Call, id: str) -> Answer:  # noqa: A002 - the API's word
    job = find(org, call, "query", id)
    abort(job, call.object())
    return Answer(body=job.shown())


def abort(job: Job, body: dict[str, object]) -> None:
    """Sets the state Aborted. Raises ApiError for another state, or a job that has ended."""
    if body.get("state") != "Aborted" or job.state in ("JobComplete", "Failed", "Aborted"):
        raise ApiError(400, "INVALIDJOBSTATE", f"Aborting is not allowed from state {job.state} to {body.get('state')}")
    job.state = "Aborted"


def remove(org: Org, call: Call, id: str) -> Answer:  # noqa: A002 - the API's word
    delete(org, find(org, call, "query", id))
    return Answer(204)


def delete(org: Org, job: Job) -> None:
    """Raises ApiError for a job that still runs."""
    if job.state not in ("JobComplete", "Failed", "Aborted", "UploadComplete"):
        raise ApiError(400, "INVALIDJOBSTATE", f"Deleting is not allowed in state {job.state}")
    for lines in job.results.values():
        lines.close()
    del org.jobs[job.id]
