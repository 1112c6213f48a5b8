"""What fields held before, by the histories that HubSpot keeps (HubSpot docs, CRM objects, `propertiesWithHistory`)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta

from refloop.connectors.hubspot.answers import Row
from refloop.connectors.hubspot.answers import Version as Said
from refloop.connectors.hubspot.client import BATCH_WITH_HISTORY, Client, chunks
from refloop.connectors.hubspot.fields import Schema, is_ours
from refloop.connectors.hubspot.look import is_usable
from refloop.connectors.hubspot.names import OBJECTS
from refloop.connectors.hubspot.records import LABEL, Reader, merged_ids
from refloop.model import FieldHistory, Kind, Ref, Version

MERGED = ("hs_merged_object_ids", "hs_calculated_merged_vids", "hs_all_contact_vids")
_OUR_CODE = "_code"
_KEPT = 20
"""How many values of a property HubSpot keeps at least: of a contact's it is 45."""
_AT_ONCE = timedelta(minutes=1)
"""What a record was given within it after it was made, it was made with: an app may do that in two calls."""


class Histories:
    """The pasts of the fields with codes of one account: a call for fifty records, and one for the properties of their
    kind. Raises what `Client` raises."""

    def __init__(self, client: Client, reader: Reader, schema: Schema) -> None:
        self._client = client
        self._reader = reader
        self._schema = schema

    def of(self, refs: Sequence[Ref]) -> Iterator[FieldHistory]:
        """What is kept, oldest first. A field that always was empty is left out; so is a record that was merged away,
        archived or erased."""
        for kind in OBJECTS:
            names = self._names(kind)
            own = (ref.id for ref in refs if ref.kind is kind and is_usable(ref, self._reader.connection))
            ids = list(dict.fromkeys(own)) if names else []
            for some in chunks(ids, BATCH_WITH_HISTORY):
                batch = self._client.batch_read(kind, some, names, history=True, beside=MERGED)
                for row in batch.rows:
                    if row.id in some:
                        yield from self._of_row(kind, row)

    def _names(self, kind: Kind) -> tuple[str, ...]:
        ours = (one.name for one in self._schema.properties(kind).values() if is_ours(one))
        return tuple(
            dict.fromkeys((*self._reader.code_fields(kind), *(one for one in ours if one.endswith(_OUR_CODE))))
        )

    def _of_row(self, kind: Kind, row: Row) -> Iterator[FieldHistory]:
        for name, said in row.history.items():
            held = tuple(reversed(said))
            if any(one.value for one in held):
                yield self._history(kind, row, name, [self._read(kind, name, one) for one in held])
        for name in self._reader.account.layout().choices.get(kind, ()):
            held = tuple(reversed(row.history.get(name, ())))
            read = [self._read(kind, name, one, LABEL) for one in held]
            if any(one.text for one in read):
                yield self._history(kind, row, name + LABEL, read)

    def _read(self, kind: Kind, name: str, said: Said, ending: str = "") -> Version:
        texts: Mapping[str, str] = {name: said.value or ""}
        if ending:
            texts = self._reader.texts(kind, texts)
        return Version(said.at, texts.get(name + ending) or None)

    def _history(self, kind: Kind, row: Row, name: str, versions: list[Version]) -> FieldHistory:
        """With what the record was made is known where nothing was cut off, nor brought along by a merge: before its
        first value, a field was empty."""
        is_whole = len(versions) < _KEPT and not merged_ids(row) - {row.id}
        if is_whole and versions[0].at > row.created + _AT_ONCE:
            versions.insert(0, Version(row.created, None))
        return FieldHistory(Ref(self._reader.connection, kind, row.id), name, tuple(versions), is_whole)
