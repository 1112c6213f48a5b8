"""Our fields and permission set in Salesforce's own words: for the Tooling API, and as files for an administrator."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

from refloop.connectors.salesforce.names import OBJECTS, crm_name
from refloop.connectors.salesforce.values import DIGITS, places_needed
from refloop.model import FieldSpec, FieldType, Kind

MARK = "Managed by refloop."
"""How the description of everything begins that we make: nothing else is ever removed."""

PERMISSION_SET = "Refloop_Sync"
PERMISSION_SET_LABEL = "Refloop Sync"

READER_SET = "Refloop_Read"
READER_SET_LABEL = "Refloop Read"
"""For people: lets them see our fields, and edit none."""

LONGEST_HELP = 510
"""Salesforce metadata docs, CustomField: inlineHelpText has up to 510 characters."""

LONGEST_TEXT = 255
"""Salesforce metadata docs, CustomField: Text has up to 255 characters, LongTextArea 256 to 131,072."""

FOLDER = "force-app/main/default"
"""Where `sf project deploy start` looks."""


@dataclass(frozen=True, slots=True)
class OwnField:
    """One field of ours on one object."""

    object: str
    field: FieldSpec

    @property
    def name(self) -> str:
        return f"{self.object}.{crm_name(self.field)}"


def own_fields(fields: Sequence[FieldSpec]) -> Iterator[OwnField]:
    """Each field on each of its objects."""
    return (OwnField(OBJECTS[kind], field) for field in fields for kind in field.kinds)


def metadata(field: FieldSpec) -> Mapping[str, Any]:
    """Our field as the Metadata of a Tooling CustomField. Never required, never unique: our fields bother nobody."""
    description = f"{MARK} {field.description}".rstrip()
    common = {"label": field.label, "description": description, "required": False}
    help_ = {"inlineHelpText": field.description[:LONGEST_HELP]} if field.description else {}
    return {**common, **help_, **_typed(field)}


def _typed(field: FieldSpec) -> Mapping[str, Any]:
    match field.type:
        case FieldType.TEXT if field.length <= LONGEST_TEXT:
            return {"type": "Text", "length": field.length, "externalId": False, "unique": False}
        case FieldType.TEXT:
            return {"type": "LongTextArea", "length": field.length, "visibleLines": 3}
        case FieldType.CHOICE:
            return {"type": "Picklist", "valueSet": _value_set(field)}
        case FieldType.NUMBER:
            return {"type": "Number", "precision": DIGITS, "scale": field.places}
        case FieldType.MONEY:  # a Currency field would follow the record's own currency, not ours
            return {"type": "Number", "precision": DIGITS, "scale": places_needed(field)}
        case FieldType.TIME:
            return {"type": "DateTime"}


def _value_set(field: FieldSpec) -> Mapping[str, Any]:
    """Not restricted: a value of a later refloop must not be refused by a picklist of today."""
    values = [{"valueName": value, "label": label, "default": False} for value, label in field.choices]
    return {"restricted": False, "valueSetDefinition": {"sorted": False, "value": values}}


def metadata_files(fields: Sequence[FieldSpec]) -> Mapping[str, str]:
    """What `provision` would make, as files in source format (Salesforce DX docs, "Salesforce DX Project Structure");
    and for people a permission set that lets them see it, list views, and a word on page layouts.

    Path -> text. The same fields give the same text: it can be reviewed, kept and compared.
    """
    own = list(own_fields(fields))
    files = {
        f"{FOLDER}/objects/{one.object}/fields/{crm_name(one.field)}.field-meta.xml": _document(
            "CustomField", {"fullName": crm_name(one.field), **_in_xml(metadata(one.field))}
        )
        for one in own
    }
    sets = {PERMISSION_SET: _permission_set(own), READER_SET: _reader_set(own)}
    files |= {
        f"{FOLDER}/permissionsets/{name}.permissionset-meta.xml": _document("PermissionSet", body)
        for name, body in sets.items()
    }
    files |= {
        f"{FOLDER}/objects/{view.object}/listViews/{view.name}.listView-meta.xml": _document(
            "ListView", view.metadata()
        )
        for view in list_views(own)
    }
    return {**files, "page-layouts.txt": _LAYOUTS}


def _in_xml(value: Any) -> Any:
    """The Tooling API calls a picklist's values `valueName`, the files `fullName`."""
    if isinstance(value, Mapping):
        return {"fullName" if name == "valueName" else name: _in_xml(inner) for name, inner in value.items()}
    return [_in_xml(inner) for inner in value] if isinstance(value, list) else value


