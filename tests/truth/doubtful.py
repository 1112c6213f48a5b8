"""The stories of the played company in which the plain rules of products go wrong."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from tests.truth.stories import sold
from tests.truth.town import ordinary, sentence
from tests.truth.truth import Case, Proof
from tests.truth.world import Story, World

# -- when a code came


def typed_after_close(world: World, case: Case) -> Story:
    """Nobody had sent them when they bought."""
    desk, (_, code) = world.desk(case), world.sender(case)
    yield case.start
    contact = desk.contact(case, world.buyer(), ordinary(case.rng))
    deal = desk.deal(case, [contact])
    yield world.later(case, 5, 30)
    desk.close(deal)
    yield world.later(case, 5, 90)
    desk.write(contact, sentence(case.rng, code.code))


def old_customer(world: World, case: Case) -> Story:
    """Customers of old get a code today; what they buy after that is owed."""
    desk, (_, code) = world.desk(case), world.sender(case)
    who, days = world.buyer(), case.rng.randrange(60, 900)
    yield world.began
    contact, _ = desk.old_customer(case, who, (world.began - timedelta(days=days)).date())
    yield case.start
    desk.write(contact, sentence(case.rng, code.code))
    if case.rng.random() < 0.3:
        yield world.later(case, 5, 30)
        deal = desk.deal(case, [contact])
        deal.owed = code.referrer
        yield from sold(world, case, desk, deal)


def converted_into_old(world: World, case: Case) -> Story:
    """A lead with a code is converted into a customer of old, whose empty description it fills."""
    desk, (_, code) = world.salesforce, world.sender(case)
    who, days = world.buyer(), case.rng.randrange(60, 900)
    yield world.began
    contact, _ = desk.old_customer(case, who, (world.began - timedelta(days=days)).date())
    yield case.start
    lead = desk.lead(case, who, sentence(case.rng, code.code))
    yield world.later(case, 1, 30)
    _, deal = desk.convert(case, lead, contact=contact, sells=case.rng.random() < 0.5)
    if deal is not None:
        deal.owed = code.referrer
        yield from sold(world, case, desk, deal)


def merged_into_old(world: World, case: Case) -> Story:
    """A new contact with a code is merged into a customer of old."""
    desk, (_, code) = world.desk(case), world.sender(case)
    who, days = world.buyer(), case.rng.randrange(60, 900)
    yield world.began
    contact, _ = desk.old_customer(case, who, (world.began - timedelta(days=days)).date())
    yield case.start
    private = replace(who, email=f"{who.last}@post.example".lower())
    newer = desk.contact(case, private, sentence(case.rng, code.code))
    yield world.later(case, 1, 30)
    desk.merge(case, contact, newer)


def mass_edit(world: World, case: Case) -> Story:
    """Somebody writes one code on dozens of contacts within minutes. It sent none of them."""
    desk, (_, code) = world.desk(case), world.sender(case)
    yield case.start
    contacts = [desk.contact(case, world.buyer(), "") for _ in range(25)]
    yield world.later(case, 20, 60)
    for contact in contacts:
        desk.write(contact, code.code)
        yield world.moment + timedelta(seconds=7)
    yield world.later(case, 10, 20)
    for contact in contacts:
        deal = desk.deal(case, [contact])
        yield world.moment + timedelta(hours=case.rng.randrange(60, 400))
        desk.close(deal)


def overwritten(world: World, case: Case) -> Story:
    """A second code over the first, before the deal is won. HubSpot keeps what stood there, Salesforce here not."""
    desk, ((_, first), (_, second)) = world.desk(case), world.two_senders(case)
    yield case.start
    contact = desk.contact(case, world.buyer(), sentence(case.rng, first.code))
    yield world.later(case, 35, 90)
    desk.write(contact, sentence(case.rng, second.code))
    yield world.later(case, 1, 20)
    deal = desk.deal(case, [contact])
    deal.owed = first.referrer
    deal.proof = Proof.SHOWN if desk is world.hubspot else Proof.SEEN
    yield from sold(world, case, desk, deal)


def two_fields(world: World, case: Case) -> Story:
    """Came by the link of one referrer, and weeks later somebody types the code of another: the first counts."""
    desk, ((_, first), (_, second)) = world.hubspot, world.two_senders(case)
    yield case.start
    contact = desk.visitor(case, world.buyer(), f"https://www.quillmoor.example/?ref={first.code}")
    yield world.later(case, 15, 60)
    desk.write(contact, sentence(case.rng, second.code))
    deal = desk.deal(case, [contact])
    deal.owed = first.referrer
    yield from sold(world, case, desk, deal)


def told_beside(world: World, case: Case) -> Story:
    """The text tells of both, and who was first."""
    desk, ((first, one), (_, two)) = world.desk(case), world.two_senders(case)
    yield case.start
    text = f"Has code {two.code} from the fair, but heard of us by {first.person.name} ({one.code}) first."
    contact = desk.contact(case, world.buyer(), text)
    yield world.later(case, 1, 20)
    deal = desk.deal(case, [contact])
    deal.owed, deal.proof = first.id, Proof.ASKED
    yield from sold(world, case, desk, deal)


# -- a day is a day somewhere


def last_evening(world: World, case: Case) -> Story:
    """The code ends with the day on which it came, in the evening (Salesforce) or the early morning (HubSpot)."""
    desk = world.desk(case)
    day = case.start.date()
    referrer = world.sender(case)[0]
    west = desk is world.salesforce
    code = world.town.issue(referrer, None if west else day, day if west else None)
    yield world.local(desk, day, 18 if west else 6, 30)
    contact = desk.contact(case, world.buyer(), sentence(case.rng, code.code))
    yield world.later(case, 1, 20)
    deal = desk.deal(case, [contact])
    deal.owed = referrer.id
    yield from sold(world, case, desk, deal)


def day_after(world: World, case: Case) -> Story:
    """Half an hour after midnight the code has ended, though not yet in Greenwich (HubSpot), or for long."""
    desk = world.desk(case)
    day = case.start.date()
    code = world.town.issue(world.sender(case)[0], None, day - timedelta(days=0 if case.number % 4 < 2 else 40))
    yield world.local(desk, day + timedelta(days=1), 0, 30)
    contact = desk.contact(case, world.buyer(), sentence(case.rng, code.code))
    yield world.later(case, 1, 20)
    yield from sold(world, case, desk, desk.deal(case, [contact]))


def same_evening(world: World, case: Case) -> Story:
    """Came in the evening and bought the same day."""
    desk, (_, code) = world.desk(case), world.sender(case)
    yield world.local(desk, case.start.date(), 18 if desk is world.salesforce else 7)
    contact = desk.contact(case, world.buyer(), sentence(case.rng, code.code))
    deal = desk.deal(case, [contact])
    deal.owed = code.referrer
    yield world.moment + timedelta(hours=1)
    desk.close(deal)


# -- who is who


def own_code(world: World, case: Case) -> Story:
    """A referrer uses their own code; every other one by an alias of their address."""
    desk = world.desk(case)
    who = world.town.newcomer("gmail.com")
    referrer = world.town.referrer(who)
    code = world.town.issue(referrer)
    yield case.start
    local = who.email.partition("@")[0]
    alias = (f"{local.replace('.', '')}+x@gmail.com", f"{local}@googlemail.com")[case.number // 2 % 2]
    known = who if case.number % 4 < 2 else replace(who, email=alias)
    contact = desk.contact(case, known, sentence(case.rng, code.code))
    yield world.later(case, 1, 20)
    yield from sold(world, case, desk, desk.deal(case, [contact]))


def duplicate_person(world: World, case: Case) -> Story:
    """The code stands on a first record of the buyer's; the deal hangs on a second one of another address, or none."""
    desk, (_, code) = world.desk(case), world.sender(case)
    who = world.buyer()
    yield case.start
    private = replace(who, email=f"{who.first}.{who.last}@post.example".lower() if case.number % 3 else "")
    desk.contact(case, private, sentence(case.rng, code.code))
    yield world.later(case, 5, 60)
    contact = desk.contact(case, who)
    deal = desk.deal(case, [contact])
    deal.owed, deal.proof = code.referrer, Proof.ASKED
    yield from sold(world, case, desk, deal)


