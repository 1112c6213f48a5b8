"""Reads all contacts and deals by the list calls, several readers at once, each in a range of ids of its own.

Readers take the calls off the main thread, and nothing else: what is read, and who reads on where, is decided here,
on the thread that asks for pages. It starts the next calls before it hands a page out, and holds a few pages at most.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass
from typing import Any

from refloop.connectors.http.threads import ThreadPool
from refloop.connectors.hubspot.answers import Labels, Row
from refloop.connectors.hubspot.client import PAGE, Client
from refloop.connectors.hubspot.id_ranges import IdRange, IndexCount, Reading
from refloop.connectors.hubspot.names import OBJECTS
from refloop.connectors.hubspot.page import Links, completed, linked_contacts, query_of
from refloop.connectors.hubspot.paging import Unsure, list_page, search_page
from refloop.connectors.hubspot.records import Reader
from refloop.errors import RefloopError
from refloop.model import Kind

MOST_READERS = 6
_MOST_READY = 2 * MOST_READERS
_WORTH_A_READER = 8 * PAGE
"""Records left in a range; a second reader costs about one call."""
_WORTH_A_COUNT = 3 * PAGE
"""Records read of a range, and more to come; before, the count would be a call for nothing."""


@dataclass(frozen=True, slots=True)
class Covered:
    """A page: all records of `id_range`. `linked` are the contacts of its deals."""

    id_range: IdRange
    rows: tuple[Row, ...]
    linked: Links


@dataclass(frozen=True, slots=True)
class _Fetched:
    rows: tuple[Row, ...]
    following: int | None
    linked: Links


class FullPull:
    """One full pull, or the rest of one.

    A kind whose list is not in the order of ids, or whose tokens are none, is read by a search from there on: by ids in
    their order as well, though an index that runs late may show a record only to the next pull.
    """

    def __init__(self, client: Client, reader: Reader) -> None:
        self._client = client
        self._reader = reader
        self._queries = {kind: {"properties": ",".join(reader.properties(kind))} for kind in OBJECTS}
        self._queries[Kind.DEAL]["associations"] = "contacts"  # asked on the side of the deals alone: there are fewer
        self._labelled = reader.account.has_labels()
        self._searched: set[Kind] = set()
        self._waiting: deque[Reading] = deque()
        self._under_way: dict[Future[Any], Reading | Kind] = {}  # the call of a reading, or the count of a kind
        self._counts: dict[Kind, IndexCount | None] = {}
        self._ready: deque[Covered] = deque()
        self._failure: RefloopError | None = None

    def pages(self, left: Sequence[IdRange]) -> Iterator[Covered]:
        """Everything in `left`, page by page, in no order between ranges.

        Raises what `Client` raises, after the pages that are there already.
        """
        self._waiting.extend(map(Reading.of, left))
        with ThreadPool(MOST_READERS) as threads:
            while self._start(threads) or self._ready:
                if not self._ready and self._failure is None:
                    wait(self._under_way, return_when=FIRST_COMPLETED)
                self._collect()
                self._start(threads)
                if self._ready:
                    yield self._ready.popleft()
                elif self._failure is not None:
                    raise self._failure

    def _start(self, threads: ThreadPool) -> bool:
        """Sets idle readers to work. Whether anything is under way, or failed."""
        while self._failure is None and len(self._ready) < _MOST_READY and self._has_room:
            if not self._waiting and not self._share_out(threads):
                break
            if self._waiting:
                reading = self._waiting.popleft()
                self._under_way[threads.submit(self._fetch, reading.kind, reading.at)] = reading
        return bool(self._under_way or self._failure)

    @property
    def _has_room(self) -> bool:
        return len(self._under_way) < self._client.readers(MOST_READERS)

    def _share_out(self, threads: ThreadPool) -> bool:
        """Gives an idle reader the later half of the longest range, or asks how long the ranges are."""
        readings = [one for one in self._under_way.values() if isinstance(one, Reading)]
        for reading in readings:
            if reading.kind not in self._counts and reading.rows >= _WORTH_A_COUNT:
                self._counts[reading.kind] = None
                self._under_way[threads.submit(self._client.count_above, reading.kind, reading.at - 1)] = reading.kind
                return True
        longest = max(readings, key=self._rows_left, default=None)
        if longest is None or self._rows_left(longest) < _WORTH_A_READER:
            return False
        count = self._counts[longest.kind]
        later = longest.split(count) if count is not None else None
        if later is None:
            return False
        self._waiting.append(later)
        return True

    def _rows_left(self, reading: Reading) -> float:
        count = self._counts.get(reading.kind)
        return reading.rows_left(count) if count is not None else 0.0

    def _collect(self) -> None:
        """Takes in what has come. The first failure is the one to tell, after what is there already."""
        for future in [one for one in self._under_way if one.done()]:
            whose = self._under_way.pop(future)
            try:
                result = future.result()
            except RefloopError as failure:
                self._failure = self._failure or failure
                continue
            if isinstance(whose, Reading):
                self._cover(result, whose)
            else:
                self._counts[whose] = result

    def _cover(self, page: _Fetched, reading: Reading) -> None:
        rows = tuple(row for row in page.rows if reading.end is None or int(row.id) < reading.end)
        id_range = reading.went_on([int(row.id) for row in rows], page.following)
        count = self._counts.get(reading.kind)
        if count is not None:
            count.left = max(0, count.left - len(rows))
        ids = {row.id for row in rows}
        self._ready.append(Covered(id_range, rows, {deal: page.linked[deal] for deal in page.linked if deal in ids}))
        if not reading.is_done:
            self._waiting.append(reading)

    def _fetch(self, kind: Kind, at: int) -> _Fetched:
        if kind not in self._searched:
            try:
                return self._listed(kind, at)
            except Unsure:
                self._searched.add(kind)
        query = query_of(self._reader, kind, {})
        page = search_page(self._client, query, at - 1)
        rows = tuple(sorted(completed(self._client, self._reader, query, page.rows), key=lambda row: int(row.id)))
        return _Fetched(rows, None if page.done else page.last + 1, linked_contacts(self._client, kind, rows))

    def _listed(self, kind: Kind, at: int) -> _Fetched:
        """One page, with the contacts of its deals: those that the list names, or a batch read where it was cut or
        cannot tell their labels."""
        page, following = list_page(self._client, kind, self._queries[kind], at)
        if kind is not Kind.DEAL:
            return _Fetched(page.rows, following, {})
        told = [row for row in page.rows if row.linked is not None and not (self._labelled and row.linked)]
        linked: dict[str, Mapping[str, Labels]] = {row.id: dict.fromkeys(row.linked or (), ()) for row in told}
        others = [row.id for row in page.rows if row.id not in linked]
        return _Fetched(page.rows, following, {**linked, **(self._client.contacts_of(others) if others else {})})
