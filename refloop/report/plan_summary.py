"""How much a plan changes, by kind of record and field: counted in one pass, while the plan is shown."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal

from refloop.mapping.changes import RecordPlan
from refloop.model import FieldChange, Kind, Ref


class Fate(StrEnum):
    """What a plan does about a field."""

    FILLED = "filled"  # it was empty
    CHANGED = "changed"
    CLEARED = "cleared"
    CONFLICT = "conflict"  # a person wrote something else, and it is left alone
    HELD_BACK = "held back"  # the CRM refused it so often that it is not asked again


_ORDER = tuple(Fate)


@dataclass
class PlanTally:
    """The counts of a plan, as far as it went by."""

    records: int = 0
    changes: int = 0
    conflicts: int = 0
    held_back: int = 0
    _fields: dict[tuple[str, Kind, Fate], Counter[str]] = field(default_factory=dict)

    def passing(self, plans: Iterable[RecordPlan]) -> Iterator[RecordPlan]:
        """The plans as they come, their changes counted. What they leave alone is not: most of that stands already, and
        is in no plan (`leaves`)."""
        for plan in plans:
            self.records += bool(plan.changes)
            self.changes += len(plan.changes)
            for change in plan.changes:
                self._count(change.ref, fate_of(change), change.field.name)
            yield plan

    def leaves(self, ref: Ref, name: str, fate: Literal[Fate.CONFLICT, Fate.HELD_BACK]) -> None:
        """Counts a field that is left alone."""
        if fate is Fate.CONFLICT:
            self.conflicts += 1
        else:
            self.held_back += 1
        self._count(ref, fate, name)

    def by_field(self) -> list[tuple[tuple[str, Kind, Fate], Mapping[str, int]]]:
        """How often each field of each kind of record meets which fate, by connection, kind and fate."""
        return sorted(self._fields.items(), key=lambda one: (*one[0][:2], _ORDER.index(one[0][2])))

    def _count(self, ref: Ref, fate: Fate, name: str) -> None:
        self._fields.setdefault((ref.connection, ref.kind, fate), Counter())[name] += 1


def fate_of(change: FieldChange) -> Fate:
    """What a change does to its field."""
    if change.after is None:
        return Fate.CLEARED
    return Fate.FILLED if change.before is None else Fate.CHANGED
