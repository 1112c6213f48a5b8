"""What was pulled of each connection."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from refloop.ledger.figures import figures
from refloop.ledger.store import Ledger
from refloop.model import parse_time


@dataclass(frozen=True, slots=True)
class Pulled:
    """How many records of a connection are there, by kind, and when it was pulled last."""

    connection: str
    leads: int = 0
    contacts: int = 0
    deals: int = 0
    at: datetime | None = None


def pulled_by_connection(ledger: Ledger) -> list[Pulled]:
    """Of each connection that was ever pulled, in the order of their names. What is deleted does not count."""
    counts = figures(ledger).records
    pulled = {row["connection"]: parse_time(row["at"]) for row in ledger.rows("SELECT connection, at FROM cursors")}
    return [
        Pulled(name, *counts.get(name, (0, 0, 0)), at=pulled.get(name))
        for name in sorted(counts.keys() | pulled.keys())
    ]
