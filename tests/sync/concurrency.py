"""Many processes start at once on one ledger; run by test_lock.py as a program of its own, so that it may fork.

Prints how each process ended. The one that got to work waits until all others are gone; or, told to `die`, it is
killed at work, and one more process starts.
"""

from __future__ import annotations

import os
import signal
import sys
from datetime import UTC, datetime
from pathlib import Path

from refloop.errors import Exit, RefloopError
from refloop.ledger import open_ledger
from refloop.sync.lock import alone


def start(path: Path, gate: int, leave: int) -> int:
    """A process that waits at the gate, then tries to work, and works until it is told to leave."""
    child = os.fork()
    if child:
        return child
    os.read(gate, 1)
    try:
        ledger = open_ledger(path)
        with alone(ledger, lambda: datetime.now(UTC)):
            os.read(leave, 1)
    except RefloopError as error:
        os._exit(error.exit)
    os._exit(Exit.OK)


def start_many(path: Path, count: int, *, die: bool) -> list[int]:
    open_ledger(path).close()
    gate, opening = os.pipe()
    leave, leaving = os.pipe()
    children = {start(path, gate, leave) for _ in range(count)}
    os.write(opening, b"x" * count)
    ends = [_next(children) for _ in range(count - 1)]
    if die:
        os.kill(next(iter(children)), signal.SIGKILL)
    else:
        os.write(leaving, b"x")
    ends.append(_next(children))
    if die:
        os.write(leaving, b"x")
        os.write(opening, b"x")
        children.add(start(path, gate, leave))
        ends.append(_next(children))
    return ends


def _next(children: set[int]) -> int:
    child, status = os.waitpid(-1, 0)
    children.remove(child)
    return os.waitstatus_to_exitcode(status)


if __name__ == "__main__":
    print(*start_many(Path(sys.argv[1]), int(sys.argv[2]), die=sys.argv[3] == "die"))  # noqa: T201 - read by the test
