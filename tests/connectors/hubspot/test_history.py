"""What a property's history says about our write: cases, and a model of what people and we may do in any order."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from refloop.connectors.hubspot.answers import Row, Version
from refloop.connectors.hubspot.history import (
    LEFT,
    NOT_THERE,
    UNSEEN,
    Sent,
    receipt_by_history,
    receipts_by_history,
    unread_receipts,
)
from refloop.model import FieldChange, FieldSpec, FieldType, Kind, Ref, Verdict

START = datetime(2026, 3, 1, 12, tzinfo=UTC)
LOOKED = START + timedelta(hours=1)
CODE = FieldSpec("ref_code", "Code", FieldType.TEXT, (Kind.CONTACT,))
AT = FieldSpec("ref_at", "At", FieldType.TIME, (Kind.CONTACT,))


def change(before: str | None, after: str | None, field: FieldSpec = CODE) -> FieldChange:
    return FieldChange(Ref("hub", Kind.CONTACT, "1"), field, before, after, "because")


def row(held: str | None, versions: Sequence[tuple[str | None, float]], name: str = "ref_code") -> Row:
    """A record with a history of (value, seconds after the look at which the record was last modified)."""
    history = [Version(value, LOOKED + timedelta(seconds=seconds)) for value, seconds in versions]
    return Row("1", START, LOOKED, {name: held}, history={name: history})


W, M, R = Verdict.WRITTEN, Verdict.MOVED, Verdict.REFUSED
CLEAN, STILL = (W, None, False, ""), (R, "B", False, NOT_THERE)
CASES = [
    # held now, history, before, after, looked -> verdict, found, overwrote, reason
    ("ours, over nothing", "A", [("A", 5)], None, "A", CLEAN),
    ("ours, over what we saw", "A", [("A", 5), ("B", -9)], "B", "A", CLEAN),
    ("ours, over what somebody had emptied long ago", "A", [("A", 5), ("", -9), ("X", -99)], None, "A", CLEAN),
    ("over a person's value", "A", [("A", 5), ("X", 3), ("B", -9)], "B", "A", (W, "X", True, "")),
    ("over a person's value, and nothing before", "A", [("A", 5), ("X", 3)], None, "A", (W, "X", True, "")),
    ("over a field that a person emptied", "A", [("A", 5), ("", 3), ("B", -9)], "B", "A", (W, None, True, "")),
    ("over the last of several", "A", [("A", 5), ("Y", 4), ("X", 3)], None, "A", (W, "Y", True, "")),
    ("a person changed her mind", "A", [("A", 5), ("B", 4), ("X", 3), ("B", -9)], "B", "A", CLEAN),
    ("a person typed the same", "A", [("A", 3), ("B", -9)], "B", "A", CLEAN),
    ("a person typed the same, kept twice", "A", [("A", 5), ("A", 3), ("B", -9)], "B", "A", CLEAN),
    ("emptied by us, over a person's value", None, [("", 5), ("X", 3), ("B", -9)], "B", None, (W, "X", True, "")),
    ("emptied by us", None, [("", 5), ("B", -9)], "B", None, CLEAN),
    ("at the same moment as the last change before", "A", [("A", 0), ("X", 0), ("B", 0)], "B", "A", (W, "X", True, "")),
    ("a clock that is a little behind", "A", [("A", 5), ("X", -1), ("B", -9)], "B", "A", (W, "X", True, "")),
    ("a merge brought what the other record held", "A", [("A", 5), ("L", -60), ("B", -90)], "B", "A", CLEAN),
    ("what was held has no history", "A", [("A", 5)], "B", "A", CLEAN),
    ("only the latest are kept", "A", [("A", 5)] * 20, "B", "A", CLEAN),
    ("somebody wrote after us", "Y", [("Y", 7), ("A", 5), ("B", -9)], "B", "A", CLEAN),
    ("somebody wrote before, and after", "Y", [("Y", 7), ("A", 5), ("X", 3), ("B", -9)], "B", "A", (W, "X", True, "")),
    ("somebody put back what was there", "B", [("B", 7), ("A", 5), ("B", -9)], "B", "A", CLEAN),
    ("it did not arrive", "B", [("B", -9)], "B", "A", STILL),
    ("it did not arrive; we wrote the same long ago", "B", [("B", -9), ("A", -99)], "B", "A", STILL),
    ("it did not arrive, over nothing", None, [], None, "A", (R, None, False, NOT_THERE)),
    ("it did not arrive, and somebody wrote", "X", [("X", 3), ("B", -9)], "B", "A", (M, "X", False, "")),
    ("the history is not shown", "A", [], "B", "A", (W, None, False, UNSEEN)),
    ("the history is behind", "A", [("B", -9)], "B", "A", (W, None, False, UNSEEN)),
    ("the history is behind, a person's value in it", "A", [("X", 3), ("B", -9)], "B", "A", (W, "X", True, "")),
]  # fmt: skip


@pytest.mark.parametrize(
    ("held", "versions", "before", "after", "fate"), [c[1:] for c in CASES], ids=[c[0] for c in CASES]
)
def test_cases(
    held: str | None,
    versions: list[tuple[str | None, float]],
    before: str | None,
    after: str | None,
    fate: tuple[Verdict, str | None, bool, str],
) -> None:
    receipt = receipt_by_history(change(before, after), row(held, versions), LOOKED)
    assert (receipt.verdict, receipt.found, receipt.overwrote, receipt.reason) == fate


def test_where_nobody_looked_all_that_is_under_ours_counts() -> None:
    receipt = receipt_by_history(change("B", "A"), row("A", [("A", 5), ("L", -6000), ("B", -9000)]), None)
    assert (receipt.overwrote, receipt.found) == (True, "L")


@pytest.mark.parametrize("now", ["B", "Y"])
def test_what_had_arrived_when_it_was_read_has_arrived(now: str) -> None:
    """Somebody writes between the read that showed our value and the look at its history."""
    receipt = receipt_by_history(change("B", "A"), row(now, [(now, 9), ("A", 5), ("X", 3), ("B", -9)]), None)
    assert (receipt.verdict, receipt.overwrote, receipt.found) == (W, True, "X")


def test_values_are_compared_in_their_one_form() -> None:
    """A time that HubSpot keeps as milliseconds and shows in ISO is the same time."""
    versions = [("2026-03-02T00:00:00.000Z", 5.0), ("1767225600000", -9.0)]
    clean = receipt_by_history(
        change("2026-01-01T00:00:00Z", "2026-03-02T00:00:00Z", AT), row("1772409600000", versions, "ref_at"), LOOKED
    )
    assert (clean.verdict, clean.overwrote) == (W, False)
    other = receipt_by_history(
        change(None, "2026-03-02T00:00:00Z", AT),
        row("1772409600000", [versions[0], ("1767225600000", 3)], "ref_at"),
        LOOKED,
    )
    assert (other.overwrote, other.found) == (True, "2026-01-01T00:00:00Z")


def test_what_was_passed_over_in_silence_and_did_not_arrive() -> None:
    receipt = receipt_by_history(change("B", "A"), row("B", [("B", -9)]), LOOKED, (Verdict.DEFERRED, "said nothing"))
    assert (receipt.verdict, receipt.reason) == (Verdict.DEFERRED, "said nothing")


def test_a_record_that_is_gone_or_cannot_be_read() -> None:
    """What HubSpot said it wrote stays written; what it did not speak of is gone, or unknown."""
    sent = {
        "1": Sent([(0, change(None, "A"))], LOOKED),
        "2": Sent([(1, change(None, "A"))], LOOKED, (Verdict.DEFERRED, "said nothing")),
    }
    gone = receipts_by_history(sent, {})
    assert [(gone[place].verdict, gone[place].reason) for place in (0, 1)] == [
        (Verdict.WRITTEN, LEFT),
        (Verdict.REFUSED, "record is gone: deleted, or merged into another"),
    ]
    lost = unread_receipts(sent, "no answer")
    assert [lost[place].verdict for place in (0, 1)] == [Verdict.WRITTEN, Verdict.UNKNOWN]
    assert all("no answer" in receipt.reason for receipt in lost.values())


VALUES = st.sampled_from(["A", "B", "X", "Y", ""])


class Property:
    """A property as HubSpot keeps it: the newest values first, no two alike in a row unless told to."""

    def __init__(self, keeps_twins: bool, most: int) -> None:
        self.versions: list[tuple[str | None, float]] = []
        self._twins = keeps_twins
        self._most = most

    def write(self, value: str, at: float) -> None:
        if self._twins or value != self.value:
            self.versions = [(value, at), *self.versions][: self._most]

    @property
    def value(self) -> str:
        return (self.versions[0][0] if self.versions else "") or ""


@given(
    old=st.lists(VALUES, max_size=4),
    gap=st.lists(VALUES, max_size=3),
    later=st.lists(VALUES, max_size=2),
    after=st.sampled_from(["A", "B", ""]),
    arrives=st.booleans(),
    twins=st.booleans(),
    most=st.sampled_from([2, 20]),
)
def test_nothing_is_overwritten_unseen(
    old: list[str], gap: list[str], later: list[str], after: str, arrives: bool, twins: bool, most: int
) -> None:
    kept = Property(twins, max(most, len(later) + 2))
    for place, value in enumerate(old):
        kept.write(value, place - 1000.0)
    before = kept.value
    if before == after:
        return  # nothing is sent
    for place, value in enumerate(gap):
        kept.write(value, place + 1.0)
    stood = kept.value
    if arrives:
        kept.write(after, 10.0)
        for place, value in enumerate(later):
            kept.write(value, place + 11.0)
    receipt = receipt_by_history(change(before or None, after or None), row(kept.value, kept.versions), LOOKED)
    if arrives and stood not in (before, after):
        assert (receipt.verdict, receipt.overwrote) == (W, True)
        assert receipt.found == (stood or None) or after in (*gap, *later)
    elif receipt.overwrote:
        # somebody typed the very value of ours over something else: told all the same, nobody can tell the two apart
        assert after in gap or (arrives and after in later)
    if arrives or kept.value == after:
        assert receipt.verdict is W
    elif after not in gap:
        assert receipt.verdict is (R if kept.value == before else M)
