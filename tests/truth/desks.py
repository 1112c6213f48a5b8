"""What people do in the two CRMs, in the words that both have."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Protocol
from zoneinfo import ZoneInfo

from refloop_sandbox.hubspot import LocalHubSpot
from refloop_sandbox.salesforce import LocalSalesforce
from tests.truth.clock import PlayedClock
from tests.truth.town import Person
from tests.truth.truth import Case, Deal

PLACES = {"USD": 2, "EUR": 2, "JPY": 0, "BHD": 3}


def price(case: Case, currency: str) -> Decimal:
    """What a deal is worth, in a currency's own smallest unit."""
    worth = Decimal(repr(round(case.rng.lognormvariate(8.7, 0.6), 3)))
    worth *= {"JPY": Decimal(150), "BHD": Decimal("0.38")}.get(currency, Decimal(1))
    return worth.quantize(Decimal(1).scaleb(-PLACES[currency]))


class Desk(Protocol):
    """A CRM as its people use it. Ids are the CRM's; each record of a person is noted in its case."""

    name: str
    zone: ZoneInfo

    def contact(self, case: Case, who: Person, text: str = "") -> str: ...

    def write(self, contact: str, text: str) -> None:
        """Types into the field where codes are looked for; what stood there is gone."""

    def fiddle(self, contact: str) -> None:
        """Somebody corrects a telephone number."""

    def deal(self, case: Case, people: Sequence[str], *, currency: str = "USD", renewal: bool = False) -> Deal: ...

    def put_on(self, deal: Deal, contact: str, *, as_referrer: bool = False) -> None: ...

    def take_off(self, deal: Deal, contact: str) -> None: ...

    def close(self, deal: Deal, *, won: bool = True, on: date | None = None) -> None:
        """`on` is the close date that somebody types; today where nobody does."""

    def reopen(self, deal: Deal) -> None: ...

    def delete_deal(self, deal: Deal) -> None: ...

    def merge(self, case: Case, kept: str, lost: str, /) -> str:
        """Gives the id of the survivor, which has the loser's text where it had none."""

    def delete(self, contact: str) -> None: ...

    def restore(self, contact: str) -> None: ...

    def erase(self, contact: str) -> None: ...

    def old_customer(self, case: Case, who: Person, bought: date) -> tuple[str, Deal]:
        """Somebody who was a customer before the play: their contact, and what they bought then."""


def _key(reference: str) -> str:
    return reference.rpartition(":")[2]


