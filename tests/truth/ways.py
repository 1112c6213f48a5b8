"""Stories of plain referrals whose deals came about in other ways than one contact on one deal."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from tests.truth.stories import SITE, sold
from tests.truth.town import Person, sentence
from tests.truth.truth import Case
from tests.truth.world import Story, World


def other_crm(world: World, case: Case) -> Story:
    """A lead with a code in Salesforce; the deal is in HubSpot, with the same person."""
    (_, code) = world.sender(case)
    who = world.buyer()
    yield case.start
    world.salesforce.lead(case, who, sentence(case.rng, code.code))
    yield world.later(case, 1, 30)
    contact = world.hubspot.contact(case, who)
    deal = world.hubspot.deal(case, [contact])
    deal.owed = code.referrer
    yield from sold(world, case, world.hubspot, deal)


def mirrored(world: World, case: Case) -> Story:
    """HubSpot's Salesforce integration copies the deal: one deal, in both CRMs. The code came to either of them."""
    (_, code) = world.sender(case)
    who = world.buyer()
    yield case.start
    visitor = world.hubspot.visitor(case, who, f"{SITE}/?ref={code.code}") if case.number % 2 else None
    lead = world.salesforce.lead(case, who, "" if visitor else sentence(case.rng, code.code))
    yield world.later(case, 1, 30)
    contact, deal = world.salesforce.convert(case, lead)
    assert deal is not None
    deal.owed = code.referrer
    yield world.moment + timedelta(minutes=15)
    world.hubspot.mirror(case, deal, visitor or world.hubspot.copy(case, who, contact))
    yield world.later(case, 10, 80)
    world.salesforce.close(deal)
    yield world.moment + timedelta(minutes=15)
    world.hubspot.close(deal)


def currencies(world: World, case: Case) -> Story:
    desk, (_, code) = world.desk(case), world.sender(case)
    yield case.start
    contact = desk.contact(case, world.buyer(), sentence(case.rng, code.code))
    yield world.later(case, 1, 40)
    deal = desk.deal(case, [contact], currency=("EUR", "JPY", "BHD")[case.number % 3])
    deal.owed = code.referrer
    yield from sold(world, case, desk, deal)


def future_close(world: World, case: Case) -> Story:
    """Won, with a close date that lies ahead."""
    desk, (_, code) = world.desk(case), world.sender(case)
    yield case.start
    contact = desk.contact(case, world.buyer(), sentence(case.rng, code.code))
    yield world.later(case, 1, 30)
    deal = desk.deal(case, [contact])
    deal.owed = code.referrer
    yield world.later(case, 5, 40)
    desk.close(deal, on=world.today(desk) + timedelta(days=case.rng.randrange(100, 500)))


def put_on_late(world: World, case: Case) -> Story:
    """The deal was there first; its buyer, who has a code, was put on it before it was won."""
    desk, (_, code) = world.desk(case), world.sender(case)
    yield case.start
    deal = desk.deal(case, [])
    yield world.later(case, 1, 10)
    contact = desk.contact(case, world.buyer(), sentence(case.rng, code.code))
    yield world.later(case, 5, 40)
    desk.put_on(deal, contact)
    deal.owed = code.referrer
    yield from sold(world, case, desk, deal, 1, 20)


def put_on_closed(world: World, case: Case) -> Story:
    """The buyer, known with a code for long, was put on the deal a few days after it was won."""
    desk, (_, code) = world.desk(case), world.sender(case)
    yield case.start
    contact = desk.contact(case, world.buyer(), sentence(case.rng, code.code))
    yield world.later(case, 5, 40)
    deal = desk.deal(case, [])
    deal.owed = code.referrer
    yield world.later(case, 10, 60)
    desk.close(deal)
    yield world.later(case, 1, 10)
    desk.put_on(deal, contact)


def second_address(world: World, case: Case) -> Story:
    """What names the buyer's second address counts for them: a submission, or a lead in the other CRM."""
    (_, code) = world.sender(case)
    who = world.buyer()
    private = f"{who.first}.{who.last}@post.example".lower()
    yield case.start
    if case.number % 2:
        world.submit(code.code, private)
    else:
        world.salesforce.lead(case, _at(who, private), sentence(case.rng, code.code))
    yield world.later(case, 1, 20)
    contact = world.hubspot.contact(case, who)
    yield world.later(case, 1, 20)
    world.hubspot.add_email(contact, private)
    deal = world.hubspot.deal(case, [contact])
    deal.owed = code.referrer
    yield from sold(world, case, world.hubspot, deal)


def _at(who: Person, email: str) -> Person:
    return replace(who, email=email)


def merged_before_win(world: World, case: Case) -> Story:
    """Two contacts of one person, the newer with the code; merged while the deal was open."""
    desk, (_, code) = world.desk(case), world.sender(case)
    who = world.buyer()
    yield case.start
    older = desk.contact(case, _at(who, f"office@{who.last}.example".lower()))
    yield world.later(case, 10, 60)
    newer = desk.contact(case, who, sentence(case.rng, code.code))
    deal = desk.deal(case, [newer])
    deal.owed = code.referrer
    yield world.later(case, 5, 30)
    desk.merge(case, older, newer)
    yield from sold(world, case, desk, deal)


