"""What we wrote into the CRMs: the outbox before, the receipts after, and what a person holds against us."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime

from refloop import log
from refloop.ledger.engine.base import Row
from refloop.ledger.queue import Topic, enqueue
from refloop.ledger.records import overlay, records_of
from refloop.ledger.store import Ledger, ref_of
from refloop.model import Change, Conflict, FieldChange, FieldSpec, Receipt, Ref, Verdict, format_time


def written_values(ledger: Ledger, refs: Iterable[Ref], field: str) -> dict[Ref, str | None]:
    """What we last wrote into one field of each of the records, where we ever did."""
    return {ref: fields[field] for ref, fields in all_written(ledger, refs).items() if field in fields}


def intended_values(ledger: Ledger, refs: Iterable[Ref], field: str) -> dict[Ref, str | None]:
    """What was sent to one field of each of the records without an answer, where something was."""
    ledger.select(refs)
    rows = ledger.rows(
        "SELECT o.connection, o.kind, o.id, o.after FROM selection s ORDERED JOIN outbox o "
        "ON o.connection = s.connection AND o.kind = s.kind AND o.id = s.id WHERE o.field = ?",
        (field,),
    )
    return {ref_of(row): row["after"] for row in rows}


def all_written(ledger: Ledger, refs: Iterable[Ref]) -> dict[Ref, dict[str, str | None]]:
    """What we last wrote into each field of each of the records.

    A record that survived a merge may hold what we wrote into one that was merged into it: that is ours too, until we
    write there after the merge was seen. Whoever types the old value then is a person.
    """
    ledger.select(refs)
    rows = ledger.rows(
        "SELECT v.connection, v.kind, v.id, v.field, v.value FROM selection s ORDERED JOIN written v "
        "ON v.connection = s.connection AND v.kind = s.kind AND v.id = s.id"
    )
    found: dict[Ref, dict[str, str | None]] = {}
    for row in rows:
        found.setdefault(ref_of(row), {})[row["field"]] = row["value"]
    for row in ledger.rows(_WRITTEN_BEFORE_A_MERGE):
        own = found.setdefault(ref_of(row), {})
        if row["field"] not in own or row["held"] == row["value"]:
            own[row["field"]] = row["value"]
    return found


_WRITTEN_BEFORE_A_MERGE = """
    WITH RECURSIVE family (connection, kind, id, was_connection, was_kind, was_id) AS (
        SELECT s.connection, s.kind, s.id, l.source_connection, l.source_kind, l.source_id
        FROM selection s ORDERED JOIN links l ON l.target_connection = s.connection AND l.target_kind = s.kind
            AND l.target_id = s.id AND l.relation = 'merged-into'
        UNION
        SELECT f.connection, f.kind, f.id, l.source_connection, l.source_kind, l.source_id
        FROM family f ORDERED JOIN links l ON l.target_connection = f.was_connection AND l.target_kind = f.was_kind
            AND l.target_id = f.was_id AND l.relation = 'merged-into')
    SELECT f.connection, f.kind, f.id, v.field, v.value, json_text(r.found, v.field) AS held FROM family f
    ORDERED JOIN written v ON v.connection = f.was_connection AND v.kind = f.was_kind AND v.id = f.was_id
    LEFT JOIN records r ON r.connection = f.connection AND r.kind = f.kind AND r.id = f.id
    WHERE NOT EXISTS (
        SELECT 1 FROM written o ORDERED JOIN records w
            ON w.connection = f.was_connection AND w.kind = f.was_kind AND w.id = f.was_id
        WHERE o.connection = f.connection AND o.kind = f.kind AND o.id = f.id AND o.field = v.field
            AND w.deleted = 1 AND o.run >= w.changed_run)
    ORDER BY v.run
