"""The changes that would bring a record to what the ledger says. Pure, and a value.

Three values decide about each field that is ours: what we last *wrote*, what is *found* now, what we *want*.
Found is wanted: nothing to do. Found is empty, or what we wrote: a change. Otherwise a person wrote there:
a conflict, shown and never overwritten.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from refloop.mapping.codes import code_key
from refloop.mapping.fields import Desired
from refloop.mapping.policy import PlanRules
from refloop.model import Conflict, FieldChange, Record, Ref


@dataclass(frozen=True, slots=True)
class Known:
    """What the ledger knows of a record's fields, by name: what we last wrote, (before, after, how often) of
    refusals, and the values that a person undid."""

    wrote: Mapping[str, str | None] = field(default_factory=dict)
    refused: Mapping[str, tuple[str | None, str | None, int]] = field(default_factory=dict)
    undone: Mapping[str, str | None] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RecordPlan:
    """What is to be done about one record. `parked` changes were refused too often to be tried again."""

    ref: Ref
    changes: tuple[FieldChange, ...] = ()
    conflicts: tuple[Conflict, ...] = ()
    parked: tuple[FieldChange, ...] = ()


def plan_record(record: Record, desired: Mapping[str, Desired], known: Known, rules: PlanRules) -> RecordPlan:
    """Compares a record's fields with what is desired there. A deleted record needs nothing.

    In the field that people type codes into, spelling does not matter.
    """
    if record.deleted:
        return RecordPlan(record.ref)
    code_field = rules.names("code")
    changes: list[FieldChange] = []
    conflicts: list[Conflict] = []
    parked: list[FieldChange] = []
    for name, want in desired.items():
        found, wrote = record.found.get(name), known.wrote.get(name)
        if found == want.value or (name == code_field and _same_code(found, want.value)):
            continue
        if name in known.undone and known.undone[name] == want.value:
            continue  # a person undid just this; another wish may be written again
        if found is None or found == wrote:
            change = FieldChange(record.ref, rules.specs[name], found, want.value, want.why)
            (parked if is_parked(change, known, rules) else changes).append(change)
        elif want.value is not None:
            conflicts.append(Conflict(record.ref, name, wrote, found, want.value, want.why))
    return RecordPlan(record.ref, tuple(changes), tuple(conflicts), tuple(parked))


def _same_code(found: str | None, want: str | None) -> bool:
    return found is not None and want is not None and code_key(found) == code_key(want)


def is_parked(change: FieldChange, known: Known, rules: PlanRules) -> bool:
    """Whether a CRM refused just this change so often in a row that it is not asked again for now."""
    before, after, times = known.refused.get(change.field.name, (None, None, 0))
    return times >= rules.parked_after and (before, after) == (change.before, change.after)
