"""The status stage: where referrals stand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from refloop.ledger.companies import credited_deals
from refloop.ledger.decisions import keep_status, members_of, referrals_named, status_of_referral
from refloop.ledger.identity import became_of, deal_clusters, stands_of
from refloop.ledger.queue import Topic
from refloop.ledger.records import records_of
from refloop.mapping.policy import Part
from refloop.mapping.stages import Course, status_of
from refloop.model import Counting, Kind, Ref
from refloop.sync.context import RunContext
from refloop.sync.party import parties
from refloop.sync.stage import Caused, deals_among


def status(context: RunContext, ids: Sequence[str]) -> Caused:
    """Decides where each of the referrals stands, by the CRM's own stage facts. What is new is to be told."""
    ledger, caused = context.ledger, Caused()
    referrals = referrals_named(ledger, ids)
    members = {referral.id: members_of(ledger, referral.id) for referral in referrals}
    courses = _courses(context, members)
    words, now = context.policy.status.words, context.clock()
    for referral in referrals:
        before = status_of_referral(ledger, referral.id)
        after = status_of(referral, courses[referral.id], words, now, zone=context.zone, before=before)
        if after != before:
            keep_status(ledger, context.provenance(Part.STATUS), after)
            caused.look_at(Topic.PLAN, members[referral.id])
            caused.look_at_ids(Topic.TOTAL, [referral.referrer])
    return caused


def _courses(context: RunContext, members: Mapping[str, frozenset[Ref]]) -> dict[str, Course]:
    """The people and the deals of each referral's buyer, those that were deleted too. Each deal once: a mirrored deal
    is its original. A lead whose contact was deleted is gone with it. A deal is the referral's where it may be credited
    for it, or is."""
    ledger, deal_rules = context.ledger, context.policy.deals
    held = frozenset().union(*members.values())
    standing_on: dict[Ref, set[Ref]] = {}
    for stand in stands_of(ledger, held):
        standing_on.setdefault(stand.person, set()).add(stand.deal)
    credited = {name: credited_deals(ledger, [name]) for name in members}
    families = deal_clusters(ledger, set(deals_among(held)).union(*standing_on.values(), *credited.values()))
    originals = {deal: original for family in families.values() for deal, original in family.items()}
    belonging = {
        deal: {referral.id for referral in party.eligible} for deal, party in parties(context, originals).items()
    }
    touched = {
        name: {
            original
            for ref in own
            for deal in ([ref] if ref.kind is Kind.DEAL else standing_on.get(ref, ()))
            for original in families[deal].values()
        }
        | credited[name]
        for name, own in members.items()
    }
    known = {record.ref: record for record in records_of(ledger, held.union(*touched.values()))}
    became = {lead: known[contact] for lead, contact in became_of(ledger, held) if contact in known}
    courses = {}
    for name, own in members.items():
        people = [
            replace(known[ref], deleted=became[ref].deleted) if ref in became else known[ref]
            for ref in sorted(own)
            if ref in known and ref.kind is not Kind.DEAL
        ]
        deals = [known[ref] for ref in sorted(touched[name]) if ref in known]
        its = {ref for ref in touched[name] if name in belonging.get(ref, ()) or ref in credited[name]}
        counting = [deal for deal in deals if deal.ref in its and deal_rules.counting(deal) is Counting.NEW]
        courses[name] = Course(people, counting, [deal for deal in deals if deal not in counting])
    return courses
