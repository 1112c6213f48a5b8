"""The journal keeps whose problem each one was, and so does one that was written before it did."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

import pytest
from sqlite_utils import Database

from refloop.ledger import Ledger, open_ledger
from refloop.ledger.reads.journal import latest_runs, runs_at_the_crms
from refloop.ledger.runs import INTERRUPTED, end_run, start_run
from refloop.ledger.schema import APPLICATION_ID, migrations
from refloop.model import Problem
from tests.ledger.samples import DAY


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


@pytest.fixture
def old(folder: Path) -> Path:
    """A ledger whose journal has problems as sentences."""
    path = folder / "old.db"
    connection = sqlite3.connect(path)
    database = Database(connection)
    migrations.apply(database, stop_before="problems")
    connection.execute(f"PRAGMA application_id={APPLICATION_ID}")
    connection.execute("INSERT INTO meta VALUES ('ledger', 'x'), ('position', '0')")
    connection.execute("INSERT INTO cursors VALUES ('sales', '7', 1, '2026-01-01T00:00:00Z')")
    for counts, sentences in (
        ({}, ["sales: it is down", "marketing: it is down", INTERRUPTED]),
        (
            {"": {}, "marketing": {"calls": 1}, "sales: west": {}},
            ["marketing: a: b", "sales: west: no", "salesman: no"],
        ),
        ({"sales": {"pulled": 1, "new": 1}}, []),
    ):
        connection.execute(
            "INSERT INTO runs (command, version, started_at, ended_at, exit, counts, problems) "
            "VALUES ('sync', '0.1', '2026-01-01T00:00:00Z', '2026-01-01T00:00:01Z', 69, ?, ?)",
            (json.dumps(counts), json.dumps(sentences)),
        )
    connection.commit()
    database.close()
    path.chmod(0o600)
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