class SalesforceDesk:
    """The company's Salesforce, in Los Angeles."""

    name = "salesforce"
    zone = ZoneInfo("America/Los_Angeles")

    def __init__(self, org: LocalSalesforce, clock: PlayedClock) -> None:
        self._org = org
        self._clock = clock

    def _today(self) -> date:
        return self._clock().astimezone(self.zone).date()

    def account(self, case: Case, company: str) -> str:
        """The account of a company, one for each case."""
        if company not in case.accounts:
            case.accounts[company] = self._org.create("Account", {"Name": company})
        return case.accounts[company]

    def lead(self, case: Case, who: Person, text: str = "") -> str:
        fields = {"FirstName": who.first, "LastName": who.last, "Email": who.email or None, "Company": who.company}
        made = self._org.create("Lead", {**fields, "Description": text or None})
        case.people.add(f"{self.name}:lead:{made}")
        return made

    def contact(self, case: Case, who: Person, text: str = "") -> str:
        fields = {"FirstName": who.first, "LastName": who.last, "Email": who.email or None, "Description": text or None}
        made = self._org.create("Contact", {**fields, "AccountId": self.account(case, who.company)})
        case.people.add(f"{self.name}:contact:{made}")
        return made

    def convert(
        self, case: Case, lead: str, *, contact: str | None = None, sells: bool = True, currency: str = "USD"
    ) -> tuple[str, Deal | None]:
        """The contact that a lead became, and the deal that was made with it."""
        made = self._org.convert_lead(lead, contact=contact, opportunity="new" if sells else None)
        case.people.add(f"{self.name}:contact:{made.contact}")
        company = str((self._org.get("Account", made.account) or {})["Name"])
        case.accounts.setdefault(company, made.account)
        if made.opportunity is None:
            return made.contact, None
        deal = self._noted(case, made.opportunity, currency)
        self._org.update("Opportunity", made.opportunity, {**self._worth(deal), "Type": "New Business"})
        return made.contact, deal

    def _noted(self, case: Case, made: str, currency: str) -> Deal:
        deal = Deal([f"{self.name}:deal:{made}"], price(case, currency), currency)
        case.deals.append(deal)
        return deal

    def _worth(self, deal: Deal) -> dict[str, object]:
        return {"Amount": str(deal.amount), "CurrencyIsoCode": deal.currency}

    def write(self, contact: str, text: str) -> None:
        self._org.update("Lead" if contact.startswith("00Q") else "Contact", contact, {"Description": text or None})

    def merge_leads(self, kept: str, lost: str) -> None:
        text = (self._org.get("Lead", lost) or {})["Description"]
        self._org.merge("Lead", kept, lost)
        self.write(kept, str(text or ""))

    def fiddle(self, contact: str) -> None:
        self._org.update("Contact", contact, {"Phone": f"+1 555 01{self._clock().second:02d}"})

    def deal(
        self,
        case: Case,
        people: Sequence[str],
        *,
        currency: str = "USD",
        renewal: bool = False,
        account: str | None = None,
        text: str = "",
    ) -> Deal:
        if account is None and people:
            account = str((self._org.get("Contact", people[0]) or {})["AccountId"])
        fields = {
            "Name": f"{case.name} sale {len(case.deals) + 1}",
            "StageName": "Qualification",
            "CloseDate": (self._today() + timedelta(days=45)).isoformat(),
            "AccountId": account,
            "Type": "Existing Business" if renewal else "New Business",
            "Description": text or None,
        }
        made = self._org.create("Opportunity", fields)
        deal = self._noted(case, made, currency)
        self._org.update("Opportunity", made, self._worth(deal))
        for contact in people:
            self.put_on(deal, contact)
        return deal

    def put_on(self, deal: Deal, contact: str, *, as_referrer: bool = False) -> None:
        role = "Referrer" if as_referrer else "Decision Maker"
        key = _key(deal.refs[0])
        self._org.create("OpportunityContactRole", {"OpportunityId": key, "ContactId": contact, "Role": role})

    def take_off(self, deal: Deal, contact: str) -> None:
        self._org.delete("OpportunityContactRole", self._roles(deal, contact)[0])

    def is_on(self, deal: Deal, contact: str) -> bool:
        return bool(self._roles(deal, contact))

    def _roles(self, deal: Deal, contact: str) -> list[str]:
        wanted = (_key(deal.refs[0]), contact, False)
        rows = self._org.rows("OpportunityContactRole")
        return [str(row["Id"]) for row in rows if (row["OpportunityId"], row["ContactId"], row["IsDeleted"]) == wanted]

    def close(self, deal: Deal, *, won: bool = True, on: date | None = None) -> None:
        fields = {"StageName": "Closed Won" if won else "Closed Lost", "CloseDate": (on or self._today()).isoformat()}
        self._org.update("Opportunity", _key(deal.refs[0]), fields)
        deal.won = won

    def reopen(self, deal: Deal) -> None:
        self._org.update("Opportunity", _key(deal.refs[0]), {"StageName": "Negotiation/Review"})
        deal.won = False

    def delete_deal(self, deal: Deal) -> None:
        self._org.delete("Opportunity", _key(deal.refs[0]))

    def merge(self, _case: Case, kept: str, lost: str, /) -> str:
        texts = [(self._org.get("Contact", one) or {})["Description"] for one in (kept, lost)]
        self._org.merge("Contact", kept, lost)
        if not texts[0] and texts[1]:
            self.write(kept, str(texts[1]))
        return kept

    def delete(self, contact: str) -> None:
        self._org.delete("Contact", contact)

    def restore(self, contact: str) -> None:
        self._org.undelete("Contact", contact)

    def erase(self, contact: str) -> None:
        self._org.delete("Contact", contact, hard=True)

    def old_customer(self, case: Case, who: Person, bought: date) -> tuple[str, Deal]:
        created = datetime.combine(bought - timedelta(days=60), time(17), UTC)
        closed = datetime.combine(bought, time(19), UTC)
        (account,) = self._org.load("Account", [{"Name": who.company, "CreatedDate": created.isoformat()}])
        case.accounts[who.company] = account
        person = {"FirstName": who.first, "LastName": who.last, "Email": who.email or None, "AccountId": account}
        (contact,) = self._org.load("Contact", [{**person, "CreatedDate": created.isoformat()}])
        case.people.add(f"{self.name}:contact:{contact}")
        worth = price(case, "USD")
        fields = {"Name": f"{case.name} of old", "StageName": "Closed Won", "CloseDate": bought.isoformat()}
        stamps = {"CreatedDate": created.isoformat(), "LastModifiedDate": closed.isoformat()}
        amount = {"Amount": str(worth), "AccountId": account, "LastStageChangeDate": closed.isoformat()}
        (made,) = self._org.load("Opportunity", [{**fields, **stamps, **amount, "Type": "New Business"}])
        role = {"OpportunityId": made, "ContactId": contact, "IsPrimary": True}
        self._org.load("OpportunityContactRole", [{**role, "CreatedDate": created.isoformat()}])
        deal = Deal([f"{self.name}:deal:{made}"], worth, "USD", won=True)
        case.deals.append(deal)
        return contact, deal


