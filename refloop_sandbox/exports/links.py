"""Who stands on which deal, as exports say it: in a table of its own, or in a column of the deal or of the person."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from refloop_sandbox.exports.files import BadRow, Entry
from refloop_sandbox.exports.values import own_id
from refloop_sandbox.hubspot import LocalHubSpot
from refloop_sandbox.salesforce import ApiError, LocalSalesforce

_ADDRESS = re.compile(r"[^\s;,()<>\"]+@[^\s;,()<>\"]+")
_BETWEEN = re.compile(r"[;,\s]+")
_BATCH = 1000


@dataclass(frozen=True, slots=True)
class Wanted:
    """A link as a row says it: the deal's own id, and the person's or their address. `strict`: it is all that the row
    says, so that the row is a bad one where the link cannot be made."""

    file: str
    line: int
    crm: str
    deal: str
    person: str
    role: str | None
    strict: bool


@dataclass
class People:
    """The records that can stand on a deal, by the person's own id and by address, CRM by CRM."""

    by_id: dict[tuple[str, str], str] = field(default_factory=dict)
    by_email: dict[tuple[str, str], str] = field(default_factory=dict)

    def add(self, entry: Entry, record: str) -> None:
        self.by_id.setdefault((entry.crm, entry.cells["id"]), record)
        if email := entry.cells.get("email"):
            self.by_email.setdefault((entry.crm, email.casefold()), record)

    def find(self, crm: str, person: str) -> str | None:
        return self.by_email.get((crm, person.casefold())) if "@" in person else self.by_id.get((crm, person))


def of_row(kind: str, file: str, entry: Entry) -> Iterator[Wanted]:
    """The links that a row asks for. Raises BadRow for a row of links that names none."""
    said = entry.cells.get
    if kind == "links":
        deal = own_id(entry.need("deal_id"))
        person = own_id(said("person_id") or "") or said("person_email")
        if not person:
            raise BadRow("person_id is empty")
        yield Wanted(file, entry.line, entry.crm, deal, person, said("role"), strict=True)
    elif kind == "deals":
        people = ids_in(said("person_ids")) or _ADDRESS.findall(said("person_emails") or "")
        for person in dict.fromkeys(people):
            yield Wanted(file, entry.line, entry.crm, entry.cells["id"], person, said("role"), strict=False)
    else:
        for deal in ids_in(said("deal_ids")):
            yield Wanted(file, entry.line, entry.crm, deal, entry.cells["id"], None, strict=False)


def ids_in(text: str | None) -> list[str]:
    """The ids of a cell that may hold several, as HubSpot writes them: `101;102`."""
    return [own_id(part) for part in _BETWEEN.split(text or "") if part]


def put(crm: LocalSalesforce | LocalHubSpot, pairs: list[tuple[Wanted, str, str]]) -> Iterator[tuple[Wanted, str]]:
    """Makes the links; gives those that the CRM refuses, with its reason."""
    for start in range(0, len(pairs), _BATCH):
        batch = pairs[start : start + _BATCH]
        if isinstance(crm, LocalHubSpot):
            crm.load_associations("deals", "contacts", ((deal, person) for _, deal, person in batch))
            continue
        roles = [{"OpportunityId": deal, "ContactId": person, "Role": wanted.role} for wanted, deal, person in batch]
        try:
            crm.load("OpportunityContactRole", roles)
        except ApiError:
            yield from _one_by_one(crm, batch, roles)


def _one_by_one(
    crm: LocalSalesforce, batch: list[tuple[Wanted, str, str]], roles: list[dict[str, str | None]]
) -> Iterator[tuple[Wanted, str]]:
    for (wanted, _, _), role in zip(batch, roles, strict=True):
        try:
            crm.load("OpportunityContactRole", [role])
        except ApiError as refusal:
            yield wanted, refused(refusal)


def refused(refusal: ApiError | ValueError) -> str:
    """Why, without the values: they may be about a person."""
    if isinstance(refusal, ApiError):
        return f"Salesforce refuses {', '.join(refusal.fields or ('the row',))}: {refusal.code}"
    return f"HubSpot refuses the row: {refusal}"
