"""A state machine over the whole sync: people, clocks and faults against two CRMs of any make.

The bundles hold what exists; the rules are what people do; `check` is what must hold after any sync, whatever
they did. `MachineOf` makes the machine for given worlds, so that CRMs in memory and real servers share it.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, initialize, multiple, precondition, rule

from refloop.ledger.codes import reread_texts
from refloop.ledger.receipts import written_values
from refloop.mapping.attribution import Model
from refloop.mapping.policy import CreditRules, Policy, StatusRules
from refloop.mapping.stages import status_words
from refloop.model import FieldSpec, Kind, Ref, Status
from refloop.testing import Draft, World
from tests.new_ledger import new_ledger
from tests.sync.loop import MEMORY_DISK, POLICY, Loop, assert_balanced

EMAILS = ("ada@buyer.io", "ADA@buyer.io", "bo@buyer.io", "cy@other.org", "anna@partners.io", None)
TEXTS = (
    "",
    "ANNA-7K2Q",
    "anna 7k2q",
    "referred by Ben, code BENS-4F6T",
    "https://shop.io/?utm_source=x&ref=bens-4f6t",
    "ANNA-7K2X",
    "nothing to see here",
)
WORDS: tuple[Mapping[str, Status], ...] = ({}, {"open": Status.QUALIFIED}, {"open": Status.ON_HOLD})
TYPED = ("ANNA-7K2Q", "bens4f6t", "WHAT-3V3R", "free words")

Worlds = Callable[[ExitStack], Mapping[str, World]]


def machine_of(worlds: Worlds, policy: Policy = POLICY) -> type[RuleBasedStateMachine]:
    """The machine over the CRMs that `worlds` opens anew for each history."""

    class Machine(LoopMachine):
        def open(self, stack: ExitStack) -> Loop:
            folder = stack.enter_context(tempfile.TemporaryDirectory(dir=MEMORY_DISK))
            ledger = new_ledger(Path(folder) / "refloop.db")
            stack.callback(ledger.close)
            return Loop(ledger, dict(worlds(stack)), policy)

    return Machine


class LoopMachine(RuleBasedStateMachine):
    """What people do to the CRMs, and what refloop owes them."""

    people = Bundle("people")
    leads = Bundle("leads")
    deals = Bundle("deals")

    def __init__(self) -> None:
        super().__init__()
        self.stack = ExitStack()
        self.loop = self.open(self.stack)
        self.typed: dict[tuple[Ref, str], str] = {}
        self.known: set[Ref] = set()
        self.gone: set[Ref] = set()
        self.merged: dict[Ref, set[Ref]] = {}
        self.faults = 0
        self.hasty: dict[tuple[Ref, str], str] = {}
        self.overwritten = 0

    def open(self, stack: ExitStack) -> Loop:
        raise TypeError(f"use machine_of, which knows what to open in {stack}")

    def teardown(self) -> None:
        try:
            assert_balanced(self.loop.ledger)
        finally:
            self.stack.close()

    @initialize()
    def begin(self) -> None:
        self.loop.provision()
        self.loop.code("ANNA-7K2Q", "anna", "anna@partners.io")
        self.loop.code("BENS-4F6T", "ben", "ben@partners.io")

    def crm(self, ref: Ref) -> World:
        return self.loop.crms[ref.connection]

    # what people do

    @rule(target=people, data=st.data(), email=st.sampled_from(EMAILS), text=st.sampled_from(TEXTS))
    def new_contact(self, data: st.DataObject, email: str | None, text: str) -> object:
        try:
            return self._create(data, Kind.CONTACT, Draft(email=email, title="Buyer Inc", code=text or None))
        except ValueError:  # a CRM that wants each e-mail once
            return multiple()

    @rule(target=leads, data=st.data(), email=st.sampled_from(EMAILS), text=st.sampled_from(TEXTS))
    def new_lead(self, data: st.DataObject, email: str | None, text: str) -> object:
        if not any(Kind.LEAD in crm.kinds for crm in self.loop.crms.values()):
            return multiple()
        return self._create(data, Kind.LEAD, Draft(email=email, title="Buyer Inc", code=text or None))

    @rule(target=deals, data=st.data(), amount=st.sampled_from((None, Decimal("0.10"), Decimal("1200.50"))))
    def new_deal(self, data: st.DataObject, amount: Decimal | None) -> Ref:
        return self._create(data, Kind.DEAL, Draft(title="Big deal", amount=amount))

    def _create(self, data: st.DataObject, kind: Kind, draft: Draft) -> Ref:
        names = sorted(name for name, crm in self.loop.crms.items() if kind in crm.kinds)
        ref = self.loop.crms[data.draw(st.sampled_from(names))].create(kind, draft)
        self.known.add(ref)
        return ref

    @rule(person=people, text=st.sampled_from(TEXTS))
    def edit_contact(self, person: Ref, text: str) -> None:
        self.crm(person).edit(person, text)

    @rule(lead=leads, text=st.sampled_from(TEXTS))
    def edit_lead(self, lead: Ref, text: str) -> None:
        self.crm(lead).edit(lead, text)

    @rule(ref=st.one_of(people, leads, deals), value=st.sampled_from(TYPED))
    def type_a_code(self, ref: Ref, value: str) -> None:
        self._type(ref, POLICY.spec("ref_code"), value)

    @rule(ref=st.one_of(people, leads, deals), value=st.sampled_from(("won", "lost", "on_hold")))
    def type_a_status(self, ref: Ref, value: str) -> None:
        self._type(ref, POLICY.spec("ref_status"), value)

    def _type(self, ref: Ref, spec: FieldSpec, value: str) -> None:
        crm = self.crm(ref)
        if crm.stored(ref, spec) != value:
            crm.write(ref, spec, value)
            self._note(ref, spec.name, value)

    def _note(self, ref: Ref, name: str, value: str) -> None:
        self.typed[ref, name] = value
        # nobody can tell what we wrote from the same typed by a person: it counts as ours
        family = {ref, *self.merged.get(ref, ())}
        if value in written_values(self.loop.ledger, family, name).values():
            del self.typed[ref, name]

    @rule(deal=deals, person=st.one_of(people))
    def associate(self, deal: Ref, person: Ref) -> None:
        if deal.connection == person.connection:
            self.crm(deal).associate(deal, person)

    @rule(deal=deals)
    def win(self, deal: Ref) -> None:
        self.crm(deal).win(deal)

    @rule(target=people, lead=consumes(leads))
    def convert(self, lead: Ref) -> object:
        crm = self.crm(lead)
        if not crm.converts:
            return multiple()
        became = list(crm.convert(lead))
        self.known.update(became)
        self._forget(lead)  # nobody can write to a converted lead any more, nor can we
        return multiple(*(ref for ref in became if ref.kind is Kind.CONTACT))

    @rule(target=people, loser=consumes(people), survivor=consumes(people))
    def merge(self, loser: Ref, survivor: Ref) -> object:
        crm = self.crm(loser)
        if loser == survivor or loser.connection != survivor.connection or Kind.CONTACT not in crm.merges:
            return multiple(*{loser, survivor})
        left = crm.merge(loser, survivor)
        for ref in {loser, survivor} - {left}:
            self._vanish(ref)
        lost = {loser, survivor} - {left}
        self.merged[left] = lost.union(*(self.merged.get(ref, set()) for ref in (loser, survivor)))
        # which values a merge keeps is the CRM's affair
        self._forget(left)
        self.known.add(left)
        return left

    @rule(person=consumes(people))
    def delete_contact(self, person: Ref) -> None:
        self.crm(person).delete(person)
        self._vanish(person)

    @rule(deal=consumes(deals))
    def delete_deal(self, deal: Ref) -> None:
        self.crm(deal).delete(deal)
        self._vanish(deal)

    def _forget(self, ref: Ref) -> None:
        self.typed = {key: value for key, value in self.typed.items() if key[0] != ref}

    def _vanish(self, ref: Ref) -> None:
        self._forget(ref)
        self.gone.add(ref)

    @rule(hours=st.integers(1, 50))
    def pass_time(self, hours: int) -> None:
        for crm in self.loop.crms.values():
            crm.pass_time(timedelta(hours=hours))

    @rule(
        model=st.sampled_from(Model), words=st.sampled_from(({}, {"open": Status.QUALIFIED}, {"open": Status.ON_HOLD}))
    )
    def change_the_rules(self, model: Model, words: Mapping[str, Status]) -> None:
        rules = StatusRules(status_words(words))
        self.loop.policy = replace(self.loop.policy, credit=CreditRules(model), status=rules)

    # what goes wrong

    @precondition(lambda self: self.faults < 3)
    @rule(data=st.data(), done=st.booleans())
    def sync_while_a_call_dies(self, data: st.DataObject, done: bool) -> None:
        name = data.draw(st.sampled_from(sorted(self.loop.crms)))
        self.loop.crms[name].break_next_write(done=done)
        self.faults += 1
        self.loop.sync()
        self.see_what_became_of_the_hasty()

    @rule(data=st.data())
    def sync_while_answers_make_no_sense(self, data: st.DataObject) -> None:
        name = data.draw(st.sampled_from(sorted(self.loop.crms)))
        self.loop.crms[name].garble_reads(on=True)
        before = self._cursor(name)
        report = self.loop.sync()
        self.loop.crms[name].garble_reads(on=False)
        self.see_what_became_of_the_hasty()
        assert [troubled for troubled, _ in report.problems] == [name]
        assert self._cursor(name) == before, "a watermark moved on an answer that made no sense"

    def _cursor(self, name: str) -> str | None:
        row = self.loop.ledger.one("SELECT cursor FROM cursors WHERE connection = ?", (name,))
        return row["cursor"] if row else None

    @rule(ref=st.one_of(people, deals), value=st.sampled_from(("won", "lost", "on_hold")))
    def sync_while_a_person_types(self, ref: Ref, value: str) -> None:
        """She types right before the next write of that CRM, whichever it is and whenever it comes."""
        crm, spec = self.crm(ref), POLICY.spec("ref_status")
        if crm.overwrites_unseen:
            return

        def act() -> None:
            if ref not in self.gone and crm.stored(ref, spec) != value:
                self.typed.pop((ref, spec.name), None)
                crm.write(ref, spec, value)
                self.hasty[ref, spec.name] = value

        crm.before_next_write(act)
        self.loop.sync()
        self.see_what_became_of_the_hasty()

    def see_what_became_of_the_hasty(self) -> None:
        """What was typed in the very moment of a write stands there, or the ledger can put it back."""
        while self.hasty:
            (ref, name), value = self.hasty.popitem()
            kept = "SELECT 1 FROM overwritten WHERE (connection, kind, id, field, found) = (?, ?, ?, ?, ?)"
            if self.loop.ledger.one(kept, (ref.connection, ref.kind, ref.id, name, value)):
                self.overwritten += 1
            else:
                stored = self.crm(ref).stored(ref, POLICY.spec(name))
                assert stored == value, f"a person's value in {name} of {ref} became {stored!r}, and nobody was told"
                self._note(ref, name, value)

    # what must hold

    @rule()
    def sync(self) -> None:
        facts = {ref: self.crm(ref).facts(ref) for ref in self.known - self.gone}
        self.settle()
        assert {ref: self.crm(ref).facts(ref) for ref in facts} == facts, "something that is not ours was written"
        for (ref, name), value in self.typed.items():
            stored = self.crm(ref).stored(ref, POLICY.spec(name))
            assert stored == value, f"a person's value in {name} of {ref} became {stored!r}"

    def settle(self) -> None:
        """Syncs until all that people did must have been seen; a second sync then writes nothing."""
        longest = max(crm.sweep for crm in self.loop.crms.values())
        if longest:
            for crm in self.loop.crms.values():
                crm.pass_time(longest)
        # each write that is still to break costs a run, and may be settled by the next and made by the one after
        for _ in range(self.faults + 3):
            report = self.loop.sync()
            self.see_what_became_of_the_hasty()
        assert not report.problems
        written = sum(counts["written"] for counts in report.counts.values())
        assert written == 0, "a sync with nothing new wrote something"

    @precondition(lambda self: self.known)
    @rule()
    def nothing_was_missed(self) -> None:
        self.settle()
        self._records_equal_a_full_pull()
        with self.loop.ledger.writing():
            reread_texts(self.loop.ledger)
        assert self.loop.planned() == {}, "deciding everything anew wants something else than deciding what changed"

    def _records_equal_a_full_pull(self) -> None:
        content = (
            "SELECT connection, kind, id, email, title, texts, found, stage, outcome, amount, currency, closed_at "
            "FROM records WHERE deleted = 0"
        )
        with tempfile.TemporaryDirectory(dir=MEMORY_DISK) as folder:
            fresh = Loop(new_ledger(Path(folder) / "fresh.db"), self.loop.crms, self.loop.policy)
            try:
                fresh.sync(push=False)
                expected = {tuple(row) for row in fresh.ledger.rows(content)}
            finally:
                fresh.ledger.close()
        seen = {tuple(row) for row in self.loop.ledger.rows(content)}
        assert seen == expected, "incremental pulls and a full pull differ"
