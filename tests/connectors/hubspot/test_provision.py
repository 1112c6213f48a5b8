"""Provisioning, checking and pushing, against the local HubSpot over real HTTP."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from refloop.errors import AuthError, ConfigError, CrmUnavailable
from refloop.model import FieldChange, FieldSpec, FieldType, Finding, Kind, Level, Ref, Usage, Verdict
from refloop_sandbox.hubspot import Allowance
from tests.connectors.hubspot.account import Account

BOTH = (Kind.LEAD, Kind.CONTACT, Kind.DEAL)
CODE = FieldSpec("ref_code", "Referral code", FieldType.TEXT, BOTH, "The code")
STATUS = FieldSpec("ref_status", "Status", FieldType.CHOICE, BOTH, choices=(("won", "Won"), ("lost", "Lost")))
AT = FieldSpec("ref_status_at", "Status at", FieldType.TIME, BOTH)
SHARE = FieldSpec("ref_share", "Share", FieldType.NUMBER, (Kind.DEAL,))
FIELDS = (CODE, STATUS, AT, SHARE)


@pytest.fixture
def account(accounts: Callable[..., Account]) -> Account:
    """One in which nothing of ours was made yet."""
    return accounts(provisioned=False)


def check(account: Account, **settings: Any) -> list[Finding]:
    return list(account.hubspot(**settings).check(FIELDS))


def provisioned(account: Account) -> list[Finding]:
    return list(account.hubspot().provision(FIELDS))


def test_provisioning_says_what_it_did_and_may_be_repeated(account: Account) -> None:
    places = [
        *(f"hub: contacts.{name}" for name in ("ref_code", "ref_status", "ref_status_at")),
        *(f"hub: deals.{name}" for name in ("ref_code", "ref_status", "ref_status_at", "ref_share")),
    ]
    first = provisioned(account)
    assert [(finding.place, finding.message) for finding in first] == [(place, "created") for place in places]
    assert sum(account.crm.calls.values()) == 6
    assert all(finding.level is Level.INFO for finding in first)
    again = provisioned(account)
    assert [(finding.place, finding.message) for finding in again] == [(place, "there already") for place in places]
    assert check(account) == []


def test_provisioning_completes_what_is_there(account: Account) -> None:
    account.crm.define_property("deals", {"name": "ref_code", "type": "number"})
    options = [{"value": "lost", "label": "Verloren"}]
    account.crm.define_property("contacts", {"name": "ref_status", "type": "enumeration", "options": options})
    by_place = {finding.place: finding for finding in provisioned(account)}
    wrong = by_place["hub: deals.ref_code"]
    assert wrong.level is Level.ERROR
    assert "has the type number, refloop needs string" in wrong.message
    assert wrong.remedy
    assert by_place["hub: contacts.ref_status"].message == "options added: won"
    person = account.crm.create("contacts", {"email": "ann@example.com"})
    for value in ("won", "lost"):
        account.crm.update("contacts", person, {"ref_status": value})
    assert [finding.place for finding in check(account)] == ["hub: deals.ref_code"]


GROUP = "ref_referral_attribution"


def taken_back(account: Account, *fields: FieldSpec) -> dict[str, Finding]:
    return {finding.place: finding for finding in account.hubspot().unprovision(fields or FIELDS)}


def test_what_was_provisioned_is_taken_back_and_what_was_in_it_is_said(account: Account) -> None:
    provisioned(account)
    for number in range(3):
        account.crm.create("contacts", {"email": f"p{number}@example.com", "ref_code": "A"})
    account.crm.create("deals", {"dealname": "One", "ref_share": "1"})
    account.crm.calls.clear()
    said = taken_back(account)
    assert {place: finding.message for place, finding in said.items()} == {
        "hub: contacts.ref_code": "removed; 3 records held a value",
        "hub: contacts.ref_status": "removed; no record held a value",
        "hub: contacts.ref_status_at": "removed; no record held a value",
        f"hub: contacts.{GROUP}": "property group removed",
        "hub: deals.ref_code": "removed; no record held a value",
        "hub: deals.ref_status": "removed; no record held a value",
        "hub: deals.ref_status_at": "removed; no record held a value",
        "hub: deals.ref_share": "removed; 1 record held a value",
        f"hub: deals.{GROUP}": "property group removed",
    }
    assert account.crm.calls == {
        "GET /crm/properties/contacts": 1,
        "POST /crm/objects/contacts/search": 3,
        "POST /crm/properties/contacts/batch/archive": 1,
        "GET /crm/properties/contacts/groups": 1,
        "DELETE /crm/properties/contacts/groups/{name}": 1,
        "GET /crm/properties/deals": 1,
        "POST /crm/objects/deals/search": 4,
        "POST /crm/properties/deals/batch/archive": 1,
        "GET /crm/properties/deals/groups": 1,
        "DELETE /crm/properties/deals/groups/{name}": 1,
    }
    account.crm.calls.clear()
    assert taken_back(account) == {}
    assert account.crm.calls.total() == 4


def test_a_persons_property_of_the_same_name_is_left_and_said(account: Account) -> None:
    account.crm.define_property("deals", {"name": "ref_code", "type": "string", "description": "Managed by refloop."})
    account.crm.define_property("contacts", {"name": "ref_code", "type": "string", "groupName": GROUP})
    provisioned(account)
    account.crm.define_property("contacts", {"name": "ref_mine", "type": "string", "groupName": GROUP})
    said = taken_back(account)
    for place in ("hub: deals.ref_code", "hub: contacts.ref_code", f"hub: contacts.{GROUP}"):
        assert said[place].level is Level.WARNING
        assert "left" in said[place].message
    assert said[f"hub: deals.{GROUP}"].message == "property group removed"
    assert "hub: contacts.ref_mine" not in said
    again = [finding.place for finding in provisioned(account) if finding.message == "there already"]
    assert again == ["hub: contacts.ref_code", "hub: deals.ref_code"]


def test_one_field_alone_is_found_in_the_group_of_all(account: Account) -> None:
    provisioned(account)
    assert taken_back(account, AT)["hub: deals.ref_status_at"].message == "removed; no record held a value"
    assert [finding.message for finding in provisioned(account)].count("created") == 2


def test_an_empty_group_that_a_broken_run_left_is_removed(account: Account) -> None:
    provisioned(account)
    account.crm.fail_next(500, path=f"/groups/{GROUP}")
    with pytest.raises(CrmUnavailable):
        taken_back(account)
    assert taken_back(account)[f"hub: contacts.{GROUP}"].message == "property group removed"


def test_the_days_calls_are_told_as_the_answers_said(accounts: Callable[..., Account]) -> None:
    account = accounts(provisioned=False, allowance=Allowance(daily=1_000))
    provisioned(account)
    hubspot = account.hubspot()
    assert hubspot.usage() is None
    list(hubspot.provision(FIELDS))
    assert hubspot.usage() == Usage(limit=1_000, used=8, ours=2)


def test_provisioning_without_the_scope_names_it(accounts: Callable[..., Account]) -> None:
    account = accounts(provisioned=False, denied_scopes=["crm.schemas.contacts.write"])
    with pytest.raises(AuthError, match=r"crm\.schemas\.contacts\.write"):
        provisioned(account)


def test_a_check_finds_each_fault_once(account: Account) -> None:
    provisioned(account)
    account.crm.remove_property("deals", "ref_share")
    findings = check(account, code_fields={"contact": ["no_such_property", "email"], "deal": ["dealname"]})
    assert [(finding.level, finding.place) for finding in findings] == [
        (Level.ERROR, "hub: contacts.no_such_property"),
        (Level.ERROR, "hub: deals.ref_share"),
    ]
    assert all(finding.remedy for finding in findings)


def test_a_check_writes_nothing(account: Account) -> None:
    person = account.crm.create("contacts", {"email": "ann@example.com"})
    before = account.crm.get("contacts", person)
    assert len([finding for finding in check(account) if "does not exist" in finding.message]) == 7
    writing = {call for call in account.crm.calls if call.startswith(("PATCH", "POST", "PUT", "DELETE"))}
    assert writing == {f"POST /crm/objects/{kind}/batch/update" for kind in ("contacts", "deals")}, "of nothing"
    assert account.crm.get("contacts", person) == before


@pytest.mark.parametrize("kind", ["contacts", "deals"])
def test_a_key_that_may_not_write_does_not_pass_the_check(accounts: Callable[..., Account], kind: str) -> None:
    account = accounts(provisioned=False, denied_scopes=[f"crm.objects.{kind}.write"])
    provisioned(account)
    (finding,) = check(account)
    assert finding.level is Level.ERROR
    assert f"does not allow writing {kind}: scope missing: crm.objects.{kind}.write" in finding.message
    assert "service key" in finding.remedy


@pytest.mark.parametrize("scope", ["crm.objects.contacts.read", "crm.objects.deals.read"])
def test_a_missing_scope_is_named_and_does_not_end_the_check(accounts: Callable[..., Account], scope: str) -> None:
    account = accounts(provisioned=False)
    provisioned(account)
    findings = check(accounts(provisioned=False, denied_scopes=[scope]))
    assert any(scope in finding.message and finding.level is Level.ERROR for finding in findings)


def test_a_bad_token_ends_the_check(account: Account) -> None:
    account.crm.revoke_tokens()
    with pytest.raises(AuthError) as caught:
        check(account)
    assert caught.value.remedy
    assert "pat-local" not in str(caught.value)


def test_a_day_nearly_used_up_is_a_warning(accounts: Callable[..., Account]) -> None:
    account = accounts(provisioned=False, allowance=Allowance(daily=100))
    provisioned(account)
    while account.crm.calls.total() < 80:
        check(account, quota_share=1.0)
    findings = check(account, quota_share=1.0)
    assert {finding.level for finding in findings} == {Level.WARNING}
    assert "of 100 API calls of the day are used" in findings[0].message


def test_the_salesforce_integration_is_noticed(accounts: Callable[..., Account]) -> None:
    with_it, without = accounts(provisioned=False, salesforce_integration=True), accounts(provisioned=False)
    for account in (with_it, without):
        provisioned(account)
    assert check(with_it, mirror_of="crm") == []
    assert check(without) == []
    warned = [*check(with_it), *check(without, mirror_of="crm")]
    assert [finding.level for finding in warned] == [Level.WARNING] * 4
    assert all("mirror_of" in f"{finding.message} {finding.remedy}" for finding in warned)


def contact(account: Account, **properties: str) -> Ref:
    return Ref("hub", Kind.CONTACT, account.crm.create("contacts", properties))


def test_a_push_reads_a_hundred_and_writes_a_hundred(account: Account) -> None:
    provisioned(account)
    refs = [Ref("hub", Kind.CONTACT, one) for one in account.crm.load("contacts", ({} for _ in range(250)))]
    account.crm.calls.clear()
    changes = [
        FieldChange(ref, field, None, value, "") for ref in refs for field, value in ((CODE, "A"), (STATUS, "won"))
    ]
    assert {receipt.verdict for receipt in account.hubspot().push(changes)} == {Verdict.WRITTEN}
    assert account.crm.calls == {
        "GET /crm/properties/contacts": 1,
        "POST /crm/objects/contacts/batch/read": 3 + 5,  # a look at each hundred, and a look back at each fifty
        "POST /crm/objects/contacts/batch/update": 3,
    }
    held = account.hubspot().read(refs, (CODE, STATUS))
    assert all(held[ref] == {"ref_code": "A", "ref_status": "won"} for ref in refs)
    account.crm.calls.clear()
    assert {receipt.verdict for receipt in account.hubspot().push(changes)} == {Verdict.PRESENT}
    assert account.crm.calls == {"GET /crm/properties/contacts": 1, "POST /crm/objects/contacts/batch/read": 3}


DEFINED = {"name": "ref_status", "label": "Status", "type": "string", "fieldType": "text", "groupName": GROUP}
CHOICE_OF_OTHERS = {"type": "enumeration", "fieldType": "select", "options": [{"value": "x", "label": "X"}]}


@pytest.mark.parametrize(
    ("now", "wrong"),
    [
        (None, "does not exist"),
        ({"name": "ref_state"}, "does not exist"),
        ({}, "has the type string"),
        (CHOICE_OF_OTHERS, "lacks the options won, lost"),
    ],
    ids=["removed", "renamed", "retyped", "options removed"],
)
def test_a_property_that_changed_is_found_before_the_first_write(
    account: Account, now: dict[str, Any] | None, wrong: str
) -> None:
    provisioned(account)
    account.crm.remove_property("contacts", "ref_status")
    if now is not None:
        account.crm.define_property("contacts", DEFINED | now)
    refs = [contact(account, email=f"p{number}@example.com") for number in range(5)]
    account.crm.calls.clear()
    with pytest.raises(ConfigError, match=rf"hub: contacts\.ref_status: the property {wrong}") as failure:
        list(
            account.hubspot().push(
                [FieldChange(ref, field, None, "won", "") for ref in refs for field in (CODE, STATUS)]
            )
        )
    assert "provision" in failure.value.remedy
    assert account.crm.calls == {"GET /crm/properties/contacts": 1}


def test_a_property_that_goes_in_the_middle_does_not_hold_back_the_others(account: Account) -> None:
    provisioned(account)
    refs = [contact(account, email=f"p{number}@example.com") for number in range(5)]
    hubspot = account.hubspot()
    assert {receipt.verdict for receipt in hubspot.push([FieldChange(refs[0], STATUS, None, "lost", "")])} == {
        Verdict.WRITTEN
    }
    account.crm.remove_property("contacts", "ref_status")
    changes = [FieldChange(ref, field, None, "won", "") for ref in refs[1:] for field in (STATUS, CODE)]
    receipts = list(hubspot.push(changes))
    assert [receipt.verdict for receipt in receipts] == [Verdict.REFUSED, Verdict.WRITTEN] * 4
    assert all("refloop provision" in receipt.reason for receipt in receipts[::2])


def test_a_bad_value_is_refused_in_hubspots_words(account: Account) -> None:
    provisioned(account)
    good, bad = contact(account, email="a@example.com"), contact(account, email="b@example.com")
    wrong = FieldChange(bad, STATUS, None, "maybe", "")
    receipts = list(account.hubspot().push([wrong, FieldChange(good, STATUS, None, "won", "")]))
    assert [receipt.verdict for receipt in receipts] == [Verdict.REFUSED, Verdict.WRITTEN]
    assert "maybe" in receipts[0].reason or "option" in receipts[0].reason.lower()


@pytest.mark.parametrize("merged_too", [True, False])
def test_a_merged_record_is_gone_and_its_survivor_untouched(account: Account, merged_too: bool) -> None:
    provisioned(account)
    one, two = contact(account, email="a@example.com"), contact(account, email="b@example.com")
    survivor = Ref("hub", Kind.CONTACT, account.crm.merge("contacts", one.id, two.id))
    changes = [FieldChange(one, CODE, None, "A", "")]
    changes += [FieldChange(survivor, CODE, None, "B", "")] if merged_too else []
    receipts = list(account.hubspot().push(changes))
    assert receipts[0].verdict is Verdict.REFUSED
    assert "gone" in receipts[0].reason
    assert (account.crm.get("contacts", survivor.id) or {}).get("ref_code") == ("B" if merged_too else None)
    assert account.hubspot().read([one], (CODE,)) == {}
    assert account.hubspot().read([one, survivor], (CODE,)).keys() == {survivor}


@pytest.mark.parametrize("applied", [True, False])
def test_a_lost_answer_leaves_the_fate_unknown_and_is_sent_once(account: Account, applied: bool) -> None:
    provisioned(account)
    ref = contact(account, email="a@example.com")
    account.crm.fail_next(502, path="/batch/update", body="<html>", applied=applied)
    account.crm.calls.clear()
    (receipt,) = account.hubspot().push([FieldChange(ref, CODE, None, "A", "")])
    assert receipt.verdict is Verdict.UNKNOWN
    assert account.crm.calls["POST /crm/objects/contacts/batch/update"] == 1
    assert account.hubspot().read([ref], (CODE,))[ref] == ({"ref_code": "A"} if applied else {})


def test_a_lost_look_ends_the_push_with_nothing_written(account: Account) -> None:
    provisioned(account)
    ref = contact(account, email="a@example.com")
    account.crm.fail_next(200, path="/batch/read", body='{"results": [')
    with pytest.raises(CrmUnavailable):
        list(account.hubspot().push([FieldChange(ref, CODE, None, "A", "")]))
    assert (account.crm.get("contacts", ref.id) or {}).get("ref_code") is None
