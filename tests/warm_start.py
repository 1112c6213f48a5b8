"""Processes of the command line that need not import anything: a program that has all modules forks one a command.

For tests of what only a process has: a terminal, an exit status, signals, a pager. To start an interpreter and to
import everything costs ten times what the commands do.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO

from hubspot.client import Client as Sdk

ROOT = Path(__file__).parents[1]
OF_EACH = ("refloop.__main__", "refloop.cli", "refloop.commands")
"""What each process makes for itself when it is imported: the streams of its terminal, the tree of commands."""


@contextmanager
def warm_start() -> Iterator[list[str]]:
    """Starts the program. Gives the words that a command line begins with, in place of `refloop`."""
    with tempfile.TemporaryDirectory() as folder:
        path = f"{folder}/socket"
        program = subprocess.Popen(
            [sys.executable, "-m", "tests.warm_start", path],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            start_new_session=True,  # a Ctrl-C is for the commands
        )
        assert program.stdout
        assert program.stdout.readline() == b"ready\n"
        try:
            yield [sys.executable, "-S", "-E", str(Path(__file__).with_name("warm_client.py")), path]
        finally:
            program.communicate()


def warm_up() -> None:
    """Imports all rooms but the command line, and what they import late."""
    for package in ("refloop", "refloop_sandbox"):
        for path in (ROOT / package).rglob("*.py"):
            name = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
            if not name.startswith(OF_EACH):
                importlib.import_module(name)
    assert Sdk().crm.objects.batch_api
    assert not [name for name in sys.modules if name.startswith(OF_EACH)]


def serve(listener: socket.socket) -> None:
    """Forks a keeper for each command that comes, until standard input ends."""
    while listener in select.select([listener, sys.stdin], [], [])[0]:
        caller, _ = listener.accept()
        if os.fork() == 0:
            listener.close()
            _keep(caller)
        caller.close()
        while _reaped():
            pass


def _reaped() -> bool:
    try:
        return os.waitpid(-1, os.WNOHANG)[0] != 0
    except ChildProcessError:
        return False


def _keep(caller: socket.socket) -> None:
    """Runs one command and tells its process id, and how it ended. Never returns."""
    try:
        size, streams, _, _ = socket.recv_fds(caller, 8, 3)
        with caller.makefile("rb") as asked:
            task = json.loads(asked.read(int.from_bytes(size, "big")))
        child = os.fork()
        if child == 0:
            caller.close()
            _become(task, streams)
        caller.sendall(f"{child}\n".encode())
        _, status = os.waitpid(child, 0)
        caller.sendall(f"{os.waitstatus_to_exitcode(status)}\n".encode())
    finally:
        os._exit(0)


def _become(task: Mapping[str, Any], streams: list[int]) -> None:
    """Is the command from here on. Never returns."""
    code = 70  # the harness itself is at fault
    try:
        for number, stream in enumerate(streams):
            os.dup2(stream, number)
        os.closerange(3, max(streams) + 1)
        os.chdir(task["folder"])
        os.environ.clear()
        os.environ.update(task["environment"])
        signal.signal(signal.SIGINT, signal.default_int_handler)
        sys.stdin, sys.stdout, sys.stderr = os.fdopen(0), _written(1), _written(2)
        sys.argv = ["refloop", *task["words"]]
        importlib.import_module("refloop.cli").main()
    except SystemExit as stop:
        code = int(stop.code or 0)
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _written(number: int) -> TextIO:
    """A stream as an interpreter makes it: by lines where somebody watches."""
    watched = number == 2 or os.isatty(number) or "PYTHONUNBUFFERED" in os.environ
    return os.fdopen(number, "w", buffering=1 if watched else -1, encoding="utf-8")


if __name__ == "__main__":
    warm_up()
    gc.freeze()
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind(sys.argv[1])
        bound.listen(16)
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        serve(bound)
