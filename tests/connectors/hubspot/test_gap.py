"""Somebody writes between our look and our write: over real HTTP, at exactly that moment."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from refloop.connectors.hubspot import push as pushing
from refloop.connectors.hubspot.batch import Receipts, all_alike
from refloop.connectors.hubspot.history import NOT_THERE, UNREAD, Sent
from refloop.connectors.hubspot.write import Writer
from refloop.model import FieldChange, FieldSpec, FieldType, Kind, Receipt, Ref, Verdict
from refloop_sandbox import faults
from refloop_sandbox.faults import Asked, Fault
from refloop_sandbox.hubspot import Quirks, troubles
from tests.connectors.hubspot.account import MINUTE, Account

BOTH = (Kind.CONTACT, Kind.DEAL)
CODE = FieldSpec("ref_code", "Code", FieldType.TEXT, BOTH)
STATUS = FieldSpec("ref_status", "Status", FieldType.CHOICE, BOTH, choices=(("won", "Won"), ("lost", "Lost")))
VALUE = FieldSpec("ref_value", "Value", FieldType.MONEY, BOTH)
AT = FieldSpec("ref_at", "At", FieldType.TIME, BOTH)
OBJECTS = {Kind.CONTACT: "contacts", Kind.DEAL: "deals"}
UPDATE, READ = "/batch/update", "/batch/read"
WON, OPEN, LOST = "2026-02-28T23:59:59Z", "2026-01-31T00:00:00Z", "2025-12-31T12:30:00Z"


@pytest.fixture(scope="module", params=[False, True], ids=["twins-are-one", "twins-are-two"])
def opened(request: pytest.FixtureRequest) -> Iterator[Account]:
    """One account for all tests, which know it by records of their own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HUBSPOT_TOKEN", "pat-local")
        made = Account(quirks=Quirks(identical_writes_are_history=request.param))
        for object_ in OBJECTS.values():
            made.crm.remove_property(object_, "ref_code")
        list(made.hubspot().provision((CODE, STATUS, VALUE, AT)))
        yield made
        for close in made.closing:
            close()


@pytest.fixture
def account(opened: Account) -> Account:
    opened.crm.faults.clear()
    opened.crm.reset_counters()
    return opened


def create(account: Account, kind: Kind, field: FieldSpec, value: str | None) -> Ref:
    made = Ref("hub", kind, account.crm.create(OBJECTS[kind], {"dealname": "D"} if kind is Kind.DEAL else {}))
    if value is not None:
        edit(account, made, field, value)
    return made


def edit(account: Account, ref: Ref, field: FieldSpec, value: str | None) -> None:
    account.clock.now += MINUTE
    account.crm.update(OBJECTS[ref.kind], ref.id, {field.name: value or ""})


def in_the_gap(account: Account, *edits: tuple[Ref, FieldSpec, str | None], path: str = UPDATE, **where: Any) -> None:
    """They happen one after the other when the next call to `path` arrives, before it is worked on."""

    def act() -> None:
        for ref, field, value in edits:
            edit(account, ref, field, value)
        account.clock.now += MINUTE

    account.crm.faults.add(faults.meanwhile(act), path=path, **where)


def struck(account: Account) -> list[str]:
    return [one.fault for one in account.crm.faults.injected]


def push(account: Account, *changes: FieldChange) -> list[Receipt]:
    hubspot = account.hubspot()
    try:
        return list(hubspot.push(changes))
    finally:
        hubspot.close()


def stored(account: Account, ref: Ref, field: FieldSpec) -> str | None:
    return (account.crm.get(OBJECTS[ref.kind], ref.id) or {}).get(field.name)


