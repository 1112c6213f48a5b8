"""Every endpoint of both connectors under every hostile answer: after few calls, the truth or an error."""

from __future__ import annotations

import socket
import threading
import tracemalloc
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from functools import partial
from itertools import count
from typing import Any

import pytest

from refloop.connectors.base import Connector
from refloop.connectors.hubspot import HubSpot
from refloop.errors import AuthError, ConfigError, CrmUnavailable, RefloopError, TryLater
from refloop.model import (
    Cursor,
    Everything,
    FieldChange,
    FieldSpec,
    FieldType,
    Kind,
    Named,
    Page,
    Receipt,
    Ref,
    Since,
    Span,
    Verdict,
)  # fmt: skip
from refloop.testing import Draft
from refloop_sandbox.crm import LocalCrm
from refloop_sandbox.faults import Asked, Fault, gzip_bomb
from tests.connectors import hostile
from tests.connectors.hubspot.account import START, Account
from tests.connectors.salesforce.world import SECRET, SalesforceWorld, is_write

CODE = FieldSpec("ref_code", "Code", FieldType.TEXT, (Kind.LEAD, Kind.CONTACT, Kind.DEAL))
FIELDS = (CODE,)
TOKEN = "pat-local"
CLASSIFIED = (AuthError, ConfigError, CrmUnavailable, TryLater)
MOST_CALLS = 60
SHAPES = list(hostile.answers(""))

COMPLAINTS = frozenset({"properties"})
"""Where what is wrong is told as a finding."""
TRUE_OF = {
    # an account may have no contacts, no deals, deals without contacts
    "nothing done, and all is well": {"list", "deals and their links", "associations", "pipelines"},
    # a record that was merged comes back under another id; its own is gone
    "ids of others": {"batch read"},
}
"""What a sound CRM may say as well: nobody can tell it from the truth."""

Outcome = Mapping[str, Any]
"""What an operation brought, in a form that can be compared: records and links by name, verdicts by record."""


@dataclass(frozen=True)
class Endpoint:
    """One endpoint: which requests are its, what reaches it, and what its connector calls it."""

    is_its: Callable[[Asked], bool]
    run: Callable[[Desk, Connector], Outcome]
    named: tuple[str, ...]


@dataclass
class Desk:
    """A CRM with some records, a cursor that was got before, and records that nobody wrote to yet."""

    crm: LocalCrm
    connect: Callable[..., Connector]
    cursor: Cursor
    targets: list[Ref]
    held: Callable[[Ref], str | None]
    values: Iterator[int] = field(default_factory=lambda: count(1))
    truths: dict[str, Outcome] = field(default_factory=dict)


def pulled(span: Callable[[Desk], Span], desk: Desk, connector: Connector) -> Outcome:
    pages: list[Page] = []
    try:
        for page in connector.pull(FIELDS, span(desk)):
            pages.append(page)  # noqa: PERF402 - what came before an exception counts
    except RefloopError as error:
        error.pages = pages  # type: ignore[attr-defined]  # looked at by the test
        raise
    return told(pages)


def told(pages: list[Page]) -> Outcome:
    return {
        "records": sorted({str(record.ref) for page in pages for record in page.records}),
        "links": sorted({f"{link.source} {link.target}" for page in pages for link in page.links}),
        "gone": sorted({str(ref) for page in pages for ref in page.gone}),
    }


def read(desk: Desk, connector: Connector) -> Outcome:
    return {str(ref): dict(found) for ref, found in connector.read(desk.targets, [CODE]).items()}


def pushed(desk: Desk, connector: Connector) -> Outcome:
    """Writes a new value to each target. What is WRITTEN or PRESENT has to be there."""
    value = f"V-{next(desk.values)}"
    before = connector.read(desk.targets, [CODE])
    changes = [FieldChange(ref, CODE, before.get(ref, {}).get(CODE.name), value, "") for ref in desk.targets]
    receipts: list[Receipt] = []
    for receipt in connector.push(changes):
        receipts.append(receipt)  # noqa: PERF402 - what came before an exception counts
    for receipt in receipts:
        if receipt.verdict in (Verdict.WRITTEN, Verdict.PRESENT):
            assert desk.held(receipt.change.ref) == value, "a false confirmation"
    return {"verdicts": sorted({receipt.verdict.value for receipt in receipts}), "of": len(receipts)}


