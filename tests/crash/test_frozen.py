"""Processes from outside: killed with SIGKILL, or frozen with SIGSTOP, while a CRM holds one of their requests."""

from __future__ import annotations

import signal
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from refloop.errors import Exit
from tests.crash.bench import KILLED, WRITE, Bench
from tests.crash.crash_points import CrashPoints
from tests.crash.gate import Gate, process
from tests.crash.test_crash_points import SCENARIOS
from tests.patience import PATIENCE

LATER = int(Exit.LATER)


def requests_of(bench: Bench, gate: Gate) -> list[str]:
    """What a sync asks for, in order; then all is put back."""
    start = bench.state()
    gate.seen.clear()
    bench.done("sync")
    seen = list(gate.seen)
    bench.put_back(start)
    return seen


def is_write(request: str) -> bool:
    return request.endswith(WRITE)


def let_the_lease_run_out(path: Path) -> None:
    """As if five minutes had passed since its holder's last sign of life."""
    with closing(sqlite3.connect(path, isolation_level=None)) as ledger:
        changed = ledger.execute("UPDATE lease SET heartbeat_at = ?, expires_at = ?", ("2020-01-01T00:00:00Z",) * 2)
        assert changed.rowcount == 1


def frozen_and_replaced(bench: Bench, gate: Gate, number: int, *, answer: bool, sabotage: str = "") -> tuple[int, str]:
    """A sync is frozen at a request; another one takes over and finishes; the first one goes on. How it ended."""
    ledger = bench.office / "refloop.db"
    gate.hold(number, answer=answer)
    with process(bench, "sync", sabotage=sabotage) as frozen, gate.opened_at_last():
        assert gate.reached.wait(PATIENCE), "the request never came"
        held = gate.seen[number]
        frozen.send_signal(signal.SIGSTOP)
        assert bench.run("sync").status == LATER, "two at once"
        let_the_lease_run_out(ledger)
        bench.done("sync")
        content, written = ledger.read_bytes(), list(bench.writes)
        gate.released.set()
        frozen.send_signal(signal.SIGCONT)
        _, said = frozen.communicate(timeout=PATIENCE)
    assert ledger.read_bytes() == content, f"{held}: it wrote to the ledger after it was replaced"
    late = bench.writes[len(written) :]
    if answer or not is_write(held):
        assert late == [], f"{held}: it wrote to a CRM after it was replaced"
    else:  # that request had left before: it is refused by its condition, or brings what stands there already
        assert all(write.before == write.after for write in late)
    return frozen.returncode, said


def moments(requests: list[str]) -> list[tuple[int, bool]]:
    return [(number, answer) for number in range(len(requests)) for answer in (False, True)]


def test_a_process_that_is_frozen_between_look_and_write_writes_nothing_after_it_was_replaced(bench: Bench) -> None:
    gate = Gate(bench)
    bench.ready()
    requests = requests_of(bench, gate)
    write = next(number for number, request in enumerate(requests) if "/batch/update" in request)
    code, said = frozen_and_replaced(bench, gate, write - 1, answer=True)
    assert (code, "another refloop has taken over" in said) == (LATER, True)


@pytest.mark.slow
def test_a_process_without_a_fence_is_noticed(bench: Bench) -> None:
    """Negative control."""
    gate = Gate(bench)
    bench.ready()
    requests = requests_of(bench, gate)
    write = next(number for number, request in enumerate(requests) if "/batch/update" in request)
    unfenced = "import refloop.connectors.http.transport as transport; transport.check_lease = lambda: None"
    with pytest.raises(AssertionError, match="after it was replaced"):
        frozen_and_replaced(bench, gate, write - 1, answer=True, sabotage=unfenced)


@pytest.mark.slow
def test_a_process_that_is_frozen_at_any_request_writes_nothing_after_it_was_replaced(bench: Bench) -> None:
    gate = Gate(bench)
    bench.ready()
    requests = requests_of(bench, gate)
    start = bench.state()
    ended = []
    for number, answer in moments(requests):
        bench.put_back(start)
        code, said = frozen_and_replaced(bench, gate, number, answer=answer)
        assert (code, "another refloop has taken over" in said) == (LATER, True), f"{requests[number]}: {code}\n{said}"
        ended.append(code)
    assert len(ended) == 2 * len(requests) > 16
    print(f"\nfrozen at {len(ended)} moments of {len(requests)} requests")  # noqa: T201 - a figure


def killed_at(crashes: CrashPoints, gate: Gate, number: int, *, answer: bool) -> None:
    """A sync is killed while a CRM holds its request, and made good."""
    crashes.bench.put_back(crashes.start)
    gate.hold(number, answer=answer)
    with process(crashes.bench, *crashes.scenario.command) as killed, gate.opened_at_last():
        assert gate.reached.wait(PATIENCE), "the request never came"
        killed.kill()
        assert killed.wait(PATIENCE) == KILLED
        gate.released.set()
        assert gate.done.wait(PATIENCE)  # what had left before the kill arrives before the next run looks
    crashes.made_good_after(f"killed at request {number}")


def test_a_process_that_is_killed_at_a_request_is_made_good(bench: Bench) -> None:
    gate = Gate(bench)
    crashes = CrashPoints(bench, SCENARIOS["first sync"])
    bench.put_back(crashes.start)
    requests = requests_of(bench, gate)
    writes = [number for number, request in enumerate(requests) if is_write(request)]
    assert len(writes) > 1
    killed_at(crashes, gate, writes[0], answer=True)
    killed_at(crashes, gate, writes[-1], answer=False)
