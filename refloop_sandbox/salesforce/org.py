"""One org: its records, schema, queries, jobs and meters, as the API's resources share them."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from functools import cache
from pathlib import Path
from typing import Any

from refloop_sandbox.salesforce import object_rules, person_accounts
from refloop_sandbox.salesforce.bulk_job import Job
from refloop_sandbox.salesforce.bulk_v1_shapes import AsyncJob
from refloop_sandbox.salesforce.call import Call
from refloop_sandbox.salesforce.fields import custom_field_again, refresh_catalogue
from refloop_sandbox.salesforce.ids import make_id
from refloop_sandbox.salesforce.query import Queries
from refloop_sandbox.salesforce.records import Records
from refloop_sandbox.salesforce.schema import Schema, SObject
from refloop_sandbox.salesforce.seed import furnish
from refloop_sandbox.salesforce.soql_sql import View
from refloop_sandbox.salesforce.standard import Features, standard_objects
from refloop_sandbox.salesforce.store import Image, Store
from refloop_sandbox.salesforce.tables import Tables
from refloop_sandbox.salesforce.values import read_time, time_text

_DAY = timedelta(days=1)


@cache
def _bare(features: Features) -> Image:
    """The tables of an org and the catalogue of its schema, made once a process: they are the same in every new org."""
    store, schema = Store(), Schema(_objects(features))
    for sobject in schema:
        store.add_object(sobject)
    refresh_catalogue(Tables(store, schema, datetime.now))
    try:
        return store.image()
    finally:
        store.close()


def _objects(features: Features) -> list[SObject]:
    objects = standard_objects(features)
    if features.person_accounts:
        person_accounts.add_fields({item.name: item for item in objects})
    return objects


@dataclass(frozen=True, slots=True)
class Identity:
    """Which org it is: the number in its id, the zone of its people, its only or corporate currency."""

    number: int
    zone: str
    currency: str


class Org:
    """Everything behind the API. Use it under `store.lock`."""

    def __init__(
        self,
        clock: Callable[[], datetime],
        identity: Identity,
        features: Features,
        *,
        page_size: int,
        daily_limit: int,
    ) -> None:
        self.clock = clock
        self.store = Store()
        self.schema = Schema(_objects(features))
        self.records = Records(self.store, self.schema, clock)
        self.queries = Queries(self.store, self.schema, page_size)
        self.jobs: dict[str, Job] = {}
        self.async_jobs: dict[str, AsyncJob] = {}
        self.bulk_polls = 2
        self.ingest_fails_after: int | None = None
        self.daily_limit = daily_limit
        self._used: deque[datetime] = deque()
        self._open: list[str] = []
        self.store.restore(_bare(features))
        organization = {
            "Id": make_id("00D", identity.number), "TimeZoneSidKey": identity.zone,
            "DefaultCurrencyIsoCode": identity.currency,
        }  # fmt: skip
        self.admin, self.integration = furnish(self.records, organization)
        self.id = str(next(self.store.where(self.schema.named("Organization"), {}))["Id"])
        self._described = (self.schema.version, self.now())

    def keep(self, path: Path, mapped: Mapping[str, object]) -> None:
        """Writes what the org holds into a file: its records, its fields, its histories and `mapped`, but no sessions,
        jobs, locks or rules."""
        fields = [[item.name, asdict(one)] for item in self.schema for one in item.fields.values() if one.custom]
        tracked = {name: sorted(names) for name, names in self.records.history.tracked.items()}
        self.store.keep(path, {"fields": fields, "tracked": tracked, "mapped": mapped})

    def reopen(self, path: Path) -> dict[str, Any]:
        """Puts what a file says in the place of what is here; gives what was `mapped`. Raises ValueError."""
        setup = self.store.reopen(path)
        for name, values in setup["fields"]:
            made = custom_field_again(values)
            self.schema.named(name).fields[made.name.casefold()] = made
        self.records.history.tracked = {name: frozenset(names) for name, names in setup["tracked"].items()}
        self.id = str(next(self.store.where(self.schema.named("Organization"), {}))["Id"])
        object_rules.refresh_stages(self.records)
        self.records.rolled_back()
        self.schema.changed()
        mapped: dict[str, Any] = setup["mapped"]
        return mapped

    def now(self) -> datetime:
        """The org's clock, to the second."""
        return self.clock().astimezone(UTC).replace(microsecond=0)

    def view(self, call: Call, *, deleted: bool = False, tooling: bool = False) -> View:
        """Through whose eyes this call reads."""
        return View(self.schema, call.user, self.now(), tooling, deleted, self.records.rights)

    def schema_changed(self) -> datetime:
        """When a field or a grant last changed."""
        if self._described[0] != self.schema.version:
            self._described = (self.schema.version, self.now())
        return self._described[1]

    def last_modified(self) -> str:
        """`schema_changed` as an HTTP date."""
        return format_datetime(self.schema_changed(), usegmt=True)

    def begin(self) -> str:
        """Opens a transaction: gives its start, which is what `covered` may not pass until `end`."""
        start = self.records.stamp()
        self._open.append(start)
        return start

    def end(self, start: str) -> None:
        self._open.remove(start)

    def covered(self, until: datetime) -> str:
        """`latestDateCovered`: all that was stamped before this can be seen (SOAP API, GetUpdatedResult)."""
        return min(time_text(until), self.records.stamp(), *self._open)

    def count_request(self) -> bool:
        """Counts one API request; False when the daily limit is used up. The window rolls over 24 hours."""
        if self.used() >= self.daily_limit:
            return False
        self._used.append(self.now())
        return True

    def used(self) -> int:
        """API requests in the last 24 hours."""
        since = self.now() - _DAY
        while self._used and self._used[0] <= since:
            self._used.popleft()
        return len(self._used)

    def forget_requests(self) -> None:
        self._used.clear()

    def modified(self, stamp: object) -> datetime:
        """A kept time as a datetime."""
        return read_time(str(stamp))