def _permission_set(own: Sequence[OwnField]) -> Mapping[str, Any]:
    """Rights on accounts come along: reading contacts and opportunities depends on reading accounts."""
    objects = [*dict.fromkeys(one.object for one in own)]
    closed = dict.fromkeys(("allowCreate", "allowDelete", "modifyAllRecords", "viewAllRecords"), False)
    opened = [{"allowEdit": True, "allowRead": True, "object": name, **closed} for name in sorted(objects)]
    read = {"allowEdit": False, "allowRead": True, "object": "Account", **closed}
    return {
        "description": MARK,
        "fieldPermissions": [
            {"editable": True, "field": name, "readable": True} for name in sorted(one.name for one in own)
        ],
        "hasActivationRequired": False,
        "label": PERMISSION_SET_LABEL,
        "objectPermissions": [read, *opened],
    }


def _reader_set(own: Sequence[OwnField]) -> Mapping[str, Any]:
    """No rights on objects: who does not see a lead sees nothing more of it."""
    return {
        "description": MARK,
        "fieldPermissions": [
            {"editable": False, "field": name, "readable": True} for name in sorted(one.name for one in own)
        ],
        "hasActivationRequired": False,
        "label": READER_SET_LABEL,
    }


_NAME_COLUMN = {"Lead": "FULL_NAME", "Contact": "FULL_NAME", "Opportunity": "OPPORTUNITY.NAME"}
_MOST_COLUMNS = 15
"""Salesforce metadata docs, ListView: the columns of an object's name, and how many there may be."""


@dataclass(frozen=True, slots=True)
class ListView:
    """A list of the records of an object in which the first of these fields of ours holds something, with the others
    beside their names. Long texts cannot stand in a list."""

    object: str
    name: str
    label: str
    fields: tuple[FieldSpec, ...]

    def metadata(self) -> Mapping[str, Any]:
        shown = [field for field in self.fields if field.type is not FieldType.TEXT or field.length <= LONGEST_TEXT]
        return {
            "fullName": self.name,
            "columns": [_NAME_COLUMN[self.object], *map(crm_name, shown)][:_MOST_COLUMNS],
            "filterScope": "Everything",
            "filters": [{"field": crm_name(field), "operation": "notEqual"} for field in shown[:1]],
            "label": self.label,
        }


def list_views(own: Sequence[OwnField]) -> Iterator[ListView]:
    """The records that somebody referred, of each object; and the contacts who referred somebody, of whom alone their
    fields tell."""
    for name in dict.fromkeys(one.object for one in own):
        fields = [one.field for one in own if one.object == name]
        referred = tuple(field for field in fields if field.kinds != (Kind.CONTACT,))
        referring = tuple(field for field in fields if field.kinds == (Kind.CONTACT,))
        if referred:
            yield ListView(name, "Refloop_Referrals", "Referrals", referred)
        if referring:
            yield ListView(name, "Refloop_Referrers", "Referrers", referring)


_LAYOUTS = """\
A page layout cannot be added to by a deployment, only replaced as a whole, so none is here. Put the fields where people
look for them: Setup > Object Manager > Lead, Contact, Opportunity > Page Layouts; make them read-only there, but for
the referral code if people shall type codes in it. Record pages with dynamic forms have a component for each field.
Assign the permission set Refloop_Read to those who shall see the fields.
"""


def _document(root: str, body: Mapping[str, Any]) -> str:
    lines = [
        '<?xml version="1.0" encoding="UTF-8"?>',
        f'<{root} xmlns="http://soap.sforce.com/2006/04/metadata">',
        *_elements(body, "    "),
        f"</{root}>",
    ]
    return "\n".join(lines) + "\n"


def _elements(body: Mapping[str, Any], indent: str) -> Iterator[str]:
    """As Salesforce's own tools write them: the name first, the others by alphabet."""
    for name in sorted(body, key=lambda name: (name != "fullName", name)):
        for value in body[name] if isinstance(body[name], list) else [body[name]]:
            if isinstance(value, Mapping):
                yield f"{indent}<{name}>"
                yield from _elements(value, indent + "    ")
                yield f"{indent}</{name}>"
            else:
                text = str(value).lower() if isinstance(value, bool) else str(value)
                yield f"{indent}<{name}>{escape(text, quote=False)}</{name}>"
