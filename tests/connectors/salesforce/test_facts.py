"""What else a record says: company, person, further addresses, record type, role, rates; by queries and jobs alike."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest

from refloop.connectors.salesforce.rates import Rates
from refloop.errors import RefloopError
from refloop.model import Account, Everything, Kind, Link, Named, Record, Ref, Relation, Since
from refloop_sandbox.salesforce import Features, LocalSalesforce
from tests.connectors.salesforce.connections import Connections, connections
from tests.connectors.salesforce.pages import last_cursor
from tests.connectors.salesforce.test_records import settings

NOW = datetime(2026, 6, 9, 12, tzinfo=UTC)
LARGE = Features(multi_currency=True, dated_rates=True, person_accounts=True)
Opened = Callable[..., AbstractContextManager[tuple[LocalSalesforce, Connections]]]


@pytest.fixture(params=[50_000, 0], ids=["queries", "jobs"])
def opened(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Opened:
    """Opens an org with features, and connections to it that read by queries or by jobs."""
    monkeypatch.setenv("SF_SECRET", "local-secret")

    @contextmanager
    def open_org(features: Features = Features(), **changes: Any) -> Iterator[tuple[LocalSalesforce, Connections]]:  # noqa: B008 - a frozen value
        with (
            LocalSalesforce(clock=lambda: NOW, features=features, currency="EUR", time_zone="Europe/Berlin") as local,
            connections(local, bulk_rows=request.param, **changes) as connect,
        ):
            yield local, connect

    return open_org


def pulled(connect: Connections, **changes: Any) -> tuple[dict[str, Record], set[Link]]:
    """All records by their ids, and all links."""
    pages = list(connect(**changes).pull((), Everything()))
    records = {record.ref.id: record for page in pages for record in page.records}
    return records, {link for page in pages for link in page.links}


def test_the_company_that_people_and_deals_belong_to(opened: Opened) -> None:
    with opened() as (local, connect):
        company = local.create("Account", {"Name": "Acme"})
        person = local.create("Contact", {"FirstName": "Jane", "LastName": "Doe", "AccountId": company})
        loner = local.create("Contact", {"LastName": "Loner"})
        deal = {"Name": "Deal", "StageName": "Prospecting", "CloseDate": "2026-12-31"}
        of_company = local.create("Opportunity", {**deal, "AccountId": company})
        of_nobody = local.create("Opportunity", deal)
        lead = local.create("Lead", {"LastName": "Roe", "Company": "Roe Ltd"})
        became = local.convert_lead(lead)
        records, _ = pulled(connect)
    accounts = {text: record.account for text, record in records.items()}
    assert (accounts[person], accounts[of_company], accounts[of_nobody], accounts[loner]) == (
        company,
        company,
        None,
        None,
    )
    assert accounts[lead] == accounts[became.contact] == became.account
    assert (records[person].name, records[lead].name, records[of_company].name) == ("Jane Doe", "Roe", None)
    assert records[lead].stage_at == datetime(2026, 6, 8, 22, tzinfo=UTC)  # that day in Berlin


def test_a_deal_made_for_a_contact_has_its_contact_role(opened: Opened) -> None:
    with opened() as (local, connect):
        person, other = (local.create("Contact", {"LastName": name}) for name in ("First", "Second"))
        deal = {"Name": "Deal", "StageName": "Prospecting", "CloseDate": "2026-12-31", "ContactId": person}
        made = local.create("Opportunity", deal)
        _, links = pulled(connect)
        (link,) = links
        assert (link.source.id, link.target.id, link.labels) == (made, person, ())
        local.create(
            "OpportunityContactRole",
            {"OpportunityId": made, "ContactId": other, "IsPrimary": True, "Role": "Evaluator"},
        )
        assert (local.get("Opportunity", made) or {})["ContactId"] == other
        _, links = pulled(connect)
    assert {(link.target.id, link.labels) for link in links} == {(person, ()), (other, ("Evaluator",))}


def test_record_type_type_and_stage_of_a_deal(opened: Opened) -> None:
    with opened() as (local, connect):
        kind = {"Name": "Renewals of old", "DeveloperName": "Renewal", "SobjectType": "Opportunity"}
        (renewal,) = local.load("RecordType", [kind])
        deal = {"Name": "Deal", "StageName": "Prospecting", "CloseDate": "2026-12-31"}
        made = local.create("Opportunity", {**deal, "RecordTypeId": renewal, "Type": "Existing Business"})
        plain = local.create("Opportunity", deal)
        local.update("Opportunity", made, {"StageName": "Qualification"})
        records, _ = pulled(connect)
    found = records[made]
    assert (found.pipeline, found.deal_type, found.stage_at) == ("Renewal", "Existing Business", NOW)
    assert (records[plain].pipeline, records[plain].deal_type, records[plain].stage_at) == (None, None, None)


def test_all_addresses_that_the_settings_name(opened: Opened) -> None:
    with opened(email_fields={"lead": ["Private__c", "Gone__c"], "contact": ["Private__c"]}) as (local, connect):
        for name in ("Lead", "Contact"):
            local.add_field(name, "Private__c", {"type": "Email", "label": "Private"})
        lead = {"LastName": "Roe", "Company": "Roe", "Email": "roe@work.example", "Private__c": "roe@home.example"}
        some = local.create("Lead", lead)
        none = local.create("Contact", {"LastName": "Doe", "Email": "doe@work.example"})
        records, _ = pulled(connect)
    assert (records[some].email, records[some].emails) == ("roe@work.example", ("roe@home.example",))
    assert (records[none].email, records[none].emails) == ("doe@work.example", ())


def test_fields_of_deals_are_no_addresses() -> None:
    with pytest.raises(ValueError, match="only leads and contacts are people"):
        settings(email_fields={"deal": ["Description"]})


def test_a_deal_of_a_person_account_is_that_persons(opened: Opened) -> None:
    with opened(LARGE) as (local, connect):
        account, person = local.create_person_account({"LastName": "Doe", "PersonEmail": "doe@home.example"})
        company = local.create("Account", {"Name": "Acme"})
        deal = {"Name": "Deal", "StageName": "Prospecting", "CloseDate": "2026-12-31"}
        made = local.create("Opportunity", {**deal, "AccountId": account})
        other = local.create("Opportunity", {**deal, "AccountId": company})
        records, links = pulled(connect)
        source, target = Ref("crm", Kind.DEAL, made), Ref("crm", Kind.CONTACT, person)
        link = Link(source, Relation.ASSOCIATED_WITH, target, key=made)
        assert {one for one in links if not one.gone} == {link}
        assert (records[person].email, records[person].account) == ("doe@home.example", account)

        local.update("Account", account, {"PersonEmail": "doe@work.example"})
        local.update("Opportunity", made, {"AccountId": company})
        records, links = pulled(connect)
        (named,) = connect().pull((), Named((Ref("crm", Kind.DEAL, made),)))
    assert records[person].email == "doe@work.example"
    assert {(one.key, one.gone) for one in links} == {(made, True), (other, True)}
    assert {(one.key, one.gone) for one in named.links} == {(made, True)}


def test_amounts_in_the_currency_of_the_org(opened: Opened) -> None:
    with opened(LARGE) as (local, connect):
        local.set_rate("USD", 1.25)
        local.set_rate("JPY", 160)
        local.set_dated_rate("USD", date(2025, 1, 1), 1.0)
        local.set_dated_rate("USD", date(2026, 1, 1), 2.0)
        deals = [
            {"Amount": 100.0, "CurrencyIsoCode": currency, "CloseDate": day}
            for currency, day in (
                ("EUR", "2026-02-01"),
                ("USD", "2024-12-31"),
                ("USD", "2025-12-31"),
                ("USD", "2026-01-01"),
                ("JPY", "2026-01-01"),
                ("CHF", "2026-01-01"),
            )
        ]
        made = local.load("Opportunity", [{"Name": "Deal", "StageName": "Prospecting", **deal} for deal in deals])
        records, _ = pulled(connect)
    home = [(records[one].home_amount, records[one].home_currency) for one in made]
    converted = [Decimal(100), Decimal(80), Decimal(100), Decimal(50), Decimal("0.625")]
    assert home == [*((amount, "EUR") for amount in converted), (None, None)]
    assert records[made[1]].currency == "USD"


@pytest.mark.parametrize(
    ("features", "currency", "calls"),
    [
        (Features(), None, 2),
        (Features(multi_currency=True), "EUR", 2),  # that is the org's: nothing is converted
        (Features(multi_currency=True), "USD", 3),
        (LARGE, "USD", 3),
    ],
)
def test_what_facts_cost(local: LocalSalesforce, features: Features, currency: str | None, calls: int) -> None:
    with (
        LocalSalesforce(clock=lambda: NOW, features=features, currency="EUR", page_size=1) as crm,
        connections(crm) as connect,
    ):
        deal = {"Name": "Deal", "StageName": "Prospecting", "CloseDate": "2026-01-01", "Amount": 1}
        money = {"CurrencyIsoCode": currency} if currency else {}
        crm.load("Opportunity", [{**deal, **money}])
        connection = connect()
        connection.account(Account(crm.organization_id, "Europe/Berlin", "EUR"))
        pages = list(connection.pull((), Everything()))
        assert crm.api_usage == calls
        idle = connect()
        idle.account(Account(crm.organization_id, "Europe/Berlin", "EUR"))
        crm.delete("Opportunity", str(next(crm.rows("Opportunity"))["Id"]), hard=True)
        list(idle.pull((), Since(last_cursor(pages))))
        assert crm.api_usage == calls + 1


@pytest.mark.parametrize(
    ("money", "currency", "rate"), [("1", "USD", "0"), ("1e30", "USD", "3"), ("1e95", "USD", "3"), ("1", "CHF", "3")]
)
def test_what_cannot_be_converted_is_not(money: str, currency: str, rate: str) -> None:
    found = Rates("EUR", {"USD": Decimal(rate)}).converted(Decimal(money), currency, None)
    assert found is None or abs(found * 3 - Decimal(money)) < Decimal("1e-4") * Decimal(money)
    assert found is not None or (money, rate) != ("1e30", "3")


def test_an_org_that_hides_what_is_not_needed_is_read(opened: Opened) -> None:
    hidden = {
        "Lead": ("Name", "ConvertedAccountId", "ConvertedDate"),
        "Contact": ("Name", "AccountId"),
        "Opportunity": ("AccountId", "RecordTypeId", "Type", "LastStageChangeDate", "CloseDate"),
        "OpportunityContactRole": ("Role",),
    }
    with opened(LARGE) as (local, connect):
        person = local.create("Contact", {"LastName": "Doe"})
        lead = local.create("Lead", {"LastName": "Roe", "Company": "Roe"})
        deal = {"Name": "Deal", "StageName": "Closed Won", "CloseDate": "2026-01-01", "ContactId": person}
        made = local.create("Opportunity", deal)
        with without(local, hidden):
            records, links = pulled(connect)
    assert records.keys() == {person, lead, made}
    assert [link.target.id for link in links] == [person]


@contextmanager
def without(local: LocalSalesforce, hidden: Mapping[str, tuple[str, ...]]) -> Iterator[None]:
    """The org without these fields."""
    taken = []
    for name, fields in hidden.items():
        sobject = local._org.schema.named(name)
        taken += [(sobject, sobject.fields.pop(field.casefold())) for field in fields]
    local._org.schema.changed()
    yield
    for sobject, item in taken:
        sobject.fields[item.name.casefold()] = item
    local._org.schema.changed()


def test_an_org_whose_rates_are_hidden_is_read_without(opened: Opened) -> None:
    with opened(Features(multi_currency=True)) as (local, connect):
        deal = {"Name": "Deal", "StageName": "Prospecting", "CloseDate": "2026-01-01", "Amount": 1}
        (made,) = local.load("Opportunity", [{**deal, "CurrencyIsoCode": "USD"}])
        del local._org.schema._objects["currencytype"]
        records, _ = pulled(connect)
    assert (records[made].currency, records[made].home_amount) == ("USD", None)


def test_a_run_user_who_may_not_see_the_org_is_told_nothing(local: LocalSalesforce, connect: Connections) -> None:
    del local._org.schema._objects["organization"]
    assert connect().account(None) == Account(local.organization_id)


def test_an_org_that_hides_its_contact_roles_is_not_read(local: LocalSalesforce, connect: Connections) -> None:
    del local._org.schema._objects["opportunitycontactrole"]
    with pytest.raises(RefloopError):
        list(connect().pull((), Everything()))
