"""Provisioning, checking and pushing, against the local HubSpot over real HTTP."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from refloop.connectors.hubspot import HubSpot, HubSpotSettings
from refloop.errors import AuthError, ConfigError, CrmUnavailable
from refloop.model import Change, FieldSpec, FieldType, Finding, Kind, Level, Ref, Usage, Verdict, Wants
from refloop_sandbox.hubspot import Allowance, LocalHubSpot
from refloop_sandbox.server import Server

BOTH = (Kind.LEAD, Kind.CONTACT, Kind.DEAL)
CODE = FieldSpec("ref_code", "Referral code", FieldType.TEXT, BOTH, "The code")
STATUS = FieldSpec("ref_status", "Status", FieldType.CHOICE, BOTH, choices=(("won", "Won"), ("lost", "Lost")))
AT = FieldSpec("ref_status_at", "Status at", FieldType.TIME, BOTH)
SHARE = FieldSpec("ref_share", "Share", FieldType.NUMBER, (Kind.DEAL,))
FIELDS = (CODE, STATUS, AT, SHARE)


class Office:
    def __init__(self, **account: Any) -> None:
        self.crm = LocalHubSpot(token="pat-local", **account)
        self.server = Server(self.crm.app)
        self.closing: list[Callable[[], None]] = [self.server.close]

    def hubspot(self, **more: Any) -> HubSpot:
        auth = {"method": "service_key", "token": "env:HUBSPOT_TOKEN"}
        given = {"connector": "hubspot", "url": self.server.url, "auth": auth} | more
        connector = HubSpot("hub", HubSpotSettings.model_validate(given), clock=_no_clock)
        self.closing.insert(0, connector.close)
        return connector

    def check(self, **more: Any) -> list[Finding]:
        return list(self.hubspot(**more).check(Wants(FIELDS)))


def _no_clock() -> Any:
    raise AssertionError("asked for the time")


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


def provisioned(office: Office) -> list[Finding]:
    return list(office.hubspot().provision(FIELDS))


def test_provisioning_says_what_it_did_and_may_be_repeated(office: Office) -> None:
    places = [
        *(f"hub: contacts.{name}" for name in ("ref_code", "ref_status", "ref_status_at")),
        *(f"hub: deals.{name}" for name in ("ref_code", "ref_status", "ref_status_at", "ref_share")),
    ]
    first = provisioned(office)
    assert [(finding.place, finding.message) for finding in first] == [(place, "created") for place in places]
    assert sum(office.crm.calls.values()) == 6
    assert all(finding.level is Level.INFO for finding in first)
    again = provisioned(office)
    assert [(finding.place, finding.message) for finding in again] == [(place, "there already") for place in places]
    assert office.check() == []


def test_provisioning_completes_what_is_there(office: Office) -> None:
    office.crm.define_property("deals", {"name": "ref_code", "type": "number"})
    options = [{"value": "lost", "label": "Verloren"}]
    office.crm.define_property("contacts", {"name": "ref_status", "type": "enumeration", "options": options})
    by_place = {finding.place: finding for finding in provisioned(office)}
    wrong = by_place["hub: deals.ref_code"]
    assert wrong.level is Level.ERROR
    assert "has the type number, refloop needs string" in wrong.message
    assert wrong.remedy
    assert by_place["hub: contacts.ref_status"].message == "options added: won"
    person = office.crm.create("contacts", {"email": "ann@example.com"})
    for value in ("won", "lost"):
        office.crm.update("contacts", person, {"ref_status": value})
    assert [finding.place for finding in office.check()] == ["hub: deals.ref_code"]


GROUP = "ref_referral_attribution"


def taken_back(office: Office, *fields: FieldSpec) -> dict[str, Finding]:
    return {finding.place: finding for finding in office.hubspot().unprovision(fields or FIELDS)}


def test_what_was_provisioned_is_taken_back_and_what_was_in_it_is_said(office: Office) -> None:
    provisioned(office)
    for number in range(3):
        office.crm.create("contacts", {"email": f"p{number}@example.com", "ref_code": "A"})
    office.crm.create("deals", {"dealname": "One", "ref_share": "1"})
    office.crm.calls.clear()
    said = taken_back(office)
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
    assert office.crm.calls == {
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
    office.crm.calls.clear()
    assert taken_back(office) == {}
    assert office.crm.calls.total() == 4


def test_a_persons_property_of_the_same_name_is_left_and_said(office: Office) -> None:
    office.crm.define_property("deals", {"name": "ref_code", "type": "string", "description": "Managed by refloop."})
    office.crm.define_property("contacts", {"name": "ref_code", "type": "string", "groupName": GROUP})
    provisioned(office)
    office.crm.define_property("contacts", {"name": "ref_mine", "type": "string", "groupName": GROUP})
    said = taken_back(office)
    for place in ("hub: deals.ref_code", "hub: contacts.ref_code", f"hub: contacts.{GROUP}"):
        assert said[place].level is Level.WARNING
        assert "left" in said[place].message
    assert said[f"hub: deals.{GROUP}"].message == "property group removed"
    assert "hub: contacts.ref_mine" not in said
    again = [finding.place for finding in provisioned(office) if finding.message == "there already"]
    assert again == ["hub: contacts.ref_code", "hub: deals.ref_code"]


def test_one_field_alone_is_found_in_the_group_of_all(office: Office) -> None:
    provisioned(office)
    assert taken_back(office, AT)["hub: deals.ref_status_at"].message == "removed; no record held a value"
    assert [finding.message for finding in provisioned(office)].count("created") == 2


def test_an_empty_group_that_a_broken_run_left_is_removed(office: Office) -> None:
    provisioned(office)
    office.crm.fail_next(500, path=f"/groups/{GROUP}")
    with pytest.raises(CrmUnavailable):
        taken_back(office)
    assert taken_back(office)[f"hub: contacts.{GROUP}"].message == "property group removed"


def test_the_days_calls_are_told_as_the_answers_said(offices: Callable[..., Office]) -> None:
    office = offices(allowance=Allowance(daily=1_000))
    provisioned(office)
    hubspot = office.hubspot()
    assert hubspot.usage() is None
    list(hubspot.provision(FIELDS))
    assert hubspot.usage() == Usage(limit=1_000, used=8, ours=2)


def test_provisioning_without_the_scope_names_it(offices: Callable[..., Office]) -> None:
    office = offices(denied_scopes=["crm.schemas.contacts.write"])
    with pytest.raises(AuthError, match=r"crm\.schemas\.contacts\.write"):
        provisioned(office)


def test_a_check_finds_each_fault_once(office: Office) -> None:
    provisioned(office)
    office.crm.remove_property("deals", "ref_share")
    findings = office.check(code_fields={"contact": ["no_such_property", "email"], "deal": ["dealname"]})
    assert [(finding.level, finding.place) for finding in findings] == [
        (Level.ERROR, "hub: contacts.no_such_property"),
        (Level.ERROR, "hub: deals.ref_share"),
    ]
    assert all(finding.remedy for finding in findings)


def test_a_check_writes_nothing(office: Office) -> None:
    assert len([finding for finding in office.check() if "does not exist" in finding.message]) == 7
    assert not any(call.startswith(("PATCH", "POST", "DELETE")) for call in office.crm.calls)


@pytest.mark.parametrize("scope", ["crm.objects.contacts.read", "crm.objects.deals.read"])
def test_a_missing_scope_is_named_and_does_not_end_the_check(offices: Callable[..., Office], scope: str) -> None:
    office = offices()
    provisioned(office)
    findings = offices(denied_scopes=[scope]).check()
    assert any(scope in finding.message and finding.level is Level.ERROR for finding in findings)


def test_a_bad_token_ends_the_check(office: Office) -> None:
    office.crm.revoke_tokens()
    with pytest.raises(AuthError) as caught:
        office.check()
    assert caught.value.remedy
    assert "pat-local" not in str(caught.value)


def test_a_day_nearly_used_up_is_a_warning(offices: Callable[..., Office]) -> None:
    office = offices(allowance=Allowance(daily=100))
    provisioned(office)
    while office.crm.calls.total() < 80:
        office.check(quota_share=1.0)
    findings = office.check(quota_share=1.0)
    assert {finding.level for finding in findings} == {Level.WARNING}
    assert "of 100 API calls of the day are used" in findings[0].message


def test_the_salesforce_integration_is_noticed(offices: Callable[..., Office]) -> None:
    with_it, without = offices(salesforce_integration=True), offices()
    for office in (with_it, without):
        provisioned(office)
    assert with_it.check(mirror_of="crm") == []
    assert without.check() == []
    warned = [*with_it.check(), *without.check(mirror_of="crm")]
    assert [finding.level for finding in warned] == [Level.WARNING] * 4
    assert all("mirror_of" in f"{finding.message} {finding.remedy}" for finding in warned)


def contact(office: Office, **properties: str) -> Ref:
    return Ref("hub", Kind.CONTACT, office.crm.create("contacts", properties))


def test_a_push_reads_a_hundred_and_writes_a_hundred(office: Office) -> None:
    provisioned(office)
    refs = [Ref("hub", Kind.CONTACT, one) for one in office.crm.load("contacts", ({} for _ in range(250)))]
    office.crm.calls.clear()
    changes = [Change(ref, field, None, value, "") for ref in refs for field, value in ((CODE, "A"), (STATUS, "won"))]
    assert {receipt.verdict for receipt in office.hubspot().push(changes)} == {Verdict.WRITTEN}
    assert office.crm.calls == {
        "GET /crm/properties/contacts": 1,
        "POST /crm/objects/contacts/batch/read": 3 + 5,  # a look at each hundred, and a look back at each fifty
        "POST /crm/objects/contacts/batch/update": 3,
    }
    held = office.hubspot().read(refs, (CODE, STATUS))
    assert all(held[ref] == {"ref_code": "A", "ref_status": "won"} for ref in refs)
    office.crm.calls.clear()
    assert {receipt.verdict for receipt in office.hubspot().push(changes)} == {Verdict.PRESENT}
    assert office.crm.calls == {"GET /crm/properties/contacts": 1, "POST /crm/objects/contacts/batch/read": 3}


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
    office: Office, now: dict[str, Any] | None, wrong: str
) -> None:
    provisioned(office)
    office.crm.remove_property("contacts", "ref_status")
    if now is not None:
        office.crm.define_property("contacts", DEFINED | now)
    refs = [contact(office, email=f"p{number}@example.com") for number in range(5)]
    office.crm.calls.clear()
    with pytest.raises(ConfigError, match=rf"hub: contacts\.ref_status: the property {wrong}") as failure:
        list(office.hubspot().push([Change(ref, field, None, "won", "") for ref in refs for field in (CODE, STATUS)]))
    assert "provision" in failure.value.remedy
    assert office.crm.calls == {"GET /crm/properties/contacts": 1}


def test_a_property_that_goes_in_the_middle_does_not_hold_back_the_others(office: Office) -> None:
    provisioned(office)
    refs = [contact(office, email=f"p{number}@example.com") for number in range(5)]
    hubspot = office.hubspot()
    assert {receipt.verdict for receipt in hubspot.push([Change(refs[0], STATUS, None, "lost", "")])} == {
        Verdict.WRITTEN
    }
    office.crm.remove_property("contacts", "ref_status")
    changes = [Change(ref, field, None, "won", "") for ref in refs[1:] for field in (STATUS, CODE)]
    receipts = list(hubspot.push(changes))
    assert [receipt.verdict for receipt in receipts] == [Verdict.REFUSED, Verdict.WRITTEN] * 4
    assert all("refloop provision" in receipt.reason for receipt in receipts[::2])


def test_a_bad_value_is_refused_in_hubspots_words(office: Office) -> None:
    provisioned(office)
    good, bad = contact(office, email="a@example.com"), contact(office, email="b@example.com")
    wrong = Change(bad, STATUS, None, "maybe", "")
    receipts = list(office.hubspot().push([wrong, Change(good, STATUS, None, "won", "")]))
    assert [receipt.verdict for receipt in receipts] == [Verdict.REFUSED, Verdict.WRITTEN]
    assert "maybe" in receipts[0].reason or "option" in receipts[0].reason.lower()


@pytest.mark.parametrize("merged_too", [True, False])
def test_a_merged_record_is_gone_and_its_survivor_untouched(office: Office, merged_too: bool) -> None:
    provisioned(office)
    one, two = contact(office, email="a@example.com"), contact(office, email="b@example.com")
    survivor = Ref("hub", Kind.CONTACT, office.crm.merge("contacts", one.id, two.id))
    changes = [Change(one, CODE, None, "A", "")]
    changes += [Change(survivor, CODE, None, "B", "")] if merged_too else []
    receipts = list(office.hubspot().push(changes))
    assert receipts[0].verdict is Verdict.REFUSED
    assert "gone" in receipts[0].reason
    assert (office.crm.get("contacts", survivor.id) or {}).get("ref_code") == ("B" if merged_too else None)
    assert office.hubspot().read([one], (CODE,)) == {}
    assert office.hubspot().read([one, survivor], (CODE,)).keys() == {survivor}


@pytest.mark.parametrize("applied", [True, False])
def test_a_lost_answer_leaves_the_fate_unknown_and_is_sent_once(office: Office, applied: bool) -> None:
    provisioned(office)
    ref = contact(office, email="a@example.com")
    office.crm.fail_next(502, path="/batch/update", body="<html>", applied=applied)
    office.crm.calls.clear()
    (receipt,) = office.hubspot().push([Change(ref, CODE, None, "A", "")])
    assert receipt.verdict is Verdict.UNKNOWN
    assert office.crm.calls["POST /crm/objects/contacts/batch/update"] == 1
    assert office.hubspot().read([ref], (CODE,))[ref] == ({"ref_code": "A"} if applied else {})


def test_a_lost_look_ends_the_push_with_nothing_written(office: Office) -> None:
    provisioned(office)
    ref = contact(office, email="a@example.com")
    office.crm.fail_next(200, path="/batch/read", body='{"results": [')
    with pytest.raises(CrmUnavailable):
        list(office.hubspot().push([Change(ref, CODE, None, "A", "")]))
    assert (office.crm.get("contacts", ref.id) or {}).get("ref_code") is None
