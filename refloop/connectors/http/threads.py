"""Threads that call one CRM at the same time for one reader, and stop when the reader stops."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import copy_context
from types import TracebackType
from typing import Any, Self, TypeVar

T = TypeVar("T")

_HERE = threading.local()


class Cancelled(Exception):  # noqa: N818 - a signal to a pool's own thread, seen by nobody else
    """The reader has gone: nobody waits for this call any more."""


class ThreadPool:
    """At most `size` threads. Leaving the block ends waits at once, drops what has not begun, and joins the threads."""

    def __init__(self, size: int) -> None:
        self._gone = threading.Event()
        self._pool = ThreadPoolExecutor(size, thread_name_prefix="refloop", initializer=self._enlist)

    def submit(self, work: Callable[..., T], *args: Any) -> Future[T]:
        return self._pool.submit(copy_context().run, work, *args)

    def _enlist(self) -> None:
        _HERE.gone = self._gone

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._gone.set()
        self._pool.shutdown(wait=True, cancel_futures=True)


def interruptible_sleep(seconds: float) -> None:
    """Sleeps. In a pool's thread, raises Cancelled as soon as its reader has gone."""
    gone: threading.Event | None = getattr(_HERE, "gone", None)
    if gone is None:
        time.sleep(seconds)
    elif gone.wait(seconds):
        raise Cancelled
