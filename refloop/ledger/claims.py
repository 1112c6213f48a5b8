"""Referrals that a person submitted, rather than a code found on a record."""

from __future__ import annotations

from collections.abc import Iterable

from refloop.ledger.codes import Kept
from refloop.ledger.decisions import keep_referral, referral_from
from refloop.ledger.history import Provenance
from refloop.ledger.identity import holders_of
from refloop.ledger.queue import Topic, enqueue, enqueue_ids
from refloop.ledger.store import Ledger
from refloop.model import Referral


def submitted_for(ledger: Ledger, email: str) -> tuple[list[Referral], list[Referral]]:
    """The referrals that were submitted for an e-mail key: those that wait until somebody of that address is seen, and
    those that hold records, about whom their buyer decides."""
    waiting: list[Referral] = []
    holding: list[Referral] = []
    for row in ledger.rows(
        "SELECT f.*, EXISTS (SELECT 1 FROM members m WHERE m.referral = f.referral) AS holds FROM referrals f "
        "WHERE f.email = ? ORDER BY f.referral",
        (email,),
    ):
        (holding if row["holds"] else waiting).append(referral_from(row))
    return waiting, holding


def waiting_of(ledger: Ledger, referrer: str) -> list[Referral]:
    """The submitted referrals of a referrer that wait until somebody of their address is seen."""
    rows = ledger.rows(
        "SELECT f.* FROM referrals f WHERE f.referrer = ? AND f.source = 'claim' AND NOT EXISTS ("
        "SELECT 1 FROM members m WHERE m.referral = f.referral) ORDER BY f.referral",
        (referrer,),
    )
    return [referral_from(row) for row in rows]


def keep_submitted(ledger: Ledger, by: Provenance, claim: Referral, judged: Iterable[Referral], note: str = "") -> Kept:
    """Adds a submitted referral, and keeps how those stand that wait beside it; the same one twice is one. Queues the
    buyer's records, if the ledger has any."""
    if ledger.one("SELECT 1 FROM referrals WHERE referral = ?", (claim.id,)):
        return Kept.UNCHANGED
    changed = {referral.id for referral in judged if keep_referral(ledger, by, referral)}
    ledger.execute("UPDATE referrals SET note = ? WHERE referral = ?", (note, claim.id))
    enqueue_ids(ledger, Topic.STATUS, changed)
    enqueue(ledger, Topic.CLAIM, holders_of(ledger, claim.email or ""))
    ledger.moved()
    return Kept.NEW
