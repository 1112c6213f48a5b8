"""An event loop whose time passes only when nothing else is left to do, and then at once."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

Result = TypeVar("Result")


class VirtualTime:
    """Runs a coroutine. `now` is in seconds, from 0 on, and exact."""

    def __init__(self) -> None:
        self.now = 0.0

    def time(self) -> float:
        return self.now

    def run(self, work: Callable[[], Coroutine[Any, Any, Result]]) -> Result:
        loop = asyncio.SelectorEventLoop(_Selector(self))
        loop.time = self.time  # type: ignore[method-assign]  # what a loop goes by is its method
        try:
            return loop.run_until_complete(work())
        finally:
            loop.close()


class _Selector(selectors.DefaultSelector):
    """Where the loop would wait for its next timer, that time has come."""

    def __init__(self, clock: VirtualTime) -> None:
        super().__init__()
        self._clock = clock

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        found = super().select(0 if timeout else timeout)
        if timeout and not found:
            self._clock.now += timeout
        return found
