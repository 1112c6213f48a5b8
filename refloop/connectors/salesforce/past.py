"""What fields held before, by the histories that an org keeps of the fields that it tracks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from types import MappingProxyType

from refloop.connectors.salesforce.answers import Row
from refloop.connectors.salesforce.client import MOST_PARTS, Client, ForeignAnswer, Part
from refloop.connectors.salesforce.ids import record_id
from refloop.connectors.salesforce.look import by_kind, usable_id
from refloop.connectors.salesforce.named import MOST_IDS
from refloop.connectors.salesforce.names import crm_name
from refloop.connectors.salesforce.records import Reader
from refloop.connectors.salesforce.seen import rows_of, seen
from refloop.connectors.salesforce.soql import changes_query
from refloop.connectors.salesforce.values import from_crm, moment
from refloop.model import FieldHistory, FieldType, Kind, Ref, Version

OBJECTS: Mapping[Kind, tuple[str, str]] = MappingProxyType(
    {
        Kind.LEAD: ("LeadHistory", "LeadId"),
        Kind.CONTACT: ("ContactHistory", "ContactId"),
        Kind.DEAL: ("OpportunityFieldHistory", "OpportunityId"),
    }
)
"""The object that holds the changes of each kind, and its field that names the record."""

_OUR_CODE = "_code"
_Chunk = tuple[Kind, Sequence[str]]


class Histories:
    """The pasts of the fields with codes of one org: a call for 1,250 records. Raises as `Client` does."""

    def __init__(self, client: Client, reader: Reader) -> None:
        self._client = client
        self._reader = reader

    def of(self, refs: Sequence[Ref]) -> Iterator[FieldHistory]:
        """What is kept, oldest first. Nothing where the org does not track a field, or the run user may not see.

        Tracking begins when an administrator switches it on, and ends after 18 to 24 months (Salesforce Security Guide,
        "Field History Tracking"); what a record was created with is never a change. So the oldest version is what a
        field held before its first change that is kept, and none is certainly the one of the creation. Of a long text
        is told that it changed. Values of one second are in no certain order.
        """
        ids = by_kind(
            (ref.kind, usable) for ref in refs if (usable := usable_id(ref, self._reader.connection)) is not None
        )
        chunks = [
            (kind, ids[kind][at : at + MOST_IDS])
            for kind in ids
            if self._names(kind)
            for at in range(0, len(ids[kind]), MOST_IDS)
        ]
        for at in range(0, len(chunks), MOST_PARTS):
            yield from self._asked(chunks[at : at + MOST_PARTS])

    def _asked(self, chunks: Sequence[_Chunk]) -> Iterator[FieldHistory]:
        first = seen(self._client, [self._part(place, chunk, "") for place, chunk in enumerate(chunks)])
        for chunk, body in zip(chunks, first, strict=True):
            kind = chunk[0]
            page = rows_of(OBJECTS[kind][0], body)
            rows = list(page.rows)
            while page.last is not None:
                page = rows_of(OBJECTS[kind][0], self._client.call(self._part(0, chunk, page.last)), page.last)
                rows += page.rows
            try:
                yield from self._histories(kind, rows)
            except ValueError as error:
                raise ForeignAnswer(f"a query of {OBJECTS[kind][0]}", str(error)) from None

    def _part(self, place: int, chunk: _Chunk, after: str) -> Part:
        kind, ids = chunk
        name, parent = OBJECTS[kind]
        query = changes_query(name, (parent, ids), sorted(self._names(kind).values()), after)
        # changes of 18 to 24 months ago are found only so (Security Guide, "Field History Tracking")
        return Part(f"{name}{place}", "GET", "queryAll", {"q": query})

    def _names(self, kind: Kind) -> Mapping[str, str]:
        """The fields that may carry a code, as Salesforce calls them, by that name in lower case."""
        ours = (crm_name(field) for field in self._reader.fields if kind in field.kinds and _is_code(field.name))
        return {name.casefold(): name for name in (*self._reader.settings.fields_with_codes(kind), *ours)}

    def _histories(self, kind: Kind, rows: Sequence[Row]) -> Iterator[FieldHistory]:
        parent = OBJECTS[kind][1]
        names = self._names(kind)
        ours = {crm_name(field).casefold(): field.name for field in self._reader.fields}
        changes: dict[tuple[str, str], list[tuple[datetime, str, Row]]] = {}
        for row in rows:
            name = str(row.get("Field"))
            if name.casefold() in names:
                change = (moment(row.get("CreatedDate")), record_id(row.get("Id")), row)
                changes.setdefault((record_id(row.get(parent)), name), []).append(change)
        for (record, name), some in changes.items():
            ref = Ref(self._reader.connection, kind, record)
            versions = _versions(sorted(some, key=lambda change: change[:2]))
            yield FieldHistory(ref, ours.get(name.casefold(), name), tuple(versions))


def _is_code(name: str) -> bool:
    return name.endswith(_OUR_CODE)


def _versions(changes: Sequence[tuple[datetime, str, Row]]) -> Iterator[Version]:
    for number, (at, _, row) in enumerate(changes):
        was, now = (from_crm(FieldType.TEXT, row.get(name)) for name in ("OldValue", "NewValue"))
        if was is None and now is None:
            yield Version(at, None, is_told=False)
            continue
        if number == 0:
            yield Version(at, was)  # since when it held that, nobody knows: no later than this
        yield Version(at, now)
