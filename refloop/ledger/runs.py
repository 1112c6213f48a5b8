"""The journal of runs, and whether its counts balance."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from itertools import takewhile

from refloop import log
from refloop.ledger.engine.base import Row
from refloop.ledger.store import Ledger
from refloop.model import Problem, format_time

READ = ("new", "changed", "unchanged", "rejected")
"""What becomes of a record that was pulled. Rejected: an older copy than the one known."""
CONFIRMED = ("written", "present")
"""The CRM holds what was wanted: by this run's write, or already."""
MOVED = ("moved",)
"""Someone else wrote between plan and push."""
QUARANTINED = ("refused", "parked")
"""The CRM said no, now or so often that it is not asked again before the record or the wish changes."""
LEFT = ("deferred", "unknown", "unsent")
"""For the next run: to be tried again, to be settled by reading back, or never sent."""

SYNCING = ("sync", "backfill")
"""The commands that bring what is new."""
KEPT_FOR = timedelta(days=30)
"""So long the journal keeps runs without news."""
_NO_NEWS = ("calls", "quota_limit", "quota_used", "quota_ours", "pulled", "unchanged", "rejected")
"""Counts behind which nothing was kept that names the run."""
_LOOKED_AT = "journal rolled up to"
_AT_ONCE = 500

INTERRUPTED = "interrupted: the process ended without a word (killed, or the machine went down)"


def imbalances(counts: Mapping[str, Mapping[str, int]]) -> list[str]:
    """What does not add up in a run's counts by connection; nothing, when all is accounted for.

    pulled = new + changed + unchanged + rejected, and
    planned + settled = confirmed + moved + quarantined + left, where settled are changes of earlier runs whose fate
    was unknown.
    """
    found = []
    for name, of in counts.items():
        for into, out in ((("pulled",), READ), (("planned", "settled"), CONFIRMED + MOVED + QUARANTINED + LEFT)):
            began, ended = sum(of.get(word, 0) for word in into), sum(of.get(word, 0) for word in out)
            if began != ended:
                found.append(f"{name}: {' + '.join(into)} is {began}, {' + '.join(out)} is {ended}")
        found += [f"{name}: {word} is {count}" for word, count in of.items() if count < 0]
    return found


def start_run(ledger: Ledger, command: str, version: str, now: datetime) -> int:
    """Opens a run and gives its number. Runs that are open still were killed: they are closed as interrupted."""
    with ledger.writing():
        ledger.execute(
            "UPDATE runs SET ended_at = ?, problems = ? WHERE ended_at IS NULL",
            (format_time(now), _text_of([Problem("", INTERRUPTED)])),
        )
        (added,) = ledger.rows(
            "INSERT INTO runs (command, version, started_at) VALUES (?, ?, ?) RETURNING run",
            (command, version, format_time(now)),
        )
        run = int(added["run"])
    log.begin_run(run)
    log.info("run started", command=command, version=version)
    return run


def end_run(
    ledger: Ledger,
    run: int,
    exit_code: int,
    counts: Mapping[str, Mapping[str, int]],
    problems: Sequence[Problem],
    now: datetime,
) -> None:
    """Closes a run with what it did and how it ended."""
    with ledger.writing():
        ledger.execute(
            "UPDATE runs SET ended_at = ?, exit = ?, counts = ?, problems = ? WHERE run = ?",
            (format_time(now), exit_code, json.dumps(counts, sort_keys=True), _text_of(problems), run),
        )
    for problem in problems:
        log.warning("trouble", problem=str(problem))
    log.info("run ended", exit=exit_code, counts=counts)
    log.end_run()


def roll_up(ledger: Ledger, now: datetime) -> int:
    """Takes old runs without news out of the journal, and counts them in `quiet_runs` instead. Each run is looked at
    once, and at most five hundred a call. Returns how many were taken out.

    Without news is a sync or backfill that came to its end, well or not, and kept nothing: no record that was new or
    changed, no decision, no write. Runs that anything else in the ledger names are kept, and so is the newest.
    """
    row = ledger.one("SELECT value FROM meta WHERE key = ?", (_LOOKED_AT,))
    before = format_time(now - KEPT_FOR)
    rows = ledger.rows(
        "SELECT run, command, started_at, exit, counts FROM runs WHERE run > ? "
        "AND run < (SELECT max(run) FROM runs) ORDER BY run LIMIT ?",
        (int(row["value"]) if row else 0, _AT_ONCE),
    )
    old = list(takewhile(lambda run: run["started_at"] < before, rows))
    if not old:
        return 0
    with ledger.writing():
        quiet = [run for run in old if _is_quiet(run) and not _is_named(ledger, run["run"])]
        for run in quiet:
            ledger.execute(
                "INSERT INTO quiet_runs (day, command, exit, runs, first_run, last_run) VALUES (?, ?, ?, 1, ?, ?) "
                "ON CONFLICT (day, command, exit) DO UPDATE SET runs = quiet_runs.runs + 1, "
                "last_run = excluded.last_run",
                (run["started_at"][: len("2026-01-01")], run["command"], run["exit"], run["run"], run["run"]),
            )
        ledger.execute_many("DELETE FROM runs WHERE run = ?", [(run["run"],) for run in quiet])
        ledger.execute(
            "INSERT INTO meta (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value",
            (_LOOKED_AT, str(old[-1]["run"])),
        )
    return len(quiet)


def _is_quiet(run: Row) -> bool:
    """Of one that was killed nobody knows what it kept."""
    if run["exit"] is None or not run["command"].startswith(SYNCING):
        return False
    counts: Mapping[str, Mapping[str, int]] = json.loads(run["counts"])
    return not any(count for of in counts.values() for word, count in of.items() if word not in _NO_NEWS)


def _is_named(ledger: Ledger, run: int) -> bool:
    """Whether something that no count tells of names the run."""
    named = "SELECT 1 FROM cursors WHERE run = ?"
    for table in ("accounts", "policies", "receipts", "outbox", "undone"):
        named += f" UNION ALL SELECT 1 FROM {table} WHERE run = ?"
    return ledger.one(named, [run] * 6) is not None


def problems_from(text: str) -> tuple[Problem, ...]:
    """What `runs.problems` holds, as the values they were."""
    return tuple(Problem(found["connection"], found["message"]) for found in json.loads(text))


def _text_of(problems: Sequence[Problem]) -> str:
    return json.dumps([{"connection": problem.connection, "message": problem.message} for problem in problems])
