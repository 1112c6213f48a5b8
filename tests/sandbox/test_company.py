"""The made-up company: believable, deterministic, and with nothing in it that its plan does not know of."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from functools import lru_cache

import pytest

from refloop import model
from refloop.mapping.codes import CodeBook, code_key
from refloop.mapping.match import READING_REASONS, CarriedTexts, Reading, read_codes
from refloop.model import Code, ReviewReason, parse_time
from refloop_sandbox.company import Company, build, hand_over
from refloop_sandbox.company.codes import Doubt
from refloop_sandbox.hubspot import LocalHubSpot
from refloop_sandbox.nouns import Kind, Ref
from refloop_sandbox.salesforce import LocalSalesforce

TODAY = date(2026, 11, 1)
Crms = tuple[LocalSalesforce, LocalHubSpot, Company]


@lru_cache(maxsize=16)
def _there(crm: LocalSalesforce, name: str) -> Sequence[Mapping[str, object]]:
    """The records of an object, listed once: nobody edits them."""
    return list(crm.rows(name))


@lru_cache(maxsize=16)
def _here(crm: LocalHubSpot, name: str) -> Sequence[tuple[str, Mapping[str, str]]]:
    return list(crm.rows(name))


@pytest.fixture(scope="module")
def crms() -> Iterator[Crms]:
    with LocalSalesforce() as salesforce:
        hubspot = LocalHubSpot()
        yield salesforce, hubspot, build(salesforce, hubspot, size=1.0, today=TODAY)


def _book(company: Company) -> CodeBook:
    def day(text: str) -> date | None:
        return date.fromisoformat(text) if text else None

    return CodeBook(
        Code(
            row["code"],
            code_key(row["code"]),
            row["referrer"],
            row["program"],
            day(row["valid_from"]),
            day(row["valid_to"]),
        )
        for row in company.codes
    )


Days = tuple[date, date]


def _texts(crms: Crms) -> Iterator[tuple[Ref, Days, dict[str, str]]]:
    """Each record, the first and the last day on which its text may have come, and the text: until the last save in
    Salesforce; in HubSpot, whose histories begin with the record, on the first."""
    salesforce, hubspot, _ = crms
    for name, kind in (("Lead", Kind.LEAD), ("Contact", Kind.CONTACT)):
        for row in _there(salesforce, name):
            text = {"Description": str(row["Description"])} if row["Description"] else {}
            first, last = (parse_time(str(row[name])).date() for name in ("CreatedDate", "LastModifiedDate"))
            yield Ref("salesforce", kind, str(row["Id"])), (first, last), text
    for record_id, properties in _here(hubspot, "contacts"):
        text = {name: properties[name] for name in ("hs_analytics_first_url",) if name in properties}
        day = parse_time(properties["createdate"]).date()
        yield Ref("hubspot", Kind.CONTACT, record_id), (day, day), text


def test_every_record_reads_as_planned(crms: Crms) -> None:
    company, book = crms[2], _book(crms[2])
    wrong = [
        (str(ref), text, reading)
        for ref, days, text in _texts(crms)
        if not _as_planned(company, ref, reading := _read(text, days, book))
    ]
    assert wrong == []


def _read(text: Mapping[str, str], days: Days, book: CodeBook) -> Reading:
    """A code counts that is good on the first day and on the last one."""
    first, last = (read_codes(CarriedTexts(model.Ref("crm", model.Kind.LEAD, "1"), text, day), book) for day in days)
    return last if first.match else first


def test_some_codes_may_have_come_after_their_end(crms: Crms) -> None:
    """Records of Salesforce that were saved since: nobody can say whether the code came in time."""
    expected = crms[2].expected
    doubts = [doubt for ref, doubt in expected.questions.items() if expected.manners[ref] not in ("expired", "early")]
    assert doubts.count(Doubt.EXPIRED) > 5


def _as_planned(company: Company, ref: Ref, reading: Reading) -> bool:
    code, doubt = company.expected.matches.get(ref), company.expected.questions.get(ref)
    found = reading.match.code if reading.match else None
    asked = [item.reason.value for item in reading.items]
    return found == (code_key(code) if code else None) and asked == ([doubt.value] if doubt else [])


def test_all_ways_of_writing_a_code_occur(crms: Crms) -> None:
    expected = crms[2].expected
    manners = Counter(expected.manners.values())
    assert set(manners) >= {
        "exact", "sentence", "lower", "separated", "split", "confused", "expired", "early", "unknown", "near", "two",
        "trap", "self", "ref", "path", "content", "encoded", "ordinary",
    }  # fmt: skip
    assert {doubt.value for doubt in expected.questions.values()} == {
        reason.value for reason in READING_REASONS if reason is not ReviewReason.TWO_CODES
    }
    carrying = sum(number for manner, number in manners.items() if manner != "ordinary")
    assert 0.10 < carrying / sum(1 for _ in _texts(crms)) < 0.15
    for ref in expected.traps:
        assert ref not in expected.matches


def test_the_size_is_as_promised(crms: Crms) -> None:
    salesforce, hubspot, company = crms
    leads = list(_there(salesforce, "Lead"))
    assert len(leads) == pytest.approx(3000, abs=30)
    assert sum(bool(row["IsConverted"]) for row in leads) == pytest.approx(600, abs=10)
    assert sum(1 for _ in _there(salesforce, "Contact")) == pytest.approx(1500, abs=20)
    assert sum(1 for _ in _there(salesforce, "Opportunity")) == 900
    assert sum(1 for _ in _here(hubspot, "contacts")) == 3000
    assert sum(1 for _ in _here(hubspot, "deals")) == 700 + 40 + 30
    assert len({row["referrer"] for row in company.codes}) == 60
    assert len({row["program"] for row in company.codes}) == 3


def test_conversions_lead_to_what_exists_and_come_in_order(crms: Crms) -> None:
    salesforce = crms[0]
    contacts = {str(row["Id"]): row for row in _there(salesforce, "Contact")}
    deals = {str(row["Id"]): row for row in _there(salesforce, "Opportunity")}
    converted = [row for row in _there(salesforce, "Lead") if row["IsConverted"]]
    assert sum(row["ConvertedOpportunityId"] is not None for row in converted) > len(converted) / 2
    for lead in converted:
        contact = contacts[str(lead["ConvertedContactId"])]
        assert str(lead["CreatedDate"]) <= str(contact["CreatedDate"])
        assert (contact["Email"], contact["Description"]) == (lead["Email"], lead["Description"])
        if lead["ConvertedOpportunityId"]:
            deal = deals[str(lead["ConvertedOpportunityId"])]
            assert str(contact["CreatedDate"]) <= str(deal["CreatedDate"])
            assert str(deal["CreatedDate"])[:10] <= str(deal["CloseDate"])


def test_nothing_happens_in_the_future(crms: Crms) -> None:
    salesforce, hubspot, _ = crms
    for name in ("Lead", "Contact", "Opportunity", "OpportunityContactRole", "Account"):
        for row in _there(salesforce, name):
            assert "2024-11-01" <= str(row["CreatedDate"])[:10] <= str(row["SystemModstamp"])[:10] <= "2026-11-01"
    for name, modified in (("contacts", "lastmodifieddate"), ("deals", "hs_lastmodifieddate")):
        for _, properties in _here(hubspot, name):
            assert "2024-11-01" <= properties["createdate"][:10] <= properties[modified][:10] <= "2026-11-01"


def test_deals_of_all_kinds_occur(crms: Crms) -> None:
    salesforce, hubspot, _ = crms
    stages = Counter((row["StageName"], row["IsClosed"], row["IsWon"]) for row in _there(salesforce, "Opportunity"))
    assert stages["Signed", True, True] > 50
    assert stages["Closed Lost", True, False] > 50
    assert stages["Discovery", False, False] > 10
    deals = [properties for _, properties in _here(hubspot, "deals")]
    assert {deal["deal_currency_code"] for deal in deals} == {"USD", "EUR"}
    assert len({deal["pipeline"] for deal in deals}) == 3
    numeric_won = [deal for deal in deals if deal["dealstage"].isdigit() and deal["hs_is_closed_won"] == "true"]
    assert len(numeric_won) > 10
    assert any("amount" not in deal for deal in deals)
    assert any(Decimal(deal["amount"]) % 1 for deal in deals if "amount" in deal)
    assert any(row["Amount"] is None for row in _there(salesforce, "Opportunity"))


def test_the_portal_holds_what_portals_hold(crms: Crms) -> None:
    _, hubspot, company = crms
    expected = company.expected
    deals = dict(_here(hubspot, "deals"))
    contacts = dict(_here(hubspot, "contacts"))
    renewals = {deal for deal, row in deals.items() if row["dealtype"] == "existingbusiness"}
    assert renewals == {ref.id for ref in expected.renewals}
    assert len({deals[deal]["pipeline"] for deal in renewals}) == 1
    assert any(deals[deal]["hs_is_closed_won"] == "true" for deal in renewals)
    without = {deal for deal in deals if not hubspot.associations("deals", deal, "contacts")}
    assert without == {deal.id for deal, _ in expected.by_company}
    for deal, buyer in expected.by_company:
        (there,) = hubspot.associations("deals", deal.id, "companies")
        assert there in hubspot.associations("contacts", buyer.id, "companies")
    assert len(expected.named) == 15
    for deal, referrer in expected.named:
        assert len(hubspot.associations("deals", deal.id, "contacts")[referrer.id]) == 2
        assert referrer not in expected.matches
    assert len(expected.second_addresses) > 50
    for person, address in expected.second_addresses:
        assert contacts[person.id]["hs_additional_emails"] == address
    assert len({address for _, address in expected.second_addresses}) == len(expected.second_addresses)
    assert any(row["lifecyclestage"].isdigit() for row in contacts.values())


def test_same_people_are_in_both_with_other_capitals(crms: Crms) -> None:
    salesforce, hubspot, company = crms
    pairs = [
        (_salesforce_email(salesforce, there), _hubspot_email(hubspot, here))
        for there, here in company.expected.same_person
    ]
    assert len(pairs) == 250
    assert all(there.lower() == here.lower() for there, here in pairs)
    assert sum(there != here for there, here in pairs) > 50


def _salesforce_email(salesforce: LocalSalesforce, ref: Ref) -> str:
    row = salesforce.get("Lead" if ref.kind is Kind.LEAD else "Contact", ref.id)
    assert row is not None
    return str(row["Email"])


def _hubspot_email(hubspot: LocalHubSpot, ref: Ref) -> str:
    properties = hubspot.get("contacts", ref.id)
    assert properties is not None
    return properties["email"]


def test_late_deals_had_closed_before_the_person_came(crms: Crms) -> None:
    salesforce, hubspot, company = crms
    assert {deal.crm for deal, _ in company.expected.late} == {"salesforce", "hubspot"}
    for deal, person in company.expected.late:
        assert _closed(salesforce, hubspot, deal) < _created(salesforce, hubspot, person)
        assert person in company.expected.matches


def _closed(salesforce: LocalSalesforce, hubspot: LocalHubSpot, ref: Ref) -> date:
    if ref.crm == "hubspot":
        properties = hubspot.get("deals", ref.id)
        assert properties is not None
        return parse_time(properties["hs_closed_won_date"]).date()
    row = salesforce.get("Opportunity", ref.id)
    assert row is not None
    assert row["IsWon"]
    return date.fromisoformat(str(row["CloseDate"]))


def _created(salesforce: LocalSalesforce, hubspot: LocalHubSpot, ref: Ref) -> date:
    if ref.crm == "hubspot":
        return parse_time((hubspot.get("contacts", ref.id) or {})["createdate"]).date()
    return parse_time(str((salesforce.get("Contact", ref.id) or {})["CreatedDate"])).date()


def test_rivals_have_people_of_two_referrers(crms: Crms) -> None:
    salesforce, hubspot, company = crms
    referrer = {row["code"]: row["referrer"] for row in company.codes}
    people: dict[Ref, list[Ref]] = {}
    for row in _there(salesforce, "OpportunityContactRole"):
        deal = Ref("salesforce", Kind.DEAL, str(row["OpportunityId"]))
        people.setdefault(deal, []).append(Ref("salesforce", Kind.CONTACT, str(row["ContactId"])))
    for deal_id, _ in _here(hubspot, "deals"):
        linked = hubspot.associations("deals", deal_id, "contacts")
        people[Ref("hubspot", Kind.DEAL, deal_id)] = [Ref("hubspot", Kind.CONTACT, record_id) for record_id in linked]
    codes = company.expected.matches
    for deal in company.expected.rivals:
        assert len({referrer[codes[person]] for person in people[deal] if person in codes}) > 1
    assert {deal.crm for deal in company.expected.rivals} == {"salesforce", "hubspot"}
    for deal in company.expected.unreferred_won:
        assert not any(person in codes for person in people[deal])
    assert len(company.expected.unreferred_won) > 50


def test_spotlight_shows_the_loop(crms: Crms) -> None:
    salesforce, hubspot, company = crms
    spot = company.spotlight
    email = spot.referrer.email
    assert email is not None
    assert _salesforce_email(salesforce, spot.in_salesforce).lower() == email
    assert _hubspot_email(hubspot, spot.in_hubspot) == email
    assert any(row["code"] == spot.code and row["referrer_email"] == email for row in company.codes)
    assert company.expected.matches[spot.lead] == company.expected.matches[spot.buyer] == spot.code
    assert (salesforce.get("Lead", spot.lead.id) or {})["IsConverted"] is False
    deal = salesforce.get("Opportunity", spot.deal.id) or {}
    assert (deal["IsWon"], deal["Amount"]) == (True, 48250.75)
    roles = [row for row in _there(salesforce, "OpportunityContactRole") if row["OpportunityId"] == spot.deal.id]
    assert [row["ContactId"] for row in roles] == [spot.buyer.id]


def test_nobody_is_real(crms: Crms) -> None:
    salesforce, hubspot, company = crms
    emails = [str(row["Email"]) for name in ("Lead", "Contact") for row in _there(salesforce, name) if row["Email"]]
    emails += [properties["email"] for _, properties in _here(hubspot, "contacts")]
    emails += [row["referrer_email"] for row in company.codes]
    assert all(re.fullmatch(r"[a-z0-9.-]+@[a-z0-9-]+\.example", email.lower()) for email in emails)


def test_names_come_from_many_places(crms: Crms) -> None:
    salesforce = crms[0]
    leads = list(_there(salesforce, "Lead"))
    assert len({row["Country"] for row in leads}) > 10
    names = " ".join(f"{row['Name']} {row['Company']}" for row in leads)
    assert {"ß", "ü", "'", '"', "ł", "佐"} - set(names) <= {"佐"}
    assert any(ord(letter) > 0x3000 for letter in names)


def _owned(crms: Crms) -> dict[Ref, str | None]:
    """Every record of both CRMs, with the id of whom it belongs to."""
    salesforce, hubspot, _ = crms
    found: dict[Ref, str | None] = {}
    for name, kind in (("Lead", Kind.LEAD), ("Contact", Kind.CONTACT), ("Opportunity", Kind.DEAL)):
        found |= {Ref("salesforce", kind, str(row["Id"])): str(row["OwnerId"]) for row in salesforce.rows(name)}
    for name, kind in (("contacts", Kind.CONTACT), ("deals", Kind.DEAL)):
        found |= {Ref("hubspot", kind, one): row.get("hubspot_owner_id") for one, row in hubspot.rows(name)}
    return found


def test_records_belong_to_whom_they_were_planned_for(crms: Crms) -> None:
    planned = {ref: owner.id for ref, owner in crms[2].expected.owners.items()}
    found = _owned(crms)
    assert {ref: owner for ref, owner in found.items() if owner} == planned
    nobodys = [ref for ref, owner in found.items() if owner is None]
    assert {ref.crm for ref in nobodys} == {"hubspot"}
    assert {ref.kind for ref in nobodys} == {Kind.CONTACT, Kind.DEAL}


def test_ownership_is_untidy(crms: Crms) -> None:
    salesforce, _, company = crms
    owners = company.expected.owners
    waiting = [ref for ref, owner in owners.items() if owner.id == salesforce.queue_id]
    assert len(waiting) > 200
    assert {ref.kind for ref in waiting} == {Kind.LEAD}
    left = {ref for ref, owner in owners.items() if owner.left}
    assert {(ref.crm, ref.kind) for ref in left} == {(ref.crm, ref.kind) for ref in owners}
    users = {owner.id: owner.name for ref, owner in owners.items() if ref.crm == "salesforce"}
    assert max(Counter(users.values()).values()) == 2
    both = [
        (owners[there], owners[here])
        for there, here in company.expected.same_person
        if there in owners and here in owners
    ]
    assert sum(there.email == here.email.lower() for there, here in both) > 50
    assert any(there.email != here.email for there, here in both if there.email == here.email.lower())
    assert any(owner.name == "" for owner in owners.values())
    assert any(there.email and there.email != here.email.lower() for there, here in both)


def test_who_has_left_is_known_to_the_crms(crms: Crms) -> None:
    salesforce, _, company = crms
    left = {owner.id for ref, owner in company.expected.owners.items() if owner.left and ref.crm == "salesforce"}
    assert {str(row["Id"]) for row in _there(salesforce, "User") if not row["IsActive"]} == left
    assert len(left) == 1


def test_what_somebody_left_behind_is_handed_over_and_nothing_else_changes() -> None:
    with LocalSalesforce(clock=_noon) as salesforce:
        hubspot = LocalHubSpot(clock=_noon)
        company = build(salesforce, hubspot, size=0.05, today=TODAY)
        crms = salesforce, hubspot, company
        before, people = _owned(crms), _everything(crms)
        given = hand_over(company, salesforce, hubspot)
        assert {ref.crm for ref in given} == {"salesforce", "hubspot"}
        after = _owned(crms)
        assert {ref: owner for ref, owner in after.items() if owner != before[ref]} == {
            ref: owner.id for ref, owner in given.items()
        }
        assert _everything(crms) == people
        assert hand_over(company, salesforce, hubspot) == given


def _everything(crms: Crms) -> list[object]:
    """All records without their owner, and without when and by whom they were last changed."""
    salesforce, hubspot, _ = crms
    moving = {"OwnerId", "LastModifiedDate", "LastModifiedById", "SystemModstamp"}
    moving |= {"hubspot_owner_id", "lastmodifieddate", "hs_lastmodifieddate"}
    rows = [row for name in ("Lead", "Contact", "Opportunity") for row in salesforce.rows(name)]
    rows += [dict(row) for name in ("contacts", "deals") for _, row in hubspot.rows(name)]
    return [{name: value for name, value in row.items() if name not in moving} for row in rows]


def _content(seed: int, today: date) -> list[object]:
    with LocalSalesforce(clock=_noon) as salesforce:
        hubspot = LocalHubSpot(clock=_noon)
        company = build(salesforce, hubspot, seed=seed, size=0.05, today=today)
        return [
            company.codes,
            company.spotlight,
            company.expected,
            list(salesforce.rows("Lead")),
            list(salesforce.rows("Opportunity")),
            list(hubspot.rows("contacts")),
            list(hubspot.rows("deals")),
        ]


def _noon() -> datetime:
    return parse_time("2026-11-01T12:00:00Z")


def test_same_seed_same_company() -> None:
    assert _content(7, TODAY) == _content(7, TODAY)
    assert _content(7, TODAY) != _content(8, TODAY)


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("size", [0.01, 0.05])
def test_small_companies_work_too(seed: int, size: float) -> None:
    with LocalSalesforce() as salesforce:
        crms = salesforce, (hubspot := LocalHubSpot()), build(salesforce, hubspot, seed=seed, size=size, today=TODAY)
        company, book = crms[2], _book(crms[2])
        for ref, on, text in _texts(crms):
            assert _as_planned(company, ref, _read(text, on, book)), (ref, text)
