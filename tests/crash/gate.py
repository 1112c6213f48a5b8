"""Holds one request to a CRM, before it is carried out or its answer after, until a test lets it go."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from asyncio import to_thread
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tests.crash.bench import MEANWHILE, ROOT, SECRETS, WRITE, Bench
from tests.crash.crash_child import is_write


class Gate:
    """Stands before both CRMs of a bench and counts what comes; holds the request with the number `held`."""

    def __init__(self, bench: Bench) -> None:
        self.seen: list[str] = []
        self.held: int | None = None
        self.answer = False
        self.reached = threading.Event()
        self.released = threading.Event()
        self.done = threading.Event()
        for front in (bench.salesforce.app, bench.hubspot.app):
            crm: Any = front
            crm._inner = self._before(crm._inner)

    def hold(self, number: int, *, answer: bool) -> None:
        """Holds a request of those to come; with `answer`, it is carried out, and its answer is held."""
        self.seen.clear()
        self.reached.clear()
        self.released.clear()
        self.done.clear()
        self.held, self.answer = number, answer

    @contextmanager
    def opened_at_last(self) -> Iterator[None]:
        """Lets the held request go, however the block ends: a server cannot be closed while it holds one."""
        try:
            yield
        finally:
            self.released.set()

    def _before(self, inner: ASGIApp) -> Callable[[Scope, Receive, Send], Any]:
        async def called(scope: Scope, receive: Receive, send: Send) -> None:
            number = len(self.seen)
            what = f"{scope['method']} {scope['path']}"
            self.seen.append(what + WRITE * is_write(what, scope["body"]))
            if number != self.held:
                await inner(scope, receive, send)
                return
            told: list[Message] = []

            async def keep(message: Message) -> None:
                told.append(message)

            if self.answer:
                await inner(scope, receive, keep)
            self.reached.set()
            await to_thread(self.released.wait)
            if not self.answer:
                await inner(scope, receive, keep)
            self.done.set()
            for message in told:
                await send(message)

        return called


@contextmanager
def process(bench: Bench, *words: str, sabotage: str = "") -> Iterator[subprocess.Popen[str]]:
    """A refloop of its own, from the interpreter on; `sabotage` is Python that it runs first."""
    bench.now += MEANWHILE
    child = subprocess.Popen(
        [sys.executable, "-c", f"{sabotage}\nfrom refloop.cli import main\nmain()", *words],
        cwd=bench.office,
        env={**os.environ, **SECRETS, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield child
    finally:
        child.kill()
        child.communicate()
