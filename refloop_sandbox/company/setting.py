"""What all parts of the made-up company share: its calendar, its people, and what is known of what they wrote."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from random import Random

from refloop_sandbox.company.codes import ORDINARY, PAGES, SITE, Doubt, Writers, Writing
from refloop_sandbox.company.names import People, Person
from refloop_sandbox.company.owners import Owner, Sellers
from refloop_sandbox.nouns import Outcome, Ref

_CARRYING = 0.12
_HISTORY = timedelta(days=730)


@dataclass
class Expected:
    """What refloop must come to, known because it was planned.

    `matches` (record: code as issued) and `questions` (record: doubt) are complete; a record in neither carries
    nothing. `traps` are those of them that look otherwise. `late` are (deal, person) where the deal had closed
    before the person came with a code; `rivals` deals with people of two referrers; `unreferred_won` won deals
    none of whose people is known for a code; `same_person` (Salesforce, HubSpot) with one e-mail address. `owners`
    says of each record whose it is; one that is not in it has none. `renewals` are deals that go on with what was
    sold; `by_company` (deal, buyer) where only the company stands on the deal; `named` (deal, referrer) where the
    referrer stands on it under a label that says so; `second_addresses` (person, address).
    """

    matches: dict[Ref, str] = field(default_factory=dict)
    questions: dict[Ref, Doubt] = field(default_factory=dict)
    manners: dict[Ref, str] = field(default_factory=dict)
    traps: list[Ref] = field(default_factory=list)
    self_referrals: list[Ref] = field(default_factory=list)
    late: list[tuple[Ref, Ref]] = field(default_factory=list)
    rivals: list[Ref] = field(default_factory=list)
    unreferred_won: list[Ref] = field(default_factory=list)
    same_person: list[tuple[Ref, Ref]] = field(default_factory=list)
    owners: dict[Ref, Owner] = field(default_factory=dict)
    renewals: list[Ref] = field(default_factory=list)
    by_company: list[tuple[Ref, Ref]] = field(default_factory=list)
    named: list[tuple[Ref, Ref]] = field(default_factory=list)
    second_addresses: list[tuple[Ref, str]] = field(default_factory=list)


@dataclass
class Member:
    """A person as one CRM knows them. `email` as it was typed there; `alone`: must stay out of the other CRM.

    `others` are second addresses, in a CRM that keeps them. `saved`, in a CRM that keeps no history, is when the record
    was saved last: the code came on some day until then.
    """

    person: Person
    created: datetime
    email: str | None
    writing: Writing | None = None
    alone: bool = False
    ref: Ref | None = None
    owner: Owner | None = None
    others: tuple[str, ...] = ()
    saved: datetime | None = None

    @property
    def verdict(self) -> str | Doubt | None:
        """What the record must come to: the code, a doubt, or nothing."""
        return self.writing.verdict(self.created.date(), (self.saved or self.created).date()) if self.writing else None

    @property
    def code(self) -> str | None:
        """The code that the record carries, if it is good on each day on which it may have come."""
        verdict = self.verdict
        return verdict if isinstance(verdict, str) and not isinstance(verdict, Doubt) else None

    @property
    def referrer(self) -> str | None:
        issued = self.writing.issued if self.writing and self.code else None
        return issued.referrer.email if issued else None

    @property
    def name(self) -> Ref:
        """The record's name. Raises ValueError before it has been loaded."""
        if self.ref is None:
            raise ValueError("not loaded yet")
        return self.ref


@dataclass
class Deal:
    """A deal as planned. `closes` is when it ended, or is hoped to end; `people` begins with the buyer.

    `renewal`: it goes on with what the buyer has. `by_company`: nobody of `people` was put on it, only their company.
    `named` is the referrer, who stands on it as such and buys nothing.
    """

    title: str
    created: datetime
    closes: datetime
    outcome: Outcome
    amount: Decimal | None
    people: list[Member]
    late: list[Member] = field(default_factory=list)
    rival: bool = False
    renewal: bool = False
    by_company: bool = False
    named: Member | None = None
    owner: Owner | None = None

    @property
    def modified(self) -> datetime:
        return self.created if self.outcome is Outcome.OPEN else self.closes


