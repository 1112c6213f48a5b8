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
    Named,
    Outcome,
    Page,
    Ref,
    Relation,
    Since,
    Stage,
)
from refloop_sandbox.hubspot import Allowance
from tests.connectors.hubspot.account import (
    BEFORE,
    CONTACT_PROPERTIES,
    DAY,
    DEAL_PROPERTIES,
    EDGES,
    FIELDS,
    FIND_CONTACTS,
    FIND_DEALS,
    LABELS,
    LIST_CONTACTS,
    LIST_DEALS,
    MINUTE,
    STAGES,
    START,
    Account,
    calls,
    links,
    records,
)


def test_everything_costs_a_call_a_hundred_records(account: Account) -> None:
    people, deals = account.contacts(250), account.deals(120)
    pairs = list(zip(deals, people, strict=False))
    account.crm.load_associations("deals", "contacts", pairs)
    hubspot = account.hubspot()
    pages = account.pull(hubspot, Everything())
    assert records(pages).keys() == {f"contact:{one}" for one in people} | {f"deal:{one}" for one in deals}
    assert links(pages) == set(pairs)
    whole = {pair for page in pages for pair in page.whole}
    assert whole == {(Ref("hub", Kind.DEAL, deal), Relation.ASSOCIATED_WITH) for deal in deals}
    assert calls(account.crm) == {**BEFORE, LIST_CONTACTS: 3, LIST_DEALS: 2}
    assert sum(hubspot.calls().values()) == 4 + 5


def test_a_tick_with_nothing_new_is_two_calls(account: Account) -> None:
    account.contacts(150)
    account.deals(30)
    hubspot = account.hubspot()
    account.pull(hubspot, Everything())
    calls(account.crm)
    for _ in range(5):
        account.clock.now += 5 * MINUTE
        pages = account.pull(account.hubspot())
        assert records(pages) == {}
        assert calls(account.crm) == {FIND_CONTACTS: 1, FIND_DEALS: 1}


def test_a_tick_brings_what_changed_with_its_links(account: Account) -> None:
    people, deals = account.contacts(3), account.deals(3)
    account.crm.associate("deals", deals[0], "contacts", people[0])
    account.pull(account.hubspot(), Everything())
    account.clock.now += 90 * MINUTE
    account.crm.update("contacts", people[1], {"ref_code": "ANN"})
    account.crm.update("deals", deals[0], {"dealstage": "closedwon", "amount": "99.50"})
    calls(account.crm)
    pages = account.pull(account.hubspot())
    found = records(pages)
    assert found.keys() == {f"contact:{people[1]}", f"deal:{deals[0]}"}
    assert found[f"contact:{people[1]}"].found == {"ref_code": "ANN"}
    deal = found[f"deal:{deals[0]}"]
    assert (deal.outcome, deal.amount, deal.currency) == (Outcome.WON, Decimal("99.5"), "EUR")
    assert deal.closed_at == account.clock.now
    assert links(pages) == {(deals[0], people[0])}
    assert calls(account.crm) == {FIND_CONTACTS: 1, FIND_DEALS: 1, STAGES: 1, EDGES: 1}


def test_the_account_tells_its_currency_once(accounts: Callable[..., Account]) -> None:
    account = accounts(currency="CHF")
    account.deals(250)
    pages = account.pull(account.hubspot(currency=None), Everything())
    assert {record.currency for record in records(pages).values()} == {"CHF"}
    assert calls(account.crm)["GET /account-info/details"] == 1


def test_the_cap_of_a_search_is_no_case(accounts: Callable[..., Account]) -> None:
    """More records at one moment than a query may give, and none is missed."""
    account = accounts(max_search_results=400)
    account.pull(account.hubspot(), Everything())
    people = account.contacts(1_001, at=START)
    calls(account.crm)
    assert records(account.pull(account.hubspot())).keys() == {f"contact:{one}" for one in people}
    assert calls(account.crm) == {FIND_CONTACTS: 6, FIND_DEALS: 1}


