"""The local Salesforce as Python sees it: what people and other systems do inside the CRM."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any, Self

from refloop_sandbox.crm import LocalCrm
from refloop_sandbox.middleware import Middleware
from refloop_sandbox.salesforce import seed
from refloop_sandbox.salesforce.fields import add_field
from refloop_sandbox.salesforce.guards import Broken, Refusal, Rule
from refloop_sandbox.salesforce.http import Api
from refloop_sandbox.salesforce.ids import full_id
from refloop_sandbox.salesforce.lifecycle import ConvertedIds, Into, convert, merge
from refloop_sandbox.salesforce.oauth import Tokens
from refloop_sandbox.salesforce.org import Identity, Org
from refloop_sandbox.salesforce.org_setup import OrgSetup
from refloop_sandbox.salesforce.records import Actor, Row
from refloop_sandbox.salesforce.rights import Permission, Right
from refloop_sandbox.salesforce.schema import SObject
from refloop_sandbox.salesforce.standard import Features
from refloop_sandbox.salesforce.values import shown
from refloop_sandbox.traffic import Latency, Traffic

_BATCH = 1000
_NUMBERS = count(1)
"""Each org of a process has an id of its own."""
_MOST_LONG = 25


def utc_now() -> datetime:
    return datetime.now(UTC)


class LocalSalesforce(OrgSetup, LocalCrm):
    """An org in memory. Give `app` to `refloop_sandbox.server.Server`.

    `clock` stamps records. `number` makes the org's id, another one for each org of a process unless given; `time_zone`
    is where its people read days; `features` are what not all orgs have, in place of `multi_currency`. `page_size` is
    the most rows a query page holds, at most 2000. `daily_limit` is the number of API requests in 24 hours. `strict`
    allows 25 requests of 20 seconds or longer at a time, as production does; `latency` is how long each call takes.
    Methods here act as the administrator: they see all fields, and raise ApiError where the platform would refuse a
    person too. Safe to use while the server runs.
    """

    def __init__(
        self,
        *,
        clock: Callable[[], datetime] = utc_now,
        currency: str = "USD",
        multi_currency: bool = False,
        features: Features | None = None,
        time_zone: str = "GMT",
        number: int | None = None,
        client_id: str = "local-client",
        client_secret: str = "local-secret",  # noqa: S107 - opens nothing but this
        password: str = "local-password",  # noqa: S107 - opens nothing but this
        page_size: int = 2000,
        daily_limit: int = 100_000,
        assignment_rule: bool = True,
        strict: bool = False,
        latency: Latency = 0.0,
    ) -> None:
        super().__init__(Traffic(latency, most_long=_MOST_LONG if strict else None))
        self._org = Org(
            clock,
            Identity(next(_NUMBERS) if number is None else number, time_zone, currency),
            features or Features(multi_currency=multi_currency),
            page_size=page_size,
            daily_limit=daily_limit,
        )
        self._tokens = Tokens(client_id, client_secret, password)
        self._admin = Actor(self._org.admin)
        self._mapped: dict[str, tuple[tuple[str, str], ...]] = {}
        self.queue_id = str(self._org.records.assign_to)
        if not assignment_rule:
            self._org.records.assign_to = None
        api = Api(self._org, self._tokens, self.traffic, self.calls)
        self.now = self._org.now
        self.app = Middleware(api, self.traffic, self.faults, self.now, compresses=True)

    @classmethod
    def reopened(cls, path: Path, **settings: Any) -> Self:
        """The org that was kept in a file, with these settings beside it: what opens it, how it is met. An org with
        features of its own needs them again. Raises ValueError for a file that `keep` did not write."""
        crm = cls(**settings)
        with crm._org.store.lock:
            mapped = crm._org.reopen(path)
        crm._mapped = {field: tuple((made, target) for made, target in into) for field, into in mapped.items()}
        return crm

    def keep(self, path: Path) -> None:
        """Writes what people and clients made here into a private file, for `reopened`: no sessions, jobs, locks, rules
        of Python's. Raises OSError."""
        with self._org.store.lock:
            self._org.keep(path, self._mapped)

    @property
    def currency(self) -> str:
        """The org's only or corporate currency."""
        with self._org.store.lock:
            organization = next(self._org.store.where(self._object("Organization"), {}))
        return str(organization["DefaultCurrencyIsoCode"])

    def close(self) -> None:
        """Frees the database. Safe to repeat."""
        for job in self._org.jobs.values():
            for lines in job.results.values():
                lines.close()
        self._org.store.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # --- records

    def load(self, object: str, rows: Iterable[Mapping[str, object]]) -> list[str]:  # noqa: A002 - the CRM's word
        """Adds rows as they are and gives their ids, in order; fast, made for 100,000 and more.

        System fields may be given (Id, CreatedDate, LastModifiedDate, SystemModstamp, IsDeleted, IsConverted ...);
        what is missing is made. References and required fields are not checked.
        """
        with self._org.store.lock:
            return seed.load(self._org.records, self._object(object), rows, self._admin)

    def create(self, object: str, fields: Mapping[str, object]) -> str:  # noqa: A002 - the CRM's word
        """Adds a record as a person does, and gives its id."""
        with self._org.store.lock:
            return self._org.records.create(self._object(object), fields, self._admin)

    def update(self, object: str, id: str, fields: Mapping[str, object]) -> None:  # noqa: A002 - the CRM's words
        """Changes a record as a person does."""
        with self._org.store.lock:
            self._org.records.update(self._object(object), id, fields, self._admin)

    def delete(self, object: str, id: str, *, hard: bool = False) -> None:  # noqa: A002 - the CRM's words
        """Moves a record to the recycle bin; `hard` removes it for good, so that `queryAll` misses it too."""
        with self._org.store.lock:
            self._org.records.delete(self._object(object), id, self._admin, hard=hard)

    def undelete(self, object: str, id: str) -> None:  # noqa: A002 - the CRM's words
        """Takes a record out of the recycle bin."""
        with self._org.store.lock:
            self._org.records.undelete(self._object(object), id, self._admin)

    def forget_deletions(self) -> None:
        """Empties the deletion log, as the platform's background job and administrators do."""
        with self._org.store.lock:
            self._org.store.execute("DELETE FROM deletions")

    def get(self, object: str, id: str) -> dict[str, object] | None:  # noqa: A002 - the CRM's words
        """A record with all its fields as REST shows them, deleted or not; None when there is none."""
        item = self._object(object)
        with self._org.store.lock:
            row = self._org.store.row(item, full_id(id) or "")
        return None if row is None else _shown(item, row)

    def rows(self, object: str) -> Iterator[dict[str, object]]:  # noqa: A002 - the CRM's word
        """All records, deleted ones too, in the order they were made; streamed, as of each batch."""
        item = self._object(object)
        last = 0
        while True:
            with self._org.store.lock:
                last, batch = self._org.store.batch(item, last, _BATCH)
            if not batch:
                return
            yield from (_shown(item, row) for row in batch)

    def _object(self, name: str) -> SObject:
        return self._org.schema.named(name)

    # --- what REST does not offer

    def convert_lead(
        self,
        id: str,  # noqa: A002 - the CRM's word
        *,
        contact: str | None = None,
        account: str | None = None,
        opportunity: str | None = "new",
        opportunity_name: str | None = None,
    ) -> ConvertedIds:
        """Converts a lead, into the given records or new ones. `opportunity` None makes none."""
        with self._org.store.lock:
            into = Into(contact, account, opportunity, opportunity_name)
            return convert(self._org.records, id, into, self._mapped, self._admin)

    def map_lead_field(self, field: str, object: str, target: str) -> None:  # noqa: A002 - the CRM's word
        """Conversion carries the lead's `field` to `target` of Account, Contact or Opportunity."""
        self._mapped[field] = (*self._mapped.get(field, ()), (object, target))

    def merge(self, object: str, survivor: str, loser: str) -> None:  # noqa: A002 - the CRM's word
        """Merges two leads, contacts or accounts: the loser is deleted with MasterRecordId, its children move."""
        with self._org.store.lock:
            merge(self._org.records, self._object(object), survivor, loser, self._admin)

    @contextmanager
    def transaction(self) -> Iterator[Transaction]:
        """A long transaction: its writes are stamped with its start, and seen at its end."""
        with self._org.store.lock:
            start = self._org.begin()
        slow = Transaction(self, start)
        try:
            yield slow
            with self._org.store.transaction(), self._org.records.stamped(start):
                slow.commit()
        finally:
            self._org.end(start)

    # --- the org

    def add_stage(self, name: str, is_closed: bool, is_won: bool, *, probability: int | None = None) -> str:
        """Adds a stage of opportunities and gives its id."""
        odds = probability if probability is not None else 100 if is_won else 0 if is_closed else 50
        category = "Closed" if is_won else "Omitted" if is_closed else "Pipeline"
        with self._org.store.lock:
            order = len(self._org.records.stages) + 1
            return seed.add_stage(self._org.records, (name, odds, is_closed, is_won, category), order, self._admin)

    def add_field(
        self,
        object: str,  # noqa: A002 - the CRM's word
        name: str,
        metadata: Mapping[str, object],
        *,
        visible: bool = True,
    ) -> str:
        """Adds a custom field (`Metadata` as the Tooling API has it); `visible` lets the integration user see it."""
        with self._org.store.lock:
            made = add_field(self._org.records, f"{object}.{name}", metadata, self._org.admin)
            if visible and not metadata.get("required"):
                self.grant_field(object, name)
            return made

    def grant_field(self, object: str, name: str, *, edit: bool = True) -> None:  # noqa: A002 - the CRM's word
        """Grants a field to the integration user, through a permission set of the administrator's."""
        with self._org.store.lock:
            parent = self._permission_set()
            grant = {"ParentId": parent, "SobjectType": object, "Field": f"{object}.{name}"}
            self.create("FieldPermissions", {**grant, "PermissionsRead": True, "PermissionsEdit": edit})

    def limit_object(self, object: str, *rights: Right, user: str | None = None) -> None:  # noqa: A002 - the CRM's word
        """Leaves a user these rights on an object, by profile; permission sets may add others."""
        with self._org.store.lock:
            self._org.records.rights.limit(user or self.integration_user, self._object(object), rights)
            self._org.schema.changed()

    def withhold(self, permission: Permission, *, user: str | None = None) -> None:
        """Takes a system permission from a user: of the integration user unless told otherwise."""
        self._org.records.rights.withhold(user or self.integration_user, permission)

    def license(self, *, permission_set_license: bool, user: str | None = None) -> None:
        """Gives a user the licence Salesforce Integration, with the permission set licence that adds rights on objects
        or without."""
        unlicensed = self._org.records.rights.unlicensed
        (unlicensed.discard if permission_set_license else unlicensed.add)(user or self.integration_user)

    def _permission_set(self) -> str:
        sets = self._org.schema.named("PermissionSet")
        found = next(self._org.store.where(sets, {"Name": "Local_Fields"}), None)
        if found is not None:
            return str(found["Id"])
        made = self.create("PermissionSet", {"Name": "Local_Fields", "Label": "Local fields"})
        self.create("PermissionSetAssignment", {"PermissionSetId": made, "AssigneeId": self.integration_user})
        return made

    @property
    def organization_id(self) -> str:
        return self._org.id

    @property
    def integration_user(self) -> str:
        """The id of the user that client_credentials runs as (integration@local.example)."""
        return self._org.integration

    @property
    def admin_user(self) -> str:
        """The id of the administrator, who is also the person in this class (admin@local.example)."""
        return self._org.admin

    # --- sessions

    def access_token(self, user: str | None = None) -> str:
        """A new access token, of the integration user unless told otherwise."""
        return self._tokens.issue(self._org, user or self._org.integration)

    def refresh_token(self, user: str | None = None, *, rotates: bool = False) -> str:
        """A new refresh token. `rotates`: from now on each use gives a new one and ends the old."""
        self._tokens.rotates = rotates
        return self._tokens.issue_refresh(user or self._org.integration)

    def revoke_tokens(self) -> None:
        """Ends all sessions: the next call with an old token is answered 401 INVALID_SESSION_ID."""
        self._tokens.revoke()

    def limit_sessions(self, *, calls: int | None = None, seconds: float | None = None) -> None:
        """From now on every session, old or new, ends after so many calls, or seconds of the org's clock."""
        with self._org.store.lock:
            self._tokens.most_calls = calls
            self._tokens.life = None if seconds is None else timedelta(seconds=seconds)

    def register_key(self, client_id: str, public_key: str | bytes, *, connected_app: bool = False) -> None:
        """Lets a client sign in with JWTs (RS256) that this public key (PEM) verifies. It is an External Client App,
        which only the org's own address knows as audience, or a `connected_app` of old: the log-in hosts know it too.
        """
        self._tokens.keys[client_id] = public_key
        if connected_app:
            self._tokens.connected_apps.add(client_id)

    # --- meters and faults

    def reset_counters(self) -> None:
        with self._org.store.lock:
            super().reset_counters()
            self._org.forget_requests()

    @property
    def api_usage(self) -> int:
        """Requests that count against the daily limit, in the last 24 hours."""
        return self._org.used()

    @property
    def faults_injected(self) -> int:
        """How many requests and records were spoilt on demand."""
        return super().faults_injected + self._org.records.guards.refused.total()

    def refuse_next(
        self,
        id: str,  # noqa: A002 - the CRM's word
        code: str,
        message: str = "",
        *,
        times: int = 1,
    ) -> None:
        """Refuses the next API writes to one record, with any code."""
        with self._org.store.lock:
            self._org.records.guards.refusals[full_id(id) or id] = Refusal(code, message or code, times)

    def lock(
        self,
        id: str,  # noqa: A002 - the CRM's word
        *,
        seconds: float | None = None,
        attempts: int | None = None,
    ) -> None:
        """Locks a row: API writes to it get UNABLE_TO_LOCK_ROW, and so do those to an account's contacts and deals.

        It ends after so many seconds of the org's clock, after so many writes were refused, or by `unlock`.
        """
        with self._org.store.lock:
            self._org.records.guards.lock(full_id(id) or id, seconds, attempts)

    def unlock(self, id: str) -> None:  # noqa: A002 - the CRM's word
        """Ends a lock. Safe to repeat."""
        with self._org.store.lock:
            self._org.records.guards.unlock(full_id(id) or id)

    def add_validation_rule(
        self,
        object: str,  # noqa: A002 - the CRM's word
        broken: Broken,
        message: str,
        *,
        field: str | None = None,
    ) -> None:
        """Adds a rule of the customer's: a record for which `broken(record, record before)` holds cannot be saved.

        Both are as REST shows them; there is none before a creation. It holds for people too.
        """
        with self._org.store.lock:
            self._org.records.guards.add_rule(self._object(object), Rule(broken, message, field))

    def fail_ingest_after(self, rows: int) -> None:
        """The next ingest job fails after so many rows; the rest stays unprocessed."""
        self._org.ingest_fails_after = rows

    def set_bulk_polls(self, polls: int) -> None:
        """Bulk jobs created from now on are complete at their `polls`-th look."""
        self._org.bulk_polls = polls

    def expire_cursors(self) -> None:
        """All query locators are unknown from now on."""
        self._org.queries.expire()

    def use_up_limit(self, left: int = 0) -> None:
        """Leaves this many API requests of the daily limit."""
        self._org.daily_limit = self._org.used() + left


class Transaction:
    """Writes that wait for their commit. See `LocalSalesforce.transaction`."""

    def __init__(self, local: LocalSalesforce, start: str) -> None:
        self._local = local
        self._steps: list[Callable[[], object]] = []
        self.start = start

    def create(self, object: str, fields: Mapping[str, object]) -> None:  # noqa: A002 - the CRM's word
        self._steps.append(lambda: self._local.create(object, fields))

    def update(self, object: str, id: str, fields: Mapping[str, object]) -> None:  # noqa: A002 - the CRM's words
        self._steps.append(lambda: self._local.update(object, id, fields))

    def delete(self, object: str, id: str) -> None:  # noqa: A002 - the CRM's words
        self._steps.append(lambda: self._local.delete(object, id))

    def commit(self) -> None:
        for step in self._steps:
            step()


def _shown(item: SObject, row: Row) -> dict[str, object]:
    return {field.name: shown(field, row[field.name]) for field in item.fields.values()}
