"""The runs that there were."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import islice

from refloop.ledger.engine.base import Row
from refloop.ledger.runs import INTERRUPTED, SYNCING, imbalances, problems_from
from refloop.ledger.store import Ledger
from refloop.model import Problem, parse_time

_AT_THE_CRM = (*SYNCING, "apply", "undo")
"""Not `plan`: a person runs it, perhaps without the secrets that cron has, and sees how it ends."""
_MOST = 10_000


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
    def syncs(self) -> bool:
        return self.command.startswith(SYNCING)


def latest_runs(ledger: Ledger, limit: int) -> list[Run]:
    """The latest runs, the newest first."""
    return [_run(row) for row in ledger.rows("SELECT * FROM runs ORDER BY run DESC LIMIT ?", (limit,))]


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
