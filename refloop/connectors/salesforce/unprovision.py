"""Takes back what `provision` made: our fields with what stands in them, and the permission set. Safe to repeat."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from refloop.connectors.salesforce.account import Account
from refloop.connectors.salesforce.answers import Row, first_error
from refloop.connectors.salesforce.batch import COLLECTION
from refloop.connectors.salesforce.client import MOST_PARTS, Client, ForeignAnswer, Part, PartAnswer
from refloop.connectors.salesforce.errors import SchemaChanged
from refloop.connectors.salesforce.ids import record_id
from refloop.connectors.salesforce.metadata import MARK, PERMISSION_SET, OwnField, own_fields
from refloop.connectors.salesforce.names import OBJECTS, crm_name
from refloop.connectors.salesforce.setup import CUSTOMIZE, MANAGE, Setup, only_id, refusal
from refloop.connectors.salesforce.soql import filled_query, quoted_id, quoted_name
from refloop.model import FieldSpec, Finding

_GONE = frozenset({"NOT_FOUND", "ENTITY_IS_DELETED", "INVALID_CROSS_REFERENCE_KEY"})
_USED = "Take it out of what uses it (a flow, a report, a formula), then run this again."
_FOREIGN = "Delete it in Setup if nobody needs it."


class Remover:
    """Takes back for one connection. Needs the same rights as provisioning.

    What is ours says so itself: its description begins with `MARK`. Whatever else has one of our names stays.
    """

    def __init__(self, connection: str, client: Client, account: Account) -> None:
        self._client = client
        self._account = account
        self._setup = Setup(connection, client)

    def findings(self, fields: Sequence[FieldSpec], *, preview: bool = False) -> Iterator[Finding]:
        """One finding for each thing that was removed, was left alone, or could not be removed; of a `preview`, for
        each that would be.
        """
        self._account.forget()
        there = self._custom_fields(fields)
        left = {name for name, row in there.items() if _is_marked(row)}
        going: list[OwnField] = []
        for own in own_fields(fields):
            if own.name.casefold() in left:
                going.append(own)
            elif own.name.casefold() in there:
                yield self._setup.left(own.name, "was not made by refloop, so it is left alone", _FOREIGN)
        for own, filled in zip(going, self._filled(going), strict=True):
            path = f"tooling/sobjects/CustomField/{_id(there[own.name.casefold()])}"
            code, message = ("", "") if preview else self._delete(path)
            if code:
                yield self._setup.failed(own.name, f"could not be removed: {code} {message}".strip(), _USED)
            else:
                left.remove(own.name.casefold())
                yield self._setup.done(own.name, f"{_removed(preview=preview)}, with {_values(filled)}")
        if not left:
            yield from self._permission_set(preview=preview)

    def _custom_fields(self, fields: Sequence[FieldSpec]) -> Mapping[str, Row]:
        """The org's own custom fields of our objects, by name; those of packages are not looked at."""
        try:
            return self._named(", Description")
        except SchemaChanged:
            pass  # the docs promise the description as a part of the metadata only, which comes record by record
        there = self._named("")
        granted = self._setup.query("FieldPermissions", "Field", f"Parent.Name = {quoted_name(PERMISSION_SET)}")
        asked = {str(row.get("Field")).casefold() for row in granted} | {
            one.name.casefold() for one in own_fields(fields)
        }
        return {name: self._described(row) if name in asked else row for name, row in there.items()}

    def _named(self, more: str) -> Mapping[str, Row]:
        where = f"TableEnumOrId IN ({', '.join(map(quoted_name, OBJECTS.values()))})"
        columns = f"DeveloperName, TableEnumOrId, NamespacePrefix{more}"
        rows = self._setup.query("CustomField", columns, where, tooling=True)
        return {
            f"{row.get('TableEnumOrId')}.{row.get('DeveloperName')}__c".casefold(): row
            for row in rows
            if not row.get("NamespacePrefix")
        }

    def _described(self, row: Row) -> Row:
        body = self._client.call(Part("field", "GET", f"tooling/sobjects/CustomField/{_id(row)}"))
        metadata = body.get("Metadata") if isinstance(body, dict) else None
        return {**row, "Description": metadata.get("description") if isinstance(metadata, dict) else None}

    def _filled(self, going: Sequence[OwnField]) -> Sequence[int | None]:
        """How many records hold a value in each field; None where Salesforce cannot say (long texts, hidden fields)."""
        parts = [
            Part(f"filled{place}", "GET", "query", {"q": filled_query(own.object, crm_name(own.field))})
            for place, own in enumerate(going)
        ]
        answers: list[PartAnswer] = []
        for start in range(0, len(parts), MOST_PARTS):
            answers += self._client.together(parts[start : start + MOST_PARTS])
        return [_count(answer) for answer in answers]

    def _permission_set(self, *, preview: bool) -> Iterator[Finding]:
        place = f"permission set {PERMISSION_SET}"
        known = self._setup.query("PermissionSet", "Name, Description", f"Name = {quoted_name(PERMISSION_SET)}")
        if not known:
            return
        parent = only_id("PermissionSet", known)
        if not _is_marked(known[0]):
            yield self._setup.left(place, "was not made by refloop, so it is left alone", _FOREIGN)
            return
        where = f"PermissionSetId = {quoted_id(parent)}"
        assigned = [_id(row) for row in self._setup.query("PermissionSetAssignment", "AssigneeId", where)]
        users = "1 user" if len(assigned) == 1 else f"{len(assigned)} users"
        code, message = ("", "") if preview else self._dissolve(parent, assigned)
        if code:
            yield self._setup.failed(place, f"could not be removed: {code} {message}".strip(), _USED)
        else:
            yield self._setup.done(place, f"{_removed(preview=preview)}; it was assigned to {users}")

    def _dissolve(self, permission_set: str, assigned: Sequence[str]) -> tuple[str, str]:
        for start in range(0, len(assigned), COLLECTION):
            some = {"ids": ",".join(assigned[start : start + COLLECTION]), "allOrNone": "false"}
            self._client.write([Part("remove", "DELETE", "composite/sobjects", some)])
        return self._delete(f"sobjects/PermissionSet/{permission_set}")

    def _delete(self, path: str) -> tuple[str, str]:
        """Deletes one thing; gives the error code and message, "" twice when it is gone. Raises AuthError."""
        answer = self._client.write([Part("remove", "DELETE", path)])[0]
        if answer.is_good or first_error(answer.body)[0] in _GONE:
            return "", ""
        return refusal(answer, f"DELETE {path}", CUSTOMIZE if path.startswith("tooling/") else MANAGE)


def _is_marked(row: Row) -> bool:
    return str(row.get("Description") or "").startswith(MARK)


def _id(row: Row) -> str:
    try:
        return record_id(row.get("Id"))
    except ValueError:
        raise ForeignAnswer("a query of Setup", "it has a row without an id") from None


def _count(answer: PartAnswer) -> int | None:
    found = answer.body.get("totalSize") if answer.is_good and isinstance(answer.body, dict) else None
    return found if isinstance(found, int) else None


def _removed(*, preview: bool) -> str:
    return "would be removed" if preview else "removed"


def _values(filled: int | None) -> str:
    if filled is None:
        return "whatever it held"
    return "the value it held in 1 record" if filled == 1 else f"the values it held in {filled} records"
