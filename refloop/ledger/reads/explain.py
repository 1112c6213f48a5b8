"""The whole story of a record or a referral: what was read, decided on what evidence, written, and when."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from refloop.ledger.arrivals import arrivals_of
from refloop.ledger.codes import code_of
from refloop.ledger.decisions import members_of, referral_from, status_from
from refloop.ledger.engine.base import Row
from refloop.ledger.forget import Forgotten
from refloop.ledger.reads.conflicts import FoundConflict, conflicts_on
from refloop.ledger.reads.holders import ReferrerStory, referrals_on, referrer_story, referrers_of
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
    ReviewItem,
    ReviewReason,
    Role,
    Rule,
    Status,
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
class ClaimDecision:
    """How a referral stood from then on: why it is one, and as what it does not count, where it does not."""

    seq: int
    why: str
    void: Status | None
    void_reason: str
    run: int
    at: datetime


@dataclass(frozen=True, slots=True)
class Membership:
    """That a referral held a record from then on, or (not `holds`) no longer."""

    seq: int
    ref: Ref
    referral: str
    holds: bool
    run: int
    at: datetime


@dataclass(frozen=True, slots=True)
class ReviewEvent:
    """That a review item was open from then on, or (not `is_open`) no longer."""

    seq: int
    item: ReviewItem
    is_open: bool
    run: int
    at: datetime


@dataclass(frozen=True, slots=True)
class ReferralStory:
    """A referral; its code as it was issued and the referrer's name, as far as they are known; the run that added it;
    what was said when it was submitted; the records that it holds, where it stood, and its deals; how it was decided
    and which records it held, each as it was; when the runs began that are named, and what records are called."""

    referral: Referral
    code: str
    referrer_name: str | None
    note: str
    added_run: int
    records: tuple[Ref, ...]
    statuses: tuple[StatusDecision, ...]
    deals: tuple[CreditedDeal, ...]
    claims: tuple[ClaimDecision, ...]
    memberships: tuple[Membership, ...]
    runs: Mapping[int, datetime]
    called: Mapping[Ref, str]


@dataclass(frozen=True, slots=True)
class RecordStory:
    """A record as it was last seen, with its hash and the run that last found it changed; and all that was decided
    about it. `forgotten`: it is that of a person who was forgotten. `arrivals`: when each code came to it. `referrers`:
    who it is, where it is a referrer's own. `past_review`: when each review item about it was raised and settled.
    `runs`: when the runs began that are named. `called`: what the records are called that it is linked with. `issued`:
    by keys of codes, how they were issued."""

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
    referrers: tuple[ReferrerStory, ...]
    past_review: tuple[ReviewEvent, ...]
    runs: Mapping[int, datetime]
    called: Mapping[Ref, str]
    issued: Mapping[str, str]


def record_story(ledger: Ledger, ref: Ref) -> RecordStory | None:
    """The whole story of one record, or None when it was never seen."""
    row = ledger.one("SELECT * FROM records WHERE (connection, kind, id) = (?, ?, ?)", _name(ref))
    if row is None:
        return None
    record, links = record_from(row), _links(ledger, ref)
    matches, credits = _matches(ledger, ref), _credits(ledger, ref)
    stories = (referral_story(ledger, referral) for referral in referrals_on(ledger, ref))
    came = tuple(arrivals_of(ledger, [ref]).get(ref, {}).values())
    past_review, found_conflicts = _past_review(ledger, ref), conflicts_on(ledger, ref)
    numbers = {one.run for some in (matches, credits, found_conflicts) for one in some}
    referrers = (referrer_story(ledger, referrer) for referrer in referrers_of(ledger, record))
    return RecordStory(
        record=record,
        hash=row["hash"],
        changed_run=row["changed_run"],
        forgotten=bool(Forgotten(ledger).refs([ref])),
        links=links,
        matches=matches,
        arrivals=came,
        review=open_items_of(ledger, ref),
        referrals=tuple(story for story in stories if story),
        credits=credits,
        written=changes_of(ledger, ref),
        conflicts=found_conflicts,
        referrers=tuple(story for story in referrers if story),
        past_review=past_review,
        runs=_beginnings(ledger, numbers),
        called=_called(ledger, {end for link in links for end in (link.source, link.target)}),
        issued=_issued(ledger, {*(one.match.code for one in matches if one.match), *(one.code for one in came)}),
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
    records = tuple(sorted(members_of(ledger, referral)))
    memberships = _memberships(ledger, referral)
    return ReferralStory(
        referral=referral_from(row),
        code=row["code"],
        referrer_name=row["referrer_name"],
        note=row["note"],
        added_run=row["added_run"],
        records=records,
        statuses=tuple(StatusDecision(row["seq"], status_from(row), row["run"]) for row in statuses),
        deals=tuple(map(_credited_deal, deals)),
        claims=_claims(ledger, referral),
        memberships=memberships,
        runs=_beginnings(ledger, {row["added_run"]}),
        called=_called(ledger, {*records, *(one.ref for one in memberships)}),
    )


def _claims(ledger: Ledger, referral: str) -> tuple[ClaimDecision, ...]:
    rows = ledger.rows("SELECT * FROM claims WHERE referral = ? ORDER BY seq", (referral,))
    return tuple(
        ClaimDecision(
            row["seq"],
            row["why"],
            Status(row["void"]) if row["void"] else None,
            row["void_reason"],
            row["run"],
            parse_time(row["at"]),
        )
        for row in rows
        if row["at"]
    )


def _memberships(ledger: Ledger, referral: str) -> tuple[Membership, ...]:
    rows = ledger.rows("SELECT * FROM memberships WHERE referral = ? ORDER BY seq", (referral,))
    return tuple(
        Membership(row["seq"], ref_of(row), referral, bool(row["holds"]), row["run"], parse_time(row["at"]))
        for row in rows
        if row["at"]
    )


def _past_review(ledger: Ledger, ref: Ref) -> tuple[ReviewEvent, ...]:
    rows = ledger.rows("SELECT * FROM review_items WHERE (connection, kind, id) = (?, ?, ?) ORDER BY seq", _name(ref))
    return tuple(
        ReviewEvent(
            row["seq"],
            ReviewItem(
                ref, ReviewReason(row["reason"]), row["field"], row["evidence"], tuple(json.loads(row["candidates"]))
            ),
            bool(row["open"]),
            row["run"],
            parse_time(row["at"]),
        )
        for row in rows
        if row["at"]
    )


def _beginnings(ledger: Ledger, numbers: Iterable[int | None]) -> dict[int, datetime]:
    """When runs began; without those that are taken out of the journal."""
    rows = [ledger.one("SELECT run, started_at FROM runs WHERE run = ?", (number,)) for number in set(numbers)]
    return {row["run"]: parse_time(row["started_at"]) for row in rows if row}


def _issued(ledger: Ledger, keys: Iterable[str]) -> dict[str, str]:
    return {code.key: code.code for key in keys if (code := code_of(ledger, key))}


def _called(ledger: Ledger, refs: Iterable[Ref]) -> dict[Ref, str]:
    """What people call the records, where they call them anything."""
    sql = "SELECT coalesce(name, title) AS called FROM records WHERE (connection, kind, id) = (?, ?, ?)"
    rows = {ref: ledger.one(sql, _name(ref)) for ref in refs}
    return {ref: row["called"] for ref, row in rows.items() if row and row["called"]}


def _name(ref: Ref) -> tuple[str, str, str]:
    return (ref.connection, ref.kind.value, ref.id)


def _links(ledger: Ledger, ref: Ref) -> tuple[Link, ...]:
    rows = ledger.rows(
        "SELECT * FROM links WHERE (source_connection, source_kind, source_id) = (?, ?, ?) "
        "UNION SELECT * FROM links WHERE (target_connection, target_kind, target_id) = (?, ?, ?)",
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
