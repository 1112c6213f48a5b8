"""Association types: which objects can be associated, and under which labels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from refloop_sandbox.hubspot.errors import Refusal, bad_request, error_body
from refloop_sandbox.hubspot.schema import OBJECTS, ObjectType

PRIMARY = "Primary"
_NAMES = {kind.number: kind.singular for kind in OBJECTS}


class Label(NamedTuple):
    """One association type in one direction; `back` is the id of the same edge seen from the other end."""

    id: int
    back: int
    label: str | None
    category: str
    name: str

    def shown(self) -> dict[str, Any]:
        return {"category": self.category, "typeId": self.id, "label": self.label}


_STANDARD = (
    (1, 2, 279, 280, None),
    (1, 2, 1, 2, PRIMARY),
    (3, 1, 3, 4, None),
    (3, 2, 341, 342, None),
    (3, 2, 5, 6, PRIMARY),
    (136, 1, 608, 609, None),
    (136, 1, 578, 579, PRIMARY),
    (136, 2, 610, 611, None),
    (136, 3, 582, 583, None),
    (1, 1, 449, 449, None),
    (2, 2, 450, 450, None),
    (3, 3, 451, 451, None),
    (5, 1, 16, 15, None),
    (5, 2, 339, 340, None),
    (5, 2, 26, 25, PRIMARY),
    (5, 3, 28, 27, None),
)
"""HubSpot associations guide, "association type ID values": from, to, type id, type id back, label."""


class Labels:
    """The association types of the account, by direction."""

    def __init__(self) -> None:
        self._of: dict[tuple[int, int], dict[int, Label]] = {}
        self._next_id = 35
        for source, target, forth, back, label in _STANDARD:
            self._add((source, target), (forth, back), (label, label), "HUBSPOT_DEFINED")

    def kept(self) -> dict[str, Any]:
        """All types as JSON has them."""
        return {"next_id": self._next_id, "of": [[*ends, list(of.values())] for ends, of in self._of.items()]}

    def reopen(self, kept: Mapping[str, Any]) -> None:
        """Puts the types that were kept in the place of these."""
        self._next_id = kept["next_id"]
        self._of = {(source, target): {one[0]: Label(*one) for one in of} for source, target, of in kept["of"]}

    def between(self, kind: ObjectType, to_kind: ObjectType) -> Sequence[Label]:
        return tuple(self._of.get((kind.number, to_kind.number), {}).values())

    def find(self, kind: ObjectType, to_kind: ObjectType, type_id: int) -> Label:
        """Raises Refusal (400) for a type that does not go that way."""
        found = self._of.get((kind.number, to_kind.number), {}).get(type_id)
        if found is None:
            raise bad_request(
                f"{type_id} is not a valid association type between {kind.name} and {to_kind.name}",
                subCategory="crm.associations.INVALID_ASSOCIATION_TYPE",
            )
        return found

    def target(self, kind: ObjectType, type_id: int) -> ObjectType:
        """Where a type leads to. Raises Refusal (400) for a type that no association of the object has."""
        for other in OBJECTS:
            if type_id in self._of.get((kind.number, other.number), {}):
                return other
        raise bad_request(f"One or more associations are invalid: {kind.name} have no type {type_id}")

    def default(self, kind: ObjectType, to_kind: ObjectType) -> Label:
        """The unlabelled type."""
        for found in self.between(kind, to_kind):
            if found.label is None:
                return found
        raise bad_request(f"No default association type between {kind.name} and {to_kind.name}")

    def primary(self, kind: ObjectType, to_kind: ObjectType) -> Label | None:
        return next((found for found in self.between(kind, to_kind) if found.label == PRIMARY), None)

    def define(self, kind: ObjectType, to_kind: ObjectType, label: str, inverse: str | None) -> list[Label]:
        """Adds a label of the user's. Raises Refusal (409) when there is one of that name."""
        if any(found.label == label for found in self.between(kind, to_kind)):
            raise Refusal(409, error_body(f"An association label '{label}' already exists.", "CONFLICT"))
        forth, back = self._next_id + 1, self._next_id + 2
        self._next_id += 2
        same = kind is to_kind and inverse is None
        ids = (forth, forth) if same else (forth, back)
        self._add((kind.number, to_kind.number), ids, (label, inverse or label), "USER_DEFINED")
        return [found for found in self.between(kind, to_kind) if found.id in ids]

    def _add(
        self, ends: tuple[int, int], ids: tuple[int, int], labels: tuple[str | None, str | None], category: str
    ) -> None:
        turned = ((ends, ids, labels[0]), (ends[::-1], ids[::-1], labels[1]))
        for (source, target), (forth, back), label in turned:
            name = _type_name(source, target, label)
            self._of.setdefault((source, target), {})[forth] = Label(forth, back, label, category, name)


def _type_name(source: int, target: int, label: str | None) -> str:
    """The v3 name: `deal_to_contact`; where there is a primary one, the plain one is `..._unlabeled`."""
    base = f"{_NAMES[source]}_to_{_NAMES[target]}"
    if label == PRIMARY:
        return base
    if label is None:
        primaries = {ends for one in _STANDARD if one[4] for ends in ((one[0], one[1]), (one[1], one[0]))}
        return f"{base}_unlabeled" if (source, target) in primaries else base
    return label.lower().replace(" ", "_")
