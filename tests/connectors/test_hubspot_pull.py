"""Pulling from the local HubSpot over real HTTP, and what it costs."""

from __future__ import annotations

import asyncio
import contextlib
import math
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import islice
from typing import Any

import pytest
from starlette.types import Message, Receive, Scope, Send

from refloop.connectors.hubspot import HubSpot, HubSpotSettings
from refloop.connectors.limiter import Timer
from refloop.errors import ConfigError, TryLater
from refloop.model import (
    Between,
    Cursor,
    Everything,
    FieldSpec,
    FieldType,
    Kind,
    Link,
    Outcome,
    Page,
    Record,
    Ref,
    Relation,
    Since,
    Span,
    Wants,
)
from refloop.sandbox.hubspot import Allowance, LocalHubSpot
from refloop.sandbox.server import Server

CODE = FieldSpec("ref_code", "Code", FieldType.TEXT, (Kind.CONTACT, Kind.DEAL))
WANTS = Wants((CODE,))
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


class Office:
    """A HubSpot account, its clock, and a connector to it."""

    def __init__(self, latency: float = 0.0, **account: Any) -> None:
        self.clock = Clock(ticks=latency > 0)
        self.crm = LocalHubSpot(clock=self.clock, token="pat-local", **account)
        self.refused = self.most_at_once = self._at_once = 0
        self._latency = latency
        self.server = Server(self)
        self.closing: list[Callable[[], None]] = [self.server.close]
        self.cursor: Cursor | None = None
        for object_ in ("contacts", "deals"):
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
        pages = list(connector.pull(WANTS, span))
        self.cursor = pages[-1].cursor or self.cursor
        return pages


@pytest.fixture
def offices(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Office]]:
    monkeypatch.setenv("HUBSPOT_TOKEN", "pat-local")
    made: list[Office] = []

    def make(**account: Any) -> Office:
        made.append(Office(**account))
        return made[-1]

    yield make
    for office in made:
        for close in office.closing:
            close()


@pytest.fixture
def office(offices: Callable[..., Office]) -> Office:
    return offices()


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


def test_everything_costs_a_call_a_hundred_records(office: Office) -> None:
    people, deals = office.contacts(250), office.deals(120)
    pairs = list(zip(deals, people, strict=False))
    office.crm.load_associations("deals", "contacts", pairs)
    hubspot = office.hubspot()
    pages = office.pull(hubspot, Everything())
    assert records(pages).keys() == {f"contact:{one}" for one in people} | {f"deal:{one}" for one in deals}
    assert links(pages) == set(pairs)
    whole = {pair for page in pages for pair in page.whole}
    assert whole == {(Ref("hub", Kind.DEAL, deal), Relation.ASSOCIATED_WITH) for deal in deals}
    assert calls(office.crm) == {STAGES: 1, LIST_CONTACTS: 3, LIST_DEALS: 2}
    assert sum(hubspot.calls().values()) == 6


def test_a_tick_with_nothing_new_is_two_calls(office: Office) -> None:
    office.contacts(150)
    office.deals(30)
    hubspot = office.hubspot()
    office.pull(hubspot, Everything())
    calls(office.crm)
    for _ in range(5):
        office.clock.now += 5 * MINUTE
        pages = office.pull(office.hubspot())
        assert records(pages) == {}
        assert calls(office.crm) == {FIND_CONTACTS: 1, FIND_DEALS: 1}


def test_a_tick_brings_what_changed_with_its_links(office: Office) -> None:
    people, deals = office.contacts(3), office.deals(3)
    office.crm.associate("deals", deals[0], "contacts", people[0])
    office.pull(office.hubspot(), Everything())
    office.clock.now += 90 * MINUTE
    office.crm.update("contacts", people[1], {"ref_code": "ANN"})
    office.crm.update("deals", deals[0], {"dealstage": "closedwon", "amount": "99.50"})
    calls(office.crm)
    pages = office.pull(office.hubspot())
    found = records(pages)
    assert found.keys() == {f"contact:{people[1]}", f"deal:{deals[0]}"}
    assert found[f"contact:{people[1]}"].found == {"ref_code": "ANN"}
    deal = found[f"deal:{deals[0]}"]
    assert (deal.outcome, deal.amount, deal.currency) == (Outcome.WON, Decimal("99.5"), "EUR")
    assert deal.closed_at == office.clock.now
    assert links(pages) == {(deals[0], people[0])}
    assert calls(office.crm) == {FIND_CONTACTS: 1, FIND_DEALS: 1, STAGES: 1, EDGES: 1}


