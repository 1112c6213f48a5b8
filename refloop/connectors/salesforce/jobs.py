"""What Bulk API 2.0 query and ingest jobs have in common: waiting for their end, and their CSV."""

from __future__ import annotations

import csv
import io
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any, TextIO

from refloop.connectors.salesforce.client import Client, ForeignAnswer, Part
from refloop.connectors.salesforce.errors import failure
from refloop.connectors.salesforce.ids import record_id
from refloop.errors import DiskError, RefloopError, TryLater

COMPLETE = "JobComplete"
FORMAT = {"contentType": "CSV", "columnDelimiter": "COMMA", "lineEnding": "LF"}

FIRST_PAUSE, LONGEST_PAUSE = 1.0, 30.0
PATIENCE = 120.0
"""Seconds without any sign of progress after which a job is left to itself."""

COME_BACK = 300.0
"""Seconds after which it makes sense to look at such a job again."""

_ENDED = frozenset({COMPLETE, "Failed", "Aborted"})
_GONE = frozenset({404, 409, 410})
"""Unknown or expired (jobs live for seven days), or made with another API version."""

_NO_RESULTS = _GONE | {204, 400}
"""Bulk API 2.0 docs, "Get Results for a Query Job": 204 says that the request failed; 400 is for a bad locator."""


class JobLost(Exception):  # noqa: N818 - a signal between the classes of a job
    """A job will bring nothing more. `anew`: the same job, made again, may."""

    def __init__(self, *, anew: bool) -> None:
        super().__init__()
        self.anew = anew


def created(client: Client, path: str, body: Mapping[str, Any]) -> str | None:
    """The id of a new job; None when the org refuses it: there are ways without one."""
    answer = client.ask(Part("job", "POST", path, body={**FORMAT, **body}))
    if 400 <= answer.status < 500:
        return None
    if not answer.is_good:
        raise failure(answer.status, answer.body, f"POST {path}")
    try:
        return record_id(answer.body["id"])
    except (KeyError, TypeError, ValueError):
        raise ForeignAnswer(f"POST {path}", "it names no job") from None


def ended(client: Client, path: str) -> Mapping[str, Any]:
    """What a job says of itself once it has ended, whichever way.

    Looks less and less often. Raises JobLost for one that is gone, TryLater for one that shows no progress.
    """
    pause, quiet, news = FIRST_PAUSE, 0.0, None
    while True:
        info = look(client, path)
        if info["state"] in _ENDED:
            return info
        now = info["state"], info.get("numberRecordsProcessed")
        quiet = quiet + pause if now == news else pause
        if quiet > PATIENCE:
            raise TryLater(
                "Salesforce has not finished a Bulk job yet",
                remedy="Run later: it goes on from here.",
                seconds=COME_BACK,
            )
        client.transport.wait(pause)
        pause, news = min(2 * pause, LONGEST_PAUSE), now


def look(client: Client, path: str) -> Mapping[str, Any]:
    """What a job says of itself. Raises JobLost for one that is gone."""
    answer = client.ask(Part("job", "GET", path))
    if answer.status in _GONE:
        raise JobLost(anew=True)
    if not answer.is_good:
        raise failure(answer.status, answer.body, "a look at a Bulk job")
    if not isinstance(answer.body, dict) or not isinstance(answer.body.get("state"), str):
        raise ForeignAnswer("a look at a Bulk job", "it names no state")
    return answer.body


def delete(client: Client, path: str) -> None:
    """Removes a job and its results; when that fails, Salesforce does it by itself after seven days."""
    with suppress(RefloopError):
        client.call(Part("job", "DELETE", path))


@contextmanager
def result_set(client: Client, path: str, params: Mapping[str, str]) -> Iterator[tuple[Mapping[str, str], Table]]:
    """One page of results, in a file without a name, so that it is whole before any of it is used, however large.

    Gives the headers and the rows. Raises JobLost when the results are not to be had any more.
    """
    try:
        file = tempfile.TemporaryFile()  # noqa: SIM115 - closed below
    except OSError:
        raise DiskError("no temporary file can be made", remedy="Free some disk space for temporary files.") from None
    with file:
        answer = client.download(path, params, file)
        if answer.status in _NO_RESULTS:
            raise JobLost(anew=True)
        if answer.status != 200:
            raise failure(answer.status, answer.body, "the results of a Bulk job")
        with io.TextIOWrapper(file, encoding="utf-8-sig", newline="") as text:
            yield answer.headers, Table(path, text)


class Table:
    """The rows of a CSV file whose first row names the columns. May be read again from the start."""

    def __init__(self, what: str, text: TextIO) -> None:
        self._what = what
        self._text = text

    def __iter__(self) -> Iterator[Mapping[str, str]]:
        """Each row by column. Raises ForeignAnswer where the file is no such CSV."""
        self._text.seek(0)
        lines = csv.reader(self._text, strict=True)
        try:
            header = next(lines, [])
            if len(set(header)) != len(header):
                raise ValueError("a column is given twice")
            for cells in lines:
                yield dict(zip(header, cells, strict=True))
        except (ValueError, csv.Error):
            raise ForeignAnswer(f"GET {self._what}", "its CSV makes no sense") from None

    def count(self) -> int:
        """How many rows there are."""
        return sum(1 for _ in self)
