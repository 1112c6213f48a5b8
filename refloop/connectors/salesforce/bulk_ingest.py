"""Writes many records of one object by a Bulk API 2.0 ingest job: a dozen calls, however many there are."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress

from refloop.connectors.http.crm_message import identifier_or_empty, without_quotes
from refloop.connectors.salesforce import error_codes
from refloop.connectors.salesforce.answers import Saved
from refloop.connectors.salesforce.batch import Update
from refloop.connectors.salesforce.client import Client, ForeignAnswer, Part
from refloop.connectors.salesforce.jobs import JobLost, created, delete, ended, look, result_set
from refloop.errors import FateUnknown, RefloopError, TryLater

NULL = "#N/A"
"""Bulk API 2.0 docs, "Valid CSV Record Rows": this clears a field, an empty cell leaves it as it is."""

MOST_DATA = 90 * 1024 * 1024
"""Bulk API 2.0 docs, "Upload Job Data": 150 MB after base64, so at most 100 MB as they are."""

NOT_PROCESSED = Saved(error_codes.NOT_SENT, "the job ended before its turn")

Results = dict[str, Saved | None]
"""What became of records, by id; None where nobody knows."""


class IngestJobs:
    """Ingest jobs of one org."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def write(self, updates: Sequence[Update]) -> tuple[Results, RefloopError | None] | None:
        """Writes updates of one object, in their order: 10,000 that follow each other make a batch.

        Gives what became of each and the failure that ended the writing, if one did; None, with nothing done, where
        the org refuses the job. A failure before the job was closed leaves nothing written.
        """
        data = as_csv(updates)
        if len(data) > MOST_DATA and len(updates) > 1:
            return self._halved(updates)
        job = created(self._client, "jobs/ingest", {"object": updates[0].object, "operation": "update"})
        if job is None:
            return None
        path = f"jobs/ingest/{job}"
        try:
            self._client.upload(f"{path}/batches", data)
        except RefloopError as error:
            self._abort(path)
            return dict.fromkeys((update.id for update in updates), NOT_PROCESSED), error
        failure = self._run(path)
        results: Results = dict.fromkeys(update.id for update in updates)
        try:
            for found in self._results(path):
                results.update((record, saved) for record, saved in found.items() if record in results)
        except JobLost:
            pass  # what it did has to be read back
        except RefloopError as error:
            failure = failure or error
        else:
            delete(self._client, path)
        return results, failure

    def _halved(self, updates: Sequence[Update]) -> tuple[Results, RefloopError | None] | None:
        middle = len(updates) // 2
        first = self.write(updates[:middle])
        if first is None or first[1] is not None:
            rest = dict.fromkeys((update.id for update in updates[middle:]), NOT_PROCESSED)
            return first and ({**first[0], **rest}, first[1])
        second = self.write(updates[middle:])
        if second is None:
            return {**first[0], **dict.fromkeys((update.id for update in updates[middle:]), NOT_PROCESSED)}, None
        return {**first[0], **second[0]}, second[1]

    def _run(self, path: str) -> RefloopError | None:
        """Closes the job and waits for its end; one that does not get on is stopped. Gives what went wrong."""
        try:
            self._close(path)
            ended(self._client, path)
        except JobLost:
            return None
        except TryLater as error:
            self._abort(path)
            return error
        except RefloopError as error:
            return error
        return None

    def _close(self, path: str) -> None:
        """Lets the job begin. Whether it was told so is seen, and to tell it again does no harm."""
        close = Part("job", "PATCH", path, body={"state": "UploadComplete"})
        try:
            self._client.call(close)
        except FateUnknown:
            if look(self._client, path)["state"] == "Open":
                self._client.call(close)

    def _abort(self, path: str) -> None:
        with suppress(RefloopError):
            self._client.call(Part("job", "PATCH", path, body={"state": "Aborted"}))

    def _results(self, path: str) -> Iterator[Results]:
        """The three sets that a job's records end up in: one that has failed has done a part of them all the same."""
        yield {row["Id"]: Saved() for row in self._rows(f"{path}/successfulResults")}
        yield {row["Id"]: refusal(row["sf__Error"]) for row in self._rows(f"{path}/failedResults")}
        yield {row["Id"]: NOT_PROCESSED for row in self._rows(f"{path}/unprocessedrecords")}

    def _rows(self, path: str) -> Iterator[Mapping[str, str]]:
        with result_set(self._client, path, {}) as (headers, table):
            said = headers.get("Sforce-NumberOfRecords")
            if said is not None and said != str(table.count()):
                raise ForeignAnswer(f"GET {path}", "it has not as many rows as it says")
            for row in table:
                if "Id" not in row or ("/failedResults" in path and "sf__Error" not in row):
                    raise ForeignAnswer(f"GET {path}", "it lacks a column")
                yield row


def fits(update: Update) -> bool:
    """Whether CSV can carry an update: a text that reads like null cannot be told from it."""
    return NULL not in update.values.values()


def as_csv(updates: Sequence[Update]) -> bytes:
    """The updates of one object as an ingest job takes them."""
    names = sorted({name for update in updates for name in update.values})
    text = io.StringIO(newline="")
    lines = csv.writer(text, lineterminator="\n")
    lines.writerow(["Id", *names])
    for update in updates:
        lines.writerow([update.id, *(_cell(update.values, name) for name in names)])
    return text.getvalue().encode()


def _cell(values: Mapping[str, object], name: str) -> str:
    if name not in values:
        return ""
    value = values[name]
    return NULL if value is None else str(value)


def refusal(text: str) -> Saved:
    """What `sf__Error` says: `CODE:message:fields`."""
    code, _, rest = text.partition(":")
    message, _, names = rest.rpartition(":")
    fields = [name for part in names.split(",") if (name := identifier_or_empty(part.removesuffix("--").strip()))]
    known = identifier_or_empty(code.strip()) or "UNKNOWN_EXCEPTION"
    return Saved(known, without_quotes(message or rest), tuple(fields) if message else ())
