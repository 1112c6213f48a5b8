"""The journal of runs."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime

from refloop import log
from refloop.ledger.book import Ledger
from refloop.model import format_time


def start_run(ledger: Ledger, command: str, version: str, now: datetime) -> int:
    """Opens a run and gives its number."""
    with ledger.writing() as db:
        cursor = db.execute(
            "INSERT INTO runs (command, version, started_at) VALUES (?, ?, ?)", (command, version, format_time(now))
        )
        run = int(cursor.lastrowid or 0)
    log.begin_run(run)
    log.info("run started", command=command, version=version)
    return run


def end_run(
    ledger: Ledger,
    run: int,
    exit_code: int,
    counts: Mapping[str, Mapping[str, int]],
    problems: Sequence[str],
    now: datetime,
) -> None:
    """Closes a run with what it did and how it ended."""
    with ledger.writing() as db:
        db.execute(
            "UPDATE runs SET ended_at = ?, exit = ?, counts = ?, problems = ? WHERE run = ?",
            (format_time(now), exit_code, json.dumps(counts, sort_keys=True), json.dumps(list(problems)), run),
        )
    for problem in problems:
        log.warning("trouble", problem=problem)
    log.info("run ended", exit=exit_code, counts=counts)
    log.end_run()
