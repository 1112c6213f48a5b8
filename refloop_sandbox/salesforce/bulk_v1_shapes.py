"""Jobs and batches of Bulk API 1.0, and how it shows them: in JSON for jobs of JSON, else in XML."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from xml.sax.saxutils import escape

from refloop_sandbox.salesforce.bulk_job import Job
from refloop_sandbox.salesforce.call import Answer, Call

ENDED = ("Completed", "Failed", "NotProcessed")
_SPACE = "http://www.force.com/2009/06/asyncapi/dataload"


@dataclass(slots=True)
class Batch:
    """One batch. It moves one state on at each look, `polls` looks in all."""

    id: str
    body: bytes
    created: str
    polls: int
    state: str = "Queued"
    message: str | None = None
    result: bytes = b""
    """What `/result` of an ingest batch, or `/result/{id}` of a query, brings."""
    processed: int = 0
    failed: int = 0


@dataclass(slots=True)
class AsyncJob:
    """A job, as the other Bulk API knows it, and what is of this one: its content type and its batches."""

    job: Job
    content: str
    mode: str
    batches: dict[str, Batch] = field(default_factory=dict)

    @property
    def is_json(self) -> bool:
        return self.content == "JSON"


def job_info(call: Call, found: AsyncJob, status: int = 200) -> Answer:
    """A job with the counts of its batches; in JSON also for who sent JSON."""
    job, batches = found.job, found.batches.values()
    states = [batch.state for batch in batches]
    info: dict[str, object] = {
        "id": job.id, "operation": job.operation, "object": job.sobject, "createdById": job.user,
        "createdDate": job.created, "systemModstamp": job.created, "state": job.state,
        "externalIdFieldName": job.external_id or None, "concurrencyMode": found.mode, "contentType": found.content,
        "numberBatchesQueued": states.count("Queued"), "numberBatchesInProgress": states.count("InProgress"),
        "numberBatchesCompleted": states.count("Completed"), "numberBatchesFailed": states.count("Failed"),
        "numberBatchesTotal": len(states), "numberRecordsProcessed": sum(batch.processed for batch in batches),
        "numberRetries": 0, "apiVersion": float(job.version), "assignmentRuleId": None, "fastPathEnabled": False,
        "numberRecordsFailed": sum(batch.failed for batch in batches), "totalProcessingTime": 0,
        "apiActiveProcessingTime": 0, "apexProcessingTime": 0,
    }  # fmt: skip
    if found.is_json or "json" in call.headers.get("content-type", "").lower():
        return Answer(status, info)
    return xml("jobInfo", info, status)


def batch_info(found: AsyncJob, batch: Batch) -> dict[str, object]:
    """What a batch says of itself."""
    return {
        "id": batch.id, "jobId": found.job.id, "state": batch.state, "stateMessage": batch.message,
        "createdDate": batch.created, "systemModstamp": batch.created, "numberRecordsProcessed": batch.processed,
        "numberRecordsFailed": batch.failed, "totalProcessingTime": 0, "apiActiveProcessingTime": 0,
        "apexProcessingTime": 0,
    }  # fmt: skip


def batch_answer(found: AsyncJob, batch: Batch, status: int = 200) -> Answer:
    info = batch_info(found, batch)
    return Answer(status, info) if found.is_json else xml("batchInfo", info, status)


def media_of(found: AsyncJob) -> str:
    """The type of a job's data."""
    return "application/json;charset=UTF-8" if found.is_json else "text/csv"


def xml(name: str, said: Mapping[str, object], status: int = 200) -> Answer:
    return document(name, elements(said), status)


def document(name: str, inner: str, status: int = 200) -> Answer:
    text = f'<?xml version="1.0" encoding="UTF-8"?><{name} xmlns="{_SPACE}">{inner}</{name}>'
    return Answer(status, text.encode(), media="application/xml")


def elements(said: Mapping[str, object]) -> str:
    """Values as XML elements; those that are None are left out."""
    return "".join(f"<{name}>{escape(_text(value))}</{name}>" for name, value in said.items() if value is not None)


def _text(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return re.sub(r"^([\dT:.-]{23})\+0000$", r"\1Z", str(value))
