"""Which referrals a buyer holds: the first valid claim of each program wins. Pure."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta, tzinfo
from enum import StrEnum

from refloop.mapping.codes import code_key, outside_validity
from refloop.mapping.days import day_begins, day_in
from refloop.mapping.people import email_alias_key
from refloop.mapping.reasons import OWN_CODE, Reader, Told, day, how_sentence
from refloop.model import (
    Arrival,
    Code,
    How,
    Kind,
    Match,
    Presence,
    Record,
    Ref,
    Referral,
    ReviewItem,
    ReviewReason,
    Rule,
    Status,
)

_REFERRAL_ID = re.compile(r"rf_[0-9a-f]{16}")

CodeOf = Callable[[str], Code | None]
"""Gives an issued code by its key."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """A record of the buyer's that carries a code, and when that came to it. `given_id` is the referral id that stands
    on it, if any; `typed` says that a person put the code into our own field."""

    ref: Ref
    arrival: Arrival
    given_id: str | None = None
    typed: bool = False

    @property
    def code(self) -> str:
        return self.arrival.code


class Left(StrEnum):
    """What became of a code that stood on a record of the buyer's, in the words that people read."""

    EMPTIED = "a person took the code off the record"
    REPLACED = "a person typed another code in its place"
    BESIDE = "another code on the record came first"
    UNREADABLE = "the code on the record is not read as one any more"


def became_of_code(arrival: Arrival, match: Match | None, record: Record, typed: str) -> Left:
    """What became of a code that came to a record whose match is now another one, or None. `typed` is the name of our
    own code field."""
    is_gone = arrival.presence is Presence.GONE
    if is_gone and code_key(record.found.get(typed, "")) not in ("", arrival.code):
        return Left.REPLACED
    if match is not None:
        return Left.BESIDE
    stands = arrival.match.evidence and arrival.match.evidence in record.texts.get(arrival.match.field, "")
    return Left.EMPTIED if is_gone and not stands else Left.UNREADABLE


PUT_ON_MANY = "the code was put on many records at once"
ANOTHERS = "the record that carried the code is not this buyer's any more"
NOBODYS_DOING = frozenset({Left.UNREADABLE, Left.BESIDE, PUT_ON_MANY, ANOTHERS})
"""Why a referral is withdrawn that would never have been one had it been read as it is read now: of that the record
says nothing."""


@dataclass(frozen=True, slots=True)
class Buyer:
    """The person behind one or more records, as far as claims need it. `known` are the referrals that the ledger
    already holds for them; days are told in `zone`. `mass_edited` are codes that came to one of the records with many
    others at once, which is no evidence. `left` says what became of codes that came to one of the records and are no
    evidence any more."""

    evidence: Sequence[Evidence]
    known: Sequence[Referral]
    emails: Collection[str]
    zone: tzinfo = UTC
    mass_edited: Collection[str] = ()
    left: Mapping[str, Left] = field(default_factory=dict)


def referral_id(origin: Ref, code: str) -> str:
    """The name of a referral that was first seen on a record: always the same for the same two."""
    digest = hashlib.blake2b(f"{origin}\0{code}".encode(), digest_size=8)
    return f"rf_{digest.hexdigest()}"


def claim_id(email: str, code: str) -> str:
    """The name of a referral that a person submitted."""
    digest = hashlib.blake2b(f"claim\0{email}\0{code}".encode(), digest_size=8)
    return f"rf_{digest.hexdigest()}"


def is_referral_id(text: str) -> bool:
    """Whether a text has the form of a referral id."""
    return _REFERRAL_ID.fullmatch(text) is not None


def resolve_claims(
    buyer: Buyer, code_of: CodeOf, referrer_emails: Mapping[str, str], *, taken: Collection[str] = ()
) -> list[Referral]:
    """Decides the buyer's referrals: one active a program, the earliest; the others void, with the reason.

    `referrer_emails` are the e-mail keys by referrer. `taken` are the ids of referrals that the ledger holds: a new
    referral never takes one of them over from a record. Known referrals of codes that are not issued are left out.
    """
    referrals: list[Referral] = []
    for key in sorted({item.code for item in buyer.evidence} | {known.code for known in buyer.known}):
        code = code_of(key)
        if code is not None:
            referrals += _referrals_by(code, buyer, {*taken, *(referral.id for referral in referrals)})
    vouched = {item.code for item in buyer.evidence if item.typed}
    return apply_program_rules(referrals, buyer.emails, code_of, referrer_emails, vouched)


