"""What the CRMs call their fields, and which of ours they lack, as their accounts said last."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from refloop.ledger.queue import Topic, enqueue_selected
from refloop.ledger.store import Ledger
from refloop.ledger.summaries import REFERRERS_CONTACTS
from refloop.mapping.labels import Labels
from refloop.model import Described, FieldLabel, Kind, format_time

_TOLD = (
    "SELECT connection, kind, id FROM members WHERE connection = ?",
    "SELECT connection, kind, id FROM current_credits WHERE connection = ?",
    "SELECT connection, kind, id FROM questions WHERE connection = ?",
    f"{REFERRERS_CONTACTS} AND x.connection = ?",
)
"""The records of a connection in which a field of ours may have something to say."""


def keep_described(ledger: Ledger, connection: str, said: Described, now: datetime) -> frozenset[tuple[Kind, str]]:
    """Keeps what an account says of its fields. Where it has a field that it lacked, whatever may be said there is
    planned. Returns the fields that it lacks since now."""
    before = lacking(ledger).get(connection, frozenset())
    rows = {(one.kind, one.field): (one.label, one.said) for one in said.labels}
    with ledger.writing():
        ledger.execute("DELETE FROM field_labels WHERE connection = ?", (connection,))
        ledger.execute_many(
            "INSERT INTO field_labels (connection, kind, field, label, said, is_lacking) VALUES (?, ?, ?, ?, ?, ?)",
            [
                (connection, kind.value, name, *rows.get((kind, name), ("", "")), int((kind, name) in said.lacking))
                for kind, name in sorted({*rows, *said.lacking})
            ],
        )
        ledger.execute(
            "INSERT INTO field_labels_of (connection, crm, at) VALUES (?, ?, ?) ON CONFLICT (connection) "
            "DO UPDATE SET crm = excluded.crm, at = excluded.at",
            (connection, said.crm, format_time(now)),
        )
        if before - said.lacking:
            for names in _TOLD:
                enqueue_selected(ledger, Topic.PLAN, names, (connection,))
            ledger.moved()
    return said.lacking - before


def described_since(ledger: Ledger, connection: str, moment: datetime) -> bool:
    """Whether an account said what it calls its fields after a moment."""
    row = ledger.one("SELECT at FROM field_labels_of WHERE connection = ?", (connection,))
    return row is not None and row["at"] > format_time(moment)


def labels(ledger: Ledger) -> Labels:
    """What all connections call their fields."""
    crms = {row["connection"]: row["crm"] for row in ledger.rows("SELECT connection, crm FROM field_labels_of")}
    said: dict[str, list[FieldLabel]] = {}
    for row in ledger.rows("SELECT * FROM field_labels WHERE label <> ''"):
        one = FieldLabel(Kind(row["kind"]), row["field"], row["label"], row["said"])
        said.setdefault(row["connection"], []).append(one)
    return Labels.of({name: Described(crm, tuple(said.get(name, ()))) for name, crm in crms.items()})


def lacking(ledger: Ledger) -> Mapping[str, frozenset[tuple[Kind, str]]]:
    """The fields of ours that accounts lack, by connection: each by kind and name."""
    found: dict[str, set[tuple[Kind, str]]] = {}
    for row in ledger.rows("SELECT connection, kind, field FROM field_labels WHERE is_lacking = 1"):
        found.setdefault(row["connection"], set()).add((Kind(row["kind"]), row["field"]))
    return {name: frozenset(fields) for name, fields in found.items()}
