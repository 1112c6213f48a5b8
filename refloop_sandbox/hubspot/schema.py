"""Objects and their properties: what the account knows that a record can hold."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from refloop_sandbox.hubspot.errors import Refusal, bad_request, error_body
from refloop_sandbox.hubspot.json_body import objects, whole

_NAME = re.compile(r"[a-z][a-z0-9_]{0,99}")
_FIELD_TYPES = {
    "string": {"text", "textarea", "html", "phonenumber", "file", "calculation_equation"},
    "number": {"number", "calculation_equation", "calculation_rollup"},
    "bool": {"booleancheckbox", "calculation_equation"},
    "enumeration": {"select", "radio", "checkbox", "booleancheckbox", "calculation_equation"},
    "date": {"date"},
    "datetime": {"date", "calculation_equation"},
    "phone_number": {"phonenumber"},
}
"""HubSpot properties guide: `date` and `datetime` both take the field type `date`."""

MAX_UNIQUE = 10
MAX_CUSTOM = 1_000


@dataclass(frozen=True, slots=True)
class ObjectType:
    """A kind of CRM object. `number` is the second half of its id: contacts are `0-1`."""

    number: int
    name: str
    singular: str
    created: str
    modified: str
    defaults: tuple[str, ...]

    @property
    def type_id(self) -> str:
        return f"0-{self.number}"

    @property
    def always(self) -> tuple[str, ...]:
        """What comes back whether or not it was asked for."""
        return (self.created, self.modified, "hs_object_id")


def _object(number: int, name: str, singular: str, *defaults: str) -> ObjectType:
    return ObjectType(number, name, singular, "hs_createdate", "hs_lastmodifieddate", defaults)


CONTACTS = ObjectType(1, "contacts", "contact", "createdate", "lastmodifieddate", ("email", "firstname", "lastname"))
COMPANIES = ObjectType(2, "companies", "company", "createdate", "hs_lastmodifieddate", ("domain", "name"))
DEALS = ObjectType(
    3,
    "deals",
    "deal",
    "createdate",
    "hs_lastmodifieddate",
    ("amount", "closedate", "dealname", "dealstage", "pipeline"),
)
LEADS = _object(136, "leads", "lead")
OBJECTS: tuple[ObjectType, ...] = (
    CONTACTS,
    COMPANIES,
    DEALS,
    LEADS,
    _object(5, "tickets", "ticket", "subject", "content", "hs_pipeline", "hs_pipeline_stage"),
    _object(7, "products", "product", "name", "price", "description"),
    _object(8, "line_items", "line_item", "name", "quantity", "amount"),
    _object(14, "quotes", "quote", "hs_title"),
    _object(18, "communications", "communication"),
    _object(19, "feedback_submissions", "feedback_submission"),
    _object(27, "tasks", "task"),
    _object(46, "notes", "note"),
    _object(47, "meetings", "meeting"),
    _object(48, "calls", "call"),
    _object(49, "emails", "email"),
    _object(74, "goal_targets", "goal_target"),
    _object(116, "postal_mail", "postal_mail"),
)
"""HubSpot object type ids (Understanding the CRM). Those after leads exist, as in every account, and are empty."""

_BY_NAME = {spelling: kind for kind in OBJECTS for spelling in (kind.name, kind.singular, kind.type_id)}
_TYPE_ID = re.compile(r"[0-9]+-[0-9]+")


def object_type(spelling: str) -> ObjectType:
    """Finds `contacts`, `contact` or `0-1`. Raises Refusal (400, no category) for any other word."""
    found = _BY_NAME.get(spelling.lower())
    if found is None:
        known = (
            "Invalid object or event type id" if _TYPE_ID.fullmatch(spelling) else "Unable to infer object type from"
        )
        raise bad_request(f"{known}: {spelling}", None)
    return found


@dataclass(frozen=True, slots=True)
class Option:
    value: str
    label: str
    order: int = -1
    hidden: bool = False

    def shown(self) -> dict[str, Any]:
        return {"label": self.label, "value": self.value, "displayOrder": self.order, "hidden": self.hidden}


@dataclass(frozen=True, slots=True)
class Property:
    """A property definition. `read_only` and `calculated` forbid writing values over the API."""

    name: str
    label: str
    type: str
    field_type: str
    group: str
    description: str = ""
    options: tuple[Option, ...] = ()
    unique: bool = False
    read_only: bool = False
    calculated: bool = False
    hubspot_defined: bool = False
    external_options: bool = False
    hidden: bool = False
    form_field: bool = False
    order: int = -1
    created: str = "2019-08-06T02:41:08.029Z"
    refers_to: str = ""
    values: frozenset[str] = field(default=frozenset(), compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "values", frozenset(option.value for option in self.options))

    def shown(self) -> dict[str, Any]:
        """The definition as `GET /crm/properties/...` answers it."""
        return {
            "updatedAt": self.created,
            "createdAt": self.created,
            "name": self.name,
            "label": self.label,
            "type": self.type,
            "fieldType": self.field_type,
            "description": self.description,
            "groupName": self.group,
            "options": [option.shown() for option in self.options],
            "displayOrder": self.order,
            "calculated": self.calculated,
            "externalOptions": self.external_options,
            "archived": False,
            "hasUniqueValue": self.unique,
            "hidden": self.hidden,
            "hubspotDefined": self.hubspot_defined,
            "modificationMetadata": {
                "archivable": not self.hubspot_defined,
                "readOnlyDefinition": self.hubspot_defined,
                "readOnlyOptions": self.hubspot_defined,
                "readOnlyValue": self.read_only or self.calculated,
            },
            "formField": self.form_field,
            "dataSensitivity": "non_sensitive",
            **({"referencedObjectType": self.refers_to} if self.refers_to else {}),
        }


@dataclass(frozen=True, slots=True)
class Group:
    name: str
    label: str
    order: int = -1

    def shown(self) -> dict[str, Any]:
        return {"name": self.name, "label": self.label, "displayOrder": self.order, "archived": False}


class Schema:
    """The property definitions and groups of every object, by object name."""

    def __init__(self) -> None:
        self._properties: dict[str, dict[str, Property]] = {kind.name: {} for kind in OBJECTS}
        self._groups: dict[str, dict[str, Group]] = {kind.name: {} for kind in OBJECTS}

    def kept(self) -> dict[str, Any]:
        """All definitions as JSON has them."""
        properties = {
            name: [asdict(one) | {"values": []} for one in of.values()] for name, of in self._properties.items()
        }
        return {
            "properties": properties,
            "groups": {name: [asdict(one) for one in of.values()] for name, of in self._groups.items()},
        }

    def reopen(self, kept: Mapping[str, Any]) -> None:
        """Puts the definitions that were kept in the place of these."""
        for name, definitions in kept["properties"].items():
            self._properties[name] = {one["name"]: _property(one) for one in definitions}
        for name, groups in kept["groups"].items():
            self._groups[name] = {one["name"]: Group(**one) for one in groups}

    def properties(self, kind: ObjectType) -> Mapping[str, Property]:
        return self._properties[kind.name]

    def groups(self, kind: ObjectType) -> Mapping[str, Group]:
        return self._groups[kind.name]

    def put(self, kind: ObjectType, definitions: Iterable[Property]) -> None:
        """Adds or replaces definitions, unchecked; groups that they name come into being."""
        for definition in definitions:
            self._properties[kind.name][definition.name] = definition
            if definition.group not in self._groups[kind.name]:
                self._groups[kind.name][definition.group] = Group(definition.group, definition.group)

    def add_option(self, kind: ObjectType, name: str, option: Option, place: int) -> None:
        """Puts a value among those of an enumeration; those behind it move on by one."""
        old = self.find(kind, name)
        listed = sorted(old.options, key=lambda one: one.order)
        listed.insert(place, option)
        options = tuple(replace(one, order=index) for index, one in enumerate(listed))
        self._properties[kind.name][name] = replace(old, options=options)

    def remove(self, kind: ObjectType, name: str) -> None:
        """Archives a property. Raises Refusal: 404 for an unknown one, 400 for one of HubSpot's own."""
        if self.find(kind, name).hubspot_defined:
            raise bad_request(f"The property '{name}' is a HubSpot-defined property and can't be archived.")
        del self._properties[kind.name][name]

    def find(self, kind: ObjectType, name: str) -> Property:
        found = self._properties[kind.name].get(name)
        if found is None:
            raise Refusal(
                404,
                error_body(
                    f'Property "{name}" does not exist',
                    "OBJECT_NOT_FOUND",
                    subCategory="PropertyValidationError.PROPERTY_DOESNT_EXIST",
                ),
            )
        return found

    def define(self, kind: ObjectType, body: Mapping[str, Any], created: str) -> Property:
        """Creates a custom property from an API body. Raises Refusal: 400 when it is not sound, 409 when taken."""
        name = str(body.get("name", ""))
        _check_definition(body)
        if name in self._properties[kind.name]:
            raise Refusal(409, name_taken(name))
        if str(body["groupName"]) not in self._groups[kind.name]:
            raise bad_request(f"The property group '{body['groupName']}' does not exist.", errors=[])
        self._check_room(kind, bool(body.get("hasUniqueValue")))
        definition = _from_body(body, created)
        self._properties[kind.name][name] = definition
        return definition

    def change(self, kind: ObjectType, name: str, body: Mapping[str, Any]) -> Property:
        """Patches a custom property; its name and uniqueness never change. Raises Refusal."""
        old = self.find(kind, name)
        if old.hubspot_defined:
            raise bad_request(f"The property '{name}' is a HubSpot-defined property and its definition is read only.")
        merged = {**old.shown(), **{key: value for key, value in body.items() if value is not None}}
        _check_definition({**merged, "name": name})
        changed = replace(_from_body({**merged, "name": name}, old.created), unique=old.unique)
        self._properties[kind.name][name] = changed
        return changed

    def define_group(self, kind: ObjectType, body: Mapping[str, Any]) -> Group:
        name = str(body.get("name", ""))
        if not _NAME.fullmatch(name):
            raise bad_request(f"Invalid property group name: {name!r}")
        if name in self._groups[kind.name]:
            raise Refusal(409, error_body(f"A property group named '{name}' already exists.", "OBJECT_ALREADY_EXISTS"))
        group = Group(name, str(body.get("label") or name), whole(body, "displayOrder", -1))
        self._groups[kind.name][name] = group
        return group

    def remove_group(self, kind: ObjectType, name: str) -> None:
        self._groups[kind.name].pop(name, None)

    def _check_room(self, kind: ObjectType, unique: bool) -> None:
        custom = [found for found in self._properties[kind.name].values() if not found.hubspot_defined]
        if len(custom) >= MAX_CUSTOM:
            raise bad_request(f"You've reached the limit of {MAX_CUSTOM} custom properties.", "LIMIT_EXCEEDED")
        if unique and sum(found.unique for found in custom) >= MAX_UNIQUE:
            raise bad_request(f"You've reached the limit of {MAX_UNIQUE} unique properties.", "LIMIT_EXCEEDED")


