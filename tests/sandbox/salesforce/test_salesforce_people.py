"""What people do: conversion, merging, deletion of parents."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

import pytest

from refloop_sandbox.salesforce import LocalSalesforce, RecordError

Tick = Callable[[float], datetime]


def _lead(crm: LocalSalesforce, **fields: object) -> str:
    given = {"FirstName": "Jo", "LastName": "Doe", "Company": "Acme", "Email": "jo@acme.example", "LeadSource": "Web"}
    return crm.create("Lead", {**given, **fields})


def _get(crm: LocalSalesforce, kind: str, record_id: str | None) -> dict[str, object]:
    row = crm.get(kind, record_id or "")
    assert row is not None
    return row


def test_conversion_makes_three_records_and_points_at_them(crm: LocalSalesforce, tick: Tick) -> None:
    lead = _lead(crm)
    tick(60)
    ids = crm.convert_lead(lead)
    row = _get(crm, "Lead", lead)
    assert (row["IsConverted"], row["ConvertedDate"], row["Status"]) == (True, "2026-10-01", "Closed - Converted")
    assert row["ConvertedContactId"] == ids.contact
    assert row["ConvertedAccountId"] == ids.account
    assert row["ConvertedOpportunityId"] == ids.opportunity
    assert row["SystemModstamp"] == "2026-10-01T12:01:00.000+0000"
    contact, deal = _get(crm, "Contact", ids.contact), _get(crm, "Opportunity", ids.opportunity)
    assert (contact["Email"], contact["AccountId"], contact["LeadSource"]) == ("jo@acme.example", ids.account, "Web")
    assert (deal["Name"], deal["StageName"], deal["CloseDate"]) == ("Acme-", "Prospecting", "2026-12-31")
    (role,) = crm.rows("OpportunityContactRole")
    assert (role["OpportunityId"], role["ContactId"], role["IsPrimary"]) == (ids.opportunity, ids.contact, True)
    for act in (crm.convert_lead, lambda one: crm.update("Lead", one, {"Title": "x"})):
        with pytest.raises(RecordError, match="CANNOT_UPDATE_CONVERTED_LEAD"):
            act(lead)


def test_conversion_into_existing_records_fills_only_what_is_empty(crm: LocalSalesforce) -> None:
    text = {"label": "Ref", "type": "Text", "length": 20}
    for kind in ("Lead", "Contact", "Opportunity"):
        crm.add_field(kind, "Ref__c", text)
    crm.map_lead_field("Ref__c", "Contact", "Ref__c")
    crm.map_lead_field("Ref__c", "Opportunity", "Ref__c")
    account = crm.create("Account", {"Name": "Old"})
    contact = crm.create("Contact", {"LastName": "Smith", "AccountId": account, "Ref__c": "OLD"})
    ids = crm.convert_lead(_lead(crm, Ref__c="NEW", Title="CEO"), contact=contact, opportunity_name="Deal")
    assert (ids.contact, ids.account) == (contact, account)
    row = _get(crm, "Contact", contact)
    assert (row["LastName"], row["Ref__c"], row["Title"]) == ("Smith", "OLD", "CEO")
    deal = _get(crm, "Opportunity", ids.opportunity)
    assert (deal["Ref__c"], deal["Name"]) == ("NEW", "Deal")
    again = crm.convert_lead(_lead(crm), account=account, opportunity=ids.opportunity)
    assert again.opportunity == ids.opportunity
    assert [role["IsPrimary"] for role in crm.rows("OpportunityContactRole")] == [True, False]
    assert crm.convert_lead(_lead(crm), opportunity=None).opportunity is None


def test_a_campaign_member_follows_its_lead(crm: LocalSalesforce) -> None:
    campaign, lead = crm.create("Campaign", {"Name": "Friends"}), _lead(crm)
    member = crm.create("CampaignMember", {"CampaignId": campaign, "LeadId": lead, "Status": "Responded"})
    assert _get(crm, "CampaignMember", member)["HasResponded"] is True
    ids = crm.convert_lead(lead)
    row = _get(crm, "CampaignMember", member)
    assert (row["LeadId"], row["ContactId"], row["LeadOrContactId"]) == (lead, ids.contact, ids.contact)
    assert _get(crm, "Opportunity", ids.opportunity)["CampaignId"] == campaign


def test_a_failed_conversion_leaves_nothing_behind(crm: LocalSalesforce) -> None:
    lead = _lead(crm)
    with pytest.raises(RecordError, match="INVALID_CROSS_REFERENCE_KEY"):
        crm.convert_lead(lead, opportunity="006000000000001")
    assert _get(crm, "Lead", lead)["IsConverted"] is False
    assert list(crm.rows("Account")) == list(crm.rows("Contact")) == []


def test_a_merge_moves_children_and_names_the_master(crm: LocalSalesforce, tick: Tick) -> None:
    account = crm.create("Account", {"Name": "A"})
    kept, gone = (crm.create("Contact", {"LastName": name, "AccountId": account}) for name in ("Kept", "Gone"))
    deal = crm.create("Opportunity", {"Name": "D", "StageName": "Prospecting", "CloseDate": "2026-12-01"})
    role = crm.create("OpportunityContactRole", {"OpportunityId": deal, "ContactId": gone})
    tick(60)
    crm.merge("Contact", kept, gone)
    loser = _get(crm, "Contact", gone)
    assert (loser["IsDeleted"], loser["MasterRecordId"]) == (True, kept)
    stamps = [_get(crm, "Contact", one)["SystemModstamp"] for one in (kept, gone)]
    assert stamps == ["2026-10-01T12:01:00.000+0000"] * 2
    assert _get(crm, "OpportunityContactRole", role)["ContactId"] == kept
    for survivor, loser_id in ((kept, gone), (kept, kept)):
        with pytest.raises(RecordError):
            crm.merge("Contact", survivor, loser_id)
    with pytest.raises(RecordError, match="does not support merge"):
        crm.merge("Opportunity", deal, deal)


def test_parts_go_with_their_whole(crm: LocalSalesforce) -> None:
    account = crm.create("Account", {"Name": "A"})
    contact = crm.create("Contact", {"LastName": "C", "AccountId": account})
    deal = crm.create(
        "Opportunity", {"Name": "D", "StageName": "Prospecting", "CloseDate": "2026-12-01", "AccountId": account}
    )
    crm.create("OpportunityContactRole", {"OpportunityId": deal, "ContactId": contact})
    crm.delete("Account", account)
    for kind in ("Account", "Contact", "Opportunity", "OpportunityContactRole"):
        assert [row["IsDeleted"] for row in crm.rows(kind)] == [True]


def test_one_primary_contact_a_deal(crm: LocalSalesforce) -> None:
    deal = crm.create("Opportunity", {"Name": "D", "StageName": "Prospecting", "CloseDate": "2026-12-01"})
    for name in ("A", "B"):
        contact = crm.create("Contact", {"LastName": name})
        crm.create("OpportunityContactRole", {"OpportunityId": deal, "ContactId": contact, "IsPrimary": True})
    assert [role["IsPrimary"] for role in crm.rows("OpportunityContactRole")] == [False, True]


def test_a_failed_transaction_changes_nothing(crm: LocalSalesforce) -> None:
    lead = _lead(crm)

    def both() -> None:
        with crm.transaction() as slow:
            slow.create("Account", {"Name": "A"})
            slow.update("Lead", lead, {"Company": "x" * 300})

    with pytest.raises(RecordError, match="STRING_TOO_LONG"):
        both()
    assert list(crm.rows("Account")) == []
