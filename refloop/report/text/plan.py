"""A plan: what would be written, and what would be left alone."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import TypeVar

from rich.console import Console

from refloop.ledger.reads.conflicts import FoundConflict
from refloop.mapping.changes import RecordPlan
from refloop.model import Ref
from refloop.report.grid import numbers, whole
from refloop.report.lines import Line, one_line, say
from refloop.report.plan_summary import PlanTally
from refloop.report.text.table import table

Names = Callable[[Sequence[Ref]], Mapping[Ref, str]]
"""What people call those records, where they have a name."""

_T = TypeVar("_T")
_AT_ONCE = 500
_SUMMARY = (*whole("connection", "kind", "what"), *numbers("fields"), *whole("by_field"))


def plan_words(tally: PlanTally) -> str:
    """A plan in a line."""
    if not (tally.changes or tally.conflicts or tally.held_back):
        return "nothing to change"
    held_back = f", {tally.held_back:,} held back (see `refloop status`)" if tally.held_back else ""
    return f"{tally.changes:,} changes to {tally.records:,} records, {tally.conflicts:,} conflicts{held_back}"


def print_plan_summary(console: Console, tally: PlanTally) -> None:
    """Prints how much a plan changes, and what in which field."""
    say(console, plan_words(tally), "bold")
    rows = (
        (connection, kind, fate, sum(fields.values()), [f"{name} {count:,}" for name, count in fields.items()])
        for (connection, kind, fate), fields in tally.by_field()
    )
    if table(console, _SUMMARY, rows):
        say(console, "")


def print_changes(console: Console, plans: Iterable[RecordPlan], names: Names) -> None:
    """Prints changes as a diff, record by record, with the reasons."""
    for line in change_lines(plans, names):
        say(console, line.text, line.style)


def change_lines(plans: Iterable[RecordPlan], names: Names) -> Iterator[Line]:
    """The lines of that diff."""
    for some in _batches(plan for plan in plans if plan.changes):
        called = names([plan.ref for plan in some])
        for plan in some:
            yield Line(_named(plan.ref, called), "bold")
            yield from _lines_of(plan)


def _lines_of(plan: RecordPlan) -> Iterator[Line]:
    for change in plan.changes:
        if change.before is not None:
            yield Line(f"  - {change.field.name}: {one_line(change.before)}", "red")
        if change.after is not None:
            yield Line(f"  + {change.field.name}: {one_line(change.after)}", "green")
    values = {change.after for change in plan.changes}
    for why in dict.fromkeys(change.why for change in plan.changes if change.why not in values):
        yield Line(f"    because: {one_line(why)}", "dim")


def print_conflicts(console: Console, found: Iterable[FoundConflict], names: Names) -> None:
    """Prints fields in which a person wrote something else."""
    for number, some in enumerate(_batches(found)):
        if not number:
            say(console, "conflicts", "bold")
        called = names([one.conflict.ref for one in some])
        for one in some:
            conflict = one.conflict
            say(console, f"{_named(conflict.ref, called)}  {conflict.field}", "yellow")
            say(console, f"    a person wrote {conflict.found!r}; refloop wants {conflict.want!r} and leaves it alone")


def _named(ref: Ref, called: Mapping[Ref, str]) -> str:
    return f"{ref}  {one_line(called[ref])}" if ref in called else str(ref)


def _batches(values: Iterable[_T]) -> Iterator[list[_T]]:
    rest = iter(values)
    while some := list(islice(rest, _AT_ONCE)):
        yield some