def _property(kept: Mapping[str, Any]) -> Property:
    known = {key: value for key, value in kept.items() if key not in ("options", "values")}
    return Property(**known, options=tuple(Option(**one) for one in kept["options"]))


def name_taken(name: str) -> dict[str, Any]:
    """The recorded error for a property that exists already, single or in a batch."""
    return error_body(
        f"A property named '{name}' already exists.",
        "OBJECT_ALREADY_EXISTS",
        subCategory="Properties.PROPERTY_WITH_NAME_EXISTS",
        context={"name": [name]},
    )


def _check_definition(body: Mapping[str, Any]) -> None:
    missing = [key for key in ("name", "label", "type", "fieldType", "groupName") if not body.get(key)]
    if missing:
        raise bad_request(f"Some required fields were not set: [{', '.join(missing)}]")
    if not _NAME.fullmatch(str(body["name"])):
        raise bad_request(f"Property name {body['name']!r} must be lower case letters, digits and underscores.")
    field_types = _FIELD_TYPES.get(str(body["type"]))
    if field_types is None:
        raise bad_request(f"Invalid property type: {body['type']}")
    if str(body["fieldType"]) not in field_types:
        raise bad_request(f"Field type {body['fieldType']} does not go with property type {body['type']}.")
    _check_options(body)


