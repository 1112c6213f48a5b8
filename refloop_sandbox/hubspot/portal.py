"""One HubSpot account (a "portal"): its data, its set-up and its clock."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

from refloop_sandbox.hubspot.labels import Labels
from refloop_sandbox.hubspot.owners import Owners
from refloop_sandbox.hubspot.pipelines import Pipelines
from refloop_sandbox.hubspot.schema import COMPANIES, CONTACTS, DEALS, LEADS, Option, Schema
from refloop_sandbox.hubspot.spelling import iso, millis
from refloop_sandbox.hubspot.standard import stage_dates, standard_schema
from refloop_sandbox.hubspot.store import Store


@dataclass(frozen=True, slots=True)
class Quirks:
    """What HubSpot does not document, so that a client can be tried against either answer.

    `identical_writes_bump`: writing the value that is there already moves the modified date.
    `identical_writes_are_history`: it is a new entry of the property's history too.
    `batch_read_follows_merges`: a batch read of a merged-away id gives the survivor, else it is not found.
    `isolates_invalid_updates`: with trace ids, a batch update answers 207 for bad values, else 400 for all.
    `restores_associations`: a record that comes out of the bin has its associations again.
    `search_ghosts`: a lagging search still shows records, as it knew them, that were archived or merged away since.
    """

    identical_writes_bump: bool = True
    identical_writes_are_history: bool = False
    batch_read_follows_merges: bool = True
    isolates_invalid_updates: bool = True
    restores_associations: bool = True
    search_ghosts: bool = False


class Writer(NamedTuple):
    """Who wrote a value, as property histories tell it."""

    source: str
    source_id: str


PERSON = Writer("CRM_UI", "userId:5100")
APP = Writer("INTEGRATION", "3100100")
IMPORT = Writer("IMPORT", "1")


class Requirement(NamedTuple):
    """A rule of the account's admin: `name` must be set on a record whose values are those of `when`."""

    object: str
    name: str
    when: Mapping[str, str]


@dataclass
class Portal:
    """Everything that the API answers from. Whoever touches it holds `store.lock`."""

    clock: Callable[[], datetime]
    portal_id: int
    time_zone: str
    currency: str
    account_type: str
    store: Store
    schema: Schema
    quirks: Quirks
    max_search_results: int
    shuffle: random.Random
    pipelines: Pipelines = field(default_factory=Pipelines)
    labels: Labels = field(default_factory=Labels)
    requirements: list[Requirement] = field(default_factory=list)
    owners: Owners = field(default_factory=Owners)

    def keep(self, path: Path) -> None:
        """Writes what the account holds into a file: its records and its set-up, but no tokens."""
        parts = {"schema": self.schema.kept(), "pipelines": self.pipelines.kept(), "labels": self.labels.kept()}
        account = [self.portal_id, self.time_zone, self.currency, self.account_type]
        requirements = [one._asdict() for one in self.requirements]
        setup = {**parts, "owners": self.owners.kept(), "account": account, "requirements": requirements}
        self.store.keep(path, setup)

    def reopen(self, path: Path) -> None:
        """Puts what a file says in the place of what is here. Raises ValueError."""
        setup = self.store.reopen(path)
        self.schema.reopen(setup["schema"])
        self.pipelines.reopen(setup["pipelines"])
        self.labels.reopen(setup["labels"])
        self.owners.reopen(setup["owners"])
        self.portal_id, self.time_zone, self.currency, self.account_type = setup["account"]
        self.requirements = [Requirement(**one) for one in setup["requirements"]]

    def now(self) -> int:
        """The account's present, in epoch milliseconds."""
        return millis(self.clock())

    def stamp(self) -> str:
        return iso(self.now())

    def learn_stages(self) -> None:
        """Defines the "date entered" properties of all stages."""
        for kind in (DEALS, LEADS):
            for pipeline in self.pipelines.all(kind).values():
                for stage in pipeline.stages.values():
                    self.schema.put(kind, stage_dates(kind, stage.id, stage.label))
        for kind in (CONTACTS, COMPANIES):
            for option in self.schema.find(kind, "lifecyclestage").options:
                self.schema.put(kind, stage_dates(kind, option.value, option.label))

    @property
    def lifecycle(self) -> tuple[str, ...]:
        """The lifecycle stages, which contacts and companies share, from the first to the last."""
        return tuple(option.value for option in self.schema.find(CONTACTS, "lifecyclestage").options)

    def add_lifecycle_stage(self, stage_id: str, label: str, after: str | None) -> None:
        """Raises ValueError for a stage to come `after` that there is not."""
        place = len(self.lifecycle) if after is None else self.lifecycle.index(after) + 1
        for kind in (CONTACTS, COMPANIES):
            self.schema.add_option(kind, "lifecyclestage", Option(stage_id, label), place)
        self.learn_stages()


def new_portal(clock: Callable[[], datetime], lag: int, *, salesforce_integration: bool, **settings: Any) -> Portal:
    schema = standard_schema(salesforce_integration=salesforce_integration)
    portal = Portal(clock=clock, store=Store(lag), schema=schema, **settings)
    portal.learn_stages()
    return portal