def test_the_account_tells_its_currency_once(offices: Callable[..., Office]) -> None:
    office = offices(currency="CHF")
    office.deals(250)
    pages = office.pull(office.hubspot(currency=None), Everything())
    assert {record.currency for record in records(pages).values()} == {"CHF"}
    assert calls(office.crm)["GET /account-info/details"] == 1


def test_the_cap_of_a_search_is_no_case(offices: Callable[..., Office]) -> None:
    """More records at one moment than a query may give, and none is missed."""
    office = offices(max_search_results=400)
    office.pull(office.hubspot(), Everything())
    people = office.contacts(1_001, at=START)
    calls(office.crm)
    assert records(office.pull(office.hubspot())).keys() == {f"contact:{one}" for one in people}
    assert calls(office.crm) == {FIND_CONTACTS: 6, FIND_DEALS: 1}


def test_what_the_index_learns_late_is_found_late(offices: Callable[..., Office]) -> None:
    office = offices(index_lag=10 * MINUTE)
    (person,) = office.contacts(1)
    office.pull(office.hubspot(), Everything())
    office.clock.now += 90 * MINUTE
    office.crm.update("contacts", person, {"ref_code": "ANN"})
    office.clock.now += 5 * MINUTE
    assert records(office.pull(office.hubspot())) == {}
    office.clock.now += 6 * MINUTE
    assert records(office.pull(office.hubspot()))[f"contact:{person}"].found == {"ref_code": "ANN"}


def test_an_interrupted_pull_goes_on_where_it_stopped(office: Office) -> None:
    office.contacts(450)
    office.deals(250)
    whole = records(list(office.hubspot().pull(WANTS, Everything())))
    pages = len(list(office.hubspot().pull(WANTS, Everything())))
    for stop in range(1, pages):
        first = list(islice(office.hubspot().pull(WANTS, Everything()), stop))
        cursor = first[-1].cursor
        assert cursor is not None
        calls(office.crm)
        rest = list(office.hubspot().pull(WANTS, Since(cursor)))
        assert records(first + rest) == whole
        made = calls(office.crm)
        assert made[LIST_CONTACTS] + made[LIST_DEALS] == pages - stop


@pytest.mark.parametrize("latency", [0.0, 0.02])
def test_several_readers_bring_every_record_once_and_any_stop_is_gone_on_from(
    offices: Callable[..., Office], latency: float
) -> None:
    office = offices(latency=latency, allowance=Allowance(per_ten_seconds=1_000))
    office.contacts(4_950)
    office.deals(1_250)
    pages = list(office.hubspot().pull(WANTS, Everything()))
    seen = [record.ref for page in pages for record in page.records]
    assert len(seen) == len(set(seen)) == 6_200
    made = calls(office.crm)
    assert made[LIST_CONTACTS] + made[LIST_DEALS] == len(pages) <= 50 + 13 + 8
    assert made[FIND_CONTACTS] + made[FIND_DEALS] <= 2
    assert office.most_at_once == (6 if latency else 2)
    assert all(len(page.cursor.text) < 400 for page in pages if page.cursor)
    for stop in (1, 20, 41, len(pages) - 1):
        first = list(islice(office.hubspot().pull(WANTS, Everything()), stop))
        cursor = first[-1].cursor
        assert cursor is not None
        rest = list(office.hubspot().pull(WANTS, Since(cursor)))
        told = [record.ref for page in first + rest for record in page.records]
        assert sorted(told) == sorted(seen), f"stopped after page {stop}"


