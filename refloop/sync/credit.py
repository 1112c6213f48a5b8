"""The credit stage: who gets which share of the deals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from refloop.ledger.decisions import credits_of, keep_credits, referrals_named
from refloop.ledger.identity import canonical_deals
from refloop.ledger.queue import Topic
from refloop.ledger.records import records_of
from refloop.ledger.reviews import keep_review_items
from refloop.mapping.credit import DEAL_REASONS, credit_deal, review_deal
from refloop.mapping.parties import (
    PARTY_REASONS,
    Party,
    Suspects,
    candidates_by_company,
    review_company,
    review_names,
    review_party,
)
from refloop.mapping.policy import Part, Policy
from refloop.model import ByAccount, Counting, Credit, Record, Ref, Referral, ReviewItem, Role
from refloop.sync.context import RunContext
from refloop.sync.party import parties, suspects
from refloop.sync.stage import Caused


def credit(context: RunContext, refs: Sequence[Ref]) -> Caused:
    """Splits each deal among the referrals of its buyers. A deal that is mirrored or was merged is its original."""
    ledger, policy, caused = context.ledger, context.policy, Caused()
    originals = canonical_deals(ledger, refs)
    records = {record.ref: record for record in records_of(ledger, set(originals.values()))}
    before = credits_of(ledger, originals)
    around = {original: party for original, party in parties(context, originals).items() if original in records}
    suspected = suspects(
        context, {original: party for original, party in around.items() if policy.deals.is_credited(records[original])}
    )
    items: list[ReviewItem] = []
    for original, party in sorted(around.items(), key=lambda pair: pair[0]):
        verdict = _decide(records[original], party, suspected.get(original, Suspects()), policy)
        _replace(context, original, before.pop(original, []), verdict.credits, caused)
        items += verdict.items
        caused.look_at_ids(Topic.STATUS, (referral.id for referral in (*party.held, *verdict.referrals)))
        caused.look_at_ids(Topic.TOTAL, (referral.referrer for referral in (*party.held, *verdict.referrals)))
    keep_review_items(ledger, context.provenance(Part.CREDIT), frozenset(records), items, DEAL_REASONS | PARTY_REASONS)
    for deal in sorted(before.keys() - set(originals.values())):
        _replace(context, deal, before[deal], [], caused)
    caused.look_at(Topic.PLAN, originals)
    return caused


@dataclass(frozen=True)
class _Verdict:
    """The referrals to which a deal belongs, its credits, and what a person should look at first."""

    referrals: Sequence[Referral] = ()
    credits: Sequence[Credit] = ()
    items: Sequence[ReviewItem] = ()


def _decide(deal: Record, party: Party, suspected: Suspects, policy: Policy) -> _Verdict:
    """Decides about one deal. One that does not count belongs to nobody, and nothing about it is asked."""
    if not policy.deals.is_credited(deal):
        return _Verdict()
    mode = policy.deals.without_buyer(deal.ref.connection)
    by_company = candidates_by_company(deal, party, suspected) if mode is ByAccount.CREDIT else []
    referrals = by_company or party.eligible
    credits = credit_deal(deal, referrals, policy.credit.model, party.zone)
    if policy.deals.counting(deal) is Counting.RENEWAL:
        credits = [replace(credit, role=Role.RENEWAL) for credit in credits]
    items = [
        *review_deal(deal, referrals, party.zone),
        *review_party(deal, party),
        *review_names(deal, party, suspected),
    ]
    if mode is ByAccount.ASK:
        items += review_company(deal, party, suspected)
    return _Verdict(referrals, credits, items)


def _replace(
    context: RunContext, deal: Ref, before: Sequence[Credit], credits: Sequence[Credit], caused: Caused
) -> None:
    if list(credits) != list(before):
        model = context.policy.credit.model.value
        keep_credits(context.ledger, context.provenance(Part.CREDIT), deal, model, credits)
    lost = {credit.referral for credit in before}
    caused.look_at_ids(Topic.STATUS, lost)
    caused.look_at_ids(Topic.TOTAL, (referral.referrer for referral in referrals_named(context.ledger, lost)))
