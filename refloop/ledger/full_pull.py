"""How many records a full pull has brought so far; it may take several runs."""

from __future__ import annotations

from refloop.ledger.store import Ledger

_SHOWN = "shown:"


def begin_showing(ledger: Ledger, connection: str) -> None:
    """Counts anew from here on. Call in the transaction that begins the full pull."""
    ledger.db.execute("INSERT OR REPLACE INTO meta (key, value) VALUES (?, '0')", (_SHOWN + connection,))


def show(ledger: Ledger, connection: str, count: int) -> None:
    """Counts records that were brought, while a full pull is under way. Call in the transaction that keeps them."""
    if count:
        ledger.db.execute(
            "UPDATE meta SET value = CAST(value AS INTEGER) + ? WHERE key = ?", (count, _SHOWN + connection)
        )


def shown(ledger: Ledger, connection: str) -> int | None:
    """How many were counted; None when no full pull is under way."""
    row = ledger.one("SELECT CAST(value AS INTEGER) AS n FROM meta WHERE key = ?", (_SHOWN + connection,))
    return row["n"] if row else None


def end_showing(ledger: Ledger, connection: str) -> None:
    """Counts no more."""
    ledger.db.execute("DELETE FROM meta WHERE key = ?", (_SHOWN + connection,))
