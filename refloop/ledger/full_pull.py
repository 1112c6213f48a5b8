"""How many records a full pull has brought so far; it may take several runs."""

from __future__ import annotations

from refloop.ledger.store import Ledger

_BROUGHT = "shown:"


def begin_counting(ledger: Ledger, connection: str) -> None:
    """Counts anew from here on. Call in the transaction that begins the full pull."""
    ledger.execute(
        "INSERT INTO meta (key, value) VALUES (?, '0') ON CONFLICT (key) DO UPDATE SET value = excluded.value",
        (_BROUGHT + connection,),
    )


def count_brought(ledger: Ledger, connection: str, count: int) -> None:
    """Counts records that were brought, while a full pull is under way. Call in the transaction that keeps them."""
    if count:
        ledger.execute(
            "UPDATE meta SET value = CAST(value AS INTEGER) + ? WHERE key = ?", (count, _BROUGHT + connection)
        )


def brought_so_far(ledger: Ledger, connection: str) -> int | None:
    """How many were counted; None when no full pull is under way."""
    row = ledger.one("SELECT CAST(value AS INTEGER) AS n FROM meta WHERE key = ?", (_BROUGHT + connection,))
    return row["n"] if row else None


def end_counting(ledger: Ledger, connection: str) -> None:
    """Counts no more."""
    ledger.execute("DELETE FROM meta WHERE key = ?", (_BROUGHT + connection,))
