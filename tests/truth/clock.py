"""The clock of the played world: it stands where the play has come to, and moves a little with each look."""

from __future__ import annotations

from datetime import datetime, timedelta

_TICK = timedelta(milliseconds=20)


class PlayedClock:
    """The present of both CRMs and of refloop. It ticks as it is read, so that what follows is later."""

    def __init__(self, at: datetime) -> None:
        self.now = at

    def __call__(self) -> datetime:
        self.now += _TICK
        return self.now

    def turn_to(self, at: datetime) -> None:
        """Moves on to `at`; what has passed stays passed."""
        self.now = max(self.now, at)
