"""Fills the two local CRMs with Quillmoor, a company that does not exist and sells software to others that do not.

Two years of it: leads, conversions, contacts, deals won, lost and open, three referral programs, and everything
that people do to a code between hearing it and typing it. Same seed, same company.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from random import Random

from refloop_sandbox.company.codes import Codes, Writers
from refloop_sandbox.company.hubspot import CompanyInHubSpot
from refloop_sandbox.company.names import People, Person
from refloop_sandbox.company.owners import Owner, Sellers, hire
from refloop_sandbox.company.salesforce import CompanyInSalesforce
from refloop_sandbox.company.setting import Expected, Member, Setting, midnight
from refloop_sandbox.hubspot import LocalHubSpot
from refloop_sandbox.nouns import Kind, Ref
from refloop_sandbox.salesforce import LocalSalesforce

NAME = "Quillmoor"
_OBJECTS = {Kind.LEAD: "Lead", Kind.CONTACT: "Contact", Kind.DEAL: "Opportunity"}
_TODAY = date(2026, 11, 1)


@dataclass(frozen=True)
class Spotlight:
    """One referrer with a contact in both CRMs, a lead of theirs still open, and a buyer whose deal was won."""

    referrer: Person
    code: str
    in_salesforce: Ref
    in_hubspot: Ref
    lead: Ref
    buyer: Ref
    deal: Ref


@dataclass(frozen=True)
class Company:
    """`codes` are the rows of the codes file (code, referrer, referrer_name, referrer_email, program, valid_from,
    valid_to; dates as ISO 8601 or empty)."""

    codes: list[dict[str, str]]
    expected: Expected
    spotlight: Spotlight
    sellers: Sellers


def build(
    salesforce: LocalSalesforce, hubspot: LocalHubSpot, *, seed: int = 7, size: float = 1.0, today: date = _TODAY
) -> Company:
    """Loads the company as it stood on the morning of `today` (UTC).

    `size` 1.0 is about 3,000 leads, 1,500 contacts and 900 opportunities in Salesforce, 3,000 contacts and 700
    deals in HubSpot; everything scales with it.
    """
    rng = Random(seed)  # noqa: S311 - for make-believe, not for secrets
    people = People(rng)
    codes = Codes(rng, today)
    sellers = hire(seed, midnight(today), salesforce, hubspot)
    variety = Random(f"variety {seed}")  # noqa: S311 - for make-believe, not for secrets
    setting = Setting(rng, variety, midnight(today), size, people, Writers(rng, codes), sellers)
    referrers = [people.known() for _ in range(max(8, setting.count(60)))]
    codes.issue(referrers)
    both = len(referrers) // 4  # the first quarter is in both CRMs, the rest is shared out
    there, here = referrers[: both * 5 // 2], [*referrers[:both], *referrers[both * 5 // 2 :]]
    books = CompanyInSalesforce(setting, salesforce)
    won, waiting = books.spotlight(referrers[0], codes.issued[0])
    books.fill(there)
    web = CompanyInHubSpot(setting, hubspot)
    web.fill(here, [*books.contacts[len(there) :], *(lead.member for lead in books.leads)])
    if won.contact is None or won.deal is None:
        raise ValueError("the spotlight needs a deal")
    spotlight = Spotlight(
        referrers[0],
        codes.issued[0].code,
        _ref_of(referrers[0], books.contacts),
        _ref_of(referrers[0], web.contacts),
        waiting.member.name,
        won.contact.name,
        books.ref_of(won.deal),
    )
    return Company([item.row() for item in codes.issued], setting.expected, spotlight, sellers)


def hand_over(company: Company, salesforce: LocalSalesforce, hubspot: LocalHubSpot) -> dict[Ref, Owner]:
    """Gives what belongs to somebody who has left to somebody else, and changes nothing else of it.

    Gives the records with their new owners. Converted leads stay as they are: Salesforce does not let them be edited.
    """
    successor = company.sellers.everybody[0]
    there, here = successor.in_salesforce, successor.in_hubspot
    if there is None or here is None:
        raise ValueError("the successor is in both CRMs")
    given: dict[Ref, Owner] = {}
    for ref in [ref for ref, owner in company.expected.owners.items() if owner.left]:
        if ref.crm == "hubspot":
            hubspot.update("contacts" if ref.kind is Kind.CONTACT else "deals", ref.id, {"hubspot_owner_id": here.id})
            given[ref] = here
        elif not (salesforce.get(_OBJECTS[ref.kind], ref.id) or {}).get("IsConverted"):
            salesforce.update(_OBJECTS[ref.kind], ref.id, {"OwnerId": there.id})
            given[ref] = there
    return given


def _ref_of(person: Person, members: Iterable[Member]) -> Ref:
    return next(member.name for member in members if member.person == person)
