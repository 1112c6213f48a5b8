"""Brings leads, contacts, deals and contact roles, all four in one call a page."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from refloop.connectors.salesforce.answers import Row, RowPage, row_page
from refloop.connectors.salesforce.api import Api, ForeignAnswer, Part
from refloop.connectors.salesforce.catalogue import SchemaChanged
from refloop.connectors.salesforce.cursor import FROM_THE_START, Position, parse_cursor
from refloop.connectors.salesforce.names import OBJECTS, ROLE
from refloop.connectors.salesforce.org import Org
from refloop.connectors.salesforce.rows import Reader
from refloop.connectors.salesforce.schema import Layout, is_missing_some, layout
from refloop.connectors.salesforce.settings import SalesforceSettings
from refloop.connectors.salesforce.soql import Window, page_query
from refloop.connectors.salesforce.values import moment
from refloop.errors import LedgerError
from refloop.model import Between, Everything, Kind, Link, Page, Record, Since, Span, Wants, format_time

KINDS: Mapping[str, Kind] = {name: kind for kind, name in OBJECTS.items()}

SKEW = timedelta(minutes=5)
"""How far the clocks of one org's servers may lie apart."""


@dataclass(frozen=True, slots=True)
class _Walk:
    """A pull under way: what is asked for, in which window, and how far each unfinished object is.

    `watermark` is None until the first answer has told the server's clock.
    """

    window: Window
    layout: Layout
    described: datetime
    after: Mapping[str, str]
    watermark: datetime | None = None

    def cursor_position(self, watermark: datetime) -> Position:
        return Position(watermark, self.window.start, self.after, self.layout, self.described)


@dataclass(frozen=True, slots=True)
class _Step:
    """What one call brought: a page of each unfinished object, and up to when everything committed was to be seen."""

    pages: Mapping[str, RowPage]
    safe: datetime


class Puller:
    """Pulls for one connection.

    The window of a pull is open at its end: a row that is edited while its pages are read keeps its id, so it
    comes now or, its stamp being behind the watermark, again next time. Salesforce stamps a row within its
    transaction and shows it only after the commit. So the watermark is the server's clock before the first query
    or, while a long transaction runs, its start; and the next window starts `look_back` earlier.
    """

    def __init__(self, connection: str, settings: SalesforceSettings, api: Api, org: Org) -> None:
        self._connection = connection
        self._settings = settings
        self._api = api
        self._org = org

    def pages(self, wants: Wants, span: Span) -> Iterator[Page]:
        """The pages of a pull; at least one, so that the watermark moves also when nothing changed."""
        if isinstance(span, Between):
            described = self._describe(wants)
            walk = _Walk(Window(span.start, span.end), *described, FROM_THE_START)
            yield from (replace(page, cursor=None) for page in self._walk(wants, walk, None))
        elif isinstance(span, Everything):
            yield from self._walk(wants, _Walk(Window(), *self._describe(wants), FROM_THE_START), None)
        else:
            before = self._position(span)
            yield from self._walk(wants, self._resumed(wants, before), before.watermark)

    def _position(self, span: Since) -> Position:
        try:
            return parse_cursor(span.cursor)
        except ValueError:
            pass
        raise LedgerError(
            f"{self._connection}: the cursor of the last pull cannot be read",
            remedy="Pull everything from this connection again.",
        )

    def _resumed(self, wants: Wants, before: Position) -> _Walk:
        """Goes on within the window of a pull that stopped; else opens the next one."""
        known = before.layout, before.described
        if not before.is_fresh() or is_missing_some(before.layout, self._settings, wants):
            known = self._describe(wants)
        if before.after:
            return _Walk(Window(before.floor), *known, before.after, before.watermark)
        floor = before.watermark - timedelta(minutes=self._settings.look_back)
        return _Walk(Window(floor), *known, FROM_THE_START)

    def _describe(self, wants: Wants, *, afresh: bool = False) -> tuple[Layout, datetime]:
        schemas = self._org.schemas(afresh=afresh)
        return layout(schemas, self._settings, wants), self._org.described_at

    def _walk(self, wants: Wants, walk: _Walk, before: datetime | None) -> Iterator[Page]:
        reader = Reader(self._connection, self._settings, wants)
        while True:
            walk, step = self._ask(wants, walk)
            self._refuse_future(before)
            watermark = walk.watermark or step.safe
            after = {name: page.last for name, page in step.pages.items() if page.last is not None}
            walk = replace(walk, watermark=watermark, after=after)
            yield replace(_page(reader, step.pages), cursor=walk.cursor_position(watermark).cursor())
            if not after:
                return

    def _refuse_future(self, before: datetime | None) -> None:
        """A cursor ahead of the server's clock would skip whatever changes until then."""
        if before is not None and before > self._api.clock_at_start() + SKEW:
            raise LedgerError(
                f"{self._connection}: the cursor of the last pull lies in the future of the org's clock",
                remedy="Was the ledger edited, or the sandbox refreshed? Pull everything from this connection again.",
            )

    def _ask(self, wants: Wants, walk: _Walk) -> tuple[_Walk, _Step]:
        """The next page of each unfinished object; asked twice where the org has changed meanwhile."""
        try:
            return walk, self._step(walk)
        except SchemaChanged:
            known, described = self._describe(wants, afresh=True)
        walk = replace(walk, layout=known, described=described)
        return walk, self._step(walk)

    def _step(self, walk: _Walk) -> _Step:
        parts = [
            Part(name, "GET", "queryAll", {"q": page_query(name, walk.layout[name], walk.window, last)})
            for name, last in walk.after.items()
        ]
        bodies, covered = self._api.each_beside(parts, self._coverage(walk))
        pages = {
            part.name: _checked(part.name, body, walk.after[part.name])
            for part, body in zip(parts, bodies, strict=True)
        }
        return _Step(pages, min([self._api.clock_at_start(), *_covered(covered)]))

    def _coverage(self, walk: _Walk) -> Sequence[Part]:
        """Asks, once a pull, up to when all commits can be seen. While a long transaction runs, that is its start
        (SOAP API docs, GetUpdatedResult.latestDateCovered); the ids of that minute are not looked at."""
        if walk.watermark is not None or walk.window.end is not None:
            return ()
        end = self._api.clock().replace(second=0, microsecond=0)
        span = {"start": format_time(end - timedelta(minutes=1)), "end": format_time(end)}
        return [Part(f"{name}Updated", "GET", f"sobjects/{name}/updated", span) for name in KINDS]


def _covered(bodies: Sequence[Any]) -> Iterator[datetime]:
    for body in bodies:
        try:
            yield moment(body["latestDateCovered"])
        except (KeyError, TypeError, ValueError):
            continue  # it is a help, not a need: the look-back stands


def _checked(name: str, body: object, after: str) -> RowPage:
    try:
        return row_page(name, body, after)
    except ValueError as error:
        raise ForeignAnswer(f"a query of {name}", str(error)) from None


def _page(reader: Reader, pages: Mapping[str, RowPage]) -> Page:
    records: list[Record] = []
    links: list[Link] = []
    for name, page in pages.items():
        for row in page.rows:
            try:
                _keep(reader, name, row, records, links)
            except ValueError as error:
                raise ForeignAnswer(f"for {name} {row['Id']}", str(error)) from None
    return Page(records=tuple(records), links=tuple(links))


def _keep(reader: Reader, name: str, row: Row, records: list[Record], links: list[Link]) -> None:
    if name == ROLE:
        links.extend(reader.role(row))
        return
    records.append(reader.record(KINDS[name], row))
    links.extend(reader.links(KINDS[name], row))
