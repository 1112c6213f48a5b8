"""Pushes changes: groups them by record, 100 records a batch, and hands out receipts in the caller's order."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from refloop.connectors.hubspot.batch import Fates, Numbered, fates
from refloop.connectors.hubspot.client import BATCH, BATCH_WITH_HISTORY, Client, chunks
from refloop.connectors.hubspot.history import Sent, told_all
from refloop.connectors.hubspot.records import found_values
from refloop.connectors.hubspot.search import OBJECTS
from refloop.connectors.hubspot.write import Writer
from refloop.model import Change, FieldSpec, Kind, Receipt, Ref, Verdict

_RECORD_ID = re.compile(r"[1-9][0-9]{0,18}")


def push(client: Client, connection: str, changes: Sequence[Change]) -> Iterator[Receipt]:
    """One receipt a change, in their order; each as soon as it and all before it are known.

    Raises AuthError, ConfigError, CrmUnavailable or TryLater when a whole call fails.
    """
    known: Fates = {}
    place = 0
    for step in _steps(client, connection, changes):
        known.update(step)
        while place in known:
            yield known.pop(place)
            place += 1


def read(
    client: Client, connection: str, refs: Sequence[Ref], fields: Sequence[FieldSpec]
) -> Mapping[Ref, Mapping[str, str]]:
    """What our fields hold right now, by a strongly consistent batch read. A record that is gone is missing."""
    found: dict[Ref, Mapping[str, str]] = {}
    for kind in OBJECTS:
        own = [field for field in fields if kind in field.kinds]
        names = [field.name for field in own]
        ids = list(dict.fromkeys(ref.id for ref in refs if ref.kind is kind and _is_ours(ref, connection)))
        for chunk in chunks(ids, BATCH):
            rows = client.batch_read(kind, chunk, names).rows
            asked = set(chunk)  # a merged record comes back under its survivor's id
            found |= {Ref(connection, kind, row.id): found_values(row, own) for row in rows if row.id in asked}
    return found


def recall(client: Client, changes: Sequence[Change]) -> Iterator[Receipt]:
    """What became of changes whose value the record holds, though nobody heard what became of the write: WRITTEN,
    with what it overwrote. One receipt a change, in their order. Raises as `push` does."""
    records: dict[Ref, list[Numbered]] = {}
    for numbered in enumerate(changes):
        records.setdefault(numbered[1].ref, []).append(numbered)
    known: Fates = {}
    for kind, refs in _by_kind(records).items():
        for some in chunks(refs, BATCH_WITH_HISTORY):
            sent = {ref.id: Sent(records[ref], None) for ref in some}
            names = sorted({change.field.name for ref in some for _number, change in records[ref]})
            rows = client.batch_read(kind, list(sent), names, history=True).rows
            known |= told_all(sent, {row.id: row for row in rows})
    yield from (known[place] for place in range(len(changes)))


def _steps(client: Client, connection: str, changes: Sequence[Change]) -> Iterator[Fates]:
    records: dict[Ref, list[Numbered]] = {}
    foreign: list[Numbered] = []
    for number, change in enumerate(changes):
        if _is_ours(change.ref, connection):
            records.setdefault(change.ref, []).append((number, change))
        else:
            foreign.append((number, change))
    yield fates(foreign, Verdict.REFUSED, "HubSpot has no such record")
    writer = Writer(client)
    for kind, refs in _by_kind(records).items():
        for chunk in chunks(refs, BATCH):
            yield writer.settle(kind, {ref.id: records[ref] for ref in chunk})


def _by_kind(refs: Mapping[Ref, object]) -> Mapping[Kind, list[Ref]]:
    return {kind: [ref for ref in refs if ref.kind is kind] for kind in OBJECTS}


def _is_ours(ref: Ref, connection: str) -> bool:
    return ref.connection == connection and ref.kind in OBJECTS and bool(_RECORD_ID.fullmatch(ref.id))
