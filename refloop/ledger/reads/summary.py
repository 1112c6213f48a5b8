"""The figures of the whole ledger."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from refloop.ledger.figures import figures
from refloop.ledger.reads.conflicts import count_conflicts
from refloop.ledger.reads.receipts import Overwritten, count_refused, overwritten, unsettled
from refloop.ledger.reads.review import count_open
from refloop.ledger.store import Ledger
from refloop.mapping.stages import OPEN
from refloop.model import ReviewReason, Status


@dataclass(frozen=True, slots=True)
class Summary:
    """How many referrals stand where and, of those that do not count, why not; credited amounts by currency, of won
    and of open deals, and of won renewals apart; won deals on which nobody stands, by connection: no credit can reach
    them; and what waits for a person."""

    by_status: Mapping[Status, int]
    not_counted: Mapping[Status, int]
    won_amount: Mapping[str, Decimal]
    open_amount: Mapping[str, Decimal]
    renewed_amount: Mapping[str, Decimal]
    won_without_buyer: Mapping[str, int]
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
    counted = figures(ledger)
    return Summary(
        by_status=counted.by_status,
        not_counted=counted.not_counted,
        won_amount=counted.won_amount,
        open_amount=counted.open_amount,
        renewed_amount=counted.renewed_amount,
        won_without_buyer=counted.won_without_buyer,
        review=count_open(ledger),
        conflicts=count_conflicts(ledger),
        refused=count_refused(ledger),
        unsettled=sum(unsettled(ledger).values()),
        overwritten=overwritten(ledger),
    )
