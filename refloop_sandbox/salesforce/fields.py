"""Custom fields: the Metadata API's words for them, and the catalogue objects that list all fields."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from refloop_sandbox.salesforce.errors import RecordError
from refloop_sandbox.salesforce.records import Records, Row
from refloop_sandbox.salesforce.schema import Field, SObject
from refloop_sandbox.salesforce.tables import Tables
from refloop_sandbox.salesforce.values import stored

_NAME = re.compile(r"[A-Za-z](?:_?[A-Za-z0-9])*")
_TYPES = {
    "Text": ("string", 0), "TextArea": ("textarea", 255), "LongTextArea": ("textarea", 0), "Url": ("url", 255),
    "Email": ("email", 80), "Phone": ("phone", 40), "Checkbox": ("boolean", 0), "Date": ("date", 0),
    "DateTime": ("datetime", 0), "Number": ("double", 0), "Currency": ("currency", 0), "Percent": ("percent", 0),
    "Picklist": ("picklist", 255), "MultiselectPicklist": ("multipicklist", 4099), "Lookup": ("reference", 18),
}  # fmt: skip
_DATA_TYPES = {"string": "Text", "textarea": "Long Text Area", "boolean": "Checkbox", "double": "Number"}


def custom_field(name: str, metadata: Mapping[str, object]) -> Field:
    """The field that a CustomField's `Metadata` describes. Raises RecordError where the platform refuses it."""
    kind = str(metadata.get("type"))
    if kind not in _TYPES:
        raise RecordError("INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST", f"Type: bad value: {kind}", "Type")
    type_, length = _TYPES[kind]
    for needed in {"Text": ("length",), "LongTextArea": ("length", "visibleLines")}.get(kind, ()):
        _number(metadata, needed, kind)
    for needed in ("precision", "scale") if type_ in ("double", "currency", "percent") else ():
        _number(metadata, needed, kind)
    label = metadata.get("label")
    if not isinstance(label, str) or not label:
        raise RecordError("REQUIRED_FIELD_MISSING", "Required fields are missing: [MasterLabel]", "MasterLabel")
    made = Field(
        name, type_, label, length or _number(metadata, "length", kind, 0), custom=True,
        precision=_number(metadata, "precision", kind, 18), scale=_number(metadata, "scale", kind, 2),
        nillable=not metadata.get("required") and type_ != "boolean", external_id=bool(metadata.get("externalId")),
        unique=bool(metadata.get("unique")), help=_optional(metadata, "inlineHelpText"),
        default=str(metadata.get("defaultValue", False)).lower() == "true" if type_ == "boolean" else None,
    )  # fmt: skip
    if type_ == "reference":
        targets = (str(metadata.get("referenceTo")),)
        return replace(made, targets=targets, relationship=name.removesuffix("__c") + "__r")
    return _with_values(made, metadata) if "picklist" in type_ else made


def custom_field_again(kept: Mapping[str, Any]) -> Field:
    """The field that was kept as JSON, which has no tuples."""
    made: dict[str, Any] = {key: tuple(value) if isinstance(value, list) else value for key, value in kept.items()}
    return Field(**made)


def _number(metadata: Mapping[str, object], name: str, kind: str, default: int | None = None) -> int:
    value = metadata.get(name, default)
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise RecordError("FIELD_INTEGRITY_EXCEPTION", f"Must specify '{name}' for a CustomField of type {kind}", name)
    return value


def _optional(metadata: Mapping[str, object], name: str) -> str | None:
    value = metadata.get(name)
    return None if value is None else str(value)


def _with_values(made: Field, metadata: Mapping[str, object]) -> Field:
    value_set = metadata.get("valueSet")
    definition = value_set.get("valueSetDefinition") if isinstance(value_set, dict) else None
    values = definition.get("value") if isinstance(definition, dict) else None
    if not isinstance(value_set, dict) or not isinstance(values, list):
        raise RecordError("FIELD_INTEGRITY_EXCEPTION", "Must specify a value set for a picklist field", "valueSet")
    names = [str(value.get("fullName") or value.get("valueName")) for value in values if isinstance(value, dict)]
    default = next((name for name, value in zip(names, values, strict=True) if value.get("default")), None)
    return replace(made, picklist=tuple(names), restricted=bool(value_set.get("restricted")), default=default)


def add_field(records: Records, full_name: str, metadata: Mapping[str, object], user: str) -> str:
    """Creates `Object.Name__c` and its CustomField row; gives the row's id.

    Raises RecordError, DUPLICATE_DEVELOPER_NAME where the object has the field already.
    """
    sobject, name = _split(records, full_name)
    if sobject.fields.get(name.casefold()):
        message = f"There is already a field named {name.removesuffix('__c')} on {sobject.name}."
        raise RecordError("DUPLICATE_DEVELOPER_NAME", message, "DeveloperName")
    made = custom_field(name, metadata)
    entity = records.schema.named("CustomField", tooling=True)
    now = records.stamp()
    row: Row = {
        "Id": records.store.next_id("00N"), "DeveloperName": name.removesuffix("__c"), "TableEnumOrId": sobject.name,
        "EntityDefinitionId": sobject.name, "FullName": f"{sobject.name}.{name}", "Metadata": json.dumps(metadata),
        "ManageableState": "unmanaged", "Description": _optional(metadata, "description"),
        "InlineHelpText": made.help, "Length": made.length or None, "CreatedDate": now, "CreatedById": user,
        "LastModifiedDate": now, "LastModifiedById": user, "SystemModstamp": now,
    }  # fmt: skip
    with records.store.transaction():
        records.store.add_field(sobject, made)
        if made.default is not None:
            for held in list(records.store.where(sobject, {})):
                records.store.update(sobject, str(held["Id"]), {made.name: stored(made, made.default)})
        records.store.insert(entity, [row], list(row))
    _install(records, sobject, made)
    return str(row["Id"])