def test_what_the_index_learns_late_is_found_late(accounts: Callable[..., Account]) -> None:
    account = accounts(index_lag=10 * MINUTE)
    (person,) = account.contacts(1)
    account.pull(account.hubspot(), Everything())
    account.clock.now += 90 * MINUTE
    account.crm.update("contacts", person, {"ref_code": "ANN"})
    account.clock.now += 5 * MINUTE
    assert records(account.pull(account.hubspot())) == {}
    account.clock.now += 6 * MINUTE
    assert records(account.pull(account.hubspot()))[f"contact:{person}"].found == {"ref_code": "ANN"}


def test_an_interrupted_pull_goes_on_where_it_stopped(account: Account) -> None:
    account.contacts(450)
    account.deals(250)
    whole = records(list(account.hubspot().pull(FIELDS, Everything())))
    pages = len(list(account.hubspot().pull(FIELDS, Everything())))
    for stop in range(1, pages):
        first = list(islice(account.hubspot().pull(FIELDS, Everything()), stop))
        cursor = first[-1].cursor
        assert cursor is not None
        calls(account.crm)
        rest = list(account.hubspot().pull(FIELDS, Since(cursor)))
        assert records(first + rest) == whole
        made = calls(account.crm)
        assert made[LIST_CONTACTS] + made[LIST_DEALS] == pages - stop


def test_links_alone_are_seen_within_a_day(account: Account) -> None:
    people, deals = account.contacts(2), account.deals(2)
    (old,) = account.deals(1, stage="closedwon", at=START - 91 * DAY)
    deals += account.deals(1, stage="closedwon", at=START - 88 * DAY)
    deals += account.crm.load("deals", [{"createdate": START - DAY, "dealname": "without a stage"}])
    account.crm.associate("deals", deals[0], "contacts", people[0])
    account.pull(account.hubspot(), Everything())
    account.clock.now += 2 * 60 * MINUTE
    account.crm.associate("deals", deals[0], "contacts", people[1])
    account.crm.disassociate("deals", deals[0], "contacts", people[0])
    account.crm.associate("deals", deals[2], "contacts", people[1])
    account.crm.associate("deals", old, "contacts", people[1])
    assert links(account.pull(account.hubspot())) == set()
    account.clock.now += DAY
    calls(account.crm)
    pages = account.pull(account.hubspot())
    assert links(pages) == {(deals[0], people[1]), (deals[2], people[1])}
    whole = {source.id for page in pages for source, _ in page.whole}
    assert whole == set(deals)
    assert records(pages).keys() == {f"deal:{deal}" for deal in deals}
    properties = {STAGES: 1, CONTACT_PROPERTIES: 1, DEAL_PROPERTIES: 1}  # once a day
    swept = {FIND_DEALS: 2, EDGES: 1, LIST_CONTACTS: 1, LIST_DEALS: 1}
    assert calls(account.crm) == {FIND_CONTACTS: 1, **swept, **properties}
    account.clock.now += 5 * MINUTE
    account.pull(account.hubspot())
    assert calls(account.crm) == {FIND_CONTACTS: 1, FIND_DEALS: 1}


@pytest.mark.parametrize(("days", "seen"), [(0, False), (30, False), (60, True)])
def test_how_long_the_people_on_a_closed_deal_are_looked_at_is_set(account: Account, days: int, seen: bool) -> None:
    (person,), (deal,) = account.contacts(1), account.deals(1, stage="closedlost", at=START - 40 * DAY)
    account.pull(account.hubspot(link_days=days), Everything())
    account.crm.associate("deals", deal, "contacts", person)
    account.clock.now += 2 * DAY
    assert links(account.pull(account.hubspot(link_days=days))) == ({(deal, person)} if seen else set())


def test_a_company_that_a_deal_is_given_later_is_seen_within_a_day(account: Account) -> None:
    (deal,), company = account.deals(1), account.crm.create("companies", {"name": "Acme"})
    pages = account.pull(account.hubspot(), Everything())
    assert records(pages)[f"deal:{deal}"].account is None
    account.clock.now += 2 * DAY
    account.crm.associate("deals", deal, "companies", company)
    assert records(account.pull(account.hubspot()))[f"deal:{deal}"].account == company
    assert links(account.pull(account.hubspot(), Named((Ref("hub", Kind.DEAL, deal),)))) == set()


