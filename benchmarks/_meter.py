"""Runs a command and tells what it and its children used.

    python -S benchmarks/_meter.py STDOUT STDERR COMMAND...

That is a small process of its own, for a new process starts with the peak memory of the one that starts it.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path


def metered(command: Sequence[str], folder: Path, env: Mapping[str, str], patience: float) -> dict[str, float]:
    """Runs it in `folder`, where it writes to the files `out` and `err`.

    Gives its exit code, seconds, CPU seconds and peak MB as code, seconds, cpu and memory. Raises TimeoutError, after
    it ended all of it, when it takes more than `patience` seconds, and RuntimeError when it cannot be started.
    """
    meter = [sys.executable, "-S", "-E", str(Path(__file__).absolute()), "out", "err", *command]
    with subprocess.Popen(meter, cwd=folder, env=env, stdout=subprocess.PIPE, start_new_session=True) as child:
        try:
            said, _ = child.communicate(timeout=patience)
        except subprocess.TimeoutExpired:
            os.killpg(child.pid, signal.SIGKILL)
            raise TimeoutError(f"not at its end after {patience:.0f} s") from None
    if child.returncode:
        raise RuntimeError(f"cannot run {Path(command[0]).name}")
    used: dict[str, float] = json.loads(said)
    return used


def main(out: str, err: str, *command: str) -> None:
    begun = time.monotonic()
    with Path(out).open("wb") as said, Path(err).open("wb") as wrong:
        child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=said, stderr=wrong)
        _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    seconds, cpu = time.monotonic() - begun, usage.ru_utime + usage.ru_stime
    used = {"code": child.returncode, "seconds": seconds, "cpu": cpu, "memory": usage.ru_maxrss / 1024}
    print(json.dumps(used))


if __name__ == "__main__":
    main(*sys.argv[1:])