OVERWRITTEN = [
    (CODE, None, ["HERS"], "OURS", "HERS"),
    (CODE, "OLD", ["HERS"], "OURS", "HERS"),
    (CODE, "OLD", [None], "OURS", None),
    (CODE, "OLD", ["HERS"], None, "HERS"),
    (CODE, "OLD", ["FIRST", "SECOND"], "OURS", "SECOND"),
    (CODE, "OLD", ["OURS", "HERS"], "OURS", "HERS"),
    (STATUS, None, ["lost"], "won", "lost"),
    (STATUS, "won", [None], "lost", None),
    (VALUE, "10", ["1234.50"], "99.9", "1234.5"),
    (AT, OPEN, [LOST], WON, LOST),
]


@pytest.mark.parametrize("kind", BOTH)
@pytest.mark.parametrize(("field", "before", "edits", "after", "hers"), OVERWRITTEN)
def test_what_was_overwritten_is_told(
    account: Account,
    kind: Kind,
    field: FieldSpec,
    before: str | None,
    edits: list[str | None],
    after: str | None,
    hers: str | None,
) -> None:
    ref = create(account, kind, field, before)
    in_the_gap(account, *((ref, field, value) for value in edits))
    (receipt,) = push(account, FieldChange(ref, field, before, after, ""))
    assert struck(account) == ["meanwhile"]
    assert (receipt.verdict, receipt.overwrote, receipt.found) == (Verdict.WRITTEN, True, hers)


@pytest.mark.parametrize(
    ("before", "edits", "after"),
    [
        ("OLD", [], "OURS"),
        ("OLD", ["OLD"], "OURS"),
        ("OLD", ["HERS", "OLD"], "OURS"),
        ("OLD", ["OURS"], "OURS"),
        (None, ["HERS", None], "OURS"),
        (None, ["OURS"], "OURS"),
        ("OLD", [None], None),
    ],
)
def test_what_nobody_lost_is_not_told(
    account: Account, before: str | None, edits: list[str], after: str | None
) -> None:
    ref = create(account, Kind.CONTACT, CODE, before)
    in_the_gap(account, *((ref, CODE, value) for value in edits))
    (receipt,) = push(account, FieldChange(ref, CODE, before, after, ""))
    assert struck(account) == ["meanwhile"]
    assert (receipt.verdict, receipt.overwrote, receipt.reason) == (Verdict.WRITTEN, False, "")
    assert (stored(account, ref, CODE) or None) == after


def test_what_a_merge_brought_is_not_taken_for_an_edit(account: Account) -> None:
    kept, lost = create(account, Kind.CONTACT, CODE, "KEPT"), create(account, Kind.CONTACT, CODE, "LOST")
    account.clock.now += MINUTE
    survivor = Ref("hub", Kind.CONTACT, account.crm.merge("contacts", kept.id, lost.id))
    account.clock.now += MINUTE
    (receipt,) = push(account, FieldChange(survivor, CODE, "KEPT", "OURS", ""))
    assert (receipt.verdict, receipt.overwrote) == (Verdict.WRITTEN, False)
    assert "LOST" in [value for value, _at, _by in account.crm.history("contacts", survivor.id, "ref_code")]


def test_a_long_history_tells_it_too(account: Account) -> None:
    ref = create(account, Kind.DEAL, CODE, None)
    for number in range(30):
        edit(account, ref, CODE, f"V{number}")
    in_the_gap(account, (ref, CODE, "HERS"))
    (receipt,) = push(account, FieldChange(ref, CODE, "V29", "OURS", ""))
    assert (receipt.overwrote, receipt.found) == (True, "HERS")


def test_somebody_who_writes_after_us_is_not_overwritten(account: Account) -> None:
    ref = create(account, Kind.CONTACT, CODE, "OLD")
    account.clock.now += MINUTE
    in_the_gap(account, path=UPDATE)  # time goes by
    in_the_gap(account, (ref, CODE, "HERS"), path=READ, skip=1)
    (receipt,) = push(account, FieldChange(ref, CODE, "OLD", "OURS", ""))
    assert struck(account) == ["meanwhile", "meanwhile"]
    assert (receipt.verdict, receipt.overwrote) == (Verdict.WRITTEN, False)
    assert stored(account, ref, CODE) == "HERS"


