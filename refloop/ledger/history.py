"""What was, beside what is: claims, memberships, code definitions and review items, each as it was at any time.

Rows are added, never edited. Each says which run added it (0: none, a command outside of runs) and when; what holds is
the last row of its key. Matches, credits, statuses and receipts are kept so in their own tables.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from refloop.ledger.record_rows import stamp
from refloop.ledger.store import Ledger
from refloop.model import Ref, ReviewItem

_CLAIM = (
    "referral, code_key, program, referrer, source, origin_connection, origin_kind, origin_id, email, claimed_at, why, "
    "void, void_reason, since, latest, rival, policy"
)


@dataclass(frozen=True, slots=True)
class Provenance:
    """Where a decision comes from: the run that made it, the digest of the rules that it was made under, and when."""

    run: int
    policy: str
    at: datetime


def add_claim(ledger: Ledger, by: Provenance, referral: str) -> None:
    """Adds how a referral stands now in the table of referrals."""
    ledger.execute(
        f"INSERT INTO claims ({_CLAIM}, run, at) SELECT {_CLAIM}, ?, ? FROM referrals WHERE referral = ?",
        (by.run, stamp(by.at), referral),
    )


def add_memberships(
    ledger: Ledger, by: Provenance, referral: str, joined: Iterable[Ref] = (), left: Iterable[Ref] = ()
) -> None:
    """Adds which records a referral holds from now on, and which no longer."""
    rows = [(ref, 1) for ref in joined] + [(ref, 0) for ref in left]
    ledger.execute_many(
        "INSERT INTO memberships (connection, kind, id, referral, holds, run, at) VALUES (?, ?, ?, ?, ?, ?, ?)",
        [
            (ref.connection, ref.kind.value, ref.id, referral, holds, by.run, stamp(by.at))
            for ref, holds in sorted(rows)
        ],
    )


def add_code_definition(ledger: Ledger, key: str, at: datetime) -> None:
    """Adds what a code means now in the table of codes."""
    add_code_definitions(ledger, [key], at)


def add_code_definitions(ledger: Ledger, keys: Iterable[str], at: datetime) -> None:
    """The same of many codes."""
    when = stamp(at)
    ledger.execute_many(
        "INSERT INTO code_definitions (code_key, code, referrer, program, valid_from, valid_to, run, at) "
        "SELECT code_key, code, referrer, program, valid_from, valid_to, 0, ? FROM codes WHERE code_key = ?",
        ((when, key) for key in keys),
    )


def add_review_items(ledger: Ledger, by: Provenance, items: Iterable[ReviewItem], *, is_open: bool) -> None:
    """Adds that review items are open from now on, or are no more."""
    ledger.execute_many(
        "INSERT INTO review_items (item, connection, kind, id, reason, field, evidence, candidates, open, run, at) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        [
            (
                item.id,
                item.ref.connection,
                item.ref.kind.value,
                item.ref.id,
                item.reason.value,
                item.field,
                item.evidence,
                json.dumps(item.candidates),
                int(is_open),
                by.run,
                stamp(by.at),
            )
            for item in items
        ],
    )
