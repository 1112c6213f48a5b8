"""The clock of deadlines, moved by the servers of these tests: no test waits for one, and none is judged by its own."""

from __future__ import annotations

import pytest


class Clock:
    """In place of the module `time`, as the deadlines use it."""

    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr("refloop.connectors.http.deadline.time", clock)
    return clock
