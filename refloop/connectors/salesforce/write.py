"""Writes records in collections of 200, up to 1,000 a call, or very many by a job, and tells what became of each."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from itertools import groupby

from refloop.connectors.salesforce import errors
from refloop.connectors.salesforce.answers import Saved
from refloop.connectors.salesforce.batch import (
    COLLECTION,
    NOT_SENT,
    Update,
    Written,
    collection_part,
    conditional_part,
    halves,
    in_batches,
    result_of,
)
from refloop.connectors.salesforce.bulk_ingest import IngestJobs, fits
from refloop.connectors.salesforce.client import MOST_PARTS, MOST_RECORDS, Client
from refloop.errors import FateUnknown, RefloopError

_NOT_ALLOWED = (401, 403)
"""Of a whole collection: no matter of one record, which the answer names. None of it was written."""


class Writer:
    """Sends updates to one org."""

    def __init__(self, client: Client, bulk_changes: int) -> None:
        self._client = client
        self._jobs = IngestJobs(client)
        self._bulk_changes = bulk_changes

    def write(self, updates: Sequence[Update], *, collection: int = COLLECTION) -> Written:
        """Sends all updates once. After a failure the rest stays unsent, so that no result is lost."""
        written = Written()
        rest: list[Update] = []
        for _, group in groupby(sorted(updates, key=lambda update: update.place), lambda update: update.object):
            rest += self._by_job(list(group), written)
        waiting = in_batches(rest, collection)
        while waiting and written.failure is None:
            batches, waiting = waiting[:MOST_PARTS], waiting[MOST_PARTS:]
            waiting = [*self._send(batches, written), *waiting]
        for batch in waiting:
            written.settle(batch, [NOT_SENT] * len(batch))
        return written

    def write_conditionally(self, updates: Sequence[Update]) -> Iterator[Written]:
        """Sends each update once, by itself and on its condition, in their order; tells what became of each call's.

        A record that was saved since stays as it is: EDITED.
        """
        while updates:
            size = MOST_RECORDS if self._client.composes else 1
            batch, updates = updates[:size], updates[size:]
            written = self._send_each(batch)
            if written.failure is not None:
                written.settle(updates, [NOT_SENT] * len(updates))
                updates = ()
            yield written

    def pause(self, attempt: int, *, at_least: float = 0.0) -> None:
        """Lets those finish who hold the locks that refused the attempt before; not all who wait come back at once."""
        spread = random.uniform(0.5, 1.0) * 2**attempt  # noqa: S311 - it spreads, it guards nothing
        self._client.transport.wait(max(at_least, spread))

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
        results, written.failure = done
        written.results.update(results)
        return [update for update in updates if update.id not in results]

    def _send(self, batches: Sequence[Sequence[Update]], written: Written) -> Sequence[Sequence[Update]]:
        """Sends at most five batches; gives back those to send again in halves."""
        try:
            answers = self._client.write([collection_part(place, batch) for place, batch in enumerate(batches)])
        except FateUnknown:
            for batch in batches:
                written.settle(batch, [None] * len(batch))
            return []
        except RefloopError as error:
            written.failure = error
            return batches
        halved: list[Sequence[Update]] = []
        for batch, answer in zip(batches, answers, strict=True):
            if answer.status in _NOT_ALLOWED:
                written.settle(batch, [NOT_SENT] * len(batch))
                written.failure = errors.failure(answer.status, answer.body, "PATCH composite/sobjects")
            else:
                halved += halves(batch, answer, written)
        return halved

    def _send_each(self, batch: Sequence[Update]) -> Written:
        written = Written()
        results: Sequence[Saved | None]
        try:
            parts = [conditional_part(place, update) for place, update in enumerate(batch)]
            answers = self._client.write(parts, apart=True)
        except FateUnknown:
            results = [None] * len(batch)
        except RefloopError as error:
            written.failure, results = error, [NOT_SENT] * len(batch)
        else:
            results = [result_of(answer) for answer in answers]
        written.settle(batch, results)
        return written
