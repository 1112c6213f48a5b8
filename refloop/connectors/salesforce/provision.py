"""Creates our fields, and a permission set that lets the run user see and edit them. Safe to repeat."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from refloop.connectors.salesforce.account import Account
from refloop.connectors.salesforce.answers import first_error
from refloop.connectors.salesforce.batch import COLLECTION
from refloop.connectors.salesforce.client import Client, ForeignAnswer, Part
from refloop.connectors.salesforce.fields import ObjectSchema
from refloop.connectors.salesforce.ids import record_id
from refloop.connectors.salesforce.look import unfit
from refloop.connectors.salesforce.metadata import (
    MARK,
    PERMISSION_SET,
    PERMISSION_SET_LABEL,
    READER_SET,
    OwnField,
    metadata,
    own_fields,
)
from refloop.connectors.salesforce.names import OBJECTS, crm_name
from refloop.connectors.salesforce.setup import CUSTOMIZE, LICENCE, MANAGE, Setup, only_id, refusal
from refloop.connectors.salesforce.soql import quoted_id, quoted_name
from refloop.errors import ConfigError
from refloop.model import FieldSpec, Finding, Level

_CORRECT = "Correct what Salesforce names, then run `refloop provision` again."
_UNSEEN = f"the fields are seen by the run user alone ({PERMISSION_SET}), and stand on no page layout or list view"
_SHOW = (
    f"Deploy what `refloop provision --print-metadata` prints (the permission set {READER_SET} and list views), assign "
    f"{READER_SET} to those who shall see the fields, and put them on the page layouts (Setup > Object Manager > Lead, "
    "Contact, Opportunity > Page Layouts)."
)
_THERE_ALREADY = frozenset({"DUPLICATE_DEVELOPER_NAME", "DUPLICATE_VALUE"})


class Provisioner:
    """Provisions one connection. Creating a field needs "Customize Application", the rest "Manage Permission Sets".

    A field made by the API is visible to nobody until field-level security says so; and that is not part of
    the Tooling API (Salesforce object reference, FieldPermissions), hence the permission set.
    """

    def __init__(self, connection: str, client: Client, account: Account) -> None:
        self._connection = connection
        self._client = client
        self._account = account
        self._setup = Setup(connection, client)

    def findings(self, fields: Sequence[FieldSpec]) -> Iterator[Finding]:
        """One finding for each thing that was created, was there already, or could not be created."""
        schemas = self._account.schemas(afresh=True)
        self._account.forget()
        usable: list[OwnField] = []
        for wanted in own_fields(fields):
            finding = self._field(wanted, schemas[wanted.object])
            if finding.level is not Level.ERROR:
                usable.append(wanted)
            yield finding
        if usable:
            yield from self._permissions(usable, schemas)

    def _field(self, wanted: OwnField, schema: ObjectSchema) -> Finding:
        if schema.find(crm_name(wanted.field)) is not None:
            if fault := unfit(schema, wanted.field):
                return self._setup.failed(wanted.name, fault, "Rename that field, or choose another prefix for ours.")
            return self._setup.done(wanted.name, "is there already")
        body = {"FullName": wanted.name, "Metadata": metadata(wanted.field)}
        code, message = self._create("tooling/sobjects/CustomField", body, CUSTOMIZE)
        if code in _THERE_ALREADY:
            return self._setup.done(wanted.name, "is there already, not visible to the run user so far")
        if code:
            return self._setup.failed(wanted.name, f"could not be created: {code} {message}".strip(), _CORRECT)
        return self._setup.done(wanted.name, "created")

    def _permissions(self, usable: Sequence[OwnField], schemas: Mapping[str, ObjectSchema]) -> Iterator[Finding]:
        known = self._setup.query("PermissionSet", "Name", f"Name = {quoted_name(PERMISSION_SET)}")
        if not known:
            self._must_create(
                "PermissionSet", {"Name": PERMISSION_SET, "Label": PERMISSION_SET_LABEL, "Description": MARK}
            )
            known = self._setup.query("PermissionSet", "Name", f"Name = {quoted_name(PERMISSION_SET)}")
            yield self._setup.done(f"permission set {PERMISSION_SET}", "created")
        else:
            yield self._setup.done(f"permission set {PERMISSION_SET}", "is there already")
        parent = only_id("PermissionSet", known)
        ours = (schemas[name] for name in OBJECTS.values())
        yield from self._objects(parent, [schema for schema in ours if not schema.updateable])
        yield from self._visible(parent, usable)
        yield self._assigned(parent)
        yield self._setup.told("people", _UNSEEN, _SHOW)

    def _objects(self, parent: str, closed: Sequence[ObjectSchema]) -> Iterator[Finding]:
        """Lets the run user edit the objects that he may not edit so far, and no others."""
        if not closed:
            return
        rows = self._setup.query("ObjectPermissions", "SobjectType, PermissionsEdit", f"ParentId = {quoted_id(parent)}")
        open_ = {str(row.get("SobjectType")) for row in rows}
        for name in (schema.name for schema in closed if schema.name not in open_):
            rights = {"PermissionsRead": True, "PermissionsEdit": True}
            self._must_create("ObjectPermissions", {"ParentId": parent, "SobjectType": name, **rights})
            yield self._setup.done(f"{name} in {PERMISSION_SET}", "may be read and edited now")

    def _visible(self, parent: str, usable: Sequence[OwnField]) -> Iterator[Finding]:
        rows = self._setup.query("FieldPermissions", "Field, PermissionsEdit", f"ParentId = {quoted_id(parent)}")
        known = {str(row.get("Field")).casefold(): row for row in rows}
        rights = {"PermissionsRead": True, "PermissionsEdit": True}
        missing: list[OwnField] = []
        narrow: list[tuple[OwnField, dict[str, Any]]] = []
        for wanted in usable:
            row = known.get(wanted.name.casefold())
            if row is None:
                missing.append(wanted)
            elif row.get("PermissionsEdit") is not True:
                narrow.append((wanted, {"id": record_id(row["Id"]), **rights}))
            else:
                yield self._setup.done(f"{wanted.name} in {PERMISSION_SET}", "may be edited already")
        yield from self._grant("PATCH", narrow)
        yield from self._grant("POST", [(one, _field_permission(parent, one) | rights) for one in missing])

    def _grant(self, method: str, rights: Sequence[tuple[OwnField, Mapping[str, Any]]]) -> Iterator[Finding]:
        for start in range(0, len(rights), COLLECTION):
            some = rights[start : start + COLLECTION]
            records = [{"attributes": {"type": "FieldPermissions"}, **body} for _, body in some]
            part = Part("grants", method, "composite/sobjects", body={"allOrNone": False, "records": records})
            answer = self._client.write([part])[0]
            if not answer.is_good:
                code, message = refusal(answer, "field permissions", MANAGE)
                raise ConfigError(f"Salesforce refused field permissions: {code} {message}".strip(), remedy=_CORRECT)
            for (wanted, _), (code, message) in zip(some, _results(answer.body, len(some)), strict=True):
                place = f"{wanted.name} in {PERMISSION_SET}"
                if code:
                    said = f"could not be made editable: {code} {message}".strip()
                    yield self._setup.failed(place, said, _remedy(message, f"Add it to {PERMISSION_SET} in Setup."))
                else:
                    yield self._setup.done(place, "may be edited now")

    def _assigned(self, parent: str) -> Finding:
        user = self._client.user_id()
        try:
            user = record_id(user)
        except ValueError:
            raise ForeignAnswer("GET /services/oauth2/userinfo", "it names no user") from None
        where = f"AssigneeId = {quoted_id(user)} AND PermissionSetId = {quoted_id(parent)}"
        place = f"permission set {PERMISSION_SET}"
        if self._setup.query("PermissionSetAssignment", "AssigneeId", where):
            return self._setup.done(place, "is assigned to the run user already")
        body = {"AssigneeId": user, "PermissionSetId": parent}
        code, message = self._create("sobjects/PermissionSetAssignment", body, MANAGE)
        if code and code not in _THERE_ALREADY:
            said = f"could not be assigned to the run user: {code} {message}".strip()
            return self._setup.failed(place, said, _remedy(message, "Assign it to the run user in Setup."))
        return self._setup.done(place, "assigned to the run user")

    def _create(self, path: str, body: Mapping[str, Any], needs: str) -> tuple[str, str]:
        """Creates one thing; gives the error code and the org's sentence, "" twice when it worked. Raises AuthError."""
        answer = self._client.write([Part("create", "POST", path, body=body)])[0]
        if answer.is_good and isinstance(answer.body, dict) and answer.body.get("success") is True:
            return "", ""
        return refusal(answer, f"POST {path}", needs)

    def _must_create(self, name: str, body: Mapping[str, Any]) -> None:
        code, message = self._create(f"sobjects/{name}", body, MANAGE)
        if code and code not in _THERE_ALREADY:
            said = f"Salesforce refused to create a {name}: {code} {message}".strip()
            raise ConfigError(said, remedy=_remedy(message, MANAGE))


def _remedy(message: str, otherwise: str) -> str:
    """What to do about the org's sentence: a licence that does not allow a permission says so in these words."""
    return LICENCE if "license doesn't allow" in message else otherwise


def _field_permission(parent: str, wanted: OwnField) -> dict[str, Any]:
    return {"ParentId": parent, "SobjectType": wanted.object, "Field": wanted.name}


def _results(body: object, count: int) -> Sequence[tuple[str, str]]:
    """Error code and sentence of each record of a collection write, "" twice where it worked."""
    if not isinstance(body, list) or len(body) != count:
        raise ForeignAnswer("field permissions", "it has not one result for each record")
    return [
        ("", "") if isinstance(one, dict) and one.get("success") is True else first_error(_errors(one)) for one in body
    ]


def _errors(one: object) -> object:
    return one.get("errors") if isinstance(one, dict) else None
