"""What not every org has: a zone, several currencies, histories, person accounts; and the contact of a deal."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date, datetime

import pytest
import requests

from refloop_sandbox.salesforce import Features, LocalSalesforce, RecordError

DEAL = {"Name": "Deal", "StageName": "Prospecting", "CloseDate": "2026-12-31"}


def rows(api: requests.Session, query: str) -> list[dict[str, object]]:
    answer = api.get("~/queryAll", params={"q": query})
    assert answer.status_code == 200, answer.text
    return [{name: value for name, value in row.items() if name != "attributes"} for row in answer.json()["records"]]


def refused(api: requests.Session, query: str) -> str:
    answer = api.get("~/query", params={"q": query})
    assert answer.status_code == 400
    return str(answer.json()[0]["errorCode"])


def test_each_org_has_an_id_of_its_own_and_a_zone(crm: LocalSalesforce, api: requests.Session) -> None:
    with LocalSalesforce() as other, LocalSalesforce(number=7) as named, LocalSalesforce(number=7) as again:
        assert len({crm.organization_id, other.organization_id, named.organization_id}) == 3
        assert named.organization_id == again.organization_id
    crm.set_time_zone("Asia/Tokyo")
    assert rows(api, "SELECT Id, TimeZoneSidKey FROM Organization") == [
        {"Id": crm.organization_id, "TimeZoneSidKey": "Asia/Tokyo"}
    ]


class TestHistory:
    def test_changes_of_tracked_fields_are_kept_and_no_others(
        self, crm: LocalSalesforce, api: requests.Session, tick: Callable[[float], datetime]
    ) -> None:
        crm.track_history("Lead", "Company", "Description", "LastName")
        made = api.post("~/sobjects/Lead", json={"LastName": "Roe", "Company": "Roe"}).json()["id"]
        tick(60)
        change = {"Company": "Roe Ltd", "Description": "new", "Title": "Head", "LastName": "Roe"}
        assert api.patch(f"~/sobjects/Lead/{made}", json=change).status_code == 204
        kept = rows(api, "SELECT LeadId, Field, OldValue, NewValue, CreatedDate FROM LeadHistory")
        assert [tuple(row.values()) for row in kept] == [
            (made, "created", None, None, "2026-10-01T12:00:00.000+0000"),
            (made, "Company", "Roe", "Roe Ltd", "2026-10-01T12:01:00.000+0000"),
            (made, "Description", None, None, "2026-10-01T12:01:00.000+0000"),
        ]

    def test_nothing_is_kept_from_before(self, crm: LocalSalesforce, api: requests.Session) -> None:
        made = crm.create("Contact", {"LastName": "Doe"})
        crm.update("Contact", made, {"LastName": "Dee"})
        crm.track_history("Contact", "LastName")
        assert rows(api, "SELECT Field FROM ContactHistory") == []

    def test_it_goes_with_its_record(self, crm: LocalSalesforce, api: requests.Session) -> None:
        crm.track_history("Opportunity", "Name")
        made = crm.create("Opportunity", DEAL)
        crm.delete("Opportunity", made)
        assert len(rows(api, "SELECT Field FROM OpportunityFieldHistory")) == 1
        crm.delete("Opportunity", made, hard=True)
        assert rows(api, "SELECT Field FROM OpportunityFieldHistory") == []

    def test_there_are_twenty_fields_of_an_object_at_most(self, crm: LocalSalesforce) -> None:
        names = [field.name for field in crm._org.schema.named("Lead").fields.values()][:21]
        with pytest.raises(RecordError, match="20"):
            crm.track_history("Lead", *names)

    def test_a_client_cannot_write_it(self, api: requests.Session) -> None:
        assert api.post("~/sobjects/LeadHistory", json={"Field": "Company"}).status_code == 400


class TestContactOfDeal:
    def test_it_makes_the_primary_role_and_follows_it(self, crm: LocalSalesforce, api: requests.Session) -> None:
        first, second = (crm.create("Contact", {"LastName": name}) for name in ("First", "Second"))
        made = api.post("~/sobjects/Opportunity", json={**DEAL, "ContactId": first}).json()["id"]
        ask = "SELECT ContactId, IsPrimary, Role FROM OpportunityContactRole WHERE IsDeleted = false"
        assert rows(api, ask) == [{"ContactId": first, "IsPrimary": True, "Role": None}]

        stamp = (crm.get("Opportunity", made) or {})["SystemModstamp"]
        role = {"OpportunityId": made, "ContactId": second, "IsPrimary": True}
        other = api.post("~/sobjects/OpportunityContactRole", json=role).json()["id"]
        deal = crm.get("Opportunity", made) or {}
        assert (deal["ContactId"], deal["SystemModstamp"]) == (second, stamp)
        assert api.delete(f"~/sobjects/OpportunityContactRole/{other}").status_code == 204
        assert (crm.get("Opportunity", made) or {})["ContactId"] is None

    def test_it_is_given_at_creation_only(self, crm: LocalSalesforce, api: requests.Session) -> None:
        person = crm.create("Contact", {"LastName": "Doe"})
        made = crm.create("Opportunity", DEAL)
        answer = api.patch(f"~/sobjects/Opportunity/{made}", json={"ContactId": person})
        assert answer.json()[0]["errorCode"] == "INVALID_FIELD_FOR_INSERT_UPDATE"


class TestOneCurrency:
    def test_there_are_no_rates(self, api: requests.Session) -> None:
        assert refused(api, "SELECT Id FROM CurrencyType") == "INVALID_TYPE"
        assert refused(api, "SELECT Id FROM DatedConversionRate") == "INVALID_TYPE"
        assert refused(api, "SELECT IsPersonAccount FROM Contact") == "INVALID_FIELD"


class TestLarge:
    @pytest.fixture
    def crm(self, clock: Callable[[], datetime]) -> Iterator[LocalSalesforce]:
        features = Features(multi_currency=True, dated_rates=True, person_accounts=True)
        with LocalSalesforce(clock=clock, features=features, currency="EUR") as local:
            yield local

    def test_rates(self, crm: LocalSalesforce, api: requests.Session) -> None:
        crm.set_rate("USD", 1.2)
        crm.set_rate("USD", 1.25)
        assert rows(api, "SELECT IsoCode, ConversionRate, IsCorporate FROM CurrencyType ORDER BY IsoCode") == [
            {"IsoCode": "EUR", "ConversionRate": 1.0, "IsCorporate": True},
            {"IsoCode": "USD", "ConversionRate": 1.25, "IsCorporate": False},
        ]

    def test_a_dated_rate_holds_until_the_next_one(self, crm: LocalSalesforce, api: requests.Session) -> None:
        for start, rate in ((date(2025, 1, 1), 1.0), (date(2026, 1, 1), 1.1), (date(2025, 7, 1), 1.05)):
            crm.set_dated_rate("USD", start, rate)
        ask = "SELECT StartDate, NextStartDate, ConversionRate FROM DatedConversionRate ORDER BY StartDate"
        assert [tuple(row.values()) for row in rows(api, ask)] == [
            ("2025-01-01", "2025-07-01", 1.0),
            ("2025-07-01", "2026-01-01", 1.05),
            ("2026-01-01", None, 1.1),
        ]

    def test_a_person_account_is_a_contact_too(self, crm: LocalSalesforce, api: requests.Session) -> None:
        fields = {"FirstName": "Jane", "LastName": "Doe", "PersonEmail": "jane@home.example"}
        account, person = crm.create_person_account(fields)
        assert rows(api, "SELECT Name, IsPersonAccount, PersonContactId FROM Account") == [
            {"Name": "Jane Doe", "IsPersonAccount": True, "PersonContactId": person}
        ]
        change = {"PersonEmail": "jane@work.example"}
        assert api.patch(f"~/sobjects/Account/{account}", json=change).status_code == 204
        assert rows(api, "SELECT Id, AccountId, Email, IsPersonAccount FROM Contact") == [
            {"Id": person, "AccountId": account, "Email": "jane@work.example", "IsPersonAccount": True}
        ]
        api.post("~/sobjects/Opportunity", json={**DEAL, "AccountId": account})
        (deal,) = rows(api, "SELECT Account.PersonContactId FROM Opportunity")
        assert deal["Account"]["PersonContactId"] == person  # type: ignore[index] # a JSON object

    def test_a_person_has_a_name(self, crm: LocalSalesforce) -> None:
        with pytest.raises(RecordError, match="LastName"):
            crm.create_person_account({"PersonEmail": "jane@home.example"})
