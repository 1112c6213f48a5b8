"""Who is credited for a deal, with what share and in which role; and what a person should look at first. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from refloop.mapping.attribution import Model, Touch, shares
from refloop.model import Credit, Record, Referral, ReviewItem, ReviewReason, Role


def closed_before(deal: Record, referral: Referral) -> bool:
    """Whether a deal had ended before the referral was made: nothing that was over can have been referred.

    By days: Salesforce knows the day on which a deal closed, not the time.
    """
    return deal.closed_at is not None and deal.closed_at.date() < referral.claimed_at.date()


def role_in(deal: Record, referral: Referral) -> Role:
    """A referral that came with or before the deal sourced it; a later one influenced it."""
    return Role.SOURCED if referral.claimed_at.date() <= deal.created_at.date() else Role.INFLUENCED


def credit_deal(deal: Record, referrals: Sequence[Referral], model: Model) -> list[Credit]:
    """The shares of a deal, the earliest claim first; they sum to one, or there are none.

    Void referrals get nothing, nor do those that were made after the deal had ended, and a deleted deal credits nobody.
    """
    eligible = [referral for referral in _active(deal, referrals) if not closed_before(deal, referral)]
    split = shares([Touch(referral.id, referral.claimed_at) for referral in eligible], model)
    return [
        Credit(deal.ref, referral.id, split[referral.id], role_in(deal, referral), model.value)
        for referral in sorted(eligible, key=lambda r: (r.claimed_at, r.id))
        if split.get(referral.id)
    ]


def review_deal(deal: Record, referrals: Sequence[Referral]) -> list[ReviewItem]:
    """What a person should look at before a deal's credits are believed."""
    active = _active(deal, referrals)
    items = [
        ReviewItem(deal.ref, ReviewReason.CLOSED_BEFORE, "closed_at", deal.closed_at.date().isoformat(), (referral.id,))
        for referral in active
        if deal.closed_at and closed_before(deal, referral)
    ]
    if active and deal.outcome is None:
        items.append(ReviewItem(deal.ref, ReviewReason.UNKNOWN_STAGE, "stage", deal.stage or ""))
    return items


DEAL_REASONS = frozenset({ReviewReason.CLOSED_BEFORE, ReviewReason.UNKNOWN_STAGE})
"""Why `review_deal` asks for a person."""


def _active(deal: Record, referrals: Sequence[Referral]) -> list[Referral]:
    return [referral for referral in referrals if referral.void is None and not deal.deleted]
