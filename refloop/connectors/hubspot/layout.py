"""Which properties of an account's own are read beside the usual ones: when a stage was entered, and lists with codes.

HubSpot keeps for each stage a property that says when a record entered it last: `hs_v2_date_entered_<stage>`; stages
whose id is no name get another ending. Those of the lifecycle stages that it ships have an older one besides,
`hs_lifecyclestage_<stage>_date` (HubSpot docs, default properties). Pure.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from refloop.connectors.hubspot.fields import Property
from refloop.connectors.hubspot.names import OBJECTS
from refloop.connectors.hubspot.settings import CodeFields
from refloop.model import Kind, Outcome

LIFECYCLE_STAGES = frozenset(
    {
        "subscriber",
        "lead",
        "marketingqualifiedlead",
        "salesqualifiedlead",
        "opportunity",
        "customer",
        "evangelist",
        "other",
    }
)
LEAD_STATUSES = frozenset(
    {
        "NEW",
        "OPEN",
        "IN_PROGRESS",
        "OPEN_DEAL",
        "UNQUALIFIED",
        "ATTEMPTED_TO_CONTACT",
        "CONNECTED",
        "BAD_TIMING",
    }
)
"""Those that every account begins with (HubSpot docs, default properties)."""
SHIPPED = LIFECYCLE_STAGES | LEAD_STATUSES

_ENTERED = "hs_v2_date_entered_"
_MOST_STAGES = 60
"""Of a kind. Their names travel in the address of a list call."""
_NO_NAME = re.compile(r"[^a-z0-9_]")


@dataclass(frozen=True, slots=True)
class Stage:
    """A stage of a deal pipeline, and the label of that one. `outcome` is None when the account does not say whether it
    closes a deal."""

    label: str
    outcome: Outcome | None
    pipeline: str = ""


Stages = Mapping[tuple[str, str], Stage]
"""By the ids of pipeline and stage."""


Defined = Callable[[Kind], Mapping[str, Property]]
"""The properties that an account has, by name; none where the token may not see them."""


@dataclass(frozen=True, slots=True)
class Layout:
    """`entered`: by kind and stage id, the property that says when the stage was entered (of deals, of stages that end
    them). `choices`: by kind, the fields with codes that are lists to choose from."""

    entered: Mapping[Kind, Mapping[str, str]] = field(default_factory=dict)
    choices: Mapping[Kind, tuple[str, ...]] = field(default_factory=dict)

    def text(self) -> list[Any]:
        """As JSON; `read_layout` reads it."""
        return [
            {
                kind.value: {stage: "" if name == _ENTERED + stage else name for stage, name in names.items()}
                for kind, names in self.entered.items()
            },
            {kind.value: list(names) for kind, names in self.choices.items()},
        ]


def read_layout(told: Any) -> Layout | None:
    """Reads what `Layout.text` gave. Raises ValueError or TypeError for anything else."""
    if told is None:
        return None
    entered, choices = told
    return Layout(
        {
            Kind(kind): {stage: _name(name) or _ENTERED + stage for stage, name in names.items()}
            for kind, names in entered.items()
        },
        {Kind(kind): tuple(map(_name, names)) for kind, names in choices.items()},
    )


def _name(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError("not a name")
    return value


def layout_of(defined: Defined, stages: Stages, code_fields: CodeFields) -> Layout:
    """What an account's properties and deal stages ask for; asks for the properties of each kind."""
    lifecycle = defined(Kind.CONTACT).get("lifecyclestage")
    closing = [name for (_, name), stage in stages.items() if stage.outcome in (Outcome.WON, Outcome.LOST)]
    ids = {Kind.CONTACT: lifecycle.values if lifecycle else LIFECYCLE_STAGES, Kind.DEAL: closing}
    entered = {kind: _entered(ids[kind], defined(kind)) for kind in OBJECTS}
    named = {Kind.CONTACT: code_fields.contact, Kind.DEAL: code_fields.deal}
    return Layout(entered, {kind: _choices(named[kind], defined(kind)) for kind in OBJECTS})


def _entered(stages: Iterable[str], there: Mapping[str, Property]) -> dict[str, str]:
    longer: dict[str, str] = {}
    for name in there:
        longer.setdefault(name.rpartition("_")[0], name)
    found = ((stage, _date_of(stage, there, longer)) for stage in dict.fromkeys(sorted(stages)))
    return dict([(stage, name) for stage, name in found if name][:_MOST_STAGES])


def _date_of(stage: str, there: Collection[str], longer: Mapping[str, str]) -> str | None:
    plain = _ENTERED + _NO_NAME.sub("_", stage.lower())
    names = (plain, f"hs_lifecyclestage_{stage}_date")
    if not there:
        return plain
    return next((name for name in names if name in there), None) or longer.get(plain)


def _choices(names: Iterable[str], there: Mapping[str, Property]) -> tuple[str, ...]:
    return tuple(name for name in names if name in there and there[name].type == "enumeration" and there[name].options)
