"""The runs that there were."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import islice

from refloop.errors import DataError
from refloop.ledger.engine.base import Row
from refloop.ledger.runs import INTERRUPTED, SYNCING, imbalances, problems_from
from refloop.ledger.store import Ledger
from refloop.model import Problem, format_time, parse_time

_AT_THE_CRM = (*SYNCING, "apply", "undo")
"""Not `plan`: a person runs it, perhaps without the secrets that cron has, and sees how it ends."""
_MOST = 10_000
_NAMED = 3


@dataclass(frozen=True, slots=True)
class Run:
    """A run as the journal has it. `exit` None: it goes on, or was killed."""

    number: int
    command: str
    version: str
    started_at: datetime
    ended_at: datetime | None
    exit: int | None
    counts: Mapping[str, Mapping[str, int]]
    problems: tuple[Problem, ...]

    @property
    def imbalances(self) -> list[str]:
        """What does not add up in its counts."""
        return imbalances(self.counts)

    @property
    def wrote(self) -> bool:
        return any(counts.get("written") for counts in self.counts.values())

    @property
    def syncs(self) -> bool:
        return self.command.startswith(SYNCING)


def latest_runs(ledger: Ledger, limit: int) -> list[Run]:
    """The latest runs, the newest first."""
    return [_run(row) for row in ledger.rows("SELECT * FROM runs ORDER BY run DESC LIMIT ?", (limit,))]


def run_numbered(ledger: Ledger, number: int) -> Run | None:
    """The run of that number. Raises DataError, which names the last ones that wrote, where there never was one; None
    for one that is counted in `quiet_runs` alone, and so wrote nothing."""
    row = ledger.one("SELECT * FROM runs WHERE run = ?", (number,))
    if row:
        return _run(row)
    newest = ledger.one("SELECT max(run) AS newest FROM runs")
    if newest and 0 < number <= (newest["newest"] or 0):
        return None
    rows = islice(ledger.rows("SELECT * FROM runs ORDER BY run DESC"), _MOST)
    wrote = islice((run for run in map(_run, rows) if run.wrote), _NAMED)
    named = ", ".join(f"{run.number} ({run.command}, {format_time(run.started_at)})" for run in wrote)
    raise DataError(
        f"there is no run {number}; nothing was changed",
        remedy=f"The last ones that wrote: {named}. See `refloop runs`."
        if named
        else "No run has written anything yet.",
    )


@dataclass(frozen=True, slots=True)
class Asked:
    """Which runs somebody wants to see: at most `limit`, those that began at `since` or after, those that `wrote` to a
    CRM, and those that did not end with one of the exit codes `unless`. One that was killed has none; one that is open
    was killed, unless somebody is `at_work`."""

    limit: int
    since: datetime | None = None
    wrote: bool = False
    unless: Collection[int] = ()
    at_work: bool = False


@dataclass(frozen=True, slots=True)
class Wrote:
    """A run, and what it did in the CRMs by its receipts, which a run that was killed has too: how many `fields` of how
    many `records` it wrote, and how many changes were `refused`."""

    run: Run
    fields: int
    records: int
    refused: int

    @property
    def conflicts(self) -> int:
        """In how many fields it found what a person wrote and left it alone."""
        return sum(of.get("conflicts", 0) for of in self.run.counts.values())


_WROTE = "EXISTS (SELECT 1 FROM receipts w WHERE w.run = r.run AND w.verdict = 'written')"


def runs_with_writes(ledger: Ledger, asked: Asked) -> Iterator[Wrote]:
    """The runs that somebody asked for, the newest first, streamed."""
    since = format_time(asked.since) if asked.since else None
    marks = ", ".join("?" * len(asked.unless))
    rows = ledger.rows(
        f"SELECT r.* FROM runs r WHERE r.started_at >= coalesce(?, r.started_at) AND (? = 0 OR {_WROTE}) "
        + (f"AND (r.exit NOT IN ({marks}) OR r.exit IS NULL AND (r.ended_at IS NOT NULL OR ? = 0)) " if marks else "")
        + "ORDER BY r.run DESC LIMIT ?",
        (since, int(asked.wrote), *map(int, asked.unless), *([int(asked.at_work)] if marks else []), asked.limit),
    )
    for run in map(_run, rows):
        yield _with_writes(ledger, run)


def _with_writes(ledger: Ledger, run: Run) -> Wrote:
    (found,) = ledger.rows(
        "SELECT coalesce(sum(CASE WHEN f.verdict = 'written' THEN f.n END), 0) AS fields, "
        "coalesce(sum(CASE WHEN f.verdict = 'written' THEN 1 END), 0) AS records, "
        "coalesce(sum(CASE WHEN f.verdict = 'refused' THEN f.n END), 0) AS refused FROM ("
        "SELECT verdict, count(*) AS n FROM receipts WHERE run = ? AND verdict IN ('written', 'refused') "
        "GROUP BY verdict, connection, kind, id) f",
        (run.number,),
    )
    return Wrote(run, found["fields"], found["records"], found["refused"])


def runs_at_the_crms(ledger: Ledger, *, at_work: bool) -> Iterator[Run]:
    """The runs that had to do with a CRM and ended, the newest first, streamed; at most ten thousand runs back.

    One that is open was killed as soon as it began, unless somebody is `at_work`.
    """
    for row in islice(ledger.rows("SELECT * FROM runs ORDER BY run DESC"), _MOST):
        run = _run(row)
        if not run.command.startswith(_AT_THE_CRM):
            continue
        if run.ended_at is not None:
            yield run
        elif not at_work:
            yield replace(run, ended_at=run.started_at, problems=(Problem("", INTERRUPTED),))


def _run(row: Row) -> Run:
    return Run(
        row["run"],
        row["command"],
        row["version"],
        parse_time(row["started_at"]),
        parse_time(row["ended_at"]) if row["ended_at"] else None,
        row["exit"],
        json.loads(row["counts"]),
        problems_from(row["problems"]),
    )
