"""Field histories: a row a change of a tracked field, in the history object of its object.

Source: Salesforce object reference, LeadHistory, ContactHistory, OpportunityFieldHistory: `Field` is the API name of
the field, "created" for the creation of the record; a long text is told as changed, its values are not kept. What a
record was created with makes no rows of fields.
"""

from __future__ import annotations

from collections.abc import Collection

from refloop_sandbox.salesforce.errors import RecordError
from refloop_sandbox.salesforce.schema import Field, Schema, SObject
from refloop_sandbox.salesforce.store import Store
from refloop_sandbox.salesforce.values import Stored

OBJECTS = {
    "Lead": ("LeadHistory", "LeadId"),
    "Contact": ("ContactHistory", "ContactId"),
    "Opportunity": ("OpportunityFieldHistory", "OpportunityId"),
}
_MOST = 20
_LONG = 255


class History:
    """Which fields of an org are `tracked`, by object, and their rows."""

    def __init__(self, store: Store, schema: Schema) -> None:
        self._store = store
        self._schema = schema
        self.tracked: dict[str, frozenset[str]] = {}

    def track(self, sobject: SObject, fields: Collection[str]) -> None:
        """Raises KeyError for an object without a history or a field that does not exist."""
        names = self.tracked.get(sobject.name, frozenset()) | {sobject.field(name).name for name in fields}
        if len(names) > _MOST:
            raise RecordError("LIMIT_EXCEEDED", f"{_MOST} fields of an object can be tracked")
        _ = OBJECTS[sobject.name]
        self.tracked[sobject.name] = names

    def note_created(self, sobject: SObject, row: dict[str, Stored]) -> None:
        if sobject.name in self.tracked:
            self._add(sobject, row, "created", None, None)

    def note_changes(self, sobject: SObject, row: dict[str, Stored], before: dict[str, Stored]) -> None:
        for name in sorted(self.tracked.get(sobject.name, ())):
            was, now = before.get(name), row.get(name)
            if was != now:
                values = (None, None) if _is_long(sobject.field(name)) else (_text(was), _text(now))
                self._add(sobject, row, name, *values)

    def _add(self, sobject: SObject, row: dict[str, Stored], name: str, was: Stored, now: Stored) -> None:
        kept, parent = OBJECTS[sobject.name]
        values: dict[str, Stored] = {
            "Id": self._store.next_id("017"), parent: row["Id"], "Field": name, "OldValue": was, "NewValue": now,
            "CreatedDate": row["SystemModstamp"], "CreatedById": row["LastModifiedById"], "IsDeleted": 0,
        }  # fmt: skip
        self._store.insert(self._schema.named(kept), [values], list(values))

    def remove(self, sobject: SObject, record_id: str) -> None:
        """A record that is removed for good takes its history along."""
        if sobject.name in OBJECTS:
            kept, parent = OBJECTS[sobject.name]
            history = self._schema.named(kept)
            for row in list(self._store.where(history, {parent: record_id})):
                self._store.remove(history, str(row["Id"]))


def _is_long(item: Field) -> bool:
    return item.type == "textarea" and item.length > _LONG


def _text(value: Stored) -> Stored:
    return None if value is None else str(value)
