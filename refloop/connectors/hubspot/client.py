"""HubSpot's API as this connector uses it: one method a call, strict answers out.

The HTTP front is hubspot-api-client's `ApiClient`, called with dated paths and our transport under it; its models,
its own connection pool and its retries are not used.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime
from functools import partial
from importlib.metadata import version
from typing import Any, TypeVar

from hubspot.client import Client as Sdk

import refloop
from refloop.connectors.http.limiter import Limiter, Timer
from refloop.connectors.http.transport import Answer, Transport
from refloop.connectors.hubspot import answers
from refloop.connectors.hubspot.answers import BatchError, BatchRead, Edges, Found, Labels, Listing, Updated
from refloop.connectors.hubspot.auth import authenticator
from refloop.connectors.hubspot.errors import disposition, failure
from refloop.connectors.hubspot.id_ranges import IndexCount
from refloop.connectors.hubspot.limits import CALLS, limiter, seconds_to_midnight
from refloop.connectors.hubspot.names import OBJECTS
from refloop.connectors.hubspot.search import LIMIT, highest, holding
from refloop.connectors.hubspot.settings import HubSpotSettings
from refloop.errors import CrmUnavailable, FateUnknown
from refloop.model import Kind

T = TypeVar("T")

PAGE = 100
BATCH = 100
BATCH_WITH_HISTORY = 50
EDGES = 1_000
OWNERS = 500
"""HubSpot docs: records a list page, inputs a batch, the same with history, inputs an associations batch read, owners a
page."""

_DONE = (200, 201, 204, 207)
_REFUSED = (400, 401, 403, 404, 409, 414)
_SENT_BACK = (400, 409)


def open_transport(settings: HubSpotSettings, timer: Timer = Timer()) -> Transport:  # noqa: B008 - frozen
    """The guarded session of one account: who we are, what its errors mean, and how fast we may go."""
    transport = Transport(settings.url, allowed=_is_hubspot, sleep=timer.sleep)
    transport.authenticate = authenticator(settings, transport)
    transport.classify = disposition
    transport.limiter = limiter(settings.quota_share, timer)
    return transport


class Client:
    """One account's API. Every call raises AuthError, ConfigError, CrmUnavailable or TryLater."""

    def __init__(self, connection: str, version: str, transport: Transport) -> None:
        self._connection = connection
        self._version = version
        self.transport = transport
        transport.call_log.connection = connection
        self._front = _sdk_front(transport)

    def server_time(self) -> datetime:
        """The server's clock at the last answer. Raises CrmUnavailable when it never told."""
        if self.transport.server_time is None:
            raise CrmUnavailable(
                f"{self._connection}: HubSpot's answers carry no Date header, so that no watermark can be set",
                remedy="Look whether a proxy strips headers.",
            )
        return self.transport.server_time

    def listing(self, kind: Kind, query: Mapping[str, str], *, after: str | None = None) -> Listing:
        """A page of all records of a kind, by ascending id; `after` is its token, or its first id."""
        params = {"limit": str(PAGE), **query} | ({"after": after} if after else {})
        what = f"the list of {OBJECTS[kind]}"
        answer = self._get(self._objects(kind), what, params)
        return answers.read_listing(answer, what, limit=PAGE)

    def readers(self, most: int) -> int:
        """How many readers at once use up what the rate limit allows."""
        limiter = self.transport.limiter
        return limiter.callers(CALLS, most) if isinstance(limiter, Limiter) else 2

    def count_above(self, kind: Kind, last: int) -> IndexCount:
        """How many records of a kind have a higher id than `last`, and the highest id: by the late index."""
        found = self.search(kind, highest(last))
        return IndexCount(found.total, max((int(row.id) for row in found.rows), default=last))

    def search(self, kind: Kind, body: Mapping[str, Any]) -> Found:
        what = f"the search of {OBJECTS[kind]}"
        return answers.read_found(self._post(self._objects(kind, "search"), what, body), what, limit=LIMIT)

    def make_room(self, kind: Kind, calls: int) -> None:
        """Waits until so many calls about records may leave at once. Raises TryLater when that is not soon."""
        limiter = self.transport.limiter
        if isinstance(limiter, Limiter):
            limiter.make_room(f"POST {self._objects(kind, 'batch/read')}", calls)

    def batch_read(
        self,
        kind: Kind,
        ids: Collection[str],
        properties: Sequence[str],
        *,
        history: bool = False,
        archived: bool = False,
        beside: Sequence[str] = (),
    ) -> BatchRead:
        """At most BATCH ids; with the `history` of the properties, at most BATCH_WITH_HISTORY. `archived`: of the
        records in the recycle bin, and of no others. `beside` are properties without their history.

        One that is gone is missing; one that was merged may come back as its survivor.
        """
        what = f"the batch read of {OBJECTS[kind]}"
        body = {"inputs": [{"id": one} for one in ids], "properties": [*properties, *beside]}
        body |= {"propertiesWithHistory": list(properties)} if history else {}
        params = {"archived": "true"} if archived else None
        answer = self._post(self._objects(kind, "batch/read"), what, body, params)
        batch = answers.read_batch(answer, what, limit=BATCH)
        if ids and not batch.rows and not batch.errors and not archived:
            raise answers.nonsense(what, "it says nothing of any record that was asked for")
        for error in batch.errors:
            if error.category != "OBJECT_NOT_FOUND":
                raise answers.nonsense(what, f"it is not whole ({error.category or 'error without category'})")
        return batch

    def batch_update(self, kind: Kind, inputs: Sequence[Mapping[str, Any]]) -> Updated | BatchError:
        """At most BATCH inputs, no id twice. A BatchError: HubSpot sent the whole batch back, nothing was written.

        Raises FateUnknown when it may or may not have been written.
        """
        what = f"the batch update of {OBJECTS[kind]}"
        with self.transport.writing():
            answer = self._call("POST", self._objects(kind, "batch/update"), body={"inputs": list(inputs)})
        if answer.status in _SENT_BACK:
            return answers.read_error(answer.body if isinstance(answer.body, dict) else {})
        if answer.status not in _DONE:
            raise failure(answer.status, answer.body, what, self._connection)
        try:
            return answers.read_updated(self._done(answer, what), what)
        except CrmUnavailable as error:
            raise FateUnknown(error.message, remedy="Run again: it reads back.") from None

    def refuse_unwritable(self, kind: Kind) -> None:
        """Raises where the token may not write records of a kind. A batch of nothing tells: HubSpot asks for the scope
        before it looks at the inputs."""
        answer = self._call("POST", self._objects(kind, "batch/update"), body={"inputs": []})
        if answer.status in (401, 403):
            raise failure(answer.status, answer.body, f"writing {OBJECTS[kind]}", self._connection)

    def contacts_of(self, deals: Sequence[str]) -> Mapping[str, Mapping[str, Labels]]:
        """The ids of all contacts of each deal, with their labels. At most EDGES deals; long lists are read to their
        end."""
        what = "the associations of deals"
        path = f"/crm/associations/{self._version}/deals/contacts/batch/read"
        targets: dict[str, dict[str, Labels]] = {}
        inputs = [{"id": deal} for deal in deals]
        seen: set[tuple[str, str]] = set()
        while inputs:
            asked = frozenset(one["id"] for one in inputs)
            edges = answers.read_edges(self._post(path, what, {"inputs": inputs}), what, asked)
            for deal, contacts in edges.targets.items():
                answers.add_targets(targets.setdefault(deal, {}), contacts)
            inputs = _following(edges, seen, what)
        return targets

    def labels(self) -> frozenset[str]:
        """The labels that a contact of a deal may have."""
        what = "the association labels of deals"
        found = answers.results(self._get(f"/crm/associations/{self._version}/deals/contacts/labels", what), what)
        return frozenset(label for one in found if isinstance(label := one.get("label"), str) and label)

    def write_links(self, pairs: Sequence[tuple[str, str]], *, linked: bool) -> BatchError | None:
        """Associates deals with contacts, or ends that. At most BATCH pairs. A BatchError: it was sent back.

        Raises FateUnknown when it may or may not have been done.
        """
        what = "the associations of deals" if linked else "the removal of associations of deals"
        act = "associate/default" if linked else "archive"
        path = f"/crm/associations/{self._version}/deals/contacts/batch/{act}"
        ends = [({"id": deal}, {"id": contact}) for deal, contact in pairs]
        inputs = [{"from": deal, "to": contact if linked else [contact]} for deal, contact in ends]
        with self.transport.writing():
            answer = self._call("POST", path, body={"inputs": inputs})
        if answer.status in (*_SENT_BACK, 404):
            return answers.read_error(answer.body if isinstance(answer.body, dict) else {})
        self._done(answer, what)
        return None

    def pipelines(self) -> list[Mapping[str, Any]]:
        what = "the deal pipelines"
        return list(answers.results(self._get(f"/crm/pipelines/{self._version}/deals", what), what))

    def owners(self, *, archived: bool = False) -> list[Mapping[str, Any]]:
        """The users who may own records; with `archived`, those who were removed and no others."""
        what = "the owners"
        params = {"limit": str(OWNERS)} | ({"archived": "true"} if archived else {})
        owners: list[Mapping[str, Any]] = []
        seen: set[str] = set()
        while True:
            answer = self._get(f"/crm/owners/{self._version}", what, params)
            owners += answers.results(answer, what)
            token = answers.next_token(answer, what)
            if token is None:
                return owners
            if token in seen:
                raise answers.nonsense(what, "the token of the next page was there before")
            seen.add(token)
            params = {**params, "after": token}

    def account(self) -> Mapping[str, Any]:
        what = "the account's details"
        answer = self._get(f"/account-info/{self._version}/details", what)
        if not isinstance(answer, dict):
            raise answers.nonsense(what, "it is not an object")
        zone = answer.get("timeZone")
        limiter = self.transport.limiter
        if isinstance(limiter, Limiter) and isinstance(zone, str):
            limiter.day_ends = partial(self._until_midnight, zone)
        return answer

    def _until_midnight(self, zone: str) -> float | None:
        """Seconds until the account's day ends, and with it the count of its calls."""
        now = self.transport.server_time
        return None if now is None else seconds_to_midnight(now, zone)

    def daily_usage(self) -> list[Mapping[str, Any]]:
        """How many calls of the day are used, per kind of app; not for OAuth apps."""
        what = "the account's API usage"
        answer = self._get(f"/account-info/{self._version}/api-usage/daily/private-apps", what)
        return list(answers.results({"results": answer} if isinstance(answer, list) else answer, what))

    def properties(self, kind: Kind) -> list[Mapping[str, Any]]:
        what = f"the properties of {OBJECTS[kind]}"
        return list(answers.results(self._get(self._properties(kind), what), what))

    def create_group(self, kind: Kind, group: Mapping[str, Any]) -> None:
        """Creates a property group. One that is there already is as good."""
        what = f"the creation of a property group of {OBJECTS[kind]}"
        with self.transport.writing():
            answer = self._call("POST", self._properties(kind, "groups"), body=group)
        if answer.status != 409:
            self._done(answer, what)

    def create_properties(self, kind: Kind, inputs: Sequence[Mapping[str, Any]]) -> Iterator[BatchError]:
        """Creates properties in one call. Gives what went wrong with some of them; the others are there."""
        what = f"the creation of properties of {OBJECTS[kind]}"
        with self.transport.writing():
            answer = self._call("POST", self._properties(kind, "batch/create"), body={"inputs": list(inputs)})
        yield from answers.read_errors(self._done(answer, what), what)

    def groups(self, kind: Kind) -> frozenset[str]:
        """The names of the property groups."""
        what = f"the property groups of {OBJECTS[kind]}"
        found = answers.results(self._get(self._properties(kind, "groups"), what), what)
        return frozenset(str(group.get("name")) for group in found)

    def archive_properties(self, kind: Kind, names: Sequence[str]) -> None:
        """At most BATCH names. Archives properties, with their values; one that is gone is as good."""
        what = f"the removal of properties of {OBJECTS[kind]}"
        with self.transport.writing():
            body = {"inputs": [{"name": name} for name in names]}
            self._done(self._call("POST", self._properties(kind, "batch/archive"), body=body), what)

    def archive_group(self, kind: Kind, name: str) -> None:
        """Archives a property group. One that is gone is as good."""
        what = f"the removal of a property group of {OBJECTS[kind]}"
        answer = self._call("DELETE", self._properties(kind, f"groups/{name}"))
        if answer.status != 404:
            self._done(answer, what)

    def count_with(self, kind: Kind, name: str) -> int:
        """How many records hold a value of a property, by the index, which runs late."""
        return self.search(kind, holding(name)).total

    def set_options(self, kind: Kind, name: str, options: Sequence[Mapping[str, Any]]) -> None:
        what = f"the change of the property {name}"
        with self.transport.writing():
            self._done(self._call("PATCH", self._properties(kind, name), body={"options": list(options)}), what)

    def _objects(self, kind: Kind, rest: str = "") -> str:
        return f"/crm/objects/{self._version}/{OBJECTS[kind]}" + (f"/{rest}" if rest else "")

    def _properties(self, kind: Kind, rest: str = "") -> str:
        return f"/crm/properties/{self._version}/{OBJECTS[kind]}" + (f"/{rest}" if rest else "")

    def _get(self, path: str, what: str, params: Mapping[str, str] | None = None) -> Any:
        return answers.faultless(self._done(self._call("GET", path, params=params), what), what)

    def _post(self, path: str, what: str, body: Mapping[str, Any], params: Mapping[str, str] | None = None) -> Any:
        return self._done(self._call("POST", path, params=params, body=body), what)

    def _call(
        self, method: str, path: str, *, params: Mapping[str, str] | None = None, body: Mapping[str, Any] | None = None
    ) -> Answer:
        query = list(params.items()) if params else None
        answer: Answer = self._front.call_api(path, method, query_params=query, body=body, _preload_content=False)
        return answer

    def _done(self, answer: Answer, what: str) -> Any:
        if answer.status not in _DONE:
            raise failure(answer.status, answer.body, what, self._connection)
        if answer.body is not None and not isinstance(answer.body, dict | list):
            raise answers.nonsense(what, "it is not an object")
        return answer.body


