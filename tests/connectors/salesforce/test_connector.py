"""What the contract does not know of Salesforce: calls, windows, conversions, locks, permissions. Over HTTP."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from refloop.connectors.salesforce import Salesforce
from refloop.connectors.salesforce.batch import Update
from refloop.connectors.salesforce.cursor import parse_cursor
from refloop.errors import AuthError, ConfigError, LedgerError, TryLater
from refloop.model import (
    Between,
    Everything,
    FieldChange,
    FieldSpec,
    FieldType,
    Finding,
    Kind,
    Level,
    Page,
    Record,
    Ref,
    Relation,
    Since,
    Verdict,
)
from refloop_sandbox.salesforce import LocalSalesforce
from refloop_sandbox.salesforce.fields import remove_field
from refloop_sandbox.server import Server
from tests.connectors.hubspot.world import Clock
from tests.connectors.salesforce.connections import connections
from tests.connectors.salesforce.pages import last_cursor

EVERY = (Kind.LEAD, Kind.CONTACT, Kind.DEAL)
CODE = FieldSpec("ref_code", "Referral Code", FieldType.TEXT, EVERY, length=64)
STATUS = FieldSpec("ref_status", "Status", FieldType.CHOICE, EVERY, choices=(("won", "Won"), ("lost", "Lost & gone")))
AT = FieldSpec("ref_at", "Since", FieldType.TIME, EVERY)
SENT = FieldSpec("ref_sent", "Sent", FieldType.NUMBER, (Kind.CONTACT,))
WORTH = FieldSpec("ref_worth", "Worth", FieldType.MONEY, (Kind.CONTACT,))
NOTE = FieldSpec("ref_note", "Note", FieldType.TEXT, (Kind.DEAL,), length=2000)
FIELDS = (CODE, STATUS, AT, SENT, WORTH, NOTE)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def local(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalSalesforce]:
    monkeypatch.setenv("SF_SECRET", "local-secret")
    with LocalSalesforce(clock=clock) as local:
        yield local


@pytest.fixture
def connect(local: LocalSalesforce, clock: Clock) -> Iterator[Callable[..., Salesforce]]:
    with connections(local, clock.timer.sleep) as opened:
        yield opened


@pytest.fixture
def crm(connect: Callable[..., Salesforce]) -> Salesforce:
    """A connector to an org that has our fields."""
    crm = connect()
    assert not errors(list(crm.provision(FIELDS)))
    return crm


def errors(findings: Sequence[Finding]) -> list[Finding]:
    return [finding for finding in findings if finding.level is not Level.INFO]


def lead(local: LocalSalesforce, **fields: object) -> Ref:
    made = local.create("Lead", {"LastName": "Doe", "Company": "Acme", **fields})
    return Ref("crm", Kind.LEAD, made)


def records(pages: Sequence[Page]) -> dict[str, Record]:
    return {record.ref.id: record for page in pages for record in page.records}


def code(ref: Ref, after: str | None = "ACME1", before: str | None = None) -> FieldChange:
    return FieldChange(ref, CODE, before, after, "test")


# calls


def test_a_tick_with_nothing_new_is_one_api_call(
    local: LocalSalesforce, crm: Salesforce, connect: Callable[..., Salesforce]
) -> None:
    cursor = last_cursor(list(crm.pull(FIELDS, Everything())))
    for _ in range(2):
        used, local.calls["GET /query"] = local.api_usage, 0
        tick = connect()
        cursor = last_cursor(list(tick.pull(FIELDS, Since(cursor))))
        assert local.api_usage - used == 1
        assert dict(tick.calls()) == {"POST /services/oauth2/token": 1, "POST /services/data/v67.0/composite": 1}


def test_a_thousand_records_are_pushed_in_two_calls(local: LocalSalesforce, crm: Salesforce) -> None:
    ids = local.load("Lead", ({"LastName": f"L{n}", "Company": "Acme"} for n in range(1000)))
    refs = [Ref("crm", Kind.LEAD, one) for one in ids]
    list(crm.push([code(refs[0], "FIRST")]))
    used = local.api_usage
    receipts = list(crm.push([code(ref) for ref in refs[1:]]))
    assert {receipt.verdict for receipt in receipts} == {Verdict.WRITTEN}
    assert local.api_usage - used == 2
    assert not any(row["OwnerId"] == local.queue_id for row in local.rows("Lead"))  # no assignment rule ran
    assert crm.read(refs[:2], [CODE]) == {refs[0]: {"ref_code": "FIRST"}, refs[1]: {"ref_code": "ACME1"}}


def test_a_window_with_more_rows_than_a_page_all_stamped_alike(local: LocalSalesforce, crm: Salesforce) -> None:
    cursor = last_cursor(list(crm.pull(FIELDS, Everything())))
    stamp = (datetime.now(UTC) + timedelta(seconds=2)).strftime("%Y-%m-%dT%H:%M:%S.000+0000")
    for name, fields in (("Lead", {"Company": "Acme"}), ("Contact", {})):
        rows = ({"LastName": f"L{n}", "SystemModstamp": stamp, **fields} for n in range(4100))
        local.load(name, rows)
    used = local.api_usage
    pages = list(crm.pull(FIELDS, Since(cursor)))
    assert len(records(pages)) == 8200
    assert (len(pages), local.api_usage - used) == (3, 3)
    again = list(crm.pull(FIELDS, Since(pages[1].cursor or cursor)))
    assert len(records(again)) == 200


def test_what_a_long_transaction_commits_late_is_not_missed(local: LocalSalesforce, connect: Any) -> None:
    """Its stamp lies before the watermark of the pull that could not see it yet, and no look-back helps."""
    crm = connect(look_back=0)
    ref = lead(local)
    with local.transaction() as slow:
        slow.update("Lead", ref.id, {"Description": "late"})
        pages = list(crm.pull((), Everything()))
        held = parse_cursor(last_cursor(pages)).watermark
        assert records(pages)[ref.id].texts == {}
        pages = list(crm.pull((), Since(last_cursor(pages))))
    assert held <= datetime.fromisoformat(slow.start)
    pages = list(crm.pull((), Since(last_cursor(pages))))
    assert records(pages)[ref.id].texts == {"Description": "late"}


@pytest.mark.parametrize(("ahead", "refused"), [(timedelta(hours=1), True), (timedelta(minutes=2), False)])
def test_a_cursor_ahead_of_the_orgs_clock_is_refused(
    local: LocalSalesforce, connect: Any, ahead: timedelta, refused: bool
) -> None:
    cursor = last_cursor(list(connect().pull((), Everything())))
    position = parse_cursor(cursor)
    edited = replace(position, watermark=datetime.now(UTC).replace(microsecond=0) + ahead).cursor()
    if refused:
        with pytest.raises(LedgerError, match="future"):
            list(connect().pull((), Since(edited)))
    else:  # the servers of one org need not agree to the second
        assert len(list(connect().pull((), Since(edited)))) == 1


def test_expired_locators_do_not_matter(local: LocalSalesforce, connect: Any) -> None:
    with LocalSalesforce(page_size=3) as small, Server(small.app) as server:
        ids = {small.create("Lead", {"LastName": "L", "Company": "Acme"}) for _ in range(10)}
        crm = connect(url=server.url)
        seen: list[Page] = []
        for page in crm.pull((), Everything()):
            seen.append(page)
            small.expire_cursors()
        assert set(records(seen)) == ids
        assert len(seen) == 4


def test_what_changed_between_the_halves_of_a_pull_comes_with_the_next(connect: Any) -> None:
    now = datetime(2026, 3, 1, tzinfo=UTC)
    with LocalSalesforce(clock=lambda: now, page_size=3) as slow, Server(slow.app) as server:
        refs = [lead(slow) for _ in range(7)]
        first = next(connect(url=server.url).pull((), Everything()))
        slow.update("Lead", refs[0].id, {"Description": "behind the first page"})
        now += timedelta(days=1)
        rest = list(connect(url=server.url).pull((), Since(last_cursor([first]))))
        assert set(records([first, *rest])) == {ref.id for ref in refs}
        assert refs[0].id not in records(rest)
        now += timedelta(days=1)
        after = list(connect(url=server.url).pull((), Since(last_cursor(rest))))
        assert records(after)[refs[0].id].texts == {"Description": "behind the first page"}


def test_a_field_that_was_made_since_the_last_pull_is_brought(
    local: LocalSalesforce, connect: Callable[..., Salesforce]
) -> None:
    cursor = last_cursor(list(connect().pull(FIELDS, Everything())))
    list(connect().provision(FIELDS))
    ref = lead(local, Ref_Code__c="ACME1")
    assert records(list(connect().pull(FIELDS, Since(cursor))))[ref.id].found == {"ref_code": "ACME1"}


# who may do what


def test_a_session_that_ends_in_the_middle_is_renewed(local: LocalSalesforce, crm: Salesforce) -> None:
    ref = lead(local)
    local.revoke_tokens()
    assert [receipt.verdict for receipt in crm.push([code(ref)])] == [Verdict.WRITTEN]
    local.revoke_tokens()
    assert ref.id in records(list(crm.pull(FIELDS, Everything())))


def test_an_access_token_is_used_and_its_end_told(
    local: LocalSalesforce, connect: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SF_TOKEN", local.access_token())
    crm = connect(auth={"method": "access_token", "token": "env:SF_TOKEN"})
    cursor = last_cursor(list(crm.pull((), Everything())))
    tick = connect(auth={"method": "access_token", "token": "env:SF_TOKEN"})
    used = local.api_usage
    list(tick.pull((), Since(cursor)))
    assert local.api_usage - used == 1  # the clock is asked for where it costs nothing
    local.revoke_tokens()
    with pytest.raises(AuthError, match="expired") as failure:
        list(crm.pull((), Everything()))
    assert "env:SF_TOKEN" in failure.value.remedy


def test_a_jwt_opens_the_door(local: LocalSalesforce, connect: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = serialization.Encoding.PEM
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    local.register_key("jwt-app", key.public_key().public_bytes(pem, serialization.PublicFormat.SubjectPublicKeyInfo))
    monkeypatch.setenv("SF_KEY", private.decode())
    auth = {"method": "jwt", "client_id": "jwt-app", "private_key": "env:SF_KEY"}
    assert list(connect(auth={**auth, "username": "integration@local.example"}).pull((), Everything()))
    with pytest.raises(AuthError, match="invalid_grant"):
        list(connect(auth={**auth, "username": "nobody@local.example"}).pull((), Everything()))
    generic = {**auth, "username": "integration@local.example", "audience": "https://login.salesforce.com"}
    with pytest.raises(AuthError, match="app_not_found") as failure:
        list(connect(auth=generic).pull((), Everything()))
    assert "audience" in failure.value.remedy


def test_the_quota_ends_a_run_until_later(local: LocalSalesforce, crm: Salesforce) -> None:
    local.use_up_limit(left=1)
    with pytest.raises(TryLater, match="limit"):
        list(crm.push([code(lead(local))]))


# conversions, merges, deletes


def test_a_converted_lead_is_not_written(local: LocalSalesforce, crm: Salesforce) -> None:
    ref = lead(local, Ref_Code__c="HERS")
    local.convert_lead(ref.id)
    calls = local.api_usage
    refused, present = crm.push([code(ref), FieldChange(ref, CODE, None, "HERS", "test")])
    assert (refused.verdict, present.verdict) == (Verdict.REFUSED, Verdict.PRESENT)
    assert "converted" in refused.reason
    assert local.api_usage - calls <= 2  # to describe and to look


def test_a_merge_leads_to_the_winner(local: LocalSalesforce, crm: Salesforce) -> None:
    loser, winner = lead(local), lead(local)
    local.merge("Lead", winner.id, loser.id)
    pages = list(crm.pull(FIELDS, Everything()))
    (link,) = (link for page in pages for link in page.links)
    assert (link.source, link.relation, link.target) == (loser, Relation.MERGED_INTO, winner)
    assert records(pages)[loser.id].deleted
    (receipt,) = crm.push([code(loser)])
    assert (receipt.verdict, receipt.reason.startswith("the record is gone")) == (Verdict.REFUSED, True)


def test_a_record_out_of_the_recycle_bin_is_no_longer_deleted(local: LocalSalesforce, crm: Salesforce) -> None:
    ref = lead(local)
    local.delete("Lead", ref.id)
    pages = list(crm.pull(FIELDS, Everything()))
    assert records(pages)[ref.id].deleted
    local.undelete("Lead", ref.id)
    assert not records(list(crm.pull(FIELDS, Since(last_cursor(pages)))))[ref.id].deleted


# writing


def test_a_write_does_not_hand_the_lead_to_somebody_else(local: LocalSalesforce, crm: Salesforce) -> None:
    ref = lead(local)
    owner = local.get("Lead", ref.id)
    list(crm.push([code(ref)]))
    after = local.get("Lead", ref.id)
    assert owner
    assert after
    assert after["Ref_Code__c"] == "ACME1"
    assert after["OwnerId"] == owner["OwnerId"] != local.queue_id


@pytest.mark.parametrize(
    ("refusal", "times", "verdict"),
    [
        ("UNABLE_TO_LOCK_ROW", 1, Verdict.WRITTEN),
        ("UNABLE_TO_LOCK_ROW", 9, Verdict.DEFERRED),
        ("FIELD_CUSTOM_VALIDATION_EXCEPTION", 9, Verdict.REFUSED),
    ],
)
def test_one_record_of_many_is_refused(
    local: LocalSalesforce, crm: Salesforce, refusal: str, times: int, verdict: Verdict
) -> None:
    refs = [lead(local) for _ in range(5)]
    local.refuse_next(refs[2].id, refusal, "because", times=times)
    receipts = list(crm.push([code(ref) for ref in refs]))
    expected = [Verdict.WRITTEN] * 2 + [verdict] + [Verdict.WRITTEN] * 2
    assert [receipt.verdict for receipt in receipts] == expected


@pytest.mark.usefixtures("crm")
def test_all_kinds_are_written_together_next_to_their_accounts(
    local: LocalSalesforce, connect: Callable[..., Salesforce]
) -> None:
    crm = connect(conditional_writes="never")
    accounts = [local.create("Account", {"Name": f"A{n}"}) for n in range(3)]
    refs: list[Ref] = []
    for n in range(30):
        refs.append(lead(local))
        refs.append(Ref("crm", Kind.CONTACT, local.create("Contact", {"LastName": "C", "AccountId": accounts[n % 3]})))
        deal = {"Name": "D", "StageName": "Prospecting", "CloseDate": "2026-12-31", "AccountId": accounts[n % 3]}
        refs.append(Ref("crm", Kind.DEAL, local.create("Opportunity", deal)))
    crm.read(refs[:1], [CODE])
    used = local.api_usage
    receipts = list(crm.push([code(ref) for ref in refs]))
    assert [receipt.change.ref for receipt in receipts] == refs
    assert {receipt.verdict for receipt in receipts} == {Verdict.WRITTEN}
    assert local.api_usage - used == 2  # unsorted, Salesforce would refuse: more than ten runs of one type
    assert len(crm.read(refs, FIELDS)) == 90


def test_records_of_one_account_are_written_side_by_side() -> None:
    updates = [Update("Contact", str(n), f"account {n % 2}", {}) for n in range(4)] + [Update("Account", "9", "", {})]
    assert [update.id for update in sorted(updates, key=lambda update: update.place)] == ["9", "0", "2", "1", "3"]


def test_a_value_salesforce_refuses_is_a_receipt(local: LocalSalesforce, crm: Salesforce) -> None:
    contact = Ref("crm", Kind.CONTACT, local.create("Contact", {"LastName": "C"}))
    changes = [FieldChange(contact, SENT, None, "0.123", "test"), code(contact, "x" * 65)]
    digits, length = crm.push(changes)
    assert (digits.verdict, length.verdict) == (Verdict.REFUSED, Verdict.REFUSED)
    assert "STRING_TOO_LONG" in length.reason


# money and windows


def test_a_currency_of_its_own(connect: Any) -> None:
    with LocalSalesforce(multi_currency=True, currency="EUR") as many, Server(many.app) as server:
        deal = {"Name": "D", "StageName": "Prospecting", "CloseDate": "2026-12-31", "Amount": 10.5}
        many.create("Opportunity", {**deal, "CurrencyIsoCode": "USD"})
        (page,) = connect(url=server.url, currency="EUR").pull((), Everything())
        assert [(record.amount, record.currency) for record in page.records] == [(Decimal("10.5"), "USD")]


def test_a_window_ends_before_its_end(local: LocalSalesforce, connect: Any) -> None:
    start = datetime(2026, 1, 1, tzinfo=UTC)
    for day in range(4):
        stamp = (start + timedelta(days=day)).strftime("%Y-%m-%dT%H:%M:%S.000+0000")
        local.load(
            "Lead", [{"LastName": f"L{day}", "Company": f"{day}", "CreatedDate": stamp, "SystemModstamp": stamp}]
        )
    window = Between(start + timedelta(days=1), start + timedelta(days=3))
    pages = list(connect().pull((), window))
    assert sorted(str(record.title) for record in records(pages).values()) == ["1", "2"]
    assert [page.cursor for page in pages] == [None]


# provisioning and checking


def test_provisioning_says_what_it_did_and_then_that_it_is_there(
    local: LocalSalesforce, connect: Callable[..., Salesforce]
) -> None:
    crm = connect()
    first = list(crm.provision(FIELDS))
    assert {finding.level for finding in first} == {Level.INFO}
    assert sum(finding.message == "created" for finding in first) == 13  # twelve fields, one permission set
    again = list(connect().provision(FIELDS))
    assert {finding.level for finding in again} == {Level.INFO}
    assert not any("created" in finding.message or "now" in finding.message for finding in again)
    assert len([row for row in local.rows("PermissionSet") if row["Name"] == "Refloop_Sync"]) == 1
    assert len(list(local.rows("PermissionSetAssignment"))) == 1
    assert list(connect().check(FIELDS)) == []


def test_a_field_that_is_there_but_hidden_is_made_visible(local: LocalSalesforce, connect: Any) -> None:
    local.add_field("Lead", "Ref_Code__c", {"label": "Code", "type": "Text", "length": 64}, visible=False)
    one = (replace(CODE, kinds=(Kind.LEAD,)),)
    crm = connect()
    assert [finding.place for finding in crm.check(one)] == ["crm: Lead.Ref_Code__c"]
    assert errors(list(crm.provision(one))) == []
    assert list(crm.check(one)) == []


def test_a_field_that_may_only_be_read_is_made_editable(local: LocalSalesforce, connect: Any) -> None:
    local.add_field("Lead", "Ref_Code__c", {"label": "Code", "type": "Text", "length": 64}, visible=False)
    local.grant_field("Lead", "Ref_Code__c", edit=False)
    one = (replace(CODE, kinds=(Kind.LEAD,)),)
    crm = connect()
    (finding,) = crm.check(one)
    assert "may not edit" in finding.message
    assert errors(list(crm.provision(one))) == []
    assert list(crm.check(one)) == []


@pytest.mark.parametrize("how", ["hidden", "read only", "renamed"])
def test_a_field_that_was_taken_away_is_found_before_the_first_write(
    local: LocalSalesforce, crm: Salesforce, connect: Any, how: str
) -> None:
    ref = lead(local)
    org = local._org
    for grant in org.store.where(org.schema.named("FieldPermissions"), {"Field": "Lead.Ref_Code__c"}):
        if how == "hidden":
            local.delete("FieldPermissions", str(grant["Id"]))
        elif how == "read only":
            local.update("FieldPermissions", str(grant["Id"]), {"PermissionsEdit": False})
    if how == "renamed":
        custom = org.schema.named("CustomField", tooling=True)
        remove_field(org.records, next(org.store.where(custom, {"FullName": "Lead.Ref_Code__c"})))
        local.add_field("Lead", "Referral_Code__c", {"label": "Code", "type": "Text", "length": 64})
    fresh = connect()
    with pytest.raises(ConfigError, match=r"Lead\.Ref_Code__c") as failure:
        list(fresh.push([code(ref)]))
    assert "crm" in failure.value.message
    assert "provision" in failure.value.remedy
    assert dict(fresh.calls()) == {"POST /services/oauth2/token": 1, "POST /services/data/v67.0/composite": 1}
    errors_found = [finding.place for finding in fresh.check((CODE,))]
    assert errors_found == ["crm: Lead.Ref_Code__c"]


def test_a_field_of_another_type_is_left_alone(local: LocalSalesforce, connect: Any) -> None:
    local.add_field("Lead", "Ref_Code__c", {"label": "Code", "type": "DateTime"})
    local.add_field("Contact", "Ref_Code__c", {"label": "Code", "type": "Text", "length": 10})
    crm, ref = connect(), lead(local)
    assert [finding.place for finding in errors(list(crm.provision((CODE,))))] == ["crm: Lead.Ref_Code__c"]
    findings = {finding.place: finding for finding in crm.check((CODE,))}
    assert findings["crm: Lead.Ref_Code__c"].level is Level.ERROR
    assert findings["crm: Contact.Ref_Code__c"].level is Level.WARNING
    assert records(list(crm.pull((CODE,), Everything())))[ref.id].found == {}
    with pytest.raises(ConfigError, match="datetime"):
        list(crm.push([code(ref)]))


def test_a_licence_that_refuses_the_permission_set_is_told_with_its_remedy(
    local: LocalSalesforce, connect: Any
) -> None:
    local.license(permission_set_license=False)
    (failed,) = errors(list(connect().provision(FIELDS)))
    assert failed.place == "crm: permission set Refloop_Sync"
    assert "The user license doesn't allow the permission" in failed.message
    assert "Salesforce API Integration" in failed.remedy
    local.license(permission_set_license=True)
    assert not errors(list(connect().provision(FIELDS)))
    assert list(connect().check(FIELDS)) == []


def test_who_may_not_customize_is_told_so(local: LocalSalesforce, connect: Any) -> None:
    local.withhold("Customize Application")
    with pytest.raises(AuthError, match="INSUFFICIENT_ACCESS") as failure:
        list(connect().provision(FIELDS))
    assert "Customize Application" in failure.value.remedy
    assert not failure.value.message.startswith("crm: ")


def test_a_key_that_may_not_write_does_not_pass_a_check_and_sends_nothing(
    local: LocalSalesforce, crm: Salesforce, connect: Any
) -> None:
    ref = lead(local)
    local.limit_object("Lead", "read")
    (found,) = [one for one in connect().check((CODE,)) if one.place == "crm: Lead"]
    assert (found.level, found.message) == (Level.ERROR, "the run user may not edit this object")
    fresh = connect()
    for ask in (fresh.foresee, lambda changes: list(fresh.push(changes))):
        with pytest.raises(ConfigError, match="Lead may not be edited by the run user"):
            ask([code(ref)])
    assert local.calls["PATCH /composite/sobjects"] == 0


def test_an_object_that_is_hidden_is_found_by_a_check(local: LocalSalesforce, crm: Salesforce, connect: Any) -> None:
    local.limit_object("Opportunity")
    (found,) = connect().check((replace(CODE, kinds=(Kind.LEAD, Kind.DEAL)),))
    assert (found.level, found.place) == (Level.ERROR, "crm: Opportunity")


def test_a_check_names_each_thing_that_is_wrong(local: LocalSalesforce, crm: Salesforce, connect: Any) -> None:
    asked = connect(code_fields={"lead": ["Descripton"], "deal": ["IsWon"]})
    local.use_up_limit(left=1)
    local.use_up_limit(left=10)
    findings = {finding.place: finding for finding in asked.check(FIELDS)}
    assert set(findings) == {"crm: Lead.Descripton", "crm: Opportunity.IsWon", "crm: API calls"}
    assert all(finding.remedy for finding in findings.values())
    assert findings["crm: API calls"].level is Level.WARNING


def test_a_check_of_the_version_is_free_and_says_which_to_use(local: LocalSalesforce, connect: Any) -> None:
    used = local.api_usage
    (finding,) = connect(api_version="99.0").check(FIELDS)
    assert local.api_usage == used
    assert finding.level is Level.ERROR
    assert "api_version" in finding.remedy
