"""Brings single records by their ids, with the links that leave them, the deleted ones too."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from refloop.connectors.salesforce.account import Account
from refloop.connectors.salesforce.answers import Row
from refloop.connectors.salesforce.client import MOST_PARTS, Client, ForeignAnswer, Part
from refloop.connectors.salesforce.errors import SchemaChanged
from refloop.connectors.salesforce.fields import Layout, layout
from refloop.connectors.salesforce.look import by_kind, usable_id
from refloop.connectors.salesforce.names import OBJECTS, ROLE
from refloop.connectors.salesforce.page import KINDS, Pages
from refloop.connectors.salesforce.seen import checked_pages
from refloop.connectors.salesforce.soql import ids_query
from refloop.model import Kind, Page, Ref, Relation

MOST_IDS = 250
"""Ids of one query: with them, and some sixty fields, its address stays well below the 16,384 bytes that Salesforce
takes (REST docs, "Status Codes and Error Responses": 414)."""

_Chunk = tuple[str, Sequence[str]]
"""An object, and the ids of some of its records."""


class NamedRecords:
    """Records of one org that are asked for by name.

    Costs one call for up to 1,250 leads or contacts, or 500 deals, which are asked for together with their contact
    roles; more where Salesforce cuts an answer short. Raises as `Client` does.
    """

    def __init__(self, pages: Pages, client: Client, account: Account, known: Layout | None = None) -> None:
        """`known` spares a description of the org."""
        self._pages = pages
        self._reader = pages.reader
        self._client = client
        self._account = account
        self._known = known

    def pages(self, refs: Sequence[Ref]) -> Iterator[Page]:
        """A page for each chunk of ids, its records in the order of `refs`; what cannot be an id is gone at once."""
        known = {ref: usable_id(ref, self._reader.connection) for ref in refs}
        ids = by_kind((ref.kind, usable) for ref, usable in known.items() if usable)
        unusable = (ref for ref, usable in known.items() if usable is None)
        if gone := tuple(ref for ref in unusable if ref.connection == self._reader.connection):
            yield Page(gone=gone)
        chunks = [
            (OBJECTS[kind], ids[kind][at : at + MOST_IDS]) for kind in ids for at in range(0, len(ids[kind]), MOST_IDS)
        ]
        for some in _calls(chunks):
            rows = self._rows(some)
            yield from (self._page(name, wanted, rows[place]) for place, (name, wanted) in enumerate(some))

    def _page(self, name: str, ids: Sequence[str], rows: Mapping[str, Sequence[Row]]) -> Page:
        page = self._pages.page(rows)
        named = [Ref(self._reader.connection, KINDS[name], text) for text in ids]
        brought = {record.ref: record for record in page.records}
        if not brought.keys() <= set(named):
            raise ForeignAnswer(f"a query of {name}", "it has a row that was not asked for")
        there = [ref for ref in named if ref in brought]
        return replace(
            page,
            records=tuple(brought[ref] for ref in there),
            whole=tuple((ref, Relation.ASSOCIATED_WITH) for ref in there if ref.kind is Kind.DEAL),
            gone=tuple(ref for ref in named if ref not in brought),
        )

    def _rows(self, chunks: Sequence[_Chunk]) -> Sequence[Mapping[str, Sequence[Row]]]:
        """The rows of each chunk, by object; asked again where the org has changed since it was described."""
        try:
            return self._asked(chunks, self._layout())
        except SchemaChanged:
            return self._asked(chunks, self._layout(afresh=True))

    def _layout(self, *, afresh: bool = False) -> Layout:
        if self._known is not None and not afresh:
            return self._known
        return layout(self._account.schemas(afresh=afresh), self._reader.settings, self._reader.fields)

    def _asked(self, chunks: Sequence[_Chunk], known: Layout) -> Sequence[Mapping[str, Sequence[Row]]]:
        found: list[dict[str, list[Row]]] = [{name: [] for name in _asked_for(chunk)} for chunk in chunks]
        after = {(place, name): "" for place, rows in enumerate(found) for name in rows}
        while after:
            parts = [_part(place, name, chunks[place][1], known, last) for (place, name), last in after.items()]
            brought = checked_pages(self._client, parts, self._client.each(parts), list(after.values()))
            pages = dict(zip(after, brought, strict=True))
            for (place, name), page in pages.items():
                found[place][name] += page.rows
            after = {key: page.last for key, page in pages.items() if page.last is not None}
        return found


def _calls(chunks: Sequence[_Chunk]) -> Iterator[Sequence[_Chunk]]:
    """The chunks of each call: as many as its queries may be."""
    waiting, queries = list[_Chunk](), 0
    for chunk in chunks:
        more = len(_asked_for(chunk))
        if queries + more > MOST_PARTS:
            yield waiting
            waiting, queries = [], 0
        waiting.append(chunk)
        queries += more
    if waiting:
        yield waiting


def _asked_for(chunk: _Chunk) -> Sequence[str]:
    """The objects that a chunk takes a query of."""
    return (chunk[0], ROLE) if chunk[0] == OBJECTS[Kind.DEAL] else (chunk[0],)


def _part(place: int, name: str, ids: Sequence[str], known: Layout, after: str) -> Part:
    by = "OpportunityId" if name == ROLE else "Id"
    return Part(f"{name}{place}", "GET", "queryAll", {"q": ids_query(name, known[name], (by, ids), after)})
