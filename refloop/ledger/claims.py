"""Referrals that a person submitted, rather than a code found on a record."""

from __future__ import annotations

from datetime import datetime

from refloop.ledger.codes import Kept
from refloop.ledger.decisions import KeptReferral, keep_referral
from refloop.ledger.identity import holders_of
from refloop.ledger.queue import Topic, enqueue, enqueue_ids
from refloop.ledger.records import stamp
from refloop.ledger.store import Ledger
from refloop.model import Code, Status, parse_time


def keep_claim(ledger: Ledger, run: int, claim: KeptReferral, note: str = "") -> Kept:
    """Adds a submitted referral; the same one twice is one. Queues the buyer's records, if the ledger has any."""
    if ledger.one("SELECT 1 FROM referrals WHERE referral = ?", (claim.id,)):
        return Kept.UNCHANGED
    keep_referral(ledger, run, claim, frozenset())
    ledger.execute("UPDATE referrals SET note = ? WHERE referral = ?", (note, claim.id))
    enqueue_ids(ledger, Topic.STATUS, [claim.id, *_outdone(ledger, claim)])
    enqueue(ledger, Topic.CLAIM, holders_of(ledger, claim.email or ""))
    ledger.moved()
    return Kept.NEW


def _outdone(ledger: Ledger, claim: KeptReferral) -> list[str]:
    """Later claims for the same person and program that came into the ledger first, and are duplicates now.

    Those that hold records are left alone: their buyer decides anew.
    """
    if claim.void is not None:
        return []
    reason = "the same person was submitted before"
    rows = ledger.rows(
        "UPDATE referrals SET void = ?, void_reason = ? WHERE email = ? AND program = ? AND void IS NULL "
        "AND claimed_at > ? AND referral <> ? "
        "AND NOT EXISTS (SELECT 1 FROM members m WHERE m.referral = referrals.referral) RETURNING referral",
        (Status.DUPLICATE.value, reason, claim.email, claim.program, stamp(claim.claimed_at), claim.id),
    )
    return [row["referral"] for row in rows]


def earlier_claim(ledger: Ledger, email: str, code: Code, at: datetime) -> Status | None:
    """DUPLICATE when the same person was submitted before for the same program; else None."""
    row = ledger.one(
        "SELECT min(claimed_at) AS first FROM referrals WHERE email = ? AND program = ? AND void IS NULL",
        (email, code.program),
    )
    earlier = row is not None and row["first"] is not None and parse_time(row["first"]) <= at
    return Status.DUPLICATE if earlier else None
