"""The lease: which process may write, and the fence that stops one that was replaced."""

from __future__ import annotations

import os
import socket
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from refloop.errors import AnotherAtWork, LeaseLost
from refloop.ledger.engine.base import Row
from refloop.ledger.store import Ledger
from refloop.model import format_time, parse_time

HEARTBEAT = timedelta(seconds=15)
"""The lease is renewed with the first commit after this."""
EXPIRY = timedelta(minutes=5)
"""Longer than any one call to a CRM may take: only a process that stands still lets its lease run out."""


@dataclass(frozen=True, slots=True)
class Holder:
    """Who holds the ledger, or held it last. `locked`: together with the file lock, which dies with its process.
    `expires_at` None: handed back."""

    owner: str
    host: str
    pid: int
    started_at: datetime
    heartbeat_at: datetime
    expires_at: datetime | None
    fence: int
    locked: bool

    def expired(self, now: datetime) -> bool:
        """Whether a holder that never handed the ledger back has shown no sign of life for too long."""
        return self.expires_at is not None and self.expires_at <= now

    def alive(self, now: datetime) -> bool:
        return self.expires_at is not None and now < self.expires_at

    def __str__(self) -> str:
        return (
            f"process {self.pid} on {self.host}, since {format_time(self.started_at)}, "
            f"last seen {format_time(self.heartbeat_at)}"
        )


def holder_of(ledger: Ledger) -> Holder | None:
    """Who holds the ledger, or held it last; None when nobody ever did."""
    row = ledger.one("SELECT * FROM lease")
    return _holder(row) if row else None


def _holder(row: Row) -> Holder:
    return Holder(
        row["owner"],
        row["host"],
        row["pid"],
        parse_time(row["started_at"]),
        parse_time(row["heartbeat_at"]),
        parse_time(row["expires_at"]) if row["expires_at"] else None,
        row["fence"],
        bool(row["locked"]),
    )


class Lease:
    """This process's right to write. While it is held, each transaction of the ledger begins by making sure of it."""

    def __init__(self, ledger: Ledger, clock: Callable[[], datetime]) -> None:
        self._ledger = ledger
        self._clock = clock
        self._beaten = clock()
        self.owner = str(uuid.uuid4())
        self.fence = 0

    def take(self, *, locked: bool) -> None:
        """Takes the ledger over. `locked`: this process has the file lock as well, so who had it before is gone.

        Raises AnotherAtWork when another one is alive and works.
        """
        with self._ledger.writing():
            before, now = holder_of(self._ledger), self._clock()
            if before and before.alive(now) and not (locked and before.locked):
                raise AnotherAtWork(f"another refloop is working on {self._ledger.path} ({before})")
            self.fence = before.fence + 1 if before else 1
            self._beaten = now
            self._ledger.execute("DELETE FROM lease")
            self._ledger.execute(
                "INSERT INTO lease (owner, host, pid, started_at, heartbeat_at, expires_at, fence, locked) "
                "VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    self.owner,
                    socket.gethostname(),
                    os.getpid(),
                    format_time(now),
                    format_time(now),
                    format_time(now + EXPIRY),
                    self.fence,
                    int(locked),
                ),
            )
        self._ledger.guard = self.check

    def check(self) -> None:
        """Raises LeaseLost when another process took over. Within a transaction, that also renews the lease."""
        row = self._ledger.one("SELECT 1 FROM lease WHERE owner = ? AND fence = ?", (self.owner, self.fence))
        if row is None:
            raise LeaseLost(
                f"another refloop has taken over {self._ledger.path}: this run stood still for too long",
                remedy="Nothing is lost: what this run did not finish, the next one does.",
            )
        now = self._clock()
        if self._ledger.engine.in_transaction and now - self._beaten >= HEARTBEAT:
            self._ledger.execute(
                "UPDATE lease SET heartbeat_at = ?, expires_at = ?", (format_time(now), format_time(now + EXPIRY))
            )
            self._beaten = now

    def hand_back(self) -> None:
        """Lets the next one begin at once. Does nothing when another has taken over already."""
        self._ledger.guard = None
        with self._ledger.writing():
            self._ledger.execute(
                "UPDATE lease SET expires_at = NULL WHERE owner = ? AND fence = ?", (self.owner, self.fence)
            )


def replace_holder(ledger: Ledger, now: datetime) -> Holder | None:
    """Lets the next run take over at once: who holds the ledger now writes nothing any more. Returns who that was,
    None when nobody holds it."""
    with ledger.writing():
        holder = holder_of(ledger)
        if holder is None or holder.expires_at is None:
            return None
        ledger.execute("UPDATE lease SET fence = fence + 1, owner = '', expires_at = ?", (format_time(now),))
    return holder
