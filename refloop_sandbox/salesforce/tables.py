"""What an org holds: its objects, their rows, and the time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime

from refloop_sandbox.salesforce.schema import Schema
from refloop_sandbox.salesforce.store import Store
from refloop_sandbox.salesforce.values import Stored, time_text


class Tables:
    """`stages` are the stages of opportunities, by their name in lower case."""

    def __init__(self, store: Store, schema: Schema, clock: Callable[[], datetime]) -> None:
        self.store = store
        self.schema = schema
        self.clock = clock
        self.stages: dict[str, dict[str, Stored]] = {}
        self._at: list[str] = []

    def stamp(self) -> str:
        """The time that writes are stamped with, to the second."""
        return self._at[-1] if self._at else time_text(self.clock())

    @contextmanager
    def stamped(self, moment: str) -> Iterator[None]:
        """Writes inside are stamped with `moment`: they come from a transaction that began then."""
        self._at.append(moment)
        try:
            yield
        finally:
            self._at.pop()
