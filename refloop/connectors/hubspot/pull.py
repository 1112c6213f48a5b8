"""Pulls contacts, deals and their links: phases in ascending order of record id, each step a page with its cursor."""

from __future__ import annotations

from collections.abc import Callable, Collection, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from refloop.connectors.hubspot import search
from refloop.connectors.hubspot.answers import Found, Row
from refloop.connectors.hubspot.client import EDGES, Client
from refloop.connectors.hubspot.cursor import FULL, SWEEP, TICK, Phase, Progress, read_cursor
from refloop.connectors.hubspot.full import FullPull
from refloop.connectors.hubspot.id_ranges import ALL, IdRange
from refloop.connectors.hubspot.named import NamedRecords
from refloop.connectors.hubspot.names import OBJECTS
from refloop.connectors.hubspot.page import archived_page, completed, linked_contacts, page_of, query_of
from refloop.connectors.hubspot.paging import ResultPage, list_pages, search_pages
from refloop.connectors.hubspot.records import Reader
from refloop.connectors.hubspot.search import Query, milliseconds
from refloop.errors import LedgerError
from refloop.model import Between, Cursor, Everything, Kind, Named, Page, Ref, Since, Span

_HOUR = 3_600_000
_DAY = 24 * _HOUR
_MINUTE = 60_000
_SETTLED = 10 * _MINUTE
"""What was saved so long before the last pull was read since, and deals have whoever was put on them right after they
were made, which moves no date: of it, only what has another time of save than is known is read again."""

Known = Callable[[Collection[Ref]], Mapping[Ref, datetime]]

_FEW = 2_000
"""How many records a pull may read without a note of how far it got."""


@dataclass(frozen=True, slots=True)
class _Step:
    """One page of a phase. `place` is how far it got: a range of ids, or a page in ascending order of them; None where
    the phase would begin again."""

    place: ResultPage | IdRange | None
    page: Page

    def after(self, progress: Progress) -> Progress:
        if self.place is None:
            return progress
        if isinstance(self.place, IdRange):
            return progress.covered(self.place)
        progress = replace(progress, doubtful=progress.doubtful or self.place.doubtful)
        return progress.next_phase() if self.place.done else progress.at(self.place.last)