def checked(_desk: Desk, connector: Connector) -> Outcome:
    return {"findings": [f"{one.level} {one.place} {one.message}" for one in connector.check(FIELDS)]}


def everything(_desk: Desk) -> Span:
    return Everything()


def since(desk: Desk) -> Span:
    return Since(desk.cursor)


def named(desk: Desk) -> Span:
    return Named(tuple(desk.targets))


def at(part: str, method: str = "") -> Callable[[Asked], bool]:
    return lambda asked: part in asked.path and method in ("", asked.method)


def holds(text: bytes) -> Callable[[Asked], bool]:
    return lambda asked: text in asked.body or text.decode() in asked.path


HUBSPOT = {
    "log-in": Endpoint(at("/oauth/"), read, ("token", "oauth")),
    "list": Endpoint(at("/contacts?", "GET"), partial(pulled, everything), ("list of contacts", "/contacts")),
    "deals and their links": Endpoint(at("/deals?", "GET"), partial(pulled, everything), ("list of deals", "/deals")),
    "pipelines": Endpoint(at("/pipelines/"), partial(pulled, everything), ("pipelines",)),
    "search": Endpoint(at("/contacts/search"), partial(pulled, since), ("search", "/contacts")),
    "associations": Endpoint(at("/associations/"), partial(pulled, since), ("associations",)),
    "batch read": Endpoint(at("/batch/read"), read, ("batch read", "/batch/read")),
    "named records": Endpoint(at("/batch/read"), partial(pulled, named), ("batch read", "/batch/read")),
    "batch update": Endpoint(at("/batch/update"), pushed, ("batch update", "/batch/update")),
    "properties": Endpoint(at("/properties/"), checked, ("properties",)),
}
SALESFORCE = {
    "log-in": Endpoint(at("/oauth2/token"), read, ("log-in", "token")),
    "describe": Endpoint(
        holds(b"describe"), partial(pulled, everything), ("composite", "Lead", "description", "describe")
    ),
    "query": Endpoint(
        holds(b"queryAll"), partial(pulled, everything), ("composite", "queryAll", "Lead", "Contact", "Opportunity")
    ),
    "named records": Endpoint(holds(b"queryAll"), partial(pulled, named), ("queryAll", "Lead")),
    "updated": Endpoint(
        holds(b"/updated"),
        partial(pulled, since),
        ("composite", "queryAll", "updated", "Lead", "Contact", "Opportunity"),
    ),
    "retrieve": Endpoint(at("composite/sobjects/", "POST"), read, ("composite", "Lead")),
    "update": Endpoint(is_write, pushed, ("composite", "sobjects")),
}
JOBS = {
    "query job": Endpoint(at("/jobs/query", "POST"), partial(pulled, everything), ("jobs/query", "Bulk job")),
    "query job's state": Endpoint(
        lambda asked: "/jobs/query/" in asked.path and "results" not in asked.path and asked.method == "GET",
        partial(pulled, everything), ("jobs/query", "Bulk job"),
    ),
    "query job's results": Endpoint(at("/results", "GET"), partial(pulled, everything), ("results", "Bulk job")),
    "ingest job": Endpoint(at("/jobs/ingest", "POST"), pushed, ("jobs/ingest", "Bulk job")),
    "ingest job's data": Endpoint(at("/batches", "PUT"), pushed, ("batches", "jobs/ingest")),
    "ingest job's state": Endpoint(
        lambda asked: "/jobs/ingest/" in asked.path and "Results" not in asked.path and asked.method != "PUT",
        pushed, ("jobs/ingest", "Bulk job"),
    ),
    "ingest job's results": Endpoint(at("successfulResults", "GET"), pushed, ("successfulResults", "Bulk job")),
}  # fmt: skip


