"""What a CRM showed and shows no more: whether it was deleted, or taken off by a person.

A CRM drops the links of a record with the record: HubSpot shows no association of an archived contact, and Salesforce
deletes the roles of a deleted one. A link that is only missed stands until its person was asked for by name. It is kept
where one of its ends was deleted, because a deletion takes nothing back; else it was taken off, and goes.
"""

from __future__ import annotations

from collections.abc import Iterator

from refloop.ledger.queue import Topic, dequeue, enqueue, enqueue_selected, next_refs
from refloop.ledger.records import (
    AWAITED,
    KEPT,
    LINK_COLUMNS,
    MISSED,
    THIS_EDGE,
    ends_of,
    forget_edges,
    is_to_person,
    record_of,
)
from refloop.ledger.store import Ledger
from refloop.model import Kind, Ref

AT_ONCE = 1000
_EDGES = f"SELECT {LINK_COLUMNS} FROM links WHERE source_connection = ? AND missed = ? AND missed <> ''"


def to_ask(ledger: Ledger, connection: str) -> list[Ref]:
    """The next records of a connection that are to be asked for by name; at most `AT_ONCE`."""
    return next_refs(ledger, Topic.ASK, AT_ONCE, connection=connection)


def asked(ledger: Ledger, refs: list[Ref]) -> None:
    """Takes records off that list."""
    with ledger.writing():
        dequeue(ledger, Topic.ASK, refs)


def settle(ledger: Ledger, connection: str) -> None:
    """Keeps or takes off each link of a connection that is missed. To be called when `to_ask` has no more."""
    edges = [tuple(row) for row in ledger.rows(_EDGES, (connection, MISSED))]
    if not edges:
        return
    with ledger.writing():
        kept = [edge for edge in edges if any(_is_gone(ledger, ref) for ref in _on_which_it_hangs(edge))]
        ledger.execute_many(f"UPDATE links SET missed = ? WHERE {THIS_EDGE}", [(KEPT, *edge) for edge in kept])
        dropped = forget_edges(ledger, set(edges).difference(kept))
        enqueue(ledger, Topic.MATCH, dropped)
        if dropped:
            ledger.moved()


def await_all(ledger: Ledger) -> int:
    """Says that everything is to be read again: records and links stay as they are until their CRM shows them again, or
    is asked for them. Returns how many records there are."""
    ledger.execute("UPDATE links SET missed = ? WHERE missed <> ?", (AWAITED, KEPT))
    return ledger.execute("UPDATE records SET awaited = 1")


def came_back(ledger: Ledger, connection: str) -> None:
    """After everything of a connection was read: what it did not show is missed. What was known as deleted stays so."""
    if not ledger.one("SELECT 1 FROM records WHERE connection = ? AND awaited = 1", (connection,)) and not ledger.one(
        "SELECT 1 FROM links WHERE source_connection = ? AND missed = ? AND missed <> ''", (connection, AWAITED)
    ):
        return
    with ledger.writing():
        enqueue_selected(
            ledger,
            Topic.ASK,
            "SELECT connection, kind, id FROM records WHERE connection = ? AND awaited = 1 AND deleted = 0",
            (connection,),
        )
        ledger.execute("UPDATE records SET awaited = 0 WHERE connection = ? AND awaited = 1", (connection,))
        enqueue_selected(
            ledger,
            Topic.ASK,
            "SELECT target_connection, target_kind, target_id FROM links WHERE source_connection = ? AND missed = ? "
            "AND missed <> '' AND relation = 'associated-with' AND target_kind <> 'deal'",
            (connection, AWAITED),
        )
        ledger.execute(
            "UPDATE links SET missed = ? WHERE source_connection = ? AND missed = ? AND missed <> ''",
            (MISSED, connection, AWAITED),
        )


def _on_which_it_hangs(edge: tuple[str, ...]) -> tuple[Ref, ...]:
    """The records with which a CRM drops a link: both ends of a person's on a deal; else the one that tells."""
    ends = ends_of(edge)
    return ends if is_to_person(edge) else ends[:1]


def _is_gone(ledger: Ledger, ref: Ref) -> bool:
    """Whether a record was deleted; of one that was merged into another, whether that one was."""
    passed: set[Ref] = set()
    while ref not in passed:
        passed.add(ref)
        record = record_of(ledger, ref)
        if record is None or not record.deleted:
            return record is None and len(passed) > 1
        ref = next(_merged_into(ledger, ref), ref)
    return True


def _merged_into(ledger: Ledger, ref: Ref) -> Iterator[Ref]:
    rows = ledger.rows(
        "SELECT target_connection, target_kind, target_id FROM links WHERE source_connection = ? AND source_kind = ? "
        "AND source_id = ? AND relation = 'merged-into' ORDER BY target_id",
        (ref.connection, ref.kind.value, ref.id),
    )
    return iter([Ref(row[0], Kind(row[1]), row[2]) for row in rows])
