"""Fills a local CRM with many records that nobody looks at one by one. The same every time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta

from refloop_sandbox.hubspot import LocalHubSpot
from refloop_sandbox.salesforce import LocalSalesforce

Row = dict[str, object]
Fill = int | Mapping[str, int]
"""How many records in all, or how many of each object."""

START = datetime(2026, 1, 1, tzinfo=UTC)
CODES = 1_000
_EVERY = 10


def code(number: int) -> str:
    """The referral code of the `number`th referrer of `CODES`."""
    return f"PARTNER-{number % CODES:04d}"


def fill_salesforce(crm: LocalSalesforce, fill: Fill) -> dict[str, int]:
    """Half leads and contacts, a quarter opportunities, the rest accounts and contact roles; gives the counts.

    Every tenth person wrote a code in the Description. Each contact and opportunity has an account, each role
    joins an opportunity and a contact. Raises ValueError for an object that is not filled.
    """
    counts = _counts(fill, {"Account": 8, "Contact": 4, "Lead": 4, "Opportunity": 4, "OpportunityContactRole": 8})
    accounts = crm.load("Account", ({"Name": f"Company {n}", **_stamps(n)} for n in range(counts["Account"])))
    contacts = crm.load("Contact", (_sf_contact(n, accounts) for n in range(counts["Contact"])))
    crm.load("Lead", map(_sf_lead, range(counts["Lead"])))
    deals = crm.load("Opportunity", (_sf_deal(n, accounts) for n in range(counts["Opportunity"])))
    if deals and contacts:
        crm.load("OpportunityContactRole", _sf_roles(counts["OpportunityContactRole"], deals, contacts))
    return counts


def fill_hubspot(crm: LocalHubSpot, fill: Fill) -> dict[str, int]:
    """Half contacts, a quarter deals, each with a contact, the rest companies; gives the counts.

    Every tenth contact came by a link with a code. Raises ValueError for an object that is not filled.
    """
    counts = _counts(fill, {"contacts": 2, "deals": 4, "companies": 4})
    contacts = crm.load("contacts", map(_hs_contact, range(counts["contacts"])))
    deals = crm.load("deals", map(_hs_deal, range(counts["deals"])))
    crm.load("companies", ({"name": f"Company {n}", **_dates(n)} for n in range(counts["companies"])))
    if contacts:
        crm.load_associations(
            "deals", "contacts", ((deal, contacts[n % len(contacts)]) for n, deal in enumerate(deals))
        )
    return counts


def edit(crm: LocalSalesforce | LocalHubSpot, object: str, count: int) -> int:  # noqa: A002 - the CRMs' word
    """People edit the first `count` records of an object, one after the other; gives how many there were."""
    field = {"Lead": "Title", "Contact": "Title", "contacts": "jobtitle", "deals": "dealname"}.get(object, "Name")
    if isinstance(crm, LocalSalesforce):
        ids = [str(row["Id"]) for row, _ in zip(crm.rows(object), range(count), strict=False)]
    else:
        ids = [record_id for (record_id, _), _ in zip(crm.rows(object), range(count), strict=False)]
    for number, record_id in enumerate(ids):
        crm.update(object, record_id, {field: f"Edited {number}"})
    return len(ids)


def _counts(fill: Fill, shares: Mapping[str, int]) -> dict[str, int]:
    if isinstance(fill, int):
        return {name: fill // share for name, share in shares.items()}
    if unknown := set(fill) - set(shares):
        raise ValueError(f"cannot fill {', '.join(sorted(unknown))}; there are {', '.join(shares)}")
    return {name: fill.get(name, 0) for name in shares}


def _moment(number: int) -> str:
    return (START + timedelta(seconds=10 * number)).strftime("%Y-%m-%dT%H:%M:%SZ")


def _stamps(number: int) -> Row:
    moment = _moment(number)
    return {"CreatedDate": moment, "LastModifiedDate": moment, "SystemModstamp": moment}


def _sf_person(number: int) -> Row:
    written = f"Sent by {code(number // _EVERY)}, thanks" if number % _EVERY == 0 else None
    return {"FirstName": "Kim", "LastName": f"Nr {number}", "Description": written, **_stamps(number)}


def _sf_contact(number: int, accounts: list[str]) -> Row:
    account = accounts[number % len(accounts)] if accounts else None
    return {"Email": f"c{number}@example.org", "AccountId": account, **_sf_person(number)}


def _sf_lead(number: int) -> Row:
    return {"Email": f"l{number}@example.org", "Company": f"Company {number}", **_sf_person(number)}


def _sf_deal(number: int, accounts: list[str]) -> Row:
    return {
        "Name": f"Deal {number}", "StageName": ("Prospecting", "Closed Won", "Closed Lost")[number % 3],
        "CloseDate": "2026-06-30", "Amount": 100 + number % 900, **_stamps(number),
        "AccountId": accounts[number % len(accounts)] if accounts else None,
    }  # fmt: skip


def _sf_roles(count: int, deals: list[str], contacts: list[str]) -> Iterator[Row]:
    for number in range(count):
        deal, contact = deals[number % len(deals)], contacts[number % len(contacts)]
        yield {"OpportunityId": deal, "ContactId": contact, "IsPrimary": number < len(deals), **_stamps(number)}


def _dates(number: int) -> Row:
    moment = _moment(number)
    return {"createdate": moment, "hs_lastmodifieddate": moment}


def _hs_contact(number: int) -> Row:
    moment = _moment(number)
    first = f"https://example.org/?ref={code(number // _EVERY)}" if number % _EVERY == 0 else "https://example.org/"
    return {
        "email": f"c{number}@example.org", "firstname": "Kim", "lastname": f"Nr {number}",
        "hs_analytics_first_url": first, "createdate": moment, "lastmodifieddate": moment,
    }  # fmt: skip


def _hs_deal(number: int) -> Row:
    return {
        "dealname": f"Deal {number}", "dealstage": ("appointmentscheduled", "closedwon", "closedlost")[number % 3],
        "pipeline": "default", "amount": str(100 + number % 900), "closedate": "2026-06-30T00:00:00Z", **_dates(number),
    }  # fmt: skip
