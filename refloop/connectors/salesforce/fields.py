"""What the org's objects look like: which fields the run user sees, and which we therefore ask for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from refloop import model
from refloop.connectors.salesforce.names import OBJECTS, ROLE, api_name, crm_name
from refloop.connectors.salesforce.settings import SalesforceSettings
from refloop.connectors.salesforce.values import SCALE, places_needed
from refloop.model import FieldLabel, FieldSpec, FieldType, Kind

Layout = Mapping[str, tuple[str, ...]]
"""The fields that a pull asks for, by object."""

_EVERY = ("Id", "CreatedDate", "SystemModstamp", "IsDeleted", "OwnerId")
STANDARD: Mapping[Kind, tuple[str, ...]] = MappingProxyType(
    {
        Kind.LEAD: (
            *_EVERY,
            "MasterRecordId",
            "Name",
            "Email",
            "Company",
            "Status",
            "IsConverted",
            "ConvertedDate",
            "ConvertedAccountId",
            "ConvertedContactId",
            "ConvertedOpportunityId",
        ),
        Kind.CONTACT: (*_EVERY, "MasterRecordId", "Name", "Email", "AccountId"),
        Kind.DEAL: (
            *_EVERY,
            "Name",
            "AccountId",
            "RecordTypeId",
            "Type",
            "StageName",
            "IsClosed",
            "IsWon",
            "Amount",
            "CurrencyIsoCode",
            "CloseDate",
            "LastStageChangeDate",
        ),
    }
)
"""The facts every record has. Salesforce object reference: CurrencyIsoCode exists with multi-currency only,
RecordTypeId where the object has record types."""

ROLE_FIELDS = ("Id", "SystemModstamp", "IsDeleted", "OpportunityId", "ContactId")
"""The facts every contact role has."""

ROLE_NAME = "Role"
"""The picklist that says what a contact is to an opportunity; an administrator may have hidden it."""

IS_PERSON = "IsPersonAccount"
"""A field of contacts where the org has person accounts, and only there (Salesforce object reference, Contact)."""

PERSON = "PersonContactId"
"""Asked for of opportunities where the org has person accounts: the contact of an account that is a person."""

_READS_AS: Mapping[FieldType, frozenset[str]] = MappingProxyType(
    {
        FieldType.TEXT: frozenset({"string", "textarea", "url", "picklist", "email"}),
        FieldType.CHOICE: frozenset({"picklist", "string"}),
        FieldType.NUMBER: frozenset({"double", "int", "currency"}),
        FieldType.MONEY: frozenset({"currency", "double"}),
        FieldType.TIME: frozenset({"datetime"}),
    }
)

_TEXTS = frozenset({"string", "textarea", "picklist", "multipicklist", "combobox", "encryptedstring", "url", "email"})
_NUMBER_TYPES = frozenset({"int", "long", "double", "percent", "currency"})
_CODE_TYPES = _TEXTS | _NUMBER_TYPES | {"phone"}


@dataclass(frozen=True, slots=True)
class Described:
    """One field as describe shows it. `length` is 0 for what has none; `scale` is the digits after the point that a
    number keeps."""

    name: str
    type: str
    updateable: bool
    length: int
    scale: int = SCALE
    label: str = ""

    def reads_as(self, field: FieldSpec) -> bool:
        """Whether what the field holds can be read as what ours holds."""
        return self.type in _READS_AS[field.type]

    def is_long_enough(self, field: FieldSpec) -> bool:
        """Whether the longest text of ours fits."""
        return field.type is not FieldType.TEXT or self.length >= field.length

    def keeps_cents(self, field: FieldSpec) -> bool:
        """Whether it keeps as many digits after the point as an amount of ours has."""
        return field.type is not FieldType.MONEY or self.scale >= places_needed(field)

    def holds_text(self) -> bool:
        """Whether people can leave a code in it."""
        return self.type in _CODE_TYPES


@dataclass(frozen=True, slots=True)
class ObjectSchema:
    """One object as describe shows it to the run user. Fields that he may not see are not there."""

    name: str
    updateable: bool
    fields: Mapping[str, Described]

    def find(self, name: str) -> Described | None:
        """The field of that name, whatever its case: Salesforce itself does not mind the case."""
        return self.fields.get(name.casefold())


def parse_describe(name: str, body: object) -> ObjectSchema:
    """Reads `GET /sobjects/{name}/describe`. Raises ValueError when it is not a description of `name`."""
    if not isinstance(body, dict) or body.get("name") != name or not isinstance(body.get("fields"), list):
        raise ValueError(f"not a description of {name}")
    fields = [_parse_field(field) for field in body["fields"]]
    return ObjectSchema(
        name=name,
        updateable=body.get("updateable") is True,
        fields=MappingProxyType({field.name.casefold(): field for field in fields}),
    )


def _parse_field(body: Any) -> Described:
    if not isinstance(body, dict) or not isinstance(body.get("name"), str):
        raise ValueError("not a description of a field")
    length, scale = body.get("length"), body.get("scale")
    return Described(
        name=api_name(body["name"]),
        type=str(body.get("type")),
        updateable=body.get("updateable") is True,
        length=length if isinstance(length, int) else 0,
        scale=scale if isinstance(scale, int) else SCALE,
        label=str(body.get("label") or ""),
    )


def layout(schemas: Mapping[str, ObjectSchema], settings: SalesforceSettings, fields: Sequence[FieldSpec]) -> Layout:
    """What to ask for: of the standard fields, the code fields and ours, those that the run user sees.

    A field of ours that somebody made with another type is left alone: `check` tells of it.
    """
    asked = {
        OBJECTS[kind]: tuple(dict.fromkeys(_visible(kind, schemas[OBJECTS[kind]], settings, fields))) for kind in Kind
    }
    role = schemas[ROLE].find(ROLE_NAME)
    if schemas[OBJECTS[Kind.CONTACT]].find(IS_PERSON) and "AccountId" in asked[OBJECTS[Kind.DEAL]]:
        asked[OBJECTS[Kind.DEAL]] += (PERSON,)
    return MappingProxyType({**asked, ROLE: (*ROLE_FIELDS, *([role.name] if role else []))})


def _visible(
    kind: Kind, schema: ObjectSchema, settings: SalesforceSettings, fields: Sequence[FieldSpec]
) -> Iterator[str]:
    yield from (field.name for name in STANDARD[kind] if (field := schema.find(name)))
    named = map(schema.find, settings.fields_besides(kind))
    yield from (field.name for field in named if field and field.holds_text())
    for ours in fields:
        if kind in ours.kinds and (field := schema.find(crm_name(ours))) and field.reads_as(ours):
            yield field.name


def described(
    schemas: Mapping[str, ObjectSchema], settings: SalesforceSettings, fields: Sequence[FieldSpec]
) -> model.Described:
    """What the org calls our fields, by our names, and those with codes; and which of ours it lacks, or hides."""
    labels: list[FieldLabel] = []
    lacking: set[tuple[Kind, str]] = set()
    for kind in Kind:
        schema = schemas[OBJECTS[kind]]
        for ours in (field for field in fields if kind in field.kinds):
            if found := schema.find(crm_name(ours)):
                labels.append(FieldLabel(kind, ours.name, found.label))
            else:
                lacking.add((kind, ours.name))
        with_codes = filter(None, map(schema.find, settings.fields_with_codes(kind)))
        labels += (FieldLabel(kind, field.name, field.label) for field in with_codes)
    return model.Described("Salesforce", tuple(labels), frozenset(lacking))


def is_missing_some(known: Layout, settings: SalesforceSettings, fields: Sequence[FieldSpec]) -> bool:
    """Whether a field of the settings or of ours is not in `known`: it may have been created since."""
    for kind in Kind:
        have = {name.casefold() for name in known[OBJECTS[kind]]}
        ours = (crm_name(field) for field in fields if kind in field.kinds)
        asked = (*settings.fields_besides(kind), *ours)
        if any(name.casefold() not in have for name in asked):
            return True
    return False
