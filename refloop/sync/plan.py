"""The plan: the changes that would bring the CRMs to what the ledger says. Pure, and a value.

Three values decide about each field that is ours: what we last *wrote*, what is *found* now, what we *want*.
Found is wanted: nothing to do. Found is empty, or what we wrote: a change. Otherwise a person wrote there:
a conflict, shown and never overwritten.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from refloop.mapping.codes import code_key
from refloop.mapping.fields import Want
from refloop.model import Change, FieldSpec, Record, Ref

PARKED_AFTER = 3
"""How often in a row a CRM may refuse a change before it waits until the record or the wish changes."""


@dataclass(frozen=True, slots=True)
class Clash:
    """A field in which a person wrote something else than we want."""

    field: FieldSpec
    wrote: str | None
    found: str | None
    want: Want


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
    changes: tuple[Change, ...] = ()
    clashes: tuple[Clash, ...] = ()
    parked: tuple[Change, ...] = ()


def plan_record(
    record: Record, wants: Mapping[str, Want], known: Known, specs: Mapping[str, FieldSpec], code_field: str
) -> RecordPlan:
    """Compares a record's fields with what is wanted there. A deleted record needs nothing.

    `code_field` is the field that people type codes into: spelling does not matter there.
    """
    if record.deleted:
        return RecordPlan(record.ref)
    changes: list[Change] = []
    clashes: list[Clash] = []
    parked: list[Change] = []
    for name, want in wants.items():
        spec, found, wrote = specs[name], record.found.get(name), known.wrote.get(name)
        if found == want.value or (name == code_field and _same_code(found, want.value)):
            continue
        if name in known.undone and known.undone[name] == want.value:
            continue  # a person undid just this; another wish may be written again
        if found is None or found == wrote:
            change = Change(record.ref, spec, found, want.value, want.why)
            (parked if _is_parked(change, known) else changes).append(change)
        elif want.value is not None:
            clashes.append(Clash(spec, wrote, found, want))
    return RecordPlan(record.ref, tuple(changes), tuple(clashes), tuple(parked))


def _same_code(found: str | None, want: str | None) -> bool:
    return found is not None and want is not None and code_key(found) == code_key(want)


def _is_parked(change: Change, known: Known) -> bool:
    before, after, times = known.refused.get(change.field.name, (None, None, 0))
    return times >= PARKED_AFTER and (before, after) == (change.before, change.after)
