"""The local HubSpot as its users see it: an ASGI application, and what people do inside the CRM."""

from __future__ import annotations

import random
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import islice
from pathlib import Path
from typing import Any, Self

from refloop_sandbox.crm import LocalCrm
from refloop_sandbox.hubspot.access import Access
from refloop_sandbox.hubspot.app import application
from refloop_sandbox.hubspot.associations import associate, disassociate
from refloop_sandbox.hubspot.call import Services
from refloop_sandbox.hubspot.errors import Refusal
from refloop_sandbox.hubspot.limits import Allowance, Limits
from refloop_sandbox.hubspot.merge import merge
from refloop_sandbox.hubspot.portal import PERSON, Portal, Quirks, Requirement, new_portal
from refloop_sandbox.hubspot.records import (
    InvalidValues,
    add_email,
    archive,
    binned,
    check_unique,
    claim_all,
    create,
    erase,
    live,
    loaded,
    prepare,
    restore,
    update,
)
from refloop_sandbox.hubspot.render import View
from refloop_sandbox.hubspot.schema import CONTACTS, DEALS, ObjectType, object_type
from refloop_sandbox.hubspot.search import Search
from refloop_sandbox.hubspot.spelling import iso, millis, moment, utc_now
from refloop_sandbox.hubspot.store import Row
from refloop_sandbox.middleware import Middleware
from refloop_sandbox.traffic import Latency, Traffic

_STEP = 5_000


