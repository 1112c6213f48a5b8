"""The played company: its two CRMs, its people, and the agenda of everything that will happen in two years.

A case is a story, told by a generator: it does something, gives the time of what comes next, and is taken up again when
the play has come there. What it does before its first `yield` belongs to the planning; codes are issued there.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from random import Random

from refloop_sandbox.hubspot import Allowance, LocalHubSpot
from refloop_sandbox.salesforce import LocalSalesforce
from tests.truth.clock import PlayedClock
from tests.truth.desks import Desk, HubSpotDesk, SalesforceDesk
from tests.truth.town import Code, Person, Referrer, Town
from tests.truth.truth import Case

START = datetime(2024, 6, 3, 15, tzinfo=UTC)
END = datetime(2026, 6, 1, 15, tzinfo=UTC)
_LAST_START = END - timedelta(days=150)
Story = Iterator[datetime]
Plot = Callable[["World", Case], Story]
Submit = Callable[[str, str], None]


@dataclass(frozen=True)
class Kind:
    """A kind of case: how many of them a world of size 1 has."""

    name: str
    plot: Plot
    count: int


class World:
    """Both CRMs and what will happen in them. The same for the same seed, whoever looks in between.

    `moment` is when what happens now was to happen; the clock may be a little later, because a sync took its time.
    """

    def __init__(self, kinds: Mapping[str, Kind], seed: int, size: float = 1.0) -> None:
        self.clock = PlayedClock(START)
        self.moment = START
        self.org = LocalSalesforce(clock=self.clock, multi_currency=True, daily_limit=10_000_000)
        self.portal = LocalHubSpot(
            clock=self.clock,
            time_zone="Asia/Tokyo",
            portal_id=31_415_926,
            salesforce_integration=True,
            allowance=Allowance(per_ten_seconds=1_000_000, daily=10_000_000),
        )
        self.salesforce = SalesforceDesk(self.org, self.clock)
        self.hubspot = HubSpotDesk(self.portal, self.clock)
        rng = Random(f"truth {seed}")  # noqa: S311 - for make-believe, not for secrets
        self.town = Town(rng)
        self.cases: list[Case] = []
        self.submit: Submit = _nobody_listens
        self._rng = rng
        self._agenda: list[tuple[datetime, int, Story]] = []
        self._fill(kinds, size)

    def close(self) -> None:
        self.org.close()

    def _fill(self, kinds: Mapping[str, Kind], size: float) -> None:
        self._own: dict[tuple[str, str], str] = {}
        self._people = Case("referrers", 0, self._rng, START)
        self._referrers = [self._sender() for _ in range(max(6, round(40 * size)))]
        for kind in kinds.values():
            for number in range(max(1, round(kind.count * size)) if kind.count else 0):
                self._plan(kind, number)

    def _sender(self) -> tuple[Referrer, Code]:
        """A referrer with a code of no limited validity and a contact in both CRMs."""
        referrer = self.town.referrer()
        for desk in (self.salesforce, self.hubspot):
            self._own[referrer.id, desk.name] = desk.contact(self._people, referrer.person)
        return referrer, self.town.issue(referrer)

    def _plan(self, kind: Kind, number: int) -> None:
        rng = Random(f"{self._rng.random()} {kind.name} {number}")  # noqa: S311 - for make-believe
        span = int((_LAST_START - START).total_seconds())
        case = Case(kind.name, number, rng, START + timedelta(seconds=rng.randrange(86_400, span)))
        self.cases.append(case)
        story = kind.plot(self, case)
        self._put(next(story), story)

    def _put(self, at: datetime, story: Story) -> None:
        heapq.heappush(self._agenda, (at, len(self._agenda) + self._rng.randrange(1 << 60), story))

    def play(self, until: datetime) -> None:
        """Lets everything happen that is due by `until`, in its order, and comes to rest there."""
        while self._agenda and self._agenda[0][0] <= until:
            at, _, story = heapq.heappop(self._agenda)
            self.moment = at
            self.clock.turn_to(at)
            following = next(story, None)
            if following is not None:
                self._put(max(following, at), story)
        self.clock.turn_to(until)

    # -- what stories need

    def sender(self, case: Case) -> tuple[Referrer, Code]:
        """Some referrer and their code."""
        return case.rng.choice(self._referrers)

    def two_senders(self, case: Case) -> list[tuple[Referrer, Code]]:
        return case.rng.sample(self._referrers, 2)

    def contact_of(self, referrer: Referrer, desk: Desk) -> str:
        """The contact of one of the `sender`s in a CRM."""
        return self._own[referrer.id, desk.name]

    def buyer(self) -> Person:
        return self.town.newcomer()

    def desk(self, case: Case) -> Desk:
        """One of the two CRMs, by turns."""
        return self.salesforce if case.number % 2 else self.hubspot

    def later(self, case: Case, low: int, high: int) -> datetime:
        """Some time on a day `low` to `high` days from now."""
        return self.moment + timedelta(seconds=case.rng.randrange(low * 86_400, max(high, low + 1) * 86_400))

    def local(self, desk: Desk, day: date, hour: int, minute: int = 0) -> datetime:
        """A time of a day where the CRM's account is."""
        return datetime.combine(day, time(hour, minute), desk.zone).astimezone(UTC)

    @property
    def began(self) -> datetime:
        return START

    def is_there(self, person: str) -> bool:
        """Whether a record of a person is neither deleted nor merged away."""
        connection, kind, key = person.split(":")
        if connection == "hubspot":
            found = self.portal.get("contacts", key)
            return found is not None and found["hs_object_id"] == key
        row = self.org.get("Lead" if kind == "lead" else "Contact", key)
        return row is not None and not row["IsDeleted"]

    def today(self, desk: Desk) -> date:
        return self.moment.astimezone(desk.zone).date()


def _nobody_listens(code: str, email: str) -> None:
    raise RuntimeError(f"nobody takes the referral of {email} by {code}")
