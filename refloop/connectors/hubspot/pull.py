"""Pulls contacts, deals and their links: phases in ascending order of record id, each step a page with its cursor."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from refloop.connectors.hubspot import search
from refloop.connectors.hubspot.answers import Found, Row
from refloop.connectors.hubspot.client import BATCH, EDGES, Client, chunks
from refloop.connectors.hubspot.cursor import FULL, SWEEP, TICK, Phase, Progress, read_cursor
from refloop.connectors.hubspot.full import FullPull
from refloop.connectors.hubspot.id_ranges import ALL, IdRange
from refloop.connectors.hubspot.named import NamedRecords
from refloop.connectors.hubspot.names import OBJECTS
from refloop.connectors.hubspot.page import archived_page, linked_contacts, page_of
from refloop.connectors.hubspot.paging import ResultPage, list_pages, search_pages
from refloop.connectors.hubspot.records import Reader
from refloop.connectors.hubspot.search import Filter, Query, milliseconds
from refloop.errors import LedgerError
from refloop.model import Between, Cursor, Everything, Kind, Named, Page, Since, Span

_HOUR = 3_600_000
_DAY = 24 * _HOUR
_MINUTE = 60_000


@dataclass(frozen=True, slots=True)
class _Step:
    """One page of a phase. `place` is how far it got: a range of ids, or a page in ascending order of them."""

    place: ResultPage | IdRange
    page: Page

    def after(self, progress: Progress) -> Progress:
        if isinstance(self.place, IdRange):
            return progress.covered(self.place)
        return progress.next_phase() if self.place.done else progress.at(self.place.last)


class Puller:
    """One pull of one account. Raises what `Client` raises, and LedgerError for a cursor that cannot be."""

    def __init__(self, client: Client, reader: Reader) -> None:
        self._client = client
        self._reader = reader
        self._look_back = reader.settings.look_back * _MINUTE

    def pages(self, span: Span) -> Iterator[Page]:
        match span:
            case Everything():
                yield from self._everything()
            case Since(cursor):
                yield from self._since(cursor)
            case Between(start, end):
                yield from self._between(start, end)
            case Named(refs):
                yield from NamedRecords(self._client, self._reader).pages(refs)

    def _everything(self) -> Iterator[Page]:
        self._reader.account.stages()  # any first answer tells the server's time; this one is needed anyway
        yield from self._run(Progress(until=self._now(), todo=FULL, left=ALL))

    def _since(self, cursor: Cursor) -> Iterator[Page]:
        """What an interrupted pull left undone, then what is new."""
        progress = read_cursor(cursor)
        if progress.under_way:
            progress = yield from self._run(progress)
        start = progress.mark - self._look_back
        # The first search is open-ended: its own answer tells the server's time, at no extra call.
        opening = self._query(Kind.CONTACT, search.modified(Kind.CONTACT, start, None))
        first = self._client.search(opening.kind, opening.body(0))
        now = self._now()
        if now + _HOUR < progress.mark:
            raise LedgerError(
                "the last pull of a HubSpot connection is, by HubSpot's clock, in the future",
                remedy="Pull that connection anew from the start: what changed in between may be missing.",
            )
        todo = TICK + SWEEP if now - progress.swept >= _DAY else TICK
        yield from self._run(replace(progress, until=now, todo=todo, last=0), first)

    def _between(self, start: datetime, end: datetime) -> Iterator[Page]:
        low, high = milliseconds(start), milliseconds(end - timedelta.resolution)  # the end is outside
        for kind in OBJECTS:
            query = self._query(kind, search.modified(kind, low, high), search.created(low, high))
            for step in self._matching(query, 0):
                yield step.page

    def _run(self, progress: Progress, first: Found | None = None) -> Generator[Page, None, Progress]:
        """Walks to the end of `todo`. `first` is the first phase's first answer, where it is there already."""
        while progress.under_way:
            for step in self._phase(progress, first):
                progress = step.after(progress)
                yield replace(step.page, cursor=progress.cursor())
            first = None
        return progress

    def _phase(self, progress: Progress, first: Found | None) -> Iterator[_Step]:
        last = progress.last
        match progress.todo[0]:
            case Phase.ALL:
                return self._all(progress.left)
            case Phase.CONTACTS:
                return self._changed(Kind.CONTACT, progress, first)
            case Phase.DEALS:
                return self._changed(Kind.DEAL, progress, first)
            case Phase.OPEN_LINKS:
                return self._open_links(last)
            case Phase.GONE_CONTACTS:
                return self._gone(Kind.CONTACT, last)
            case Phase.GONE_DEALS:
                return self._gone(Kind.DEAL, last)

    def _all(self, left: Sequence[IdRange]) -> Iterator[_Step]:
        queries = {kind: {"properties": ",".join(self._reader.properties(kind))} for kind in OBJECTS}
        queries[Kind.DEAL]["associations"] = "contacts"  # asked on the side of the deals alone: there are fewer
        for page in FullPull(self._client, queries).pages(left):
            yield _Step(page.id_range, page_of(self._reader, page.id_range.kind, page.rows, page.linked))

    def _gone(self, kind: Kind, last: int) -> Iterator[_Step]:
        """Archived records: HubSpot keeps them for about 90 days, and shows them only here."""
        query = {"properties": ",".join(self._reader.properties(kind)), "archived": "true"}
        for listed in list_pages(self._client, kind, query, last):
            yield _Step(listed, archived_page(self._reader, kind, listed.rows))

    def _changed(self, kind: Kind, progress: Progress, first: Found | None) -> Iterator[_Step]:
        # The Date header cuts to whole seconds: what was modified within that second is there already.
        window = search.modified(kind, progress.mark - self._look_back, progress.until + 999)
        return self._matching(self._query(kind, window), progress.last, first)

    def _matching(self, query: Query, last: int, first: Found | None = None) -> Iterator[_Step]:
        for found in search_pages(self._client, query, last, first):
            rows = self._completed(query, found.rows)
            yield _Step(found, page_of(self._reader, query.kind, rows, linked_contacts(self._client, query.kind, rows)))

    def _open_links(self, last: int) -> Iterator[_Step]:
        """The contacts of every open deal: a change of links alone does not touch a deal's modified date."""
        deals: list[str] = []
        query = Query(Kind.DEAL, search.not_closed(), ("hs_object_id",))
        for found in search_pages(self._client, query, last):
            deals.extend(row.id for row in found.rows)
            if found.done or len(deals) + search.LIMIT > EDGES:
                linked = self._client.contacts_of(deals) if deals else {}
                yield _Step(found, page_of(self._reader, Kind.DEAL, (), linked))
                deals = []

    def _query(self, kind: Kind, *alternatives: Filter) -> Query:
        """Without properties where a search body has no room for all: `_completed` brings them."""
        wanted = self._reader.properties(kind)
        return Query(kind, alternatives, wanted if search.fits(wanted) else ())

    def _completed(self, query: Query, rows: Sequence[Row]) -> Sequence[Row]:
        if query.properties:
            return rows
        wanted = self._reader.properties(query.kind)
        ids = [row.id for row in rows]
        return [row for chunk in chunks(ids, BATCH) for row in self._client.batch_read(query.kind, chunk, wanted).rows]

    def _now(self) -> int:
        return milliseconds(self._client.server_time())
