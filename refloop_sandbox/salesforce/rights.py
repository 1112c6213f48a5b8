"""What users may do beside field-level security: objects that their profile closes, system permissions, licences.

A user may everything until something is taken away. Permission sets open objects again (ObjectPermissions, Salesforce
Object Reference). What the platform answers: Salesforce Object Reference, StatusCode.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Literal

from refloop_sandbox.salesforce.errors import ApiError, RecordError
from refloop_sandbox.salesforce.schema import SObject
from refloop_sandbox.salesforce.store import Store

Right = Literal["read", "edit"]
Permission = Literal["Customize Application", "Manage Profiles and Permission Sets"]


class Rights:
    """Who may do what. `unlicensed` users have a licence that allows no rights on standard objects (Salesforce
    Integration) and lack the permission set licence that adds them (Salesforce API Integration)."""

    def __init__(self) -> None:
        self.unlicensed: set[str] = set()
        self._closed: dict[tuple[str, str], frozenset[str]] = {}
        self._opened: set[tuple[str, str, str]] = set()
        self._without: set[tuple[str, str]] = set()

    def limit(self, user: str, sobject: SObject, to: Collection[Right]) -> None:
        """The user's profile gives these rights on an object and no others."""
        self._closed[user, sobject.name.casefold()] = frozenset(to)

    def withhold(self, user: str, permission: Permission) -> None:
        self._without.add((user, permission))

    def may(self, right: Right, sobject: SObject, user: str | None) -> bool:
        """None is somebody who may everything."""
        name = sobject.name.casefold()
        if user is None or (user, name) not in self._closed:
            return True
        return right in self._closed[user, name] or (user, name, right) in self._opened

    def check_edit(self, sobject: SObject, user: str) -> None:
        """Raises the RecordError of somebody who may not write records of an object."""
        may_manage = (user, "Manage Profiles and Permission Sets") not in self._without
        if not self.may("edit", sobject, user) or (sobject.setup and not may_manage):
            message = "insufficient access rights on object id"
            raise RecordError("INSUFFICIENT_ACCESS_OR_READONLY", message, status=403)

    def check_customize(self, user: str) -> None:
        """Raises the ApiError of somebody who may not change the schema."""
        if (user, "Customize Application") in self._without:
            raise ApiError(403, "INSUFFICIENT_ACCESS", "insufficient access rights on object: CustomField")

    def check_licence(self, store: Store, user: str, permission_set: str) -> None:
        """Raises RecordError where the user's licence does not allow what a permission set grants."""
        if user not in self.unlicensed:
            return
        sql = (
            "SELECT SobjectType FROM ObjectPermissions WHERE ParentId = ? "
            "UNION SELECT SobjectType FROM FieldPermissions WHERE ParentId = ? ORDER BY 1"
        )
        for (name,) in store.execute(sql, (permission_set, permission_set)):
            message = f"Can't assign permission set. The user license doesn't allow the permission: Read {name}"
            raise RecordError("FIELD_INTEGRITY_EXCEPTION", message)

    def refresh(self, store: Store) -> None:
        """Works out anew what permission sets open."""
        rows = store.execute(
            "SELECT a.AssigneeId, lower(o.SobjectType), o.PermissionsRead, o.PermissionsEdit FROM ObjectPermissions o "
            "JOIN PermissionSetAssignment a ON a.PermissionSetId = o.ParentId"
        )
        self._opened = {
            (user, name, right)
            for user, name, read, edit in rows
            for right, given in (("read", read), ("edit", edit))
            if given
        }
