"""The journal's counts balance, however a run ends."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import suppress
from datetime import timedelta

import pytest

from refloop.connectors.base import Connector
from refloop.errors import CrmUnavailable, DiskError, Exit, RefloopError, StalePlan
from refloop.ledger.runs import INTERRUPTED, imbalances, problems_from, start_run
from refloop.model import FieldChange, FieldSpec, Kind, Page, Problem, Receipt, Ref, Span
from refloop.sync import push as pushing
from refloop.sync.run import Runner, Task
from refloop.testing import Draft, MemoryConnector, MemoryCrm
from refloop.testing.memory_api import MemoryApi
from tests.sync.loop import NOW, Loop, assert_balanced


@pytest.mark.parametrize(
    ("counts", "found"),
    [
        ({}, []),
        ({"": {"match": 3}, "sales": {"calls": 7}}, []),
        ({"sales": {"pulled": 10, "new": 1, "changed": 2, "unchanged": 3, "rejected": 4}}, []),
        ({"sales": {"pulled": 10, "new": 9}}, ["sales: pulled is 10, new + changed + unchanged + rejected is 9"]),
        ({"sales": {"new": 1}}, ["sales: pulled is 0, new + changed + unchanged + rejected is 1"]),
        (
            {
                "sales": {
                    "planned": 7,
                    "settled": 1,
                    **dict.fromkeys(("written", "present", "moved", "refused", "parked"), 1),
                    **dict.fromkeys(("deferred", "unknown", "unsent"), 1),
                }
            },
            [],
        ),
        (
            {"a": {}, "b": {"planned": 2, "written": 1}},
            [
                "b: planned + settled is 2, "
                "written + present + moved + refused + parked + deferred + unknown + unsent is 1"
            ],
        ),
        ({"sales": {"planned": 0, "written": 1, "unknown": -1}}, ["sales: unknown is -1"]),
        ({"sales": {"conflicts": 5}}, []),
    ],
)
def test_what_does_not_add_up_is_named(counts: dict[str, dict[str, int]], found: list[str]) -> None:
    assert imbalances(counts) == found


class Breaking(MemoryConnector):
    """Breaks off after so many pages or receipts."""

    pages: int | None = None
    receipts: int | None = None
    error: BaseException = CrmUnavailable("it went down")

    def pull(self, fields: Sequence[FieldSpec], span: Span) -> Iterator[Page]:
        for number, page in enumerate(super().pull(fields, span)):
            if number == Breaking.pages:
                raise Breaking.error
            yield page

    def push(self, changes: Sequence[FieldChange]) -> Iterator[Receipt]:
        for number, receipt in enumerate(super().push(changes)):
            if number == Breaking.receipts:
                raise Breaking.error
            yield receipt


@pytest.fixture
def breaking(loop: Loop, monkeypatch: pytest.MonkeyPatch) -> Iterator[Loop]:
    """A loop with twelve leads over one CRM, whose connector can break; receipts are kept by ten."""
    monkeypatch.setattr(pushing, "KEPT_AT_ONCE", 10)
    monkeypatch.setattr(Breaking, "pages", None)
    monkeypatch.setattr(Breaking, "receipts", None)

    def connect(api: MemoryApi, token: str) -> MemoryConnector:
        return Breaking(api, token)

    crm = MemoryCrm("sales", connector_class=connect)
    made = Loop(loop.ledger, {"sales": crm})
    made.provision()
    made.code("ANNA-7K2Q", "anna")
    for number in range(12):
        crm.create(Kind.LEAD, Draft(email=f"b{number}@buyer.io", code="ANNA-7K2Q"))
    yield made
    assert_balanced(made.ledger)


def counts_of(loop: Loop) -> dict[str, dict[str, int]]:
    row = loop.ledger.one("SELECT counts FROM runs ORDER BY run DESC LIMIT 1")
    assert row is not None
    found: dict[str, dict[str, int]] = json.loads(row["counts"])
    return found


def counts_when_broken_off(loop: Loop, monkeypatch: pytest.MonkeyPatch, error: BaseException) -> dict[str, int]:
    monkeypatch.setattr(Breaking, "error", error)
    with suppress(type(error)):
        loop.sync()
    return counts_of(loop)["sales"]


ERRORS = [CrmUnavailable("down"), DiskError("full"), KeyboardInterrupt(), ZeroDivisionError()]


@pytest.mark.parametrize("error", ERRORS)
def test_a_pull_that_breaks_off_counts_the_pages_it_kept(
    breaking: Loop, monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    monkeypatch.setattr(Breaking, "pages", 2)
    counts = counts_when_broken_off(breaking, monkeypatch, error)
    assert (counts["pulled"], counts["new"]) == (10, 10)


@pytest.mark.parametrize(
    ("error", "written", "unknown"),
    [
        (CrmUnavailable("down"), 35, 0),  # what a connector says of its CRM is about what did not arrive
        (ZeroDivisionError(), 35, 37),  # a connector's bug says nothing
        (DiskError("full"), 30, 42),  # what it is about is the ledger's, which may keep no more
        (KeyboardInterrupt(), 30, 42),
    ],
)
def test_a_push_that_breaks_off_counts_the_receipts_it_kept_and_the_next_run_settles_the_rest(
    breaking: Loop, monkeypatch: pytest.MonkeyPatch, error: BaseException, written: int, unknown: int
) -> None:
    monkeypatch.setattr(Breaking, "receipts", 35)
    counts = counts_when_broken_off(breaking, monkeypatch, error)
    assert (counts["planned"], counts["written"], counts["unknown"]) == (72, written, unknown)
    monkeypatch.setattr(Breaking, "receipts", None)
    settled = breaking.sync().counts["sales"]
    assert settled["settled"] == unknown
    assert breaking.sync().counts["sales"]["planned"] == 0
    leads = [Ref("sales", Kind.LEAD, row["id"]) for row in breaking.ledger.rows("SELECT id FROM records")]
    assert all(breaking.fields(lead)["referrer"] == "Anna" for lead in leads)


def test_a_change_whose_fate_is_found_out_in_the_same_run_is_counted_once(breaking: Loop) -> None:
    breaking.crms["sales"].break_next_write(done=True)
    breaking.crms["sales"].break_next_write(done=False)
    counts = breaking.sync().counts["sales"]
    # five records' changes arrived, five records' did not, two records' went through
    assert (counts["planned"], counts["settled"], counts["unknown"]) == (72, 0, 0)
    assert (counts["written"], counts["unsent"]) == (6 * 7, 6 * 5)
    assert breaking.sync().counts["sales"]["written"] == 6 * 5


def test_a_run_that_runs_out_of_time_counts_what_it_kept(breaking: Loop) -> None:
    now = [NOW]

    def slow(stage: str, about: str, done: int) -> None:
        now[0] += timedelta(minutes=5)

    task = Task("sync", max_runtime=timedelta(minutes=9))
    with pytest.raises(RefloopError):
        Runner(breaking.ledger, breaking.policy, {"sales": breaking.crms["sales"].connector}, lambda: now[0], slow).run(
            task
        )
    assert counts_of(breaking)["sales"]["pulled"] == 10


def test_an_older_copy_is_rejected(breaking: Loop) -> None:
    breaking.sync()
    breaking.ledger.execute("UPDATE records SET modified_at = '2030-01-01T00:00:00.000000+00:00'")
    breaking.ledger.execute("DELETE FROM cursors")
    counts = breaking.sync().counts["sales"]
    assert (counts["pulled"], counts["rejected"]) == (12, 12)


def test_changes_that_were_never_sent_are_left(breaking: Loop) -> None:
    with pytest.raises(RefloopError, match="72 changes"):
        breaking.runner().run(Task("sync", max_changes=5))
    counts = counts_of(breaking)["sales"]
    assert (counts["planned"], counts["unsent"]) == (72, 72)


def planned(loop: Loop) -> list[FieldChange]:
    return [
        FieldChange(ref, loop.policy.spec(name), None, after, "because")
        for (ref, name), after in loop.planned().items()
    ]


def test_a_plan_that_is_not_applied_is_left(breaking: Loop) -> None:
    breaking.sync(push=False)
    changes = planned(breaking)

    def down() -> Connector:
        raise CrmUnavailable("down")

    Runner(breaking.ledger, breaking.policy, {"sales": down}, lambda: NOW).apply(changes)
    assert counts_of(breaking)["sales"] == {"planned": 72, "unsent": 72}
    breaking.crms["sales"].write(changes[0].ref, breaking.policy.spec("ref_status"), "lost")
    with pytest.raises(StalePlan):
        breaking.runner().apply(changes)
    assert (counts_of(breaking)["sales"]["planned"], counts_of(breaking)["sales"]["unsent"]) == (72, 72)


def test_an_undo_of_what_cannot_be_reached_is_left(breaking: Loop) -> None:
    ref = Ref("gone", Kind.LEAD, "1")
    breaking.runner().undo([FieldChange(ref, breaking.policy.spec("ref_code"), "a", None, "undo")])
    assert counts_of(breaking)["gone"] == {"planned": 1, "unsent": 1}


def test_a_killed_run_is_told_by_the_next_one(breaking: Loop) -> None:
    killed = start_run(breaking.ledger, "sync", "0", NOW)
    breaking.sync()
    rows = [dict(row) for row in breaking.ledger.rows("SELECT * FROM runs ORDER BY run")]
    assert [(row["run"], row["exit"], row["ended_at"] is not None) for row in rows] == [
        (killed, None, True),
        (killed + 1, Exit.OK, True),
    ]
    assert problems_from(rows[0]["problems"]) == (Problem("", INTERRUPTED),)
    breaking.sync()
    assert breaking.ledger.one("SELECT count(*) FROM runs WHERE exit IS NULL")[0] == 1  # type: ignore[index]  # a count


def test_the_check_would_notice(breaking: Loop, monkeypatch: pytest.MonkeyPatch) -> None:
    """Negative control: a pusher that forgets what it did."""

    def forgetful(*arguments: object) -> None:
        """Counts nothing."""

    with monkeypatch.context() as patch:
        patch.setattr(pushing.Pusher, "_count_settled", forgetful)
        breaking.crms["sales"].break_next_write(done=True)
        with pytest.raises(AssertionError):
            breaking.sync()
    breaking.ledger.execute("UPDATE runs SET counts = '{}'")