def submitted(email: str, code: Code, on: date, zone: tzinfo = UTC) -> Referral:
    """The referral that a person submits: the buyer with this e-mail key came through this code, on this day there."""
    starts, ends = day_begins(zone, on), day_begins(zone, on + timedelta(days=1)) - timedelta(microseconds=1)
    claim = Referral(
        claim_id(email, code.key), code.key, code.program, code.referrer, starts, submitted=True, email=email
    )
    return _submitted(replace(claim, since=starts, by=ends), code, zone)


SAME_PERSON = "the buyer's address is another spelling of the referrer's"
"""Why a referral is held until a person has looked at it."""


def apply_program_rules(
    referrals: Iterable[Referral],
    emails: Collection[str],
    code_of: CodeOf,
    referrer_emails: Mapping[str, str],
    vouched: Collection[str] = (),
) -> list[Referral]:
    """The referrals of one buyer, who has these e-mail keys, as they count: nobody refers themselves, and of each
    program the earliest claim wins. Those that are void already stay so, and beat nobody. Earliest first.

    A winner that another referrer's code may have come before has it as its `rival`. Where one of the addresses is only
    another spelling of the referrer's (`email_alias_key`), the referral is held, unless a person typed its code: those
    codes are `vouched` for.
    """
    winners: dict[str, Referral] = {}
    rivals: dict[str, str] = {}
    aliases = {email_alias_key(email) for email in emails}
    judged = []
    for referral in sorted(referrals, key=lambda r: (r.claimed_at, r.code, r.id)):
        verdict, address = referral, referrer_emails.get(referral.referrer)
        if referral.void is None and address in emails:
            verdict = _void(referral, Status.DISQUALIFIED, OWN_CODE)
        elif referral.void is None and address and email_alias_key(address) in aliases and referral.code not in vouched:
            verdict = _void(referral, Status.ON_HOLD, SAME_PERSON)
        elif referral.void is None and referral.program in winners:
            winner = winners[referral.program]
            code = code_of(winner.code)
            verdict = _void(referral, Status.DUPLICATE, f"code {code.code if code else winner.code} came first")
            if referral.referrer != winner.referrer and not _certainly_first(winner, referral):
                rivals.setdefault(winner.id, referral.code)
        elif referral.void is None:
            winners[referral.program] = referral
        judged.append(verdict)
    return [replace(referral, rival=rivals.get(referral.id, "")) for referral in judged]


def _certainly_first(winner: Referral, other: Referral) -> bool:
    return winner.latest <= other.earliest and not other.latest <= winner.earliest


CLAIM_REASONS = frozenset({ReviewReason.SELF_REFERRAL})
"""Why `review_claims` asks for a person."""


def review_claims(
    referrals: Iterable[Referral], evidence: Sequence[Evidence], nodes: Collection[Ref]
) -> list[ReviewItem]:
    """What a person should look at before a buyer's referrals count: on the record that carries the code, or on the
    buyer's first one."""
    items = []
    for referral in referrals:
        if referral.void is Status.ON_HOLD:
            carrying = [item for item in evidence if item.code == referral.code]
            ref = min((item.ref for item in carrying), default=min(nodes))
            field = next((item.arrival.match.field for item in carrying if item.ref == ref), "email")
            items.append(ReviewItem(ref, ReviewReason.SELF_REFERRAL, field, referral.code, (referral.id,)))
    return items


def _referrals_by(code: Code, buyer: Buyer, taken: Collection[str]) -> list[Referral]:
    """The referral by this code; and those that turned out to be the same one, as duplicates.

    A submitted referral keeps its own day: the records' referral stands beside it, and the earlier one counts.
    """
    evidence = sorted((item for item in buyer.evidence if item.code == code.key), key=_by_certainty)
    known = sorted((item for item in buyer.known if item.code == code.key), key=lambda k: (k.claimed_at, k.id))
    claims = [_submitted(item, code, buyer.zone) for item in known if item.submitted]
    before = "the same buyer came with the same code before"
    # the one that goes on stays the same: what counts as its day may come after that of those that became one with it
    seen = sorted((item for item in known if not item.submitted), key=lambda k: k.void_reason == before)
    if evidence:
        claims.append(_found(code, evidence, seen, taken, buyer))
        rest = [_beside(item, code, Status.DUPLICATE, before) for item in seen[1:]]
    else:
        rest = [_beside(item, code, Status.WITHDRAWN, _gone(item, code, buyer)) for item in seen]
    names = {item.id for item in known}
    for rank, referral in enumerate(sorted(claims, key=lambda r: (r.claimed_at, r.id))):
        if rank == 0:
            rest.append(referral)
        elif referral.id in names:
            rest.append(_void(referral, Status.DUPLICATE, before))
    return rest


