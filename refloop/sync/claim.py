"""The claim stage: which referrals the buyers of a chunk hold. What many buyers need is read at once."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import tzinfo
from functools import cache

from refloop.ledger.arrivals import arrivals_of, late_around
from refloop.ledger.codes import referrer_of
from refloop.ledger.companies import deals_around
from refloop.ledger.decisions import (
    carrying_among,
    current_matches,
    keep_members,
    keep_referral,
    members_of,
    referrals_around,
    referrals_named,
)
from refloop.ledger.identity import buyers, canonical_deals, deals_of, first_holder, persons_of
from refloop.ledger.queue import Topic
from refloop.ledger.records import records_of
from refloop.ledger.reviews import keep_review_items
from refloop.ledger.store import Ledger
from refloop.mapping.arrivals import unseen_arrival
from refloop.mapping.claims import (
    CLAIM_REASONS,
    Buyer,
    Evidence,
    Left,
    became_of_code,
    referral_id,
    resolve_claims,
    review_claims,
)
from refloop.mapping.identity import first_person
from refloop.mapping.people import is_shared_mailbox
from refloop.mapping.policy import Part
from refloop.model import Arrival, Kind, Match, Record, Ref, Referral, Referrer, ReviewItem
from refloop.sync.context import RunContext
from refloop.sync.stage import Caused, deals_among


def claim(context: RunContext, refs: Collection[Ref]) -> Caused:
    """Decides anew for every buyer that one of the records belongs to, and says what that concerns."""
    claimer, caused = _Claimer(context), _Concerned()
    groups = claimer.groups(refs)
    around = _Surroundings.of(context.ledger, groups)
    for nodes in groups:
        claimer.claim_of(nodes, around, caused)
    nodes = frozenset().union(*groups)
    keep_review_items(context.ledger, context.provenance(Part.CLAIM), nodes, caused.items, CLAIM_REASONS)
    return caused.work(context.ledger)


class _Claimer:
    """Decides what the buyers of a chunk hold."""

    def __init__(self, context: RunContext) -> None:
        self._context = context
        self._ledger = context.ledger
        self._by = context.provenance(Part.CLAIM)
        self._rules = context.policy.claim
        self._roles = context.policy.deals.roles
        self._id_field = context.policy.names("id")
        self._code_field = context.policy.names("code")
        self._referrer: Callable[[str], Referrer | None] = cache(lambda name: referrer_of(context.ledger, name))

    def groups(self, refs: Collection[Ref]) -> list[frozenset[Ref]]:
        """The records of each buyer: the person's, and the deals whose own code speaks for that person.

        A deal nobody stands on is a buyer by itself.
        """
        ledger = self._ledger
        originals = canonical_deals(ledger, deals_among(refs))
        standing_on = persons_of(ledger, originals, self._roles)
        seeds = {ref for ref in refs if ref.kind is not Kind.DEAL} | {person for _, person in standing_on}
        persons = buyers(ledger, seeds, is_shared_mailbox, self._rules.most_records_of_one_person)
        spoken = self._deals_spoken_for(set().union(*persons))
        groups = [group.union(*(spoken.get(person, ()) for person in group)) for group in persons]
        attended = {originals[deal] for deal, _ in standing_on}
        alone = [deals for original, deals in sorted(_grouped(originals).items()) if original not in attended]
        carrying = carrying_among(ledger, set().union(*alone))
        return groups + [frozenset(deals & carrying) for deals in alone]

    def _deals_spoken_for(self, persons: set[Ref]) -> dict[Ref, set[Ref]]:
        """Person -> the deals whose own code speaks for them."""
        ledger = self._ledger
        originals = canonical_deals(ledger, {deal for _, deal in deals_of(ledger, persons, self._roles)})
        carrying = carrying_among(ledger, originals)
        spoken = {originals[deal] for deal in carrying}
        spoken_for = [deal for deal in originals if originals[deal] in spoken]
        people: dict[Ref, set[Ref]] = {}
        for deal, person in persons_of(ledger, spoken_for, self._roles):
            people.setdefault(originals[deal], set()).add(person)
        records = {record.ref: record for record in records_of(ledger, set().union(*people.values()))}
        found: dict[Ref, set[Ref]] = {}
        for deal in carrying:
            if group := people.get(originals[deal]):
                found.setdefault(first_person(records[ref] for ref in group), set()).add(deal)
        return found

    def claim_of(self, nodes: frozenset[Ref], around: _Surroundings, concerned: _Concerned) -> None:
        """Decides for one buyer, whose records are `nodes`."""
        matches = {ref: match for ref in nodes if (match := around.matches.get(ref))}
        known = around.referrals_of(nodes)
        if not matches and not known:
            return
        records = [record for ref in sorted(nodes) if (record := around.records.get(ref))]
        ours, foreign = self._sort_known(known, around, nodes)
        evidence = [self._evidence(record, matches[record.ref], around) for record in records if record.ref in matches]
        at_once = {item.ref for item in evidence if self._is_mass_edit(item.arrival)}
        referrals = resolve_claims(
            Buyer(
                evidence=[item for item in evidence if item.ref not in at_once],
                mass_edited={item.code for item in evidence if item.ref in at_once},
                known=list(ours.values()),
                emails={email for record in records for email in record.addresses},
                zone=self._zone(records, ours.values()),
                left=self._left(records, {referral.code for referral in ours.values()}, around),
            ),
            self._context.book.get,
            self._referrer_emails(matches.values(), ours.values()),
            taken=self._taken(records, matches),
        )
        members = nodes.union(*(around.members[name] for name in ours))
        for referral in referrals:
            keep_referral(self._ledger, self._by, referral)
            keep_members(self._ledger, self._by, referral.id, nodes)
            around.members[referral.id] = nodes
        concerned.items += review_claims(referrals, evidence, nodes)
        concerned.referrals.update(referral.id for referral in referrals)
        concerned.members |= members
        # a buyer that was one and is two: the other half decides anew for itself
        concerned.anew |= members - nodes
        for referral in foreign:
            self._release(referral, nodes, around, concerned)

    def _release(self, referral: Referral, nodes: frozenset[Ref], around: _Surroundings, concerned: _Concerned) -> None:
        """Lets go of records that turned out to be another buyer's; whose referral it is decides anew."""
        rest = around.members[referral.id] - nodes
        keep_members(self._ledger, self._by, referral.id, rest)
        around.members[referral.id] = rest
        home = self._home(referral)
        concerned.anew |= {home} if home else set()
        concerned.referrals.add(referral.id)

    def _home(self, referral: Referral) -> Ref | None:
        """The record whose buyer a referral belongs to; None while nobody was seen of that e-mail."""
        return referral.origin or first_holder(self._ledger, referral.email or "")

    def _sort_known(
        self, known: Iterable[Referral], around: _Surroundings, nodes: frozenset[Ref]
    ) -> tuple[dict[str, Referral], list[Referral]]:
        """Those that are this buyer's, by id; and those that only used to share a record with it."""
        ours, foreign = {}, []
        for referral in known:
            if self._home(referral) in nodes:
                ours[referral.id] = referral
            elif around.members[referral.id] & nodes:
                foreign.append(referral)
        return ours, foreign

    def _evidence(self, record: Record, match: Match, around: _Surroundings) -> Evidence:
        arrival = around.arrivals.get(record.ref, {}).get(match.code) or unseen_arrival(record, match)
        typed = match.field == self._code_field
        return Evidence(record.ref, arrival, record.found.get(self._id_field), typed)

    def _left(self, records: Iterable[Record], codes: Collection[str], around: _Surroundings) -> dict[str, Left]:
        """What became of the codes of known referrals that came to one of the records and are not its match."""
        found: dict[str, Left] = {}
        for record in records:
            match = around.matches.get(record.ref)
            for code, arrival in around.arrivals.get(record.ref, {}).items():
                if code in codes and (match is None or match.code != code):
                    found[code] = became_of_code(arrival, match, record, self._code_field)
        return found

    def _is_mass_edit(self, arrival: Arrival) -> bool:
        """Whether a code came with many others at once: that is one question, not a referral."""
        most = self._context.policy.match.mass_edit
        return arrival.is_late and len(late_around(self._ledger, arrival.code, arrival.by, most)) >= most

    def _zone(self, records: Sequence[Record], ours: Iterable[Referral]) -> tzinfo:
        """The zone of the account in which the buyer was first seen."""
        began = [referral.origin.connection for referral in ours if referral.origin]
        seen = [record.ref.connection for record in sorted(records, key=lambda r: (r.created_at, r.ref))]
        return self._context.zone((began or seen or [""])[0])

    def _taken(self, records: Iterable[Record], matches: Mapping[Ref, Match]) -> set[str]:
        """The ids on these records that the ledger knows: of another code, or of another buyer (a cloned record)."""
        given = {record.found.get(self._id_field, "") for record in records} - {""}
        own = {referral_id(ref, match.code) for ref, match in matches.items()}
        return {referral.id for referral in referrals_named(self._ledger, given | own)}

    def _referrer_emails(self, matches: Iterable[Match], ours: Iterable[Referral]) -> dict[str, str]:
        found = {code.referrer for code in (self._context.book.get(match.code) for match in matches) if code}
        found |= {referral.referrer for referral in ours}
        referrers = map(self._referrer, found)
        return {referrer.id: referrer.email for referrer in referrers if referrer and referrer.email}


