"""What the accounts say about themselves: which one a connection leads to, and in which zone its people read days."""

from __future__ import annotations

from datetime import datetime

from refloop.ledger.queue import Topic, enqueue_selected
from refloop.ledger.store import Ledger
from refloop.model import Account, format_time


def account_of(ledger: Ledger, connection: str) -> Account | None:
    """What the account of a connection said last; None when it was never asked."""
    row = ledger.one("SELECT account, zone, currency FROM accounts WHERE connection = ?", (connection,))
    return Account(row["account"], row["zone"], row["currency"]) if row else None


def zones(ledger: Ledger) -> dict[str, str]:
    """Connection -> the name of its account's zone, where it is known."""
    rows = ledger.rows("SELECT connection, zone FROM accounts WHERE zone IS NOT NULL")
    return {row["connection"]: row["zone"] for row in rows}


def said_since(ledger: Ledger, connection: str, moment: datetime) -> Account | None:
    """What the account said of itself, if that was after a moment."""
    row = ledger.one("SELECT at FROM accounts WHERE connection = ?", (connection,))
    return account_of(ledger, connection) if row and row["at"] > format_time(moment) else None


def keep_account(ledger: Ledger, run: int, connection: str, account: Account, now: datetime) -> None:
    """Keeps what an account says about itself. Where its zone is another than before, all that days decide about its
    records is decided anew."""
    before = account_of(ledger, connection)
    with ledger.writing():
        ledger.execute(
            "INSERT INTO accounts (connection, account, zone, currency, run, at) VALUES (?, ?, ?, ?, ?, ?) "
            "ON CONFLICT (connection) DO UPDATE SET account = excluded.account, zone = excluded.zone, "
            "currency = excluded.currency, run = excluded.run, at = excluded.at",
            (connection, account.id, account.zone, account.currency, run, format_time(now)),
        )
        if before is not None and before.zone != account.zone:
            enqueue_selected(
                ledger, Topic.MATCH, "SELECT connection, kind, id FROM records WHERE connection = ?", (connection,)
            )
            ledger.moved()