"""


def refusals(ledger: Ledger, refs: Iterable[Ref]) -> dict[tuple[Ref, str], tuple[str | None, str | None, int]]:
    """(record, field) -> (before, after, how often in a row) of the changes that the CRM refused last time,
    counted since the record last changed."""
    ledger.select(refs)
    rows = ledger.rows(
        "SELECT t.connection, t.kind, t.id, t.field, t.before, t.after, t.verdict FROM selection s "
        "ORDERED JOIN records r ON r.connection = s.connection AND r.kind = s.kind AND r.id = s.id "
        "ORDERED JOIN receipts t ON t.connection = s.connection AND t.kind = s.kind AND t.id = s.id "
        "WHERE t.run >= r.changed_run ORDER BY t.seq"
    )
    found: dict[tuple[Ref, str], tuple[str | None, str | None, int]] = {}
    for row in rows:
        key = (ref_of(row), row["field"])
        before = found.get(key)
        if row["verdict"] != Verdict.REFUSED:
            found.pop(key, None)
        elif before and before[:2] == (row["before"], row["after"]):
            found[key] = (row["before"], row["after"], before[2] + 1)
        else:
            found[key] = (row["before"], row["after"], 1)
    return found


def intend(ledger: Ledger, run: int, changes: Iterable[Change]) -> None:
    """Writes the outbox: what is about to be sent. From here on its fate is unknown until a receipt is kept."""
    ledger.execute_many(
        "INSERT INTO outbox (connection, kind, id, field, before, after, why, run) VALUES (?, ?, ?, ?, ?, ?, ?, ?) "
        "ON CONFLICT (connection, kind, id, field) DO UPDATE SET "
        "before = excluded.before, after = excluded.after, why = excluded.why, run = excluded.run",
        [(*_name(change.ref), change.key, change.before, change.after, change.why, run) for change in changes],
    )


def unsettled(ledger: Ledger, connection: str, specs: Mapping[str, FieldSpec], limit: int) -> list[FieldChange]:
    """Changes of fields by earlier runs, of which nobody knows whether they arrived. Fields that are not ours any more
    are left alone, and so are links."""
    marks = ", ".join("?" * len(specs))
    rows = ledger.rows(
        f"SELECT * FROM outbox WHERE connection = ? AND field IN ({marks}) ORDER BY kind, id, field LIMIT ?",
        (connection, *specs, limit),
    )
    return [FieldChange(ref_of(row), specs[row["field"]], row["before"], row["after"], row["why"]) for row in rows]


def forget_intent(ledger: Ledger, changes: Iterable[Change]) -> None:
    """Takes changes out of the outbox: their fate is known."""
    ledger.execute_many(
        "DELETE FROM outbox WHERE connection = ? AND kind = ? AND id = ? AND field = ?",
        [(*_name(change.ref), change.key) for change in changes],
    )


def keep_receipts(ledger: Ledger, run: int, receipts: Sequence[Receipt], now: datetime) -> Counter[str]:
    """Keeps receipts, empties their outbox, and lays what is now known over the records. One transaction.

    Counts them by verdict, and those that `overwrote` somebody's value once more.
    """
    with ledger.writing():
        settled = [receipt for receipt in receipts if receipt.verdict is not Verdict.UNKNOWN]
        ledger.execute_many(
            "INSERT INTO receipts "
            "(connection, kind, id, field, before, after, found, verdict, reason, overwrote, why, run, at) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            [_columns(receipt, run, now) for receipt in receipts],
        )
        forget_intent(ledger, (receipt.change for receipt in settled))
        _overlay(ledger, settled)
        ledger.moved()
    for receipt in receipts:
        record, field = str(receipt.change.ref), receipt.change.key
        if receipt.verdict not in (Verdict.WRITTEN, Verdict.PRESENT):
            log.warning("change not written", record=record, field=field, verdict=receipt.verdict.value)
        if receipt.overwrote:
            log.warning("overwritten", record=record, field=field)
    counts = Counter(receipt.verdict.value for receipt in receipts)
    if over := sum(receipt.overwrote for receipt in receipts):
        counts["overwrote"] = over
    return counts


def _overlay(ledger: Ledger, receipts: Sequence[Receipt]) -> None:
    """What we know of a record is what was last seen of it, overlaid with our own later receipts.

    What somebody else wrote is news, which the next pull will bring as known already: it is to be matched.
    """
    known: dict[Ref, dict[str, str | None]] = {}
    for receipt in receipts:
        change = receipt.change
        if not isinstance(change, FieldChange):
            continue  # a link is known when the next pull brings it
        if receipt.verdict is Verdict.WRITTEN:
            known.setdefault(change.ref, {})[change.field.name] = change.after
        elif receipt.verdict in (Verdict.PRESENT, Verdict.MOVED):
            known.setdefault(change.ref, {})[change.field.name] = receipt.found
    for record in records_of(ledger, known):
        overlay(ledger, record, known[record.ref])
    enqueue(ledger, Topic.MATCH, {receipt.change.ref for receipt in receipts if receipt.verdict is Verdict.MOVED})


def _columns(receipt: Receipt, run: int, now: datetime) -> tuple[object, ...]:
    change = receipt.change
    return (
        *_name(change.ref),
        change.key,
        change.before,
        change.after,
        receipt.found,
        receipt.verdict.value,
        receipt.reason,
        receipt.overwrote,
        change.why,
        run,
        format_time(now),
    )


def keep_conflicts(ledger: Ledger, run: int, refs: Collection[Ref], conflicts: Iterable[Conflict]) -> None:
    """Replaces the conflicts of those records. One that stands already keeps the run that found it first."""
    fresh = {(conflict.ref, conflict.field): conflict for conflict in conflicts}
    for conflict in conflicts_of(ledger, refs):
        key = (conflict.ref, conflict.field)
        if fresh.get(key) == conflict:
            del fresh[key]
        else:
            ledger.execute(
                "DELETE FROM conflicts WHERE connection = ? AND kind = ? AND id = ? AND field = ?",
                (*_name(conflict.ref), conflict.field),
            )
    ledger.execute_many(
        "INSERT INTO conflicts (connection, kind, id, field, wrote, found, want, why, run) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        [(*_name(c.ref), c.field, c.wrote, c.found, c.want, c.why, run) for c in fresh.values()],
    )
    for conflict in fresh.values():
        log.warning("conflict", record=str(conflict.ref), field=conflict.field)


def conflicts_of(ledger: Ledger, refs: Iterable[Ref]) -> list[Conflict]:
    """The conflicts of those records."""
    ledger.select(refs)
    rows = ledger.rows(
        "SELECT c.* FROM selection s ORDERED JOIN conflicts c "
        "ON c.connection = s.connection AND c.kind = s.kind AND c.id = s.id"
    )
    return [conflict_from(row) for row in rows]


def conflict_from(row: Row) -> Conflict:
    """A row of `conflicts` as the value it was."""
    return Conflict(ref_of(row), row["field"], row["wrote"], row["found"], row["want"], row["why"])


def _name(ref: Ref) -> tuple[str, str, str]:
    return (ref.connection, ref.kind.value, ref.id)
