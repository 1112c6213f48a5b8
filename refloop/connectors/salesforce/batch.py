"""What is written to one record, what is sent for it, and what the answer says became of it. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import format_datetime
from math import ceil
from typing import Any

from refloop.connectors.salesforce import error_codes
from refloop.connectors.salesforce.answers import Saved, refused, saved
from refloop.connectors.salesforce.client import Part, PartAnswer
from refloop.errors import RefloopError

COLLECTION = 200
"""Salesforce REST docs, "Update Multiple Records": at most 200 records, in at most 10 runs of one type."""

HEADERS: Mapping[str, str] = {
    # without it, an update of a lead runs the assignment rules and may change its owner
    "Sforce-Auto-Assign": "FALSE",
    # an alert about a duplicate is for the person at the screen
    "Sforce-Duplicate-Rule-Header": "allowSave=true; includeRecordDetails=false; runAsCurrentUser=true",
}

NOT_SENT = Saved(error_codes.NOT_SENT, "the run stopped before")


@dataclass(frozen=True, slots=True)
class Update:
    """One record's new values. `parent` is the account that its update may lock; `unmodified_since` is when the
    record was last saved before it was looked at, where the write is to be refused after a later save."""

    object: str
    id: str
    parent: str
    values: Mapping[str, Any]
    unmodified_since: datetime | None = None

    @property
    def place(self) -> tuple[str, str, str]:
        """One type and one parent side by side: two collections that lock one account would wait for each other."""
        return self.object, self.parent, self.id


@dataclass(slots=True)
class Written:
    """What became of updates, by id: a result, or None where nobody knows. `failure` ended the writing early."""

    results: dict[str, Saved | None] = field(default_factory=dict)
    failure: RefloopError | None = None

    def settle(self, batch: Sequence[Update], results: Sequence[Saved | None]) -> None:
        """Keeps what became of each update of a batch, in its order."""
        self.results.update(zip((update.id for update in batch), results, strict=True))


def in_batches(updates: Sequence[Update], size: int) -> list[Sequence[Update]]:
    return [updates[start : start + size] for start in range(0, len(updates), size)]


def collection_part(place: int, batch: Sequence[Update]) -> Part:
    """The request that writes a batch at once, each record for itself."""
    records = [{"attributes": {"type": update.object}, "id": update.id, **update.values} for update in batch]
    body = {"allOrNone": False, "records": records}
    return Part(f"batch{place}", "PATCH", "composite/sobjects", body=body, headers=HEADERS)


def conditional_part(place: int, update: Update) -> Part:
    """The request that writes one record, on its condition where it has one."""
    since = update.unmodified_since
    conditions = {} if since is None else {"If-Unmodified-Since": http_date(since)}
    path = f"sobjects/{update.object}/{update.id}"
    return Part(f"record{place}", "PATCH", path, body=dict(update.values), headers=HEADERS, conditions=conditions)


def http_date(moment: datetime) -> str:
    """To the second, as HTTP has it, and not before `moment`: the record itself was saved then."""
    return format_datetime(datetime.fromtimestamp(ceil(moment.timestamp()), UTC), usegmt=True)


def result_of(answer: PartAnswer) -> Saved | None:
    """What the answer to the write of one record says became of it; None where it does not tell."""
    if answer.is_good:
        return Saved()
    if answer.status == 412:
        return Saved(error_codes.EDITED, "saved by somebody else since it was looked at")
    return refused(answer.body) if 400 <= answer.status < 500 else None


def halves(batch: Sequence[Update], answer: PartAnswer, written: Written) -> Sequence[Sequence[Update]]:
    """Settles a batch, or halves it: a malformed record makes Salesforce refuse its whole collection."""
    if answer.is_good:
        written.settle(batch, _results(batch, answer.body))
        return []
    is_refusal = 400 <= answer.status < 500
    if is_refusal and len(batch) > 1:
        middle = len(batch) // 2
        return [batch[:middle], batch[middle:]]
    written.settle(batch, [refused(answer.body) if is_refusal else None] * len(batch))
    return []


def _results(batch: Sequence[Update], body: object) -> Sequence[Saved | None]:
    try:
        return saved(body, [update.id for update in batch])
    except ValueError:
        return [None] * len(batch)
