"""The match stage: which code do records carry, and what about them should a person look at."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

from refloop.ledger.arrivals import arrivals_of, keep_arrivals, late_around
from refloop.ledger.companies import without_held_buyer
from refloop.ledger.decisions import carrying_among, keep_matches
from refloop.ledger.identity import canonical_deals, concerned, crowded_out, ours_to_fill, stands_of
from refloop.ledger.queue import Topic
from refloop.ledger.receipts import intended_values, written_values
from refloop.ledger.records import merged_among, records_of
from refloop.ledger.reviews import keep_review_items
from refloop.ledger.store import Ledger
from refloop.mapping.arrivals import MASS_EDIT_REASONS, arrivals_on, is_wide, mass_edit_item
from refloop.mapping.codes import code_key
from refloop.mapping.match import READING_REASONS, Arrivals, CarriedTexts, Sighted, judge, sight
from refloop.mapping.policy import ClaimRules, Part
from refloop.mapping.roles import RoleWords
from refloop.model import Arrival, Kind, Presence, Record, Ref
from refloop.sync.context import RunContext
from refloop.sync.stage import Caused, deals_among


def match(context: RunContext, refs: Sequence[Ref]) -> Caused:
    """Reads the records, keeps what they carry, and passes on those that a referral may concern."""
    refs = tuple(refs)
    sighted = _sighted(context, refs)
    arrivals, to_ask = _arrivals(context, sighted)
    readings = {
        record.ref: judge(seen, context.book, Arrivals(arrivals[record.ref], context.zone(record.ref.connection)))
        for record, seen in sighted.values()
    }
    # what a deleted record carried stands as evidence, but nobody can answer for it any more
    deleted = {record.ref for record, _ in sighted.values() if record.deleted}
    silent = deleted - merged_among(context.ledger, deleted)
    readings |= {ref: replace(readings[ref], items=()) for ref in silent}
    items = [item for reading in readings.values() for item in reading.items]
    by = context.provenance(Part.MATCH)
    moved = keep_review_items(context.ledger, by, refs, items, READING_REASONS)
    edited = _mass_edits(context, refs, arrivals)
    caused = _about(context.ledger, refs, context.policy.claim)
    caused.look_at(Topic.HISTORY, to_ask)
    caused.look_at(Topic.CLAIM, edited)
    # who typed a code that is none gets an answer beside it
    caused.look_at(Topic.PLAN, (item.ref for item in moved if item.field == context.policy.names("code")))
    keep_matches(context.ledger, by, {ref: reading.match for ref, reading in readings.items()})
    _pass_on(context.ledger, refs, context.policy.deals.roles, caused)
    return caused


def _sighted(context: RunContext, refs: Sequence[Ref]) -> dict[Ref, tuple[Record, Sighted]]:
    """What may be a code on each of the records that are read."""
    ledger, field = context.ledger, context.policy.names("code")
    records = list(records_of(ledger, refs))
    written, intended = written_values(ledger, refs, field), intended_values(ledger, refs, field)
    # of a forgotten person nothing is read any more: what their records carried stands as it was decided
    settled = context.forgotten.refs(record.ref for record in records)
    return {
        record.ref: (
            record,
            sight(carried_texts(record, {written.get(record.ref), intended.get(record.ref)}, field), context.book),
        )
        for record in records
        if record.ref not in settled
    }


def _arrivals(
    context: RunContext, sighted: Mapping[Ref, tuple[Record, Sighted]]
) -> tuple[dict[Ref, dict[str, Arrival]], list[Ref]]:
    """When the codes of each record came to it, and the records of which the CRM's history may tell more of that. What
    is new is kept."""
    before, field = arrivals_of(context.ledger, sighted), context.policy.names("code")
    now = {
        ref: arrivals_on(record, seen.codes, before.get(ref, {}), typed=field)
        for ref, (record, seen) in sighted.items()
    }
    keep_arrivals(context.ledger, context.provenance(Part.MATCH), before, now)
    to_ask = [
        ref
        for ref, found in now.items()
        if any(is_wide(one) and before.get(ref, {}).get(code) != one for code, one in found.items())
    ]
    return now, to_ask


def _mass_edits(context: RunContext, refs: tuple[Ref, ...], arrivals: Mapping[Ref, Mapping[str, Arrival]]) -> set[Ref]:
    """The records that got one code within minutes of each other, while they had none before: each such edit is one
    review item, about the first of them."""
    edited: dict[str, set[Ref]] = {}
    # one time a minute is enough: the windows overlap
    late = {
        (one.code, one.by.replace(second=0, microsecond=0)): one
        for found in arrivals.values()
        for one in found.values()
        if one.is_late and one.presence is Presence.CARRIED
    }
    for (code, _), one in sorted(late.items()):
        around = late_around(context.ledger, code, one.by)
        if len(around) >= context.policy.match.mass_edit:
            edited.setdefault(code, set()).update(around)
    items = [mass_edit_item(code, found) for code, found in edited.items()]
    about = set[Ref]().union(*edited.values())
    # without an edit, as almost always, the chunk is selected already
    asked = about.union(refs) if about else refs
    keep_review_items(context.ledger, context.provenance(Part.MATCH), asked, items, MASS_EDIT_REASONS)
    return about


def carried_texts(record: Record, ours: Collection[str | None], field: str) -> CarriedTexts:
    """What is read of a record into whose code field refloop wrote, or sent, what `ours` says."""
    found = record.found.get(field)
    # what we wrote ourselves, or sent without an answer, is an echo, not evidence
    typed = found if found is not None and code_key(found) not in {code_key(one or "") for one in ours} else None
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