class LocalHubSpot(LocalCrm):
    """One HubSpot account in memory, served by `app`.

    The methods are what people and other systems do inside the CRM: they need no token, cost no call and follow no
    rate limit. They raise ValueError for what HubSpot would not let a person do, KeyError for a record that is not
    there. Safe to use from any thread.

    `strict` enforces the rate windows and the daily limit of `allowance`; `latency` is how long each call takes.
    """

    def __init__(
        self,
        *,
        clock: Callable[[], datetime] = utc_now,
        token: str = "pat-na1-local",  # noqa: S107 - of a pretended account
        index_lag: timedelta = timedelta(0),
        portal_id: int = 20_000_001,
        time_zone: str = "UTC",
        currency: str = "USD",
        account_type: str = "STANDARD",
        shuffle_seed: int = 0,
        strict: bool = False,
        latency: Latency = 0.0,
        max_search_results: int = 10_000,
        allowance: Allowance = Allowance(),  # noqa: B008 - frozen
        quirks: Quirks = Quirks(),  # noqa: B008 - frozen
        salesforce_integration: bool = False,
        denied_scopes: Iterable[str] = (),
    ) -> None:
        self._portal: Portal = new_portal(
            clock,
            index_lag // timedelta(milliseconds=1),
            salesforce_integration=salesforce_integration,
            portal_id=portal_id,
            time_zone=time_zone,
            currency=currency,
            account_type=account_type,
            quirks=quirks,
            max_search_results=max_search_results,
            shuffle=random.Random(shuffle_seed),  # noqa: S311 - an order, not a secret
        )
        super().__init__(Traffic(latency))
        self._access = Access(clock, {token}, denied=frozenset(denied_scopes))
        limits = Limits(clock, time_zone, portal_id, allowance, self.traffic)
        limits.strict = strict
        self._services = Services(self._portal, Search(self._portal), limits, self._access)
        inner = application(self._services, self.calls)
        self.app = Middleware(inner, self.traffic, self.faults, self.now)

    @classmethod
    def reopened(cls, path: Path, **settings: Any) -> Self:
        """The account that was kept in a file, with these settings beside it: what opens it, how it is met. Raises
        ValueError for a file that `keep` did not write, or where the search index is to lag."""
        crm = cls(**settings)
        if crm._portal.store.lag:
            raise ValueError("what was kept is indexed: `index_lag` needs an account that was made anew")
        with crm._portal.store.lock:
            crm._portal.reopen(path)
        return crm

    def keep(self, path: Path) -> None:
        """Writes what people and clients made here into a private file, for `reopened`: no tokens. Raises OSError."""
        with self._portal.store.lock:
            self._portal.keep(path)

    def now(self) -> datetime:
        """The account's present."""
        return moment(self._portal.now())

    # -- seeding

    def load(self, object: str, rows: Iterable[Mapping[str, object]]) -> list[str]:  # noqa: A002 - HubSpot's word
        """Puts records in as if they had been there: their dates, ids and read-only properties are as given.

        The search index knows them at once. Raises ValueError for an unknown property, a value of the wrong type,
        or a unique value that is taken; rows go in by steps of 5,000, of which earlier ones then stay.
        """
        kind = object_type(object)
        ids: list[str] = []
        source = iter(rows)
        while step := list(islice(source, _STEP)):
            with self._at_work():
                made = [loaded(self._portal, kind, _texts(row)) for row in step]
                self._load_step(kind, made)
            ids += [str(row.id) for row in made]
        return ids

    def _load_step(self, kind: ObjectType, rows: list[Row]) -> None:
        self._portal.store.load(rows)
        try:
            claim_all(self._portal, kind, rows)
        except sqlite3.IntegrityError:
            raise ValueError(f"two {kind.name} have the same value of a unique property") from None

    def load_associations(
        self, from_object: str, to_object: str, pairs: Iterable[tuple[str, str]], type_id: int | None = None
    ) -> None:
        """Associates many pairs of ids, in both directions, with the default type and, where one is named, with it."""
        kind, to_kind = object_type(from_object), object_type(to_object)
        labels = [self._portal.labels.default(kind, to_kind)]
        if type_id is not None:
            labels.append(self._portal.labels.find(kind, to_kind, type_id))
        store = self._portal.store
        source = iter(pairs)
        while step := list(islice(source, _STEP)):
            with self._at_work():
                for one in labels:
                    store.associate((kind.number, int(a), to_kind.number, int(b), one.id) for a, b in step)
                    store.associate((to_kind.number, int(b), kind.number, int(a), one.back) for a, b in step)

    # -- what people do

    def create(self, object: str, properties: Mapping[str, object]) -> str:  # noqa: A002 - HubSpot's word
        """A person makes a record."""
        kind = object_type(object)
        with self._at_work():
            values = prepare(self._portal, kind, _texts(properties), {}, PERSON)
            check_unique(self._portal, kind, values, None)
            return str(create(self._portal, kind, values, PERSON).id)

    def update(self, object: str, id: str, properties: Mapping[str, object]) -> None:  # noqa: A002 - HubSpot's words
        """A person edits a record; "" clears. The modified date is the clock's, the history says CRM_UI."""
        kind = object_type(object)
        with self._at_work():
            row = self._live(kind, id)
            values = prepare(self._portal, kind, _texts(properties, keep_empty=True), row.props, PERSON)
            check_unique(self._portal, kind, values, row.id)
            update(self._portal, kind, row, values, PERSON)

    def archive(self, object: str, id: str) -> None:  # noqa: A002 - HubSpot's words
        """A person deletes a record: it is archived, and loses its associations."""
        kind = object_type(object)
        with self._at_work():
            archive(self._portal, kind, self._live(kind, id))

    def restore(self, object: str, id: str) -> None:  # noqa: A002 - HubSpot's words
        """A person takes a deleted record out of the bin. It is there for 90 days."""
        kind = object_type(object)
        with self._at_work():
            row = binned(self._portal, kind, int(id))
            if row is None:
                raise KeyError(f"{kind.name} {id}")
            restore(self._portal, kind, row)

    def erase(self, object: str, id: str) -> None:  # noqa: A002 - HubSpot's words
        """A person deletes a record for good, for privacy, from the bin too."""
        kind = object_type(object)
        with self._at_work():
            erase(self._portal, kind, binned(self._portal, kind, int(id)) or self._live(kind, id))

    def add_email(self, contact: str, address: str) -> None:
        """A person gives a contact a second address."""
        with self._at_work():
            add_email(self._portal, self._live(CONTACTS, contact), address, PERSON)

    def merge(self, object: str, primary: str, other: str) -> str:  # noqa: A002 - HubSpot's word
        """A person merges two records into a new one, whose id is returned."""
        kind = object_type(object)
        with self._at_work():
            rows = self._live(kind, primary), self._live(kind, other)
            return str(merge(self._portal, kind, *rows, PERSON).id)

    def associate(self, from_object: str, from_id: str, to_object: str, to_id: str, type_id: int | None = None) -> None:
        """Associates two records, with the default type where none is named. Moves no modified date."""
        with self._at_work():
            ends = self._ends(from_object, from_id, to_object, to_id)
            associate(self._portal, ends, () if type_id is None else (type_id,))

    def disassociate(
        self, from_object: str, from_id: str, to_object: str, to_id: str, type_id: int | None = None
    ) -> None:
        """Removes one type of association, or all of them. Moves no modified date."""
        with self._at_work():
            ends = self._ends(from_object, from_id, to_object, to_id)
            disassociate(self._portal, ends, None if type_id is None else (type_id,))

    def _ends(
        self, from_object: str, from_id: str, to_object: str, to_id: str
    ) -> tuple[ObjectType, int, ObjectType, int]:
        kind, to_kind = object_type(from_object), object_type(to_object)
        return kind, self._live(kind, from_id).id, to_kind, self._live(to_kind, to_id).id

    # -- looking

    def get(self, object: str, id: str) -> dict[str, str] | None:  # noqa: A002 - HubSpot's words
        """The properties of a record that have a value, calculated ones too; None when it is gone.

        An id that was merged away gives the survivor; compare `hs_object_id`.
        """
        kind = object_type(object)
        with self._portal.store.lock:
            row = live(self._portal, kind, int(id))
            return None if row is None else View(self._portal, kind).everything(row)

    def rows(self, object: str) -> Iterator[tuple[str, dict[str, str]]]:  # noqa: A002 - HubSpot's word
        """(id, properties) of all records that are not archived, ascending by id."""
        kind = object_type(object)
        view = View(self._portal, kind)
        for row in self._portal.store.rows(kind.number):
            with self._portal.store.lock:
                properties = view.everything(row)
            yield str(row.id), properties

    def history(self, object: str, id: str, name: str) -> list[tuple[str, str, str]]:  # noqa: A002 - HubSpot's words
        """(value, ISO time, source) of a property, newest first; empty where it never changed since the load."""
        kind = object_type(object)
        with self._portal.store.lock:
            changes = self._portal.store.history(kind.number, int(id), name)
        return [(change.value, iso(change.at), change.source) for change in changes]

    def associations(self, from_object: str, from_id: str, to_object: str) -> dict[str, set[int]]:
        """The association types of a record, by the id of the other end."""
        kind, to_kind = object_type(from_object), object_type(to_object)
        found: dict[str, set[int]] = {}
        with self._portal.store.lock:
            for to_id, type_id in self._portal.store.associated(kind.number, int(from_id), to_kind.number):
                found.setdefault(str(to_id), set()).add(type_id)
        return found

    # -- the account's set-up

    def define_property(self, object: str, definition: Mapping[str, Any]) -> None:  # noqa: A002 - HubSpot's word
        """An admin adds a property: a body as the API takes it. Its group may be left out, or is made.

        Label and field type have defaults too: `{"name": "referral_code", "type": "string"}` will do.
        """
        kind = object_type(object)
        field_types = {"enumeration": "select", "bool": "booleancheckbox", "datetime": "date"}
        with self._at_work():
            groups = self._portal.schema.groups(kind)
            body = {"label": definition["name"], "groupName": next(iter(groups)), "type": "string", **definition}
            kinds = {**field_types, "string": "text"}
            body.setdefault("fieldType", kinds.get(body["type"], body["type"]))
            if body["groupName"] not in groups:
                self._portal.schema.define_group(kind, {"name": body["groupName"]})
            self._portal.schema.define(kind, body, self._portal.stamp())

    def remove_property(self, object: str, name: str) -> None:  # noqa: A002 - HubSpot's word
        """An admin archives a property. Its values are not shown any more."""
        with self._at_work():
            self._portal.schema.remove(object_type(object), name)

    def add_pipeline(self, label: str, stages: Iterable[Mapping[str, Any]], *, object: str = "deals") -> str:  # noqa: A002 - HubSpot's word
        """Adds a pipeline of stages such as `{"label": "Won", "metadata": {"probability": "1.0"}}`; returns its id."""
        with self._at_work():
            pipeline = self._portal.pipelines.add(object_type(object), label, stages)
            self._portal.learn_stages()
            return pipeline.id

    def add_stage(self, pipeline_id: str, label: str, *, probability: str, stage_id: str | None = None) -> str:
        """Adds a stage to a deal pipeline. A probability of 0.0 or 1.0 closes deals; returns its id."""
        body = {"label": label, "metadata": {"probability": probability}, "stageId": stage_id}
        with self._at_work():
            stage = self._portal.pipelines.add_stage(DEALS, pipeline_id, body)
            self._portal.learn_stages()
            return stage.id

    def add_lifecycle_stage(self, label: str, *, after: str | None = None) -> str:
        """Adds a lifecycle stage of the account's own, last or after another one; returns its id, which is a number."""
        with self._at_work():
            stage_id = self._portal.pipelines.new_id()
            self._portal.add_lifecycle_stage(stage_id, label, after)
            return stage_id

    def add_owner(self, email: str, first_name: str = "", last_name: str = "") -> str:
        """Adds a user who can own records; returns the owner's id."""
        with self._at_work():
            return self._portal.owners.add(email, first_name, last_name, self._portal.stamp())

    def rename_owner(self, id: str, first_name: str, last_name: str) -> None:  # noqa: A002 - HubSpot's word
        """A user changes their name. It moves no record's modified date."""
        with self._at_work():
            self._portal.owners.rename(id, first_name, last_name, self._portal.stamp())

    def archive_owner(self, id: str) -> None:  # noqa: A002 - HubSpot's word
        """A user leaves: their records stay theirs, but they can be given no others."""
        with self._at_work():
            self._portal.owners.archive(id, self._portal.stamp())

    def add_label(self, from_object: str, to_object: str, label: str, inverse: str | None = None) -> int:
        """Adds an association label; returns its type id in the named direction."""
        with self._at_work():
            kind, to_kind = object_type(from_object), object_type(to_object)
            made = self._portal.labels.define(kind, to_kind, label, inverse)
            return next(one.id for one in made if one.label == label)

    def require(self, object: str, name: str, when: Mapping[str, str] | None = None) -> None:  # noqa: A002 - HubSpot's word
        """An admin rules that `name` is required on records with the values of `when`.

        API versions from 2026-09 on refuse writes (400) that would leave such a record without it.
        """
        with self._at_work():
            self._portal.requirements.append(Requirement(object_type(object).name, name, dict(when or {})))

    # -- trouble

    def reset_counters(self) -> None:
        with self._portal.store.lock:
            super().reset_counters()
            self._services.limits.reset()

    def revoke_tokens(self) -> None:
        """Ends every token: calls answer 401 until a new one is got by OAuth, or accepted."""
        with self._portal.store.lock:
            self._access.revoke()

    def rotate_refresh_tokens(self) -> None:
        """From now on each use of a refresh token gives a new one and ends the old."""
        with self._portal.store.lock:
            self._access.rotates = True

    def accept_token(self, token: str) -> None:
        """Makes a service key valid."""
        with self._portal.store.lock:
            self._access.tokens.add(token)

    # -- inside

    @contextmanager
    def _at_work(self) -> Iterator[None]:
        """The lock, and refusals as ValueErrors in HubSpot's words."""
        with self._portal.store.lock:
            try:
                with self._portal.store.atomic():
                    yield
            except Refusal as refusal:
                raise ValueError(refusal.error.get("message", "")) from None
            except InvalidValues as problem:
                raise ValueError(str(problem)) from None

    def _live(self, kind: ObjectType, record_id: str) -> Row:
        row = live(self._portal, kind, int(record_id))
        if row is None:
            raise KeyError(f"{kind.name} {record_id}")
        return row


def _texts(row: Mapping[str, object], *, keep_empty: bool = False) -> dict[str, str]:
    """Property values as text; times and decimals may come as such."""
    texts: dict[str, str] = {}
    for name, value in row.items():
        if isinstance(value, str):
            text = value
        elif isinstance(value, datetime):
            text = iso(millis(value))
        elif isinstance(value, bool):
            text = str(value).lower()
        else:
            text = "" if value is None else format(value, "f") if isinstance(value, Decimal) else str(value)
        if text or keep_empty:
            texts[name] = text
    return texts
