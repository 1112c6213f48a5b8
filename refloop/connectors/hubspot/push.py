"""Pushes changes: groups them by record, 100 records a batch, and hands out receipts in the caller's order."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from refloop.connectors.base import in_order
from refloop.connectors.hubspot.batch import Numbered, Receipts, all_alike
from refloop.connectors.hubspot.client import BATCH, BATCH_WITH_HISTORY, Client, chunks
from refloop.connectors.hubspot.history import Sent, receipts_by_history
from refloop.connectors.hubspot.look import is_usable
from refloop.connectors.hubspot.names import OBJECTS
from refloop.connectors.hubspot.write import Writer
from refloop.model import FieldChange, Kind, Receipt, Ref, Verdict


def push(client: Client, connection: str, changes: Sequence[FieldChange]) -> Iterator[Receipt]:
    """One receipt a change, in their order; each as soon as it and all before it are known.

    Raises AuthError, ConfigError, CrmUnavailable or TryLater when a whole call fails.
    """
    yield from in_order(changes, _steps(client, connection, changes))


def recall(client: Client, changes: Sequence[FieldChange]) -> Iterator[Receipt]:
    """What became of changes whose value the record holds, though nobody heard what became of the write: WRITTEN,
    with what it overwrote. One receipt a change, in their order. Raises as `push` does."""
    records: dict[Ref, list[Numbered]] = {}
    for numbered in enumerate(changes):
        records.setdefault(numbered[1].ref, []).append(numbered)
    known: Receipts = {}
    for kind, refs in _by_kind(records).items():
        for some in chunks(refs, BATCH_WITH_HISTORY):
            sent = {ref.id: Sent(records[ref], None) for ref in some}
            names = sorted({change.field.name for ref in some for _number, change in records[ref]})
            rows = client.batch_read(kind, list(sent), names, history=True).rows
            known |= receipts_by_history(sent, {row.id: row for row in rows})
    yield from (known[place] for place in range(len(changes)))


def _steps(client: Client, connection: str, changes: Sequence[FieldChange]) -> Iterator[Receipts]:
    records: dict[Ref, list[Numbered]] = {}
    foreign: list[Numbered] = []
    for number, change in enumerate(changes):
        if is_usable(change.ref, connection):
            records.setdefault(change.ref, []).append((number, change))
        else:
            foreign.append((number, change))
    yield all_alike(foreign, Verdict.REFUSED, "HubSpot has no such record")
    writer = Writer(client)
    for kind, refs in _by_kind(records).items():
        for chunk in chunks(refs, BATCH):
            receipts, failure = writer.settle(kind, {ref.id: records[ref] for ref in chunk})
            yield receipts
            if failure is not None:
                raise failure


def _by_kind(refs: Mapping[Ref, object]) -> Mapping[Kind, list[Ref]]:
    return {kind: [ref for ref in refs if ref.kind is kind] for kind in OBJECTS}
