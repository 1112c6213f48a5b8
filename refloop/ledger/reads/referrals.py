"""Where referrals stand."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from refloop.ledger.engine.base import Row
from refloop.ledger.store import Ledger
from refloop.model import Status, StatusChange, parse_time


@dataclass(frozen=True, slots=True)
class Standing:
    """A referral and where it stands. `code` is as it was issued, None for one that is not known any more."""

    referrer: str
    referrer_name: str | None
    program: str
    code: str | None
    claimed_at: datetime
    now: StatusChange


def standings(ledger: Ledger, status: Status | None = None, referrer: str | None = None) -> Iterator[Standing]:
    """Where each referral stands, the latest claim first, streamed."""
    wanted = status.value if status else None
    rows = ledger.rows(
        "SELECT * FROM standing WHERE status = coalesce(?, status) AND referrer = coalesce(?, referrer) "
        "ORDER BY claimed_at DESC, referral",
        (wanted, referrer),
    )
    return map(standing_from, rows)


def standing_from(row: Row) -> Standing:
    """A row of `standing` as the value it is."""
    return Standing(
        row["referrer"],
        row["referrer_name"],
        row["program"],
        row["code"],
        parse_time(row["claimed_at"]),
        StatusChange(row["referral"], Status(row["status"]), parse_time(row["status_at"]), row["reason"], row["label"]),
    )
