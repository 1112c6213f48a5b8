"""One run at a time: many that start at once, a killed holder, and one that stands still and wakes up too late."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from refloop.errors import DiskError, Exit, LeaseLost, TryLater
from refloop.ledger import Ledger, open_ledger
from refloop.ledger.lease import EXPIRY, HEARTBEAT, holder_of, replace_holder
from refloop.model import Kind
from refloop.sync.lock import alone, locked_file
from refloop.sync.run import Runner, Task
from refloop.testing import Draft
from tests.patience import PATIENCE
from tests.sync.loop import NOW, Loop


class Wall:
    """A clock on the wall, moved by hand."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def wall() -> Wall:
    return Wall()


@pytest.fixture
def other(loop: Loop) -> Iterator[Ledger]:
    """The same ledger, as another process has it open."""
    ledger = open_ledger(loop.ledger.path)
    yield ledger
    ledger.close()


def started_at_once(path: Path, count: int, end: str = "leave") -> list[int]:
    words = [sys.executable, "-m", "tests.sync.concurrency", str(path), str(count), end]
    done = subprocess.run(words, capture_output=True, text=True, check=True, timeout=PATIENCE)
    return [int(word) for word in done.stdout.split()]


@pytest.mark.parametrize("count", [2, 40])
def test_of_many_that_start_at_once_one_works(folder: Path, count: int) -> None:
    assert started_at_once(folder / "refloop.db", count) == [Exit.LATER] * (count - 1) + [Exit.OK]


def test_a_holder_that_was_killed_blocks_nobody(folder: Path) -> None:
    assert started_at_once(folder / "refloop.db", 2, "die") == [Exit.LATER, -9, Exit.OK]


def test_the_fence_grows_with_each_holder(loop: Loop, wall: Wall) -> None:
    fences = []
    for _ in range(3):
        with alone(loop.ledger, wall):
            holder = holder_of(loop.ledger)
            assert holder is not None
            assert holder.locked
            fences.append(holder.fence)
        released = holder_of(loop.ledger)
        assert released is not None
        assert released.expires_at is None
    assert fences == [1, 2, 3]


def test_a_sign_of_life_is_given_with_commits_but_not_with_each(loop: Loop, wall: Wall) -> None:
    def beat() -> datetime:
        with loop.ledger.writing():
            pass
        holder = holder_of(loop.ledger)
        assert holder is not None
        assert holder.expires_at == holder.heartbeat_at + EXPIRY
        return holder.heartbeat_at

    with alone(loop.ledger, wall):
        wall.now += HEARTBEAT - timedelta(seconds=1)
        assert beat() == NOW
        wall.now += timedelta(seconds=1)
        assert beat() == NOW + HEARTBEAT


def test_who_replaced_a_frozen_holder_is_not_replaced_in_turn(loop: Loop, other: Ledger, wall: Wall) -> None:
    wall.now += EXPIRY
    frozen = alone(loop.ledger, lambda: NOW)
    frozen.__enter__()
    with alone(other, wall):
        third = open_ledger(loop.ledger.path)
        with pytest.raises(TryLater, match="another refloop"), alone(third, wall):
            pytest.fail("two at once")
        with pytest.raises(TryLater, match="another refloop"), locked_file(loop.ledger.path, wall):
            pytest.fail("the file is in use")
        frozen.__exit__(None, None, None)  # it wakes up, and gives its file lock back
        with pytest.raises(TryLater, match="another refloop"), locked_file(loop.ledger.path, wall):
            pytest.fail("the file is in use")
        with pytest.raises(TryLater, match="another refloop"), alone(third, wall):
            pytest.fail("two at once")
        third.close()
    with alone(other, wall):
        pass
    with locked_file(loop.ledger.path, wall):
        pass


def tables(ledger: Ledger) -> dict[str, list[tuple[object, ...]]]:
    names = [row["name"] for row in ledger.rows("SELECT name FROM sqlite_schema WHERE type = 'table'")]
    return {name: [tuple(row) for row in ledger.rows(f"SELECT * FROM {name}")] for name in names}  # noqa: S608 - tables' names


@pytest.mark.parametrize("stage", ["pull", "match", "claim", "status", "push"])
def test_a_process_that_stood_still_and_was_replaced_writes_nothing_more(
    loop: Loop, other: Ledger, wall: Wall, stage: str
) -> None:
    """The stages are stopped at their first sign of progress, and woken up when another one holds the ledger."""
    loop.code("ANNA-7K2Q", "anna")
    refs = [
        crm.create(Kind.LEAD, Draft(email=f"b{number}@buyer.io", code="ANNA-7K2Q"))
        for number in range(3)
        for crm in loop.crms.values()
    ]
    seen: dict[str, object] = {}

    def frozen(at: str, about: str, done: int) -> None:
        if at != stage or seen:
            return
        wall.now += EXPIRY
        taken.enter_context(alone(other, wall))
        seen.update(ledger=tables(other), crm=[loop.fields(ref) for ref in refs])

    connections = {name: crm.connector for name, crm in loop.crms.items()}
    with ExitStack() as taken:
        with pytest.raises(LeaseLost) as lost, alone(loop.ledger, wall):
            Runner(loop.ledger, loop.policy, connections, wall, frozen).run(Task("sync"))
        assert lost.value.exit is Exit.LATER
        assert seen == {"ledger": tables(other), "crm": [loop.fields(ref) for ref in refs]}
        report = Runner(other, loop.policy, connections, wall).run(Task("sync"))
    assert report.exit is Exit.OK
    assert all(loop.fields(ref)["code"] == "ANNA-7K2Q" for ref in refs)


def test_a_holder_may_be_replaced_by_hand(loop: Loop, other: Ledger, wall: Wall) -> None:
    assert replace_holder(other, wall()) is None
    with alone(loop.ledger, wall):
        holder = replace_holder(other, wall())
        assert holder is not None
        assert str(holder.pid) in str(holder)
        with alone(other, wall), pytest.raises(LeaseLost), loop.ledger.writing():
            pytest.fail("it was replaced")
    assert replace_holder(other, wall()) is None


def test_a_lock_that_cannot_be_opened_is_the_disks_trouble(loop: Loop, tmp_path: Path) -> None:
    lock = Path(f"{loop.ledger.path}.lock")
    lock.unlink(missing_ok=True)
    precious = tmp_path / "precious"
    precious.write_text("keep me")
    for kind in ("link", "folder"):
        if kind == "link":
            lock.symlink_to(precious)
        else:
            lock.mkdir()
        with pytest.raises(DiskError, match="cannot open the lock file"), alone(loop.ledger, lambda: NOW):
            pass
        if lock.is_symlink():
            lock.unlink()
        else:
            lock.rmdir()
    assert precious.read_text() == "keep me"