@dataclass(frozen=True)
class _Surroundings:
    """What the ledger knows about the records of a chunk's buyers. `members` is kept up with what is decided: a record
    that one buyer let go of is not around the next."""

    records: Mapping[Ref, Record]
    matches: Mapping[Ref, Match]
    referrals: Mapping[Ref, Sequence[Referral]]
    members: dict[str, frozenset[Ref]]
    arrivals: Mapping[Ref, Mapping[str, Arrival]]

    @staticmethod
    def of(ledger: Ledger, groups: Iterable[frozenset[Ref]]) -> _Surroundings:
        nodes: frozenset[Ref] = frozenset().union(*groups)
        records = {record.ref: record for record in records_of(ledger, nodes)}
        referrals = referrals_around(ledger, nodes)
        named = {referral.id for around in referrals.values() for referral in around}
        members = {name: members_of(ledger, name) for name in named}
        return _Surroundings(records, current_matches(ledger, nodes), referrals, members, arrivals_of(ledger, nodes))

    def referrals_of(self, nodes: frozenset[Ref]) -> list[Referral]:
        """Each once, in the order of their ids."""
        found = {referral.id: referral for ref in nodes for referral in self.referrals.get(ref, ())}
        return [found[name] for name in sorted(found)]


@dataclass
class _Concerned:
    """What the decisions of a chunk concern: the records that are or were held, those whose buyer decides anew, the
    referrals, and what a person should look at."""

    members: set[Ref] = field(default_factory=set)
    anew: set[Ref] = field(default_factory=set)
    referrals: set[str] = field(default_factory=set)
    items: list[ReviewItem] = field(default_factory=list)

    def work(self, ledger: Ledger) -> Caused:
        caused = Caused()
        caused.look_at(Topic.CREDIT, deals_around(ledger, self.members, self.referrals))
        caused.look_at(Topic.CREDIT, deals_among(self.members))
        caused.look_at(Topic.PLAN, self.members)
        caused.look_at(Topic.CLAIM, self.anew)
        caused.look_at_ids(Topic.STATUS, self.referrals)
        return caused


def _grouped(originals: Mapping[Ref, Ref]) -> dict[Ref, set[Ref]]:
    """Original -> all records that are this deal."""
    groups: dict[Ref, set[Ref]] = {}
    for deal, original in originals.items():
        groups.setdefault(original, set()).add(deal)
    return groups
