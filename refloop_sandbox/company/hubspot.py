"""The company's HubSpot: contacts who came by the web site, deals in several pipelines and two currencies."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from refloop_sandbox.company.codes import SITE, Writing
from refloop_sandbox.company.deals import (
    add_colleagues,
    add_latecomers,
    add_named_referrers,
    add_rivals,
    by_company,
    planned,
    renewed,
)
from refloop_sandbox.company.names import Person, as_typed, slug
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
_RENEWAL_STAGES = (("Due", "0.5"), ("Renewed", "1.0"), ("Ended", "0.0"))
REFERRED_BY, REFERRED = "Referred by", "Referred"
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
    _renewals: str = ""
    _own_stage: str = ""

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
        add_named_referrers(setting, self.deals, self.contacts, setting.count(15))
        self.deals += [*renewed(setting, self.deals, setting.count(40)), *by_company(setting, self.contacts)]
        for number, member in enumerate(setting.variety.sample(self.contacts, setting.count(60))):
            member.others = (f"{slug(member.person.name)}@post-{number}.example",)

    def _load(self) -> None:
        self._assign_owners()
        pipelines = self._pipelines()
        self._own_stage = self.crm.add_lifecycle_stage("Product qualified", after="marketingqualifiedlead")
        ids = self.crm.load("contacts", map(self._contact_row, self.contacts))
        for member, record_id in zip(self.contacts, ids, strict=True):
            member.ref = Ref(NAME, Kind.CONTACT, record_id)
            self.setting.note_member(member)
        deal_ids = self.crm.load("deals", (self._deal_row(deal, pipelines) for deal in self.deals))
        deals = list(zip(self.deals, deal_ids, strict=True))
        self._associate(deals)
        for deal, deal_id in deals:
            known = [] if deal.by_company else deal.people
            self.setting.note_deal(deal, Ref(NAME, Kind.DEAL, deal_id), known)

    def _associate(self, deals: Sequence[tuple[Deal, str]]) -> None:
        """Everybody on a deal, the referrers under their label; and the company of deals that have nobody."""
        people = [(deal_id, member.name.id) for deal, deal_id in deals if not deal.by_company for member in deal.people]
        self.crm.load_associations("deals", "contacts", people)
        label = self.crm.add_label("deals", "contacts", REFERRED_BY, REFERRED)
        named = [(deal_id, deal.named.name.id) for deal, deal_id in deals if deal.named is not None]
        self.crm.load_associations("deals", "contacts", named, label)
        alone = [(deal.people[0], deal_id) for deal, deal_id in deals if deal.by_company]
        names = list(dict.fromkeys(buyer.person.company for buyer, _ in alone))
        companies = dict(zip(names, self.crm.load("companies", ({"name": name} for name in names)), strict=True))
        for buyer, deal_id in alone:
            company = companies[buyer.person.company]
            self.crm.associate("deals", deal_id, "companies", company)
            self.crm.associate("contacts", buyer.name.id, "companies", company)

    def _assign_owners(self) -> None:
        sellers = self.setting.sellers
        for item in self.contacts:
            item.owner = sellers.in_hubspot(item.person.email, item.created)
        for deal in self.deals:
            deal.owner = sellers.in_hubspot(deal.people[0].person.email, deal.created)

    def _pipelines(self) -> dict[str, Stages]:
        """The stages of each pipeline by outcome; those for partners and renewals are the company's own."""
        pipeline = self.crm.add_pipeline("Partner sales", [])
        stages = [self.crm.add_stage(pipeline, label, probability=chance) for label, chance in _PARTNER_STAGES]
        *opened, won, lost = stages
        self._renewals = self.crm.add_pipeline("Renewals", [])
        due, kept, ended = (
            self.crm.add_stage(self._renewals, label, probability=chance) for label, chance in _RENEWAL_STAGES
        )
        return {
            "default": _DEFAULT_STAGES,
            pipeline: {Outcome.OPEN: opened, Outcome.WON: [won], Outcome.LOST: [lost]},
            self._renewals: {Outcome.OPEN: [due], Outcome.WON: [kept], Outcome.LOST: [ended]},
        }

    def _contact_row(self, member: Member) -> Row:
        person, rng = member.person, self.setting.rng
        stage = rng.choice(("subscriber", "lead", "lead", "marketingqualifiedlead", "opportunity"))
        return {
            "email": member.email, "firstname": person.first, "lastname": person.last, "company": person.company,
            "jobtitle": person.title, "city": person.city, "country": person.country,
            "lifecyclestage": self._own_stage if self.setting.variety.random() < 0.03 else stage,
            "hs_additional_emails": ";".join(member.others),
            "hs_lead_status": rng.choice((None, "NEW", "OPEN", "IN_PROGRESS", "CONNECTED")),
            "hs_analytics_first_url": member.writing.text if member.writing else None,
            "hs_analytics_source": rng.choice(_SOURCES), "createdate": stamp(member.created),
            "lastmodifieddate": stamp(self.setting.between(member.created, self.setting.now)),
            "hubspot_owner_id": member.owner.id if member.owner else None,
        }  # fmt: skip

    def _deal_row(self, deal: Deal, pipelines: Mapping[str, Stages]) -> Row:
        rng = self.setting.rng
        sales = [name for name in pipelines if name != self._renewals]
        pipeline = self._renewals if deal.renewal else rng.choices(sales, weights=(3, 1))[0]
        currency = rng.choice(("USD", "USD", "EUR"))
        return {
            "dealname": deal.title, "amount": None if deal.amount is None else str(deal.amount),
            "deal_currency_code": currency, "hs_exchange_rate": "1.08" if currency == "EUR" else "1.0",
            "pipeline": pipeline, "dealstage": rng.choice(pipelines[pipeline][deal.outcome]),
            "closedate": stamp(deal.closes), "createdate": stamp(deal.created),
            "hs_lastmodifieddate": stamp(deal.modified),
            "dealtype": "existingbusiness" if deal.renewal else "newbusiness",
            "hubspot_owner_id": deal.owner.id if deal.owner else None,
        }  # fmt: skip