def test_a_sweep_of_links_is_a_call_a_thousand_deals_and_goes_on_where_it_stopped(account: Account) -> None:
    (person,) = account.contacts(1)
    deals = account.deals(2_300)
    account.pull(account.hubspot(), Everything())
    account.crm.load_associations("deals", "contacts", [(deal, person) for deal in deals])
    account.clock.now += 2 * DAY
    calls(account.crm)
    assert account.cursor is not None
    pages = list(account.hubspot().pull(FIELDS, Since(account.cursor)))
    assert links(pages) == {(deal, person) for deal in deals}
    made = calls(account.crm)
    assert made[EDGES] == 3
    assert made[FIND_DEALS] == 1 + 12
    for stop in range(1, len(pages)):
        cursor = pages[stop - 1].cursor
        assert cursor is not None
        rest = list(account.hubspot().pull(FIELDS, Since(cursor)))
        assert links(pages[:stop] + rest) == {(deal, person) for deal in deals}


def test_archived_records_are_seen_within_a_day(account: Account) -> None:
    people, deals = account.contacts(150), account.deals(3)
    account.pull(account.hubspot(), Everything())
    account.clock.now += 2 * 60 * MINUTE
    for person in people[:120]:
        account.crm.archive("contacts", person)
    account.crm.archive("deals", deals[1])
    account.clock.now += DAY
    calls(account.crm)
    found = records(account.pull(account.hubspot()))
    gone = {f"contact:{one}" for one in people[:120]} | {f"deal:{deals[1]}"}
    assert {name for name, record in found.items() if record.deleted} == gone
    assert calls(account.crm)[LIST_CONTACTS] == 2


def test_a_restored_record_is_read_as_it_is(account: Account) -> None:
    """Whether or not restoring moves the modified date: here it does not."""
    (person,), (deal,) = account.contacts(1), account.deals(1)
    account.pull(account.hubspot(), Everything())
    account.crm.archive("contacts", person)
    account.crm.archive("deals", deal)
    account.clock.now += 2 * DAY
    assert {record.deleted for record in records(account.pull(account.hubspot())).values()} == {True}
    account.crm.restore("contacts", person)
    account.crm.restore("deals", deal)
    account.clock.now += 2 * DAY
    found = records(account.pull(account.hubspot()))
    assert found.keys() == {f"deal:{deal}"}, "an open deal is looked at daily"
    assert not found[f"deal:{deal}"].deleted
    named = records(account.pull(account.hubspot(), Named((Ref("hub", Kind.CONTACT, person),))))
    assert not named[f"contact:{person}"].deleted


def test_an_erased_contact_is_gone_by_name(account: Account) -> None:
    (person,) = account.contacts(1)
    account.pull(account.hubspot(), Everything())
    account.crm.erase("contacts", person)
    account.clock.now += 2 * DAY
    assert records(account.pull(account.hubspot())) == {}, "no list tells of it"
    ref = Ref("hub", Kind.CONTACT, person)
    assert [page.gone for page in account.pull(account.hubspot(), Named((ref,)))] == [(ref,)]


def test_merged_records_point_at_their_survivor(account: Account) -> None:
    people, deals = account.contacts(2), account.deals(2)
    account.crm.associate("deals", deals[0], "contacts", people[0])
    account.pull(account.hubspot(), Everything())
    account.clock.now += 2 * 60 * MINUTE
    person = account.crm.merge("contacts", people[0], people[1])
    deal = account.crm.merge("deals", deals[0], deals[1])
    pages = account.pull(account.hubspot())
    assert links(pages, Relation.MERGED_INTO) == {
        *((one, person) for one in people),
        *((one, deal) for one in deals),
    }
    assert links(pages) == {(deal, person)}


