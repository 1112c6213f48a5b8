"""Reads what our fields hold right now, and decides by that what of a batch is to be written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from refloop.connectors.hubspot.answers import Row
from refloop.connectors.hubspot.batch import GONE, Batch, Numbered, Receipts, all_alike
from refloop.connectors.hubspot.client import BATCH, Client, chunks
from refloop.connectors.hubspot.names import OBJECTS, is_record_id
from refloop.connectors.hubspot.records import canonical_value, found_values
from refloop.model import FieldChange, FieldSpec, Receipt, Ref, Verdict


def read(
    client: Client, connection: str, refs: Sequence[Ref], fields: Sequence[FieldSpec]
) -> Mapping[Ref, Mapping[str, str]]:
    """What our fields hold right now, by a strongly consistent batch read. A record that is gone is missing."""
    found: dict[Ref, Mapping[str, str]] = {}
    for kind in OBJECTS:
        own = [field for field in fields if kind in field.kinds]
        names = [field.name for field in own]
        ids = list(dict.fromkeys(ref.id for ref in refs if ref.kind is kind and is_usable(ref, connection)))
        for chunk in chunks(ids, BATCH):
            rows = client.batch_read(kind, chunk, names).rows
            asked = set(chunk)  # a merged record comes back under its survivor's id
            found |= {Ref(connection, kind, row.id): found_values(row, own) for row in rows if row.id in asked}
    return found


def look(batch: Batch, rows: Mapping[str, Row]) -> tuple[Batch, Receipts]:
    """(what is to be written, the fate of the rest), by what the records hold now."""
    to_write: dict[str, list[Numbered]] = {}
    settled: Receipts = {}
    for record, changes in batch.items():
        row = rows.get(record)
        if row is None:
            settled |= all_alike(changes, Verdict.REFUSED, GONE)
            continue
        for number, change in changes:
            held = held_value(change, row)
            if held == change.after:
                settled[number] = Receipt(change, Verdict.PRESENT, found=held)
            elif held == change.before:
                to_write.setdefault(record, []).append((number, change))
            else:
                settled[number] = Receipt(change, Verdict.MOVED, found=held)
    return to_write, settled


def held_value(change: FieldChange, row: Row) -> str | None:
    return canonical_value(change.field, row.properties.get(change.field.name))


def is_usable(ref: Ref, connection: str) -> bool:
    """Whether HubSpot can be asked for it: a record of this connection, of a kind that HubSpot has."""
    return ref.connection == connection and ref.kind in OBJECTS and is_record_id(ref.id)
