"""Changes of links: what is looked at, what is sent, and what is refused before anything is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence, Set

import pytest

from refloop.connectors.base import NO_LINKS, WritesLinks, push_changes
from refloop.connectors.links import NO_LABEL, NO_RECORD, NOT_OURS, Pair, link_receipts
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
    Verdict,
)
from refloop.testing import MemoryConnector, MemoryCrm

DEAL, OTHER = Ref("crm", Kind.DEAL, "1"), Ref("crm", Kind.DEAL, "2")
ANN, BOB = Ref("crm", Kind.CONTACT, "8"), Ref("crm", Kind.CONTACT, "9")
CODE = FieldSpec("ref_code", "Code", FieldType.TEXT, tuple(Kind))


def change(
    deal: Ref, person: Ref, after: str | None = LINKED, *, before: str | None = None, relation: Relation | None = None
) -> LinkChange:
    return LinkChange(deal, relation or Relation.ASSOCIATED_WITH, person, before, after, "test")


def removal(deal: Ref, person: Ref) -> LinkChange:
    return change(deal, person, None, before=LINKED)


class Store:
    """Links in a set, and a note of each call."""

    most = 2

    def __init__(self, *pairs: Pair, fate: tuple[Verdict, str] = (Verdict.WRITTEN, "")) -> None:
        self.pairs = set(pairs)
        self.calls: list[tuple[str, list[Pair]]] = []
        self._fate = fate

    def usable(self, ref: Ref) -> str | None:
        return ref.id if ref.connection == "crm" and ref.id.isdigit() else None

    def linked(self, pairs: Sequence[Pair]) -> Set[Pair]:
        self.calls.append(("look", list(pairs)))
        return self.pairs & set(pairs)

    def write(self, pairs: Sequence[Pair], *, linked: bool) -> Mapping[Pair, tuple[Verdict, str]]:
        self.calls.append(("add" if linked else "remove", list(pairs)))
        self.pairs = self.pairs | set(pairs) if linked else self.pairs - set(pairs)
        return dict.fromkeys(pairs, self._fate)


def test_the_key_of_a_link_is_no_name_of_a_field() -> None:
    assert change(DEAL, ANN).key == "associated-with:crm:contact:8"
    assert FieldChange(DEAL, CODE, None, "A", "test").key == "ref_code"


def test_each_link_is_looked_at_and_what_is_there_is_not_sent() -> None:
    store = Store(Pair("1", "8"))
    changes = [change(DEAL, ANN), change(DEAL, BOB), removal(DEAL, ANN), removal(OTHER, BOB)]
    receipts = list(link_receipts(store, changes))
    assert [receipt.change for receipt in receipts] == changes
    assert [receipt.verdict for receipt in receipts] == [
        Verdict.PRESENT,
        Verdict.WRITTEN,
        Verdict.WRITTEN,
        Verdict.PRESENT,
    ]
    assert store.pairs == {Pair("1", "9")}
    assert [call for call, _ in store.calls] == ["look", "add", "look", "remove"]


def test_one_link_twice_is_two_calls_and_a_call_takes_no_more_than_it_may() -> None:
    store = Store()
    changes = [change(DEAL, ANN), change(DEAL, ANN), change(DEAL, BOB), change(OTHER, ANN), change(OTHER, BOB)]
    verdicts = [receipt.verdict for receipt in link_receipts(store, changes)]
    assert verdicts == [Verdict.WRITTEN, Verdict.PRESENT, *[Verdict.WRITTEN] * 3]
    assert [len(pairs) for call, pairs in store.calls if call == "look"] == [1, 2, 2]


def test_what_a_person_did_meanwhile_is_theirs() -> None:
    store = Store(Pair("1", "8"))
    (receipt,) = link_receipts(store, [change(DEAL, ANN, None)])
    assert (receipt.verdict, receipt.found, store.pairs) == (Verdict.MOVED, LINKED, {Pair("1", "8")})


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        (change(DEAL, ANN, "Decision maker"), NO_LABEL),
        (change(DEAL, ANN, None, before="Referrer"), NO_LABEL),
        (change(ANN, DEAL), NOT_OURS),
        (change(DEAL, Ref("crm", Kind.LEAD, "8")), NOT_OURS),
        (change(ANN, BOB, relation=Relation.MERGED_INTO), NOT_OURS),
        (change(DEAL, Ref("crm", Kind.CONTACT, "no id")), NO_RECORD),
        (change(Ref("elsewhere", Kind.DEAL, "1"), ANN), NO_RECORD),
    ],
)
def test_what_cannot_be_written_is_refused_and_nothing_asked_about_it(wrong: LinkChange, reason: str) -> None:
    store = Store()
    receipts = list(link_receipts(store, [wrong]))
    assert receipts == [Receipt(wrong, Verdict.REFUSED, reason=reason)]
    assert store.calls == []
    assert [one.verdict for one in link_receipts(store, [wrong, change(DEAL, ANN)])] == [
        Verdict.REFUSED,
        Verdict.WRITTEN,
    ]


def test_what_the_crm_says_of_a_link_is_its_receipt() -> None:
    (receipt,) = link_receipts(Store(fate=(Verdict.UNKNOWN, "the answer was lost")), [change(DEAL, ANN)])
    assert (receipt.verdict, receipt.reason) == (Verdict.UNKNOWN, "the answer was lost")


class Unlinking(MemoryConnector):
    """A connector that declares nothing of links."""

    push_links = None  # type: ignore[assignment]  # takes the capability away

    def push(self, changes: Sequence[FieldChange]) -> Iterator[Receipt]:
        assert all(isinstance(one, FieldChange) for one in changes)
        return super().push(changes)


def test_who_does_not_write_links_is_not_asked_to() -> None:
    crm = MemoryCrm()
    connector = Unlinking(crm)
    assert not isinstance(connector, WritesLinks)
    changes: list[Change] = [change(DEAL, ANN), FieldChange(ANN, CODE, None, "A", "test"), change(DEAL, BOB)]
    receipts = list(push_changes(connector, changes))
    assert [receipt.change for receipt in receipts] == changes
    assert {receipt.reason for receipt in receipts[::2]} == {NO_LINKS}
    assert {receipt.verdict for receipt in receipts} == {Verdict.REFUSED}