def _gone(known: Referral, code: Code, buyer: Buyer) -> str:
    """Why no record of the buyer's speaks for a code any more that one once did."""
    if code.key in buyer.mass_edited:
        return PUT_ON_MANY
    left = buyer.left.get(code.key)
    if left in (Left.EMPTIED, Left.REPLACED):
        return left
    outside = outside_validity(code, day_in(buyer.zone, known.claimed_at))
    if outside is ReviewReason.EXPIRED and code.valid_to:
        return f"the code was valid until {day(code.valid_to)} only, which was before it came"
    if outside is ReviewReason.NOT_YET_VALID and code.valid_from:
        return f"the code is valid from {day(code.valid_from)} only, and came before"
    return left or ANOTHERS


def _by_certainty(item: Evidence) -> tuple[datetime, bool, float, Ref]:
    """The record first to which the code came for certain. What a conversion carries comes to the new record at the
    last moment at which it may have come to the lead: the lead speaks. What it carries to an older record is told of
    that record's whole life: of those that may have had it longer, the one that knows more closely speaks."""
    arrival = item.arrival
    return arrival.by, arrival.since == arrival.by, -arrival.since.timestamp(), item.ref


def _submitted(claim: Referral, code: Code, zone: tzinfo = UTC) -> Referral:
    how = How(Rule.CLAIM)
    why = how_sentence(Told(code.code, code.referrer, how, claim.claimed_at), Reader("", Kind.CONTACT, zone=zone))
    return replace(_counting(claim, code, claim.claimed_at, why), how=how)


def _found(
    code: Code, evidence: Sequence[Evidence], seen: Sequence[Referral], taken: Collection[str], buyer: Buyer
) -> Referral:
    """The referral that the records tell of, under the name that it has if it has one."""
    ref, first = evidence[0].ref, evidence[0].arrival
    how = How(first.match.rule, ref.connection, ref.kind, first.match.field)
    reader = Reader(ref.connection, ref.kind, zone=buyer.zone, typed=first.match.field if evidence[0].typed else "")
    why = how_sentence(Told(code.code, code.referrer, how, first.at), reader)
    found = (
        _counting(seen[0], code, first.at, why)
        if seen
        else Referral(_new_id(evidence, taken), code.key, code.program, code.referrer, first.at, why)
    )
    found = replace(found, how=how)
    since, by = min(item.arrival.since for item in evidence), first.by
    return replace(
        found,
        origin=found.origin or evidence[0].ref,
        since=since if since != found.claimed_at else None,
        by=by if by != found.claimed_at else None,
    )


def _counting(known: Referral, code: Code, at: datetime, why: str) -> Referral:
    """A known referral as it counts, before it is compared with the buyer's others."""
    return replace(
        known,
        program=code.program,
        referrer=code.referrer,
        claimed_at=at,
        why=why,
        void=None,
        void_reason="",
        rival="",
    )


def _beside(known: Referral, code: Code, status: Status, reason: str) -> Referral:
    return _void(_counting(known, code, known.claimed_at, reason), status, reason)


def _new_id(evidence: Sequence[Evidence], taken: Collection[str]) -> str:
    """An id that already stands on the record is taken over: the ledger may have been lost, the CRM was not."""
    for item in evidence:
        given = item.given_id
        if given is not None and is_referral_id(given) and given not in taken:
            return given
    name = referral_id(evidence[0].ref, evidence[0].code)
    while name in taken:  # a copy of this record took it over first
        name = referral_id(evidence[0].ref, name)
    return name


def _void(referral: Referral, status: Status, reason: str) -> Referral:
    return replace(referral, void=status, void_reason=reason)
