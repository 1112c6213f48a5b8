"""Who is credited for a deal, with what share and in which role; and what a person should look at first. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import tzinfo

from refloop.mapping.attribution import Model, Touch, shares
from refloop.mapping.days import day_in
from refloop.model import Credit, Outcome, Record, Referral, ReviewItem, ReviewReason, Role


def closed_before(deal: Record, referral: Referral, zone: tzinfo) -> bool:
    """Whether a deal had certainly ended before the referral was made: nothing that was over can have been referred.

    By the days of the deal's account: Salesforce knows the day on which a deal closed, not the time.
    """
    return deal.closed_at is not None and day_in(zone, deal.closed_at) < day_in(zone, referral.earliest)


def may_be_before(deal: Record, referral: Referral, zone: tzinfo) -> bool:
    """Whether a deal ended within the time in which the code came, so that nobody knows which was first."""
    if deal.closed_at is None or closed_before(deal, referral, zone):
        return False
    return day_in(zone, deal.closed_at) < day_in(zone, referral.latest)


def follows(deal: Record, referral: Referral, zone: tzinfo) -> bool:
    """Whether a deal is open, or certainly ended no earlier than the referral was made."""
    return not closed_before(deal, referral, zone) and not may_be_before(deal, referral, zone)


def role_in(deal: Record, referral: Referral, zone: tzinfo) -> Role:
    """A referral that came with or before the deal sourced it; a later one influenced it."""
    is_first = day_in(zone, referral.claimed_at) <= day_in(zone, deal.created_at)
    return Role.SOURCED if is_first else Role.INFLUENCED


def credit_deal(deal: Record, referrals: Sequence[Referral], model: Model, zone: tzinfo) -> list[Credit]:
    """The shares of a deal, the earliest claim first; they sum to one, or there are none.

    Void referrals get nothing, nor do those that were made after the deal had ended, and a deleted deal credits nobody.
    While a person has to say who of several was first, or whether it was before the deal ended, nobody gets anything.
    """
    eligible = [referral for referral in _active(deal, referrals) if not closed_before(deal, referral, zone)]
    if any(referral.rival or may_be_before(deal, referral, zone) for referral in eligible):
        return []
    split = shares([Touch(referral.id, referral.claimed_at) for referral in eligible], model)
    return [
        Credit(deal.ref, referral.id, split[referral.id], role_in(deal, referral, zone), model.value)
        for referral in sorted(eligible, key=lambda r: (r.claimed_at, r.id))
        if split.get(referral.id)
    ]


def review_deal(deal: Record, referrals: Sequence[Referral], zone: tzinfo) -> list[ReviewItem]:
    """What a person should look at before a deal's credits are believed."""
    active = _active(deal, referrals)
    items = [item for referral in active for item in _review(deal, referral, zone)]
    if active and deal.outcome is None:
        items.append(ReviewItem(deal.ref, ReviewReason.UNKNOWN_STAGE, "stage", deal.stage or ""))
    return items


def _review(deal: Record, referral: Referral, zone: tzinfo) -> Iterator[ReviewItem]:
    if deal.outcome is Outcome.LOST:  # no money hangs on it
        return
    ended = day_in(zone, deal.closed_at).isoformat() if deal.closed_at else ""
    if closed_before(deal, referral, zone):
        yield ReviewItem(deal.ref, ReviewReason.CLOSED_BEFORE, "closed_at", ended, (referral.id,))
        return
    if may_be_before(deal, referral, zone):
        yield ReviewItem(deal.ref, ReviewReason.MAY_BE_BEFORE, "closed_at", ended, (referral.id,))
    if referral.rival:
        came = day_in(zone, referral.claimed_at).isoformat()
        yield ReviewItem(deal.ref, ReviewReason.WHO_WAS_FIRST, "code", came, (referral.code, referral.rival))


DEAL_REASONS = frozenset(
    {
        ReviewReason.CLOSED_BEFORE,
        ReviewReason.MAY_BE_BEFORE,
        ReviewReason.WHO_WAS_FIRST,
        ReviewReason.UNKNOWN_STAGE,
    }
)
"""Why `review_deal` asks for a person."""


def _active(deal: Record, referrals: Sequence[Referral]) -> list[Referral]:
    return [referral for referral in referrals if referral.void is None and not deal.deleted]