def _sdk_front(transport: Transport) -> Any:
    """The SDK's ApiClient over our transport, made once: each access of an API object would build another."""

    def send(
        method: str, url: str, *, query_params: Any = None, headers: Any = None, body: Any = None, **_ignored: Any
    ) -> Answer:
        return transport.call(method, url, params=query_params, headers=headers, body=body, ok=(*_DONE, *_REFUSED))

    def factory(package: Any, _api: str, _config: Mapping[str, Any]) -> Any:
        configuration = package.Configuration()
        configuration.host = str(transport.origin)
        client = package.ApiClient(configuration=configuration)
        client.rest_client.request = send  # in the place of its own connection pool, retries and status table
        client.user_agent = f"refloop/{refloop.__version__} hubspot-api-client/{version('hubspot-api-client')}"
        return client

    return Sdk(api_factory=factory).crm.objects.basic_api


def _following(edges: Edges, seen: set[tuple[str, str]], what: str) -> list[dict[str, str]]:
    for page in edges.more.items():
        if page in seen:
            raise answers.nonsense(what, "the token of the next page is the last one again")
        seen.add(page)
    return [{"id": deal, "after": token} for deal, token in edges.more.items()]


def _is_hubspot(host: str) -> bool:
    """The settings have looked at the address already, and know the hosts of each region."""
    return host.endswith(".hubapi.com")


def chunks(items: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    """`items` in runs of at most `size`."""
    return (items[at : at + size] for at in range(0, len(items), size))