def referrer_on_deal(world: World, case: Case) -> Story:
    """The referrer, who was once sent by somebody else, stands on the deal as who referred."""
    desk, (_, earlier) = world.desk(case), world.sender(case)
    referrer = world.town.referrer()
    code = world.town.issue(referrer)
    yield case.start
    referring = desk.contact(case, referrer.person, sentence(case.rng, earlier.code))
    yield world.later(case, 5, 20)
    contact = desk.contact(case, world.buyer(), sentence(case.rng, code.code))
    deal = desk.deal(case, [contact])
    desk.put_on(deal, referring, as_referrer=True)
    deal.owed = referrer.id
    yield from sold(world, case, desk, deal)


def named_without_code(world: World, case: Case) -> Story:
    """The referrer stands on the deal as who referred, and no code was ever told."""
    desk, (referrer, _) = world.desk(case), world.sender(case)
    yield case.start
    contact = desk.contact(case, world.buyer())
    deal = desk.deal(case, [contact])
    deal.owed, deal.proof = referrer.id, Proof.ASKED
    desk.put_on(deal, world.contact_of(referrer, desk), as_referrer=True)
    yield from sold(world, case, desk, deal)


def namesake(world: World, case: Case) -> Story:
    """Somebody else of the same name, at another company, has a code."""
    desk, (_, code) = world.desk(case), world.sender(case)
    who, other = world.buyer(), world.buyer()
    yield case.start
    desk.contact(case, replace(who, email=other.email, company=other.company), sentence(case.rng, code.code))
    yield world.later(case, 5, 60)
    contact = desk.contact(case, who)
    yield from sold(world, case, desk, desk.deal(case, [contact]))


