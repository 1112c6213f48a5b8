"""What the ledger has to tell to the records: who holds them, who is credited, how a referrer fares."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal

from refloop.ledger.accounts import account_of
from refloop.ledger.decisions import how_from, status_from
from refloop.ledger.engine.base import Row
from refloop.ledger.queue import Topic, enqueue_selected
from refloop.ledger.record_rows import home_amount_of
from refloop.ledger.store import Ledger, ref_of
from refloop.mapping.fields import ReferralView, Winnings
from refloop.mapping.money import Won, add_up, share_of
from refloop.model import NO_CURRENCY, Outcome, Ref, Role, Status, StatusChange, parse_time

REFERRERS_CONTACTS = """SELECT x.connection, x.kind, x.id FROM (
    SELECT r.connection, r.kind, r.id FROM referrers f JOIN records r ON r.email = f.email
    UNION ALL
    SELECT a.connection, a.kind, a.id FROM referrers f JOIN addresses a ON a.email = f.email) AS x
    WHERE x.kind = 'contact'"""
"""The contacts of all referrers, by their e-mail."""

_HELD = """
    f.referral, f.claimed_at, f.why, f.how_rule, f.how_connection, f.how_kind, f.how_field, f.void,
    f.code_key, t.reason, coalesce(c.code, f.code_key) AS code,
    CASE WHEN r.name IS NULL OR r.name = '' THEN f.referrer ELSE r.name END AS referrer, t.status, t.at
    FROM selection s
    ORDERED JOIN {through} x ON x.connection = s.connection AND x.kind = s.kind AND x.id = s.id
    ORDERED JOIN referrals f ON f.referral = x.referral
    ORDERED JOIN current_statuses t ON t.referral = f.referral
    LEFT JOIN codes c ON c.code_key = f.code_key
    LEFT JOIN referrers r ON r.referrer = f.referrer
    WHERE f.void {void}"""


def held_by(ledger: Ledger, persons: Iterable[Ref]) -> list[ReferralView]:
    """The referrals that count, of each of the persons' records, the earliest first."""
    ledger.select(persons)
    rows = ledger.rows(
        "SELECT x.connection, x.kind, x.id, "
        + _HELD.format(through="members", void="IS NULL")
        + " ORDER BY f.claimed_at, f.referral"
    )
    return [_held(row) for row in rows]


def void_on(ledger: Ledger, refs: Iterable[Ref]) -> list[ReferralView]:
    """The referrals of each of the records that do not count, the latest first."""
    ledger.select(refs)
    rows = ledger.rows(
        "SELECT x.connection, x.kind, x.id, "
        + _HELD.format(through="members", void="IS NOT NULL")
        + " ORDER BY f.claimed_at DESC, f.referral"
    )
    return [_held(row) for row in rows]


def typed_among(ledger: Ledger, refs: Iterable[Ref], field: str) -> dict[Ref, str]:
    """The key of the code that each of the records carries because a person typed it into our field of that name."""
    ledger.select(refs)
    rows = ledger.rows(
        "SELECT m.connection, m.kind, m.id, m.code_key FROM selection s ORDERED JOIN current_matches m "
        "ON m.connection = s.connection AND m.kind = s.kind AND m.id = s.id WHERE m.field = ?",
        (field,),
    )
    return {ref_of(row): row["code_key"] for row in rows}


def credited_on(ledger: Ledger, deals: Iterable[Ref]) -> list[ReferralView]:
    """The referrals that have a share in each of the deals, the largest share first, of equal ones the earliest."""
    ledger.select(deals)
    rows = ledger.rows(
        "SELECT x.connection, x.kind, x.id, x.share, x.role, " + _HELD.format(through="current_credits", void="IS NULL")
    )
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
        how_from(row),
        row["reason"],
        Status(row["void"]) if row["void"] else None,
        row["code_key"],
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