class Elsewhere:
    """Another server; it notes what it is sent, and gives nothing back."""

    def __init__(self) -> None:
        self.sent: list[bytes] = []
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}/services/x"
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()

    def _listen(self) -> None:
        with suppress(OSError):
            while True:
                visitor, _ = self._socket.accept()
                with visitor:
                    self.sent.append(visitor.recv(65536))

    def close(self) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self._thread.join()


@pytest.fixture(scope="module")
def elsewhere() -> Iterator[Elsewhere]:
    made = Elsewhere()
    yield made
    made.close()


@pytest.fixture(scope="module")
def secrets() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HUBSPOT_TOKEN", TOKEN)
        patch.setenv("HUBSPOT_SECRET", "local-secret")
        patch.setenv("HUBSPOT_REFRESH", "local-refresh")
        patch.setenv("SF_SECRET", SECRET)
        yield


@pytest.fixture(scope="module")
def hubspot(secrets: None) -> Iterator[Desk]:
    account = Account()
    ids = account.contacts(250, at=START - timedelta(days=2))
    deals = account.deals(3, at=START - timedelta(days=2))
    (page, *_, last) = account.hubspot().pull(FIELDS, Everything())
    assert page.records
    assert last.cursor
    for deal in deals:
        account.crm.associate("deals", deal, "contacts", ids[0])
        account.crm.update("deals", deal, {"amount": "20"})
    for contact in ids[:5]:
        account.crm.update("contacts", contact, {"company": "Changed"})
    targets = [Ref("hub", Kind.CONTACT, one) for one in ids[-3:]]

    def connect(endpoint: str) -> HubSpot:
        auth = {
            "method": "oauth", "client_id": "local-client", "client_secret": "env:HUBSPOT_SECRET",
            "refresh_token": "env:HUBSPOT_REFRESH",
        }  # fmt: skip
        return account.hubspot(**({"auth": auth} if endpoint == "log-in" else {}))

    yield Desk(
        account.crm,
        connect,
        last.cursor,
        targets,
        lambda ref: (account.crm.get("contacts", ref.id) or {}).get("ref_code"),
    )
    for close in account.closing:
        close()


def salesforce_desk(world: SalesforceWorld) -> Desk:
    list(world.connector().provision(FIELDS))
    refs = {kind: [world.create(kind, Draft()) for _ in range(8)] for kind in (Kind.LEAD, Kind.CONTACT)}
    deal = world.create(Kind.DEAL, Draft(amount=Decimal(10)))
    world.associate(deal, refs[Kind.CONTACT][0])
    *_, last = world.connector().pull(FIELDS, Everything())
    assert last.cursor
    world.pass_time(timedelta(minutes=1))
    for ref in refs[Kind.LEAD][:6]:
        world.edit(ref, "changed")
    return Desk(
        world.local,
        lambda _endpoint: world.connector(),
        last.cursor,
        refs[Kind.LEAD][:3],
        lambda ref: world.stored(ref, CODE),
    )


@pytest.fixture(scope="module")
def salesforce(secrets: None) -> Iterator[Desk]:
    world = SalesforceWorld()
    yield salesforce_desk(world)
    world.close()


@pytest.fixture(scope="module")
def salesforce_by_jobs(secrets: None) -> Iterator[Desk]:
    world = SalesforceWorld(by_jobs=True)
    yield salesforce_desk(world)
    world.close()


def suffer(desk: Desk, name: str, endpoint: Endpoint, shape: Fault) -> str:
    """Runs an endpoint's operation under a shape that never ends. What came of it: `truth`, or the error's type."""
    if name not in desk.truths:
        desk.crm.faults.clear()
        connector = desk.connect(name)
        desk.truths[name] = endpoint.run(desk, connector)
        connector.close()
    connector = desk.connect(name)
    desk.crm.faults.clear()
    struck = desk.crm.faults_injected
    desk.crm.faults.add(shape, when=endpoint.is_its, times=10**6)
    failure: RefloopError | None = None
    try:
        outcome = endpoint.run(desk, connector)
    except CLASSIFIED as error:
        failure = error
    finally:
        calls = sum(connector.calls().values())
        desk.crm.faults.clear()
        connector.close()
    assert calls <= MOST_CALLS
    assert desk.crm.faults_injected > struck or "page" in shape.name or "token" in shape.name, "it never struck"
    return told_well(desk, name, endpoint, failure) if failure else told_true(desk, name, shape, outcome)


