"""The stories of the played company that are plainly referrals, or plainly none, whatever way they take."""

from __future__ import annotations

from datetime import timedelta
from urllib.parse import quote

from tests.truth.desks import Desk
from tests.truth.town import SPELLINGS, one_off, ordinary, sentence, spelt
from tests.truth.truth import Case, Deal, Proof
from tests.truth.world import Story, World

SITE = "https://www.quillmoor.example"


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
    url = f"{SITE}/demo?utm_medium=mail&{name}={quote(code.code)}"
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
