"""The local HubSpot as the contract sees a CRM: from inside."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta

import requests
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from refloop.connectors.http.limiter import Timer
from refloop.connectors.hubspot import HubSpot, HubSpotSettings
from refloop.model import FieldSpec, Kind, Ref, canonical
from refloop.testing import Draft, World, contract_fields
from refloop_sandbox import faults
from refloop_sandbox.hubspot import LocalHubSpot, Quirks
from tests.patience import PATIENCE

TOKEN = "pat-na1-5ecret-0f-the-contract"
OBJECTS = {Kind.CONTACT: "contacts", Kind.DEAL: "deals"}
TIMES = frozenset({"lastmodifieddate", "hs_lastmodifieddate"})


class Clock:
    """The present, moved. Who waits on it moves it, instead of waiting."""

    def __init__(self) -> None:
        self.offset = timedelta(0)
        self.timer = Timer(self._now, self._sleep)
        self._lock = threading.Lock()

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self.offset

    def _now(self) -> float:
        return self().timestamp()

    def _sleep(self, seconds: float) -> None:
        until = self._now() + seconds
        with self._lock:  # two who wait for the same moment wait once
            self.offset += max(timedelta(0), timedelta(seconds=until - self._now()))


class Front:
    """One server for all tests: each puts the application of its own account behind it."""

    def __init__(self) -> None:
        self.behind: ASGIApp = Response()
        self.garbled = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        cut = Response('{"results":[{"id":"1","prop', media_type="application/json")
        reads = self.garbled and scope["type"] == "http" and "/crm/objects/" in scope["path"]
        await (cut if reads else self.behind)(scope, receive, send)


class HubSpotWorld(World):
    kinds = (Kind.CONTACT, Kind.DEAL)
    page_size = 100
    batch_size = 100
    look_back = timedelta(minutes=60)
    sweep = timedelta(hours=24)
    converts = False
    merges = (Kind.CONTACT, Kind.DEAL)
    roles = True
    secrets = (TOKEN,)

    def __init__(self, front: Front, url: str, quirks: Quirks, connection: str = "hub") -> None:
        self.connection = connection
        self._clock = Clock()
        self.crm = LocalHubSpot(clock=self._clock, token=TOKEN, quirks=quirks)
        self._url = url
        self._taken: set[object] = {None}
        self._front = front
        front.behind, front.garbled = self.crm.app, False
        for object_ in OBJECTS.values():
            self.crm.define_property(object_, {"name": "heard_of_us", "type": "string"})
            self.crm.define_property(object_, {"name": "locked", "type": "string"})
            self.crm.define_property(object_, {"name": "key_of_the_lock", "type": "string"})
            self.crm.require(object_, "key_of_the_lock", {"locked": "yes"})

    def connector(self) -> HubSpot:
        return self._as("env:HUBSPOT_TOKEN")

    def stranger(self) -> HubSpot:
        return self._as("env:HUBSPOT_STRANGER")

    def _as(self, token: str) -> HubSpot:
        settings = HubSpotSettings.model_validate(
            {
                "connector": "hubspot",
                "url": self._url,
                "api_version": "2026-09",
                "auth": {"method": "service_key", "token": token},
                "code_fields": {"contact": ["heard_of_us"], "deal": ["heard_of_us"]},
            }
        )
        return HubSpot(self.connection, settings, clock=self._clock, timer=self._clock.timer)

    def pass_time(self, by: timedelta) -> None:
        self._clock.offset += by

    def create(self, kind: Kind, draft: Draft) -> Ref:
        return Ref(self.connection, kind, self.crm.create(OBJECTS[kind], _properties(kind, draft)))

    def import_at_once(self, kind: Kind, drafts: Sequence[Draft]) -> Sequence[Ref]:
        now = self._clock()
        modified = "lastmodifieddate" if kind is Kind.CONTACT else "hs_lastmodifieddate"
        rows = [{**_properties(kind, draft), "createdate": now, modified: now} for draft in drafts]
        for row in rows:
            email = row.pop("email", None)
            if email not in self._taken:  # no two contacts have the same e-mail
                row["email"] = email
            self._taken.add(email)
        return [Ref(self.connection, kind, one) for one in self.crm.load(OBJECTS[kind], rows)]

    def edit(self, ref: Ref, code: str) -> None:
        self.crm.update(OBJECTS[ref.kind], ref.id, {"heard_of_us": code})

    def write(self, ref: Ref, field: FieldSpec, value: str | None) -> None:
        self.crm.update(OBJECTS[ref.kind], ref.id, {field.name: value or ""})

    def win(self, deal: Ref) -> None:
        self.crm.update("deals", deal.id, {"dealstage": "closedwon"})

    def delete(self, ref: Ref) -> None:
        self.crm.archive(OBJECTS[ref.kind], ref.id)

    def convert(self, lead: Ref) -> Sequence[Ref]:  # noqa: ARG002 - as the base class has it
        raise AssertionError("HubSpot converts no leads")

    def merge(self, loser: Ref, survivor: Ref) -> Ref:
        return Ref(self.connection, survivor.kind, self.crm.merge(OBJECTS[survivor.kind], survivor.id, loser.id))

    def hand_over(self, ref: Ref, name: str) -> str:
        owner = self.crm.add_owner(f"{len(name)}@acme.example", *name.split(" ", 1))
        self.crm.update(OBJECTS[ref.kind], ref.id, {"hubspot_owner_id": owner})
        return owner

    def associate(self, deal: Ref, person: Ref) -> None:
        self.crm.associate("deals", deal.id, "contacts", person.id)

    def dissociate(self, deal: Ref, person: Ref) -> None:
        self.crm.disassociate("deals", deal.id, "contacts", person.id)

    def stand(self, deal: Ref, person: Ref, *words: str) -> None:
        for word in words:
            self.crm.associate("deals", deal.id, "contacts", person.id, self.crm.add_label("deals", "contacts", word))

    def stored(self, ref: Ref, field: FieldSpec) -> str | None:
        return canonical(field.type, self._held(ref).get(field.name))

    def facts(self, ref: Ref) -> Mapping[str, str]:
        return {
            name: value for name, value in self._held(ref).items() if name not in TIMES and not name.startswith("ref_")
        }

    def _held(self, ref: Ref) -> Mapping[str, str]:
        return self.crm.get(OBJECTS[ref.kind], ref.id) or {}

    def writes(self, ref: Ref) -> Sequence[frozenset[str]]:
        by_time: dict[str, set[str]] = {}
        for field in contract_fields(self.kinds):
            for _value, time, source in self.crm.history(OBJECTS[ref.kind], ref.id, field.name):
                if source == "INTEGRATION":
                    by_time.setdefault(time, set()).add(field.name)
        return [frozenset(by_time[time]) for time in sorted(by_time)]

    def has_field(self, kind: Kind, field: FieldSpec) -> bool:
        url = f"{self._url}/crm/properties/2026-03/{OBJECTS[kind]}/{field.name}"
        return requests.get(url, headers={"Authorization": f"Bearer {TOKEN}"}, timeout=PATIENCE).status_code == 200

    def drop_field(self, kind: Kind, field: FieldSpec) -> None:
        self.crm.remove_property(OBJECTS[kind], field.name)

    def poison(self, ref: Ref) -> None:
        self.crm.update(OBJECTS[ref.kind], ref.id, {"locked": "yes"})

    def break_next_write(self, *, done: bool) -> None:
        self.crm.fail_next(None, path="/batch/update", applied=done)

    def before_next_write(self, act: Callable[[], None]) -> None:
        self.crm.faults.add(faults.meanwhile(act), path="/batch/update")

    def garble_reads(self, *, on: bool) -> None:
        self._front.garbled = on


def _properties(kind: Kind, draft: Draft) -> dict[str, object]:
    if kind is Kind.DEAL:
        stage = {"pipeline": "default", "dealstage": "appointmentscheduled"}
        mine = {"dealname": draft.title, "amount": draft.amount, "heard_of_us": draft.code, **stage}
    else:
        mine = {"email": draft.email, "company": draft.title, "heard_of_us": draft.code}
    return {name: value for name, value in mine.items() if value is not None}
