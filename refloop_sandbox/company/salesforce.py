"""The company's Salesforce: leads, some of them converted, contacts with accounts, opportunities with roles."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from refloop_sandbox.company.codes import Issued, Writing
from refloop_sandbox.company.deals import add_colleagues, add_latecomers, add_rivals, planned
from refloop_sandbox.company.names import Person, as_typed
from refloop_sandbox.company.setting import Deal, Member, Setting, stamp
from refloop_sandbox.nouns import Kind, Outcome, Ref
from refloop_sandbox.salesforce import LocalSalesforce

NAME = "salesforce"
_OPEN_STAGES = ("Discovery", "Qualification", "Proposal/Price Quote", "Negotiation/Review")
_STATUSES = ("Open - Not Contacted", "Open - Not Contacted", "Working - Contacted", "Closed - Not Converted")
_SOURCES = ("Web", "Web", "Phone Inquiry", "Partner Referral", "Purchased List", "Other")
_ROLES = ("Decision Maker", "Economic Buyer", "Evaluator", "Business User")
Row = dict[str, Any]


@dataclass
class Lead:
    """A lead as planned; `contact` is what it became when it was converted, `deal` the deal that came of it."""

    member: Member
    status: str
    contact: Member | None = None
    deal: Deal | None = None


@dataclass
class CompanyInSalesforce:
    """What stands in the company's Salesforce. `fill` loads it."""

    setting: Setting
    crm: LocalSalesforce
    contacts: list[Member] = field(default_factory=list)
    leads: list[Lead] = field(default_factory=list)
    deals: list[Deal] = field(default_factory=list)
    _accounts: dict[str, str] = field(default_factory=dict)
    _deal_ids: dict[int, str] = field(default_factory=dict)

    def fill(self, referrers: Sequence[Person]) -> None:
        self._plan_contacts(referrers)
        self._plan_leads(referrers)
        self._plan_deals()
        self._load()

    # -- planning

    def _plan_contacts(self, referrers: Sequence[Person]) -> None:
        setting = self.setting
        for person in referrers:
            early = setting.between(setting.start, setting.start + timedelta(days=60))
            self.contacts.append(self._member(person, early, None))
        for _ in range(setting.count(900) - len(referrers)):
            created = setting.between(setting.start, setting.now)
            person = setting.people.anybody()
            self.contacts.append(self._member(person, created, setting.description(person, created)))

    def _plan_leads(self, referrers: Sequence[Person]) -> None:
        setting, rng = self.setting, self.setting.rng
        for _ in range(setting.count(2960)):
            self.leads.append(self._lead(setting.people.anybody()))
        ordinary = [lead for lead in self.leads if not lead.member.alone]
        for again in rng.sample(ordinary, setting.count(35)):
            self.leads.append(self._lead(again.member.person))
        ripe = [lead for lead in ordinary if lead.member.created < setting.now - timedelta(days=10)]
        for lead in rng.sample(ripe, min(len(ripe), setting.count(600))):
            self._convert(lead)
        for person in referrers[1 : 1 + setting.count(4)]:
            self.leads.append(self._own_code(person))

    def _lead(self, person: Person) -> Lead:
        created = self.setting.between(self.setting.start, self.setting.now)
        member = self._member(person, created, self.setting.description(person, created))
        return Lead(member, self.setting.rng.choice(_STATUSES))

    def _own_code(self, person: Person) -> Lead:
        """A referrer who would like the discount for a friend himself."""
        created = self.setting.between(self.setting.now - timedelta(days=300), self.setting.now)
        own = [item for item in self.setting.writers.codes.issued if item.referrer == person]
        issued = next((item for item in own if item.valid(created.date())), own[0])
        return Lead(self._member(person, created, Writing(issued.code, "self", issued)), _STATUSES[0])

    def _member(self, person: Person, created: datetime, writing: Writing | None) -> Member:
        return Member(person, created, as_typed(person.email, self.setting.rng), writing)

    def _convert(self, lead: Lead) -> None:
        """Salesforce copies the lead's Description to the contact."""
        setting, member = self.setting, lead.member
        at = min(setting.after(member.created, 1, 60), setting.between(member.created, setting.now))
        member.saved = at
        lead.contact = Member(member.person, at, member.email, member.writing)
        lead.status = "Closed - Converted"
        if setting.rng.random() < 0.75:
            lead.deal = planned(setting, lead.contact, lead.contact)
            self.deals.append(lead.deal)

    def spotlight(self, referrer: Person, issued: Issued) -> tuple[Lead, Lead]:
        """Adds a lead that became a won deal, and one that is still open, both by this code. Call before `fill`."""
        setting = self.setting
        text = f"Referred by {referrer.name}, code {issued.code}. Wants a demo before the end of the quarter."
        writing = Writing(text, "sentence", issued)
        bought, waiting = setting.people.known(), setting.people.known()
        first = Member(bought, setting.now - timedelta(days=200, hours=14), bought.email, writing, alone=True)
        won = Lead(first, "Closed - Converted")
        won.contact = Member(bought, first.created + timedelta(days=12), bought.email, writing, alone=True)
        closes = won.contact.created + timedelta(days=61)
        title, price = f"{bought.company} - Enterprise", Decimal("48250.75")
        won.deal = Deal(title, won.contact.created, closes, Outcome.WON, price, [won.contact])
        later = Member(waiting, setting.now - timedelta(days=30, hours=9), waiting.email, writing, alone=True)
        fresh = Lead(later, "Working - Contacted")
        self.leads += [won, fresh]
        self.deals.append(won.deal)
        return won, fresh

    def _plan_deals(self) -> None:
        setting, rng = self.setting, self.setting.rng
        starred = self.deals[:1]
        for _ in range(max(1, setting.count(900) - len(self.deals))):
            self.deals.append(planned(setting, rng.choice(self.contacts)))
        others = [deal for deal in self.deals if deal not in starred]
        add_colleagues(setting, others, self.contacts)
        add_latecomers(setting, others, self.contacts, setting.count(12))
        add_rivals(setting, others, self.contacts, setting.count(15))

    # -- loading

    def _load(self) -> None:
        self.crm.add_stage("Discovery", False, False, probability=15)
        self.crm.add_stage("Signed", True, True)
        self._assign_owners()
        converted = [lead.contact for lead in self.leads if lead.contact]
        everyone = [*self.contacts, *converted]
        self._load_accounts(everyone)
        self._name(everyone, Kind.CONTACT, self.crm.load("Contact", map(self._contact_row, everyone)))
        self._load_deals()
        leads = [lead.member for lead in self.leads]
        self._name(leads, Kind.LEAD, self.crm.load("Lead", map(self._lead_row, self.leads)))
        for member in (*everyone, *leads):
            self.setting.note_member(member)

    def _assign_owners(self) -> None:
        """Whose lead it was, theirs is the contact that it became."""
        sellers = self.setting.sellers
        for contact in self.contacts:
            contact.owner = sellers.in_salesforce(contact.person.email, contact.created)
        for lead in self.leads:
            pick = sellers.of_new_lead if lead.status == _STATUSES[0] else sellers.in_salesforce
            lead.member.owner = pick(lead.member.person.email, lead.member.created)
            if lead.contact is not None:
                lead.contact.owner = lead.member.owner
        for deal in self.deals:
            deal.owner = sellers.in_salesforce(deal.people[0].person.email, deal.created)

    def _name(self, members: Iterable[Member], kind: Kind, ids: Iterable[str]) -> None:
        for member, record_id in zip(members, ids, strict=True):
            member.ref = Ref(NAME, kind, record_id)

    def _load_accounts(self, members: Sequence[Member]) -> None:
        first = {member.person.company: member for member in reversed(members)}
        rows = (
            {"Name": name, "Type": "Prospect", "BillingCity": member.person.city, "CreatedDate": stamp(member.created)}
            for name, member in first.items()
        )
        self._accounts = dict(zip(first, self.crm.load("Account", rows), strict=True))

    def _contact_row(self, member: Member) -> Row:
        person = member.person
        return {
            "FirstName": person.first, "LastName": person.last, "Title": person.title, "Email": member.email,
            "MailingCity": person.city, "MailingCountry": person.country, "AccountId": self._accounts[person.company],
            **self._common(member, member.created),
        }  # fmt: skip

    def _lead_row(self, lead: Lead) -> Row:
        person, contact = lead.member.person, lead.contact
        row: Row = {
            "FirstName": person.first, "LastName": person.last, "Title": person.title, "Email": lead.member.email,
            "Company": person.company, "City": person.city, "Country": person.country, "Status": lead.status,
            "LeadSource": self.setting.rng.choice(_SOURCES),
            **self._common(lead.member, contact.created if contact else None),
        }  # fmt: skip
        if contact is not None:
            row |= {
                "IsConverted": True, "ConvertedDate": contact.created.date().isoformat(),
                "ConvertedContactId": contact.name.id, "ConvertedAccountId": self._accounts[person.company],
                "ConvertedOpportunityId": self._deal_ids.get(id(lead.deal)),
            }  # fmt: skip
        return row

    def _common(self, member: Member, modified: datetime | None) -> Row:
        member.saved = modified or self.setting.between(member.created, self.setting.now)
        touched = stamp(member.saved)
        return {
            "Description": member.writing.text if member.writing else None, "CreatedDate": stamp(member.created),
            "LastModifiedDate": touched, "SystemModstamp": touched,
            "OwnerId": member.owner.id if member.owner else None,
        }  # fmt: skip

    def _load_deals(self) -> None:
        ids = self.crm.load("Opportunity", map(self._deal_row, self.deals))
        self._deal_ids = {id(deal): deal_id for deal, deal_id in zip(self.deals, ids, strict=True)}
        self.crm.load("OpportunityContactRole", self._role_rows())
        for deal in self.deals:
            self.setting.note_deal(deal, self.ref_of(deal), self._known(deal))

    def ref_of(self, deal: Deal) -> Ref:
        return Ref(NAME, Kind.DEAL, self._deal_ids[id(deal)])

    def _known(self, deal: Deal) -> list[Member]:
        """The people of a deal, under every record that may speak for them."""
        emails = {member.person.email for member in deal.people if member.person.email}
        leads = [lead.member for lead in self.leads if lead.member.person.email in emails]
        return [*deal.people, *leads]

    def _deal_row(self, deal: Deal) -> Row:
        return {
            "Name": deal.title[:120], "AccountId": self._accounts[deal.people[0].person.company],
            "StageName": self._stage(deal), "Amount": None if deal.amount is None else str(deal.amount),
            "CloseDate": deal.closes.date().isoformat(), "CreatedDate": stamp(deal.created),
            "LastModifiedDate": stamp(deal.modified), "SystemModstamp": stamp(deal.modified), "Type": "New Business",
            "OwnerId": deal.owner.id if deal.owner else None,
            "LastStageChangeDate": None if deal.outcome is Outcome.OPEN else stamp(deal.closes),
        }  # fmt: skip

    def _stage(self, deal: Deal) -> str:
        if deal.outcome is Outcome.OPEN:
            return self.setting.rng.choice(_OPEN_STAGES)
        return self.setting.rng.choice(("Signed", "Closed Won")) if deal.outcome is Outcome.WON else "Closed Lost"

    def _role_rows(self) -> Iterable[Row]:
        for deal in self.deals:
            for number, member in enumerate(deal.people):
                yield {
                    "OpportunityId": self._deal_ids[id(deal)], "ContactId": member.name.id, "IsPrimary": number == 0,
                    "Role": self.setting.rng.choice(_ROLES), "CreatedDate": stamp(max(deal.created, member.created)),
                }  # fmt: skip