def test_old_and_new_ids_that_lie_far_apart_are_shared_too(offices: Callable[..., Office]) -> None:
    office = offices(latency=0.01)
    at = {"createdate": START - DAY, "lastmodifieddate": START - DAY}
    old = office.crm.load("contacts", (dict(at) for _ in range(2_000)))
    new = office.crm.load(
        "contacts", ({**at, "hs_object_id": str(158_000_000_000 + number)} for number in range(3_000))
    )
    pages = list(office.hubspot().pull(WANTS, Everything()))
    assert sorted(records(pages)) == sorted(f"contact:{one}" for one in (*old, *new))
    assert calls(office.crm)[LIST_CONTACTS] <= 50 + 16


@pytest.mark.parametrize(("allowed", "latency"), [(100, 0.0), (190, 0.002)])
def test_strict_limits_are_used_up_and_never_broken(
    offices: Callable[..., Office], allowed: int, latency: float
) -> None:
    office = offices(strict=True, allowance=Allowance(per_ten_seconds=allowed), latency=latency)
    people, deals = office.contacts(16_000), office.deals(8_000)
    hubspot = office.hubspot()
    began, real = office.clock.now, time.monotonic()
    assert len(records(list(hubspot.pull(WANTS, Everything())))) == len(people) + len(deals)
    assert office.refused == 0
    worked = time.monotonic() - real if latency else 0.0  # this machine's own work, where the clock ticks
    listed = sum(count for endpoint, count in hubspot.calls().items() if not endpoint.endswith("search"))
    alone = (math.ceil(listed / allowed) - 1) * 10.0
    assert alone <= (office.clock.now - began).total_seconds() <= alone * 1.05 + worked


def test_searches_keep_their_own_limit(offices: Callable[..., Office]) -> None:
    office = offices(strict=True)
    office.pull(office.hubspot(), Everything())
    people = office.contacts(5_000, at=START)
    began = office.clock.now
    assert len(records(office.pull(office.hubspot()))) == len(people)
    assert office.refused == 0
    assert (office.clock.now - began).total_seconds() <= 26 / 4


def test_a_used_up_share_of_the_day_keeps_what_was_read(offices: Callable[..., Office]) -> None:
    office = offices(strict=True, allowance=Allowance(daily=40))
    office.contacts(5_000)
    hubspot = office.hubspot(quota_share=0.5)
    pages: list[Page] = []
    with pytest.raises(TryLater, match="share"):
        take_all(hubspot.pull(WANTS, Everything()), pages)
    assert office.refused == 0
    usage = hubspot.usage()
    assert usage is not None
    assert 18 <= usage.ours <= 20
    assert 0 <= usage.used - usage.ours <= 2, "what the CRM had not counted yet is counted"
    assert pages[-1].cursor is not None
    office.clock.now += DAY
    while len(records(pages)) < 5_000:
        cursor = pages[-1].cursor
        assert cursor is not None
        with contextlib.suppress(TryLater):
            take_all(office.hubspot().pull(WANTS, Since(cursor)), pages)
        office.clock.now += DAY
    told = [record.ref for page in pages for record in page.records]
    assert len(told) == len(set(told))


def test_a_reader_that_fails_ends_the_pull_after_what_is_there(office: Office) -> None:
    office.contacts(3_000)
    office.deals(1_000)
    office.crm.fail_next(400, path="/deals", body={"category": "VALIDATION_ERROR"})
    pages: list[Page] = []
    with pytest.raises(ConfigError, match="VALIDATION_ERROR"):
        take_all(office.hubspot().pull(WANTS, Everything()), pages)
    assert not any(thread.name.startswith("refloop") for thread in threading.enumerate())
    cursor = pages[-1].cursor if pages else None
    rest = list(office.hubspot().pull(WANTS, Since(cursor) if cursor else Everything()))
    told = [record.ref for page in pages + rest for record in page.records]
    assert len(told) == len(set(told)) == 4_000


