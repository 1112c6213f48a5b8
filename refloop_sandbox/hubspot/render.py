"""Records as the API shows them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from refloop_sandbox.hubspot.portal import APP, Portal
from refloop_sandbox.hubspot.records import imported
from refloop_sandbox.hubspot.schema import COMPANIES, CONTACTS, DEALS, ObjectType, Property
from refloop_sandbox.hubspot.spelling import iso
from refloop_sandbox.hubspot.store import Change, Row

INLINE_ASSOCIATIONS = 100
"""How many associations of one type come with a record before `paging` points to the rest."""

COUNTED = {
    (CONTACTS.name, "num_associated_deals"): DEALS,
    (COMPANIES.name, "num_associated_deals"): DEALS,
    (COMPANIES.name, "num_associated_contacts"): CONTACTS,
    (DEALS.name, "num_associated_contacts"): CONTACTS,
}
"""Properties that count the associations of a record, by (object, property)."""

PRIMARY_COMPANY = {
    (CONTACTS.name, "associatedcompanyid"): 1,
    (DEALS.name, "hs_primary_associated_company"): 5,
}
"""Properties that name the primary company of a record, by (object, property): the type of that association."""

VERSIONS, OTHER_VERSIONS = {CONTACTS.name: 45}, 20
"""How many of a property's latest values HubSpot keeps, by object."""


@dataclass(frozen=True)
class View:
    """What of the records of one object a request asked for. `names` None is the default selection.

    `origin` is the address under which the account was asked.
    """

    portal: Portal
    kind: ObjectType
    names: Sequence[str] | None = None
    history: Sequence[str] = ()
    associations: Sequence[ObjectType] = ()
    origin: str = ""

    def shown(self, row: Row) -> dict[str, Any]:
        """One record: set properties as text, unset ones as null, unknown ones left out."""
        record: dict[str, Any] = {
            "id": str(row.id),
            "properties": self.properties(row),
            "createdAt": iso(row.created),
            "updatedAt": iso(row.modified),
            "archived": row.archived is not None,
        }
        if row.archived is not None:
            record["archivedAt"] = iso(row.archived)
        if self.history:
            record["propertiesWithHistory"] = {
                name: self._history(row, name) for name in self.history if name in self._known
            }
        if links := {kind.name: found for kind in self.associations if (found := self._links(row, kind))}:
            record["associations"] = links
        return record

    def everything(self, row: Row) -> dict[str, str]:
        """Every property that has a value."""
        return {name: value for name in self._known if (value := self._value(row, name)) is not None}

    def properties(self, row: Row) -> dict[str, str | None]:
        return {name: self._value(row, name) for name in self._wanted}

    @property
    def _known(self) -> Mapping[str, Property]:
        return self.portal.schema.properties(self.kind)

    @cached_property
    def _wanted(self) -> list[str]:
        asked = self.kind.defaults if self.names is None else self.names
        known = self._known
        return sorted(name for name in {*asked, *self.kind.always} if name in known)

    def _value(self, row: Row, name: str) -> str | None:
        if name in row.props:
            return row.props[name]
        if name == "hs_object_id":
            return str(row.id)
        if name == self.kind.created:
            return iso(row.created)
        if name == self.kind.modified:
            return iso(row.modified)
        if name == "hs_all_contact_vids":
            return str(row.id)
        return self._counted(row, name)

    def _counted(self, row: Row, name: str) -> str | None:
        store = self.portal.store
        primary = PRIMARY_COMPANY.get((self.kind.name, name))
        if primary is not None:
            pairs = store.associated(row.object, row.id, COMPANIES.number)
            return next((str(to_id) for to_id, type_id in pairs if type_id == primary), None)
        counted = COUNTED.get((self.kind.name, name))
        if counted is None:
            return None
        return str(len({to_id for to_id, _ in store.associated(row.object, row.id, counted.number)}))

    def _history(self, row: Row, name: str) -> list[dict[str, Any]]:
        changes = self.portal.store.history(row.object, row.id, name)
        value = self._value(row, name)
        if not changes and value is not None:
            changes = [imported(row, name, value)]
        return [_version(change) for change in changes[: VERSIONS.get(self.kind.name, OTHER_VERSIONS)]]

    def _links(self, row: Row, to_kind: ObjectType) -> dict[str, Any]:
        """v3 associations; a long list is cut and carries `paging.next`."""
        pairs = self.portal.store.associated(row.object, row.id, to_kind.number, limit=INLINE_ASSOCIATIONS + 1)
        names = {label.id: label.name for label in self.portal.labels.between(self.kind, to_kind)}
        shown = [{"id": str(to_id), "type": names[type_id]} for to_id, type_id in pairs[:INLINE_ASSOCIATIONS]]
        if len(pairs) > INLINE_ASSOCIATIONS:
            after = str(pairs[-1][0])
            path = f"/crm/v3/objects/{self.kind.name}/{row.id}/associations/{to_kind.name}"
            following = {"after": after, "link": f"{self.origin}{path}?after={after}"}
            return {"results": shown, "paging": {"next": following}}
        return {"results": shown} if shown else {}


def _version(change: Change) -> dict[str, Any]:
    """One value of a property's history, as recorded: what does not apply is left out."""
    shown: dict[str, Any] = {
        "value": change.value,
        "timestamp": iso(change.at),
        "sourceType": change.source,
        "sourceId": change.source_id,
    }
    user = change.source_id.removeprefix("userId:")
    if user != change.source_id:
        shown["updatedByUserId"] = int(user)
    if change.source == APP.source:
        shown["sourceLabel"] = "Local app"
    return shown
