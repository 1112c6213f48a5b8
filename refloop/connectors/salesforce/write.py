"""Writes records in collections of 200, up to 1,000 a call, or very many by a job, and tells what became of each."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import format_datetime
from itertools import groupby
from math import ceil
from typing import Any

from refloop.connectors.http.errors import FateUnknown
from refloop.connectors.salesforce import error_codes
from refloop.connectors.salesforce.answers import Saved, refused, saved
from refloop.connectors.salesforce.bulk_ingest import IngestJobs, fits
from refloop.connectors.salesforce.client import MOST_PARTS, MOST_RECORDS, Api, Part, PartAnswer
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


class Writer:
    """Sends updates to one org."""

    def __init__(self, api: Api, bulk_changes: int) -> None:
        self._api = api
        self._jobs = IngestJobs(api)
        self._bulk_changes = bulk_changes

    def write(self, updates: Sequence[Update], *, collection: int = COLLECTION) -> Written:
        """Sends all updates once. After a failure the rest stays unsent, so that no result is lost."""
        written = Written()
        rest: list[Update] = []
        for _, group in groupby(sorted(updates, key=lambda update: update.place), lambda update: update.object):
            rest += self._by_job(list(group), written)
        waiting = _batches(rest, collection)
        while waiting and written.failure is None:
            batches, waiting = waiting[:MOST_PARTS], waiting[MOST_PARTS:]
            waiting = [*self._send(batches, written), *waiting]
        for batch in waiting:
            _settle(written, batch, [NOT_SENT] * len(batch))
        return written

    def write_conditionally(self, updates: Sequence[Update]) -> Iterator[Written]:
        """Sends each update once, by itself and on its condition, in their order; tells what became of each call's.

        A record that was saved since stays as it is: EDITED.
        """
        while updates:
            size = MOST_RECORDS if self._api.composes else 1
            batch, updates = updates[:size], updates[size:]
            written = self._send_each(batch)
            if written.failure is not None:
                _settle(written, updates, [NOT_SENT] * len(updates))
                updates = ()
            yield written

    def pause(self, attempt: int, *, at_least: float = 0.0) -> None:
        """Lets those finish who hold the locks that refused the attempt before; not all who wait come back at once."""
        spread = random.uniform(0.5, 1.0) * 2**attempt  # noqa: S311 - it spreads, it guards nothing
        self._api.transport.wait(max(at_least, spread))

    def _by_job(self, updates: Sequence[Update], written: Written) -> Sequence[Update]:
        """Sends the updates of one object by a job, where they are many; gives back those that it did not take."""
        fitting = [update for update in updates if fits(update)]
        if len(fitting) <= self._bulk_changes or written.failure is not None:
            return updates
        try:
            done = self._jobs.write(fitting)
        except RefloopError as error:
            written.failure = error
            return updates
        if done is None:
            return updates
        fates, written.failure = done
        written.results.update(fates)
        return [update for update in updates if update.id not in fates]

    def _send(self, batches: Sequence[Sequence[Update]], written: Written) -> Sequence[Sequence[Update]]:
        """Sends at most five batches; gives back those to send again in halves."""
        try:
            answers = self._api.write([_part(place, batch) for place, batch in enumerate(batches)])
        except FateUnknown:
            for batch in batches:
                _settle(written, batch, [None] * len(batch))
            return []
        except RefloopError as error:
            written.failure = error
            return batches
        return [
            half for batch, answer in zip(batches, answers, strict=True) for half in _halves(batch, answer, written)
        ]

    def _send_each(self, batch: Sequence[Update]) -> Written:
        written = Written()
        results: Sequence[Saved | None]
        try:
            parts = [_conditional(place, update) for place, update in enumerate(batch)]
            answers = self._api.write(parts, apart=True)
        except FateUnknown:
            results = [None] * len(batch)
        except RefloopError as error:
            written.failure, results = error, [NOT_SENT] * len(batch)
        else:
            results = [fate(answer) for answer in answers]
        _settle(written, batch, results)
        return written


def _batches(updates: Sequence[Update], size: int) -> list[Sequence[Update]]:
    return [updates[start : start + size] for start in range(0, len(updates), size)]


def _part(place: int, batch: Sequence[Update]) -> Part:
    records = [{"attributes": {"type": update.object}, "id": update.id, **update.values} for update in batch]
    body = {"allOrNone": False, "records": records}
    return Part(f"batch{place}", "PATCH", "composite/sobjects", body=body, headers=HEADERS)


def _conditional(place: int, update: Update) -> Part:
    since = update.unmodified_since
    conditions = {} if since is None else {"If-Unmodified-Since": http_date(since)}
    path = f"sobjects/{update.object}/{update.id}"
    return Part(f"record{place}", "PATCH", path, body=dict(update.values), headers=HEADERS, conditions=conditions)


def http_date(moment: datetime) -> str:
    """To the second, as HTTP has it, and not before `moment`: the record itself was saved then."""
    return format_datetime(datetime.fromtimestamp(ceil(moment.timestamp()), UTC), usegmt=True)


def fate(answer: PartAnswer) -> Saved | None:
    """What the answer to the write of one record says became of it; None where it does not tell."""
    if answer.is_good:
        return Saved()
    if answer.status == 412:
        return Saved(error_codes.EDITED, "saved by somebody else since it was looked at")
    return refused(answer.body) if 400 <= answer.status < 500 else None


def _halves(batch: Sequence[Update], answer: PartAnswer, written: Written) -> Sequence[Sequence[Update]]:
    """Settles a batch, or halves it: a malformed record makes Salesforce refuse its whole collection."""
    if answer.is_good:
        _settle(written, batch, _results(batch, answer.body))
        return []
    is_refusal = 400 <= answer.status < 500
    if is_refusal and len(batch) > 1:
        middle = len(batch) // 2
        return [batch[:middle], batch[middle:]]
    _settle(written, batch, [refused(answer.body) if is_refusal else None] * len(batch))
    return []


def _results(batch: Sequence[Update], body: object) -> Sequence[Saved | None]:
    try:
        return saved(body, [update.id for update in batch])
    except ValueError:
        return [None] * len(batch)


def _settle(written: Written, batch: Sequence[Update], results: Sequence[Saved | None]) -> None:
    written.results.update(zip((update.id for update in batch), results, strict=True))
