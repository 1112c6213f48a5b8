"""The three-way comparison, and which records are planned."""

from __future__ import annotations

from itertools import product

import pytest

from refloop.mapping.changes import Known, RecordPlan, plan_record
from refloop.mapping.fields import Desired
from refloop.mapping.policy import PlanRules
from refloop.model import Conflict, FieldChange, Kind, Record, Ref, Verdict, parse_time
from refloop.sync.plan import Planner
from refloop.testing import Draft
from tests.sync.loop import Loop

DAY = parse_time("2026-03-01")
LEAD = Ref("crm", Kind.LEAD, "1")
RULES = PlanRules()
SPECS = RULES.specs
PARKED_AFTER = RULES.parked_after
VALUES = (None, "a", "b")


def plan(
    found: str | None, want: str | None, known: Known, *, name: str = "ref_why", deleted: bool = False
) -> RecordPlan:
    record = Record(LEAD, DAY, DAY, found={name: found} if found else {}, deleted=deleted)
    return plan_record(record, {name: Desired(want, "because")}, known, RULES)


def outcome(made: RecordPlan) -> str:
    assert made.ref == LEAD
    parts = {"change": made.changes, "conflict": made.conflicts, "parked": made.parked}
    said = [name for name, items in parts.items() if items]
    assert len(said) <= 1
    return said[0] if said else "nothing"


def expected(wrote: str | None, found: str | None, want: str | None) -> str:
    """Rule 1, as a person would read it out."""
    if found == want:
        return "nothing"
    if found is None or found == wrote:
        return "change"
    return "nothing" if want is None else "conflict"


@pytest.mark.parametrize(("wrote", "found", "want"), list(product(VALUES, repeat=3)))
def test_wrote_found_and_want(wrote: str | None, found: str | None, want: str | None) -> None:
    made = plan(found, want, Known({"ref_why": wrote}))
    assert outcome(made) == expected(wrote, found, want)
    for change in made.changes:
        assert change == FieldChange(LEAD, SPECS["ref_why"], found, want, "because")
    for conflict in made.conflicts:
        assert conflict == Conflict(LEAD, "ref_why", wrote, found, want, "because")


@pytest.mark.parametrize(("found", "want"), list(product(VALUES, repeat=2)))
def test_where_we_never_wrote_a_person_did(found: str | None, want: str | None) -> None:
    assert outcome(plan(found, want, Known())) == expected(None, found, want)


@pytest.mark.parametrize(
    ("found", "want", "name", "said"),
    [
        ("anna 7k2q", "ANNA-7K2Q", "ref_code", "nothing"),
        ("ANNA7K2Q", "ANNA-7K2Q", "ref_code", "nothing"),
        ("ANNA-7K2X", "ANNA-7K2Q", "ref_code", "conflict"),
        ("anna 7k2q", None, "ref_code", "nothing"),
        ("---", "ANNA-7K2Q", "ref_code", "conflict"),
        ("anna", "ANNA", "ref_referrer", "conflict"),
    ],
)
def test_spelling_does_not_matter_in_the_code_field_alone(found: str, want: str | None, name: str, said: str) -> None:
    assert outcome(plan(found, want, Known(), name=name)) == said


def test_a_deleted_record_needs_nothing() -> None:
    assert plan("a", "b", Known({"ref_why": "a"}), deleted=True) == RecordPlan(LEAD)


@pytest.mark.parametrize(
    ("refused", "said"),
    [
        ((None, "b", PARKED_AFTER - 1), "change"),
        ((None, "b", PARKED_AFTER), "parked"),
        ((None, "b", PARKED_AFTER + 5), "parked"),
        ((None, "other wish", PARKED_AFTER), "change"),
        (("other before", "b", PARKED_AFTER), "change"),
    ],
)
def test_what_is_refused_again_and_again_is_parked(refused: tuple[str | None, str | None, int], said: str) -> None:
    assert outcome(plan(None, "b", Known({}, {"ref_why": refused}))) == said


@pytest.mark.parametrize(("undone", "said"), [("b", "nothing"), ("c", "change"), (None, "change")])
def test_what_a_person_undid_is_not_written_again(undone: str | None, said: str) -> None:
    assert outcome(plan(None, "b", Known(undone={"ref_why": undone}))) == said


# the planner


def test_plans_come_in_the_order_of_names_and_planning_writes_nothing(loop: Loop) -> None:
    loop.code("ANNA-7K2Q", "anna")
    for name in ("sales", "marketing"):
        for number in range(7):
            loop.crms[name].create(Kind.LEAD, Draft(email=f"{name}{number}@buyer.io", code="ANNA-7K2Q"))
    loop.sync(push=False)
    position = loop.ledger.position()
    planner = Planner(loop.context())
    made = [item.ref for item in planner.plans()]
    assert made == sorted(made)
    assert len(made) == 14
    assert [ref for ref in made if ref.connection == "sales"] == [item.ref for item in planner.plans("sales")]
    assert [item.ref for item in planner.plans()] == made
    assert loop.ledger.position() == position
    assert planner.plan([Ref("sales", Kind.LEAD, "never seen")]) == [RecordPlan(Ref("sales", Kind.LEAD, "never seen"))]


def test_a_parked_change_is_tried_again_when_the_record_changes(loop: Loop) -> None:
    sales = loop.crms["sales"]
    loop.code("ANNA-7K2Q", "anna")
    lead = sales.create(Kind.LEAD, Draft(email="a@buyer.io", code="ANNA-7K2Q"))
    sales.poison(lead)
    for _ in range(PARKED_AFTER):
        assert loop.sync().counts["sales"]["refused"] == 6
    for parked in (6, 0):  # said once, then it waits
        counts = loop.sync().counts["sales"]
        assert (counts["refused"], counts["parked"]) == (0, parked)
    sales.edit(lead, "anna 7k2q")
    assert loop.sync().counts["sales"][Verdict.REFUSED] == 6