def test_of_a_large_push_each_is_told(account: Account) -> None:
    """The look back is by fifties, in no order; an edit of another field is none of this one."""
    refs = [create(account, Kind.CONTACT, CODE, None) for _ in range(130)]
    hers = {refs[place] for place in (0, 49, 50, 99, 100, 129)}
    in_the_gap(account, *((ref, CODE, f"HERS {ref.id}") for ref in refs[:100] if ref in hers), (refs[1], VALUE, "5"))
    in_the_gap(account, *((ref, CODE, f"HERS {ref.id}") for ref in refs[100:] if ref in hers))
    receipts = push(account, *(FieldChange(ref, CODE, None, "OURS", "") for ref in refs))
    assert struck(account) == ["meanwhile"] * 2
    assert [receipt.change.ref for receipt in receipts] == refs
    told = {receipt.change.ref: receipt.found for receipt in receipts if receipt.overwrote}
    assert told == {ref: f"HERS {ref.id}" for ref in hers}


def test_the_negative_control_overwrites_unseen(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the look back, the same edit is lost and nobody hears of it."""

    class Trusting(Writer):
        def _read_back(self, batch: Any) -> Receipts:
            sent: Mapping[str, Sent] = batch.sent
            settled: Receipts = {}
            for one in sent.values():
                settled |= all_alike(one.changes, Verdict.WRITTEN)
            return settled

    monkeypatch.setattr(pushing, "Writer", Trusting)
    ref = create(account, Kind.CONTACT, CODE, "OLD")
    in_the_gap(account, (ref, CODE, "HERS"))
    (receipt,) = push(account, FieldChange(ref, CODE, "OLD", "OURS", ""))
    assert struck(account) == ["meanwhile"]
    assert stored(account, ref, CODE) == "OURS"
    assert (receipt.verdict, receipt.overwrote) == (Verdict.WRITTEN, False)


EDITS = st.dictionaries(st.integers(0, 5), st.lists(st.sampled_from(["X", "Y", "", "B"]), max_size=3), max_size=4)


@settings(
    max_examples=40,
    derandomize=True,
    suppress_health_check=[*settings().suppress_health_check, HealthCheck.function_scoped_fixture],
)
@given(edits=EDITS, held=st.lists(st.sampled_from(["", "B", "Z"]), min_size=6, max_size=6))
def test_every_overwrite_is_told(account: Account, edits: dict[int, list[str]], held: list[str]) -> None:
    account.crm.reset_counters()
    refs = [create(account, Kind.CONTACT, CODE, value or None) for value in held]
    in_the_gap(account, *((refs[place], CODE, value) for place, values in edits.items() for value in values))
    changes = [FieldChange(ref, CODE, before or None, "OURS", "") for ref, before in zip(refs, held, strict=True)]
    receipts = push(account, *changes)
    assert struck(account) == ["meanwhile"]
    stood = [(edits.get(place) or [held[place]])[-1] for place in range(6)]
    lost = {ref: now or None for ref, now, before in zip(refs, stood, held, strict=True) if now != before}
    assert {receipt.change.ref: receipt.found for receipt in receipts if receipt.overwrote} == lost
    assert {receipt.verdict for receipt in receipts} == {Verdict.WRITTEN}


def does_nothing(*refs: Ref) -> Fault:
    """HubSpot's answer to an update that it then does not make."""
    stamp = "2026-03-01T12:00:00Z"
    rows = [{"id": ref.id, "properties": {}, "createdAt": stamp, "updatedAt": stamp} for ref in refs]
    return faults.answer(200, {"status": "COMPLETE", "results": rows})


def test_a_call_that_says_ok_and_does_nothing_is_noticed(account: Account) -> None:
    refs = [create(account, Kind.CONTACT, CODE, "OLD") for _ in range(3)]
    edit(account, refs[1], CODE, "OURS")
    edit(account, refs[1], CODE, "OLD")
    account.crm.faults.add(does_nothing(*refs), path=UPDATE)
    receipts = push(account, *(FieldChange(ref, CODE, "OLD", "OURS", "") for ref in refs))
    assert struck(account) == ["200"]
    assert [(receipt.verdict, receipt.reason) for receipt in receipts] == [(Verdict.REFUSED, NOT_THERE)] * 3
    assert [stored(account, ref, CODE) for ref in refs] == ["OLD"] * 3


def test_nothing_done_and_somebody_wrote_there(account: Account) -> None:
    ref = create(account, Kind.CONTACT, CODE, "OLD")
    account.crm.faults.add(does_nothing(ref), path=UPDATE)
    in_the_gap(account, (ref, CODE, "HERS"), path=READ, skip=1)
    (receipt,) = push(account, FieldChange(ref, CODE, "OLD", "OURS", ""))
    assert (receipt.verdict, receipt.found) == (Verdict.MOVED, "HERS")


LOST_LOOKS = [
    faults.answer(502, "<html>Bad gateway</html>"),
    faults.truncated(),
    faults.html(),
    troubles.fault(troubles.daily()),
    troubles.fault(troubles.expired()),
    faults.answer(403, {"category": "MISSING_SCOPES"}),
    faults.closed(),
]


@pytest.mark.parametrize("fault", LOST_LOOKS, ids=[fault.name for fault in LOST_LOOKS])
def test_a_look_back_that_fails_loses_no_write(accounts: Callable[..., Account], fault: Fault) -> None:
    """What HubSpot said it wrote is written; that nobody looked is said."""
    account = accounts()
    refs = [create(account, Kind.CONTACT, CODE, None) for _ in range(60)]
    account.crm.faults.add(fault, path=READ, times=9, when=lambda asked: len(_inputs(asked)) == 50)
    receipts = push(account, *(FieldChange(ref, CODE, None, "OURS", "") for ref in refs))
    assert struck(account)
    assert {receipt.verdict for receipt in receipts} == {Verdict.WRITTEN}
    assert {stored(account, ref, CODE) for ref in refs} == {"OURS"}
    assert sum(UNREAD in receipt.reason for receipt in receipts) >= 50
    assert all(receipt.reason in ("",) or UNREAD in receipt.reason for receipt in receipts)


def _inputs(asked: Asked) -> list[Any]:
    found: list[Any] = json.loads(asked.body)["inputs"] if READ in asked.path else []
    return found


def test_a_record_that_is_merged_before_the_look_back_was_written(accounts: Callable[..., Account]) -> None:
    account = accounts(quirks=Quirks(batch_read_follows_merges=False))
    one, two = create(account, Kind.CONTACT, CODE, None), create(account, Kind.CONTACT, CODE, None)
    account.crm.faults.add(faults.meanwhile(lambda: account.crm.merge("contacts", one.id, two.id)), path=READ, skip=1)
    (receipt,) = push(account, FieldChange(one, CODE, None, "OURS", ""))
    assert struck(account) == ["meanwhile"]
    assert receipt.verdict is Verdict.WRITTEN
    assert "merged" in receipt.reason


def test_a_fate_that_was_unknown_is_recalled_with_what_it_overwrote(account: Account) -> None:
    clean, hers, unsent = (create(account, Kind.CONTACT, CODE, "OLD") for _ in range(3))
    in_the_gap(account, (hers, CODE, "HERS"))
    changes = [FieldChange(ref, CODE, "OLD", "OURS", "") for ref in (clean, hers)]
    push(account, *changes)
    receipts = list(account.hubspot().recall(changes))
    assert [receipt.change for receipt in receipts] == changes
    assert [(receipt.verdict, receipt.overwrote, receipt.found) for receipt in receipts] == [
        (Verdict.WRITTEN, False, None),
        (Verdict.WRITTEN, True, "HERS"),
    ]
    assert list(account.hubspot().recall([])) == []
    assert stored(account, unsent, CODE) == "OLD"


@pytest.fixture
def halving(accounts: Callable[..., Account]) -> tuple[Account, list[Ref], list[FieldChange]]:
    """A hundred changes, the last of which makes HubSpot send back every batch that it is in."""
    account = accounts(quirks=Quirks(isolates_invalid_updates=False))
    list(account.hubspot().provision((STATUS,)))
    refs = [Ref("hub", Kind.CONTACT, one) for one in account.contacts(100)]
    changes = [FieldChange(ref, STATUS, None, "won", "") for ref in refs]
    changes[-1] = FieldChange(refs[-1], STATUS, None, "no such choice", "")
    return account, refs, changes


def test_what_waited_while_a_batch_was_taken_apart_is_looked_at_again(
    halving: tuple[Account, list[Ref], list[FieldChange]],
) -> None:
    """The first half waits for the second to be halved down: an edit meanwhile is seen, not overwritten."""
    account, refs, changes = halving
    in_the_gap(account, (refs[0], STATUS, "lost"), skip=3)
    receipts = push(account, *changes)
    assert struck(account) == ["meanwhile"]
    assert (receipts[0].verdict, receipts[0].found) == (Verdict.MOVED, "lost")
    assert receipts[-1].verdict is Verdict.REFUSED
    assert {receipt.verdict for receipt in receipts[1:-1]} == {Verdict.WRITTEN}
    assert not any(receipt.overwrote for receipt in receipts)
    assert stored(account, refs[0], STATUS) == "lost"


def test_what_cannot_be_looked_at_again_waits(halving: tuple[Account, list[Ref], list[FieldChange]]) -> None:
    account, refs, changes = halving
    again = lambda asked: b"propertiesWithHistory" not in asked.body  # noqa: E731 - not the looks back
    account.crm.faults.add(troubles.proxy(502), path=READ, skip=1, times=4, when=again)
    receipts = push(account, *changes)
    verdicts = [receipt.verdict for receipt in receipts]
    assert struck(account) == ["502"] * 4
    assert set(verdicts) == {Verdict.WRITTEN, Verdict.DEFERRED}
    for ref, receipt in zip(refs, receipts, strict=True):
        assert stored(account, ref, STATUS) == ("won" if receipt.verdict is Verdict.WRITTEN else None)


def test_the_limit_is_waited_for_before_the_look_not_after_it(accounts: Callable[..., Account]) -> None:
    """However the calls before fall into the window of ten seconds, no wait lies between look and write."""
    account = accounts(strict=True)
    hubspot = account.hubspot()
    refs = [Ref("hub", Kind.CONTACT, one) for one in account.contacts(2_700)]
    log: list[tuple[str, float]] = []

    def note(asked: Asked) -> bool:
        is_look = READ in asked.path and b"propertiesWithHistory" not in asked.body
        log.append(("look" if is_look else asked.path.rpartition("/")[2], account.clock.timer.now()))
        return False

    account.crm.faults.add(faults.closed(), when=note)
    hubspot.read(refs[:250], (CODE,))  # three calls, so that a look takes the last place of a window
    log.clear()
    began = account.clock.timer.now()
    assert {receipt.verdict for receipt in hubspot.push([FieldChange(ref, CODE, None, "A", "") for ref in refs])} == {
        Verdict.WRITTEN
    }
    assert log[-1][1] - began >= 10, "the push was not long enough to meet the limit"
    gaps = [wrote - looked for (a, looked), (b, wrote) in pairwise(log) if (a, b) == ("look", "update")]
    assert len(gaps) == 27
    assert max(gaps) == 0
    assert not account.crm.refused
