"""Who owns the company's records: people of its own, a queue, somebody who has left, and now and then nobody."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from random import Random
from typing import NamedTuple

from refloop_sandbox.hubspot import LocalHubSpot
from refloop_sandbox.salesforce import LocalSalesforce

_LONG_AGO = timedelta(days=365)


@dataclass(frozen=True, slots=True)
class Owner:
    """Who owns a record, under the id and the name that its CRM has for them.

    `name` is "" for somebody who never signed in; `email` is "" for a queue.
    """

    id: str
    name: str
    email: str = ""
    left: bool = False


@dataclass(frozen=True, slots=True)
class Seller:
    """One of the company's people; None in a CRM in which they are no user."""

    in_salesforce: Owner | None
    in_hubspot: Owner | None

    @property
    def left(self) -> bool:
        return any(owner is not None and owner.left for owner in (self.in_salesforce, self.in_hubspot))


class _Person(NamedTuple):
    first: str
    last: str
    email: str
    in_salesforce: bool = True
    in_hubspot: bool = True
    left: bool = False


_PEOPLE = (
    _Person("Mirela", "Brandtner", "mirela.brandtner@quillmoor.example"),
    _Person("Ailbhe", "Quigg", "ailbhe.quigg@quillmoor.example"),
    _Person("Robin", "Feldweg", "robin.feldweg@quillmoor.example", in_hubspot=False),
    _Person("Robin", "Feldweg", "robin.feldweg2@quillmoor.example"),
    _Person("Yuna", "Petrák", "yuna.petrak@quillmoor.example", in_salesforce=False),
    _Person("", "", "partners@quillmoor.example", in_salesforce=False),
    _Person("Osric", "Tammsaar", "osric.tammsaar@quillmoor.example", left=True),
)


@dataclass
class Sellers:
    """The company's people, and who of them gets which record.

    Draws from a luck of its own: with owners or without, the company is the same.
    """

    rng: Random
    now: datetime
    everybody: Sequence[Seller]
    queue: Owner
    _of_person: dict[str, Seller] = field(default_factory=dict)

    def _of(self, email: str | None, created: datetime) -> Seller:
        """Who looks after somebody: mostly one seller for all their records, in both CRMs."""
        there = [seller for seller in self.everybody if not seller.left or created < self.now - _LONG_AGO]
        known = self._of_person.get(email or "")
        if known in there and self.rng.random() < 0.9:
            return known
        chosen = self.rng.choice(there)
        if email:
            self._of_person.setdefault(email, chosen)
        return chosen

    def in_salesforce(self, email: str | None, created: datetime) -> Owner:
        """Everything there has an owner."""
        found = self._of(email, created).in_salesforce
        return found or self.rng.choice([owner for owner in self._users() if not owner.left])

    def in_hubspot(self, email: str | None, created: datetime) -> Owner | None:
        """Nobody gave one contact in four to anyone."""
        found = self._of(email, created).in_hubspot
        return None if self.rng.random() < 0.25 else found

    def of_new_lead(self, email: str | None, created: datetime) -> Owner:
        """A lead that nobody contacted waits in the queue, unless somebody has taken it."""
        return self.queue if self.rng.random() < 0.6 else self.in_salesforce(email, created)

    def _users(self) -> Iterator[Owner]:
        return (seller.in_salesforce for seller in self.everybody if seller.in_salesforce is not None)


def hire(seed: int, now: datetime, salesforce: LocalSalesforce, hubspot: LocalHubSpot) -> Sellers:
    """Makes the company's people users of the CRMs. HubSpot writes addresses of its own spelling."""
    rng = Random(f"owners {seed}")  # noqa: S311 - for make-believe, not for secrets
    everybody = [_hired(salesforce, hubspot, person) for person in _PEOPLE]
    queue = salesforce.get("Group", salesforce.queue_id) or {}
    return Sellers(rng, now, everybody, Owner(salesforce.queue_id, str(queue["Name"])))


def _hired(salesforce: LocalSalesforce, hubspot: LocalHubSpot, person: _Person) -> Seller:
    name, email = f"{person.first} {person.last}".strip(), person.email
    in_salesforce = in_hubspot = None
    if person.in_salesforce:
        user = {"FirstName": person.first, "LastName": person.last, "Username": email, "Email": email}
        made = salesforce.load("User", [{**user, "IsActive": not person.left}])
        in_salesforce = Owner(made[0], name, email, person.left)
    if person.in_hubspot:
        made_id = hubspot.add_owner(email.title(), person.first, person.last)
        in_hubspot = Owner(made_id, name, email.title(), person.left)
        if person.left:
            hubspot.archive_owner(made_id)
    return Seller(in_salesforce, in_hubspot)
