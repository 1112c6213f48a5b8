"""The claim stage: which referrals the buyers of a chunk hold. What many buyers need is read at once."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache

from refloop.ledger.codes import referrer_of
from refloop.ledger.decisions import (
    KeptReferral,
    current_matches,
    ever_matched,
    keep_members,
    keep_referral,
    members_of,
    referrals_around,
    referrals_named,
)
from refloop.ledger.identity import buyers, canonical_deals, deals_of, first_holder, persons_of
from refloop.ledger.queue import Topic, enqueue, enqueue_ids
from refloop.ledger.records import records_of
from refloop.ledger.store import Ledger
from refloop.mapping.claims import Buyer, Evidence, Holding, KnownReferral, hold, referral_id
from refloop.mapping.codes import CodeBook
from refloop.mapping.people import is_shared_mailbox
from refloop.model import Kind, Match, Record, Ref, Referrer
from refloop.sync.policy import Policy


class Claimer:
    """Decides, for one run, what buyers hold."""

    def __init__(self, ledger: Ledger, run: int, policy: Policy, book: Callable[[], CodeBook]) -> None:
        self._ledger = ledger
        self._run = run
        self._id_field = policy.names("id")
        self._book = book
        self._referrer: Callable[[str], Referrer | None] = cache(lambda name: referrer_of(ledger, name))

    def claim(self, refs: Collection[Ref]) -> None:
        """Decides anew for every buyer that one of the records belongs to, and queues what that concerns.

        To be called inside a transaction.
        """
        groups = self._groups(refs)
        around = _Surroundings.of(self._ledger, groups)
        caused = _Caused()
        for nodes in groups:
            self._claim_of(nodes, around, caused)
        concerned = {deal for _, deal in deals_of(self._ledger, caused.members)}.union(deals_among(caused.members))
        enqueue(self._ledger, Topic.CREDIT, concerned)
        enqueue(self._ledger, Topic.PLAN, caused.members)
        enqueue(self._ledger, Topic.CLAIM, caused.anew)
        enqueue_ids(self._ledger, Topic.STATUS, caused.referrals)

    def _groups(self, refs: Collection[Ref]) -> list[frozenset[Ref]]:
        """The records of each buyer: the person's, and the deals whose own code speaks for that person.

        A deal nobody stands on is a buyer by itself.
        """
        ledger = self._ledger
        originals = canonical_deals(ledger, deals_among(refs))
        standing_on = persons_of(ledger, originals)
        seeds = {ref for ref in refs if ref.kind is not Kind.DEAL} | {person for _, person in standing_on}
        persons = buyers(ledger, seeds, is_shared_mailbox)
        spoken = self._deals_spoken_for(set().union(*persons))
        groups = [group.union(*(spoken.get(person, ()) for person in group)) for group in persons]
        attended = {originals[deal] for deal, _ in standing_on}
        alone = [deals for original, deals in sorted(grouped(originals).items()) if original not in attended]
        carrying = carrying_among(ledger, set().union(*alone))
        return groups + [frozenset(deals & carrying) for deals in alone]

    def _deals_spoken_for(self, persons: set[Ref]) -> dict[Ref, set[Ref]]:
        """Person -> the deals whose own code speaks for them: the one who came first among a deal's people."""
        ledger = self._ledger
        originals = canonical_deals(ledger, {deal for _, deal in deals_of(ledger, persons)})
        carrying = carrying_among(ledger, originals)
        spoken = {originals[deal] for deal in carrying}
        people: dict[Ref, set[Ref]] = {}
        for deal, person in persons_of(ledger, [deal for deal in originals if originals[deal] in spoken]):
            people.setdefault(originals[deal], set()).add(person)
        created = {record.ref: record.created_at for record in records_of(ledger, set().union(*people.values()))}
        found: dict[Ref, set[Ref]] = {}
        for deal in carrying:
            if group := people.get(originals[deal]):
                first = min(group, key=lambda ref: (created[ref], ref))
                found.setdefault(first, set()).add(deal)
        return found

    def _claim_of(self, nodes: frozenset[Ref], around: _Surroundings, caused: _Caused) -> None:
        matches = {ref: match for ref in nodes if (match := around.matches.get(ref))}
        known = around.referrals_of(nodes)
        if not matches and not known:
            return
        records = [record for ref in sorted(nodes) if (record := around.records.get(ref))]
        ours, foreign = self._sort_known(known, around, nodes)
        holdings = hold(
            Buyer(
                evidence=[self._evidence(record, matches[record.ref]) for record in records if record.ref in matches],
                known=[_known(referral) for referral in ours.values()],
                emails={record.email for record in records if record.email},
            ),
            self._book().get,
            self._referrer_emails(matches.values(), ours.values()),
            taken=self._taken(records, matches),
        )
        members = nodes.union(*(around.members[name] for name in ours))
        for holding in holdings:
            self._keep(holding, ours.get(holding.id), nodes)
            around.members[holding.id] = nodes
        caused.referrals.update(holding.id for holding in holdings)
        caused.members |= members
        # a buyer that was one and is two: the other half decides anew for itself
        caused.anew |= members - nodes
        for referral in foreign:
            self._release(referral, nodes, around, caused)

    def _release(self, referral: KeptReferral, nodes: frozenset[Ref], around: _Surroundings, caused: _Caused) -> None:
        """Lets go of records that turned out to be another buyer's; whose referral it is decides anew."""
        rest = around.members[referral.id] - nodes
        keep_members(self._ledger, referral.id, rest)
        around.members[referral.id] = rest
        home = self._home(referral)
        caused.anew |= {home} if home else set()
        caused.referrals.add(referral.id)

    def _home(self, referral: KeptReferral) -> Ref | None:
        """The record whose buyer a referral belongs to; None while nobody was seen of that e-mail."""
        return referral.origin or first_holder(self._ledger, referral.email or "")

    def _sort_known(
        self, known: Iterable[KeptReferral], around: _Surroundings, nodes: frozenset[Ref]
    ) -> tuple[dict[str, KeptReferral], list[KeptReferral]]:
        """Those that are this buyer's, by id; and those that only used to share a record with it."""
        ours, foreign = {}, []
        for referral in known:
            if self._home(referral) in nodes:
                ours[referral.id] = referral
            elif around.members[referral.id] & nodes:
                foreign.append(referral)
        return ours, foreign

    def _evidence(self, record: Record, match: Match) -> Evidence:
        given = record.found.get(self._id_field)
        return Evidence(record.ref, match.code, record.created_at, match.rule, match.field, given)

    def _taken(self, records: Iterable[Record], matches: Mapping[Ref, Match]) -> set[str]:
        """The ids on these records that the ledger knows: of another code, or of another buyer (a cloned record)."""
        given = {record.found.get(self._id_field, "") for record in records} - {""}
        own = {referral_id(ref, match.code) for ref, match in matches.items()}
        return {referral.id for referral in referrals_named(self._ledger, given | own)}

    def _referrer_emails(self, matches: Iterable[Match], ours: Iterable[KeptReferral]) -> dict[str, str]:
        found = {code.referrer for code in (self._book().get(match.code) for match in matches) if code}
        found |= {referral.referrer for referral in ours}
        referrers = map(self._referrer, found)
        return {referrer.id: referrer.email for referrer in referrers if referrer and referrer.email}

    def _keep(self, holding: Holding, known: KeptReferral | None, nodes: frozenset[Ref]) -> None:
        kept = KeptReferral(
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
        )
        keep_referral(self._ledger, self._run, kept, nodes)


