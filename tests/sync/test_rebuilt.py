"""A ledger that was told bit by bit says what it says after a rebuild: record by record, status by status.

People edit, merge, convert, delete and restore in two CRMs, and syncs come at random. Then a copy of the ledger forgets
what the CRMs showed and reads all of it again. What only the ledger can know (what was seen before a deletion) is kept
over the rebuild; all else must come out the same.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from refloop.ledger import Ledger, open_ledger
from refloop.ledger.history import Provenance
from refloop.ledger.rebuild import rebuild
from refloop.model import Link, Record, Ref, Relation
from tests.new_ledger import new_ledger
from tests.sync.loop import BY, MEMORY_DISK, Loop, wanted
from tests.sync.test_order import Company, History

NUMBERS = st.integers(0, 23)


class Tidied(Company):
    """A CRM that drops a record's links with the record, carries them over in a merge, and can bring a record back."""

    def __init__(self, connection: str) -> None:
        super().__init__(connection)
        self.bin: dict[Ref, list[Ref]] = {}
        self.absorbed: set[Ref] = set()

    def api_page(
        self, token: str, wanted: Callable[[Record], bool], after: str
    ) -> tuple[Sequence[Record], Sequence[Link]]:
        """One of them shows nothing more of what was merged away, but with the record that is left: HubSpot does so."""
        found, links = super().api_page(token, lambda record: wanted(record) and record.ref not in self.absorbed, after)
        return found, [*links, *self._absorbed_by(found)]

    def api_records(self, token: str, refs: Sequence[Ref]) -> tuple[Sequence[Record], Sequence[Link]]:
        found, links = super().api_records(token, [ref for ref in refs if ref not in self.absorbed])
        return found, [*links, *self._absorbed_by(found)]

    def _absorbed_by(self, found: Sequence[Record]) -> list[Link]:
        refs = {record.ref for record in found}
        return [link for link in self._links.values() if link.target in refs and link.source in self.absorbed]

    def delete(self, ref: Ref) -> None:
        super().delete(ref)
        self.bin[ref] = [deal for deal, relation, person in self._on(ref) if not self.gone(deal)]
        for link in self._on(ref):
            self.dissociate(link[0], link[2])

    def restore(self, ref: Ref, *, with_links: bool) -> None:
        self._update(ref, deleted=False)
        for deal in self.bin.pop(ref):
            if with_links and not self.gone(deal):
                self._link(deal, Relation.ASSOCIATED_WITH, ref)

    def merge(self, loser: Ref, survivor: Ref) -> Ref:
        for deal, relation, person in self._on(loser):
            self._link(survivor if deal == loser else deal, relation, survivor if person == loser else person)
        super().merge(loser, survivor)
        del self.bin[loser]  # what was merged away cannot be restored
        if self.connection == "marketing":
            self.absorbed.add(loser)
        return survivor

    def _on(self, ref: Ref) -> list[tuple[Ref, Relation, Ref]]:
        return [link for link in self._links if link[1] is Relation.ASSOCIATED_WITH and ref in (link[0], link[2])]


class Told(History):
    """What people do, restoring included."""

    def restore(self, a: int, b: int) -> None:
        gone = [ref for ref in self.refs if ref in self._crm(ref).bin]
        if gone:
            ref = gone[a % len(gone)]
            self._crm(ref).restore(ref, with_links=b % 2 == 0)

    def _crm(self, ref: Ref) -> Tidied:
        crm = self.crm(ref)
        assert isinstance(crm, Tidied)
        return crm


