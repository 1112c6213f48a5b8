"""The owners of an account: users who own records, and those who did before they left."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

_FIRST_ID = 41_000_001
_USER_IDS = 9_000_000


@dataclass(frozen=True, slots=True)
class Owner:
    """A user under the id that records name them by; `archived` when they have left."""

    id: int
    email: str
    first_name: str
    last_name: str
    created: str
    updated: str
    archived: bool = False

    @property
    def user_id(self) -> int:
        return self.id + _USER_IDS

    def shown(self) -> dict[str, Any]:
        """The owner as `GET /crm/owners` answers it: one who has left is nobody's user any more."""
        return {
            "id": str(self.id),
            "email": self.email,
            "type": "PERSON",
            "firstName": self.first_name,
            "lastName": self.last_name,
            "userId": None if self.archived else self.user_id,
            "userIdIncludingInactive": self.user_id,
            "createdAt": self.created,
            "updatedAt": self.updated,
            "archived": self.archived,
        }


@dataclass
class Owners:
    """All of them, by id."""

    _by_id: dict[str, Owner] = field(default_factory=dict)

    def kept(self) -> list[dict[str, Any]]:
        """All owners as JSON has them."""
        return [asdict(owner) for owner in self._by_id.values()]

    def reopen(self, kept: Iterable[Mapping[str, Any]]) -> None:
        """Puts the owners that were kept in the place of these."""
        self._by_id = {str(one["id"]): Owner(**one) for one in kept}

    def add(self, email: str, first_name: str, last_name: str, now: str) -> str:
        owner = Owner(_FIRST_ID + len(self._by_id), email, first_name, last_name, now, now)
        self._by_id[str(owner.id)] = owner
        return str(owner.id)

    def rename(self, owner_id: str, first_name: str, last_name: str, now: str) -> None:
        """Raises KeyError for an owner who is not there."""
        changed = replace(self._there(owner_id), first_name=first_name, last_name=last_name, updated=now)
        self._by_id[owner_id] = changed

    def archive(self, owner_id: str, now: str) -> None:
        """Raises KeyError for an owner who is not there."""
        self._by_id[owner_id] = replace(self._there(owner_id), archived=True, updated=now)

    def _there(self, owner_id: str) -> Owner:
        if owner_id not in self._by_id:
            raise KeyError(f"owner {owner_id}")
        return self._by_id[owner_id]

    def may_own(self, text: str) -> bool:
        """Whether a record may be given to `text`. An account that was given no owners takes any id."""
        owner = self._by_id.get(text)
        return not self._by_id or (owner is not None and not owner.archived)

    def listed(self, *, archived: bool) -> Iterator[Owner]:
        """Those who are there, or those who have left, ascending by id."""
        return (owner for owner in self._by_id.values() if owner.archived == archived)