def told_well(desk: Desk, name: str, endpoint: Endpoint, failure: RefloopError) -> str:
    """An error names its endpoint and nothing secret, and what came before it was true."""
    assert any(word in failure.message for word in endpoint.named), failure.message
    assert not any(word in str(failure) for word in (TOKEN, SECRET, "local-secret", "evil.example", "SELECT"))
    early = told(getattr(failure, "pages", []))
    assert set(early["records"]) <= set(desk.truths[name].get("records", early["records"]))
    return type(failure).__name__


def told_true(desk: Desk, name: str, shape: Fault, outcome: Outcome) -> str:
    if "verdicts" in outcome:
        return str(outcome["verdicts"])
    if name in COMPLAINTS and any("error" in finding for finding in outcome["findings"]):
        return "finding"
    if name not in TRUE_OF.get(shape.name, ()):
        assert outcome == desk.truths[name], "neither the truth nor an error"
    return "truth"


def all_shapes(desk: Desk, endpoints: Mapping[str, Endpoint], name: str, elsewhere: Elsewhere) -> dict[str, str]:
    found = {}
    for shape_name, shape in hostile.answers(elsewhere.url).items():
        try:
            found[shape_name] = suffer(desk, name, endpoints[name], shape)
        except Exception as error:
            found[shape_name] = f"FAILED {type(error).__name__}: {str(error)[:200]}"
    assert elsewhere.sent == []
    return found


def sound(found: Mapping[str, str]) -> None:
    failed = {shape: end for shape, end in found.items() if end.startswith("FAILED")}
    assert not failed, "\n".join(f"{shape}: {end}" for shape, end in failed.items())
    assert len(found) == len(SHAPES)


QUICK = ("log-in", "list", "search", "associations", "batch read", "named records", "batch update")


@pytest.mark.parametrize(
    "name", [name if name in QUICK else pytest.param(name, marks=pytest.mark.slow) for name in HUBSPOT]
)
def test_hubspot(hubspot: Desk, elsewhere: Elsewhere, name: str) -> None:
    sound(all_shapes(hubspot, HUBSPOT, name, elsewhere))


@pytest.mark.slow
@pytest.mark.parametrize("name", SALESFORCE)
def test_salesforce(salesforce: Desk, elsewhere: Elsewhere, name: str) -> None:
    sound(all_shapes(salesforce, SALESFORCE, name, elsewhere))


@pytest.mark.slow
@pytest.mark.parametrize("name", JOBS)
def test_salesforce_by_jobs(salesforce_by_jobs: Desk, elsewhere: Elsewhere, name: str) -> None:
    sound(all_shapes(salesforce_by_jobs, JOBS, name, elsewhere))


def test_a_long_value_and_a_bomb_take_bounded_memory(hubspot: Desk) -> None:
    for shape, most in (
        (hostile.endless_text(10_000_000), 200_000_000),
        (gzip_bomb(70_000_000), 64_000_000),
    ):
        tracemalloc.start()
        try:
            suffer(hubspot, "list", HUBSPOT["list"], shape)
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert peak < most, shape.name


def gullible(desk: Desk, _connector: Connector) -> Outcome:
    """Believes whatever comes."""
    connector = desk.connect("list")
    client = connector._client  # type: ignore[attr-defined]  # as a bare client would
    try:
        answer = client.transport.request("GET", "/crm/objects/2026-03/contacts?limit=100").json()
    except ValueError:
        answer = {}
    connector.close()
    return {"records": [row["id"] for row in answer.get("results") or []]}


def test_one_that_believes_what_comes_is_caught(hubspot: Desk, elsewhere: Elsewhere) -> None:
    endpoint = Endpoint(at("/contacts?", "GET"), gullible, ("",))
    found = all_shapes(hubspot, {"gullible": endpoint}, "gullible", elsewhere)
    caught = {shape.rpartition(" ")[0] for shape, end in found.items() if end.startswith("FAILED")}
    assert {"wrong object", "truncated", "null", "ids of others", "nothing done, and all is well"} <= caught
