"""What fields held before: what an org tracks, as far as it keeps it, and no more than it tells."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from refloop.connectors.salesforce import Salesforce
from refloop.model import Everything, FieldHistory, FieldSpec, FieldType, Kind, Ref, Version
from refloop_sandbox.salesforce import LocalSalesforce
from tests.connectors.salesforce.connections import Connections, connections

EVERY = (Kind.LEAD, Kind.CONTACT, Kind.DEAL)
CODE = FieldSpec("ref_code", "Code", FieldType.TEXT, EVERY, length=64)
STATUS = FieldSpec("ref_status", "Status", FieldType.TEXT, EVERY, length=64)
BEGIN = datetime(2026, 3, 1, 12, tzinfo=UTC)


class Clock:
    def __init__(self) -> None:
        self.now = BEGIN

    def __call__(self) -> datetime:
        return self.now

    def days(self, count: int) -> datetime:
        self.now = BEGIN + timedelta(days=count)
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def local(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalSalesforce]:
    monkeypatch.setenv("SF_SECRET", "local-secret")
    with LocalSalesforce(clock=clock) as local:
        for name in ("Lead", "Contact", "Opportunity"):
            local.add_field(name, "Source_Code__c", {"type": "Text", "label": "Source", "length": 80})
            local.add_field(name, "Ref_Code__c", {"type": "Text", "label": "Code", "length": 80})
            local.add_field(name, "Ref_Status__c", {"type": "Text", "label": "Status", "length": 80})
        yield local


@pytest.fixture
def connect(local: LocalSalesforce) -> Iterator[Connections]:
    fields = ["source_code__c", "Description"]
    with connections(local, code_fields={"lead": fields, "contact": fields, "deal": fields}) as opened:
        yield opened


def pulled(connect: Connections) -> Salesforce:
    crm = connect()
    list(crm.pull([CODE, STATUS], Everything()))
    return crm


def make(local: LocalSalesforce, **fields: object) -> str:
    return local.create("Lead", {"LastName": "Roe", "Company": "Roe Ltd", **fields})


def lead(record: str) -> Ref:
    return Ref("crm", Kind.LEAD, record)


def test_each_change_of_a_tracked_field_is_a_version(
    local: LocalSalesforce, connect: Connections, clock: Clock
) -> None:
    local.track_history("Lead", "Source_Code__c", "Ref_Code__c", "Ref_Status__c", "Company")
    some = make(local, Source_Code__c="OLD-1")
    first = clock.days(2)
    local.update("Lead", some, {"Source_Code__c": "ANN-2026", "Company": "Roe", "Ref_Status__c": "won"})
    second = clock.days(5)
    local.update("Lead", some, {"Source_Code__c": None, "Ref_Code__c": "BOB"})
    found = {history.field: history for history in pulled(connect).histories([lead(some)])}
    assert found == {
        "Source_Code__c": FieldHistory(
            lead(some),
            "Source_Code__c",
            (Version(first, "OLD-1"), Version(first, "ANN-2026"), Version(second, None)),
        ),
        "ref_code": FieldHistory(lead(some), "ref_code", (Version(second, None), Version(second, "BOB"))),
    }


def test_of_a_long_text_is_told_that_it_changed(local: LocalSalesforce, connect: Connections, clock: Clock) -> None:
    local.track_history("Lead", "Description")
    some = make(local, Description="nothing")
    at = clock.days(1)
    local.update("Lead", some, {"Description": "code ANN-2026"})
    (found,) = pulled(connect).histories([lead(some)])
    assert found == FieldHistory(lead(some), "Description", (Version(at, None, is_told=False),))


def test_what_is_not_tracked_and_what_a_record_was_created_with_is_no_history(
    local: LocalSalesforce, connect: Connections
) -> None:
    other = make(local, Source_Code__c="ANN")
    local.update("Lead", other, {"Source_Code__c": "BOB"})
    local.track_history("Lead", "Source_Code__c")
    some = make(local, Source_Code__c="ANN")
    unknown = lead("00Q000000000009AAA")
    foreign = Ref("other", Kind.LEAD, some)
    strange = lead("no id")
    assert list(pulled(connect).histories([lead(some), lead(other), unknown, foreign, strange])) == []


def test_every_kind_has_its_object(local: LocalSalesforce, connect: Connections) -> None:
    deal = {"Name": "Deal", "StageName": "Prospecting", "CloseDate": "2026-12-31"}
    made = {
        Kind.LEAD: make(local),
        Kind.CONTACT: local.create("Contact", {"LastName": "Doe"}),
        Kind.DEAL: local.create("Opportunity", deal),
    }
    for kind, name in ((Kind.LEAD, "Lead"), (Kind.CONTACT, "Contact"), (Kind.DEAL, "Opportunity")):
        local.track_history(name, "Source_Code__c")
        local.update(name, made[kind], {"Source_Code__c": "ANN"})
    crm = pulled(connect)
    calls = local.api_usage
    found = list(crm.histories([Ref("crm", kind, record) for kind, record in made.items()]))
    assert {history.ref for history in found} == {Ref("crm", kind, record) for kind, record in made.items()}
    assert local.api_usage == calls + 1


@pytest.mark.parametrize("taken", [["leadhistory"], ["leadhistory", "contacthistory", "opportunityfieldhistory"]])
def test_an_org_that_shows_no_history_keeps_none(
    local: LocalSalesforce, connect: Connections, taken: list[str]
) -> None:
    for name in ("Lead", "Contact"):
        local.track_history(name, "Source_Code__c")
    some, person = make(local), local.create("Contact", {"LastName": "Doe"})
    local.update("Lead", some, {"Source_Code__c": "ANN"})
    local.update("Contact", person, {"Source_Code__c": "ANN"})
    crm = pulled(connect)
    for name in taken:
        del local._org.schema._objects[name]
    found = list(crm.histories([lead(some), Ref("crm", Kind.CONTACT, person)]))
    assert [history.ref.kind for history in found] == ([Kind.CONTACT] if len(taken) == 1 else [])


def test_many_records_and_changes_are_few_calls(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SF_SECRET", "local-secret")
    with (
        LocalSalesforce(clock=clock, page_size=400) as local,
        connections(local, code_fields={"lead": ["Website"]}) as connect,
    ):
        local.track_history("Lead", "Website")
        ids = local.load("Lead", [{"LastName": "Roe", "Company": "Roe"}] * 300)
        for round_ in range(2):
            clock.days(round_ + 1)
            for one in ids:
                local.update("Lead", one, {"Website": f"https://roe.example/?ref=ANN{round_}"})
        crm = connect()
        crm.account(None)
        calls = local.api_usage
        found = list(crm.histories([lead(one) for one in ids]))
        assert local.api_usage - calls == 2  # 250 leads and 50 in one; what that cut of the 250
    assert [history.ref.id for history in found] == ids
    assert all([version.at for version in history.versions] == [BEGIN + timedelta(days=at) for at in (1, 1, 2)]
               for history in found)  # fmt: skip
