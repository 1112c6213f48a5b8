"""What lasts, and when it was told: so that a CRM that is down is not told of every five minutes."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime

from refloop.ledger.store import Ledger
from refloop.model import format_time, parse_time


@dataclass(frozen=True, slots=True)
class Told:
    """Something that lasts: of a connection (or of a whole run: the connection it was for, "" for all), in one `state`
    since then. `told_at` None: nobody was told yet."""

    connection: str
    topic: str
    state: str
    since: datetime
    told_at: datetime | None

    @property
    def key(self) -> tuple[str, str]:
        return self.connection, self.topic


def all_told(ledger: Ledger) -> dict[tuple[str, str], Told]:
    """(connection, topic) -> what lasts."""
    found = (
        Told(
            row["connection"],
            row["topic"],
            row["state"],
            parse_time(row["since"]),
            parse_time(row["told_at"]) if row["told_at"] else None,
        )
        for row in ledger.rows("SELECT * FROM told")
    )
    return {told.key: told for told in found}


def keep_told(ledger: Ledger, kept: Iterable[Told], over: Collection[tuple[str, str]]) -> None:
    """Keeps what lasts, in the place of what was kept under its key, and takes out what is over."""
    with ledger.writing():
        ledger.execute_many("DELETE FROM told WHERE connection = ? AND topic = ?", over)
        ledger.execute_many(
            "INSERT INTO told (connection, topic, state, since, told_at) VALUES (?, ?, ?, ?, ?) "
            "ON CONFLICT (connection, topic) DO UPDATE SET state = excluded.state, since = excluded.since, "
            "told_at = excluded.told_at",
            [
                (
                    told.connection,
                    told.topic,
                    told.state,
                    format_time(told.since),
                    format_time(told.told_at) if told.told_at else None,
                )
                for told in kept
            ],
        )
