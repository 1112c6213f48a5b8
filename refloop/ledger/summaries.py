"""What the ledger has to tell to the records: who holds them, who is credited, how a referrer fares."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

from refloop.ledger.decisions import status_from
from refloop.ledger.engine.base import Row
from refloop.ledger.store import Ledger, ref_of
from refloop.mapping.fields import ReferralView
from refloop.model import NO_CURRENCY, Ref, Role, Status, StatusChange, parse_time

_HELD = """
    f.referral, f.claimed_at, f.why, coalesce(c.code, f.code_key) AS code,
    CASE WHEN r.name IS NULL OR r.name = '' THEN f.referrer ELSE r.name END AS referrer, t.status, t.at
    FROM selection s
    ORDERED JOIN {through} x ON x.connection = s.connection AND x.kind = s.kind AND x.id = s.id
    ORDERED JOIN referrals f ON f.referral = x.referral
    ORDERED JOIN current_statuses t ON t.referral = f.referral
    LEFT JOIN codes c ON c.code_key = f.code_key
    LEFT JOIN referrers r ON r.referrer = f.referrer
    WHERE f.void IS NULL"""


def held_by(ledger: Ledger, persons: Iterable[Ref]) -> list[ReferralView]:
    """The referrals that count, of each of the persons' records, the earliest first."""
    ledger.select(persons)
    rows = ledger.rows(
        "SELECT x.connection, x.kind, x.id, " + _HELD.format(through="members") + " ORDER BY f.claimed_at, f.referral"
    )
    return [_held(row) for row in rows]


def credited_on(ledger: Ledger, deals: Iterable[Ref]) -> list[ReferralView]:
    """The referrals that have a share in each of the deals, the largest share first, of equal ones the earliest."""
    ledger.select(deals)
    rows = ledger.rows("SELECT x.connection, x.kind, x.id, x.share, x.role, " + _HELD.format(through="current_credits"))
    held = [_held(row, Decimal(row["share"]), Role(row["role"])) for row in rows]
    return sorted(held, key=lambda item: (-item.share, item.claimed_at, item.referral))


def _held(row: Row, share: Decimal = Decimal(1), role: Role = Role.SOURCED) -> ReferralView:
    return ReferralView(
        ref_of(row),
        row["referral"],
        row["code"],
        row["referrer"],
        parse_time(row["claimed_at"]),
        Status(row["status"]),
        parse_time(row["at"]),
        row["why"],
        share,
        role,
    )


def converted_among(ledger: Ledger, refs: Iterable[Ref]) -> set[Ref]:
    """Those of the records that were converted into another: their CRM lets nobody write to them any more."""
    ledger.select(refs)
    rows = ledger.rows(
        "SELECT DISTINCT s.connection, s.kind, s.id FROM selection s ORDERED JOIN links l "
        "ON l.source_connection = s.connection AND l.source_kind = s.kind AND l.source_id = s.id "
        "AND l.relation = 'converted-to'"
    )
    return {ref_of(row) for row in rows}


def referrers_by_email(ledger: Ledger, emails: Iterable[str]) -> dict[str, list[str]]:
    """The referrers of each e-mail key."""
    found: dict[str, list[str]] = {}
    for email in emails:
        rows = ledger.rows("SELECT referrer FROM referrers WHERE email = ? ORDER BY referrer", (email,))
        names = [row["referrer"] for row in rows]
        if names:
            found[email] = names
    return found


def standings_of(ledger: Ledger, referrer: str) -> list[StatusChange]:
    """Where each referral of a referrer stands that counts."""
    rows = ledger.rows(
        "SELECT s.* FROM referrals f JOIN current_statuses s ON s.referral = f.referral "
        "WHERE f.referrer = ? AND f.void IS NULL",
        (referrer,),
    )
    return [status_from(row) for row in rows]


def won_amounts(ledger: Ledger, referrer: str) -> dict[str, Decimal]:
    """The credited amount of a referrer's won deals, by currency. Renewals are told apart."""
    rows = ledger.rows(
        "SELECT d.amount, d.currency, k.share FROM referrals f "
        "JOIN current_credits k ON k.referral = f.referral "
        "JOIN records d ON d.connection = k.connection AND d.kind = k.kind AND d.id = k.id "
        "WHERE f.referrer = ? AND f.void IS NULL AND k.role <> 'renewal' "
        "AND d.outcome = 'won' AND d.deleted = 0 AND d.amount IS NOT NULL",
        (referrer,),
    )
    return add_up(rows)


def add_up(rows: Iterable[Row]) -> dict[str, Decimal]:
    """Sums amount x share by currency."""
    sums: dict[str, Decimal] = {}
    for row in rows:
        currency = row["currency"] or NO_CURRENCY
        sums[currency] = sums.get(currency, Decimal(0)) + Decimal(row["amount"]) * Decimal(row["share"])
    return sums


def usual_currency(ledger: Ledger, connection: str) -> str | None:
    """The currency that most of a connection's deals are in."""
    row = ledger.one(
        "SELECT coalesce(currency, ?) AS currency FROM records WHERE connection = ? AND kind = 'deal' "
        "AND amount IS NOT NULL GROUP BY 1 ORDER BY count(*) DESC, 1 LIMIT 1",
        (NO_CURRENCY, connection),
    )
    return row["currency"] if row else None
