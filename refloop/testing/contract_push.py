"""Pushing: look, then write; one receipt a change, in order; nothing of a person's overwritten."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from refloop.connectors.base import Connector, Recalls, WritesLinks, push_changes
from refloop.model import (
    LINKED,
    Change,
    FieldChange,
    FieldSpec,
    FieldType,
    Kind,
    LinkChange,
    Receipt,
    Ref,
    Relation,
    Since,
    Verdict,
)
from refloop.testing.contract_pull import HOUR, ODD_TEXTS, everything, going_on
from refloop.testing.contract_setup import ContractBase
from refloop.testing.seen import Seen
from refloop.testing.world import Draft, World

Fields = tuple[FieldSpec, ...]

ODD_VALUES = [
    *((FieldType.TEXT, text) for text in (*ODD_TEXTS, "x" * 255, "0", "null", "#N/A", "=1+1", "<ref>")),
    *((FieldType.CHOICE, choice) for choice in ("submitted", "won")),
    *((FieldType.NUMBER, number) for number in ("0", "0.5", "-3", "100")),
    *((FieldType.MONEY, amount) for amount in ("0", "1234.5", "0.01", "-99.99", "1000000")),
    *((FieldType.TIME, time) for time in ("2026-01-31T00:00:00Z", "2024-02-29T23:59:59Z", "1999-12-31T12:30:00Z")),
]


def _change(ref: Ref, field: FieldSpec, after: str | None, before: str | None = None) -> FieldChange:
    return FieldChange(ref, field, before, after, "contract")


def _verdicts(receipts: list[Receipt]) -> list[Verdict]:
    return [receipt.verdict for receipt in receipts]


def _people(world: World, count: int) -> list[Ref]:
    drafts = [Draft(email=f"p{number}@example.com", title="Acme") for number in range(count)]
    return list(world.import_at_once(Kind.CONTACT, drafts))


def _recalled(connector: Connector, change: Change) -> Receipt | None:
    """What a connector says that looks back at a write of unknown fate; None for one that need not."""
    if not isinstance(connector, Recalls) or not isinstance(change, FieldChange):
        return None
    return next(iter(connector.recall([change])))


class PushContract(ContractBase):
    def test_written_values_can_be_read(self, world: World, connector: Connector, fields: Fields) -> None:
        values = dict(zip(fields, ("ANNA-10", "won", "0.5", "99.9", "2026-02-28T23:59:59Z"), strict=True))
        for kind in world.kinds:
            ref = world.create(kind, Draft(email=None if kind is Kind.DEAL else f"{kind}@example.com", title="Acme"))
            changes = [_change(ref, field, value) for field, value in values.items()]
            receipts = list(connector.push(changes))
            assert [receipt.change for receipt in receipts] == changes
            assert _verdicts(receipts) == [Verdict.WRITTEN] * len(changes)
            assert {field: world.stored(ref, field) for field in fields} == values
            expected = {field.name: value for field, value in values.items()}
            assert world.connector().read([ref], fields) == {ref: expected}

    @pytest.mark.parametrize(("type_", "value"), ODD_VALUES)
    def test_values_go_round(
        self, world: World, connector: Connector, ours: Sequence[FieldSpec], type_: FieldType, value: str
    ) -> None:
        field = next(field for field in ours if field.type is type_)
        (ref,) = _people(world, 1)
        (receipt,) = connector.push([_change(ref, field, value)])
        assert receipt.verdict is Verdict.WRITTEN, receipt.reason
        assert world.stored(ref, field) == value
        assert connector.read([ref], ours) == {ref: {field.name: value}}
        assert everything(world, ours).records[ref].found == {field.name: value}

    def test_none_clears(self, world: World, connector: Connector, fields: Fields) -> None:
        values = ("ANNA-10", "won", "0.5", "99.9", "2026-02-28T23:59:59Z")
        (ref,) = _people(world, 1)
        for field, value in zip(fields, values, strict=True):
            world.write(ref, field, value)
        changes = [_change(ref, field, None, before=value) for field, value in zip(fields, values, strict=True)]
        assert _verdicts(list(connector.push(changes))) == [Verdict.WRITTEN] * len(changes)
        assert [world.stored(ref, field) for field in fields] == [None] * len(fields)
        assert connector.read([ref], fields) == {ref: {}}

    def test_all_changes_of_a_record_are_one_write_of_just_these(
        self, world: World, connector: Connector, fields: Fields
    ) -> None:
        for kind in world.kinds:
            ref = world.create(kind, Draft(title="Acme", code="ANNA-10"))
            world.write(ref, fields[0], "MINE")
            facts = dict(world.facts(ref))
            changes = [_change(ref, fields[1], "won"), _change(ref, fields[2], "0.5")]
            assert _verdicts(list(connector.push(changes))) == [Verdict.WRITTEN] * 2
            assert world.writes(ref) == [frozenset({fields[1].name, fields[2].name})]
            assert world.stored(ref, fields[0]) == "MINE"
            assert world.facts(ref) == facts

    def test_what_is_there_already_is_not_sent(self, world: World, connector: Connector, fields: Fields) -> None:
        (ref,) = _people(world, 1)
        world.write(ref, fields[0], "ANNA")
        receipts = list(connector.push([_change(ref, fields[0], "ANNA"), _change(ref, fields[1], None)]))
        assert _verdicts(receipts) == [Verdict.PRESENT] * 2
        assert receipts[0].found == "ANNA"
        assert world.writes(ref) == []

    def test_what_a_person_wrote_is_not_overwritten(self, world: World, connector: Connector, fields: Fields) -> None:
        code, status, share, value, _ = fields
        (ref,) = _people(world, 1)
        world.write(ref, code, "HERS")
        world.write(ref, status, "lost")
        changes = [
            _change(ref, code, "OURS"),
            _change(ref, status, "won", before="submitted"),
            _change(ref, share, "1", before="0.5"),  # she cleared it
            _change(ref, value, "10"),
        ]
        receipts = list(connector.push(changes))
        assert _verdicts(receipts) == [Verdict.MOVED, Verdict.MOVED, Verdict.MOVED, Verdict.WRITTEN]
        assert [receipt.found for receipt in receipts[:3]] == ["HERS", "lost", None]
        assert [world.stored(ref, field) for field in (code, status, share, value)] == ["HERS", "lost", None, "10"]
        assert world.writes(ref) == [frozenset({value.name})]

    @pytest.mark.parametrize("before", ["OLD", None])
    @pytest.mark.parametrize("hers", ["HERS", None])
    def test_what_a_person_writes_right_before_us_is_kept_or_told(
        self, world: World, connector: Connector, fields: Fields, before: str | None, hers: str | None
    ) -> None:
        """Between look and write: the write is held back, or what it overwrote is told. Neither must be declared."""
        code, status, *_ = fields
        hasty, other, calm = refs = _people(world, 3)
        for ref in refs:
            world.write(ref, code, before)
        acted: list[Ref] = []

        def act() -> None:
            world.write(hasty, code, "FIRST")
            world.write(hasty, code, hers)
            world.write(other, status, "lost")
            acted.extend((hasty, other))

        world.pass_time(HOUR)
        world.before_next_write(act)
        receipts = list(connector.push([_change(ref, code, "OURS", before) for ref in refs]))
        assert acted, "the harness injected the edits"
        assert [receipt.change.ref for receipt in receipts] == refs
        first = receipts[0]
        if world.overwrites_unseen:
            assert first.verdict is Verdict.WRITTEN, "it does not: take the attribute away"
            assert not first.overwrote, "it tells: take the attribute away"
        elif hers == before:  # she put back what was there: nothing is lost
            assert first.verdict is Verdict.MOVED or (first.verdict is Verdict.WRITTEN and not first.overwrote)
        elif first.verdict is Verdict.MOVED:
            assert (first.found, world.stored(hasty, code)) == (hers, hers)
            assert not first.overwrote
        else:
            assert (first.verdict, first.overwrote, first.found) == (Verdict.WRITTEN, True, hers)
            assert world.stored(hasty, code) == "OURS"
            assert _recalled(connector, first.change) in (None, first)
        assert not any(receipt.overwrote for receipt in receipts[1:])
        assert receipts[2].verdict is Verdict.WRITTEN
        assert world.stored(other, status) == "lost"
        assert world.stored(calm, code) == "OURS"

    def test_more_changes_than_a_batch_keep_their_order(
        self, world: World, connector: Connector, fields: Fields
    ) -> None:
        refs = [
            world.create(kind, Draft(title=f"{kind} {number}"))
            for number in range(2 * world.batch_size + 1)
            for kind in world.kinds
        ]
        changes = [_change(ref, field, "won") for field in (fields[0], fields[1]) for ref in refs]
        receipts = list(connector.push(changes))
        assert [receipt.change for receipt in receipts] == changes
        assert set(_verdicts(receipts)) == {Verdict.WRITTEN}
        assert all(world.stored(ref, fields[0]) == "won" for ref in refs)
        assert all(len(world.writes(ref)) == 1 for ref in refs)

    def test_a_poisoned_record_does_not_hold_back_the_others(
        self, world: World, connector: Connector, fields: Fields
    ) -> None:
        refs = _people(world, 2 * world.batch_size)
        bad = {refs[1], refs[2], refs[-1]}
        for ref in bad:
            world.poison(ref)
        receipts = list(connector.push([_change(ref, fields[0], "ANNA") for ref in refs]))
        assert [receipt.change.ref for receipt in receipts] == refs
        for receipt in receipts:
            refused = receipt.change.ref in bad
            assert receipt.verdict is (Verdict.REFUSED if refused else Verdict.WRITTEN)
            assert bool(receipt.reason) is refused
            assert world.stored(receipt.change.ref, fields[0]) == (None if refused else "ANNA")

    def test_a_record_that_is_gone_is_refused(self, world: World, connector: Connector, fields: Fields) -> None:
        kept, gone = _people(world, 2)
        world.delete(gone)
        receipts = list(connector.push([_change(gone, fields[0], "ANNA"), _change(kept, fields[0], "ANNA")]))
        assert _verdicts(receipts) == [Verdict.REFUSED, Verdict.WRITTEN]

    @pytest.mark.parametrize("done", [True, False])
    def test_a_write_that_broke_off_is_told_as_it_is(
        self, world: World, connector: Connector, fields: Fields, done: bool
    ) -> None:
        """No write is said to be done that was not, none is made twice, and reading back settles it."""
        refs = _people(world, 2 * world.batch_size)
        world.break_next_write(done=done)
        receipts = list(connector.push([_change(ref, fields[0], "ANNA") for ref in refs]))
        assert [receipt.change.ref for receipt in receipts] == refs
        assert set(_verdicts(receipts)) <= {Verdict.WRITTEN, Verdict.UNKNOWN, Verdict.DEFERRED}
        held = world.connector().read(refs, fields)
        for receipt in receipts:
            stored = world.stored(receipt.change.ref, fields[0])
            assert held[receipt.change.ref].get(fields[0].name) == stored
            assert len(world.writes(receipt.change.ref)) == (0 if stored is None else 1)
            assert receipt.verdict is not Verdict.WRITTEN or stored == "ANNA"
            assert receipt.verdict is not Verdict.DEFERRED or stored is None
        if done:
            assert any(world.writes(ref) for ref in refs)

    def test_the_push_after_a_broken_one_completes_it(self, world: World, connector: Connector, fields: Fields) -> None:
        refs = _people(world, world.batch_size)
        changes = [_change(ref, fields[0], "ANNA") for ref in refs]
        world.break_next_write(done=True)
        list(connector.push(changes))
        assert set(_verdicts(list(world.connector().push(changes)))) <= {Verdict.PRESENT, Verdict.WRITTEN}
        assert [world.stored(ref, fields[0]) for ref in refs] == ["ANNA"] * len(refs)
        assert [len(world.writes(ref)) for ref in refs] == [1] * len(refs)

    def test_a_link_is_written_only_by_who_declares_that_it_writes_links(
        self, world: World, connector: Connector, fields: Fields
    ) -> None:
        deal, (person, other) = world.create(Kind.DEAL, Draft(title="Deal")), _people(world, 2)
        link = LinkChange(deal, Relation.ASSOCIATED_WITH, person, None, LINKED, "contract")
        changes: list[Change] = [_change(person, fields[0], "ANNA"), link, _change(other, fields[0], "ANNA")]
        receipts = list(push_changes(connector, changes))
        assert [receipt.change for receipt in receipts] == changes
        writes = isinstance(connector, WritesLinks)
        expected = Verdict.WRITTEN if writes else Verdict.REFUSED
        assert _verdicts(receipts) == [Verdict.WRITTEN, expected, Verdict.WRITTEN]
        assert writes or receipts[1].reason
        linked = everything(world, fields).linked(deal, Relation.ASSOCIATED_WITH)
        assert linked == ({person} if writes else set())

    def test_a_link_is_looked_at_before_it_is_written(self, world: World, connector: Connector, fields: Fields) -> None:
        if not isinstance(connector, WritesLinks):
            pytest.skip("this connector does not write links")
        deal, other = (world.create(Kind.DEAL, Draft(title="Deal")) for _ in range(2))
        person, gone = _people(world, 2)
        world.associate(deal, person)
        world.delete(gone)

        def pushed(source: Ref, target: Ref, before: str | None, after: str | None) -> Verdict:
            change = LinkChange(source, Relation.ASSOCIATED_WITH, target, before, after, "contract")
            (receipt,) = push_changes(connector, [change])
            assert receipt.change == change
            return receipt.verdict

        assert pushed(deal, person, None, LINKED) is Verdict.PRESENT
        assert pushed(other, person, LINKED, None) is Verdict.PRESENT
        assert pushed(other, gone, None, LINKED) is Verdict.REFUSED
        assert pushed(deal, person, LINKED, None) is Verdict.WRITTEN
        assert everything(world, fields).linked(deal, Relation.ASSOCIATED_WITH) == set()
        assert pushed(deal, person, LINKED, None) is Verdict.PRESENT
        assert pushed(deal, person, None, LINKED) is Verdict.WRITTEN
        assert everything(world, fields).linked(deal, Relation.ASSOCIATED_WITH) == {person}

    def test_nothing_to_push_and_nothing_to_read(self, connector: Connector, fields: Fields) -> None:
        assert list(connector.push([])) == []
        assert connector.read([], fields) == {}

    def test_read_leaves_out_what_is_gone(self, world: World, connector: Connector, fields: Fields) -> None:
        refs = [world.create(kind, Draft(title="Acme")) for kind in world.kinds for _ in range(world.batch_size + 1)]
        world.write(refs[0], fields[0], "ANNA")
        world.delete(refs[-1])
        held = connector.read(refs, fields)
        assert dict(held) == {refs[0]: {fields[0].name: "ANNA"}} | {ref: {} for ref in refs[1:-1]}

    def test_read_gives_just_the_fields_asked_for(self, world: World, connector: Connector, fields: Fields) -> None:
        (ref,) = _people(world, 1)
        world.write(ref, fields[0], "ANNA")
        world.write(ref, fields[2], "0.5")
        assert connector.read([ref], fields[:2]) == {ref: {fields[0].name: "ANNA"}}

    def test_our_own_write_comes_back_as_our_own(
        self, world: World, connector: Connector, ours: Sequence[FieldSpec]
    ) -> None:
        code = ours[0]
        ref = world.create(Kind.CONTACT, Draft(email="anna@example.com", title="Acme", code="ANNA-10"))
        seen = everything(world, ours)
        before = seen.records[ref]
        world.pass_time(HOUR)
        assert _verdicts(list(connector.push([_change(ref, code, "ANNA")]))) == [Verdict.WRITTEN]
        world.pass_time(HOUR)
        after = going_on(world, ours, seen).records[ref]
        assert after.found == {code.name: "ANNA"}
        assert (after.created_at, after.email, after.title) == (before.created_at, before.email, before.title)
        assert (after.texts, after.stage) == (before.texts, before.stage)

    def test_a_push_does_not_hide_a_persons_edit(
        self, world: World, connector: Connector, ours: Sequence[FieldSpec]
    ) -> None:
        ref = world.create(Kind.CONTACT, Draft(email="anna@example.com", code="OLD-1"))
        cursor = everything(world, ours).cursor
        assert cursor
        world.pass_time(HOUR)
        world.edit(ref, "NEW-1")
        list(connector.push([_change(ref, ours[0], "ANNA")]))
        world.pass_time(HOUR)
        news = Seen(world.connection).take(world.connector().pull(ours, Since(cursor)))
        assert "NEW-1" in news.records[ref].texts.values()
