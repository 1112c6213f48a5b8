"""What comes due by time alone: nothing that changes in a CRM would put it into a queue."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from refloop.ledger.queue import Topic
from refloop.ledger.record_rows import stamp
from refloop.ledger.store import Ledger
from refloop.model import Ref


def look_again(ledger: Ledger, topic: Topic, refs: Iterable[Ref], at: datetime) -> None:
    """Has the stage of a topic look at records when `at` has come; of two times for the same one the earlier counts."""
    _due(ledger, [(topic.value, ref.connection, ref.kind.value, ref.id, stamp(at)) for ref in refs])


def look_again_ids(ledger: Ledger, topic: Topic, ids: Iterable[str], at: datetime) -> None:
    """The same for referrals and referrers, which are named by an id alone."""
    _due(ledger, [(topic.value, "", "", name, stamp(at)) for name in ids])


def _due(ledger: Ledger, rows: list[tuple[str, str, str, str, str]]) -> None:
    ledger.execute_many(
        "INSERT INTO due (topic, connection, kind, id, at) VALUES (?, ?, ?, ?, ?) "
        "ON CONFLICT (topic, connection, kind, id) DO UPDATE SET at = excluded.at WHERE excluded.at < due.at",
        rows,
    )


def wake(ledger: Ledger, now: datetime) -> None:
    """Puts what has come due into its queue. Costs one look at an index when nothing has."""
    until = stamp(now)
    if ledger.one("SELECT 1 FROM due WHERE at <= ? LIMIT 1", (until,)) is None:
        return
    with ledger.writing():
        ledger.execute(
            "INSERT INTO queue (topic, connection, kind, id) "
            "SELECT topic, connection, kind, id FROM due WHERE at <= ? ON CONFLICT DO NOTHING",
            (until,),
        )
        ledger.execute("DELETE FROM due WHERE at <= ?", (until,))
        ledger.moved()
