"""The journal keeps whose problem each one was, and so does one that was written before it did."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path
from types import MappingProxyType

import pytest

from refloop.ledger import Ledger, open_ledger
from refloop.ledger.reads.journal import latest_runs, runs_at_the_crms
from refloop.ledger.runs import INTERRUPTED, KEPT_FOR, end_run, roll_up, start_run
from refloop.model import Problem
from tests.ledger.samples import DAY, made_before


def test_a_problem_is_kept_with_its_connection(ledger: Ledger) -> None:
    run = start_run(ledger, "sync", "0.1", DAY)
    problems = (Problem("sales", "marketing: is down"), Problem("", "sales: 10 changes"))
    end_run(ledger, run, 69, {"sales": {"calls": 1}}, problems, DAY)
    (found,) = latest_runs(ledger, 5)
    assert found.problems == problems
    assert list(map(str, found.problems)) == ["sales: marketing: is down", "sales: 10 changes"]
    assert list(runs_at_the_crms(ledger, at_work=False)) == [found]


def test_a_run_that_is_open_was_killed_unless_somebody_is_at_work(ledger: Ledger) -> None:
    start_run(ledger, "sync", "0.1", DAY)
    assert list(runs_at_the_crms(ledger, at_work=True)) == []
    (killed,) = runs_at_the_crms(ledger, at_work=False)
    assert (killed.ended_at, killed.exit, killed.problems) == (DAY, None, (Problem("", INTERRUPTED),))
    start_run(ledger, "plan", "0.1", DAY)
    (closed,) = runs_at_the_crms(ledger, at_work=True)
    assert closed == killed


def tick(
    ledger: Ledger, at: datetime, code: int = 0, command: str = "sync", news: Mapping[str, int] = MappingProxyType({})
) -> int:
    run = start_run(ledger, command, "0.1", at)
    end_run(ledger, run, code, {"sales": {"calls": 3, "pulled": 2, "unchanged": 2, **news}}, (), at)
    return run


def numbers(ledger: Ledger) -> list[int]:
    return [run.number for run in reversed(latest_runs(ledger, 10_000))]


def test_old_runs_without_news_are_counted_by_day_and_nothing_else_is_taken(ledger: Ledger) -> None:
    quiet = [tick(ledger, DAY + timedelta(minutes=5 * at)) for at in range(300)]
    failed = tick(ledger, DAY + timedelta(days=2), 69)
    kept = [
        tick(ledger, DAY + timedelta(days=2), news={word: 1})
        for word in ("new", "changed", "match", "written", "refused", "what comes later")
    ]
    kept += [tick(ledger, DAY + timedelta(days=2), command=command) for command in ("plan", "codes import", "undo")]
    kept.append(start_run(ledger, "sync", "0.1", DAY + timedelta(days=2)))  # and was killed
    named = tick(ledger, DAY + timedelta(days=2))
    ledger.execute("INSERT INTO cursors VALUES ('sales', '7', ?, '')", (named,))
    young = [tick(ledger, DAY + KEPT_FOR + timedelta(days=1, minutes=1))]
    now = DAY + 2 * timedelta(days=1) + KEPT_FOR + timedelta(minutes=1)
    assert roll_up(ledger, DAY + KEPT_FOR) == 0, "nothing is old yet"
    assert roll_up(ledger, now) == 301
    assert numbers(ledger) == [*kept, named, *young]
    days = [tuple(row) for row in ledger.rows("SELECT * FROM quiet_runs ORDER BY day, exit")]
    assert sum(day[3] for day in days) == 301
    assert days[-1][1:] == ("sync", 69, 1, failed, failed)
    assert (days[0][4], days[-2][5]) == (quiet[0], quiet[-1])
    assert roll_up(ledger, now) == 0


def test_a_long_journal_is_rolled_up_in_bounded_steps_and_the_newest_run_stays(ledger: Ledger) -> None:
    last = [tick(ledger, DAY) for _ in range(1_200)][-1]
    later = DAY + timedelta(days=400)
    assert [roll_up(ledger, later) for _ in range(4)] == [500, 500, 199, 0]
    assert numbers(ledger) == [last]
    assert tick(ledger, later) == last + 1, "no number is given twice"


@pytest.fixture
def old(folder: Path) -> Path:
    """A ledger whose journal has problems as sentences."""
    path = folder / "old.db"
    with made_before("problems", path) as engine:
        engine.execute("INSERT INTO cursors VALUES ('sales', '7', 1, '2026-01-01T00:00:00Z')")
        for counts, sentences in (
            ({}, ["sales: it is down", "marketing: it is down", INTERRUPTED]),
            (
                {"": {}, "marketing": {"calls": 1}, "sales: west": {}},
                ["marketing: a: b", "sales: west: no", "salesman: no"],
            ),
            ({"sales": {"pulled": 1, "new": 1}}, []),
        ):
            engine.execute(
                "INSERT INTO runs (command, version, started_at, ended_at, exit, counts, problems) "
                "VALUES ('sync', '0.1', '2026-01-01T00:00:00Z', '2026-01-01T00:00:01Z', 69, ?, ?)",
                (json.dumps(counts), json.dumps(sentences)),
            )
    return path


def test_a_journal_of_sentences_is_read_once_and_says_the_same(old: Path) -> None:
    for _ in range(2):  # the second time there is nothing to do
        ledger = open_ledger(old)
        found = latest_runs(ledger, 5)
        assert [run.problems for run in reversed(found)] == [
            # nothing in the ledger says that there ever was a connection `marketing`
            (Problem("sales", "it is down"), Problem("", "marketing: it is down"), Problem("", INTERRUPTED)),
            (Problem("marketing", "a: b"), Problem("sales: west", "no"), Problem("", "salesman: no")),
            (),
        ]
        assert [str(problem) for run in reversed(found) for problem in run.problems] == [
            "sales: it is down",
            "marketing: it is down",
            INTERRUPTED,
            "marketing: a: b",
            "sales: west: no",
            "salesman: no",
        ]
        ledger.close()
