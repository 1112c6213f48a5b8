"""Taking apart a batch that HubSpot sent back, against a HubSpot that knows which records are bad."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
import requests
import responses
from hypothesis import given
from hypothesis import strategies as st

from refloop.connectors.http.transport import Transport
from refloop.connectors.hubspot.answers import BatchError, Row
from refloop.connectors.hubspot.batch import split, without
from refloop.connectors.hubspot.client import Client
from refloop.connectors.hubspot.look import look
from refloop.connectors.hubspot.push import push
from refloop.connectors.hubspot.write import MOST_BETWEEN
from refloop.model import FieldChange, FieldSpec, FieldType, Kind, Receipt, Ref, Verdict

URL = "http://127.0.0.1:9"
CODE = FieldSpec("ref_code", "Code", FieldType.TEXT, (Kind.CONTACT,))
WHY = FieldSpec("ref_why", "Why", FieldType.TEXT, (Kind.CONTACT,))
NOW = "2026-01-01T00:00:00Z"


def change(record: int, field: FieldSpec = CODE, before: str | None = None, after: str | None = "NEW") -> FieldChange:
    return FieldChange(Ref("hub", Kind.CONTACT, str(record)), field, before, after, "because")


def row(record: int, **properties: str | None) -> Row:
    return Row(str(record), datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 1, tzinfo=UTC), properties)


@pytest.mark.parametrize(
    ("held", "before", "after", "verdict"),
    [
        ("NEW", None, "NEW", Verdict.PRESENT),
        (None, None, "NEW", None),
        ("", None, "NEW", None),
        ("OLD", "OLD", "NEW", None),
        ("OLD", None, "NEW", Verdict.MOVED),
        ("OLD", "OLDER", None, Verdict.MOVED),
        (None, "OLD", None, Verdict.PRESENT),
        (None, "OLD", "NEW", Verdict.MOVED),
    ],
)
def test_look(held: str | None, before: str | None, after: str | None, verdict: Verdict | None) -> None:
    to_write, settled = look({"1": [(5, change(1, before=before, after=after))]}, {"1": row(1, ref_code=held)})
    assert ({place: receipt.verdict for place, receipt in settled.items()}) == ({5: verdict} if verdict else {})
    assert bool(to_write) == (verdict is None)
    if verdict is Verdict.MOVED:
        assert settled[5].found == (held or None)


def test_a_record_that_does_not_come_back_is_gone() -> None:
    batch = {"1": [(0, change(1)), (1, change(1, WHY))]}
    _to_write, settled = look(batch, {})
    assert {receipt.verdict for receipt in settled.values()} == {Verdict.REFUSED}
    assert "gone" in settled[1].reason


def error(**more: Any) -> BatchError:
    return BatchError(**({"category": "VALIDATION_ERROR", "message": "no", "ids": frozenset()} | more))


@pytest.mark.parametrize(
    ("problem", "groups"),
    [
        (error(), [["1", "2"], ["3", "4"]]),
        (error(ids=frozenset({"2"})), [["1", "3", "4"], ["2"]]),
        (error(ids=frozenset({"2", "3", "99"})), [["1", "4"], ["2"], ["3"]]),
        (error(properties=frozenset({"ref_why"})), [["1", "2", "3"], ["4"]]),
        (error(properties=frozenset({"ref_code"})), [["4"], ["1", "2"], ["3"]]),
        (error(properties=frozenset({"unknown"})), [["1", "2"], ["3", "4"]]),
        (error(ids=frozenset("1234")), [["1", "2"], ["3", "4"]]),
    ],
)
def test_split(problem: BatchError, groups: list[list[str]]) -> None:
    batch = {str(one): [(one, change(one))] for one in (1, 2, 3)} | {"4": [(4, change(4, WHY))]}
    assert [list(group) for group in split(batch, problem)] == groups


@given(st.integers(2, 100), st.integers(0, 2**100 - 1))
def test_a_split_loses_nothing_and_always_gets_smaller(size: int, bits: int) -> None:
    batch = {str(one): [(one, change(one))] for one in range(1, size + 1)}
    named = frozenset(record for record in batch if bits >> int(record) & 1)
    groups = split(batch, error(ids=named))
    assert sorted(record for group in groups for record in group) == sorted(batch)
    assert all(0 < len(group) < len(batch) for group in groups)


def test_changes_of_a_missing_property_are_refused_and_the_others_kept() -> None:
    kept, refused = without({"1": [(0, change(1)), (1, change(1, WHY))], "2": [(2, change(2, WHY))]}, ["ref_why"])
    assert {record: [place for place, _ in changes] for record, changes in kept.items()} == {"1": [0]}
    assert refused.keys() == {1, 2}
    assert "refloop provision" in refused[2].reason


class Account:
    """Contacts with a `ref_code`; a batch with a bad one is sent back whole."""

    def __init__(self, bad: set[str], context: dict[str, Any] | None = None) -> None:
        self.bad = bad
        self.context = context or {}
        self.held: dict[str, str] = {}
        self.sends = 0
        self.log: list[tuple[str, set[str]]] = []
        self.gaps: dict[str, int] = {}

    def read(self, request: requests.PreparedRequest) -> tuple[int, dict[str, str], str]:
        body = json.loads(request.body or "")
        ids = [one["id"] for one in body["inputs"]]
        self.log.append(("look back" if "propertiesWithHistory" in body else "look", set(ids)))
        rows = [self._row(one) for one in ids]
        return 200, {}, json.dumps({"status": "COMPLETE", "results": rows})

    def update(self, request: requests.PreparedRequest) -> tuple[int, dict[str, str], str]:
        self.sends += 1
        inputs = json.loads(request.body or "")["inputs"]
        self.log.append(("send", {one["id"] for one in inputs}))
        if any(one["id"] in self.bad for one in inputs):
            return 400, {}, json.dumps({"category": "VALIDATION_ERROR", "message": "bad value", **self.context})
        self.held |= {one["id"]: one["properties"]["ref_code"] for one in inputs}
        for one in inputs:
            looks = (place for place, (call, ids) in enumerate(self.log) if call == "look" and one["id"] in ids)
            self.gaps[one["id"]] = len(self.log) - 1 - max(looks)
        return 200, {}, json.dumps({"status": "COMPLETE", "results": [self._row(one["id"]) for one in inputs]})

    def _row(self, record: str) -> dict[str, Any]:
        return {"id": record, "properties": {"ref_code": self.held.get(record)}, "createdAt": NOW, "updatedAt": NOW}


def pushed(account: Account, changes: list[FieldChange]) -> list[Receipt]:
    with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
        for name, callback in (("read", account.read), ("update", account.update)):
            mock.add_callback("POST", f"{URL}/crm/objects/2026-03/contacts/batch/{name}", callback)
        return list(push(Client("hub", "2026-03", Transport(URL)), "hub", changes))


def cases() -> Iterator[tuple[set[int], int]]:
    yield {1}, 15
    yield {100}, 15
    yield {50, 51}, 27
    yield {10, 30, 50, 70, 90}, 54


@pytest.mark.parametrize(("bad", "most"), list(cases()))
def test_a_poison_record_does_not_hold_back_its_batch(bad: set[int], most: int) -> None:
    account = Account({str(one) for one in bad})
    receipts = pushed(account, [change(one) for one in range(1, 101)])
    verdicts = {int(receipt.change.ref.id): receipt.verdict for receipt in receipts}
    assert {record for record, verdict in verdicts.items() if verdict is Verdict.REFUSED} == bad
    assert {record for record, verdict in verdicts.items() if verdict is Verdict.WRITTEN} == set(range(1, 101)) - bad
    assert account.sends <= most
    assert max(account.gaps.values()) <= MOST_BETWEEN + 1, "calls from the look at a record to its write"
    assert all(receipt.reason == "bad value" for receipt in receipts if receipt.verdict is Verdict.REFUSED)


def test_a_batch_full_of_poison_ends() -> None:
    account = Account({str(one) for one in range(1, 101)})
    receipts = pushed(account, [change(one) for one in range(1, 101)])
    verdicts = {receipt.verdict for receipt in receipts}
    assert len(receipts) == 100
    assert verdicts == {Verdict.REFUSED, Verdict.DEFERRED}
    assert account.sends == 55


def test_a_named_record_costs_two_more_sends() -> None:
    account = Account({"42"}, {"context": {"ids": ["42"]}})
    receipts = pushed(account, [change(one) for one in range(1, 101)])
    assert [receipt.change.ref.id for receipt in receipts if receipt.verdict is Verdict.REFUSED] == ["42"]
    assert account.sends == 3


def test_a_batch_is_written_right_after_the_look() -> None:
    account = Account(set())
    pushed(account, [change(one) for one in range(1, 251)])
    assert set(account.gaps.values()) == {1}
    assert [call for call, _ids in account.log] == [
        *["look", "send", "look back", "look back"] * 2,
        "look",
        "send",
        "look back",
    ]


@pytest.mark.parametrize("size", [1, 100, 101, 250])
def test_receipts_come_in_the_order_of_the_changes(size: int) -> None:
    changes = [change(one) for one in range(size, 0, -1)]
    receipts = pushed(Account({"7"}), changes)
    assert [receipt.change for receipt in receipts] == changes


def test_records_that_cannot_be_hubspots_are_refused_unsent() -> None:
    account = Account(set())
    strangers = [
        FieldChange(Ref("hub", Kind.LEAD, "1"), CODE, None, "x", ""),
        FieldChange(Ref("other", Kind.CONTACT, "1"), CODE, None, "x", ""),
        FieldChange(Ref("hub", Kind.CONTACT, "1/../2"), CODE, None, "x", ""),
        FieldChange(Ref("hub", Kind.CONTACT, "0"), CODE, None, "x", ""),
    ]
    receipts = pushed(account, [strangers[0], change(5), *strangers[1:]])
    assert [receipt.verdict for receipt in receipts] == [Verdict.REFUSED, Verdict.WRITTEN, *[Verdict.REFUSED] * 3]
    assert account.sends == 1
