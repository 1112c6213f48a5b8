"""What was sent, what became of it, and what people hold against it."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
from sqlite_utils import Database

from refloop.ledger import Ledger, open_ledger
from refloop.ledger.queue import Topic
from refloop.ledger.receipts import (
    all_written,
    conflicts_of,
    forget_intent,
    intend,
    keep_conflicts,
    keep_receipts,
    refusals,
    unsettled,
    written_values,
)
from refloop.ledger.records import record_of
from refloop.ledger.runs import end_run, start_run
from refloop.ledger.schema import APPLICATION_ID, migrations
from refloop.ledger.undo import keep_undone, undoing, undone_values
from refloop.model import Conflict, FieldChange, Link, Problem, Receipt, Ref, Relation, Verdict
from tests.ledger.samples import DAY, TEXT, keep, lead, queued, record

SPECS = {TEXT.name: TEXT}


def change(ref: Ref, before: str | None = None, after: str | None = "new") -> FieldChange:
    return FieldChange(ref, TEXT, before, after, "because")


def receive(ledger: Ledger, verdict: Verdict, *, run: int = 1, found: str | None = None, **values: str | None) -> None:
    receipt = Receipt(change(lead(1), values.get("before"), values.get("after", "new")), verdict, found, "said")
    keep_receipts(ledger, run, [receipt], DAY)


@pytest.mark.parametrize(
    ("verdict", "found", "known", "settled"),
    [
        (Verdict.WRITTEN, None, "new", True),
        (Verdict.PRESENT, "new", "new", True),
        (Verdict.MOVED, "hers", "hers", True),
        (Verdict.MOVED, None, None, True),
        (Verdict.REFUSED, None, "old", True),
        (Verdict.DEFERRED, None, "old", True),
        (Verdict.UNKNOWN, None, "old", False),
    ],
)
def test_a_receipt_settles_and_teaches(
    ledger: Ledger, verdict: Verdict, found: str | None, known: str | None, settled: bool
) -> None:
    keep(ledger, record(lead(1), found={"ref_code": "old"}))
    queued(ledger)
    with ledger.writing():
        intend(ledger, 1, [change(lead(1), "old")])
    receive(ledger, verdict, found=found, before="old")
    kept = record_of(ledger, lead(1))
    assert kept is not None
    assert kept.found.get("ref_code") == known
    assert bool(unsettled(ledger, "crm", SPECS, 9)) is not settled
    news = {lead(1)} if verdict is Verdict.MOVED else set()
    assert queued(ledger, Topic.MATCH) == news, "what somebody else wrote is news, what we wrote ourselves is none"


def test_the_outbox_holds_the_latest_intent_of_a_field(ledger: Ledger) -> None:
    with ledger.writing():
        intend(ledger, 1, [change(lead(1), None, "a"), change(lead(2))])
        intend(ledger, 2, [change(lead(1), "a", "b")])
    assert unsettled(ledger, "crm", SPECS, 9) == [change(lead(1), "a", "b"), change(lead(2))]
    assert unsettled(ledger, "crm", SPECS, 1) == [change(lead(1), "a", "b")]
    assert unsettled(ledger, "other", SPECS, 9) == []
    with ledger.writing():
        forget_intent(ledger, [change(lead(1))])
    assert unsettled(ledger, "crm", SPECS, 9) == [change(lead(2))]


def test_fields_that_are_not_ours_any_more_hide_nobody(ledger: Ledger) -> None:
    """The prefix was changed while a call was under way: the old names come first in order, and stay."""
    old = FieldChange(lead(1), TEXT.__class__("a_code", "", TEXT.type, TEXT.kinds), None, "x", "because")
    with ledger.writing():
        intend(ledger, 1, [old, change(lead(2))])
    assert unsettled(ledger, "crm", SPECS, 1) == [change(lead(2))]
    assert unsettled(ledger, "crm", {}, 9) == []


def overwrite(
    ledger: Ledger, hers: str | None, *, run: int = 1, before: str | None = "old", after: str = "new"
) -> None:
    """We wrote `after` over what she had written where we saw `before`."""
    receipt = Receipt(change(lead(1), before, after), Verdict.WRITTEN, hers, overwrote=True)
    assert keep_receipts(ledger, run, [receipt], DAY) == {"written": 1, "overwrote": 1}


def put_back(ledger: Ledger, run: int, by: int) -> list[FieldChange]:
    """Undoes a run, as the run `by`: every write arrives."""
    changes = list(undoing(ledger, run, SPECS))
    with ledger.writing():
        keep_undone(ledger, by, changes)
    keep_receipts(ledger, by, [Receipt(one, Verdict.WRITTEN) for one in changes], DAY)
    return changes


def overwritten(ledger: Ledger) -> list[tuple[str | None, str | None, int]]:
    return [(row["found"], row["wrote"], row["run"]) for row in ledger.rows("SELECT * FROM overwritten")]


@pytest.mark.parametrize("hers", ["hers", None])
def test_what_was_overwritten_can_be_put_back_and_is_not_ours(ledger: Ledger, hers: str | None) -> None:
    keep(ledger, record(lead(1), found={"ref_code": "old"}))
    receive(ledger, Verdict.WRITTEN, after="old")
    overwrite(ledger, hers, run=2)
    assert overwritten(ledger) == [(hers, "new", 2)]
    assert all_written(ledger, [lead(1)]) == {lead(1): {"ref_code": "new"}}
    assert put_back(ledger, 2, by=3) == [change_of(lead(1), "new", hers, "undo of run 2")]
    assert all_written(ledger, [lead(1)]) == {lead(1): {"ref_code": "new"}}, "what she wrote is hers"
    assert undone_values(ledger, [lead(1)]) == {lead(1): {"ref_code": "new"}}
    assert overwritten(ledger) == []
    kept = record_of(ledger, lead(1))
    assert kept is not None
    assert kept.found.get("ref_code") == hers


def change_of(ref: Ref, before: str | None, after: str | None, why: str) -> FieldChange:
    return FieldChange(ref, TEXT, before, after, why)


def test_putting_back_can_be_undone_and_redone(ledger: Ledger) -> None:
    overwrite(ledger, "hers", run=2)
    for run in (2, 3, 4, 5):
        (done,) = put_back(ledger, run, by=run + 1)
        ours = run % 2 == 1
        assert (done.before, done.after) == (("hers", "new") if ours else ("new", "hers"))
        assert all_written(ledger, [lead(1)]) == {lead(1): {"ref_code": "new"}}, "never hers"
        assert bool(undone_values(ledger, [lead(1)])) is not ours


def test_only_what_people_lost_is_put_back_where_that_is_asked_for(ledger: Ledger) -> None:
    overwrite(ledger, "hers", run=2)
    keep_receipts(ledger, 2, [Receipt(change(lead(2)), Verdict.WRITTEN)], DAY)
    assert {one.ref for one in undoing(ledger, 2, SPECS)} == {lead(1), lead(2)}
    assert [one.ref for one in undoing(ledger, 2, SPECS, overwritten=True)] == [lead(1)]


def test_what_we_write_later_is_ours_again(ledger: Ledger) -> None:
    overwrite(ledger, "hers", run=2)
    receive(ledger, Verdict.WRITTEN, run=3, before="new", after="newer")
    assert overwritten(ledger) == []
    assert all_written(ledger, [lead(1)]) == {lead(1): {"ref_code": "newer"}}
    assert list(undoing(ledger, 2, SPECS)) == [], "a later run wrote there"


MERGE = Link(lead(2), Relation.MERGED_INTO, lead(1))


@pytest.mark.parametrize(
    ("own", "held", "ours"),
    [
        ([], "of the loser", "of the loser"),
        ([], "hers", "of the loser"),
        ([(1, "own")], "own", "own"),
        ([(1, "own")], "of the loser", "of the loser"),
        ([(1, "own")], "hers", "own"),
        ([(3, "since")], "since", "since"),
        ([(1, "own"), (3, "since")], "since", "since"),
        ([(1, "own"), (3, "since")], "of the loser", "since"),  # typed again by a person: nothing else could bring it
        ([(2, "since")], "of the loser", "since"),  # the run that saw the merge wrote too
    ],
)
def test_what_a_survivor_holds_of_ours(ledger: Ledger, own: list[tuple[int, str]], held: str, ours: str) -> None:
    """Run 1 wrote into both, run 2 saw the merge, run 3 wrote again."""
    keep(ledger, record(lead(1)), record(lead(2)))
    keep_receipts(ledger, 1, [Receipt(change(lead(2), None, "of the loser"), Verdict.WRITTEN)], DAY)
    for run, value in own:
        if run == 1:
            keep_receipts(ledger, run, [Receipt(change(lead(1), None, value), Verdict.WRITTEN)], DAY)
    keep(ledger, record(lead(1), hours=1), run=2, links=(MERGE,))
    for run, value in own:
        if run > 1:
            keep_receipts(ledger, run, [Receipt(change(lead(1), None, value), Verdict.WRITTEN)], DAY)
    keep(ledger, record(lead(1), hours=2, found={"ref_code": held}), run=4)
    assert written_values(ledger, [lead(1)], "ref_code") == {lead(1): ours}


def test_a_ledger_from_before_overwrites_were_noticed(folder: Path) -> None:
    path = folder / "old.db"
    connection = sqlite3.connect(path)
    database = Database(connection)
    migrations.apply(database, stop_before="overwritten")
    connection.execute(f"PRAGMA application_id={APPLICATION_ID}")
    connection.execute("INSERT INTO meta VALUES ('ledger', 'x'), ('position', '0')")
    connection.execute(
        "INSERT INTO receipts (connection, kind, id, field, before, after, found, verdict, reason, why, run, at) "
        "VALUES ('crm', 'lead', '1', 'ref_code', 'a', 'b', 'c', 'written', '', '', 1, '2026-01-01T00:00:00Z')"
    )
    connection.commit()
    database.close()
    path.chmod(0o600)
    for _ in range(2):  # the second time there is nothing to do
        ledger = open_ledger(path)
        assert all_written(ledger, [lead(1)]) == {lead(1): {"ref_code": "b"}}
        assert overwritten(ledger) == []
        assert [(one.before, one.after) for one in undoing(ledger, 1, SPECS)] == [("b", "a")]
        with pytest.raises(sqlite3.IntegrityError, match="never edited"):
            ledger.execute("UPDATE receipts SET overwrote = 1")
        ledger.close()


def test_what_was_written_is_the_last_that_was_written(ledger: Ledger) -> None:
    for verdict, after in (
        (Verdict.WRITTEN, "a"),
        (Verdict.WRITTEN, "b"),
        (Verdict.PRESENT, "c"),
        (Verdict.REFUSED, "d"),
        (Verdict.MOVED, "e"),
    ):
        receive(ledger, verdict, after=after)
    assert all_written(ledger, [lead(1), lead(2)]) == {lead(1): {"ref_code": "b"}}
    assert written_values(ledger, [lead(1)], "ref_code") == {lead(1): "b"}
    assert written_values(ledger, [lead(1)], "ref_why") == {}
    receive(ledger, Verdict.WRITTEN, after=None)
    assert written_values(ledger, [lead(1)], "ref_code") == {lead(1): None}


def test_refusals_are_counted_in_a_row_for_one_wish_since_the_record_changed(ledger: Ledger) -> None:
    def times() -> int:
        return refusals(ledger, [lead(1)]).get((lead(1), "ref_code"), ("", "", 0))[2]

    keep(ledger, record(lead(1)), run=1)
    for number in (1, 2, 3):
        receive(ledger, Verdict.REFUSED, run=number)
        assert times() == number
    receive(ledger, Verdict.REFUSED, run=4, after="other")
    assert times() == 1, "another wish is counted anew"
    receive(ledger, Verdict.DEFERRED, run=5, after="other")
    assert times() == 0, "not refused the last time"
    receive(ledger, Verdict.REFUSED, run=6)
    keep(ledger, record(lead(1), title="edited", hours=1), run=7)
    assert times() == 0, "the record changed since"


def conflict(found: str = "hers", want: str = "ours") -> Conflict:
    return Conflict(lead(1), "ref_code", "wrote", found, want, "because")


def test_a_conflict_keeps_the_run_that_found_it_first(ledger: Ledger) -> None:
    def runs() -> list[tuple[int, str]]:
        return [(row["run"], row["found"]) for row in ledger.rows("SELECT run, found FROM conflicts")]

    keep_conflicts(ledger, 1, [lead(1)], [conflict()])
    keep_conflicts(ledger, 2, [lead(1)], [conflict()])
    assert runs() == [(1, "hers")]
    keep_conflicts(ledger, 3, [lead(1)], [conflict("another")])
    assert runs() == [(3, "another")]
    keep_conflicts(ledger, 4, [lead(2)], [])
    assert conflicts_of(ledger, [lead(1)]) == [conflict("another")]
    keep_conflicts(ledger, 5, [lead(1)], [])
    assert runs() == []


def test_a_run_is_opened_and_closed(ledger: Ledger) -> None:
    run = start_run(ledger, "sync", "0.1", DAY)
    assert start_run(ledger, "plan", "0.1", DAY) == run + 1
    end_run(ledger, run, 3, {"crm": {"pulled": 2}}, [Problem("crm", "tired")], DAY)
    rows = [(row["exit"], row["counts"], row["problems"]) for row in ledger.rows("SELECT * FROM runs ORDER BY run")]
    assert rows == [(3, '{"crm": {"pulled": 2}}', '[{"connection": "crm", "message": "tired"}]'), (None, "{}", "[]")]


@pytest.mark.parametrize("size", [0, 1, 999, 5000])
def test_a_selection_may_be_of_any_size(ledger: Ledger, size: int) -> None:
    refs = [lead(number) for number in range(size)]
    ledger.select(refs + refs[:3])
    row = ledger.one("SELECT count(*) FROM selection")
    assert row is not None
    assert row[0] == size