def test_a_pull_that_nobody_reads_on_leaves_no_thread(office: Office) -> None:
    office.contacts(3_000)
    pages = office.hubspot().pull(WANTS, Everything())
    next(pages)
    assert any(thread.name.startswith("refloop") for thread in threading.enumerate())
    del pages
    assert not any(thread.name.startswith("refloop") for thread in threading.enumerate())


def test_links_alone_are_seen_within_a_day(office: Office) -> None:
    people, deals = office.contacts(2), office.deals(2)
    (won,) = office.deals(1, stage="closedwon")
    deals += office.crm.load("deals", [{"createdate": START - DAY, "dealname": "without a stage"}])
    office.crm.associate("deals", deals[0], "contacts", people[0])
    office.pull(office.hubspot(), Everything())
    office.clock.now += 2 * 60 * MINUTE
    office.crm.associate("deals", deals[0], "contacts", people[1])
    office.crm.disassociate("deals", deals[0], "contacts", people[0])
    assert links(office.pull(office.hubspot())) == set()
    office.clock.now += DAY
    calls(office.crm)
    pages = office.pull(office.hubspot())
    assert links(pages) == {(deals[0], people[1])}
    whole = {source.id for page in pages for source, _ in page.whole}
    assert whole == set(deals)
    assert won not in whole
    assert records(pages) == {}
    assert calls(office.crm) == {FIND_CONTACTS: 1, FIND_DEALS: 2, EDGES: 1, LIST_CONTACTS: 1, LIST_DEALS: 1}
    office.clock.now += 5 * MINUTE
    office.pull(office.hubspot())
    assert calls(office.crm) == {FIND_CONTACTS: 1, FIND_DEALS: 1}


def test_a_sweep_of_links_is_a_call_a_thousand_deals_and_goes_on_where_it_stopped(office: Office) -> None:
    (person,) = office.contacts(1)
    deals = office.deals(2_300)
    office.pull(office.hubspot(), Everything())
    office.crm.load_associations("deals", "contacts", [(deal, person) for deal in deals])
    office.clock.now += 2 * DAY
    calls(office.crm)
    assert office.cursor is not None
    pages = list(office.hubspot().pull(WANTS, Since(office.cursor)))
    assert links(pages) == {(deal, person) for deal in deals}
    made = calls(office.crm)
    assert made[EDGES] == 3
    assert made[FIND_DEALS] == 1 + 12
    for stop in range(1, len(pages)):
        cursor = pages[stop - 1].cursor
        assert cursor is not None
        rest = list(office.hubspot().pull(WANTS, Since(cursor)))
        assert links(pages[:stop] + rest) == {(deal, person) for deal in deals}


def test_archived_records_are_seen_within_a_day(office: Office) -> None:
    people, deals = office.contacts(150), office.deals(3)
    office.pull(office.hubspot(), Everything())
    office.clock.now += 2 * 60 * MINUTE
    for person in people[:120]:
        office.crm.archive("contacts", person)
    office.crm.archive("deals", deals[1])
    office.clock.now += DAY
    calls(office.crm)
    found = records(office.pull(office.hubspot()))
    gone = {f"contact:{one}" for one in people[:120]} | {f"deal:{deals[1]}"}
    assert {name for name, record in found.items() if record.deleted} == gone
    assert calls(office.crm)[LIST_CONTACTS] == 2


def test_merged_records_point_at_their_survivor(office: Office) -> None:
    people, deals = office.contacts(2), office.deals(2)
    office.crm.associate("deals", deals[0], "contacts", people[0])
    office.pull(office.hubspot(), Everything())
    office.clock.now += 2 * 60 * MINUTE
    person = office.crm.merge("contacts", people[0], people[1])
    deal = office.crm.merge("deals", deals[0], deals[1])
    pages = office.pull(office.hubspot())
    assert links(pages, Relation.MERGED_INTO) == {
        *((one, person) for one in people),
        *((one, deal) for one in deals),
    }
    assert links(pages) == {(deal, person)}