@dataclass(frozen=True)
class _Surroundings:
    """What the ledger knows about the records of a chunk's buyers. `members` is kept up with what is decided: a record
    that one buyer let go of is not around the next."""

    records: Mapping[Ref, Record]
    matches: Mapping[Ref, Match]
    referrals: Mapping[Ref, Sequence[KeptReferral]]
    members: dict[str, frozenset[Ref]]

    @staticmethod
    def of(ledger: Ledger, groups: Iterable[frozenset[Ref]]) -> _Surroundings:
        nodes: frozenset[Ref] = frozenset().union(*groups)
        records = {record.ref: record for record in records_of(ledger, nodes)}
        referrals = referrals_around(ledger, nodes)
        named = {referral.id for around in referrals.values() for referral in around}
        members = {name: members_of(ledger, name) for name in named}
        return _Surroundings(records, current_matches(ledger, nodes), referrals, members)

    def referrals_of(self, nodes: frozenset[Ref]) -> list[KeptReferral]:
        """Each once, in the order of their ids."""
        found = {referral.id: referral for ref in nodes for referral in self.referrals.get(ref, ())}
        return [found[name] for name in sorted(found)]


@dataclass
class _Caused:
    """What the decisions of a chunk leave to be looked at."""

    members: set[Ref] = field(default_factory=set)
    anew: set[Ref] = field(default_factory=set)
    referrals: set[str] = field(default_factory=set)


def carrying_among(ledger: Ledger, refs: Iterable[Ref]) -> set[Ref]:
    """Those of the records that carry a code, or ever did."""
    refs = frozenset(refs)
    return set(current_matches(ledger, refs)) | ever_matched(ledger, refs) if refs else set()


def deals_among(refs: Iterable[Ref]) -> list[Ref]:
    return [ref for ref in refs if ref.kind is Kind.DEAL]


def grouped(originals: Mapping[Ref, Ref]) -> dict[Ref, set[Ref]]:
    """Original -> all records that are this deal."""
    groups: dict[Ref, set[Ref]] = {}
    for deal, original in originals.items():
        groups.setdefault(original, set()).add(deal)
    return groups


def _known(referral: KeptReferral) -> KnownReferral:
    return KnownReferral(referral.id, referral.code, referral.claimed_at, referral.submitted, referral.origin)