def _check_options(body: Mapping[str, Any]) -> None:
    options = objects(body, "options")
    if body["type"] not in ("enumeration", "bool"):
        return
    if not options and not body.get("externalOptions"):
        raise bad_request(f"Property '{body['name']}' of type {body['type']} needs options.")
    if any(not str(option.get("value", "")) or not option.get("label") for option in options):
        raise bad_request("Each option needs a label and a value.")
    values = [str(option["value"]) for option in options]
    if len(set(values)) != len(values):
        raise bad_request(f"Property '{body['name']}' has duplicate option values.")
    if body["type"] == "bool" and set(values) != {"true", "false"}:
        raise bad_request("The options of a bool property are 'true' and 'false'.")


def _from_body(body: Mapping[str, Any], created: str) -> Property:
    options = tuple(
        Option(
            str(option["value"]),
            str(option["label"]),
            whole(option, "displayOrder", index),
            bool(option.get("hidden", False)),
        )
        for index, option in enumerate(objects(body, "options"))
    )
    return Property(
        name=str(body["name"]),
        label=str(body["label"]),
        type=str(body["type"]),
        field_type=str(body["fieldType"]),
        group=str(body["groupName"]),
        description=str(body.get("description") or ""),
        options=options,
        unique=bool(body.get("hasUniqueValue")),
        calculated=str(body["fieldType"]).startswith("calculation_"),
        external_options=bool(body.get("externalOptions")),
        hidden=bool(body.get("hidden")),
        form_field=bool(body.get("formField")),
        order=whole(body, "displayOrder", -1),
        created=created,
    )
