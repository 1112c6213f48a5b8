"""Conditional writes: an edit between our look and our write is never overwritten. Against a local org over HTTP."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from refloop.connectors.salesforce import Salesforce, push
from refloop.connectors.salesforce.answers import Saved
from refloop.connectors.salesforce.batch import http_date, result_of
from refloop.connectors.salesforce.client import PartAnswer
from refloop.connectors.salesforce.error_codes import EDITED
from refloop.connectors.salesforce.push import FEW, OLD_ENOUGH
from refloop.errors import TryLater
from refloop.model import FieldChange, FieldSpec, Kind, Receipt, Ref, Verdict
from refloop.testing import Draft, contract_fields
from refloop_sandbox.faults import Asked, meanwhile
from refloop_sandbox.salesforce import troubles
from refloop_sandbox.server import Server
from tests.connectors.salesforce.world import SECRET, SalesforceWorld, is_write, refuse_next

CODE, STATUS = contract_fields(tuple(Kind))[:2]
MINUTE = timedelta(minutes=1)
COMPOSITE = "/services/data/v67.0/composite"


@pytest.fixture
def worlds(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., SalesforceWorld]]:
    monkeypatch.setenv("SF_SECRET", SECRET)
    made: list[SalesforceWorld] = []

    def world(**changes: object) -> SalesforceWorld:
        made.append(SalesforceWorld(**changes))  # type: ignore[arg-type]  # settings, by name
        list(made[-1].connector().provision([CODE, STATUS]))
        return made[-1]

    yield world
    for one in made:
        one.close()


@pytest.fixture
def world(worlds: Callable[..., SalesforceWorld]) -> SalesforceWorld:
    return worlds()


def people(world: SalesforceWorld, count: int) -> list[Ref]:
    """Contacts that were saved a minute ago."""
    refs = list(world.import_at_once(Kind.CONTACT, [Draft(email=f"p{number}@example.com") for number in range(count)]))
    world.pass_time(MINUTE)
    return refs


def code(ref: Ref, after: str | None = "OURS", field: FieldSpec = CODE) -> FieldChange:
    return FieldChange(ref, field, None, after, "test")


def verdicts(receipts: list[Receipt]) -> list[Verdict]:
    return [receipt.verdict for receipt in receipts]


def struck(world: SalesforceWorld, fault: str = "meanwhile") -> int:
    return sum(one.fault == fault for one in world.local.faults.injected)


def ids_in(asked: Asked) -> list[str]:
    """The ids of the records that a composite call writes by themselves."""
    body = json.loads(asked.body) if is_write(asked) else {}
    urls = [part["url"] for part in body.get("compositeRequest", ()) if part["method"] == "PATCH"]
    return [url.rpartition("/")[2] for url in urls if "/sobjects/Contact/" in url]


# a person edits between look and write


@pytest.mark.parametrize(("mode", "overwritten"), [("auto", False), ("always", False), ("never", True)])
def test_an_edit_in_the_gap_is_overwritten_by_unconditional_writes_only(
    worlds: Callable[..., SalesforceWorld], mode: str, overwritten: bool
) -> None:
    world = worlds(conditional_writes=mode)
    crm, (ref, other) = world.connector(), people(world, 2)
    world.before_next_write(lambda: world.write(ref, CODE, "HERS"))
    receipts = list(crm.push([code(ref), code(other)]))
    assert struck(world) == 1
    assert world.stored(ref, CODE) == ("OURS" if overwritten else "HERS")
    assert verdicts(receipts) == [Verdict.WRITTEN if overwritten else Verdict.MOVED, Verdict.WRITTEN]
    assert crm.unconditional() == (2 if overwritten else 0)


def test_edits_in_every_gap_of_a_long_push_are_all_kept(worlds: Callable[..., SalesforceWorld]) -> None:
    """Before each call that writes, somebody edits every seventh record that it carries."""
    world = worlds(conditional_writes="always")
    refs, hers = {ref.id: ref for ref in people(world, 2 * FEW + 30)}, set[str]()

    def edit(asked: Asked) -> bool:
        for one in ids_in(asked)[::7]:
            world.write(refs[one], CODE, "HERS")
            hers.add(one)
        return False

    world.local.faults.add(meanwhile(lambda: None), when=edit)
    receipts = list(world.connector().push([code(ref) for ref in refs.values()]))
    assert [receipt.change.ref for receipt in receipts] == list(refs.values())
    assert len(hers) > 70
    assert {world.stored(refs[one], CODE) for one in hers} == {"HERS"}
    assert {receipt.change.ref.id for receipt in receipts if receipt.verdict is Verdict.MOVED} == hers
    assert {receipt.found for receipt in receipts if receipt.verdict is Verdict.MOVED} == {"HERS"}
    assert all(world.stored(ref, CODE) == "OURS" for one, ref in refs.items() if one not in hers)
    assert all(len(world.writes(ref)) == (ref.id not in hers) for ref in refs.values())


def test_a_change_that_somebody_else_made_in_the_gap_is_present(world: SalesforceWorld) -> None:
    (ref,) = people(world, 1)
    world.before_next_write(lambda: world.write(ref, CODE, "OURS"))
    (receipt,) = world.connector().push([code(ref)])
    assert (receipt.verdict, receipt.found, world.writes(ref)) == (Verdict.PRESENT, "OURS", [])


def test_an_edit_of_another_field_is_looked_at_and_written_after(world: SalesforceWorld) -> None:
    (ref,) = people(world, 1)
    world.before_next_write(lambda: world.edit(ref, "she types"))
    (receipt,) = world.connector().push([code(ref)])
    assert (receipt.verdict, world.stored(ref, CODE)) == (Verdict.WRITTEN, "OURS")
    assert len(world.writes(ref)) == 1


def test_a_record_that_is_edited_again_and_again_waits_for_the_next_run(world: SalesforceWorld) -> None:
    (ref,) = people(world, 1)
    world.local.faults.add(meanwhile(lambda: world.edit(ref, "she types")), when=is_write, times=3)
    (receipt,) = world.connector().push([code(ref)])
    assert struck(world) == 3
    assert (receipt.verdict, world.stored(ref, CODE)) == (Verdict.DEFERRED, None)
    assert EDITED in receipt.reason


def test_a_lead_that_is_converted_in_the_gap_is_not_written(world: SalesforceWorld) -> None:
    ref = world.create(Kind.LEAD, Draft(title="Acme"))
    world.pass_time(MINUTE)
    world.local.faults.add(meanwhile(lambda: world.convert(ref)), when=is_write)
    (receipt,) = world.connector().push([code(ref)])
    assert struck(world) == 1
    assert receipt.verdict is Verdict.REFUSED
    assert "write to its contact and deal" in receipt.reason


def test_a_record_that_is_deleted_in_the_gap_is_gone(world: SalesforceWorld) -> None:
    (ref,) = people(world, 1)
    world.before_next_write(lambda: world.delete(ref))
    (receipt,) = world.connector().push([code(ref)])
    assert (receipt.verdict, receipt.reason.startswith("the record is gone")) == (Verdict.REFUSED, True)


# a record that was saved just now


def test_a_record_that_was_saved_just_now_is_written_some_seconds_later(world: SalesforceWorld) -> None:
    ref = world.create(Kind.CONTACT, Draft(email="now@example.com"))
    crm, pauses = world.connector(), list[float]()

    def wait(seconds: float) -> None:
        pauses.append(seconds)
        world.pass_time(timedelta(seconds=seconds))

    crm._client.transport._sleep = wait
    assert verdicts(list(crm.push([code(ref)]))) == [Verdict.WRITTEN]
    assert pauses == [OLD_ENOUGH]


@pytest.mark.parametrize(("age", "written"), [(0, False), (1, False), (2, True), (3, True)])
def test_how_old_the_last_save_has_to_be(world: SalesforceWorld, age: int, written: bool) -> None:
    ref = world.create(Kind.CONTACT, Draft(email="now@example.com"))
    world.now += timedelta(seconds=age)
    crm = world.connector()
    list(crm.read([ref], [CODE]))  # so that the look is all that the push asks for
    crm._client.transport._sleep = lambda _: None  # and the org's clock stands still
    crm._client.clock_at_start = lambda: world.now  # type: ignore[method-assign]  # to the second, whatever a look takes
    (receipt,) = crm.push([code(ref)])
    assert (receipt.verdict is Verdict.WRITTEN) is written
    assert (receipt.verdict is Verdict.DEFERRED) is not written
    assert len(world.writes(ref)) == written
    assert written or "saved in the moment before" in receipt.reason


@pytest.mark.parametrize(("just_saved", "overwritten"), [(push.JUST_SAVED, False), (timedelta(days=-1), True)])
def test_saved_looked_at_and_edited_within_one_second(
    world: SalesforceWorld, monkeypatch: pytest.MonkeyPatch, just_saved: timedelta, overwritten: bool
) -> None:
    """Both saves have one date, and no condition could tell them apart; without the wait she is overwritten."""
    monkeypatch.setattr(push, "JUST_SAVED", just_saved)
    ref = world.create(Kind.CONTACT, Draft(email="now@example.com"))
    world.before_next_write(lambda: world.write(ref, CODE, "HERS"))
    list(world.connector().push([code(ref)]))
    assert struck(world) == 1
    assert world.stored(ref, CODE) == ("OURS" if overwritten else "HERS")


# what it costs


@pytest.mark.parametrize(
    ("mode", "count", "calls", "unconditional"),
    [
        ("auto", 25, 2, 0),
        ("auto", FEW, 1 + FEW // 25, 0),
        ("auto", FEW + 1, 2, FEW + 1),
        ("always", FEW + 1, 1 + FEW // 25 + 2, 0),
        ("never", 25, 2, 25),
    ],
)
def test_calls(worlds: Callable[..., SalesforceWorld], mode: str, count: int, calls: int, unconditional: int) -> None:
    world = worlds(conditional_writes=mode)
    refs, crm = people(world, count), world.connector()
    list(crm.read(refs[:1], [CODE]))
    used = world.local.api_usage
    assert set(verdicts(list(crm.push([code(ref) for ref in refs])))) == {Verdict.WRITTEN}
    assert (world.local.api_usage - used, crm.unconditional()) == (calls, unconditional)


def test_auto_writes_so_many_records_conditionally_in_a_run_and_no_more(world: SalesforceWorld) -> None:
    refs, crm = people(world, FEW + 30), world.connector()
    told = [
        (len(list(crm.push([code(ref) for ref in refs[start:end]]))), crm.unconditional())
        for start, end in [(0, FEW - 10), (FEW - 10, FEW + 10), (FEW + 10, FEW + 20), (FEW + 20, FEW + 30)]
    ]
    assert told == [(FEW - 10, 0), (20, 20), (10, 20), (10, 30)]
    assert {world.stored(ref, CODE) for ref in refs} == {"OURS"}


def test_the_quota_ends_a_conditional_push_and_what_was_written_is_told(
    worlds: Callable[..., SalesforceWorld],
) -> None:
    world = worlds(conditional_writes="always")
    refs, crm, receipts = people(world, 60), world.connector(), list[Receipt]()
    list(crm.read(refs[:1], [CODE]))
    refuse_next(world.local, 403, "REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded.", when=is_write, skip=1)
    with pytest.raises(TryLater):
        receipts.extend(crm.push([code(ref) for ref in refs]))
    assert verdicts(receipts) == [Verdict.WRITTEN] * 25 + [Verdict.DEFERRED] * 35
    assert [world.stored(ref, CODE) for ref in refs] == ["OURS"] * 25 + [None] * 35


def test_what_a_call_wrote_is_told_before_the_next_call(worlds: Callable[..., SalesforceWorld]) -> None:
    """So that whoever reads the receipts can stop between two calls."""
    world = worlds(conditional_writes="always")
    refs = people(world, 60)
    receipts = world.connector().push([code(ref) for ref in refs])
    told = [next(receipts) for _ in range(25)]
    assert set(verdicts(told)) == {Verdict.WRITTEN}
    assert [world.stored(ref, CODE) for ref in refs] == ["OURS"] * 25 + [None] * 35


def test_a_record_to_try_again_is_told_once_and_in_its_place(world: SalesforceWorld) -> None:
    first, second, third = people(world, 3)
    world.write(first, STATUS, "lost")
    world.pass_time(MINUTE)
    world.local.lock(first.id, attempts=1)
    changes = [code(first, "won", STATUS), code(second), code(first), code(third)]
    receipts = list(world.connector().push(changes))
    assert [receipt.change for receipt in receipts] == changes
    assert verdicts(receipts) == [Verdict.MOVED, *[Verdict.WRITTEN] * 3]


@pytest.mark.parametrize("record", [None, "x", "../Account/001"])
def test_nothing_to_write_is_no_call(world: SalesforceWorld, record: str | None) -> None:
    crm = world.connector()
    changes = [] if record is None else [code(Ref(world.connection, Kind.CONTACT, record))]
    assert verdicts(list(crm.push(changes))) == [Verdict.REFUSED] * len(changes)
    assert dict(crm.calls()) == {}


# trouble with single records, with calls, with sessions


def test_a_locked_row_alone_is_tried_again(world: SalesforceWorld) -> None:
    refs = people(world, 5)
    world.local.lock(refs[2].id, attempts=1)
    assert set(verdicts(list(world.connector().push([code(ref) for ref in refs])))) == {Verdict.WRITTEN}
    assert [len(world.writes(ref)) for ref in refs] == [1] * 5
    assert world.local._org.records.guards.refused["UNABLE_TO_LOCK_ROW"] == 1


@pytest.mark.parametrize("count", [1, 3])
def test_a_row_that_stays_locked_holds_nothing_up(world: SalesforceWorld, count: int) -> None:
    refs = people(world, count)
    world.local.lock(refs[0].id)
    receipts = list(world.connector().push([code(ref) for ref in refs]))
    assert verdicts(receipts) == [Verdict.DEFERRED] + [Verdict.WRITTEN] * (count - 1)


def test_what_a_lost_answer_did_is_read_back_and_no_later_call_suffers(world: SalesforceWorld) -> None:
    refs = people(world, 75)
    world.local.fail_next(None, applied=True, when=is_write, skip=1)
    receipts = list(world.connector().push([code(ref) for ref in refs]))
    assert verdicts(receipts) == [Verdict.WRITTEN] * 25 + [Verdict.UNKNOWN] * 25 + [Verdict.WRITTEN] * 25
    lost = {receipt.change.ref for receipt in receipts if receipt.verdict is Verdict.UNKNOWN}
    again = list(world.connector().push([code(ref) for ref in refs if ref in lost]))
    assert set(verdicts(again)) == {Verdict.PRESENT}
    assert {len(world.writes(ref)) for ref in refs} == {1}


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (PartAnswer(204, None), Saved()),
        (PartAnswer(412, None), EDITED),
        (PartAnswer(412, [{"errorCode": "ANYTHING", "message": "x"}]), EDITED),
        (PartAnswer(400, [{"errorCode": "STRING_TOO_LONG", "message": "x", "fields": ["A__c"]}]), "STRING_TOO_LONG"),
        (PartAnswer(400, [{"errorCode": "PROCESSING_HALTED", "message": "x"}]), "PROCESSING_HALTED"),
        (PartAnswer(404, [{"errorCode": "ENTITY_IS_DELETED", "message": "x"}]), "ENTITY_IS_DELETED"),
        (PartAnswer(400, None), "UNKNOWN_EXCEPTION"),
        (PartAnswer(500, [{"errorCode": "UNKNOWN_EXCEPTION", "message": "x"}]), None),
        (PartAnswer(503, None), None),
        (PartAnswer(302, None), None),
    ],
)
def test_what_the_answer_to_one_record_says(answer: PartAnswer, expected: Saved | str | None) -> None:
    told = result_of(answer)
    assert (told.code if isinstance(expected, str) and told else told) == expected


@pytest.mark.parametrize(
    ("moment", "text"),
    [
        (datetime(2026, 10, 1, 12, 0, 0, tzinfo=UTC), "Thu, 01 Oct 2026 12:00:00 GMT"),
        (datetime(2026, 10, 1, 12, 0, 0, 1000, tzinfo=UTC), "Thu, 01 Oct 2026 12:00:01 GMT"),
        (datetime(2026, 12, 31, 23, 59, 59, 999000, tzinfo=UTC), "Fri, 01 Jan 2027 00:00:00 GMT"),
    ],
)
def test_the_date_of_a_condition_is_not_before_the_save(moment: datetime, text: str) -> None:
    assert http_date(moment) == text


# what goes over the wire


@dataclass
class Sent:
    """One request, as it came in."""

    method: str
    path: str
    headers: dict[str, str]
    body: Any


@dataclass
class Witness:
    """Stands before an application and notes what comes in."""

    behind: ASGIApp
    sent: list[Sent] = field(default_factory=list)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        heard = bytearray()

        async def listen() -> Message:
            message = await receive()
            heard.extend(message.get("body", b""))
            if message["type"] == "http.request" and not message.get("more_body"):
                self.note(scope, bytes(heard))
            return message

        await self.behind(scope, listen, send)

    def note(self, scope: Scope, heard: bytes) -> None:
        headers = {name.decode().lower(): value.decode() for name, value in scope["headers"]}
        self.sent.append(
            Sent(scope["method"], scope["path"], headers, json.loads(heard) if heard[:1] == b"{" else heard)
        )

    def writes(self) -> list[Sent]:
        return [one for one in self.sent if one.method == "PATCH" or "'PATCH'" in str(one.body)]


@pytest.fixture
def witness(world: SalesforceWorld) -> Iterator[Witness]:
    """All connectors of the world from here on are seen."""
    seen = Witness(world.local.app)
    with Server(seen) as server:
        world.url = server.url
        yield seen


def test_each_part_carries_its_own_condition_and_the_whole_none(world: SalesforceWorld, witness: Witness) -> None:
    first = people(world, 1)
    second = people(world, 1)
    saved = [str((world.local.get("Contact", ref.id) or {})["SystemModstamp"]) for ref in (*first, *second)]
    list(world.connector().push([code(ref) for ref in (*first, *second)]))
    (write,) = witness.writes()
    dates = [part["httpHeaders"]["If-Unmodified-Since"] for part in write.body["compositeRequest"]]
    assert dates == [http_date(datetime.fromisoformat(text)) for text in saved]
    assert len(set(dates)) == 2
    assert all(part["httpHeaders"]["Sforce-Auto-Assign"] == "FALSE" for part in write.body["compositeRequest"])
    assert "if-unmodified-since" not in write.headers
    assert write.headers["sforce-auto-assign"] == "FALSE"
    assert write.body["allOrNone"] is False


def refuses_composites(world: SalesforceWorld, crm: Salesforce) -> None:
    """From now on the org takes one record a call."""
    list(crm.read([Ref(world.connection, Kind.CONTACT, "003Lo0000000001")], [CODE]))
    refuse_next(world.local, 403, "FUNCTIONALITY_NOT_ENABLED", when=lambda asked: asked.path == COMPOSITE)


@pytest.mark.parametrize("alone", [False, True])
def test_a_token_that_ends_in_the_middle_is_renewed_and_the_condition_stays(
    world: SalesforceWorld, witness: Witness, alone: bool
) -> None:
    """simple-salesforce's own refresh would repeat the call without its headers, and overwrite her."""
    refs, crm = people(world, 3), world.connector()
    if alone:
        refuses_composites(world, crm)
    path = "/sobjects/Contact/" if alone else COMPOSITE
    world.local.faults.add(troubles.fault(troubles.session_expired()), when=is_write, path=path)
    world.local.faults.add(meanwhile(lambda: world.write(refs[0], CODE, "HERS")), when=is_write, path=path)
    receipts = list(crm.push([code(ref) for ref in refs]))
    assert verdicts(receipts) == [Verdict.MOVED, Verdict.WRITTEN, Verdict.WRITTEN]
    assert (world.stored(refs[0], CODE), struck(world)) == ("HERS", 1)
    refused, repeated = [one for one in witness.writes() if path in one.path][:2]
    assert refused.headers.pop("authorization") != repeated.headers.pop("authorization")
    assert refused == repeated
    condition = refused.headers if alone else refused.body["compositeRequest"][0]["httpHeaders"]
    assert {name.lower() for name in condition} >= {"if-unmodified-since", "sforce-auto-assign"}


def test_an_org_without_composites_is_written_to_conditionally_all_the_same(world: SalesforceWorld) -> None:
    refs, crm = people(world, 3), world.connector()
    refuses_composites(world, crm)
    world.local.faults.add(meanwhile(lambda: world.write(refs[1], CODE, "HERS")), method="PATCH")
    receipts = list(crm.push([code(ref) for ref in refs]))
    assert verdicts(receipts) == [Verdict.WRITTEN, Verdict.MOVED, Verdict.WRITTEN]
    assert crm.calls()["PATCH /services/data/v67.0/sobjects/Contact/{id}"] == 3


def test_all_changes_of_a_record_are_one_write(world: SalesforceWorld) -> None:
    (ref,) = people(world, 1)
    world.before_next_write(lambda: world.write(ref, STATUS, "lost"))
    receipts = list(world.connector().push([code(ref), code(ref, "won", STATUS)]))
    assert verdicts(receipts) == [Verdict.WRITTEN, Verdict.MOVED]
    assert world.writes(ref) == [frozenset({CODE.name})]
    assert receipts[1].found == "lost"
