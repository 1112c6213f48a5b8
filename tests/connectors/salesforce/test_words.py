"""The words of an org: the words that say what deals are, who stands on them, where leads stand."""

from __future__ import annotations

from refloop.model import Level, WordKind
from refloop_sandbox.salesforce import LocalSalesforce
from tests.connectors.salesforce.connections import Connections


def listed(connect: Connections) -> set[tuple[WordKind, str, int | None]]:
    return {(word.kind, word.word, word.count) for word in connect().words()}


def test_the_words_in_use_are_listed_with_their_counts(local: LocalSalesforce, connect: Connections) -> None:
    assert listed(connect) == set()
    kind = {"Name": "Renewals", "DeveloperName": "Renewal", "SobjectType": "Opportunity"}
    (renewal,) = local.load("RecordType", [kind])
    person = local.create("Contact", {"LastName": "Doe"})
    deal = {"Name": "Deal", "StageName": "Prospecting", "CloseDate": "2026-12-31"}
    some = local.create("Opportunity", {**deal, "RecordTypeId": renewal, "Type": "Existing Business"})
    local.create("Opportunity", {**deal, "Type": "Existing Business", "ContactId": person})
    local.create("OpportunityContactRole", {"OpportunityId": some, "ContactId": person, "Role": "Referred by"})
    local.create("Lead", {"LastName": "Roe", "Company": "Roe", "Status": "Nurture"})
    assert listed(connect) == {
        (WordKind.PIPELINE, "Renewals", 1),
        (WordKind.DEAL_TYPE, "Existing Business", 2),
        (WordKind.ROLE, "Referred by", 1),
        (WordKind.STAGE, "Nurture", 1),
    }


def test_what_the_org_hides_is_not_listed_and_a_hidden_role_is_told(
    local: LocalSalesforce, connect: Connections
) -> None:
    deal = {"Name": "Deal", "StageName": "Prospecting", "CloseDate": "2026-12-31", "Type": "New"}
    local.create("Opportunity", deal)
    for name, field in (("Opportunity", "recordtypeid"), ("OpportunityContactRole", "role")):
        del local._org.schema.named(name).fields[field]
    local._org.schema.changed()
    assert listed(connect) == {(WordKind.DEAL_TYPE, "New", 1)}
    warned = [found.place for found in connect().check(()) if found.level is Level.WARNING]
    assert warned == ["crm: OpportunityContactRole.Role"]


def test_address_fields_that_are_not_there_are_told(connect: Connections) -> None:
    crm = connect(email_fields={"contact": ["Private__c", "Email"]})
    assert [found.place for found in crm.check(()) if found.level is Level.ERROR] == ["crm: Contact.Private__c"]
