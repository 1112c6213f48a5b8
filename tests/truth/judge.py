"""Compares what a ledger credits and asks with what is true."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from refloop.ledger import Ledger
from tests.truth.desks import HOME
from tests.truth.truth import Case, Deal, Proof
from tests.truth.world import World

RATES = {"USD": Decimal(1), "EUR": Decimal("1.1"), "JPY": Decimal("0.0067"), "BHD": Decimal("2.65")}
"""What one of each is worth here, so that amounts of several currencies make one sum."""

OFTEN = 24
"""So many syncs in two years see all that shows for five weeks."""

NOBODY = ""
_CREDITS = (
    "SELECT c.connection, c.kind, c.id, c.referrer, c.share FROM credited_deals c "
    "JOIN records d ON d.connection = c.connection AND d.kind = c.kind AND d.id = c.id "
    "WHERE c.outcome = 'won' AND d.deleted = 0"
)
_ASKED = "SELECT connection, kind, id, doubt FROM questions"


@dataclass(frozen=True)
class Verdict:
    """What became of one deal. Money is in dollars.

    `right`, `wrong`, `asked`, `missed` and `gone` share out what is owed; `false` is credited where it is not.
    `credited` is the share of each referrer, `items` the reasons of what is left for review about the deal or its
    people. `blind`: syncs were too rare to see what showed to whom it is owed, so nobody can be blamed.
    """

    case: Case
    deal: Deal
    credited: Mapping[str, Decimal]
    items: frozenset[str]
    blind: bool = False

    @property
    def worth(self) -> Decimal:
        return self.deal.amount * RATES[self.deal.currency]

    @property
    def owed(self) -> Decimal:
        return self.worth if self.deal.won and self.deal.owed else Decimal(0)

    @property
    def right(self) -> Decimal:
        return min(self.credited.get(self.deal.owed or NOBODY, Decimal(0)), Decimal(1)) * self.owed

    @property
    def _to_others(self) -> Decimal:
        others = sum((share for name, share in self.credited.items() if name != self.deal.owed), Decimal(0))
        return min(min(others, Decimal(1)) * self.owed, self.owed - self.right)

    @property
    def wrong(self) -> Decimal:
        """To others than the one who is owed it."""
        return Decimal(0) if self.blind else self._to_others

    @property
    def false(self) -> Decimal:
        """Where nothing is owed, or a second time."""
        total = sum(self.credited.values(), Decimal(0))
        return total * self.worth if not self.owed else max(total - 1, Decimal(0)) * self.worth

    @property
    def _left(self) -> Decimal:
        return self.owed - self.right - self._to_others

    @property
    def asked(self) -> Decimal:
        return self._left if self.items else Decimal(0)

    @property
    def unsure(self) -> Decimal:
        """The part of `asked` that could be known."""
        return Decimal(0) if self.deal.proof is Proof.ASKED or self.blind else self.asked

    @property
    def missed(self) -> Decimal:
        """In silence."""
        return Decimal(0) if self.items or self.blind else self._left

    @property
    def gone(self) -> Decimal:
        return self.owed - self.right - self.asked if self.blind else Decimal(0)


@dataclass(frozen=True)
class Judgement:
    """All verdicts on one world at one pace, by the case and the deal's number in it.

    `told` is what the contact of each referrer says was won through them, in the home currency.
    """

    pace: int
    verdicts: Mapping[tuple[str, int], Verdict]
    told: Mapping[str, Decimal] = field(default_factory=dict)

    def total(self, what: str) -> Decimal:
        """The sum of `right`, `wrong`, `asked`, `unsure`, `missed`, `gone`, `false` or `owed`."""
        return sum((getattr(verdict, what) for verdict in self.verdicts.values()), Decimal(0))

    def share(self, what: str) -> Decimal:
        """The same, as a part of what is owed."""
        return self.total(what) / self.total("owed")

    def causes(self, what: str) -> list[tuple[str, Decimal, int, int]]:
        """By kind of case: how much of `what` it caused, in how many of its deals; the largest first."""
        found: dict[str, list[Verdict]] = defaultdict(list)
        for verdict in self.verdicts.values():
            found[verdict.case.kind].append(verdict)
        rows = [
            (
                kind,
                sum((getattr(one, what) for one in group), Decimal(0)),
                sum(1 for one in group if getattr(one, what) > 0),
                len(group),
            )
            for kind, group in found.items()
        ]
        return sorted((row for row in rows if row[1] > 0), key=lambda row: -row[1])

    @property
    def told_right(self) -> int:
        """How many referrers' own contact says the true amount; what is left to a person is not in it yet."""
        true: dict[str, Decimal] = defaultdict(Decimal)
        for one in self.verdicts.values():
            if one.owed and one.deal.owed and one.deal.currency == HOME and not one.asked and not one.gone:
                true[one.deal.owed] += one.deal.amount
        return sum(1 for referrer, amount in self.told.items() if amount == true[referrer])

    @property
    def needless(self) -> Counter[str]:
        """Deals left for review although nothing is owed on them, or all of it was credited right; by kind of case."""
        settled = [one for one in self.verdicts.values() if not one.owed or one.right == one.owed]
        return Counter(one.case.kind for one in settled if one.items)


