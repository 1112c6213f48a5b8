"""The stories in which it is the deal that misleads: nobody stands on it, it does not count, or its buyer goes away."""

from __future__ import annotations

from dataclasses import replace

from tests.truth.stories import sold
from tests.truth.town import sentence
from tests.truth.truth import Case, Proof
from tests.truth.world import Story, World

# -- deals without people


def by_account(world: World, case: Case) -> Story:
    """A lead with a code is converted without a deal; the deal is made on its account, with nobody on it."""
    desk, (_, code) = world.salesforce, world.sender(case)
    who = world.buyer()
    yield case.start
    lead = desk.lead(case, who, sentence(case.rng, code.code))
    yield world.later(case, 1, 30)
    desk.convert(case, lead, sells=False)
    yield world.later(case, 1, 20)
    deal = desk.deal(case, [], account=case.accounts[who.company])
    deal.owed, deal.proof = code.referrer, Proof.ASKED
    yield from sold(world, case, desk, deal)


def by_company(world: World, case: Case) -> Story:
    """The same in HubSpot: only the company stands on the deal."""
    desk, (_, code) = world.hubspot, world.sender(case)
    who = world.buyer()
    yield case.start
    contact = desk.contact(case, who, sentence(case.rng, code.code))
    company = desk.company([contact], who.company)
    yield world.later(case, 1, 40)
    deal = desk.deal(case, [], company=company)
    deal.owed, deal.proof = code.referrer, Proof.ASKED
    yield from sold(world, case, desk, deal)


def colleague(world: World, case: Case) -> Story:
    """The deal's buyer came alone; somebody else of the same account has a code."""
    desk, (_, code) = world.salesforce, world.sender(case)
    who = world.buyer()
    yield case.start
    other = replace(world.buyer(), company=who.company)
    desk.contact(case, other, sentence(case.rng, code.code))
    contact = desk.contact(case, who)
    yield world.later(case, 1, 20)
    yield from sold(world, case, desk, desk.deal(case, [contact]))


# -- which deals count


def renewal(world: World, case: Case) -> Story:
    """The first sale is owed; the renewal a year later is not."""
    desk, (_, code) = world.desk(case), world.sender(case)
    yield world.began + (case.start - world.began) / 3
    contact = desk.contact(case, world.buyer(), sentence(case.rng, code.code))
    deal = desk.deal(case, [contact])
    deal.owed = code.referrer
    yield from sold(world, case, desk, deal, 5, 30)
    yield world.later(case, 250, 300)
    again = desk.deal(case, [contact], renewal=True)
    yield from sold(world, case, desk, again, 20, 60)


def reversed_deal(world: World, case: Case) -> Story:
    """Won, and lost again: nothing is owed."""
    desk, (_, code) = world.desk(case), world.sender(case)
    yield case.start
    contact = desk.contact(case, world.buyer(), sentence(case.rng, code.code))
    deal = desk.deal(case, [contact])
    yield from sold(world, case, desk, deal, 5, 30)
    yield world.later(case, 3, 60)
    desk.reopen(deal)
    yield world.later(case, 1, 10)
    desk.close(deal, won=False)


def deleted_deal(world: World, case: Case) -> Story:
    """Won by mistake, and deleted."""
    desk, (_, code) = world.desk(case), world.sender(case)
    yield case.start
    contact = desk.contact(case, world.buyer(), sentence(case.rng, code.code))
    deal = desk.deal(case, [contact])
    yield from sold(world, case, desk, deal, 5, 30)
    yield world.later(case, 3, 60)
    desk.delete_deal(deal)
    deal.won = False


# -- what goes away


def deleted_after_win(world: World, case: Case) -> Story:
    """The buyer's record is deleted long after the deal was won: it stays owed."""
    desk, (_, code) = world.desk(case), world.sender(case)
    yield case.start
    contact = desk.contact(case, world.buyer(), sentence(case.rng, code.code))
    deal = desk.deal(case, [contact])
    deal.owed, deal.proof = code.referrer, Proof.SEEN
    yield world.later(case, 5, 60)
    desk.close(deal)
    yield world.later(case, 35, 90)
    desk.delete(contact)


def erased_after_win(world: World, case: Case) -> Story:
    """The buyer is erased for privacy after the deal was won."""
    desk, (_, code) = world.desk(case), world.sender(case)
    yield case.start
    contact = desk.contact(case, world.buyer(), sentence(case.rng, code.code))
    deal = desk.deal(case, [contact])
    deal.owed, deal.proof = code.referrer, Proof.SEEN
    yield world.later(case, 5, 60)
    desk.close(deal)
    yield world.later(case, 35, 90)
    desk.erase(contact)
