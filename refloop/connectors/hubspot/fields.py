"""Our fields as HubSpot properties: their definitions, those that the account has, and what is wrong with them.

HubSpot docs, CRM properties API: internal name and object type never change; `date` and `datetime` are both
shown by the field type `date`; an enumeration brings its options.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import Any

from refloop.connectors.hubspot.answers import nonsense
from refloop.connectors.hubspot.client import Client
from refloop.connectors.hubspot.errors import Forbidden
from refloop.connectors.hubspot.names import OBJECTS
from refloop.errors import ConfigError
from refloop.model import Described, FieldChange, FieldLabel, FieldSpec, FieldType, Kind

_TYPES: Mapping[FieldType, tuple[str, str]] = {
    FieldType.TEXT: ("string", "text"),
    FieldType.CHOICE: ("enumeration", "select"),
    FieldType.NUMBER: ("number", "number"),
    FieldType.MONEY: ("number", "number"),
    FieldType.TIME: ("datetime", "date"),
}
"""(type, fieldType) of each of our types."""


MARK = "Managed by refloop."
"""Ends the description of each property that we create, so that it can be told from a person's own."""


_GROUP = "referral_attribution"


@dataclass(frozen=True, slots=True)
class Property:
    """A property as the account defines it."""

    name: str
    type: str
    read_only: bool
    options: tuple[Mapping[str, Any], ...] = ()
    group: str = ""
    description: str = ""
    label: str = ""

    @property
    def values(self) -> frozenset[str]:
        return frozenset(str(option.get("value")) for option in self.options)

    @property
    def labels(self) -> Mapping[str, str]:
        """What people read, by the value that is kept."""
        return {str(option.get("value")): str(option.get("label") or option.get("value")) for option in self.options}


def read_property(entry: Mapping[str, Any], what: str) -> Property:
    """Raises CrmUnavailable when it has no name or type."""
    name, kind = entry.get("name"), entry.get("type")
    if not isinstance(name, str) or not isinstance(kind, str):
        raise nonsense(what, "a property has no name or no type")
    rules = entry.get("modificationMetadata")
    read_only = entry.get("calculated") is True or (isinstance(rules, dict) and rules.get("readOnlyValue") is True)
    options = entry.get("options")
    return Property(
        name,
        kind,
        read_only,
        tuple(options) if isinstance(options, list) else (),
        str(entry.get("groupName") or ""),
        str(entry.get("description") or ""),
        str(entry.get("label") or ""),
    )


def group_name(fields: Sequence[FieldSpec]) -> str:
    """The property group of our fields, named by what their names begin with: `ref_referral_attribution`."""
    words = [field.name.split("_")[:-1] for field in fields]
    shared = takewhile(lambda column: len(set(column)) == 1, zip(*words, strict=False))
    return "_".join([*(column[0] for column in shared), _GROUP])


def group(name: str) -> dict[str, Any]:
    return {"name": name, "label": "Referral attribution", "displayOrder": -1}


def definition(field: FieldSpec, group_name: str) -> dict[str, Any]:
    kind, shown_as = _TYPES[field.type]
    plain = {
        "name": field.name,
        "label": field.label,
        "type": kind,
        "fieldType": shown_as,
        "groupName": group_name,
        "description": f"{field.description} {MARK}".lstrip(),
        "formField": False,
    }
    return plain | ({"options": options(field)} if field.type is FieldType.CHOICE else {})


def is_ours(there: Property) -> bool:
    """Whether provisioning made it: it bears our mark, and lies where we put it."""
    return there.group.endswith(_GROUP) and there.description.endswith(MARK)


def options(field: FieldSpec) -> list[dict[str, Any]]:
    return [
        {"value": value, "label": label, "displayOrder": place, "hidden": False}
        for place, (value, label) in enumerate(field.choices)
    ]


def more_options(field: FieldSpec, there: Property) -> list[dict[str, Any]]:
    """All options that the property should have: those it has, then those of ours that are missing."""
    return [*map(dict, there.options), *(one for one in options(field) if one["value"] not in there.values)]


def missing_options(field: FieldSpec, there: Property) -> list[str]:
    if field.type is not FieldType.CHOICE:
        return []
    return [value for value, _label in field.choices if value not in there.values]


