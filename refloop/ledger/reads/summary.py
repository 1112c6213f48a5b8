"""The figures of the whole ledger."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from refloop.ledger.reads.conflicts import count_conflicts
from refloop.ledger.reads.receipts import Overwritten, count_refused, overwritten, unsettled
from refloop.ledger.reads.review import count_open
from refloop.ledger.store import Ledger
from refloop.ledger.summaries import credited
from refloop.mapping.stages import OPEN
from refloop.model import Outcome, ReviewReason, Status


@dataclass(frozen=True, slots=True)
class Summary:
    """How many referrals stand where and, of those that do not count, why not; credited amounts by currency, of won
    and of open deals; and what waits for a person."""

    by_status: Mapping[Status, int]
    not_counted: Mapping[Status, int]
    won_amount: Mapping[str, Decimal]
    open_amount: Mapping[str, Decimal]
    review: Mapping[ReviewReason, int]
    conflicts: int
    refused: int
    unsettled: int
    overwritten: tuple[Overwritten, ...]

    @property
    def referrals(self) -> int:
        return sum(self.by_status.values())

    @property
    def open(self) -> int:
        return sum(count for status, count in self.by_status.items() if status in OPEN)

    @property
    def won(self) -> int:
        return self.by_status.get(Status.WON, 0)

    @property
    def lost(self) -> int:
        return self.by_status.get(Status.LOST, 0)


def summary(ledger: Ledger) -> Summary:
    """The figures as they are now."""
    return Summary(
        by_status=_counts(
            ledger,
            "SELECT s.status, count(*) AS n FROM referrals f JOIN current_statuses s ON s.referral = f.referral "
            "WHERE f.void IS NULL GROUP BY 1",
        ),
        not_counted=_counts(
            ledger,
            "SELECT void AS status, count(*) AS n FROM referrals WHERE void IS NOT NULL GROUP BY 1",
        ),
        won_amount=credited(ledger, Outcome.WON),
        open_amount=credited(ledger, Outcome.OPEN),
        review=count_open(ledger),
        conflicts=count_conflicts(ledger),
        refused=count_refused(ledger),
        unsettled=sum(unsettled(ledger).values()),
        overwritten=overwritten(ledger),
    )


def _counts(ledger: Ledger, sql: str) -> dict[Status, int]:
    return dict(sorted((Status(row["status"]), row["n"]) for row in ledger.rows(sql)))
