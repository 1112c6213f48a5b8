"""From what changed to what the ledger says: match, claim, credit, status. Each stage empties its own queue.

A stage takes a chunk, decides with the pure functions of `refloop.mapping`, and keeps the verdicts and the
work they cause for later stages in one transaction. So it may stop anywhere, and be repeated.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property

from refloop.ledger.book import Ledger
from refloop.ledger.codes import codes, referrer_of, reread_if_codes_changed
from refloop.ledger.decisions import (
    KeptReferral,
    KeptStatus,
    Question,
    credits_of,
    current_matches,
    ever_matched,
    keep_credits,
    keep_matches,
    keep_members,
    keep_questions,
    keep_referral,
    keep_status,
    members_of,
    referrals_around,
    referrals_holding,
    referrals_named,
    status_of,
)
from refloop.ledger.forget import Forgotten
from refloop.ledger.neighbours import (
    buyers,
    concerned,
    crowded_out,
    deals_of,
    first_holder,
    holders_of,
    originals_of,
    persons_of,
    present,
    shown,
)
from refloop.ledger.queue import Topic, dequeue, dequeue_ids, enqueue, enqueue_ids, next_ids, next_refs
from refloop.ledger.receipts import written_values
from refloop.ledger.records import merged_among, records_of
from refloop.mapping.attribution import Touch, shares
from refloop.mapping.claims import Buyer, Evidence, Holding, KnownReferral, hold, referral_id
from refloop.mapping.codes import MATCHER_VERSION, CodeBook, code_key
from refloop.mapping.match import Doubt, Reading, read_codes
from refloop.mapping.people import is_shared_mailbox
from refloop.mapping.stages import DealFacts, PersonFacts, standing
from refloop.model import Credit, Kind, Match, Record, Ref, Role
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
        for topic, stage in (
            (Topic.MATCH, self._match),
            (Topic.CLAIM, self._claim),
            (Topic.CREDIT, self._credit),
        ):
            self._drain(topic, stage)
        self._drain_ids(Topic.STATUS, self._status)
        self._drain_ids(Topic.TOTAL, self._total)
        return self.counts

    def _drain(self, topic: Topic, stage: Callable[[list[Ref]], None]) -> None:
        while refs := next_refs(self._ledger, topic, CHUNK):
            with self._ledger.writing():
                dequeue(self._ledger, topic, refs)
                stage(refs)
            self._count(topic, len(refs))

    def _drain_ids(self, topic: Topic, stage: Callable[[list[str]], None]) -> None:
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

    def _match(self, refs: list[Ref]) -> None:
        ledger, field = self._ledger, self._policy.names("code")
        records = list(records_of(ledger, refs))
        merged = merged_among(ledger, [record.ref for record in records if record.deleted])
        written = written_values(ledger, refs, field)
        # of a forgotten person nothing is read any more: what their records carried stands as it was decided
        settled = self._forgotten.refs(record.ref for record in records if not record.deleted)
        readings = {
            record.ref: self._read(record, written.get(record.ref), field)
            if not record.deleted or record.ref in merged
            else Reading(None, ())
            for record in records
            if record.ref not in settled
        }
        keep_matches(ledger, self._run, MATCHER_VERSION, {ref: reading.match for ref, reading in readings.items()})
        asked = [
            Question(ref, question.doubt.value, question.field, question.evidence, question.candidates)
            for ref, reading in readings.items()
            for question in reading.questions
        ]
        keep_questions(ledger, self._run, refs, asked, _READING_DOUBTS)
        touched = concerned(ledger, set(refs).union(originals_of(ledger, _deals(refs))))
        carrying = self._carrying(touched)
        enqueue(ledger, Topic.CLAIM, (ref for ref in touched if ref.kind is not Kind.DEAL or ref in carrying))
        enqueue(ledger, Topic.CLAIM, crowded_out(ledger, refs))
        enqueue(ledger, Topic.CREDIT, _deals(touched))
        enqueue(ledger, Topic.PLAN, shown(ledger, refs))

    def _carrying(self, refs: Iterable[Ref]) -> set[Ref]:
        refs = set(refs)
        return set(current_matches(self._ledger, refs)) | ever_matched(self._ledger, refs)

    def _read(self, record: Record, written: str | None, field: str) -> Reading:
        found = record.found.get(field)
        # what we wrote ourselves is an echo, not evidence
        typed = found if found is not None and code_key(found) != code_key(written or "") else None
        return read_codes(record.texts, record.created_at.date(), self._book, typed=typed, typed_field=field)

    # -- claim: which referrals does a buyer hold

    def _claim(self, refs: list[Ref]) -> None:
        ledger = self._ledger
        originals = originals_of(ledger, _deals(refs))
        standing_on = persons_of(ledger, originals)
        seeds = {ref for ref in refs if ref.kind is not Kind.DEAL} | {person for _, person in standing_on}
        for persons in buyers(ledger, seeds, is_shared_mailbox):
            self._claim_of(persons, self._deals_carrying(persons))
        attended = {originals[deal] for deal, _ in standing_on}
        for original, deals in sorted(_groups(originals).items()):
            if original not in attended:
                self._claim_of(frozenset(), self._carrying(deals))

    def _deals_carrying(self, persons: frozenset[Ref]) -> set[Ref]:
        """The deals whose own code speaks for this buyer: the one who came first among a deal's people."""
        ledger = self._ledger
        originals = originals_of(ledger, {deal for _, deal in deals_of(ledger, persons)})
        carrying = self._carrying(originals) if originals else set()
        if not carrying:
            return set()
        spoken = {originals[deal] for deal in carrying}
        people: dict[Ref, set[Ref]] = {}
        for deal, person in persons_of(ledger, [deal for deal in originals if originals[deal] in spoken]):
            people.setdefault(originals[deal], set()).add(person)
        created = {record.ref: record.created_at for record in records_of(ledger, set().union(*people.values()))}
        ours = {
            original for original, group in people.items() if min(group, key=lambda ref: (created[ref], ref)) in persons
        }
        return {deal for deal in carrying if originals[deal] in ours}

    def _claim_of(self, persons: frozenset[Ref], deals: set[Ref]) -> None:
        ledger = self._ledger
        nodes = persons | deals
        records = list(records_of(ledger, nodes))
        matches = current_matches(ledger, nodes)
        around = referrals_around(ledger, nodes)
        if not matches and not around:
            return
        ours, foreign = self._sort_known(around, nodes)
        holdings = hold(
            Buyer(
                evidence=[self._evidence(record, matches[record.ref]) for record in records if record.ref in matches],
                known=[_known(referral) for referral, _ in ours],
                emails={record.email for record in records if record.email},
            ),
            self._book.get,
            self._referrer_emails(matches.values(), ours),
            taken=self._taken(records, matches),
        )
        before = {referral.id: members for referral, members in ours}
        for holding in holdings:
            self._keep(holding, ours, nodes)
        members = nodes.union(*before.values())
        enqueue(ledger, Topic.CREDIT, {deal for _, deal in deals_of(ledger, members)}.union(_deals(members)))
        enqueue_ids(ledger, Topic.STATUS, [holding.id for holding in holdings])
        enqueue(ledger, Topic.PLAN, members)
        # a buyer that was one and is two: the other half decides anew for itself
        enqueue(ledger, Topic.CLAIM, members - nodes)
        for referral, held in foreign:
            self._release(referral, held - nodes)

    def _release(self, referral: KeptReferral, rest: frozenset[Ref]) -> None:
        """Lets go of records that turned out to be another buyer's; whose referral it is decides anew."""
        keep_members(self._ledger, referral.id, rest)
        home = self._home(referral)
        enqueue(self._ledger, Topic.CLAIM, [home] if home else [])
        enqueue_ids(self._ledger, Topic.STATUS, [referral.id])

    def _home(self, referral: KeptReferral) -> Ref | None:
        """The record whose buyer a referral belongs to; None while nobody was seen of that e-mail."""
        return referral.origin or first_holder(self._ledger, referral.email or "")

    def _sort_known(
        self, around: Iterable[tuple[KeptReferral, frozenset[Ref]]], nodes: set[Ref] | frozenset[Ref]
    ) -> tuple[list[tuple[KeptReferral, frozenset[Ref]]], list[tuple[KeptReferral, frozenset[Ref]]]]:
        """Those that are this buyer's; and those that only used to share a record with it."""
        ours, foreign = [], []
        for referral, members in around:
            if self._home(referral) in nodes:
                ours.append((referral, members))
            elif members & nodes:
                foreign.append((referral, members))
        return ours, foreign

    def _evidence(self, record: Record, match: Match) -> Evidence:
        given = record.found.get(self._policy.names("id"))
        return Evidence(record.ref, match.code, record.created_at, match.rule, match.field, given)

    def _taken(self, records: Iterable[Record], matches: Mapping[Ref, Match]) -> set[str]:
        """The ids on these records that the ledger knows: of another code, or of another buyer (a cloned record)."""
        given = {record.found.get(self._policy.names("id"), "") for record in records}
        own = {referral_id(ref, match.code) for ref, match in matches.items()}
        return {referral.id for referral in referrals_named(self._ledger, given | own)}

    def _referrer_emails(
        self, matches: Iterable[Match], ours: Iterable[tuple[KeptReferral, frozenset[Ref]]]
    ) -> dict[str, str]:
        found = {code.referrer for code in (self._book.get(match.code) for match in matches) if code}
        found |= {referral.referrer for referral, _ in ours}
        referrers = (referrer_of(self._ledger, name) for name in found)
        return {referrer.id: referrer.email for referrer in referrers if referrer and referrer.email}

    def _keep(
        self, holding: Holding, ours: Iterable[tuple[KeptReferral, frozenset[Ref]]], nodes: set[Ref] | frozenset[Ref]
    ) -> None:
        known = {referral.id: referral for referral, _ in ours}.get(holding.id)
        keep_referral(
            self._ledger,
            self._run,
            KeptReferral(
                id=holding.id,
                code=holding.code.key,
                program=holding.code.program,
                referrer=holding.code.referrer,
                submitted=known.submitted if known else False,
                origin=known.origin if known else holding.origin,
                email=known.email if known else None,
                claimed_at=holding.claimed_at,
                why=holding.why,
                void=holding.void,
                void_reason=holding.void_reason,
            ),
            nodes,
        )

    # -- credit: who gets which share of a deal

    def _credit(self, refs: list[Ref]) -> None:
        ledger = self._ledger
        originals = originals_of(ledger, refs)
        around: dict[Ref, set[Ref]] = {deal: {deal} for deal in originals}
        for deal, person in persons_of(ledger, originals):
            around[deal].add(person)
        records = {record.ref: record for record in records_of(ledger, originals)}
        before = credits_of(ledger, originals)
        holding = referrals_holding(ledger, set().union(*around.values()))
        for original, deals in sorted(_groups(originals).items()):
            held = {r.id: r for deal in deals for ref in around[deal] for r in holding.get(ref, [])}
            self._credit_deal(records.get(original), list(held.values()), before.get(original, []))
            enqueue(ledger, Topic.PLAN, deals)
        for deal in sorted(before.keys() - set(originals.values())):
            self._replace_credits(deal, before[deal], [])

    def _credit_deal(self, deal: Record | None, referrals: Sequence[KeptReferral], before: list[Credit]) -> None:
        if deal is None:
            return
        active = [referral for referral in referrals if referral.void is None and not deal.deleted]
        eligible = [referral for referral in active if not too_late(deal, referral)]
        split = shares([Touch(referral.id, referral.claimed_at) for referral in eligible], self._policy.model)
        credits = [
            Credit(deal.ref, referral.id, split[referral.id], role_of(deal, referral), self._policy.model.value)
            for referral in sorted(eligible, key=lambda r: (r.claimed_at, r.id))
            if split.get(referral.id)
        ]
        self._replace_credits(deal.ref, before, credits)
        self._ask_about_deal(deal, active, eligible)
        enqueue_ids(self._ledger, Topic.STATUS, [referral.id for referral in referrals])
        enqueue_ids(self._ledger, Topic.TOTAL, {referral.referrer for referral in referrals})

    def _replace_credits(self, deal: Ref, before: list[Credit], credits: list[Credit]) -> None:
        if credits != before:
            keep_credits(self._ledger, self._run, deal, self._policy.model.value, credits)
        lost = {credit.referral for credit in before}
        enqueue_ids(self._ledger, Topic.STATUS, lost)
        enqueue_ids(self._ledger, Topic.TOTAL, {r.referrer for r in referrals_named(self._ledger, lost)})

    def _ask_about_deal(self, deal: Record, active: Sequence[KeptReferral], eligible: Sequence[KeptReferral]) -> None:
        asked = [
            Question(deal.ref, TOO_LATE, "closed_at", deal.closed_at.date().isoformat(), (referral.id,))
            for referral in active
            if referral not in eligible and deal.closed_at
        ]
        if active and deal.outcome is None and not deal.deleted:
            asked.append(Question(deal.ref, UNKNOWN_STAGE, "stage", deal.stage or ""))
        keep_questions(self._ledger, self._run, [deal.ref], asked, (TOO_LATE, UNKNOWN_STAGE))

    # -- status: where a referral stands

    def _status(self, ids: list[str]) -> None:
        for referral in referrals_named(self._ledger, ids):
            members = members_of(self._ledger, referral.id)
            before = status_of(self._ledger, referral.id)
            after = self._standing(referral, members, before)
            if after != before:
                keep_status(self._ledger, self._run, after)
                enqueue(self._ledger, Topic.PLAN, members)
                enqueue_ids(self._ledger, Topic.TOTAL, [referral.referrer])

    def _standing(self, referral: KeptReferral, members: frozenset[Ref], before: KeptStatus | None) -> KeptStatus:
        if referral.void is not None:
            label = before.label if before else ""
            at = referral.claimed_at.replace(microsecond=0)
            return KeptStatus(referral.id, referral.void, at, referral.void_reason, label)
        deals = self._deals_of_buyer(members)
        persons = [record for record in records_of(self._ledger, members) if record.ref.kind is not Kind.DEAL]
        verdict = standing(
            referral.claimed_at,
            [
                DealFacts(deal.outcome, deal.created_at, deal.closed_at, deal.title or "")
                for deal in deals
                if not too_late(deal, referral)
            ],
            [PersonFacts(person.stage, person.title or "") for person in persons if not person.deleted],
            self._policy.words,
            before=before.status if before else None,
        )
        return KeptStatus(referral.id, verdict.status, verdict.at.replace(microsecond=0), verdict.reason, verdict.label)

    def _deals_of_buyer(self, members: frozenset[Ref]) -> list[Record]:
        """The buyer's deals, each once: a mirrored deal is its original."""
        there = present(self._ledger, members)
        deals = {deal for _, deal in deals_of(self._ledger, there)}.union(_deals(there))
        originals = set(originals_of(self._ledger, deals).values())
        return [deal for deal in records_of(self._ledger, originals) if not deal.deleted]

    # -- total: whose own contact must tell the news

    def _total(self, ids: list[str]) -> None:
        for name in ids:
            referrer = referrer_of(self._ledger, name)
            if referrer and referrer.email:
                contacts = [ref for ref in holders_of(self._ledger, referrer.email) if ref.kind is Kind.CONTACT]
                enqueue(self._ledger, Topic.PLAN, contacts)


def _deals(refs: Iterable[Ref]) -> list[Ref]:
    return [ref for ref in refs if ref.kind is Kind.DEAL]


def _groups(originals: Mapping[Ref, Ref]) -> dict[Ref, set[Ref]]:
    """Original -> all records that are this deal."""
    groups: dict[Ref, set[Ref]] = {}
    for deal, original in originals.items():
        groups.setdefault(original, set()).add(deal)
    return groups


def too_late(deal: Record, referral: KeptReferral) -> bool:
    """Whether a deal had ended before the referral was made: nothing that was over can have been referred.

    By days: Salesforce knows the day on which a deal closed, not the time.
    """
    return deal.closed_at is not None and deal.closed_at.date() < referral.claimed_at.date()


def role_of(deal: Record, referral: KeptReferral) -> Role:
    """A referral that came with or before the deal sourced it; a later one influenced it."""
    return Role.SOURCED if referral.claimed_at.date() <= deal.created_at.date() else Role.INFLUENCED


def _known(referral: KeptReferral) -> KnownReferral:
    return KnownReferral(referral.id, referral.code, referral.claimed_at, referral.submitted, referral.origin)
