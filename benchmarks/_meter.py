"""Runs a command and writes what it and its children used as one line of JSON to standard output.

    python -S benchmarks/_meter.py STDOUT STDERR COMMAND...

A small process of its own: a new process starts with the peak memory of the one that started it.
"""

import json
import os
import subprocess
import sys
import time
from pathlib import Path


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
