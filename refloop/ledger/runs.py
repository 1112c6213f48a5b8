"""The journal of runs, and whether its counts balance."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime

from refloop import log
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


def problems_from(text: str) -> tuple[Problem, ...]:
    """What `runs.problems` holds, as the values they were."""
    return tuple(Problem(found["connection"], found["message"]) for found in json.loads(text))


def _text_of(problems: Sequence[Problem]) -> str:
    return json.dumps([{"connection": problem.connection, "message": problem.message} for problem in problems])
