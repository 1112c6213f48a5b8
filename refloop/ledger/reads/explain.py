"""The whole story of a record or a referral: what was read, decided on what evidence, written, and when."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from refloop.ledger.arrivals import arrivals_of
from refloop.ledger.decisions import members_of, referral_from, status_from
from refloop.ledger.engine.base import Row
from refloop.ledger.forget import Forgotten
from refloop.ledger.reads.conflicts import FoundConflict, conflicts_on
from refloop.ledger.reads.receipts import PastChange, changes_of
from refloop.ledger.reads.review import OpenItem, open_items_of
from refloop.ledger.record_rows import labels_from, record_from
from refloop.ledger.store import Ledger, ref_of
from refloop.model import (
    Arrival,
    Credit,
    Kind,
    Link,
    Match,
    Outcome,
    Record,
    Ref,
    Referral,
    Relation,
    Role,
    Rule,
    StatusChange,
    parse_time,
)


@dataclass(frozen=True, slots=True)
class MatchDecision:
    """That a record carried a code from that run on, or (None) no code any more."""

    seq: int
    match: Match | None
    matcher: str
    run: int


@dataclass(frozen=True, slots=True)
class CreditDecision:
    """One share of a deal from that run on, or (None) that nobody gets any. Those of one `decision` belong together."""

    seq: int
    decision: int
    credit: Credit | None
    model: str
    run: int


@dataclass(frozen=True, slots=True)
class StatusDecision:
    """Where a referral stood from that run on."""

    seq: int
    change: StatusChange
    run: int


@dataclass(frozen=True, slots=True)
class CreditedDeal:
    """A deal as it is now, and the share of it that a referral has now."""

    credit: Credit
    title: str | None
    outcome: Outcome | None
    amount: Decimal | None
    currency: str | None
    closed_at: datetime | None


@dataclass(frozen=True, slots=True)
class ReferralStory:
    """A referral; its code as it was issued and the referrer's name, as far as they are known; the run that added it;
    what was said when it was submitted; the records that it holds, where it stood, and its deals."""

    referral: Referral
    code: str
    referrer_name: str | None
    note: str
    added_run: int
    records: tuple[Ref, ...]
    statuses: tuple[StatusDecision, ...]
    deals: tuple[CreditedDeal, ...]


@dataclass(frozen=True, slots=True)
class RecordStory:
    """A record as it was last seen, with its hash and the run that last found it changed; and all that was decided
    about it. `forgotten`: it is that of a person who was forgotten. `arrivals`: when each code came to it."""

    record: Record
    hash: str
    changed_run: int
    forgotten: bool
    links: tuple[Link, ...]
    matches: tuple[MatchDecision, ...]
    arrivals: tuple[Arrival, ...]
    review: tuple[OpenItem, ...]
    referrals: tuple[ReferralStory, ...]
    credits: tuple[CreditDecision, ...]
    written: tuple[PastChange, ...]
    conflicts: tuple[FoundConflict, ...]


def record_story(ledger: Ledger, ref: Ref) -> RecordStory | None:
    """The whole story of one record, or None when it was never seen."""
    row = ledger.one("SELECT * FROM records WHERE (connection, kind, id) = (?, ?, ?)", _name(ref))
    if row is None:
        return None
    return RecordStory(
        record=record_from(row),
        hash=row["hash"],
        changed_run=row["changed_run"],
        forgotten=bool(Forgotten(ledger).refs([ref])),
        links=_links(ledger, ref),
        matches=_matches(ledger, ref),
        arrivals=tuple(arrivals_of(ledger, [ref]).get(ref, {}).values()),
        review=open_items_of(ledger, ref),
        referrals=_referrals(ledger, ref),
        credits=_credits(ledger, ref),
        written=changes_of(ledger, ref),
        conflicts=conflicts_on(ledger, ref),
    )


def referral_story(ledger: Ledger, referral: str) -> ReferralStory | None:
    """The whole story of one referral, or None when there is none of that id."""
    row = ledger.one(
        "SELECT f.*, coalesce(c.code, f.code_key) AS code, r.name AS referrer_name FROM referrals f "
        "LEFT JOIN codes c ON c.code_key = f.code_key LEFT JOIN referrers r ON r.referrer = f.referrer "
        "WHERE f.referral = ?",
        (referral,),
    )
    if row is None:
        return None
    statuses = ledger.rows("SELECT * FROM statuses WHERE referral = ? ORDER BY seq", (referral,))
    deals = ledger.rows("SELECT * FROM credited_deals WHERE referral = ? ORDER BY 1, 2, 3", (referral,))
    return ReferralStory(
        referral=referral_from(row),
        code=row["code"],
        referrer_name=row["referrer_name"],
        note=row["note"],
        added_run=row["added_run"],
        records=tuple(sorted(members_of(ledger, referral))),
        statuses=tuple(StatusDecision(row["seq"], status_from(row), row["run"]) for row in statuses),
        deals=tuple(map(_credited_deal, deals)),
    )


def refs_with_id(ledger: Ledger, record_id: str) -> list[Ref]:
    """The records of that id, whatever their connection and kind; at most twenty."""
    rows = ledger.rows("SELECT connection, kind, id FROM records WHERE id = ? LIMIT 20", (record_id,))
    return [ref_of(row) for row in rows]


def _name(ref: Ref) -> tuple[str, str, str]:
    return (ref.connection, ref.kind.value, ref.id)


def _links(ledger: Ledger, ref: Ref) -> tuple[Link, ...]:
    rows = ledger.rows(
        "SELECT * FROM links WHERE (source_connection, source_kind, source_id) = (?, ?, ?) "
        "OR (target_connection, target_kind, target_id) = (?, ?, ?)",
        (*_name(ref), *_name(ref)),
    )
    return tuple(
        Link(
            Ref(row["source_connection"], Kind(row["source_kind"]), row["source_id"]),
            Relation(row["relation"]),
            Ref(row["target_connection"], Kind(row["target_kind"]), row["target_id"]),
            row["key"],
            labels=labels_from(row["labels"]),
        )
        for row in rows
    )


def _matches(ledger: Ledger, ref: Ref) -> tuple[MatchDecision, ...]:
    rows = ledger.rows("SELECT * FROM matches WHERE (connection, kind, id) = (?, ?, ?) ORDER BY seq", _name(ref))
    return tuple(MatchDecision(row["seq"], _match(row), row["matcher"], row["run"]) for row in rows)


def _match(row: Row) -> Match | None:
    if row["code_key"] is None:
        return None
    return Match(row["code_key"], Rule(row["rule"]), row["field"], row["evidence"], row["confidence"])


def _referrals(ledger: Ledger, ref: Ref) -> tuple[ReferralStory, ...]:
    rows = ledger.rows(
        "SELECT referral FROM members WHERE (connection, kind, id) = (?, ?, ?) "
        "UNION SELECT referral FROM current_credits WHERE (connection, kind, id) = (?, ?, ?) ORDER BY 1",
        (*_name(ref), *_name(ref)),
    )
    return tuple(story for row in rows if (story := referral_story(ledger, row["referral"])))


def _credits(ledger: Ledger, ref: Ref) -> tuple[CreditDecision, ...]:
    rows = ledger.rows("SELECT * FROM credits WHERE (connection, kind, id) = (?, ?, ?) ORDER BY seq", _name(ref))
    return tuple(
        CreditDecision(row["seq"], row["decision"], _credit(row) if row["referral"] else None, row["model"], row["run"])
        for row in rows
    )


def _credit(row: Row) -> Credit:
    return Credit(ref_of(row), row["referral"], Decimal(row["share"]), Role(row["role"]), row["model"])


def _credited_deal(row: Row) -> CreditedDeal:
    return CreditedDeal(
        credit=_credit(row),
        title=row["title"],
        outcome=Outcome(row["outcome"]) if row["outcome"] else None,
        amount=Decimal(row["amount"]) if row["amount"] is not None else None,
        currency=row["currency"],
        closed_at=parse_time(row["closed_at"]) if row["closed_at"] else None,
    )
