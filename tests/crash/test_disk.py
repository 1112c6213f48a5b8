"""A disk that is full or broken: each command ends with a message and exit code 74, and is made good afterwards.

The kernel refuses to let a file grow (RLIMIT_FSIZE), or a library loaded before libc makes the Nth write, and all
after it, fail with ENOSPC or EIO (tests/crash/disk.c): for SQLite, its journal, plans and backups alike.
"""

from __future__ import annotations

import errno
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from refloop.errors import Exit
from refloop.ledger.backups import all_backups_of
from tests.crash.bench import Bench, Children, Ended
from tests.crash.conftest import bench_of
from tests.crash.crash_points import FINE, CrashPoints, Scenario
from tests.crash.test_crash_points import APPLY, PLAN, SCENARIOS

FULL = (errno.ENOSPC, False)
BROKEN = (errno.EIO, True)
NEVER = 1_000_000_000


@pytest.fixture(scope="session")
def library(tmp_path_factory: pytest.TempPathFactory) -> str:
    compiler = shutil.which("cc")
    if compiler is None or sys.platform != "linux":
        pytest.skip("needs a C compiler and LD_PRELOAD")
    made = tmp_path_factory.mktemp("disk") / "disk.so"
    source = Path(__file__).with_name("disk.c")
    subprocess.run([compiler, "-shared", "-fPIC", "-O1", "-o", made, source, "-ldl"], check=True)
    return str(made)


@pytest.fixture(scope="session")
def children_on_bad_disks(library: str) -> Iterator[Children]:
    with closing(Children(library)) as made:
        yield made


@pytest.fixture
def failing(children_on_bad_disks: Children) -> Iterator[Bench]:
    with bench_of(children_on_bad_disks) as made:
        yield made


class DiskFailures(CrashPoints):
    """A command whose disk fails at one write, and at all that come after."""

    def __init__(self, bench: Bench, scenario: Scenario) -> None:
        super().__init__(bench, scenario)
        self.told = self.unseen = 0

    def writes(self, fault: tuple[int, bool]) -> int:
        self.bench.put_back(self.start)
        return self._on(NEVER, fault).seen

    def fail(self, number: int, fault: tuple[int, bool]) -> None:
        self.bench.put_back(self.start)
        ended = self._on(number, fault)
        assert ended.struck > 0, f"the disk did not fail at write {number}"
        self.judge(ended, f"a disk that fails from write {number} on")

    def grow(self, largest: int) -> None:
        self.bench.put_back(self.start)
        self.judge(self.bench.run(*self.scenario.command, largest_file=largest), f"files of {largest} bytes at most")

    def judge(self, ended: Ended, what: str) -> None:
        """Either it was told, or all that was left to do was to hand the lease back."""
        assert "Traceback" not in ended.printed, f"{what}:\n{ended.printed}"
        if ended.status in FINE:
            self.unseen += 1
        else:
            assert ended.status == Exit.DISK, f"{what}: {ended.status}\n{ended.printed}"
            # of a command in one form, of a run that cron began in another: what cannot be written, and what to do
            message, _, remedy = re.split(r"(\n  | -> )", ended.printed, maxsplit=1)
            assert "refloop.db" in message or "plan.jsonl" in message, ended.printed
            assert "run again" in remedy, ended.printed
            self.told += 1
        self.made_good_after(what)

    def _on(self, number: int, fault: tuple[int, bool]) -> Ended:
        disk = {"first": number, "error": fault[0], "syncs": fault[1]}
        return self.bench.run(*self.scenario.command, disk=disk)


def test_a_command_on_a_bad_disk_is_made_good(failing: Bench) -> None:
    failures = DiskFailures(failing, SCENARIOS["first sync"])
    for fault in (FULL, BROKEN):
        writes = failures.writes(fault)
        failures.fail(writes // 3, fault)
        failures.fail(writes * 2 // 3, fault)
    assert failures.told == 4


EVERY = {"first sync": 3, "later sync": 3, "plan": 4, "apply, people": 1, "undo, people": 1, "backup": 1, "restore": 1}
SCENARIOS_OF_DISKS = ["first sync", *(pytest.param(name, marks=pytest.mark.thorough) for name in [*EVERY][1:])]


@pytest.mark.slow
@pytest.mark.parametrize("fault", [FULL, BROKEN], ids=["full", "broken"])
@pytest.mark.parametrize(
    "name", ["first sync", *(pytest.param(name, marks=pytest.mark.thorough) for name in [*EVERY][1:])]
)
def test_a_command_on_a_bad_disk_is_made_good_at_every_write(
    failing: Bench, name: str, fault: tuple[int, bool]
) -> None:
    failures = DiskFailures(failing, SCENARIOS[name])
    writes = failures.writes(fault)
    for number in range(0, writes, EVERY[name]):
        failures.fail(number, fault)
    assert failures.told + failures.unseen == len(range(0, writes, EVERY[name]))
    assert failures.unseen <= 20, "more went unnoticed than the lease that is handed back"
    print(f"\n{name}: {writes} writes, failed at {failures.told + failures.unseen}")  # noqa: T201 - a figure


def test_a_sync_whose_files_cannot_grow_is_made_good(bench: Bench) -> None:
    """Needs no compiler: the kernel says no."""
    failures = DiskFailures(bench, SCENARIOS["first sync"])
    bench.put_back(failures.start)
    size = (bench.office / "refloop.db").stat().st_size
    for largest in (512, size - 4096):
        failures.grow(largest)
    assert failures.told == 2


def test_a_plan_that_does_not_fit_leaves_the_one_before(failing: Bench) -> None:
    failing.ready()
    failing.done(*PLAN)
    plan = failing.office / "plan.jsonl"
    before = plan.read_bytes()
    disk = {"first": NEVER, "error": errno.ENOSPC, "syncs": False}
    writes = failing.done(*PLAN[:1], "--no-pull", *PLAN[1:], disk=disk).seen
    plan.write_bytes(before)
    said = []
    for number in range(writes - 30, writes):
        ended = failing.run(*PLAN[:1], "--no-pull", *PLAN[1:], disk={**disk, "first": number})
        assert ended.status in (Exit.OK, Exit.DISK), ended.printed
        assert ended.status == Exit.OK or plan.read_bytes() == before
        assert not list(failing.office.glob(".plan*"))
        plan.write_bytes(before)
        said.append(ended.printed)
    assert any("cannot write the plan plan.jsonl: No space left on device" in one for one in said)
    failing.done(*PLAN)
    failing.done(*APPLY)


def test_a_backup_that_does_not_fit_leaves_the_ones_before(failing: Bench) -> None:
    failing.ready()
    failing.done("ledger", "backup")
    path = failing.office / "refloop.db"
    before = {made: made.read_bytes() for made in all_backups_of(path)}
    disk = {"first": NEVER, "error": errno.ENOSPC, "syncs": False}
    writes = failing.done("ledger", "backup", disk=disk).seen
    after = set(all_backups_of(path))
    for number in range(writes // 2, writes - 20, 8):
        ended = failing.run("ledger", "backup", disk={**disk, "first": number})
        assert ended.status == Exit.DISK
        assert "cannot write a backup" in ended.printed
        assert set(all_backups_of(path)) == after
    assert {made: made.read_bytes() for made in before} == before
    assert not list((failing.office / "refloop.db.backups").glob(".*"))
