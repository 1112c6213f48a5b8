"""Brings single records by their ids, with the links that leave them, the archived ones too."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from refloop.connectors.hubspot.answers import BatchRead, nonsense
from refloop.connectors.hubspot.client import BATCH, Client, chunks
from refloop.connectors.hubspot.look import is_usable
from refloop.connectors.hubspot.names import OBJECTS
from refloop.connectors.hubspot.page import archived_page, linked_contacts, page_of
from refloop.connectors.hubspot.records import Reader, merged_ids
from refloop.model import Kind, Page, Ref


def missing_of(batch: BatchRead, ids: Sequence[str], what: str) -> list[str]:
    """Those of the ids that an answer does not show, in their order.

    Raises CrmUnavailable where it shows a record that was not asked for, and that none of them was merged into; or
    passes over one that was without a word.
    """
    there = {row.id for row in batch.rows}
    missing = [record for record in ids if record not in there]
    merged = {row.id: merged_ids(row) & set(missing) for row in batch.rows}
    if any(record not in ids and not losers for record, losers in merged.items()):
        raise nonsense(what, "it has a record that was not asked for")
    if set(missing).difference(*merged.values()) and not batch.errors:
        raise nonsense(what, "it says nothing of a record that was asked for")
    return missing


class NamedRecords:
    """Records of one account that are asked for by name.

    Costs a call for a hundred contacts, and two for a hundred deals and their contacts; one more where some of a
    hundred are not there, to see whether they were archived. Raises what `Client` raises.
    """

    def __init__(self, client: Client, reader: Reader) -> None:
        self._client = client
        self._reader = reader

    def pages(self, refs: Sequence[Ref]) -> Iterator[Page]:
        """A page for each batch of ids of a kind, its records in the order of `refs`; what cannot be an id is gone at
        once."""
        own = [ref for ref in dict.fromkeys(refs) if ref.connection == self._reader.connection]
        if gone := tuple(ref for ref in own if not is_usable(ref, self._reader.connection)):
            yield Page(gone=gone)
        for kind in OBJECTS:
            ids = [ref.id for ref in own if ref.kind is kind and is_usable(ref, ref.connection)]
            for some in chunks(ids, BATCH):
                yield self._page(kind, some)

    def _page(self, kind: Kind, ids: Sequence[str]) -> Page:
        """Records that were merged away are gone; where HubSpot shows what they were merged into, that comes too."""
        place = {record: number for number, record in enumerate(ids)}
        properties = self._reader.properties(kind)
        what = f"the batch read of {OBJECTS[kind]}"
        batch = self._client.batch_read(kind, ids, properties)
        rows, missing = batch.rows, missing_of(batch, ids, what)
        archived = self._client.batch_read(kind, missing, properties, archived=True).rows if missing else ()
        if not {row.id for row in archived} <= set(missing):
            raise nonsense(what, "it has an archived record that was not asked for")
        page = page_of(self._reader, kind, rows, linked_contacts(self._client, kind, rows))
        deleted = archived_page(self._reader, kind, archived)
        records = (*page.records, *deleted.records)
        gone = [record for record in missing if record not in {row.id for row in archived}]
        return replace(
            page,
            records=tuple(sorted(records, key=lambda record: place.get(record.ref.id, len(place)))),
            links=(*page.links, *deleted.links),
            gone=tuple(Ref(self._reader.connection, kind, record) for record in gone),
        )