class HubSpotDesk:
    """The company's HubSpot, in Tokyo. People type into `how_heard`."""

    name = "hubspot"
    zone = ZoneInfo("Asia/Tokyo")

    def __init__(self, portal: LocalHubSpot, clock: PlayedClock) -> None:
        self._portal = portal
        self._clock = clock
        portal.define_property("contacts", {"name": "how_heard", "type": "string", "fieldType": "textarea"})
        self._renewals = portal.add_pipeline("Renewals", [])
        self._due = portal.add_stage(self._renewals, "Due", probability="0.5")
        self._renewed = portal.add_stage(self._renewals, "Renewed", probability="1.0")
        self._ended = portal.add_stage(self._renewals, "Ended", probability="0.0")
        self.referred_by = portal.add_label("deals", "contacts", "Referred by", "Referred")

    def contact(self, case: Case, who: Person, text: str = "") -> str:
        fields = {"firstname": who.first, "lastname": who.last, "email": who.email or None, "company": who.company}
        made = self._portal.create("contacts", {**fields, "how_heard": text})
        case.people.add(f"{self.name}:contact:{made}")
        return made

    def visitor(self, case: Case, who: Person, url: str, **more: str) -> str:
        """Somebody who filled in a form, having come to the site by a link."""
        now = self._clock()
        fields = {"firstname": who.first, "lastname": who.last, "email": who.email or None, "company": who.company}
        stamps = {"createdate": now.isoformat(), "lastmodifieddate": now.isoformat()}
        found = {"hs_analytics_first_url": url, "lifecyclestage": "lead"}
        (made,) = self._portal.load("contacts", [{**fields, **stamps, **found, **more}])
        case.people.add(f"{self.name}:contact:{made}")
        return made

    def company(self, contacts: Sequence[str], name: str) -> str:
        """A company with its people."""
        made = self._portal.create("companies", {"name": name})
        for contact in contacts:
            self._portal.associate("contacts", contact, "companies", made)
        return made

    def write(self, contact: str, text: str) -> None:
        self._portal.update("contacts", contact, {"how_heard": text})

    def fiddle(self, contact: str) -> None:
        self._portal.update("contacts", contact, {"phone": f"+81 3 5550 01{self._clock().second:02d}"})

    def deal(
        self,
        case: Case,
        people: Sequence[str],
        *,
        currency: str = "USD",
        renewal: bool = False,
        company: str | None = None,
        text: str = "",
    ) -> Deal:
        worth = price(case, currency)
        fields = {
            "dealname": f"{case.name} sale {len(case.deals) + 1}",
            "pipeline": self._renewals if renewal else "default",
            "dealstage": self._due if renewal else "qualifiedtobuy",
            "dealtype": "existingbusiness" if renewal else "newbusiness",
            "amount": str(worth),
            "deal_currency_code": currency,
            "closedate": (self._clock() + timedelta(days=45)).isoformat(),
            "description": text,
        }
        made = self._portal.create("deals", fields)
        deal = Deal([f"{self.name}:deal:{made}"], worth, currency)
        case.deals.append(deal)
        for contact in people:
            self.put_on(deal, contact)
        if company is not None:
            self._portal.associate("deals", made, "companies", company)
        return deal

    def copy(self, case: Case, who: Person, contact: str) -> str:
        """HubSpot's Salesforce integration copies a contact."""
        return self.visitor(case, who, "", salesforcecontactid=contact)

    def mirror(self, case: Case, deal: Deal, contact: str) -> None:
        """HubSpot's Salesforce integration copies a deal."""
        now = self._clock().isoformat()
        sale = {"dealname": f"{case.name} mirrored", "dealstage": "qualifiedtobuy", "amount": str(deal.amount)}
        dates = {"createdate": now, "hs_lastmodifieddate": now, "hs_salesforceopportunityid": _key(deal.refs[0])}
        (made,) = self._portal.load("deals", [{**sale, **dates, "deal_currency_code": deal.currency}])
        self._portal.associate("deals", made, "contacts", contact)
        deal.refs.append(f"{self.name}:deal:{made}")

    def put_on(self, deal: Deal, contact: str, *, as_referrer: bool = False) -> None:
        label = self.referred_by if as_referrer else None
        self._portal.associate("deals", _key(deal.refs[-1]), "contacts", contact, label)

    def take_off(self, deal: Deal, contact: str) -> None:
        self._portal.disassociate("deals", _key(deal.refs[-1]), "contacts", contact)

    def merge_deals(self, kept: Deal, lost: Deal) -> None:
        """`kept` is the survivor from now on, which has an id of its own; `lost` is no sale any more."""
        made = self._portal.merge("deals", _key(kept.refs[-1]), _key(lost.refs[-1]))
        kept.refs = [f"{self.name}:deal:{made}"]

    def close(self, deal: Deal, *, won: bool = True, on: date | None = None) -> None:
        key = _key(deal.refs[-1])
        renewal = (self._portal.get("deals", key) or {})["pipeline"] == self._renewals
        words = (self._renewed, self._ended) if renewal else ("closedwon", "closedlost")
        at = datetime.combine(on, time(12), self.zone) if on else self._clock()
        self._portal.update("deals", key, {"dealstage": words[0 if won else 1], "closedate": at.isoformat()})
        deal.won = won

    def reopen(self, deal: Deal) -> None:
        self._portal.update("deals", _key(deal.refs[-1]), {"dealstage": "contractsent"})
        deal.won = False

    def delete_deal(self, deal: Deal) -> None:
        self._portal.archive("deals", _key(deal.refs[-1]))

    def add_email(self, contact: str, address: str) -> None:
        self._portal.add_email(contact, address)

    def merge(self, case: Case, kept: str, lost: str, /) -> str:
        made = self._portal.merge("contacts", kept, lost)
        case.people.add(f"{self.name}:contact:{made}")
        return made

    def delete(self, contact: str) -> None:
        self._portal.archive("contacts", contact)

    def restore(self, contact: str) -> None:
        self._portal.restore("contacts", contact)

    def erase(self, contact: str) -> None:
        self._portal.erase("contacts", contact)

    def old_customer(self, case: Case, who: Person, bought: date) -> tuple[str, Deal]:
        created = datetime.combine(bought - timedelta(days=60), time(3), UTC).isoformat()
        closed = datetime.combine(bought, time(5), UTC).isoformat()
        fields = {"firstname": who.first, "lastname": who.last, "email": who.email or None, "company": who.company}
        stamps = {"createdate": created, "lastmodifieddate": closed}
        (contact,) = self._portal.load("contacts", [{**fields, **stamps}])
        case.people.add(f"{self.name}:contact:{contact}")
        worth = price(case, "USD")
        sale = {"dealname": f"{case.name} of old", "dealstage": "closedwon", "amount": str(worth)}
        dates = {"createdate": created, "hs_lastmodifieddate": closed, "closedate": closed}
        (made,) = self._portal.load("deals", [{**sale, **dates, "deal_currency_code": "USD"}])
        self._portal.load_associations("deals", "contacts", [(made, contact)])
        deal = Deal([f"{self.name}:deal:{made}"], worth, "USD", won=True)
        case.deals.append(deal)
        return contact, deal
