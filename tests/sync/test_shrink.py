"""A full pull that brings far fewer records than are known is not believed, until one says so."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from refloop.errors import Exit, TimeIsUp
from refloop.ledger.rebuild import awaited
from refloop.model import Between, FieldSpec, Kind, Page, Ref, Span
from refloop.sync.run import Runner, Task
from refloop.sync.run_report import Report
from refloop.testing import Draft, MemoryConnector, MemoryCrm
from refloop.testing.memory_api import START, MemoryApi
from tests.sync.loop import NOW, Loop
from tests.sync.test_rebuild import decided

ALWAYS = Between(datetime(2020, 1, 1, tzinfo=UTC), datetime(2030, 1, 1, tzinfo=UTC))


class Seeing(MemoryConnector):
    """A connector whose user is shown only the first so many records of the CRM."""

    sees: int | None = None

    def pull(self, fields: Sequence[FieldSpec], span: Span) -> Iterator[Page]:
        left = Seeing.sees
        for page in super().pull(fields, span):
            if left is None:
                yield page
                continue
            yield replace(page, records=page.records[:left], whole=())
            left = max(0, left - len(page.records))


@pytest.fixture
def seeing(loop: Loop, monkeypatch: pytest.MonkeyPatch) -> Loop:
    """Twelve records, synced; one more lead whose code is not known yet to the ledger."""
    monkeypatch.setattr(Seeing, "sees", None)

    def connect(api: MemoryApi, token: str) -> MemoryConnector:
        return Seeing(api, token)

    made = Loop(loop.ledger, {"sales": MemoryCrm("sales", connector_class=connect)})
    made.provision()
    made.code("ANNA-7K2Q", "anna")
    leads = [made.crms["sales"].create(Kind.LEAD, Draft(email=f"b{n}@buyer.io", code="ANNA-7K2Q")) for n in range(11)]
    leads.append(made.crms["sales"].create(Kind.LEAD, Draft(email="other@buyer.io", code="BENS-4F6T")))
    assert made.sync().exit is Exit.OK
    made.code("BENS-4F6T", "ben")
    return made


def lose_cursor(loop: Loop) -> None:
    loop.ledger.execute("DELETE FROM cursors")


def run(loop: Loop, **options: bool) -> Report:
    return loop.runner().run(Task("sync", allow_shrink=options.get("allow_shrink", False)))


def written(loop: Loop) -> int:
    return sum(len(loop.crms["sales"].writes(Ref("sales", Kind.LEAD, f"{n:06d}"))) for n in range(1, 13))


@pytest.mark.parametrize("sees", [0, 1, 5])
def test_nothing_is_decided_or_written_and_nothing_lost(
    seeing: Loop, monkeypatch: pytest.MonkeyPatch, sees: int
) -> None:
    before, writes = decided(seeing.ledger), written(seeing)
    lose_cursor(seeing)
    monkeypatch.setattr(Seeing, "sees", sees)
    for _ in range(2):
        report = run(seeing)
        assert report.exit is Exit.DATA
        assert f"it shows {sees} records; before, there were 12" in str(dict(report.problems)["sales"])
        assert (decided(seeing.ledger), written(seeing)) == (before, writes)
        assert seeing.ledger.one("SELECT count(*) FROM records WHERE deleted = 0")[0] == 12  # type: ignore[index]  # a count
    monkeypatch.setattr(Seeing, "sees", None)
    assert run(seeing).exit is Exit.OK
    assert awaited(seeing.ledger) == []
    assert written(seeing) == writes + 1


@pytest.mark.parametrize("sees", [6, 7, 12])
def test_half_of_them_is_believed(seeing: Loop, monkeypatch: pytest.MonkeyPatch, sees: int) -> None:
    lose_cursor(seeing)
    monkeypatch.setattr(Seeing, "sees", sees)
    assert run(seeing).exit is Exit.OK
    assert awaited(seeing.ledger) == []


def test_one_may_say_that_it_is_right(seeing: Loop, monkeypatch: pytest.MonkeyPatch) -> None:
    lose_cursor(seeing)
    monkeypatch.setattr(Seeing, "sees", 1)
    assert run(seeing, allow_shrink=True).exit is Exit.OK
    assert run(seeing).exit is Exit.OK


def test_what_was_shown_counts_over_all_the_runs_that_a_long_pull_takes(seeing: Loop) -> None:
    lose_cursor(seeing)
    before = decided(seeing.ledger)
    stops = 0
    now = [NOW]

    def slow(stage: str, about: str, done: int) -> None:
        now[0] += timedelta(minutes=5) if stage == "pull" else timedelta()

    connections = {"sales": seeing.crms["sales"].connector}
    runner = Runner(seeing.ledger, seeing.policy, connections, lambda: now[0], slow)
    for _ in range(9):
        task = Task("sync", max_runtime=timedelta(minutes=4 if stops < 2 else 60))
        try:
            assert runner.run(task).exit is Exit.OK
            break
        except TimeIsUp:
            stops += 1
            assert decided(seeing.ledger) == before
            assert awaited(seeing.ledger) == ["sales"]
    assert stops == 2
    assert awaited(seeing.ledger) == []


def test_a_backfill_over_everything_is_a_full_pull(seeing: Loop, monkeypatch: pytest.MonkeyPatch) -> None:
    before, writes = decided(seeing.ledger), written(seeing)
    monkeypatch.setattr(Seeing, "sees", 3)
    report = seeing.runner().run(Task("backfill", span=ALWAYS))
    assert report.exit is Exit.DATA
    assert "it shows 3 records; before, there were 12" in str(dict(report.problems)["sales"])
    assert (decided(seeing.ledger), written(seeing)) == (before, writes)
    assert seeing.runner().run(Task("backfill", span=ALWAYS, allow_shrink=True)).exit is Exit.OK


def test_a_backfill_of_some_days_is_none(seeing: Loop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Seeing, "sees", 3)
    some_days = Between(START + timedelta(days=1), START + timedelta(days=9))
    assert seeing.runner().run(Task("backfill", span=some_days)).exit is Exit.OK


def test_a_first_pull_may_bring_nothing(loop: Loop) -> None:
    assert loop.sync().exit is Exit.OK


def test_a_pull_of_what_changed_may_bring_nothing(seeing: Loop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Seeing, "sees", 0)
    assert seeing.sync().exit is Exit.OK
