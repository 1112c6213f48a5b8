"""Full pulls: forgetting what the CRMs showed, and making sure that all of it came back before anything is decided."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import NoReturn

from refloop.errors import SourceShrunk
from refloop.ledger.full_pull import begin_counting, brought_so_far, end_counting
from refloop.ledger.history import Provenance
from refloop.ledger.missed import await_all
from refloop.ledger.policies import forget_rules
from refloop.ledger.queue import Topic
from refloop.ledger.record_rows import stamp
from refloop.ledger.reviews import close_all
from refloop.ledger.store import Ledger
from refloop.mapping.trust import is_shrunk

_AWAITED = "awaited:"
_DERIVED = (Topic.MATCH, Topic.HISTORY, Topic.CLAIM, Topic.CREDIT, Topic.STATUS, Topic.TOTAL, Topic.PLAN)


def rebuild(ledger: Ledger, connections: Iterable[str], by: Provenance) -> int:
    """Forgets cursors and what was queued, and believes nothing that the connections showed until they show it again;
    keeps codes, referrals, decisions and receipts.

    What the ledger alone knows stays: the records that were deleted, the links that led to them, when a code came.
    Returns how many records are awaited.
    """
    with ledger.writing():
        known = {
            row["connection"]: int(row["known"])
            for row in ledger.rows("SELECT connection, count(*) AS known FROM records WHERE deleted = 0 GROUP BY 1")
        }
        names = list(connections)
        for name in set(awaited(ledger)).difference(names):
            _await_no_more(ledger, name)
        for name in names:
            _await(ledger, name, known.get(name, 0))
        forgotten = await_all(ledger)
        ledger.execute("DELETE FROM cursors")
        close_all(ledger, by)
        forget_rules(ledger)
        for topic in _DERIVED:
            ledger.execute("DELETE FROM queue WHERE topic = ?", (topic.value,))
        ledger.moved()
    return forgotten


def awaited(ledger: Ledger) -> list[str]:
    """The connections of which a full pull has to go through before anything is decided."""
    rows = ledger.rows("SELECT key FROM meta WHERE substr(key, 1, ?) = ? ORDER BY key", (len(_AWAITED), _AWAITED))
    return [row["key"].removeprefix(_AWAITED) for row in rows]


def expect(ledger: Ledger, connection: str) -> None:
    """Says that a full pull of the connection begins: it is awaited, if anything was known before."""
    with ledger.writing():
        known = _known(ledger, connection)
        if known or connection in awaited(ledger):
            _await(ledger, connection, known)
            begin_counting(ledger, connection)


def arrived(ledger: Ledger, connection: str, least: float) -> None:
    """Says that a pull of the connection went through to its end. Nothing is awaited from it any more.

    Raises SourceShrunk when it brought less than the part `least` of what was known before; its next pull brings
    everything again then.
    """
    row = ledger.one("SELECT CAST(value AS INTEGER) AS n FROM meta WHERE key = ?", (_AWAITED + connection,))
    if row is None:
        return
    counted, expected = brought_so_far(ledger, connection), int(row["n"])
    found = _known(ledger, connection) if counted is None else counted
    with ledger.writing():
        if not is_shrunk(found, expected, least):
            _await_no_more(ledger, connection)
            return
        ledger.execute("DELETE FROM cursors WHERE connection = ?", (connection,))
    refuse(found, expected)


def known_between(ledger: Ledger, connection: str, start: datetime, end: datetime) -> int:
    """How many records a pull of all that was created in [start, end) must bring at least: all that are known, if
    they were all created then; else 0, for of a part one cannot say."""
    row = ledger.one(
        "SELECT count(*) AS n, min(created_at) AS first, max(created_at) AS last FROM records "
        "WHERE connection = ? AND deleted = 0",
        (connection,),
    )
    if row is None or not row["n"] or row["first"] < stamp(start) or row["last"] >= stamp(end):
        return 0
    return int(row["n"])


def refuse(found: int, expected: int) -> NoReturn:
    """Raises SourceShrunk."""
    raise SourceShrunk(
        f"it shows {found:,} records; before, there were {expected:,}. Nothing was decided or written",
        remedy="Look whether refloop's user may still see all records; if so, run again with --allow-shrink.",
    )


def _await(ledger: Ledger, connection: str, known: int) -> None:
    # begun twice in a row, what was known the first time still counts
    ledger.execute(
        "INSERT INTO meta (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET "
        "value = excluded.value WHERE CAST(excluded.value AS INTEGER) > CAST(meta.value AS INTEGER)",
        (_AWAITED + connection, str(known)),
    )


def _await_no_more(ledger: Ledger, connection: str) -> None:
    ledger.execute("DELETE FROM meta WHERE key = ?", (_AWAITED + connection,))
    end_counting(ledger, connection)


def _known(ledger: Ledger, connection: str) -> int:
    row = ledger.one("SELECT count(*) FROM records WHERE connection = ? AND deleted = 0", (connection,))
    return int(row[0]) if row else 0
