"""What is still to be looked at, by topic. Work is done on what changed, in chunks, and survives a crash."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum

from refloop.ledger.store import Ledger, ref_of
from refloop.model import Ref


class Topic(StrEnum):
    """The stages between a page and a push, in their order."""

    CODES = "codes"  # not a stage: keys of codes that changed, where they may stand is to be read again
    ASK = "ask"  # not a stage: records to be asked for by name before anything is decided
    MATCH = "match"  # records whose content or links changed
    HISTORY = "history"  # records of which the CRM is to be asked what their fields held before
    CLAIM = "claim"  # persons, and deals that carry a code, whose referrals are to be decided anew
    CREDIT = "credit"  # deals to be credited anew
    STATUS = "status"  # referrals whose standing is to be decided anew
    TOTAL = "total"  # referrers whose figures changed
    PLAN = "plan"  # records whose fields are to be compared with what the ledger says


def enqueue(ledger: Ledger, topic: Topic, refs: Iterable[Ref]) -> None:
    """Puts records on the list of a topic; once, however often they are named."""
    rows = [(topic.value, ref.connection, ref.kind.value, ref.id) for ref in refs]
    if rows:
        ledger.execute_many(
            "INSERT INTO queue (topic, connection, kind, id) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING", rows
        )


def enqueue_ids(ledger: Ledger, topic: Topic, ids: Iterable[str]) -> None:
    """The same for things that are named by an id alone: referrals and referrers."""
    ledger.execute_many(
        "INSERT INTO queue (topic, connection, kind, id) VALUES (?, '', '', ?) ON CONFLICT DO NOTHING",
        ((topic.value, name) for name in ids),
    )


def enqueue_selected(ledger: Ledger, topic: Topic, select: str, parameters: Iterable[object] = ()) -> None:
    """Puts on the list of a topic whatever a query names: its columns are connection, kind and id. The names go from
    table to table; none of them comes into memory."""
    ledger.execute(
        # without "WHERE true", SQLite takes ON CONFLICT for the ON of a join
        f"INSERT INTO queue (topic, connection, kind, id) SELECT ?, q.* FROM ({select}) AS q WHERE true "
        "ON CONFLICT DO NOTHING",
        (topic.value, *parameters),
    )


def next_refs(
    ledger: Ledger, topic: Topic, limit: int, *, after: Ref | None = None, connection: str | None = None
) -> list[Ref]:
    """The next records of a topic, of one connection or of all, in the order of their names, behind `after`."""
    start = (after.connection, after.kind.value, after.id) if after else (connection or "", "", "")
    mine = "AND connection = ? " if connection else ""
    rows = ledger.rows(
        f"SELECT connection, kind, id FROM queue WHERE topic = ? {mine}AND (connection, kind, id) > (?, ?, ?) "
        "ORDER BY connection, kind, id LIMIT ?",
        (topic.value, *([connection] if connection else []), *start, limit),
    )
    return [ref_of(row) for row in rows]


def next_ids(ledger: Ledger, topic: Topic, limit: int) -> list[str]:
    """The next ids of a topic, in order."""
    rows = ledger.rows(
        "SELECT id FROM queue WHERE topic = ? AND connection = '' AND kind = '' ORDER BY id LIMIT ?",
        (topic.value, limit),
    )
    return [row["id"] for row in rows]


def dequeue(ledger: Ledger, topic: Topic, refs: Iterable[Ref]) -> None:
    """Takes records off the list of a topic."""
    ledger.execute_many(
        "DELETE FROM queue WHERE topic = ? AND connection = ? AND kind = ? AND id = ?",
        ((topic.value, ref.connection, ref.kind.value, ref.id) for ref in refs),
    )


def dequeue_up_to(ledger: Ledger, topic: Topic, last: Ref) -> None:
    """Takes off a topic's list all records up to `last`, in the order in which `next_refs` brings them."""
    ledger.execute(
        "DELETE FROM queue WHERE topic = ? AND (connection, kind, id) <= (?, ?, ?)",
        (topic.value, last.connection, last.kind.value, last.id),
    )


def dequeue_ids(ledger: Ledger, topic: Topic, ids: Iterable[str]) -> None:
    """Takes ids off the list of a topic."""
    ledger.execute_many(
        "DELETE FROM queue WHERE topic = ? AND connection = '' AND kind = '' AND id = ?",
        ((topic.value, name) for name in ids),
    )


def dequeue_all(ledger: Ledger, topic: Topic) -> None:
    """Takes everything off the list of a topic."""
    ledger.execute("DELETE FROM queue WHERE topic = ?", (topic.value,))


def pending(ledger: Ledger, topic: Topic) -> int:
    """How many things a topic still holds."""
    row = ledger.one("SELECT count(*) FROM queue WHERE topic = ?", (topic.value,))
    return int(row[0]) if row else 0
