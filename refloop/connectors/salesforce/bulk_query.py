"""Pulls whole objects by Bulk API 2.0 query jobs: two or three dozen calls for a million rows, and no page lost."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from typing import Any

from refloop.connectors.salesforce.answers import Row
from refloop.connectors.salesforce.client import Client, ForeignAnswer
from refloop.connectors.salesforce.cursor import Job
from refloop.connectors.salesforce.jobs import COMPLETE, JobLost, Table, created, delete, ended, result_set
from refloop.connectors.salesforce.soql import PAGE, Window, whole_query
from refloop.errors import RefloopError

RESULT_PAGE = 100_000
"""Rows of one call for results. They go to a file, and on from there in pages of a query's size."""

_LAST = "null"
"""Bulk API 2.0 docs, "Get Results for a Query Job": the locator behind the last page is this word."""

_FLAGS = frozenset({"IsDeleted", "IsConverted", "IsClosed", "IsWon"})
_TRUTH = {"true": True, "false": False, "": None}


class QueryJobs:
    """Query jobs of one org."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def start(self, layout: Mapping[str, Sequence[str]], names: Sequence[str], window: Window) -> Mapping[str, Job]:
        """Starts a job for each object, all at once. Those that the org refuses are left out."""
        jobs: dict[str, Job] = {}
        try:
            for name in names:
                body = {"operation": "queryAll", "query": whole_query(name, layout[name], window)}
                if made := created(self._client, "jobs/query", body):
                    jobs[name] = Job(made)
        except RefloopError:
            for job in jobs.values():
                self.delete(job)
            raise
        return jobs

    def rows(self, name: str, job: Job) -> Iterator[tuple[Sequence[Row], Job | None]]:
        """The rows from where `job` stands, in pages of a query's size, each with where it stands behind them.

        Waits for the job's end first. The last page comes with None. Raises JobLost for a job that failed or is
        gone, and for one whose rows are not as many as it says; TryLater for one that does not get on.
        """
        info = ended(self._client, f"jobs/query/{job.id}")
        if info["state"] != COMPLETE:
            raise JobLost(anew=False)
        if info.get("object") != name:
            raise ForeignAnswer(f"a look at a Bulk job of {name}", "it is a job of another object")
        here: Job | None = job
        while here is not None:
            for rows, behind in self._page(here, info):
                here = behind  # the last piece of a page says where the next one is
                yield rows, behind

    def delete(self, job: Job) -> None:
        """Removes a job: what people wrote in the CRM shall not lie about."""
        delete(self._client, f"jobs/query/{job.id}")

    def _page(self, job: Job, info: Mapping[str, Any]) -> Iterator[tuple[Sequence[Row], Job | None]]:
        params = {"maxRecords": str(RESULT_PAGE), **({"locator": job.locator} if job.locator else {})}
        path = f"jobs/query/{job.id}/results"
        with result_set(self._client, path, params) as (headers, table):
            end = job.start + _counted(path, headers, table)
            following = _following(path, headers, job)
            behind = replace(job, locator=following, start=end, taken=end) if following else None
            if behind is None and info.get("numberRecordsProcessed", end) != end:
                raise JobLost(anew=False)
            rows = islice(table, job.taken - job.start, None)
            taken = job.taken
            while taken + PAGE < end:
                taken += PAGE
                yield [_typed(row) for row in islice(rows, PAGE)], replace(job, taken=taken)
            yield [_typed(row) for row in rows], behind


def _counted(path: str, headers: Mapping[str, str], table: Table) -> int:
    """The number of rows of a page: as many as the answer's header says."""
    count = table.count()
    if headers.get("Sforce-NumberOfRecords") != str(count):
        raise ForeignAnswer(f"GET {path}", "it has not as many rows as it says")
    return count


def _following(path: str, headers: Mapping[str, str], job: Job) -> str:
    """The locator of the next page; "" when there is none."""
    locator = headers.get("Sforce-Locator", "")
    if not locator or locator == job.locator:
        raise ForeignAnswer(f"GET {path}", "it does not say where the next page is")
    return "" if locator == _LAST else locator


def _typed(cells: Mapping[str, str]) -> Row:
    """A row as a query would show it: in CSV all is text, an empty cell is null, a parent's field has a dot."""
    row: dict[str, Any] = {}
    for column, cell in cells.items():
        parent, _, name = column.rpartition(".")
        if parent:
            row[parent] = {**row.get(parent, {}), name: cell or None}
        else:
            row[column] = _TRUTH.get(cell, cell) if column in _FLAGS else cell or None
    return row
