"""Deals: when they begin and end, who stands behind them, and the ones that are hard to credit."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from refloop_sandbox.company.setting import Deal, Member, Setting, amount
from refloop_sandbox.nouns import Outcome

_PRODUCTS = ("Starter", "Team plan", "Enterprise", "40 seats", "Migration", "Annual licence", "Onboarding & training")


def planned(setting: Setting, buyer: Member, began: Member | None = None) -> Deal:
    """A deal with one buyer. `began`: the record whose making was the deal's beginning (a conversion)."""
    rng, now = setting.rng, setting.now
    created = began.created if began else setting.between(buyer.created, now)
    closes = setting.after(created, 10, 150)
    outcome = Outcome.OPEN
    if closes < now and rng.random() < 0.95:
        outcome = Outcome.WON if rng.random() < 0.45 else Outcome.LOST
    title = f"{buyer.person.company} - {rng.choice(_PRODUCTS)}"
    return Deal(title, created, closes, outcome, amount(rng), [buyer])


def add_colleagues(setting: Setting, deals: Sequence[Deal], crowd: Sequence[Member]) -> None:
    """Gives one deal in five a second or third person, whom the CRM knew by then."""
    for deal in deals:
        for _ in range(setting.rng.choice((0, 0, 0, 0, 0, 0, 0, 0, 1, 2))):
            other = setting.rng.choice(crowd)
            if other.created <= deal.created and other not in deal.people and not other.alone:
                deal.people.append(other)


def add_latecomers(setting: Setting, deals: Sequence[Deal], crowd: Sequence[Member], count: int) -> None:
    """Puts people on deals that had closed before those people came with a code."""
    ended = [deal for deal in deals if deal.outcome is Outcome.WON]
    for member in _with_codes(setting, crowd):
        fitting = [deal for deal in ended if deal.closes + timedelta(days=2) < member.created and not deal.late]
        if fitting and count:
            deal = setting.rng.choice(fitting)
            deal.people.append(member)
            deal.late.append(member)
            member.alone = True
            count -= 1


def add_rivals(setting: Setting, deals: Sequence[Deal], crowd: Sequence[Member], count: int) -> None:
    """Puts two people of different referrers on one deal."""
    for one in _with_codes(setting, crowd):
        others = [item for item in crowd if item.referrer and item.referrer != one.referrer and not item.alone]
        fitting = [deal for deal in deals if deal.created >= one.created and not deal.late and not deal.rival]
        if others and fitting and count:
            deal = setting.rng.choice(fitting)
            other = setting.rng.choice([item for item in others if item.created <= deal.created] or [one])
            if other is one:
                continue
            deal.people += [item for item in (one, other) if item not in deal.people]
            deal.rival = True
            count -= 1


def add_named_referrers(setting: Setting, deals: Sequence[Deal], crowd: Sequence[Member], count: int) -> None:
    """Has the referrer of the buyer stand on a deal too, as the one who referred."""
    without = [member for member in crowd if member.person.email and member.writing is None]
    theirs = {member.person.email: member for member in without}
    simple = [deal for deal in deals if not deal.rival and not deal.late]
    fitting = [(deal, theirs[name]) for deal in simple if (name := deal.people[0].referrer) in theirs]
    for deal, referrer in setting.variety.sample(fitting, min(len(fitting), count)):
        deal.named = referrer


def renewed(setting: Setting, deals: Sequence[Deal], count: int) -> list[Deal]:
    """Deals a year later about what was sold, with the same buyer."""
    sold = [deal for deal in deals if deal.outcome is Outcome.WON and not deal.late and not deal.rival]
    found: list[Deal] = []
    for deal in setting.variety.sample(sold, min(len(sold), count)):
        created = min(deal.closes + timedelta(days=300), setting.now - timedelta(days=1))
        ended = deal.closes + timedelta(days=365)
        outcome = Outcome.OPEN if ended >= setting.now else setting.variety.choice((Outcome.WON, Outcome.LOST))
        found.append(
            Deal(f"{deal.title} (renewal)", created, ended, outcome, deal.amount, deal.people[:1], renewal=True)
        )
    return found


def by_company(setting: Setting, crowd: Sequence[Member]) -> list[Deal]:
    """Deals on which nobody put a person: only the buyer's company stands there."""
    luck = setting.variety
    found: list[Deal] = []
    for buyer in luck.sample(crowd, setting.count(30)):
        created = buyer.created + (setting.now - buyer.created) * luck.random()
        closes = created + timedelta(days=luck.randrange(10, 150))
        outcome = Outcome.OPEN if closes >= setting.now else luck.choice((Outcome.WON, Outcome.LOST))
        title = f"{buyer.person.company} - {luck.choice(_PRODUCTS)}"
        found.append(Deal(title, created, closes, outcome, amount(luck), [buyer], by_company=True))
    return found


def _with_codes(setting: Setting, crowd: Sequence[Member]) -> list[Member]:
    """Those who came with a good code of somebody else's, in any order."""
    found = [item for item in crowd if item.referrer and item.referrer != item.person.email and not item.alone]
    setting.rng.shuffle(found)
    return found
