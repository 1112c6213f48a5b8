"""The status stage: where referrals stand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from refloop.ledger.decisions import keep_status, members_of, referrals_named, status_of_referral
from refloop.ledger.identity import became_of, deal_clusters, deals_of
from refloop.ledger.queue import Topic
from refloop.ledger.records import records_of
from refloop.ledger.store import Ledger
from refloop.mapping.policy import Part
from refloop.mapping.stages import status_of
from refloop.model import Kind, Record, Ref
from refloop.sync.context import RunContext
from refloop.sync.stage import Caused, deals_among


def status(context: RunContext, ids: Sequence[str]) -> Caused:
    """Decides where each of the referrals stands, by the CRM's own stage facts. What is new is to be told."""
    ledger, caused = context.ledger, Caused()
    referrals = referrals_named(ledger, ids)
    members = {referral.id: members_of(ledger, referral.id) for referral in referrals}
    people, deals = _of_buyers(ledger, members)
    for referral in referrals:
        before = status_of_referral(ledger, referral.id)
        after = status_of(
            referral,
            deals[referral.id],
            people[referral.id],
            context.policy.status.words,
            zone=context.zone,
            before=before,
        )
        if after != before:
            keep_status(ledger, context.provenance(Part.STATUS), after)
            caused.look_at(Topic.PLAN, members[referral.id])
            caused.look_at_ids(Topic.TOTAL, [referral.referrer])
    return caused


def _of_buyers(
    ledger: Ledger, members: Mapping[str, frozenset[Ref]]
) -> tuple[dict[str, list[Record]], dict[str, list[Record]]]:
    """The people and the deals of each referral's buyer, those that were deleted too. Each deal once: a mirrored deal
    is its original. A lead whose contact was deleted is gone with it."""
    held = frozenset().union(*members.values())
    standing_on: dict[Ref, set[Ref]] = {}
    for person, deal in deals_of(ledger, held):
        standing_on.setdefault(person, set()).add(deal)
    families = deal_clusters(ledger, set(deals_among(held)).union(*standing_on.values()))
    speakers = {deal: set(family.values()) for deal, family in families.items()}
    deals = {
        name: {
            original
            for ref in own
            for deal in ([ref] if ref.kind is Kind.DEAL else standing_on.get(ref, ()))
            for original in speakers[deal]
        }
        for name, own in members.items()
    }
    known = {record.ref: record for record in records_of(ledger, held.union(*deals.values()))}
    became = {lead: known[contact] for lead, contact in became_of(ledger, held) if contact in known}
    people = {
        name: [
            replace(known[ref], deleted=became[ref].deleted) if ref in became else known[ref]
            for ref in sorted(own)
            if ref in known and ref.kind is not Kind.DEAL
        ]
        for name, own in members.items()
    }
    return people, {name: [known[ref] for ref in sorted(own) if ref in known] for name, own in deals.items()}
