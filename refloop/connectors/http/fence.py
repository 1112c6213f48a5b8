"""Whether this process may still write, asked right before each request that writes.

A connector looks, decides and writes in one go. A process that stood still in between may have been replaced by
another one meanwhile; what it decided is old then, and must not leave.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_CHECK: ContextVar[Callable[[], None] | None] = ContextVar("fence", default=None)


@contextmanager
def fenced(check: Callable[[], None]) -> Iterator[None]:
    """Inside, on this thread, `check` is called before each write is sent. What it raises keeps the write from
    leaving."""
    token = _CHECK.set(check)
    try:
        yield
    finally:
        _CHECK.reset(token)


def check_lease() -> None:
    """Raises what the check raises; nothing where there is none."""
    if check := _CHECK.get():
        check()
