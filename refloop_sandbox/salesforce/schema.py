"""Objects and fields, and who may see them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache

from refloop_sandbox.salesforce.errors import ApiError

TEXTS = frozenset({"string", "textarea", "email", "phone", "url", "picklist", "multipicklist", "encryptedstring"})
NUMBERS = frozenset({"double", "currency", "percent"})
IDS = frozenset({"id", "reference"})


@dataclass(frozen=True, slots=True)
class Field:
    """One field, in the words of `describe`. `length` in characters; `targets` are what a reference may name."""

    name: str
    type: str
    label: str = ""
    length: int = 0
    precision: int = 18
    scale: int = 2
    nillable: bool = True
    createable: bool = True
    updateable: bool = True
    custom: bool = False
    calculated: bool = False
    external_id: bool = False
    unique: bool = False
    name_field: bool = False
    restricted: bool = False
    picklist: tuple[str, ...] = ()
    default: object = None
    targets: tuple[str, ...] = ()
    relationship: str | None = None
    help: str | None = None

    @property
    def permissionable(self) -> bool:
        """Whether field-level security applies: to custom fields, unless they are required; a checkbox never is."""
        return self.custom and (self.nillable or self.type == "boolean")


@dataclass(slots=True)
class SObject:
    """One object. `fields` is keyed by the casefolded name, since the API ignores case there."""

    name: str
    label: str
    plural: str
    prefix: str
    fields: dict[str, Field] = field(default_factory=dict)
    createable: bool = True
    updateable: bool = True
    deletable: bool = True
    replicateable: bool = True
    mergeable: bool = False
    setup: bool = False
    tooling: bool = False

    @property
    def soft_deletes(self) -> bool:
        return "isdeleted" in self.fields

    @property
    def stamped(self) -> bool:
        return "systemmodstamp" in self.fields

    def field(self, name: str) -> Field:
        """Raises KeyError for a field that does not exist."""
        return self.fields[name.casefold()]

    def references(self) -> Iterator[Field]:
        return (item for item in self.fields.values() if item.type == "reference")


class Schema:
    """All objects by casefolded name. Grants decide which custom fields a user sees.

    A field that was made through the API is seen by nobody until a permission set that grants it is assigned
    (FieldPermissions, Salesforce Object Reference).
    """

    def __init__(self, objects: Iterable[SObject]) -> None:
        self._objects = {item.name.casefold(): item for item in objects}
        self._grants: Mapping[str, Mapping[str, bool]] = {}
        self.version = 0
        self._readable = lru_cache(maxsize=1024)(self._find_readable)

    def __iter__(self) -> Iterator[SObject]:
        return iter(self._objects.values())

    def get(self, name: str) -> SObject | None:
        return self._objects.get(name.casefold())

    def named(self, name: str, *, tooling: bool = False) -> SObject:
        """Raises ApiError NOT_FOUND for an object that does not exist or belongs to the other API."""
        found = self.get(name)
        if found is None or (found.tooling and not tooling):
            raise ApiError(404, "NOT_FOUND", "The requested resource does not exist")
        return found

    def by_prefix(self, prefix: str) -> SObject | None:
        return next((item for item in self if item.prefix == prefix), None)

    def changed(self) -> None:
        """Forgets what was worked out from the fields and grants."""
        self.version += 1
        self._readable.cache_clear()

    def grant(self, grants: Mapping[str, Mapping[str, bool]]) -> None:
        """Sets, for each user, the casefolded `Object.Field` that are readable, and whether writable too."""
        self._grants = grants
        self.changed()

    def readable(self, sobject: SObject, user: str | None) -> Mapping[str, Field]:
        """The fields that `user` sees. None is somebody who sees all."""
        return sobject.fields if user is None else self._readable(sobject.name, user)

    def _find_readable(self, name: str, user: str) -> Mapping[str, Field]:
        granted = self._grants.get(user, {})
        fields = self._objects[name.casefold()].fields
        return {
            key: item
            for key, item in fields.items()
            if not item.permissionable or f"{name}.{item.name}".casefold() in granted
        }

    def writable(self, sobject: SObject, item: Field, user: str | None) -> bool:
        """Whether field-level security lets `user` write the field."""
        if user is None or not item.permissionable:
            return True
        return self._grants.get(user, {}).get(f"{sobject.name}.{item.name}".casefold(), False)
