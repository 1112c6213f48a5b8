"""A HubSpot account of the local CRM, over real HTTP, as the tests of the pull use it."""

from __future__ import annotations

import asyncio
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from starlette.types import Message, Receive, Scope, Send

from refloop.connectors.http.limiter import Timer
from refloop.connectors.hubspot import HubSpot, HubSpotSettings
from refloop.model import (
    Cursor,
    FieldSpec,
    FieldType,
    Kind,
    Page,
    Record,
    Relation,
    Since,
    Span,
)
from refloop_sandbox.hubspot import LocalHubSpot
from refloop_sandbox.server import Server

CODE = FieldSpec("ref_code", "Code", FieldType.TEXT, (Kind.CONTACT, Kind.DEAL))
FIELDS = (CODE,)
START = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)


class Clock:
    """Stands still until it is moved, or somebody waits on it; or ticks as well."""

    def __init__(self, *, ticks: bool) -> None:
        self._at = START
        self._ticks = ticks
        self._began = time.monotonic()
        self.timer = Timer(lambda: self.now.timestamp(), self._sleep)
        self._lock = threading.Lock()

    def __call__(self) -> datetime:
        return self.now

    @property
    def now(self) -> datetime:
        return self._at + timedelta(seconds=time.monotonic() - self._began) if self._ticks else self._at

    @now.setter
    def now(self, moment: datetime) -> None:
        self._at += moment - self.now

    def _sleep(self, seconds: float) -> None:
        until = self.now + timedelta(seconds=seconds)
        with self._lock:
            self._at += max(timedelta(0), until - self.now)


def no_clock() -> datetime:
    raise AssertionError("the server's clock is the one that counts")


class Account:
    """A HubSpot account, its clock, and a connector to it."""

    def __init__(self, latency: float = 0.0, *, provisioned: bool = True, **options: Any) -> None:
        self.clock = Clock(ticks=latency > 0)
        self.crm = LocalHubSpot(clock=self.clock, token="pat-local", **options)
        self.refused = self.most_at_once = self._at_once = 0
        self._latency = latency
        self.server = Server(self)
        self.closing: list[Callable[[], None]] = [self.server.close]
        self.cursor: Cursor | None = None
        for object_ in ("contacts", "deals") if provisioned else ():
            self.crm.define_property(object_, {"name": "ref_code", "type": "string"})

    def hubspot(self, **more: Any) -> HubSpot:
        auth = {"method": "service_key", "token": "env:HUBSPOT_TOKEN"}
        given = {"connector": "hubspot", "url": self.server.url, "auth": auth, "currency": "EUR"} | more
        connector = HubSpot("hub", HubSpotSettings.model_validate(given), clock=no_clock, timer=self.clock.timer)
        self.closing.insert(0, connector.close)
        return connector

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The CRM behind a line of some latency, which counts what it answers."""

        async def counted(message: Message) -> None:
            self.refused += message.get("status") == 429
            await send(message)

        self._at_once += 1
        self.most_at_once = max(self.most_at_once, self._at_once)
        await asyncio.sleep(self._latency)
        await self.crm.app(scope, receive, counted)
        self._at_once -= 1

    def contacts(self, count: int, *, at: datetime = START - DAY) -> list[str]:
        return self.crm.load("contacts", ({"createdate": at, "lastmodifieddate": at} for _ in range(count)))

    def deals(self, count: int, *, at: datetime = START - DAY, stage: str = "contractsent") -> list[str]:
        row = {"createdate": at, "hs_lastmodifieddate": at, "dealstage": stage, "amount": "10"}
        return self.crm.load("deals", (row for _ in range(count)))

    def pull(self, connector: HubSpot, span: Span | None = None) -> list[Page]:
        """All pages; without a span, goes on from the last cursor."""
        if span is None:
            assert self.cursor is not None
            span = Since(self.cursor)
        pages = list(connector.pull(FIELDS, span))
        self.cursor = pages[-1].cursor or self.cursor
        return pages


def take_all(pages: Iterator[Page], into: list[Page]) -> None:
    """Reads page by page, so that what came before an exception is there."""
    for page in pages:
        into.append(page)  # noqa: PERF402 - an extend would lose them


def records(pages: list[Page]) -> dict[str, Record]:
    return {f"{record.ref.kind}:{record.ref.id}": record for page in pages for record in page.records}


def links(pages: list[Page], relation: Relation = Relation.ASSOCIATED_WITH) -> set[tuple[str, str]]:
    found = (link for page in pages for link in page.links if link.relation is relation)
    return {(link.source.id, link.target.id) for link in found}


def calls(crm: LocalHubSpot) -> Counter[str]:
    """The calls since the last time this was asked."""
    made = crm.calls.copy()
    crm.calls.clear()
    return made


LIST_CONTACTS, LIST_DEALS = "GET /crm/objects/contacts", "GET /crm/objects/deals"
FIND_CONTACTS, FIND_DEALS = "POST /crm/objects/contacts/search", "POST /crm/objects/deals/search"
STAGES, EDGES = "GET /crm/pipelines/deals", "POST /crm/associations/deals/contacts/batch/read"
CONTACT_PROPERTIES, DEAL_PROPERTIES = "GET /crm/properties/contacts", "GET /crm/properties/deals"
LABELS = "GET /crm/associations/deals/contacts/labels"
BEFORE = {STAGES: 1, CONTACT_PROPERTIES: 1, DEAL_PROPERTIES: 1, LABELS: 1}
"""What is asked once before everything is read."""