def judge(world: World, ledger: Ledger, pace: int) -> Judgement:
    """Reads what the ledger says now. Call it when the play is over."""
    credited = _credits(ledger)
    asked: dict[str, set[str]] = defaultdict(set)
    for row in ledger.rows(_ASKED):
        asked[f"{row['connection']}:{row['kind']}:{row['id']}"].add(row["doubt"])
    verdicts = {
        (case.name, number): Verdict(
            case, deal, _of_deal(deal, credited), _items(case, deal, asked), _blind(deal, pace)
        )
        for case in world.cases
        for number, deal in enumerate(case.deals)
    }
    return Judgement(pace, verdicts, world.told())


def _blind(deal: Deal, pace: int) -> bool:
    return deal.proof is Proof.SEEN and pace < OFTEN


def _credits(ledger: Ledger) -> Mapping[str, Mapping[str, Decimal]]:
    found: dict[str, dict[str, Decimal]] = defaultdict(lambda: defaultdict(Decimal))
    for row in ledger.rows(_CREDITS):
        found[f"{row['connection']}:{row['kind']}:{row['id']}"][row["referrer"]] += Decimal(row["share"])
    return found


def _of_deal(deal: Deal, credited: Mapping[str, Mapping[str, Decimal]]) -> Mapping[str, Decimal]:
    """The shares of a deal over all its records: a mirrored one that is credited twice has more than one whole."""
    shares: dict[str, Decimal] = defaultdict(Decimal)
    for ref in deal.refs:
        for name, share in credited.get(ref, {}).items():
            shares[name] += share
    return shares


def _items(case: Case, deal: Deal, asked: Mapping[str, Iterable[str]]) -> frozenset[str]:
    return frozenset(reason for ref in (*deal.refs, *(deal.people or case.people)) for reason in asked.get(ref, ()))


@dataclass(frozen=True)
class Contradiction:
    """A deal that two paces decide otherwise, where the fewer runs do not ask about it."""

    key: tuple[str, int]
    often: Verdict
    seldom: Verdict


def contradictions(often: Judgement, seldom: Judgement) -> Iterator[Contradiction]:
    """Deals on which fewer runs credit otherwise than more runs, and do not ask instead.

    Who runs seldom may ask where who runs often knows, and cannot be held to what nothing shows any more.
    """
    for key, verdict in often.verdicts.items():
        other = seldom.verdicts[key]
        same = dict(verdict.credited) == dict(other.credited)
        asks = bool(other.items) and not other.credited
        if not (same or asks or other.blind):
            yield Contradiction(key, verdict, other)
