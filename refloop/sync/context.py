"""What every step of a run is handed, and when the run has to stop."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, tzinfo
from functools import cached_property
from typing import Protocol, runtime_checkable

from refloop.connectors.base import Clock
from refloop.errors import TimeIsUp
from refloop.ledger.accounts import zones
from refloop.ledger.codes import codes
from refloop.ledger.forget import Forgotten
from refloop.ledger.history import Provenance
from refloop.ledger.store import Ledger
from refloop.mapping.codes import CodeBook
from refloop.mapping.days import day_in, zone_named
from refloop.mapping.policy import Part, Policy

Progress = Callable[[str, str, int], None]
"""Called with a stage, what it works on, and how many more it has done."""


@runtime_checkable
class Expecting(Protocol):
    """Progress that shows totals where they are known."""

    def expect(self, stage: str, about: str, total: int) -> None:
        """A stage is about to do so many of what it works on."""


def no_progress(stage: str, about: str, done: int) -> None:
    """Progress that nobody watches."""


@dataclass(frozen=True)
class Budget:
    """How long a run may go on: until `end`, None for as long as it takes."""

    end: datetime | None = None

    def refuse_more(self, now: datetime) -> None:
        """Raises TimeIsUp when the run has taken as long as it may."""
        if self.end is not None and now >= self.end:
            raise TimeIsUp(
                "the run has taken as long as `sync: max_runtime` allows, and stopped; what was done is kept",
                remedy="The next run goes on from there.",
            )


def zones_of(ledger: Ledger, policy: Policy) -> dict[str, str]:
    """Connection -> the name of the zone in which its people read days: what config.yaml says, else the account."""
    return {**zones(ledger), **policy.zones}


@dataclass(frozen=True)
class RunContext:
    """The ledger that a run works on, the run's number in the journal (0: none, it only looks), the rules that decide,
    the clock, how long the run may go on, and who watches it."""

    ledger: Ledger
    run: int
    policy: Policy
    clock: Clock
    budget: Budget = Budget()
    progress: Progress = no_progress

    def kept(self, stage: str, about: str, done: int) -> None:
        """To be called when a page, a chunk or a batch is kept: a good moment to stop. Raises TimeIsUp."""
        self.progress(stage, about, done)
        self.budget.refuse_more(self.clock())

    def expects(self, stage: str, about: str, total: int) -> None:
        """To be called where a stage knows how many it has to do."""
        if total and isinstance(self.progress, Expecting):
            self.progress.expect(stage, about, total)

    def provenance(self, part: Part) -> Provenance:
        """Where what this run decides by a part of the rules comes from."""
        return Provenance(self.run, self.policy.parts[part].digest, self.clock())

    @cached_property
    def book(self) -> CodeBook:
        """All codes as they are when they are first asked for."""
        return CodeBook(codes(self.ledger), url_parameters=self.policy.match.url_parameters)

    @cached_property
    def _zones(self) -> dict[str, str]:
        return zones_of(self.ledger, self.policy)

    def zone(self, connection: str) -> tzinfo:
        """The zone in which the people of a connection's account read days: UTC where nobody said."""
        return zone_named(self._zones.get(connection))

    @property
    def company_zone(self) -> tzinfo:
        """The zone in which a day is meant that nobody said a connection of: that of the first one that has any."""
        return zone_named(next(iter(self._zones.values()), None))

    @property
    def today(self) -> date:
        """The day on which it is now, where the company is."""
        return day_in(self.company_zone, self.clock())

    @cached_property
    def forgotten(self) -> Forgotten:
        """Who was forgotten when this was first asked for."""
        return Forgotten(self.ledger)