def test_mirrored_records_are_linked_to_the_salesforce_connection(accounts: Callable[..., Account]) -> None:
    account = accounts(salesforce_integration=True)
    row = {"salesforcecontactid": "0036000000Jkq5c", "email": "ann@example.com"}
    (person,) = account.crm.load("contacts", [row])
    (deal,) = account.crm.load("deals", [{"hs_salesforceopportunityid": "0066000000Jkq5cAAB"}])
    pages = account.pull(account.hubspot(mirror_of="crm"), Everything())
    found = {link for page in pages for link in page.links}
    assert found == {
        Link(Ref("hub", Kind.CONTACT, person), Relation.SAME_PERSON, Ref("crm", Kind.CONTACT, "0036000000Jkq5cAAB")),
        Link(Ref("hub", Kind.DEAL, deal), Relation.SAME_DEAL, Ref("crm", Kind.DEAL, "0066000000Jkq5cAAB")),
    }
    assert [link for page in account.pull(account.hubspot(), Everything()) for link in page.links] == []


def test_a_deal_of_many_people_has_them_all(account: Account) -> None:
    people = account.contacts(1_200)
    (deal,) = account.deals(1)
    account.crm.load_associations("deals", "contacts", [(deal, person) for person in people])
    pages = account.pull(account.hubspot(), Everything())
    assert links(pages) == {(deal, person) for person in people}
    account.crm.update("deals", deal, {"amount": "11"})
    assert links(account.pull(account.hubspot())) == {(deal, person) for person in people}


PARTNER = {
    "name": "partner",
    "type": "enumeration",
    "options": [{"value": "p17", "label": "Ann Gram (ANN-2026)"}, {"value": "Direct", "label": "Direct"}],
}


def test_every_reading_tells_who_on_a_deal_is_what_by_one_link(account: Account) -> None:
    people, deals = account.contacts(2), account.deals(250)
    champion = account.crm.add_label("deals", "contacts", "Champion")
    referrer = account.crm.add_label("deals", "contacts", "Referred by", "Referred")
    for label in (champion, referrer):
        account.crm.associate("deals", deals[0], "contacts", people[0], label)
    account.crm.associate("deals", deals[0], "contacts", people[1])
    told = {people[0]: ("Champion", "Referred by"), people[1]: ()}

    def labels(pages: list[Page]) -> dict[str, tuple[str, ...]]:
        found = {link for page in pages for link in page.links}
        assert len(found) == 2
        return {link.target.id: link.labels for link in found}

    assert labels(account.pull(account.hubspot(), Everything())) == told
    made = calls(account.crm)
    assert made[LABELS] == 1
    assert made[EDGES] == 1, "where nobody stands on a deal there is nothing to ask"
    account.crm.update("deals", deals[0], {"amount": "12"})
    assert labels(account.pull(account.hubspot())) == told
    assert labels(account.pull(account.hubspot(), Named((Ref("hub", Kind.DEAL, deals[0]),)))) == told
    account.pull(account.hubspot(), Everything())
    account.clock.now += 2 * DAY
    account.crm.disassociate("deals", deals[0], "contacts", people[0], champion)
    told[people[0]] = ("Referred by",)
    assert labels(account.pull(account.hubspot())) == told


