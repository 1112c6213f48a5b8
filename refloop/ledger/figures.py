"""Figures that are a look at the whole ledger to count: kept with what they were counted from, so that a ledger in
which nothing changed tells them at once, however large it is."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from refloop.ledger.store import Ledger
from refloop.ledger.summaries import credited
from refloop.model import Outcome, Status

_KEPT = "figures"
_FORM = "1"
"""Goes up when what is kept means something else."""


@dataclass(frozen=True, slots=True)
class Figures:
    """How many referrals stand where and, of those that do not count, why not; credited amounts by currency, of won
    and of open deals, and of won renewals apart; won deals on which nobody stands, by connection; and how many leads,
    contacts and deals of each connection there are."""

    by_status: Mapping[Status, int]
    not_counted: Mapping[Status, int]
    won_amount: Mapping[str, Decimal]
    open_amount: Mapping[str, Decimal]
    renewed_amount: Mapping[str, Decimal]
    won_without_buyer: Mapping[str, int]
    records: Mapping[str, tuple[int, int, int]]


def figures(ledger: Ledger) -> Figures:
    """The figures as they are now."""
    kept = _kept(ledger)
    return _figures_from(kept) if kept and kept["state"] == _state(ledger) else count(ledger)


def keep_figures(ledger: Ledger) -> None:
    """Keeps the figures, so that they need not be counted until something changes again. Costs nothing when nothing
    did."""
    kept, state = _kept(ledger), _state(ledger)
    if kept and kept["state"] == state:
        return
    value = json.dumps({"state": state, **_as_json(count(ledger))})
    with ledger.writing():
        ledger.execute(
            "INSERT INTO meta (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value",
            (_KEPT, value),
        )


def count(ledger: Ledger) -> Figures:
    """Counts them."""
    return Figures(
        by_status=_by_status(
            ledger,
            "SELECT s.status, count(*) AS n FROM referrals f JOIN current_statuses s ON s.referral = f.referral "
            "WHERE f.void IS NULL GROUP BY 1",
        ),
        not_counted=_by_status(
            ledger,
            "SELECT void AS status, count(*) AS n FROM referrals WHERE void IS NOT NULL GROUP BY 1",
        ),
        won_amount=credited(ledger, Outcome.WON),
        open_amount=credited(ledger, Outcome.OPEN),
        renewed_amount=credited(ledger, Outcome.WON, renewals=True),
        won_without_buyer=_won_without_buyer(ledger),
        records=_records(ledger),
    )


def _by_status(ledger: Ledger, sql: str) -> dict[Status, int]:
    return dict(sorted((Status(row["status"]), row["n"]) for row in ledger.rows(sql)))


def _won_without_buyer(ledger: Ledger) -> dict[str, int]:
    """How many won deals of each connection have nobody on them, nor a referral of their own; where there are any."""
    rows = ledger.rows("""
        SELECT d.connection, count(*) AS n FROM records d
        WHERE d.kind = 'deal' AND d.outcome = 'won' AND d.deleted = 0
          AND NOT EXISTS (
            SELECT 1 FROM links l WHERE l.source_connection = d.connection AND l.source_kind = d.kind
               AND l.source_id = d.id AND (l.target_kind <> 'deal' OR l.relation IN ('same-deal', 'merged-into')))
          AND NOT EXISTS (
            SELECT 1 FROM links l WHERE l.target_connection = d.connection AND l.target_kind = d.kind
               AND l.target_id = d.id AND l.source_kind <> 'deal')
          AND NOT EXISTS (
            SELECT 1 FROM members m WHERE m.connection = d.connection AND m.kind = d.kind AND m.id = d.id)
        GROUP BY 1 ORDER BY 1""")
    return {row["connection"]: row["n"] for row in rows}


def _records(ledger: Ledger) -> dict[str, tuple[int, int, int]]:
    rows = ledger.rows(
        "SELECT connection, count(*) FILTER (WHERE kind = 'lead') AS leads, "
        "count(*) FILTER (WHERE kind = 'contact') AS contacts, count(*) FILTER (WHERE kind = 'deal') AS deals "
        "FROM records WHERE deleted = 0 GROUP BY 1 ORDER BY 1"
    )
    return {row["connection"]: (row["leads"], row["contacts"], row["deals"]) for row in rows}


_LAST = (
    "SELECT max(seq) AS seq FROM statuses",
    "SELECT max(seq) AS seq FROM credits",
    "SELECT max(seq) AS seq FROM claims",
    "SELECT max(seq) AS seq FROM memberships",
)
"""The last decision of each kind that a figure depends on. What a CRM shows moves the ledger's position."""


def _state(ledger: Ledger) -> str:
    """What the figures are counted from: another one where any of it may have changed."""
    last = [row["seq"] if (row := ledger.one(sql)) else None for sql in _LAST]
    return ":".join(map(str, (_FORM, ledger.position(), *last)))


def _kept(ledger: Ledger) -> dict[str, Any] | None:
    row = ledger.one("SELECT value FROM meta WHERE key = ?", (_KEPT,))
    kept: dict[str, Any] | None = json.loads(row["value"]) if row else None
    return kept


def _as_json(found: Figures) -> dict[str, object]:
    return {
        "by_status": found.by_status,
        "not_counted": found.not_counted,
        **{
            name: {currency: str(amount) for currency, amount in getattr(found, name).items()}
            for name in ("won_amount", "open_amount", "renewed_amount")
        },
        "won_without_buyer": found.won_without_buyer,
        "records": found.records,
    }


def _figures_from(kept: Mapping[str, Any]) -> Figures:
    return Figures(
        by_status=_statuses_from(kept["by_status"].items()),
        not_counted=_statuses_from(kept["not_counted"].items()),
        won_amount=_amounts_from(kept["won_amount"]),
        open_amount=_amounts_from(kept["open_amount"]),
        renewed_amount=_amounts_from(kept["renewed_amount"]),
        won_without_buyer=kept["won_without_buyer"],
        records={name: (leads, contacts, deals) for name, (leads, contacts, deals) in kept["records"].items()},
    )


def _statuses_from(counts: Iterable[tuple[str, int]]) -> dict[Status, int]:
    return {Status(status): number for status, number in counts}


def _amounts_from(amounts: Mapping[str, str]) -> dict[str, Decimal]:
    return {currency: Decimal(amount) for currency, amount in amounts.items()}
