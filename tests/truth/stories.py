"""The stories of the played company that are plainly referrals, or plainly none, whatever way they take."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from urllib.parse import quote

from tests.truth.desks import Desk
from tests.truth.town import SPELLINGS, Person, one_off, ordinary, sentence, spelt
from tests.truth.truth import Case, Deal, Proof
from tests.truth.world import Story, World

_SITE = "https://www.quillmoor.example"


def sold(world: World, case: Case, desk: Desk, deal: Deal, low: int = 8, high: int = 90) -> Story:
    """The deal is won some time later; now and then somebody edits one of its people after that."""
    yield world.later(case, low, high)
    desk.close(deal)
    if case.rng.random() < 0.3:
        yield world.later(case, 3, 60)
        fiddled(world, case)


def fiddled(world: World, case: Case) -> None:
    """Somebody corrects a telephone number of a contact of the case that is still there."""
    for person in sorted(case.people):
        connection, kind, key = person.split(":")
        desk = world.salesforce if connection == "salesforce" else world.hubspot
        if kind == "contact" and world.is_there(person):
            desk.fiddle(key)
            return


# -- nobody sent them


def no_referral(world: World, case: Case) -> Story:
    desk = world.desk(case)
    yield case.start
    contact = desk.contact(case, world.buyer(), ordinary(case.rng))
    yield world.later(case, 1, 40)
    deal = desk.deal(case, [contact])
    yield from sold(world, case, desk, deal)


def unknown_code(world: World, case: Case) -> Story:
    """A code that nobody handed out."""
    desk = world.desk(case)
    yield case.start
    contact = desk.contact(case, world.buyer(), sentence(case.rng, world.town.unissued()))
    yield world.later(case, 1, 30)
    yield from sold(world, case, desk, desk.deal(case, [contact]))


def lost_or_open(world: World, case: Case) -> Story:
    """Sent by somebody, and did not buy."""
    desk, (_, code) = world.desk(case), world.sender(case)
    yield case.start
    contact = desk.contact(case, world.buyer(), sentence(case.rng, code.code))
    yield world.later(case, 1, 30)
    deal = desk.deal(case, [contact])
    deal.owed = code.referrer
    if case.rng.random() < 0.6:
        yield world.later(case, 5, 60)
        desk.close(deal, won=False)


# -- sent by somebody, and it shows


def lead_converted(world: World, case: Case) -> Story:
    desk, (_, code) = world.salesforce, world.sender(case)
    yield case.start
    lead = desk.lead(case, world.buyer(), sentence(case.rng, code.code))
    yield world.later(case, 1, 45)
    _, deal = desk.convert(case, lead)
    assert deal is not None
    deal.owed = code.referrer
    yield from sold(world, case, desk, deal)


def contact_with_code(world: World, case: Case) -> Story:
    desk, (_, code) = world.desk(case), world.sender(case)
    yield case.start
    contact = desk.contact(case, world.buyer(), sentence(case.rng, code.code))
    yield world.later(case, 1, 60)
    deal = desk.deal(case, [contact])
    deal.owed = code.referrer
    yield from sold(world, case, desk, deal)


def web_link(world: World, case: Case) -> Story:
    desk, (_, code) = world.hubspot, world.sender(case)
    yield case.start
    name = case.rng.choice(("ref", "referral_code", "via", "utm_content"))
    url = f"{_SITE}/demo?utm_medium=mail&{name}={quote(code.code)}"
    contact = desk.visitor(case, world.buyer(), url)
    yield world.later(case, 1, 60)
    deal = desk.deal(case, [contact])
    deal.owed = code.referrer
    yield from sold(world, case, desk, deal)


def submitted(world: World, case: Case) -> Story:
    """The referrer told it by the form, and the buyer's records say nothing."""
    desk, (_, code) = world.desk(case), world.sender(case)
    who = world.buyer()
    yield case.start
    world.submit(code.code, who.email)
    yield world.later(case, 1, 20)
    contact = desk.contact(case, who, ordinary(case.rng))
    yield world.later(case, 1, 40)
    deal = desk.deal(case, [contact])
    deal.owed = code.referrer
    yield from sold(world, case, desk, deal)


def code_on_deal(world: World, case: Case) -> Story:
    """The seller typed the code into the deal."""
    (_, code) = world.sender(case)
    yield case.start
    desk = world.salesforce if case.number % 2 else world.hubspot
    contact = desk.contact(case, world.buyer())
    yield world.later(case, 1, 20)
    deal = desk.deal(case, [contact], text=f"Referral code {code.code}")
    deal.owed = code.referrer
    yield from sold(world, case, desk, deal)


def spelt_otherwise(world: World, case: Case) -> Story:
    desk, (_, code) = world.desk(case), world.sender(case)
    yield case.start
    way = SPELLINGS[case.number % len(SPELLINGS)]
    contact = desk.contact(case, world.buyer(), spelt(code.code, way))
    yield world.later(case, 1, 30)
    deal = desk.deal(case, [contact])
    deal.owed = code.referrer
    yield from sold(world, case, desk, deal)


def one_letter_wrong(world: World, case: Case) -> Story:
    desk, (_, code) = world.desk(case), world.sender(case)
    yield case.start
    contact = desk.contact(case, world.buyer(), f"referral code {one_off(case.rng, code.code)}")
    yield world.later(case, 1, 30)
    deal = desk.deal(case, [contact])
    deal.owed, deal.proof = code.referrer, Proof.ASKED
    yield from sold(world, case, desk, deal)


def corrected(world: World, case: Case) -> Story:
    """Mistyped at first, and put right by the seller before the deal was won."""
    desk, (_, code) = world.desk(case), world.sender(case)
    yield case.start
    contact = desk.contact(case, world.buyer(), f"code {one_off(case.rng, code.code)}")
    yield world.later(case, 2, 30)
    desk.write(contact, f"code {code.code}")
    yield world.later(case, 1, 30)
    deal = desk.deal(case, [contact])
    deal.owed = code.referrer
    yield from sold(world, case, desk, deal)


def typed_late(world: World, case: Case) -> Story:
    """Months after the contact was made, and before the deal was won."""
    desk, (_, code) = world.desk(case), world.sender(case)
    yield case.start - timedelta(days=min(120, (case.start - world.began).days))
    contact = desk.contact(case, world.buyer(), ordinary(case.rng))
    deal = desk.deal(case, [contact]) if case.rng.random() < 0.4 else None
    yield world.later(case, 40, 120)
    desk.write(contact, sentence(case.rng, code.code))
    yield world.later(case, 1, 20)
    deal = deal or desk.deal(case, [contact])
    deal.owed = code.referrer
    yield from sold(world, case, desk, deal, 14, 60)


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
    """HubSpot's Salesforce integration copies contact and deal: one deal, in both CRMs."""
    (_, code) = world.sender(case)
    who = world.buyer()
    yield case.start
    lead = world.salesforce.lead(case, who, sentence(case.rng, code.code))
    yield world.later(case, 1, 30)
    contact, deal = world.salesforce.convert(case, lead)
    assert deal is not None
    deal.owed = code.referrer
    yield world.moment + timedelta(minutes=15)
    world.hubspot.mirror(case, deal, who, contact)
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
