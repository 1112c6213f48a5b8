"""Creating, changing and deleting records, with what the platform enforces."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from refloop_sandbox.salesforce import object_rules
from refloop_sandbox.salesforce.errors import ApiError, RecordError, no_such_record
from refloop_sandbox.salesforce.guards import Guards
from refloop_sandbox.salesforce.history import History
from refloop_sandbox.salesforce.ids import full_id
from refloop_sandbox.salesforce.rights import Rights
from refloop_sandbox.salesforce.schema import Field, Schema, SObject
from refloop_sandbox.salesforce.store import Store
from refloop_sandbox.salesforce.tables import Tables
from refloop_sandbox.salesforce.values import Stored, stored

Row = dict[str, Stored]

PERSON_FIELDS = {"FirstName": "FirstName", "LastName": "LastName", "PersonEmail": "Email"}
"""Fields of a person account -> those of its contact."""


@dataclass(frozen=True, slots=True)
class Actor:
    """Who writes. `api` is a client of the API: field-level security, locks and refusals hold for it.

    `assign` runs the active assignment rule on leads.
    """

    user: str
    api: bool = False
    assign: bool = False

    @property
    def sight(self) -> str | None:
        """Whose field-level security applies; None sees all."""
        return self.user if self.api else None


class Records(Tables):
    """All writes go through here. `assign_to` is the queue of the active lead assignment rule, or None."""

    def __init__(self, store: Store, schema: Schema, clock: Callable[[], datetime]) -> None:
        super().__init__(store, schema, clock)
        self.assign_to: str | None = None
        self.guards = Guards(clock)
        self.rights = Rights()
        self.history = History(store, schema)

    def create(self, sobject: SObject, fields: Mapping[str, object], actor: Actor) -> str:
        """Adds a record and gives its id. Raises ApiError or RecordError where the platform refuses."""
        if not sobject.createable:
            message = f"entity type {sobject.name} does not support create"
            raise RecordError("INVALID_TYPE_FOR_OPERATION", message)
        row = self.defaults(sobject)
        row.update(self._accepted(sobject, fields, actor, creating=True))
        object_rules.check_required(sobject, row)
        row["Id"] = self.store.next_id(sobject.prefix)
        row.update(self._stamps(actor, creating=True))
        with self.store.transaction():
            self._guard(sobject, ({**row, "Id": None},), actor)
            if sobject.name == "PermissionSetAssignment":
                self.rights.check_licence(self.store, str(row["AssigneeId"]), str(row["PermissionSetId"]))
            self._finish(sobject, row, {}, actor)
            self.store.insert(sobject, [row], list(row))
            self.history.note_created(sobject, row)
            self._follow(sobject, row, {}, actor)
        return str(row["Id"])

    def update(self, sobject: SObject, record_id: str, fields: Mapping[str, object], actor: Actor) -> None:
        """Changes fields of a record; stamps it even when no value differs, as the platform does."""
        before = self.existing(sobject, record_id)
        if not sobject.updateable:
            raise RecordError("INVALID_TYPE_FOR_OPERATION", f"entity type {sobject.name} does not support update")
        self._guard(sobject, (before,), actor)
        if before.get("IsConverted") and sobject.name == "Lead":
            raise RecordError("CANNOT_UPDATE_CONVERTED_LEAD", "cannot reference converted lead")
        values = self._accepted(sobject, fields, actor, creating=False)
        object_rules.check_cleared(sobject, values)
        self.write(sobject, before, values, actor)

    def write(self, sobject: SObject, before: Row, values: Row, actor: Actor) -> None:
        """Writes accepted values over `before`, with stamps and whatever follows from them."""
        row = {**before, **values, **self._stamps(actor, creating=False)}
        if row.get("AccountId") != before.get("AccountId"):
            self._guard(sobject, ({"AccountId": row["AccountId"]},), actor)
        with self.store.transaction():
            self._finish(sobject, row, before, actor)
            changed = {name: value for name, value in row.items() if before.get(name) != value or name in values}
            if changed:
                self.store.update(sobject, str(before["Id"]), changed)
            self.history.note_changes(sobject, row, before)
            self._follow(sobject, row, before, actor)

    def _follow(self, sobject: SObject, row: Row, before: Row, actor: Actor) -> None:
        """What a write changes beside the record itself."""
        object_rules.after_write(self, sobject, row)
        self._rights_changed(sobject)
        if sobject.name == "Opportunity" and not before and row.get("ContactId"):
            # object reference, Opportunity.ContactId: "derived from the opportunity contact role that was created at
            # the same time as the opportunity"
            role = {"OpportunityId": row["Id"], "ContactId": row["ContactId"], "IsPrimary": True}
            self.create(self.schema.named("OpportunityContactRole"), role, actor)
        if before and row.get("IsPersonAccount") and sobject.name == "Account":
            self._share(row, before, actor)

    def _share(self, row: Row, before: Row, actor: Actor) -> None:
        """What was changed of a person account stands on its contact too."""
        changed: Row = {
            contact: row[name] for name, contact in PERSON_FIELDS.items() if row.get(name) != before.get(name)
        }
        if changed:
            contacts = self.schema.named("Contact")
            self.write(contacts, self.existing(contacts, str(row["PersonContactId"])), changed, actor)

    def delete(self, sobject: SObject, record_id: str, actor: Actor, *, hard: bool = False) -> None:
        """Moves a record to the recycle bin, or past it when `hard` or when the object has none; its parts follow."""
        if not sobject.deletable:
            raise RecordError("INVALID_TYPE_FOR_OPERATION", f"entity type {sobject.name} does not support delete")
        row = self.existing(sobject, record_id, deleted=hard)
        self._guard(sobject, (row,), actor)
        with self.store.transaction():
            for part, child in object_rules.parts(self, sobject, row):
                self.delete(part, child, actor, hard=hard)
            self.mark_deleted(sobject, row, actor, hard=hard)
            object_rules.after_write(self, sobject, row)
            self._rights_changed(sobject)

    def _rights_changed(self, sobject: SObject) -> None:
        if sobject.name in ("ObjectPermissions", "PermissionSetAssignment"):
            self.rights.refresh(self.store)
            self.schema.changed()

    def mark_deleted(
        self, sobject: SObject, row: Row, actor: Actor, *, hard: bool = False, master: str | None = None
    ) -> None:
        """Marks one record deleted (or removes it) and notes it in the deletion log."""
        record_id = str(row["Id"])
        if hard or not sobject.soft_deletes:
            self.store.remove(sobject, record_id)
            self.history.remove(sobject, record_id)
        else:
            values: Row = {"IsDeleted": 1, **self._stamps(actor, creating=False)}
            if master is not None:
                values["MasterRecordId"] = master
            self.store.update(sobject, record_id, values)
        if not row.get("IsDeleted"):
            log = "INSERT INTO deletions (object, id, at) VALUES (?, ?, ?)"
            self.store.execute(log, (sobject.name, record_id, self.stamp()))

    def undelete(self, sobject: SObject, record_id: str, actor: Actor) -> None:
        """Takes a record out of the recycle bin."""
        row = self.existing(sobject, record_id, deleted=True)
        with self.store.transaction():
            self.store.update(sobject, str(row["Id"]), {"IsDeleted": 0, **self._stamps(actor, creating=False)})
            self.store.execute("DELETE FROM deletions WHERE id = ?", (str(row["Id"]),))

    def existing(self, sobject: SObject, record_id: str, *, deleted: bool = False) -> Row:
        """The row of a record. Raises RecordError for a malformed or unknown id, or a deleted record."""
        full = full_id(record_id)
        if full is None:
            raise RecordError("MALFORMED_ID", f"{sobject.name} ID: id value of incorrect type: {record_id}", "Id")
        row = self.store.row(sobject, full)
        if row is None:
            raise no_such_record()
        if row.get("IsDeleted") and not deleted:
            raise RecordError("ENTITY_IS_DELETED", "entity is deleted", status=404)
        return row

    def _guard(self, sobject: SObject, rows: tuple[Row, ...], actor: Actor) -> None:
        if actor.api:
            self.rights.check_edit(sobject, actor.user)
            for row in rows:
                self.guards.check_record(str(row.get("Id")))
            self.guards.check_locks(sobject, rows)

    def defaults(self, sobject: SObject) -> Row:
        row: Row = {
            item.name: stored(item, item.default) for item in sobject.fields.values() if item.default is not None
        }
        row.update(object_rules.defaults(self, sobject))
        return row

    def _accepted(self, sobject: SObject, fields: Mapping[str, object], actor: Actor, *, creating: bool) -> Row:
        row: Row = {}
        locked = []
        for name, value in fields.items():
            item = sobject.fields.get(name.casefold())
            if item is None:
                raise RecordError("INVALID_FIELD", f"No such column '{name}' on sobject of type {sobject.name}")
            if not self._may_write(sobject, item, actor, creating=creating):
                locked.append(item.name)
            else:
                row[item.name] = stored(item, value)
        if locked:
            raise _locked(locked)
        return row

    def _may_write(self, sobject: SObject, item: Field, actor: Actor, *, creating: bool) -> bool:
        allowed = item.createable if creating else item.updateable
        return allowed and self.schema.writable(sobject, item, actor.sight)

    def _stamps(self, actor: Actor, *, creating: bool) -> Row:
        now = self.stamp()
        row: Row = {"LastModifiedDate": now, "LastModifiedById": actor.user, "SystemModstamp": now}
        return {**row, "CreatedDate": now, "CreatedById": actor.user} if creating else row

    def _finish(self, sobject: SObject, row: Row, before: Row, actor: Actor) -> None:
        if "ownerid" in sobject.fields:
            row["OwnerId"] = row.get("OwnerId") or actor.user
        if sobject.name == "Lead" and actor.assign and self.assign_to is not None:
            row["OwnerId"] = self.assign_to
        object_rules.derive(self, sobject, row, before)
        object_rules.check_references(self, sobject, row, before)
        object_rules.check_unique(self, sobject, row, before)
        self.guards.check_rules(sobject, row, before)


def _locked(names: list[str]) -> RecordError:
    message = (
        f"Unable to create/update fields: {', '.join(names)}. Please check the security settings of this field and "
        "verify that it is read/write for your profile or permission set."
    )
    return RecordError("INVALID_FIELD_FOR_INSERT_UPDATE", message, *names)


def identified(record_id: str) -> str:
    """The 18-character form. Raises ApiError NOT_FOUND as a URL with a bad id does."""
    full = full_id(record_id)
    if full is None:
        message = f"Provided external ID field does not exist or is not accessible: {record_id}"
        raise ApiError(404, "NOT_FOUND", message)
    return full