class Puller:
    """One pull of one account. Raises what `Client` raises, and LedgerError for a cursor that cannot be."""

    def __init__(self, client: Client, reader: Reader) -> None:
        self._client = client
        self._reader = reader
        self._look_back = reader.settings.look_back * _MINUTE
        self._link_days = reader.settings.link_days * _DAY
        self._known: Known | None = None

    def pages(self, span: Span) -> Iterator[Page]:
        match span:
            case Everything():
                yield from self._everything()
            case Since(cursor, known):
                self._known = known
                yield from self._since(cursor)
            case Between(start, end):
                yield from self._between(start, end)
            case Named(refs):
                yield from NamedRecords(self._client, self._reader).pages(refs)

    def _everything(self) -> Iterator[Page]:
        self._reader.account.stages()  # any first answer tells the server's time; this one is needed anyway
        self._reader.account.assume(None)
        layout = self._reader.account.layout()
        yield from self._run(Progress(until=self._now(), todo=FULL, left=ALL, layout=layout))

    def _since(self, cursor: Cursor) -> Iterator[Page]:
        """What an interrupted pull left undone, then what is new."""
        progress = read_cursor(cursor)
        self._reader.account.assume(progress.layout)
        if progress.under_way:
            progress = yield from self._run(progress)
        start = progress.mark - self._look_back
        # The first search is open-ended: its own answer tells the server's time, at no extra call.
        opening = query_of(self._reader, Kind.CONTACT, search.modified(Kind.CONTACT, start, None))
        first = self._client.search(opening.kind, opening.body(0))
        now = self._now()
        if now + _HOUR < progress.mark:
            raise LedgerError(
                "the last pull of a HubSpot connection is, by HubSpot's clock, in the future",
                remedy="Pull that connection anew from the start: what changed in between may be missing.",
            )
        todo: tuple[Phase, ...] = TICK
        if now - progress.swept >= _DAY:
            todo = TICK + SWEEP
            self._reader.account.assume(None)
        layout = self._reader.account.layout()
        yield from self._run(replace(progress, until=now, todo=todo, last=0, layout=layout), first)

    def _between(self, start: datetime, end: datetime) -> Iterator[Page]:
        low, high = milliseconds(start), milliseconds(end - timedelta.resolution)  # the end is outside
        for kind in OBJECTS:
            query = query_of(self._reader, kind, search.modified(kind, low, high), search.created(low, high))
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
                # counted from the last sweep: what was linked since then is news, however long ago that was
                return self._linked_deals(last, min(progress.swept or progress.until, progress.until) - self._link_days)
            case Phase.GONE_CONTACTS:
                return self._gone(Kind.CONTACT, last)
            case Phase.GONE_DEALS:
                return self._gone(Kind.DEAL, last)

    def _all(self, left: Sequence[IdRange]) -> Iterator[_Step]:
        for page in FullPull(self._client, self._reader).pages(left):
            yield _Step(page.id_range, page_of(self._reader, page.id_range.kind, page.rows, page.linked))

    def _gone(self, kind: Kind, last: int) -> Iterator[_Step]:
        """Archived records: HubSpot keeps them for about 90 days, and shows them only here."""
        query = {"properties": ",".join(self._reader.properties(kind)), "archived": "true"}
        for listed in list_pages(self._client, kind, query, last):
            yield _Step(listed, archived_page(self._reader, kind, listed.rows))

    def _changed(self, kind: Kind, progress: Progress, first: Found | None) -> Iterator[_Step]:
        # The Date header cuts to whole seconds: what was modified within that second is there already.
        start, until = progress.mark - self._look_back, progress.until + 999
        query = query_of(self._reader, kind, search.modified(kind, start, until))
        if self._known is not None and not progress.last:
            first = first or self._client.search(kind, query.body(0))
            recent = query_of(self._reader, kind, search.modified(kind, max(start, progress.mark - _SETTLED), until))
            if first.total > search.LIMIT and (opening := self._client.search(kind, recent.body(0))).total <= _FEW:
                for step in self._matching(recent, 0, opening):
                    yield replace(step, place=None)
                yield from self._matching(replace(query, properties=()), 0, known=self._known)
                return
        yield from self._matching(query, progress.last, first)

    def _matching(
        self, query: Query, last: int, first: Found | None = None, known: Known = lambda _: {}
    ) -> Iterator[_Step]:
        """What a search finds above `last`, without what it shows as it is `known`."""
        for found in search_pages(self._client, query, last, first):
            there = known([self._ref(query.kind, row) for row in found.rows])
            news = [row for row in found.rows if there.get(self._ref(query.kind, row)) != row.updated]
            rows = completed(self._client, self._reader, query, news)
            yield _Step(found, page_of(self._reader, query.kind, rows, linked_contacts(self._client, query.kind, rows)))

    def _ref(self, kind: Kind, row: Row) -> Ref:
        return Ref(self._reader.connection, kind, row.id)

    def _linked_deals(self, last: int, since: int) -> Iterator[_Step]:
        """Every deal that is open, or was saved `since` then, with its contacts: who is put on a deal, taken off it or
        given another label, and its company, leave no trace on its modified date."""
        rows: list[Row] = []
        query = query_of(self._reader, Kind.DEAL, *search.not_closed(), search.modified(Kind.DEAL, since, None))
        for found in search_pages(self._client, query, last):
            rows.extend(completed(self._client, self._reader, query, found.rows))
            if found.done or len(rows) + search.LIMIT > EDGES:
                yield _Step(
                    found, page_of(self._reader, Kind.DEAL, rows, linked_contacts(self._client, Kind.DEAL, rows))
                )
                rows = []

    def _now(self) -> int:
        return milliseconds(self._client.server_time())
