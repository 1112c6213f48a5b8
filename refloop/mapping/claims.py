"""Which referrals a buyer holds: the first valid claim of each program wins. Pure."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from refloop.mapping.fields import why_sentence
from refloop.model import Code, Ref, Rule, Status

_REFERRAL_ID = re.compile(r"rf_[0-9a-f]{16}")


@dataclass(frozen=True, slots=True)
class Evidence:
    """A record of the buyer's that carries a code. `given_id` is the referral id that stands on it, if any."""

    ref: Ref
    code: str
    at: datetime
    rule: Rule
    field: str
    given_id: str | None = None


@dataclass(frozen=True, slots=True)
class KnownReferral:
    """A referral that the ledger already holds for this buyer. `submitted`: by a person, not found on a record."""

    id: str
    code: str
    claimed_at: datetime
    submitted: bool
    origin: Ref | None = None


@dataclass(frozen=True, slots=True)
class Holding:
    """A referral as it is to be kept. `void` says why it does not count, where it does not."""

    id: str
    code: Code
    origin: Ref | None
    claimed_at: datetime
    why: str
    void: Status | None = None
    void_reason: str = ""


@dataclass(frozen=True, slots=True)
class Buyer:
    """The person behind one or more records, as far as claims need it."""

    evidence: Sequence[Evidence]
    known: Sequence[KnownReferral]
    emails: Collection[str]


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


def hold(
    buyer: Buyer,
    code_of: Callable[[str], Code | None],
    referrer_emails: Mapping[str, str],
    *,
    taken: Collection[str] = (),
) -> list[Holding]:
    """Decides the buyer's referrals: one active a program, the earliest; the others void, with the reason.

    `code_of` gives an issued code by key; `referrer_emails` the e-mail key by referrer. `taken` are the ids of
    referrals that the ledger holds: a new referral never takes one of them over from a record.
    """
    holdings: list[Holding] = []
    for key in sorted({item.code for item in buyer.evidence} | {known.code for known in buyer.known}):
        code = code_of(key)
        if code is not None:
            holdings += _holdings_of(code, buyer, {*taken, *(holding.id for holding in holdings)})
    return _judge(holdings, buyer, referrer_emails)


def _holdings_of(code: Code, buyer: Buyer, taken: Collection[str]) -> list[Holding]:
    """The referral by this code; and those that turned out to be the same one, as duplicates.

    A submitted referral keeps its own day: the records' referral stands beside it, and the earlier one counts.
    """
    evidence = sorted((item for item in buyer.evidence if item.code == code.key), key=lambda e: (e.at, e.ref))
    known = sorted((item for item in buyer.known if item.code == code.key), key=lambda k: (k.claimed_at, k.id))
    claims = [_submitted(item, code) for item in known if item.submitted]
    seen = [item for item in known if not item.submitted]
    before, gone = "the same buyer came with the same code before", "the code was taken off the record"
    if evidence:
        claims.append(_found(code, evidence, seen, taken))
        rest = [_beside(item, code, Status.DUPLICATE, before) for item in seen[1:]]
    else:
        rest = [_beside(item, code, Status.WITHDRAWN, gone) for item in seen]
    names = {item.id for item in known}
    for rank, holding in enumerate(sorted(claims, key=lambda h: (h.claimed_at, h.id))):
        if rank == 0:
            rest.append(holding)
        elif holding.id in names:
            rest.append(_void(holding, Status.DUPLICATE, before))
    return rest


def _submitted(claim: KnownReferral, code: Code) -> Holding:
    why = why_sentence(code.code, Rule.CLAIM, "", claim.claimed_at)
    return Holding(claim.id, code, claim.origin, claim.claimed_at, why)


def _found(code: Code, evidence: Sequence[Evidence], seen: Sequence[KnownReferral], taken: Collection[str]) -> Holding:
    """The referral that the records tell of, under the name that it has if it has one."""
    first = evidence[0]
    name, origin = (seen[0].id, seen[0].origin) if seen else (_new_id(evidence, taken), first.ref)
    return Holding(name, code, origin, first.at, why_sentence(code.code, first.rule, first.field, first.at))


def _beside(known: KnownReferral, code: Code, status: Status, reason: str) -> Holding:
    return Holding(known.id, code, known.origin, known.claimed_at, reason, status, reason)


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


def _judge(holdings: Iterable[Holding], buyer: Buyer, referrer_emails: Mapping[str, str]) -> list[Holding]:
    winners: dict[str, Holding] = {}
    judged = []
    for holding in sorted(holdings, key=lambda h: (h.claimed_at, h.code.key, h.id)):
        verdict = holding
        if holding.void is None and referrer_emails.get(holding.code.referrer) in buyer.emails:
            verdict = _void(holding, Status.DISQUALIFIED, "the buyer is the referrer")
        elif holding.void is None and holding.code.program in winners:
            winner = winners[holding.code.program]
            verdict = _void(holding, Status.DUPLICATE, f"code {winner.code.code} came first")
        elif holding.void is None:
            winners[holding.code.program] = holding
        judged.append(verdict)
    return judged


def _void(holding: Holding, status: Status, reason: str) -> Holding:
    return Holding(holding.id, holding.code, holding.origin, holding.claimed_at, holding.why, status, reason)
