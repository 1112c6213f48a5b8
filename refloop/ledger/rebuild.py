"""Forgetting what the CRMs showed, and making sure that all of it came back before anything is decided."""

from __future__ import annotations

from collections.abc import Iterable

from refloop.errors import DataError
from refloop.ledger.book import Ledger
from refloop.ledger.queue import Topic

_AWAITED = "awaited:"
_DERIVED = (Topic.MATCH, Topic.CLAIM, Topic.CREDIT, Topic.STATUS, Topic.TOTAL, Topic.PLAN)
LEAST = 0.5
"""A full pull that brings less than this part of what was known before is not believed."""


def rebuild(ledger: Ledger, connections: Iterable[str]) -> int:
    """Forgets records, links, cursors and what was queued for them; keeps codes, referrals, decisions and receipts.

    What the connections showed is awaited from their next pulls. Returns how many records were forgotten.
    """
    with ledger.writing() as db:
        known = {
            row["connection"]: int(row["known"])
            for row in ledger.rows("SELECT connection, count(*) AS known FROM records WHERE deleted = 0 GROUP BY 1")
        }
        names = list(connections)
        for name in set(awaited(ledger)).difference(names):
            db.execute("DELETE FROM meta WHERE key = ?", (_AWAITED + name,))
        for name in names:
            # rebuilt twice in a row, what was known the first time still counts
            db.execute(
                "INSERT INTO meta (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET "
                "value = max(CAST(value AS INTEGER), CAST(excluded.value AS INTEGER))",
                (_AWAITED + name, str(known.get(name, 0))),
            )
        forgotten = db.execute("DELETE FROM records").rowcount
        db.execute("DELETE FROM links")
        db.execute("DELETE FROM cursors")
        db.execute("DELETE FROM questions")
        for topic in _DERIVED:
            db.execute("DELETE FROM queue WHERE topic = ?", (topic.value,))
        ledger.moved()
    return forgotten


def awaited(ledger: Ledger) -> list[str]:
    """The connections whose records were forgotten and have not come back yet."""
    rows = ledger.rows("SELECT key FROM meta WHERE substr(key, 1, ?) = ? ORDER BY key", (len(_AWAITED), _AWAITED))
    return [row["key"].removeprefix(_AWAITED) for row in rows]


def arrived(ledger: Ledger, connection: str, *, allow_shrink: bool = False) -> None:
    """Says that a pull of the connection went through to its end. Nothing is awaited from it any more.

    Raises DataError when it brought less than half of what was known before, unless told to believe it; its next pull
    brings everything again then.
    """
    before = ledger.one("SELECT value FROM meta WHERE key = ?", (_AWAITED + connection,))
    if before is None:
        return
    expected = int(before["value"])
    row = ledger.one("SELECT count(*) FROM records WHERE connection = ? AND deleted = 0", (connection,))
    found = int(row[0]) if row else 0
    with ledger.writing() as db:
        if found >= expected * LEAST or allow_shrink:
            db.execute("DELETE FROM meta WHERE key = ?", (_AWAITED + connection,))
            return
        db.execute("DELETE FROM cursors WHERE connection = ?", (connection,))
    raise DataError(
        f"it shows {found:,} records; before the rebuild there were {expected:,}. Nothing was decided or written",
        remedy="Look whether refloop's user may still see all records; if so, run `refloop sync --allow-shrink`.",
    )