def taken_off(world: World, case: Case) -> Story:
    """Somebody with a code was put on the deal by mistake, and taken off it while it was open."""
    desk, (_, code) = world.desk(case), world.sender(case)
    yield case.start
    other = desk.contact(case, world.buyer(), sentence(case.rng, code.code))
    contact = desk.contact(case, world.buyer())
    deal = desk.deal(case, [contact, other])
    yield world.later(case, 5, 30)
    desk.take_off(deal, other)
    yield from sold(world, case, desk, deal, 5, 40)


def code_cleared(world: World, case: Case) -> Story:
    """A code typed on the wrong record, and taken off it before the deal was won."""
    desk, (_, code) = world.desk(case), world.sender(case)
    yield case.start
    contact = desk.contact(case, world.buyer())
    deal = desk.deal(case, [contact])
    yield world.later(case, 5, 30)
    desk.write(contact, sentence(case.rng, code.code))
    yield world.later(case, 1, 30)
    desk.write(contact, "")
    yield from sold(world, case, desk, deal, 5, 40)


def submitted_too_late(world: World, case: Case) -> Story:
    """The referrer told it by the form when the buyer had bought."""
    desk, (_, code) = world.desk(case), world.sender(case)
    who = world.buyer()
    yield case.start
    contact = desk.contact(case, who)
    deal = desk.deal(case, [contact])
    yield world.later(case, 5, 30)
    desk.close(deal)
    yield world.later(case, 3, 60)
    world.submit(code.code, who.email)


def submitted_and_typed(world: World, case: Case) -> Story:
    """Submitted by one referrer, and weeks later the buyer comes with the code of another: who was first is owed."""
    desk, ((_, first), (_, second)) = world.desk(case), world.two_senders(case)
    who = world.buyer()
    yield case.start
    world.submit(first.code, who.email)
    yield world.later(case, 20, 60)
    contact = desk.contact(case, who, sentence(case.rng, second.code))
    deal = desk.deal(case, [contact])
    deal.owed = first.referrer
    yield from sold(world, case, desk, deal)