def won_by(ledger: Ledger, referrers: Iterable[str]) -> Winnings:
    """The shares of won deals that referrers are credited with, each with its currency."""
    shares = [row for referrer in referrers for row in _won_deals(ledger, referrer)]
    priced = [row for row in shares if row["amount"] is not None]
    return Winnings([_share(row) for row in priced], len(shares) - len(priced))


def _won_deals(ledger: Ledger, referrer: str) -> Iterator[Row]:
    return ledger.rows(
        "SELECT d.amount, d.currency, d.further, k.share FROM referrals f "
        "JOIN current_credits k ON k.referral = f.referral "
        "JOIN records d ON d.connection = k.connection AND d.kind = k.kind AND d.id = k.id "
        "WHERE f.referrer = ? AND f.void IS NULL AND k.role <> 'renewal' "
        "AND d.outcome = 'won' AND d.deleted = 0",
        (referrer,),
    )


def _share(row: Row) -> Won:
    home, currency = home_amount_of(row)
    whole = Won(Decimal(row["amount"]), row["currency"] or NO_CURRENCY, home, currency)
    return share_of(whole, Decimal(row["share"]))


def credited(ledger: Ledger, outcome: Outcome, *, renewals: bool = False) -> dict[str, Decimal]:
    """The credited amount of all deals with that outcome, by currency, in the order of its name; of renewals, or of all
    others."""
    rows = ledger.rows(
        "SELECT d.amount, d.currency, c.share FROM current_credits c "
        "JOIN records d ON d.connection = c.connection AND d.kind = c.kind AND d.id = c.id "
        "WHERE d.outcome = ? AND d.deleted = 0 AND d.amount IS NOT NULL AND (c.role = 'renewal') = ?",
        (outcome.value, renewals),
    )
    whole = ((Won(Decimal(row["amount"]), row["currency"] or NO_CURRENCY), Decimal(row["share"])) for row in rows)
    return dict(sorted(add_up(share_of(won, share) for won, share in whole).items()))


def own_currency(ledger: Ledger, connection: str) -> str | None:
    """The currency in which a connection's account keeps its books, as far as it says so."""
    account = account_of(ledger, connection)
    return account.currency if account else None


def usual_currency(ledger: Ledger, connection: str) -> str | None:
    """The currency that most of a connection's deals are in; where it has none with an amount, most deals of the
    ledger."""
    own = ledger.one(
        "SELECT coalesce(currency, ?) AS currency FROM records "
        "WHERE connection = ? AND kind = 'deal' AND deleted = 0 AND amount IS NOT NULL "
        "GROUP BY 1 ORDER BY count(*) DESC, 1 LIMIT 1",
        (NO_CURRENCY, connection),
    )
    row = own or ledger.one(
        "SELECT coalesce(currency, ?) AS currency FROM records "
        "WHERE kind = 'deal' AND deleted = 0 AND amount IS NOT NULL "
        "GROUP BY 1 ORDER BY count(*) DESC, 1 LIMIT 1",
        (NO_CURRENCY,),
    )
    return row["currency"] if row else None


_COUNTS_IN = "currency:"


def plan_where_currency_changed(ledger: Ledger, currencies: Mapping[str, str | None]) -> None:
    """Puts the contacts of all referrers of a connection into the plan's queue when their amounts are to be told in
    another currency than before: a connection's `usual_currency` can change with any deal. `currencies` are those that
    count now, by connection."""
    known = {
        row["key"].removeprefix(_COUNTS_IN): row["value"]
        for row in ledger.rows("SELECT key, value FROM meta WHERE substr(key, 1, ?) = ?", (len(_COUNTS_IN), _COUNTS_IN))
    }
    moved = {name: currency or "" for name, currency in currencies.items() if known.get(name) != (currency or "")}
    if not moved:
        return
    with ledger.writing():
        for name, currency in moved.items():
            ledger.execute(
                "INSERT INTO meta (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value",
                (_COUNTS_IN + name, currency),
            )
            if name in known:
                enqueue_selected(ledger, Topic.PLAN, f"{REFERRERS_CONTACTS} AND x.connection = ?", (name,))
        ledger.moved()
