"""The runs that there were."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
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
