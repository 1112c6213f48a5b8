"""Pulling from the local HubSpot over real HTTP, and what it costs."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from itertools import islice

import pytest

from refloop.model import (
    Between,
    Everything,
    Kind,
    Link,
    Outcome,
    Ref,
    Relation,
    Since,
)
from refloop_sandbox.hubspot import Allowance
from tests.connectors.hubspot_office import (
    DAY,
    EDGES,
    FIND_CONTACTS,
    FIND_DEALS,
    LIST_CONTACTS,
    LIST_DEALS,
    MINUTE,
    STAGES,
    START,
    WANTS,
    Office,
    calls,
    links,
    records,
)


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


def test_searches_keep_their_own_limit(offices: Callable[..., Office]) -> None:
    office = offices(strict=True)
    office.pull(office.hubspot(), Everything())
    people = office.contacts(5_000, at=START)
    began = office.clock.now
    assert len(records(office.pull(office.hubspot()))) == len(people)
    assert office.refused == 0
    assert (office.clock.now - began).total_seconds() <= 26 / 4
