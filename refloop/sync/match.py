"""The match stage: which code do records carry, and what about them should a person look at."""

from __future__ import annotations

from collections.abc import Sequence

from refloop.ledger.companies import without_held_buyer
from refloop.ledger.decisions import carrying_among, keep_matches
from refloop.ledger.identity import canonical_deals, concerned, crowded_out, ours_to_fill, stands_of
from refloop.ledger.queue import Topic
from refloop.ledger.receipts import written_values
from refloop.ledger.records import merged_among, records_of
from refloop.ledger.reviews import keep_review_items
from refloop.ledger.store import Ledger
from refloop.mapping.codes import code_key
from refloop.mapping.match import READING_REASONS, CarriedTexts, Reading, read_codes
from refloop.mapping.policy import ClaimRules, Part
from refloop.mapping.roles import RoleWords
from refloop.model import Kind, Record, Ref
from refloop.sync.context import RunContext
from refloop.sync.stage import Caused, deals_among


def match(context: RunContext, refs: Sequence[Ref]) -> Caused:
    """Reads the records, keeps what they carry, and passes on those that a referral may concern."""
    refs = tuple(refs)
    readings = _readings(context, refs)
    items = [item for reading in readings.values() for item in reading.items]
    by = context.provenance(Part.MATCH)
    keep_review_items(context.ledger, by, refs, items, READING_REASONS)
    caused = _about(context.ledger, refs, context.policy.claim)
    keep_matches(context.ledger, by, {ref: reading.match for ref, reading in readings.items()})
    _pass_on(context.ledger, refs, context.policy.deals.roles, caused)
    return caused


def _readings(context: RunContext, refs: Sequence[Ref]) -> dict[Ref, Reading]:
    ledger, field = context.ledger, context.policy.names("code")
    records = list(records_of(ledger, refs))
    written = written_values(ledger, refs, field)
    merged = merged_among(ledger, refs)
    # of a forgotten person nothing is read any more: what their records carried stands as it was decided
    settled = context.forgotten.refs(record.ref for record in records if not record.deleted)
    return {
        record.ref: read_codes(_carried(record, written.get(record.ref), field), context.book)
        if not record.deleted or record.ref in merged
        else Reading(None, ())
        for record in records
        if record.ref not in settled
    }


def _carried(record: Record, written: str | None, field: str) -> CarriedTexts:
    found = record.found.get(field)
    # what we wrote ourselves is an echo, not evidence
    typed = found if found is not None and code_key(found) != code_key(written or "") else None
    return CarriedTexts(record.ref, record.texts, record.created_at.date(), typed, field)


def _about(ledger: Ledger, refs: Sequence[Ref], rules: ClaimRules) -> Caused:
    caused = Caused()
    caused.look_at(Topic.CLAIM, crowded_out(ledger, refs, rules.most_records_of_one_person))
    caused.look_at(Topic.PLAN, ours_to_fill(ledger, refs))
    return caused


def _pass_on(ledger: Ledger, refs: Sequence[Ref], roles: RoleWords, caused: Caused) -> None:
    """Of a deal that changed, all records that are this deal are looked at; and the deals of a person that changed,
    where somebody may have to be asked about them."""
    deals = canonical_deals(ledger, deals_among(refs))
    touched = concerned(ledger, frozenset(refs).union(deals))
    standing = {stand.deal for stand in stands_of(ledger, set(refs) - touched)}
    caused.look_at(Topic.CREDIT, without_held_buyer(ledger, standing.union(deals) - touched, roles))
    carrying = carrying_among(ledger, touched)
    caused.look_at(Topic.CLAIM, (ref for ref in touched if ref.kind is not Kind.DEAL or ref in carrying))
    caused.look_at(Topic.CREDIT, deals_among(touched))
