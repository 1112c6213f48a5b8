"""What has nothing to do costs the same at any size: counted in steps of the database, the same everywhere."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from refloop.ledger import Ledger, open_ledger
from refloop.ledger.engine import opening
from refloop.ledger.engine.sqlite import SqliteEngine
from refloop.ledger.figures import keep_figures
from refloop.ledger.reads.explain import record_story
from refloop.ledger.reads.review import open_items
from refloop.ledger.reads.summary import summary
from refloop.ledger.records import keep_page
from refloop.mapping.codes import code_key
from refloop.mapping.policy import Policy
from refloop.model import Code, Kind, Outcome, Page, Record, Ref, Referrer
from refloop.report.health import health
from refloop.sync.context import RunContext
from refloop.sync.intake import Enrolment, codes_changing, enrol
from refloop.sync.lock import alone
from refloop.sync.plan import Planner
from refloop.sync.run import Runner, Task
from refloop.sync.stages import Decider
from refloop.testing import MemoryCrm

NOW = datetime(2026, 6, 1, tzinfo=UTC)
SIZES = (500, 5000)
CODE = "ANNA-7K2Q"
CARRYING = 20


def tick(path: Path) -> None:
    crm = MemoryCrm("other")
    with closing(open_ledger(path)) as ledger, alone(ledger, lambda: NOW):
        Runner(ledger, Policy(), {"other": crm.connector}, lambda: NOW).run(Task("sync"))
        summary(ledger)


def status(path: Path) -> None:
    with closing(open_ledger(path)) as ledger:
        health(ledger, Planner(context(ledger)), ["crm"], NOW)


def explain(path: Path) -> None:
    with closing(open_ledger(path)) as ledger:
        assert record_story(ledger, Ref("crm", Kind.LEAD, "1"))


def review(path: Path) -> None:
    with closing(open_ledger(path)) as ledger:
        list(open_items(ledger))


def context(ledger: Ledger) -> RunContext:
    return RunContext(ledger, 0, Policy(), lambda: NOW)


def issue(ledger: Ledger, text: str) -> None:
    with codes_changing(ledger), ledger.writing():
        enrol(ledger, Enrolment(Code(text, code_key(text), "anna", "program"), Referrer("anna", "Anna")), NOW)


def build(path: Path, size: int) -> Path:
    """A ledger of so many records, a few of which carry a code, decided."""
    with closing(open_ledger(path)) as ledger:
        issue(ledger, CODE)
        records = [
            Record(Ref("crm", Kind.LEAD, str(number)), NOW, NOW, texts={"Note": CODE if number <= CARRYING else "call"})
            for number in range(1, size)
        ]
        deals = [Record(Ref("crm", Kind.DEAL, str(number)), NOW, NOW, outcome=Outcome.WON) for number in range(size)]
        keep_page(ledger, 1, "crm", Page((*records, *deals)), NOW)
        Decider(RunContext(ledger, 1, Policy(), lambda: NOW)).decide()
        keep_figures(ledger)
    tick(path)
    return path


@pytest.fixture(scope="module")
def paths(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("sizes")
    return [build(folder / f"{size}.db", size) for size in SIZES]


@pytest.fixture
def steps(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Grows by one for each ten steps of any database that is opened."""
    taken = [0]

    def counting(connection: object, *rest: object) -> SqliteEngine:
        engine = SqliteEngine(connection, *rest)  # type: ignore[arg-type]  # as it is called
        engine.connection.set_progress_handler(count, 10)
        return engine

    def count() -> int:
        taken[0] += 1
        return 0

    monkeypatch.setattr(opening, "SqliteEngine", counting)
    return taken


def steps_of(act: Callable[[Path], None], path: Path, steps: list[int]) -> int:
    act(path)
    before = steps[0]
    act(path)
    return steps[0] - before


@pytest.mark.parametrize("act", [tick, status, explain, review])
def test_ten_times_the_records_are_no_more_work(
    paths: list[Path], steps: list[int], act: Callable[[Path], None]
) -> None:
    few, many = (steps_of(act, path, steps) for path in paths)
    assert many <= few * 1.2 + 20
    assert few > 10


@pytest.fixture
def copies(paths: list[Path], tmp_path: Path) -> list[Path]:
    """Ledgers of these sizes that nobody looked through: a copy is another file."""
    return [Path(shutil.copy2(path, tmp_path / path.name)) for path in paths]


def test_what_is_counted_does_grow_where_all_of_it_is_looked_through(copies: list[Path], steps: list[int]) -> None:
    taken = []
    for path in copies:
        before = steps[0]
        tick(path)
        taken.append(steps[0] - before)
    assert taken[1] > taken[0] * 4


def test_a_new_code_is_one_look_at_all_texts_and_work_on_those_that_carry_it(copies: list[Path]) -> None:
    decided = []
    for path in copies:
        with closing(open_ledger(path)) as ledger, alone(ledger, lambda: NOW):
            for text in ("BENS-4F6T", "ANNA-7K2R"):
                issue(ledger, text)
                decided.append(Decider(context(ledger)).decide()["match"])
    assert decided == [0, CARRYING, 0, CARRYING]