def test_mirrored_records_are_linked_to_the_salesforce_connection(offices: Callable[..., Office]) -> None:
    office = offices(salesforce_integration=True)
    row = {"salesforcecontactid": "0036000000Jkq5c", "email": "ann@example.com"}
    (person,) = office.crm.load("contacts", [row])
    (deal,) = office.crm.load("deals", [{"hs_salesforceopportunityid": "0066000000Jkq5cAAB"}])
    pages = office.pull(office.hubspot(mirror_of="crm"), Everything())
    found = {link for page in pages for link in page.links}
    assert found == {
        Link(Ref("hub", Kind.CONTACT, person), Relation.SAME_PERSON, Ref("crm", Kind.CONTACT, "0036000000Jkq5cAAB")),
        Link(Ref("hub", Kind.DEAL, deal), Relation.SAME_DEAL, Ref("crm", Kind.DEAL, "0066000000Jkq5cAAB")),
    }
    assert [link for page in office.pull(office.hubspot(), Everything()) for link in page.links] == []


def test_a_deal_of_many_people_has_them_all(office: Office) -> None:
    people = office.contacts(1_200)
    (deal,) = office.deals(1)
    office.crm.load_associations("deals", "contacts", [(deal, person) for person in people])
    pages = office.pull(office.hubspot(), Everything())
    assert links(pages) == {(deal, person) for person in people}
    office.crm.update("deals", deal, {"amount": "11"})
    assert links(office.pull(office.hubspot())) == {(deal, person) for person in people}


def test_labels_make_no_second_link(office: Office) -> None:
    (person,), (deal,) = office.contacts(1), office.deals(1)
    label = office.crm.add_label("deals", "contacts", "Champion")
    office.crm.associate("deals", deal, "contacts", person)
    office.crm.associate("deals", deal, "contacts", person, label)
    pages = office.pull(office.hubspot(), Everything())
    assert [len(page.links) for page in pages if page.links] == [1]


def test_a_window_brings_what_was_created_or_modified_in_it(office: Office) -> None:
    old = office.contacts(1, at=START - 10 * DAY)
    inside = office.contacts(450, at=START - 5 * DAY)
    touched = office.crm.load("contacts", [{"createdate": START - 20 * DAY, "lastmodifieddate": START - 5 * DAY}])
    born = office.crm.load("contacts", [{"createdate": START - 5 * DAY, "lastmodifieddate": START}])
    deals = office.deals(1, at=START - 5 * DAY)
    span = Between(START - 6 * DAY, START - 4 * DAY)
    pages = list(office.hubspot().pull(WANTS, span))
    assert all(page.cursor is None for page in pages)
    found = records(pages).keys()
    assert found == {*(f"contact:{one}" for one in (*inside, *touched, *born)), f"deal:{deals[0]}"}
    assert f"contact:{old[0]}" not in found
    edge = Between(START - 10 * DAY, START - 5 * DAY)
    assert records(list(office.hubspot().pull(WANTS, edge))).keys() == {f"contact:{old[0]}"}


def test_an_oauth_app_pulls_and_renews_its_token_once(
    offices: Callable[..., Office], monkeypatch: pytest.MonkeyPatch
) -> None:
    office = offices(latency=0.005, allowance=Allowance(per_ten_seconds=10_000))
    monkeypatch.setenv("SECRET", "local-secret")
    monkeypatch.setenv("REFRESH", "local-refresh")
    auth = {
        "method": "oauth",
        "client_id": "local-client",
        "client_secret": "env:SECRET",
        "refresh_token": "env:REFRESH",
    }
    people, deals = office.contacts(3_000), office.deals(1_500)
    hubspot = office.hubspot(auth=auth)
    pages = hubspot.pull(WANTS, Everything())
    first = next(pages)
    office.clock.now += 31 * MINUTE  # the access token runs out between two pages, for all readers at once
    assert len(records([first, *pages])) == len(people) + len(deals)
    assert calls(office.crm)["POST /oauth/token"] == 2
