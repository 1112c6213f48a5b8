"""The company's HubSpot: contacts who came by the web site, deals in several pipelines and two currencies."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from refloop_sandbox.company.codes import SITE, Writing
from refloop_sandbox.company.deals import add_colleagues, add_latecomers, add_rivals, planned
from refloop_sandbox.company.names import Person, as_typed
from refloop_sandbox.company.setting import Deal, Member, Setting, stamp
from refloop_sandbox.hubspot import LocalHubSpot
from refloop_sandbox.nouns import Kind, Outcome, Ref

NAME = "hubspot"
_PARTNER_STAGES = (  # label, probability
    ("Introduced", "0.1"),
    ("Trial", "0.4"),
    ("Contract out", "0.8"),
    ("Onboarded", "1.0"),
    ("Walked away", "0.0"),
)
_DEFAULT_STAGES: Mapping[Outcome, Sequence[str]] = {
    Outcome.OPEN: ("appointmentscheduled", "qualifiedtobuy", "presentationscheduled", "contractsent"),
    Outcome.WON: ("closedwon",),
    Outcome.LOST: ("closedlost",),
}
_SOURCES = ("ORGANIC_SEARCH", "PAID_SEARCH", "EMAIL_MARKETING", "SOCIAL_MEDIA", "REFERRALS", "DIRECT_TRAFFIC")
Row = dict[str, Any]
Stages = Mapping[Outcome, Sequence[str]]


@dataclass
class CompanyInHubSpot:
    """What stands in the company's HubSpot. `fill` loads it."""

    setting: Setting
    crm: LocalHubSpot
    contacts: list[Member] = field(default_factory=list)
    deals: list[Deal] = field(default_factory=list)

    def fill(self, referrers: Sequence[Person], elsewhere: Sequence[Member]) -> None:
        """`elsewhere` are records of Salesforce; some of their people are here too."""
        shared = self._plan_contacts(referrers, elsewhere)
        self._plan_deals()
        self._load()
        for there, here in shared:
            self.setting.expected.same_person.append((there.name, here.name))

    def _plan_contacts(self, referrers: Sequence[Person], elsewhere: Sequence[Member]) -> list[tuple[Member, Member]]:
        setting = self.setting
        early = setting.start + timedelta(days=60)
        for number, person in enumerate(referrers):
            writing = self._own_code(person) if 0 < number <= setting.count(3) else None
            self.contacts.append(self._member(person, setting.between(setting.start, early), writing))
        ours = {person.email for person in referrers}
        others = [there for there in elsewhere if there.person.email not in ours]
        shared = [(there, self._also_here(there)) for there in self._pick(others)]
        self.contacts += [here for _, here in shared]
        for _ in range(setting.count(3000) - len(self.contacts)):
            person, created = setting.people.known(), setting.between(setting.start, setting.now)
            self.contacts.append(self._member(person, created, setting.first_page(person, created)))
        return shared

    def _pick(self, elsewhere: Sequence[Member]) -> list[Member]:
        """250 of those with an address of their own, each once."""
        people = {there.person.email: there for there in elsewhere if there.email and not there.alone}
        fitting = [there for email, there in people.items() if email and not email.startswith("info@")]
        return self.setting.rng.sample(fitting, min(len(fitting), self.setting.count(250)))

    def _also_here(self, there: Member) -> Member:
        setting = self.setting
        created = max(setting.start, min(setting.after(there.created, -30, 60), setting.now))
        return self._member(there.person, created, setting.first_page(there.person, created))

    def _own_code(self, person: Person) -> Writing | None:
        """A referrer who came by his own link."""
        own = [item for item in self.setting.writers.codes.issued if item.referrer == person and not item.valid_from]
        return Writing(f"{SITE}/demo?ref={own[0].code}", "self", own[0]) if own else None

    def _member(self, person: Person, created: datetime, writing: Writing | None) -> Member:
        return Member(person, created, as_typed(person.email, self.setting.rng), writing)

    def _plan_deals(self) -> None:
        setting, rng = self.setting, self.setting.rng
        for _ in range(setting.count(700)):
            self.deals.append(planned(setting, rng.choice(self.contacts)))
        add_colleagues(setting, self.deals, self.contacts)
        both = {member.person.email for member in self.contacts if member.writing is None}
        only_here = [member for member in self.contacts if member.person.email not in both]
        add_latecomers(setting, self.deals, only_here, setting.count(10))
        add_rivals(setting, self.deals, only_here, setting.count(12))

    def _load(self) -> None:
        self._assign_owners()
        pipelines = self._pipelines()
        ids = self.crm.load("contacts", map(self._contact_row, self.contacts))
        for member, record_id in zip(self.contacts, ids, strict=True):
            member.ref = Ref(NAME, Kind.CONTACT, record_id)
            self.setting.note_member(member)
        deal_ids = self.crm.load("deals", (self._deal_row(deal, pipelines) for deal in self.deals))
        pairs = [
            (deal_id, member.name.id)
            for deal, deal_id in zip(self.deals, deal_ids, strict=True)
            for member in deal.people
        ]
        self.crm.load_associations("deals", "contacts", pairs)
        for deal, deal_id in zip(self.deals, deal_ids, strict=True):
            self.setting.note_deal(deal, Ref(NAME, Kind.DEAL, deal_id), deal.people)

    def _assign_owners(self) -> None:
        sellers = self.setting.sellers
        for item in self.contacts:
            item.owner = sellers.in_hubspot(item.person.email, item.created)
        for deal in self.deals:
            deal.owner = sellers.in_hubspot(deal.people[0].person.email, deal.created)

    def _pipelines(self) -> dict[str, Stages]:
        """The stages of each pipeline by outcome; the one for partners is the company's own."""
        pipeline = self.crm.add_pipeline("Partner sales", [])
        stages = [self.crm.add_stage(pipeline, label, probability=chance) for label, chance in _PARTNER_STAGES]
        *opened, won, lost = stages
        return {"default": _DEFAULT_STAGES, pipeline: {Outcome.OPEN: opened, Outcome.WON: [won], Outcome.LOST: [lost]}}

    def _contact_row(self, member: Member) -> Row:
        person, rng = member.person, self.setting.rng
        return {
            "email": member.email, "firstname": person.first, "lastname": person.last, "company": person.company,
            "jobtitle": person.title, "city": person.city, "country": person.country,
            "lifecyclestage": rng.choice(("subscriber", "lead", "lead", "marketingqualifiedlead", "opportunity")),
            "hs_lead_status": rng.choice((None, "NEW", "OPEN", "IN_PROGRESS", "CONNECTED")),
            "hs_analytics_first_url": member.writing.text if member.writing else None,
            "hs_analytics_source": rng.choice(_SOURCES), "createdate": stamp(member.created),
            "lastmodifieddate": stamp(self.setting.between(member.created, self.setting.now)),
            "hubspot_owner_id": member.owner.id if member.owner else None,
        }  # fmt: skip

    def _deal_row(self, deal: Deal, pipelines: Mapping[str, Stages]) -> Row:
        rng = self.setting.rng
        pipeline = rng.choices(list(pipelines), weights=(3, 1))[0]
        currency = rng.choice(("USD", "USD", "EUR"))
        return {
            "dealname": deal.title, "amount": None if deal.amount is None else str(deal.amount),
            "deal_currency_code": currency, "hs_exchange_rate": "1.08" if currency == "EUR" else "1.0",
            "pipeline": pipeline, "dealstage": rng.choice(pipelines[pipeline][deal.outcome]),
            "closedate": stamp(deal.closes), "createdate": stamp(deal.created),
            "hs_lastmodifieddate": stamp(deal.modified), "dealtype": "newbusiness",
            "hubspot_owner_id": deal.owner.id if deal.owner else None,
        }  # fmt: skip