@dataclass
class Setting:
    """The company on the morning of `now`.

    `variety` is a luck of its own for what came to the company later: with it or without, the rest is the same.
    """

    rng: Random
    variety: Random
    now: datetime
    size: float
    people: People
    writers: Writers
    sellers: Sellers
    expected: Expected = field(default_factory=Expected)

    @property
    def start(self) -> datetime:
        return self.now - _HISTORY

    def count(self, full: int) -> int:
        """`full` of something, at this company's size."""
        return max(1, round(full * self.size))

    def between(self, first: datetime, last: datetime) -> datetime:
        """Some whole second of that time; `last` when there is none."""
        seconds = int((last - first).total_seconds())
        return first + timedelta(seconds=self.rng.randrange(seconds)) if seconds > 0 else last

    def after(self, moment: datetime, low: int, high: int) -> datetime:
        """`low` to `high` days later, which may be in the future."""
        return moment + timedelta(seconds=self.rng.randrange(low * 86_400, high * 86_400))

    def description(self, person: Person, on: datetime) -> Writing | None:
        if self.rng.random() < _CARRYING:
            return self.writers.description(person, on.date())
        return Writing(self.rng.choice(ORDINARY), "ordinary") if self.rng.random() < 0.35 else None

    def first_page(self, person: Person, on: datetime) -> Writing | None:
        if self.rng.random() < _CARRYING:
            return self.writers.first_page(person, on.date())
        return Writing(SITE + self.rng.choice(PAGES), "ordinary") if self.rng.random() < 0.6 else None

    def note_member(self, member: Member) -> None:
        """Writes down what the loaded record of a member must come to."""
        ref = member.name
        self.expected.second_addresses += [(ref, address) for address in member.others]
        if member.owner is not None:
            self.expected.owners[ref] = member.owner
        if member.writing is None:
            return
        verdict = member.verdict
        self.expected.manners[ref] = member.writing.manner
        if isinstance(verdict, Doubt):
            self.expected.questions[ref] = verdict
        elif verdict is not None:
            self.expected.matches[ref] = verdict
        elif member.writing.manner == "trap":
            self.expected.traps.append(ref)
        if member.referrer is not None and member.referrer == member.person.email:
            self.expected.self_referrals.append(ref)

    def note_deal(self, deal: Deal, ref: Ref, known: Sequence[Member]) -> None:
        """Writes down what the loaded deal is an example of. `known` are all who come with it, under any record."""
        if deal.owner is not None:
            self.expected.owners[ref] = deal.owner
        self.expected.late += [(ref, member.name) for member in deal.late if member.code]
        if deal.rival and len({member.referrer for member in deal.people if member.code}) > 1:
            self.expected.rivals.append(ref)
        if deal.renewal:
            self.expected.renewals.append(ref)
        if deal.by_company:
            self.expected.by_company.append((ref, deal.people[0].name))
        if deal.named is not None:
            self.expected.named.append((ref, deal.named.name))
        if deal.outcome is Outcome.WON and not any(member.writing for member in known):
            self.expected.unreferred_won.append(ref)


def midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)


def stamp(moment: datetime) -> str:
    """ISO 8601 in UTC, which both CRMs read."""
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def amount(rng: Random) -> Decimal | None:
    """A price with cents, now and then round; for one deal in twelve nobody has said yet."""
    if rng.random() < 1 / 12:
        return None
    cents = round(rng.lognormvariate(9.4, 0.9) * 100)
    return Decimal(cents if rng.random() < 0.7 else cents // 100_000 * 100_000 + 100_000) / 100