def _install(records: Records, sobject: SObject, made: Field) -> None:
    sobject.fields[made.name.casefold()] = made
    records.schema.changed()
    with records.store.transaction():
        _leave_catalogue(records, sobject, made.name)
        row = _definition(records, sobject, made)
        records.store.insert(records.schema.named("FieldDefinition"), [row], list(row))


def _split(records: Records, full_name: str) -> tuple[SObject, str]:
    owner, _, name = full_name.partition(".")
    sobject = records.schema.get(owner)
    if sobject is None or sobject.tooling:
        message = f"Entity Enumeration Or ID: bad value for restricted picklist field: {owner}"
        raise RecordError("INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST", message, "TableEnumOrId")
    if not name.endswith("__c") or not _NAME.fullmatch(name[:-3]) or len(name) > 43:
        message = (
            "The Field Name can only contain underscores and alphanumeric characters. It must be unique, begin with a "
            "letter, not include spaces, not end with an underscore, and not contain two consecutive underscores."
        )
        raise RecordError("INVALID_FULL_NAME", message, "FullName")
    return sobject, name


def change_field(records: Records, row: Row, metadata: Mapping[str, object]) -> None:
    """Changes label, length, values and the like of a custom field. Its type stays."""
    sobject, name = _split(records, str(row["FullName"]))
    made = custom_field(name, metadata)
    if made.type != sobject.field(name).type:
        raise RecordError("FIELD_INTEGRITY_EXCEPTION", f"Cannot change type of {row['FullName']}", "Type")
    entity = records.schema.named("CustomField", tooling=True)
    values: Row = {"Metadata": json.dumps(metadata), "SystemModstamp": records.stamp()}
    records.store.update(entity, str(row["Id"]), values)
    _install(records, sobject, made)


def remove_field(records: Records, row: Row) -> None:
    """Deletes a custom field, its values and its field permissions."""
    sobject, name = _split(records, str(row["FullName"]))
    permissions = records.schema.named("FieldPermissions")
    with records.store.transaction():
        for held in list(records.store.where(permissions, {"Field": row["FullName"]})):
            records.store.remove(permissions, str(held["Id"]))
        records.store.drop_field(sobject, sobject.field(name))
        records.store.remove(records.schema.named("CustomField", tooling=True), str(row["Id"]))
    del sobject.fields[name.casefold()]
    records.schema.changed()
    _leave_catalogue(records, sobject, name)


def _leave_catalogue(records: Records, sobject: SObject, name: str) -> None:
    definition = records.schema.named("FieldDefinition")
    for held in list(records.store.where(definition, {"DurableId": f"{sobject.name}.{name}"})):
        records.store.remove(definition, str(held["Id"]))


def refresh_catalogue(tables: Tables) -> None:
    """Fills EntityDefinition and FieldDefinition from the schema."""
    entity, definition = tables.schema.named("EntityDefinition"), tables.schema.named("FieldDefinition")
    for sobject, rows in ((entity, _entities(tables)), (definition, _definitions(tables))):
        names = [item.name for item in sobject.fields.values()]
        held = list(rows)
        with tables.store.transaction():
            for old in list(tables.store.where(sobject, {})):
                tables.store.remove(sobject, str(old["Id"]))
            tables.store.insert(sobject, held, names)


def _entities(tables: Tables) -> Iterator[Row]:
    for item in tables.schema:
        if not item.tooling:
            yield {
                "Id": tables.store.next_id("4ie"), "DurableId": item.name, "QualifiedApiName": item.name,
                "DeveloperName": item.name, "Label": item.label, "MasterLabel": item.label, "PluralLabel": item.plural,
                "KeyPrefix": item.prefix, "IsQueryable": 1, "IsCustomizable": int(not item.setup),
                "IsCustomSetting": 0, "IsDeprecatedAndHidden": 0, "IsReplicateable": int(item.replicateable),
                "IsTriggerable": int(not item.setup),
            }  # fmt: skip


def _definitions(tables: Tables) -> Iterator[Row]:
    for sobject in tables.schema:
        for item in () if sobject.tooling else sobject.fields.values():
            yield _definition(tables, sobject, item)


def _definition(tables: Tables, sobject: SObject, item: Field) -> Row:
    return {
        "Id": tables.store.next_id("4if"), "DurableId": f"{sobject.name}.{item.name}",
        "QualifiedApiName": item.name, "DeveloperName": item.name.removesuffix("__c"), "Label": item.label,
        "MasterLabel": item.label, "DataType": _data_type(item), "Length": item.length,
        "Precision": item.precision, "Scale": item.scale, "IsNillable": int(item.nillable),
        "EntityDefinitionId": sobject.name, "IsCalculated": int(item.calculated),
    }  # fmt: skip


def _data_type(item: Field) -> str:
    name = _DATA_TYPES.get(item.type, item.type.title())
    return f"{name}({item.length})" if item.length and item.type in ("string", "textarea") else name
