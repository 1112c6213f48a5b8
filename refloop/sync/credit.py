"""The credit stage: who gets which share of the deals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from refloop.ledger.decisions import (
    credits_of,
    keep_credits,
    referrals_holding,
    referrals_named,
)
from refloop.ledger.identity import canonical_deals, persons_of
from refloop.ledger.queue import Topic
from refloop.ledger.records import records_of
from refloop.ledger.reviews import keep_review_items
from refloop.mapping.credit import DEAL_REASONS, credit_deal, review_deal
from refloop.mapping.policy import Part
from refloop.model import Credit, Ref, Referral, ReviewItem
from refloop.sync.context import RunContext
from refloop.sync.stage import Caused


def credit(context: RunContext, refs: Sequence[Ref]) -> Caused:
    """Splits each deal among the referrals of its people. A deal that is mirrored or was merged is its original."""
    ledger, caused = context.ledger, Caused()
    originals = canonical_deals(ledger, refs)
    records = {record.ref: record for record in records_of(ledger, set(originals.values()))}
    before = credits_of(ledger, originals)
    items: list[ReviewItem] = []
    for original, referrals in sorted(_held_around(context, originals).items()):
        if original in records:
            zone = context.zone(original.connection)
            credits = credit_deal(records[original], referrals, context.policy.credit.model, zone)
            _replace(context, original, before.pop(original, []), credits, caused)
            items += review_deal(records[original], referrals, zone)
            caused.look_at_ids(Topic.STATUS, (referral.id for referral in referrals))
            caused.look_at_ids(Topic.TOTAL, (referral.referrer for referral in referrals))
    keep_review_items(ledger, context.provenance(Part.CREDIT), frozenset(records), items, DEAL_REASONS)
    for deal in sorted(before.keys() - set(originals.values())):
        _replace(context, deal, before[deal], [], caused)
    caused.look_at(Topic.PLAN, originals)
    return caused


def _held_around(context: RunContext, originals: Mapping[Ref, Ref]) -> dict[Ref, list[Referral]]:
    """Original -> the referrals that hold it, one of the records that are this deal, or one of their people."""
    around: dict[Ref, set[Ref]] = {deal: {deal} for deal in originals}
    for deal, person in persons_of(context.ledger, originals):
        around[deal].add(person)
    holding = referrals_holding(context.ledger, set().union(*around.values()))
    found: dict[Ref, dict[str, Referral]] = {}
    for deal, original in originals.items():
        held = found.setdefault(original, {})
        held.update((referral.id, referral) for ref in around[deal] for referral in holding.get(ref, []))
    return {original: list(held.values()) for original, held in found.items()}


def _replace(
    context: RunContext, deal: Ref, before: Sequence[Credit], credits: Sequence[Credit], caused: Caused
) -> None:
    if credits != before:
        model = context.policy.credit.model.value
        keep_credits(context.ledger, context.provenance(Part.CREDIT), deal, model, credits)
    lost = {credit.referral for credit in before}
    caused.look_at_ids(Topic.STATUS, lost)
    caused.look_at_ids(Topic.TOTAL, (referral.referrer for referral in referrals_named(context.ledger, lost)))
