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
    holdings = []
    for key in sorted({item.code for item in buyer.evidence} | {known.code for known in buyer.known}):
        code = code_of(key)
        if code is not None:
            holdings += _holdings_of(code, buyer, taken)
    return _judge(holdings, buyer, referrer_emails)


def _holdings_of(code: Code, buyer: Buyer, taken: Collection[str]) -> list[Holding]:
    """The referral by this code; and those that turned out to be the same one, as duplicates."""
    evidence = sorted((item for item in buyer.evidence if item.code == code.key), key=lambda e: (e.at, e.ref))
    known = sorted((item for item in buyer.known if item.code == code.key), key=lambda k: (k.claimed_at, k.id))
    claims = [item for item in known if item.submitted]
    if not evidence and not claims:
        gone = "the code was taken off the record"
        return [Holding(item.id, code, item.origin, item.claimed_at, gone, Status.WITHDRAWN, gone) for item in known]
    first = known[0].id if known else _new_id(evidence, taken)
    origin = known[0].origin if known else evidence[0].ref
    times = [item.at for item in evidence] + [item.claimed_at for item in claims]
    at = min(times)
    kept = Holding(first, code, origin, at, _why(code, evidence, claims))
    reason = "the same buyer came with the same code before"
    return [kept] + [
        Holding(item.id, code, item.origin, item.claimed_at, reason, Status.DUPLICATE, reason) for item in known[1:]
    ]


def _new_id(evidence: Sequence[Evidence], taken: Collection[str]) -> str:
    """An id that already stands on the record is taken over: the ledger may have been lost, the CRM was not."""
    for item in evidence:
        given = item.given_id
        if given is not None and is_referral_id(given) and given not in taken:
            return given
    return referral_id(evidence[0].ref, evidence[0].code)


def _why(code: Code, evidence: Sequence[Evidence], claims: Iterable[KnownReferral]) -> str:
    claim = min((item.claimed_at for item in claims), default=None)
    if evidence and (claim is None or evidence[0].at <= claim):
        item = evidence[0]
        return why_sentence(code.code, item.rule, item.field, item.at)
    if claim is None:
        raise ValueError("a holding needs evidence or a claim")
    return why_sentence(code.code, Rule.CLAIM, "", claim)


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
