"""Who stands on the deals of a chunk, and who may have brought them though nobody says so."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from refloop.ledger.companies import held_at, issued_by, namesakes
from refloop.ledger.decisions import referrals_holding
from refloop.ledger.identity import standing_on
from refloop.ledger.records import records_of
from refloop.mapping.parties import Party, Suspects
from refloop.mapping.roles import Stand
from refloop.model import Record, Ref, Referral
from refloop.sync.context import RunContext


def parties(context: RunContext, originals: Mapping[Ref, Ref]) -> dict[Ref, Party]:
    """Original -> who stands on it, by all records that are this deal. `originals` is what `canonical_deals` gives."""
    ledger, roles = context.ledger, context.policy.deals.roles
    stands: dict[Ref, list[Stand]] = {original: [] for original in originals.values()}
    for stand in standing_on(ledger, originals):
        stands[originals[stand.deal]].append(stand)
    people = {stand.person for found in stands.values() for stand in found}
    holding = referrals_holding(ledger, people.union(originals))
    issued = issued_by(ledger, people)
    deals: dict[Ref, set[Ref]] = {}
    for deal, original in originals.items():
        deals.setdefault(original, set()).add(deal)
    return {
        original: Party(deals[original], found, holding, issued, roles, context.zone(original.connection))
        for original, found in stands.items()
    }


def suspects(context: RunContext, around: Mapping[Ref, Party]) -> dict[Ref, Suspects]:
    """Original -> by whom it may have come, of those that belong to no referral that counts."""
    unclaimed = {
        original: party for original, party in around.items() if all(referral.void for referral in party.eligible)
    }
    of_company = _by_company(context, {name: party for name, party in unclaimed.items() if not party.buyers})
    of_name = _by_name(context, unclaimed)
    return {original: Suspects(of_company.get(original, []), of_name.get(original, [])) for original in unclaimed}


def _by_company(context: RunContext, around: Mapping[Ref, Party]) -> dict[Ref, list[Referral]]:
    originals = {deal: original for original, party in around.items() for deal in party.deals}
    pairs = held_at(context.ledger, originals)
    holding = referrals_holding(context.ledger, {person for _, person in pairs})
    found: dict[Ref, list[Referral]] = {}
    for deal, person in pairs:
        found.setdefault(originals[deal], []).extend(holding.get(person, ()))
    return found


def _by_name(context: RunContext, around: Mapping[Ref, Party]) -> dict[Ref, list[tuple[Record, Record, Referral]]]:
    pairs = namesakes(context.ledger, {buyer for party in around.values() for buyer in party.buyers})
    holding = referrals_holding(context.ledger, {other for _, other in pairs})
    records = _records(context, (ref for pair in pairs for ref in pair))
    others: dict[Ref, list[Ref]] = {}
    for buyer, other in pairs:
        if other in holding and other in records and not records[other].deleted:
            others.setdefault(buyer, []).append(other)
    return {
        original: [
            (records[buyer], records[other], referral)
            for buyer in party.buyers
            for other in others.get(buyer, ())
            for referral in holding[other]
        ]
        for original, party in around.items()
    }


def _records(context: RunContext, refs: Iterable[Ref]) -> dict[Ref, Record]:
    return {record.ref: record for record in records_of(context.ledger, set(refs))}
