"""From what changed to what the ledger says: match, claim, credit, status. Each stage empties its own queue.

A stage takes a chunk, decides with the pure functions of `refloop.mapping`, and keeps the verdicts and the
work they cause for later stages in one transaction. So it may stop anywhere, and be repeated.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property

from refloop.ledger.codes import codes, referrer_of, reread_if_codes_changed
from refloop.ledger.decisions import (
    KeptReferral,
    KeptStatus,
    Question,
    credits_of,
    keep_credits,
    keep_matches,
    keep_questions,
    keep_status,
    members_of,
    referrals_holding,
    referrals_named,
    status_of,
)
from refloop.ledger.forget import Forgotten
from refloop.ledger.identity import (
    canonical_deals,
    concerned,
    crowded_out,
    deal_clusters,
    deals_of,
    holders_of,
    ours_to_fill,
    persons_of,
    present,
)
from refloop.ledger.queue import Topic, dequeue_ids, dequeue_up_to, enqueue, enqueue_ids, next_ids, next_refs
from refloop.ledger.receipts import written_values
from refloop.ledger.records import merged_among, records_of
from refloop.ledger.store import Ledger
from refloop.mapping.attribution import Touch, shares
from refloop.mapping.codes import MATCHER_VERSION, CodeBook, code_key
from refloop.mapping.match import Doubt, Reading, read_codes
from refloop.mapping.stages import DealFacts, PersonFacts, standing
from refloop.model import Credit, Kind, Record, Ref, Role
from refloop.sync.claim import Claimer, carrying_among, deals_among, grouped
from refloop.sync.policy import Policy, Progress, silent

CHUNK = 1000

TOO_LATE = "closed-before-referral"
UNKNOWN_STAGE = "unknown-stage"
_READING_DOUBTS = tuple(doubt.value for doubt in Doubt)


class Decider:
    """The four stages over one ledger, for one run."""

    def __init__(self, ledger: Ledger, run: int, policy: Policy, progress: Progress = silent) -> None:
        self._ledger = ledger
        self._run = run
        self._policy = policy
        self._progress = progress
        self.counts: Counter[str] = Counter()

    def decide(self) -> Counter[str]:
        """Works until every queue before the plan is empty. Returns how many of what were visited."""
        reread_if_codes_changed(self._ledger)
        claimer = Claimer(self._ledger, self._run, self._policy, lambda: self._book)
        for topic, stage in (
            (Topic.MATCH, self._match),
            (Topic.CLAIM, claimer.claim),
            (Topic.CREDIT, self._credit),
        ):
            self._drain(topic, stage)
        self._drain_ids(Topic.STATUS, self._status)
        self._drain_ids(Topic.TOTAL, self._total)
        return self.counts

    def _drain(self, topic: Topic, stage: Callable[[Sequence[Ref]], None]) -> None:
        while refs := next_refs(self._ledger, topic, CHUNK):
            with self._ledger.writing():
                dequeue_up_to(self._ledger, topic, refs[-1])
                stage(refs)
            self._count(topic, len(refs))

    def _drain_ids(self, topic: Topic, stage: Callable[[Sequence[str]], None]) -> None:
        while ids := next_ids(self._ledger, topic, CHUNK):
            with self._ledger.writing():
                dequeue_ids(self._ledger, topic, ids)
                stage(ids)
            self._count(topic, len(ids))

    def _count(self, topic: Topic, done: int) -> None:
        self.counts[topic.value] += done
        self._progress(topic.value, "", done)

    # -- match: which code does a record carry

    @cached_property
    def _book(self) -> CodeBook:
        return CodeBook(codes(self._ledger), url_parameters=self._policy.url_parameters)

    @cached_property
    def _forgotten(self) -> Forgotten:
        return Forgotten(self._ledger)

    def _match(self, refs: Sequence[Ref]) -> None:
        ledger, field = self._ledger, self._policy.names("code")
        refs = tuple(refs)
        records = list(records_of(ledger, refs))
        written = written_values(ledger, refs, field)
        merged = merged_among(ledger, refs)
        # of a forgotten person nothing is read any more: what their records carried stands as it was decided
        settled = self._forgotten.refs(record.ref for record in records if not record.deleted)
        readings = {
            record.ref: self._read(record, written.get(record.ref), field)
            if not record.deleted or record.ref in merged
            else Reading(None, ())
            for record in records
            if record.ref not in settled
        }
        asked = [
            Question(ref, question.doubt.value, question.field, question.evidence, question.candidates)
            for ref, reading in readings.items()
            for question in reading.questions
        ]
        keep_questions(ledger, self._run, refs, asked, _READING_DOUBTS)
        enqueue(ledger, Topic.CLAIM, crowded_out(ledger, refs))
        enqueue(ledger, Topic.PLAN, ours_to_fill(ledger, refs))
        keep_matches(ledger, self._run, MATCHER_VERSION, {ref: reading.match for ref, reading in readings.items()})
        touched = concerned(ledger, frozenset(refs).union(canonical_deals(ledger, deals_among(refs))))
        carrying = carrying_among(ledger, touched)
        enqueue(ledger, Topic.CLAIM, (ref for ref in touched if ref.kind is not Kind.DEAL or ref in carrying))
        enqueue(ledger, Topic.CREDIT, deals_among(touched))

    def _read(self, record: Record, written: str | None, field: str) -> Reading:
        found = record.found.get(field)
        # what we wrote ourselves is an echo, not evidence
        typed = found if found is not None and code_key(found) != code_key(written or "") else None
        return read_codes(record.texts, record.created_at.date(), self._book, typed=typed, typed_field=field)

    # -- credit: who gets which share of a deal

    def _credit(self, refs: Sequence[Ref]) -> None:
        ledger = self._ledger
        originals = canonical_deals(ledger, refs)
        around: dict[Ref, set[Ref]] = {deal: {deal} for deal in originals}
        for deal, person in persons_of(ledger, originals):
            around[deal].add(person)
        records = {record.ref: record for record in records_of(ledger, set(originals.values()))}
        before = credits_of(ledger, originals)
        holding = referrals_holding(ledger, set().union(*around.values()))
        touched: set[KeptReferral] = set()
        asked: list[Question] = []
        for original, deals in sorted(grouped(originals).items()):
            held = {r.id: r for deal in deals for ref in around[deal] for r in holding.get(ref, [])}
            if original in records:
                asked += self._credit_deal(records[original], list(held.values()), before.pop(original, []))
                touched.update(held.values())
        keep_questions(ledger, self._run, frozenset(records), asked, (TOO_LATE, UNKNOWN_STAGE))
        for deal in sorted(before.keys() - set(originals.values())):
            self._replace_credits(deal, before[deal], [])
        enqueue(ledger, Topic.PLAN, originals)
        enqueue_ids(ledger, Topic.STATUS, [referral.id for referral in touched])
        enqueue_ids(ledger, Topic.TOTAL, {referral.referrer for referral in touched})

    def _credit_deal(self, deal: Record, referrals: Sequence[KeptReferral], before: list[Credit]) -> list[Question]:
        active = [referral for referral in referrals if referral.void is None and not deal.deleted]
        eligible = [referral for referral in active if not too_late(deal, referral)]
        split = shares([Touch(referral.id, referral.claimed_at) for referral in eligible], self._policy.model)
        credits = [
            Credit(deal.ref, referral.id, split[referral.id], role_of(deal, referral), self._policy.model.value)
            for referral in sorted(eligible, key=lambda r: (r.claimed_at, r.id))
            if split.get(referral.id)
        ]
        self._replace_credits(deal.ref, before, credits)
        return questions_about(deal, active, eligible)

    def _replace_credits(self, deal: Ref, before: list[Credit], credits: list[Credit]) -> None:
        if credits != before:
            keep_credits(self._ledger, self._run, deal, self._policy.model.value, credits)
        lost = {credit.referral for credit in before}
        enqueue_ids(self._ledger, Topic.STATUS, lost)
        enqueue_ids(self._ledger, Topic.TOTAL, {r.referrer for r in referrals_named(self._ledger, lost)})

    # -- status: where a referral stands

    def _status(self, ids: Sequence[str]) -> None:
        ledger = self._ledger
        referrals = referrals_named(ledger, ids)
        members = {referral.id: members_of(ledger, referral.id) for referral in referrals}
        people, deals = self._buyers_of(members)
        news: list[KeptReferral] = []
        for referral in referrals:
            before = status_of(ledger, referral.id)
            after = self._standing(referral, people[referral.id], deals[referral.id], before)
            if after != before:
                keep_status(ledger, self._run, after)
                news.append(referral)
        enqueue(ledger, Topic.PLAN, set().union(*(members[referral.id] for referral in news)))
        enqueue_ids(ledger, Topic.TOTAL, {referral.referrer for referral in news})

    def _standing(
        self, referral: KeptReferral, people: Sequence[Record], deals: Sequence[Record], before: KeptStatus | None
    ) -> KeptStatus:
        if referral.void is not None:
            label = before.label if before else ""
            at = referral.claimed_at.replace(microsecond=0)
            return KeptStatus(referral.id, referral.void, at, referral.void_reason, label)
        verdict = standing(
            referral.claimed_at,
            [
                DealFacts(deal.outcome, deal.created_at, deal.closed_at, deal.title or "")
                for deal in deals
                if not too_late(deal, referral)
            ],
            [PersonFacts(person.stage, person.title or "") for person in people],
            self._policy.words,
            before=before.status if before else None,
        )
        return KeptStatus(referral.id, verdict.status, verdict.at.replace(microsecond=0), verdict.reason, verdict.label)

    def _buyers_of(
        self, members: Mapping[str, frozenset[Ref]]
    ) -> tuple[dict[str, list[Record]], dict[str, list[Record]]]:
        """The people and the deals of each referral's buyer, as far as they are not gone. Each deal once: a mirrored
        deal is its original."""
        ledger = self._ledger
        there = present(ledger, frozenset().union(*members.values()))
        standing_on: dict[Ref, set[Ref]] = {}
        for person, deal in deals_of(ledger, there):
            standing_on.setdefault(person, set()).add(deal)
        families = deal_clusters(ledger, set(deals_among(there)).union(*standing_on.values()))
        speakers = {deal: set(family.values()) for deal, family in families.items()}
        deals = {
            name: {
                original
                for ref in held & there
                for deal in ([ref] if ref.kind is Kind.DEAL else standing_on.get(ref, ()))
                for original in speakers[deal]
            }
            for name, held in members.items()
        }
        known = {
            record.ref: record
            for record in records_of(ledger, there.union(*members.values(), *deals.values()))
            if not record.deleted
        }
        people = {
            name: [known[ref] for ref in sorted(held) if ref in known and ref.kind is not Kind.DEAL]
            for name, held in members.items()
        }
        return people, {name: [known[ref] for ref in sorted(held) if ref in known] for name, held in deals.items()}

    # -- total: whose own contact must tell the news

    def _total(self, ids: Sequence[str]) -> None:
        for name in ids:
            referrer = referrer_of(self._ledger, name)
            if referrer and referrer.email:
                contacts = [ref for ref in holders_of(self._ledger, referrer.email) if ref.kind is Kind.CONTACT]
                enqueue(self._ledger, Topic.PLAN, contacts)


def questions_about(deal: Record, active: Sequence[KeptReferral], eligible: Sequence[KeptReferral]) -> list[Question]:
    """What a person should look at before a deal's credits are believed."""
    asked = [
        Question(deal.ref, TOO_LATE, "closed_at", deal.closed_at.date().isoformat(), (referral.id,))
        for referral in active
        if referral not in eligible and deal.closed_at
    ]
    if active and deal.outcome is None and not deal.deleted:
        asked.append(Question(deal.ref, UNKNOWN_STAGE, "stage", deal.stage or ""))
    return asked


def too_late(deal: Record, referral: KeptReferral) -> bool:
    """Whether a deal had ended before the referral was made: nothing that was over can have been referred.

    By days: Salesforce knows the day on which a deal closed, not the time.
    """
    return deal.closed_at is not None and deal.closed_at.date() < referral.claimed_at.date()


def role_of(deal: Record, referral: KeptReferral) -> Role:
    """A referral that came with or before the deal sourced it; a later one influenced it."""
    return Role.SOURCED if referral.claimed_at.date() <= deal.created_at.date() else Role.INFLUENCED