def test_every_reading_tells_the_same_of_a_record(account: Account) -> None:
    crm = account.crm
    trial = crm.add_lifecycle_stage("Trial", after="lead")
    crm.define_property("contacts", PARTNER)
    company = crm.create("companies", {"name": "Acme"})
    renewals = crm.add_pipeline("Renewals", [{"label": "Renewed", "metadata": {"probability": "1.0"}}])
    stage = crm.add_stage(renewals, "Renewed early", probability="1.0")
    who = {"email": "ann@acme.example", "firstname": "Ann", "lastname": "Gram", "lifecyclestage": trial}
    person = crm.create("contacts", {**who, "hs_lead_status": "OPEN", "partner": "p17"})
    crm.add_email(person, "ann@home.example")
    crm.associate("contacts", person, "companies", company)
    money = {"amount": "900", "deal_currency_code": "EUR", "hs_exchange_rate": "1.1"}
    kind = {"pipeline": renewals, "dealstage": stage, "dealtype": "existingbusiness"}
    deal = crm.create("deals", {"dealname": "Acme", "closedate": START + 400 * DAY, **money, **kind})
    crm.associate("deals", deal, "companies", company)
    refs = (Ref("hub", Kind.CONTACT, person), Ref("hub", Kind.DEAL, deal))
    options = {"currency": None, "code_fields": {"contact": ["partner"]}}
    whole = records(account.pull(account.hubspot(**options), Everything()))
    contact, won = whole[f"contact:{person}"], whole[f"deal:{deal}"]
    assert (contact.email, contact.emails, contact.name) == ("ann@acme.example", ("ann@home.example",), "Ann Gram")
    assert (contact.stage, contact.account) == ("OPEN", company)
    assert contact.further_stages == (Stage("Trial", START), Stage(trial, START))
    assert contact.texts == {"partner": "p17", "partner (label)": "Ann Gram (ANN-2026)"}
    assert (won.pipeline, won.deal_type, won.account) == ("Renewals", "Existingbusiness", company)
    assert (won.home_amount, won.home_currency) == (Decimal(990), "USD")
    assert (won.outcome, won.closed_at, won.stage_at) == (Outcome.WON, START, START)
    window = Between(START - DAY, START + DAY)
    for span in (None, Named(refs), window):
        assert records(account.pull(account.hubspot(**options), span)) == whole


def test_a_window_brings_what_was_created_or_modified_in_it(account: Account) -> None:
    old = account.contacts(1, at=START - 10 * DAY)
    inside = account.contacts(450, at=START - 5 * DAY)
    touched = account.crm.load("contacts", [{"createdate": START - 20 * DAY, "lastmodifieddate": START - 5 * DAY}])
    born = account.crm.load("contacts", [{"createdate": START - 5 * DAY, "lastmodifieddate": START}])
    deals = account.deals(1, at=START - 5 * DAY)
    span = Between(START - 6 * DAY, START - 4 * DAY)
    pages = list(account.hubspot().pull(FIELDS, span))
    assert all(page.cursor is None for page in pages)
    found = records(pages).keys()
    assert found == {*(f"contact:{one}" for one in (*inside, *touched, *born)), f"deal:{deals[0]}"}
    assert f"contact:{old[0]}" not in found
    edge = Between(START - 10 * DAY, START - 5 * DAY)
    assert records(list(account.hubspot().pull(FIELDS, edge))).keys() == {f"contact:{old[0]}"}


def test_an_oauth_app_pulls_and_renews_its_token_once(
    accounts: Callable[..., Account], monkeypatch: pytest.MonkeyPatch
) -> None:
    account = accounts(latency=0.005, allowance=Allowance(per_ten_seconds=10_000))
    monkeypatch.setenv("SECRET", "local-secret")
    monkeypatch.setenv("REFRESH", "local-refresh")
    auth = {
        "method": "oauth",
        "client_id": "local-client",
        "client_secret": "env:SECRET",
        "refresh_token": "env:REFRESH",
    }
    people, deals = account.contacts(3_000), account.deals(1_500)
    hubspot = account.hubspot(auth=auth)
    pages = hubspot.pull(FIELDS, Everything())
    first = next(pages)
    account.clock.now += 31 * MINUTE  # the access token runs out between two pages, for all readers at once
    assert len(records([first, *pages])) == len(people) + len(deals)
    assert calls(account.crm)["POST /oauth/token"] == 2


def test_searches_keep_their_own_limit(accounts: Callable[..., Account]) -> None:
    account = accounts(strict=True)
    account.pull(account.hubspot(), Everything())
    people = account.contacts(5_000, at=START)
    began = account.clock.now
    assert len(records(account.pull(account.hubspot()))) == len(people)
    assert account.refused == 0
    assert (account.clock.now - began).total_seconds() <= 26 / 4
