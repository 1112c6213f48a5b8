"""Creates our fields, and a permission set that lets the run user see and edit them. Safe to repeat."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from refloop.connectors.salesforce import catalogue
from refloop.connectors.salesforce.answers import Row, first_error, row_page
from refloop.connectors.salesforce.api import Api, ForeignAnswer, Part
from refloop.connectors.salesforce.ids import record_id
from refloop.connectors.salesforce.look import unfit
from refloop.connectors.salesforce.names import OBJECTS, crm_name
from refloop.connectors.salesforce.org import Org
from refloop.connectors.salesforce.schema import ObjectSchema
from refloop.connectors.salesforce.soql import quoted_id, quoted_name
from refloop.connectors.salesforce.values import SCALE
from refloop.connectors.salesforce.write import COLLECTION
from refloop.errors import AuthError, ConfigError
from refloop.model import FieldSpec, FieldType, Finding, Level

PERMISSION_SET = "Refloop_Sync"
LONGEST_TEXT = 255
"""Salesforce metadata docs, CustomField: Text has up to 255 characters, LongTextArea 256 to 131,072."""

_THERE_ALREADY = frozenset({"DUPLICATE_DEVELOPER_NAME", "DUPLICATE_VALUE"})


@dataclass(frozen=True, slots=True)
class _Wanted:
    """One field of ours on one object."""

    object: str
    field: FieldSpec

    @property
    def name(self) -> str:
        return f"{self.object}.{crm_name(self.field)}"


class Provisioner:
    """Provisions one connection. Creating a field needs "Customize Application", the rest "Manage Permission Sets".

    A field made by the API is visible to nobody until field-level security says so; and that is not part of
    the Tooling API (Salesforce object reference, FieldPermissions), hence the permission set.
    """

    def __init__(self, connection: str, api: Api, org: Org) -> None:
        self._connection = connection
        self._api = api
        self._org = org

    def findings(self, fields: Sequence[FieldSpec]) -> Iterator[Finding]:
        """One finding for each thing that was created, was there already, or could not be created."""
        schemas = self._org.schemas(afresh=True)
        self._org.forget()
        usable: list[_Wanted] = []
        for wanted in (_Wanted(OBJECTS[kind], field) for field in fields for kind in field.kinds):
            finding = self._field(wanted, schemas[wanted.object])
            if finding.level is not Level.ERROR:
                usable.append(wanted)
            yield finding
        if usable:
            yield from self._permissions(usable, schemas)

    def _field(self, wanted: _Wanted, schema: ObjectSchema) -> Finding:
        if schema.find(crm_name(wanted.field)) is not None:
            if fault := unfit(schema, wanted.field):
                return self._failed(wanted.name, fault, "Rename that field, or choose another prefix for ours.")
            return self._done(wanted.name, "is there already")
        body = {"FullName": wanted.name, "Metadata": metadata(wanted.field)}
        code, message = self._create("tooling/sobjects/CustomField", body)
        if code in _THERE_ALREADY:
            return self._done(wanted.name, "is there already, not visible to the run user so far")
        if code:
            return self._failed(wanted.name, f"could not be created: {code} {message}".strip(), "See to the reason.")
        return self._done(wanted.name, "created")

    def _permissions(self, usable: Sequence[_Wanted], schemas: Mapping[str, ObjectSchema]) -> Iterator[Finding]:
        known = self._query("PermissionSet", "Name", f"Name = {quoted_name(PERMISSION_SET)}")
        if not known:
            self._must_create("PermissionSet", {"Name": PERMISSION_SET, "Label": "Refloop Sync"})
            known = self._query("PermissionSet", "Name", f"Name = {quoted_name(PERMISSION_SET)}")
            yield self._done(f"permission set {PERMISSION_SET}", "created")
        else:
            yield self._done(f"permission set {PERMISSION_SET}", "is there already")
        parent = _only_id("PermissionSet", known)
        yield from self._objects(parent, [schema for schema in schemas.values() if not schema.updateable])
        yield from self._visible(parent, usable)
        yield self._assigned(parent)

    def _objects(self, parent: str, closed: Sequence[ObjectSchema]) -> Iterator[Finding]:
        """Lets the run user edit the objects that he may not edit so far, and no others."""
        if not closed:
            return
        rows = self._query("ObjectPermissions", "SobjectType, PermissionsEdit", f"ParentId = {quoted_id(parent)}")
        open_ = {str(row.get("SobjectType")) for row in rows}
        for name in (schema.name for schema in closed if schema.name not in open_):
            rights = {"PermissionsRead": True, "PermissionsEdit": True}
            self._must_create("ObjectPermissions", {"ParentId": parent, "SobjectType": name, **rights})
            yield self._done(f"{name} in {PERMISSION_SET}", "may be read and edited now")

    def _visible(self, parent: str, usable: Sequence[_Wanted]) -> Iterator[Finding]:
        rows = self._query("FieldPermissions", "Field, PermissionsEdit", f"ParentId = {quoted_id(parent)}")
        known = {str(row.get("Field")).casefold(): row for row in rows}
        rights = {"PermissionsRead": True, "PermissionsEdit": True}
        missing: list[_Wanted] = []
        narrow: list[tuple[_Wanted, dict[str, Any]]] = []
        for wanted in usable:
            row = known.get(wanted.name.casefold())
            if row is None:
                missing.append(wanted)
            elif row.get("PermissionsEdit") is not True:
                narrow.append((wanted, {"id": record_id(row["Id"]), **rights}))
            else:
                yield self._done(f"{wanted.name} in {PERMISSION_SET}", "may be edited already")
        yield from self._grant("PATCH", narrow)
        yield from self._grant("POST", [(one, _field_permission(parent, one) | rights) for one in missing])

    def _grant(self, method: str, rights: Sequence[tuple[_Wanted, Mapping[str, Any]]]) -> Iterator[Finding]:
        for start in range(0, len(rights), COLLECTION):
            some = rights[start : start + COLLECTION]
            records = [{"attributes": {"type": "FieldPermissions"}, **body} for _, body in some]
            part = Part("grants", method, "composite/sobjects", body={"allOrNone": False, "records": records})
            answer = self._api.write([part])[0]
            if not answer.is_good:
                raise catalogue.failure(answer.status, answer.body, "field permissions")
            for (wanted, _), code in zip(some, _codes(answer.body, len(some)), strict=True):
                place = f"{wanted.name} in {PERMISSION_SET}"
                if code:
                    yield self._failed(place, f"could not be made editable: {code}", f"Add it to {PERMISSION_SET}.")
                else:
                    yield self._done(place, "may be edited now")

    def _assigned(self, parent: str) -> Finding:
        user = self._api.user_id()
        try:
            user = record_id(user)
        except ValueError:
            raise ForeignAnswer("GET /services/oauth2/userinfo", "it names no user") from None
        where = f"AssigneeId = {quoted_id(user)} AND PermissionSetId = {quoted_id(parent)}"
        place = f"permission set {PERMISSION_SET}"
        if self._query("PermissionSetAssignment", "AssigneeId", where):
            return self._done(place, "is assigned to the run user already")
        self._must_create("PermissionSetAssignment", {"AssigneeId": user, "PermissionSetId": parent})
        return self._done(place, "assigned to the run user")

    def _query(self, name: str, columns: str, where: str) -> Sequence[Row]:
        """All rows: a few hundred at most. `where` is made of constants, quoted_id and quoted_name."""
        rows: list[Row] = []
        last: str | None = ""
        while last is not None:
            behind = f" AND Id > {quoted_id(last)}" if last else ""
            soql = f"SELECT Id, {columns} FROM {name} WHERE {where}{behind} ORDER BY Id"  # noqa: S608 - see above
            try:
                page = row_page(name, self._api.call(Part(name, "GET", "query", {"q": soql})), last)
            except ValueError as error:
                raise ForeignAnswer(f"a query of {name}", str(error)) from None
            rows.extend(page.rows)
            last = page.last
        return rows

    def _create(self, path: str, body: Mapping[str, Any]) -> tuple[str, str]:
        """Creates one thing; gives the error code and message, "" twice when it worked. Raises AuthError."""
        answer = self._api.write([Part("create", "POST", path, body=body)])[0]
        if answer.is_good and isinstance(answer.body, dict) and answer.body.get("success") is True:
            return "", ""
        failure = catalogue.failure(answer.status, answer.body, f"POST {path}")
        if isinstance(failure, AuthError):
            raise failure
        errors = answer.body.get("errors") if isinstance(answer.body, dict) else answer.body
        return first_error(errors)

    def _must_create(self, name: str, body: Mapping[str, Any]) -> None:
        code, _ = self._create(f"sobjects/{name}", body)
        if code and code not in _THERE_ALREADY:
            raise ConfigError(
                f"{self._connection}: Salesforce refused to create a {name}: {code}",
                remedy="Run this as an administrator who may manage permission sets.",
            )

    def _done(self, place: str, what: str) -> Finding:
        return Finding(Level.INFO, f"{self._connection}: {place}", what)

    def _failed(self, place: str, what: str, remedy: str) -> Finding:
        return Finding(Level.ERROR, f"{self._connection}: {place}", what, remedy)


def metadata(field: FieldSpec) -> Mapping[str, Any]:
    """Our field as the Metadata of a Tooling CustomField. Never required, never unique: our fields bother nobody."""
    common = {"label": field.label, "description": field.description, "required": False}
    return {**common, **_typed(field)}


def _typed(field: FieldSpec) -> Mapping[str, Any]:
    match field.type:
        case FieldType.TEXT if field.length <= LONGEST_TEXT:
            return {"type": "Text", "length": field.length, "externalId": False, "unique": False}
        case FieldType.TEXT:
            return {"type": "LongTextArea", "length": field.length, "visibleLines": 3}
        case FieldType.CHOICE:
            return {"type": "Picklist", "valueSet": _value_set(field)}
        case FieldType.NUMBER:
            return {"type": "Number", "precision": 18, "scale": field.places}
        case FieldType.MONEY:  # a Currency field would follow the record's own currency, not ours
            return {"type": "Number", "precision": 18, "scale": SCALE}
        case FieldType.TIME:
            return {"type": "DateTime"}


def _value_set(field: FieldSpec) -> Mapping[str, Any]:
    """Not restricted: a value of a later refloop must not be refused by a picklist of today."""
    values = [{"valueName": value, "label": label, "default": False} for value, label in field.choices]
    return {"restricted": False, "valueSetDefinition": {"sorted": False, "value": values}}


def _field_permission(parent: str, wanted: _Wanted) -> dict[str, Any]:
    return {"ParentId": parent, "SobjectType": wanted.object, "Field": wanted.name}


def _codes(body: object, count: int) -> Sequence[str]:
    """The error code of each record of a collection write, "" where it worked."""
    if not isinstance(body, list) or len(body) != count:
        raise ForeignAnswer("field permissions", "it has not one result for each record")
    return [
        "" if isinstance(one, dict) and one.get("success") is True else first_error(_errors(one))[0] for one in body
    ]


def _errors(one: object) -> object:
    return one.get("errors") if isinstance(one, dict) else None


def _only_id(name: str, rows: Sequence[Row]) -> str:
    try:
        (row,) = rows
        return record_id(row.get("Id"))
    except ValueError:
        raise ForeignAnswer(f"a query of {name}", "it is not the one row there should be") from None