def reopened_and_won(world: World, case: Case) -> Story:
    desk, (_, code) = world.desk(case), world.sender(case)
    yield case.start
    contact = desk.contact(case, world.buyer(), sentence(case.rng, code.code))
    deal = desk.deal(case, [contact])
    deal.owed = code.referrer
    yield from sold(world, case, desk, deal, 5, 30)
    yield world.later(case, 3, 20)
    desk.reopen(deal)
    yield from sold(world, case, desk, deal, 10, 30)


def two_people(world: World, case: Case) -> Story:
    """Two people on the deal, sent by two referrers: who was first is owed."""
    desk, ((_, first), (_, second)) = world.desk(case), world.two_senders(case)
    yield case.start
    one = desk.contact(case, world.buyer(), sentence(case.rng, first.code))
    yield world.later(case, 10, 40)
    two = desk.contact(case, world.buyer(), sentence(case.rng, second.code))
    yield world.later(case, 1, 20)
    deal = desk.deal(case, [two, one])
    deal.owed = first.referrer
    yield from sold(world, case, desk, deal)


def two_records(world: World, case: Case) -> Story:
    """One person, with one code in Salesforce and, months later, another one in HubSpot: the first counts."""
    (_, first), (_, second) = world.two_senders(case)
    who = world.buyer()
    yield case.start
    world.salesforce.lead(case, who, sentence(case.rng, first.code))
    yield world.later(case, 30, 90)
    contact = world.hubspot.contact(case, who, sentence(case.rng, second.code))
    deal = world.hubspot.deal(case, [contact])
    deal.owed = first.referrer
    yield from sold(world, case, world.hubspot, deal)


def leads_merged(world: World, case: Case) -> Story:
    """Two leads of one person, the newer with the code; merged, and then converted."""
    desk, (_, code) = world.salesforce, world.sender(case)
    who = world.buyer()
    yield case.start
    older = desk.lead(case, who)
    yield world.later(case, 10, 60)
    newer = desk.lead(case, who, sentence(case.rng, code.code))
    yield world.later(case, 1, 20)
    desk.merge_leads(older, newer)
    yield world.later(case, 1, 20)
    _, deal = desk.convert(case, older)
    assert deal is not None
    deal.owed = code.referrer
    yield from sold(world, case, desk, deal)


def second_sale(world: World, case: Case) -> Story:
    """Somebody who was sent buys twice, both times something new."""
    desk, (_, code) = world.desk(case), world.sender(case)
    yield case.start
    contact = desk.contact(case, world.buyer(), sentence(case.rng, code.code))
    for _ in range(2):
        deal = desk.deal(case, [contact])
        deal.owed = code.referrer
        yield from sold(world, case, desk, deal, 10, 40)


def list_import(world: World, case: Case) -> Story:
    """A partner's list comes in within minutes: each lead has the partner's code from its first moment."""
    desk, (_, code) = world.salesforce, world.sender(case)
    yield case.start
    leads = []
    for _ in range(12):
        leads.append(desk.lead(case, world.buyer(), f"code {code.code}"))
        yield world.moment + timedelta(seconds=5)
    for lead in leads[:6]:
        yield world.later(case, 2, 8)
        contact, deal = desk.convert(case, lead)
        assert deal is not None
        deal.owed = code.referrer
        deal.people = {f"salesforce:lead:{lead}", f"salesforce:contact:{contact}"}
        yield world.later(case, 4, 9)
        desk.close(deal)


def typed_anew(world: World, case: Case) -> Story:
    """A lead with a code that nobody converted: the seller typed the same person in as a contact."""
    desk, (_, code) = world.salesforce, world.sender(case)
    who = world.buyer()
    yield case.start
    desk.lead(case, who, sentence(case.rng, code.code))
    yield world.later(case, 2, 30)
    contact = desk.contact(case, who)
    deal = desk.deal(case, [contact])
    deal.owed = code.referrer
    yield from sold(world, case, desk, deal)


def deals_merged(world: World, case: Case) -> Story:
    """Two deals of one sale, merged into a new one before it was won."""
    desk, (_, code) = world.hubspot, world.sender(case)
    yield case.start
    contact = desk.contact(case, world.buyer(), sentence(case.rng, code.code))
    deal = desk.deal(case, [contact])
    deal.owed = code.referrer
    yield world.later(case, 3, 20)
    second = desk.deal(case, [contact])
    yield world.later(case, 3, 20)
    desk.merge_deals(deal, second)
    yield from sold(world, case, desk, deal)


def restored(world: World, case: Case) -> Story:
    """Deleted by mistake, and taken out of the bin again, while the deal was open."""
    desk, (_, code) = world.desk(case), world.sender(case)
    yield case.start
    contact = desk.contact(case, world.buyer(), sentence(case.rng, code.code))
    deal = desk.deal(case, [contact])
    deal.owed = code.referrer
    yield world.later(case, 5, 30)
    desk.delete(contact)
    yield world.later(case, 1, 20)
    desk.restore(contact)
    if desk is world.salesforce and not world.salesforce.is_on(deal, contact):
        desk.put_on(deal, contact)
    yield from sold(world, case, desk, deal)