_SAID = {
    "hs_analytics_first_url": "on the first page they saw",
    "hs_analytics_last_url": "on the last page they saw",
    "hs_analytics_first_referrer": "on the page that first led here",
    "hs_analytics_last_referrer": "on the page that last led here",
}
"""How a sentence names HubSpot's own properties of where a person came from (HubSpot docs, default properties)."""


_PROVISION = "Run `refloop provision`."
_RENAME = "Delete or rename that property in HubSpot, or choose another `fields.prefix`; then provision."


def faults(field: FieldSpec, there: Property | None) -> Iterator[tuple[str, str]]:
    """What keeps our field from being written, and what to do about it. `there`: the property of its name, if any."""
    if there is None:
        yield "the property does not exist", _PROVISION
        return
    for wrong in misfits(field, there):
        yield f"the property {wrong}", _RENAME
    lacking = missing_options(field, there)
    if lacking and there.type == "enumeration":
        yield f"the property lacks the options {', '.join(lacking)}", _PROVISION


def misfits(field: FieldSpec, there: Property) -> Iterator[str]:
    """What keeps an existing property from being our field, in words. No option that is missing: those can be added."""
    wanted, _shown_as = _TYPES[field.type]
    if there.type != wanted:
        yield f"has the type {there.type}, refloop needs {wanted}"
    if there.read_only:
        yield "is read-only for integrations"


def defined(client: Client, kind: Kind) -> dict[str, Property]:
    """The properties that the account has, by name."""
    what = f"the properties of {OBJECTS[kind]}"
    properties = (read_property(entry, what) for entry in client.properties(kind))
    return {one.name: one for one in properties}


def place(connection: str, kind: Kind, name: str) -> str:
    """Where a finding is: `hubspot: contacts.ref_code`."""
    return f"{connection}: {OBJECTS[kind]}.{name}"


class Schema:
    """The properties of one account, read once: what is lost later shows in the receipts of single changes."""

    def __init__(self, client: Client, connection: str) -> None:
        self._client = client
        self._connection = connection
        self._known: dict[Kind, Mapping[str, Property] | None] = {}

    def refuse_unfit(self, changes: Iterable[FieldChange]) -> None:
        """Raises ConfigError, naming each property that changes are to be written to and cannot."""
        wanted: dict[Kind, dict[str, FieldSpec]] = {}
        for change in changes:
            wanted.setdefault(change.ref.kind, {})[change.field.name] = change.field
        found = [
            (place(self._connection, kind, field.name), wrong, remedy)
            for kind in OBJECTS
            for field in wanted.get(kind, {}).values()
            if (there := self._defined(kind)) is not None
            for wrong, remedy in faults(field, there.get(field.name))
        ]
        if found:
            named = "; ".join(f"{where}: {wrong}" for where, wrong, _ in found)
            raise ConfigError(f"{named}; nothing was written", remedy=" ".join(dict.fromkeys(one for *_, one in found)))

    def properties(self, kind: Kind) -> Mapping[str, Property]:
        """By name; none where the token may not see them."""
        return self._defined(kind) or {}

    def described(self, fields: Sequence[FieldSpec], others: Mapping[Kind, Sequence[str]]) -> Described:
        """What the account calls our fields and `others`, and which of ours it lacks."""
        labels: list[FieldLabel] = []
        lacking: set[tuple[Kind, str]] = set()
        for kind in OBJECTS:
            if (there := self._defined(kind)) is None:
                continue
            ours = [field.name for field in fields if kind in field.kinds]
            named = [name for name in (*ours, *others.get(kind, ())) if name in there]
            labels += (FieldLabel(kind, name, there[name].label, _SAID.get(name, "")) for name in named)
            lacking |= {(kind, name) for name in ours if name not in there}
        return Described("HubSpot", tuple(labels), frozenset(lacking))

    def forget(self) -> None:
        """They are asked for again where they are needed."""
        self._known.clear()

    def _defined(self, kind: Kind) -> Mapping[str, Property] | None:
        """None where the token may not see them: then each write tells."""
        if kind not in self._known:
            try:
                self._known[kind] = defined(self._client, kind)
            except Forbidden:
                self._known[kind] = None
        return self._known[kind]