class Rebuilt(RuleBasedStateMachine):
    """People and syncs; and, whenever, the comparison."""

    def __init__(self) -> None:
        super().__init__()
        self.stack = ExitStack()
        self.folder = Path(self.stack.enter_context(tempfile.TemporaryDirectory(dir=MEMORY_DISK)))
        ledger = new_ledger(self.folder / "refloop.db")
        self.stack.callback(ledger.close)
        self.history = Told(Loop(ledger, {name: Tidied(name) for name in ("sales", "marketing")}))

    def teardown(self) -> None:
        try:
            self.compare()
        finally:
            self.stack.close()

    @initialize(persons=st.lists(NUMBERS, min_size=2, max_size=4), deals=st.lists(NUMBERS, min_size=1, max_size=3))
    def begin(self, persons: list[int], deals: list[int]) -> None:
        self.history.loop.provision()
        self.history._codes(self.history.loop, {})
        for number in persons:
            self.history.play("person", number % 4, number)
        for number in deals:
            self.history.play("deal", number, number)

    @rule(a=NUMBERS, b=NUMBERS, act=st.sampled_from(("person", "deal", "associate", "associate", "dissociate")))
    def people_and_deals(self, act: str, a: int, b: int) -> None:
        self.history.play(act, a, b)

    @rule(a=NUMBERS, b=NUMBERS, act=st.sampled_from(("edit", "type_a_code", "readdress", "win", "win", "mirror")))
    def edits(self, act: str, a: int, b: int) -> None:
        self.history.play(act, a, b)

    @rule(a=NUMBERS, b=NUMBERS, act=st.sampled_from(("merge", "merge", "convert", "delete", "restore")))
    def ends(self, act: str, a: int, b: int) -> None:
        self.history.play(act, a, b)

    @rule(a=NUMBERS, b=NUMBERS, act=st.sampled_from(("claim", "dates_of_a_code")))
    def referrals(self, act: str, a: int, b: int) -> None:
        self.history.play(act, a, b)

    @rule(push=st.booleans())
    def sync(self, push: bool) -> None:
        self.history.loop.sync(push=push)

    @rule()
    def compare(self) -> None:
        loop = self.history.loop
        loop.sync(push=False)
        copy = self.folder / "copy.db"
        shutil.copyfile(loop.ledger.path, copy)
        copy.chmod(0o600)
        ledger = open_ledger(copy)
        try:
            other = Loop(ledger, loop.crms, loop.policy)
            rebuild(ledger, loop.crms, BY)
            assert other.sync(push=False).problems == []
            assert says(other) == says(loop), "a rebuilt ledger says something else"
        finally:
            ledger.close()
            copy.unlink()


def says(loop: Loop) -> dict[str, object]:
    """All that was decided, and what should stand on every record."""
    told = {
        name: sorted(map(repr, map(tuple, loop.ledger.rows(f"SELECT {columns} FROM {name}"))))  # noqa: S608 - tables' names
        for name, columns in _DECIDED.items()
    }
    fields = {
        ref: {name: want.value for name, want in wants.items() if want.value is not None}
        for ref, wants in wanted(loop).items()
    }
    return {**told, "fields": {ref: values for ref, values in fields.items() if values}}


_DECIDED = {
    "referrals": "referral, code_key, referrer, claimed_at, why, void, void_reason",
    "members": "connection, kind, id, referral",
    "current_statuses": "referral, status, at, reason, label",
    "current_credits": "connection, kind, id, referral, share, role",
    "questions": "connection, kind, id, doubt, field, evidence, candidates",
}

QUICK = settings(
    max_examples=40,
    stateful_step_count=25,
    derandomize=True,
    phases=[Phase.generate],
    suppress_health_check=[*settings().suppress_health_check, HealthCheck.filter_too_much],
)


def test_a_rebuilt_ledger_says_what_the_one_says_that_was_told_bit_by_bit() -> None:
    run_state_machine_as_test(Rebuilt, settings=QUICK)


@pytest.mark.slow
def test_a_rebuilt_ledger_says_the_same_at_length() -> None:
    run_state_machine_as_test(Rebuilt, settings=settings(QUICK, max_examples=120, stateful_step_count=40))


def test_the_comparison_notices_a_ledger_that_forgot_to_look(monkeypatch: pytest.MonkeyPatch) -> None:
    """Negative control: a change that is kept and never looked at, until everything is read anew."""
    machine = Rebuilt()
    machine.begin(persons=[], deals=[])
    machine.people_and_deals("person", 0, 15)  # without a code
    machine.people_and_deals("deal", 0, 3)
    machine.compare()
    machine.edits("edit", 0, 0)  # the person gets one

    def mended(ledger: Ledger, connections: Iterable[str], by: Provenance) -> int:
        monkeypatch.undo()
        return rebuild(ledger, connections, by)

    monkeypatch.setattr("refloop.ledger.records.enqueue", lambda *_: None)
    monkeypatch.setattr("tests.sync.test_rebuilt.rebuild", mended)
    with pytest.raises(AssertionError, match="says something else"):
        machine.compare()
    machine.stack.close()
