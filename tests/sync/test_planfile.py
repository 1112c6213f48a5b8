"""A plan as a file: whole, private, of this ledger, at this position; and nothing else is believed."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from refloop.errors import DataError, DiskError, Exit, StalePlan
from refloop.ledger import Ledger
from refloop.mapping.fields import field_specs
from refloop.model import FieldChange, Kind, Ref
from refloop.sync.planfile import as_row, load_plan, save_plan
from refloop.testing import Draft
from tests.sync.loop import Loop

SPECS = {spec.name: spec for spec in field_specs("ref")}
LEAD = Ref("sales", Kind.LEAD, "1:2")
CHANGES = [
    FieldChange(LEAD, SPECS["ref_why"], None, 'Zoë said "x"\nand \U0001f600', "because\u2028"),
    FieldChange(LEAD, SPECS["ref_status"], "won", None, ""),
    FieldChange(Ref("sales", Kind.CONTACT, "3"), SPECS["ref_won_amount"], "0", "1200.5", "1 won"),
]


@pytest.fixture
def ledger(new_ledger: Callable[[str], Ledger]) -> Ledger:
    return new_ledger("one")


def header(ledger: Ledger, **other: object) -> str:
    return json.dumps({"refloop_plan": 1, "ledger": ledger.identity, "position": ledger.position(), **other})


def line(**other: object) -> str:
    return json.dumps({**as_row(CHANGES[2]), **other})


def test_a_plan_comes_back_as_it_was_saved(ledger: Ledger, folder: Path) -> None:
    path = folder / "plan.jsonl"
    assert save_plan(path, ledger, CHANGES) == 3
    assert list(load_plan(path, ledger, SPECS)) == CHANGES
    assert save_plan(path, ledger, []) == 0
    assert list(load_plan(path, ledger, SPECS)) == []


@pytest.mark.parametrize("mask", [0o000, 0o022, 0o077])
def test_a_plan_is_its_owners_alone_even_over_an_open_file(ledger: Ledger, folder: Path, mask: int) -> None:
    path = folder / "plan.jsonl"
    path.write_text("older")
    path.chmod(0o666)
    before = os.umask(mask)
    try:
        save_plan(path, ledger, CHANGES)
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_symlink_is_not_followed(ledger: Ledger, folder: Path) -> None:
    target, link = folder / "precious", folder / "plan.jsonl"
    target.write_text("precious")
    link.symlink_to(target)
    with pytest.raises(DiskError, match="not a regular file"):
        save_plan(link, ledger, CHANGES)
    assert target.read_text() == "precious"


@pytest.mark.parametrize("name", ["missing/plan.jsonl", ""])
def test_where_nothing_can_be_written(ledger: Ledger, folder: Path, name: str) -> None:
    with pytest.raises(DiskError):
        save_plan(folder / name, ledger, CHANGES)


def test_half_a_plan_is_never_left_behind(ledger: Ledger, folder: Path) -> None:
    path = folder / "plan.jsonl"
    save_plan(path, ledger, CHANGES)
    before = path.read_bytes(), sorted(item.name for item in folder.iterdir())

    def breaking() -> Iterator[FieldChange]:
        yield CHANGES[0]
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        save_plan(path, ledger, breaking())
    assert (path.read_bytes(), sorted(item.name for item in folder.iterdir())) == before


def test_a_plan_of_another_ledger_or_another_time_is_stale(
    ledger: Ledger, folder: Path, new_ledger: Callable[[str], Ledger]
) -> None:
    path = folder / "plan.jsonl"
    save_plan(path, ledger, CHANGES)
    with pytest.raises(StalePlan, match="another ledger"):
        list(load_plan(path, new_ledger("two"), SPECS))
    with ledger.writing():
        ledger.moved()
    with pytest.raises(StalePlan, match="before the ledger changed"):
        list(load_plan(path, ledger, SPECS))


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\n",
        b"{}",
        b"[]",
        b"null",
        b"1",
        b'{"refloop_plan": 2, "ledger": "x", "position": 0}',
        b'{"refloop_plan": 1, "ledger": "x", "position": 1e999}',
        b'{"refloop_plan": 1, "ledger": "x", "position": NaN}',
        b'{"refloop_plan": 1, "ledger": "x"}',
        b"\xff\xfe\x00",
        b"[" * 100_000,
        b"SQLite format 3\0",
    ],
    ids=lambda content: repr(content[:24]),
)
def test_what_is_no_plan(ledger: Ledger, folder: Path, content: bytes) -> None:
    path = folder / "plan.jsonl"
    path.write_bytes(content)
    with pytest.raises(DataError, match="is not a plan"):
        list(load_plan(path, ledger, SPECS))


def test_a_plan_that_is_not_there(ledger: Ledger, folder: Path) -> None:
    with pytest.raises(DataError, match="cannot read"):
        list(load_plan(folder / "none.jsonl", ledger, SPECS))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{}",
        "null",
        "[]",
        '"x"',
        "{" * 100_000,
        line(record="sales"),
        line(record="sales:company:1"),
        line(record=":contact:1"),
        line(record=7),
        line(field="ref_nothing"),
        line(field="Amount"),
        line(field=["ref_sent"]),
        line(field="ref_why", after=7),
        line(after=""),
        line(after="1200.50"),
        line(after="many"),
        line(before="1e3"),
        line(record="sales:deal:3"),  # a referrer's field on a deal
        line(why="\ud800"),
        line(field="ref_why", after="\udfff"),
    ],
    ids=lambda text: text[:40],
)
def test_what_is_no_change(ledger: Ledger, folder: Path, text: str) -> None:
    path = folder / "plan.jsonl"
    path.write_text(f"{header(ledger)}\n{line(field='ref_sent', before=None, after='1')}\n{text}\n")
    with pytest.raises(DataError, match="line 3: not a change"):
        list(load_plan(path, ledger, SPECS))


def test_a_field_is_changed_once(ledger: Ledger, folder: Path) -> None:
    path = folder / "plan.jsonl"
    path.write_text(f"{header(ledger)}\n{line()}\n{line(after='7')}\n")
    with pytest.raises(DataError, match=r"line 3: .* twice"):
        list(load_plan(path, ledger, SPECS))


# applying


def planned(loop: Loop, path: Path, count: int = 3) -> list[Ref]:
    loop.code("ANNA-7K2Q", "anna")
    leads = [
        loop.crms[name].create(Kind.LEAD, Draft(email=f"{name}{n}@buyer.io", code="ANNA-7K2Q"))
        for name in ("sales", "marketing")
        for n in range(count)
    ]
    loop.sync(push=False)
    from refloop.sync.plan import Planner

    plans = Planner(loop.context()).plans()
    save_plan(path, loop.ledger, (change for item in plans for change in item.changes))
    return leads


def test_a_plan_is_applied_exactly(loop: Loop, folder: Path) -> None:
    path = folder / "plan.jsonl"
    leads = planned(loop, path)
    changes = list(load_plan(path, loop.ledger, SPECS))
    chosen = [change for change in changes if change.ref != leads[0] and change.field.name != "ref_why"]
    report = loop.runner().apply(chosen)
    assert report.counts["sales"]["written"] + report.counts["marketing"]["written"] == len(chosen) == 5 * 5
    assert loop.fields(leads[0]) == {}
    assert all("why" not in loop.fields(ref) and loop.fields(ref)["code"] == "ANNA-7K2Q" for ref in leads[1:])
    with pytest.raises(StalePlan):
        list(load_plan(path, loop.ledger, SPECS))


@pytest.mark.parametrize("moved", [0, -1])
def test_nothing_is_written_anywhere_when_one_record_moved(loop: Loop, folder: Path, moved: int) -> None:
    path = folder / "plan.jsonl"
    leads = planned(loop, path)
    loop.crms[leads[moved].connection].write(leads[moved], loop.policy.spec("ref_status"), "lost")
    with pytest.raises(StalePlan, match="ref_status"):
        loop.runner().apply(list(load_plan(path, loop.ledger, SPECS)))
    assert all(not loop.crms[ref.connection].writes(ref) for ref in leads)
    assert loop.ledger.one("SELECT 1 FROM outbox") is None
    last = loop.ledger.one("SELECT exit FROM runs ORDER BY run DESC LIMIT 1")
    assert last is not None
    assert last["exit"] == Exit.STALE


def test_nothing_is_written_when_a_record_is_gone_or_a_connection_is(loop: Loop, folder: Path) -> None:
    path = folder / "plan.jsonl"
    leads = planned(loop, path)
    changes = list(load_plan(path, loop.ledger, SPECS))
    with pytest.raises(StalePlan, match="not configured any more"):
        loop.runner("sales").apply(changes)
    loop.crms["marketing"].delete(leads[-1])
    with pytest.raises(StalePlan):
        loop.runner().apply(changes)
    assert all(not loop.crms[ref.connection].writes(ref) for ref in leads)
