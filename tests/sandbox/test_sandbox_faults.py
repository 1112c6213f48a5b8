"""Every fault, on both local CRMs, over raw sockets."""

from __future__ import annotations

import contextlib
import gzip
import json
import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import pytest
import requests
from starlette.types import ASGIApp, Receive, Scope, Send

from refloop_sandbox import faults, pages
from refloop_sandbox.crm import LocalCrm
from refloop_sandbox.faults import Asked, Fault, Plan
from refloop_sandbox.hubspot import LocalHubSpot
from refloop_sandbox.hubspot import troubles as hubspot_troubles
from refloop_sandbox.salesforce import LocalSalesforce
from refloop_sandbox.salesforce import troubles as salesforce_troubles
from refloop_sandbox.server import Server
from tests.patience import PATIENCE


class Desk(NamedTuple):
    """A local CRM with 450 contacts, and how to list and to change them."""

    crm: LocalCrm
    url: str
    token: str
    listing: str
    write: tuple[str, str, Any]
    written: Callable[[], object]
    key: str

    def get(self, path: str = "", **how: Any) -> requests.Response:
        return self._ask("GET", path or self.listing, **how)

    def change(self) -> requests.Response:
        method, path, body = self.write
        return self._ask(method, path, json=body)

    def _ask(self, method: str, path: str, **how: Any) -> requests.Response:
        how = {"allow_redirects": False, **how}
        seconds = how.pop("timeout", PATIENCE)
        headers = {"Authorization": f"Bearer {self.token}", **how.pop("headers", {})}
        return requests.request(method, self.url + path, headers=headers, timeout=seconds, **how)

    def names(self, answer: requests.Response) -> list[str]:
        rows = answer.json()[self.key]
        return [row["properties"]["lastname"] if self.key == "results" else row["LastName"] for row in rows]


NAMES = [f"N{number:03}" for number in range(450)]


class Switch:
    """One server for all tests: to start and stop one costs more than most tests."""

    url = ""
    app: ASGIApp

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self.app(scope, receive, send)


SWITCH = Switch()


@pytest.fixture(scope="module", autouse=True)
def served() -> Iterator[None]:
    with Server(SWITCH) as server:
        SWITCH.url = server.url
        yield


def salesforce() -> Iterator[Desk]:
    with LocalSalesforce(page_size=100) as crm:
        SWITCH.app = crm.app
        ids = crm.load("Contact", ({"LastName": name} for name in NAMES))
        root = "/services/data/v67.0"
        listing = f"{root}/query?q=SELECT+Id,LastName+FROM+Contact+ORDER+BY+Id"
        write = ("PATCH", f"{root}/sobjects/Contact/{ids[0]}", {"Title": "CTO"})
        yield Desk(
            crm, SWITCH.url, crm.access_token(), listing, write,
            lambda: (crm.get("Contact", ids[0]) or {})["Title"], "records",
        )  # fmt: skip


def hubspot() -> Iterator[Desk]:
    crm = LocalHubSpot()
    SWITCH.app = crm.app
    ids = crm.load("contacts", ({"lastname": name} for name in NAMES))
    root = "/crm/objects/2026-09/contacts"
    write = ("PATCH", f"{root}/{ids[0]}", {"properties": {"jobtitle": "CTO"}})
    yield Desk(
        crm, SWITCH.url, "pat-na1-local", f"{root}?limit=100&properties=lastname", write,
        lambda: (crm.get("contacts", ids[0]) or {}).get("jobtitle"), "results",
    )  # fmt: skip


@pytest.fixture(params=[salesforce, hubspot], ids=["salesforce", "hubspot"])
def desk(request: pytest.FixtureRequest) -> Iterator[Desk]:
    yield from request.param()


@contextlib.contextmanager
def connected(desk: Desk, method: str, path: str, body: Any = None) -> Iterator[socket.socket]:
    """A connection on which a request has been sent."""
    host, _, port = desk.url.removeprefix("http://").partition(":")
    sent = b"" if body is None else json.dumps(body).encode()
    lines = [
        f"{method} {path} HTTP/1.1", f"Host: {host}", f"Authorization: Bearer {desk.token}",
        "Content-Type: application/json", f"Content-Length: {len(sent)}", "", "",
    ]  # fmt: skip
    with socket.create_connection((host, int(port))) as connection:
        connection.sendall("\r\n".join(lines).encode() + sent)
        yield connection


def raw(desk: Desk) -> bytes:
    """All bytes that the server sends for a listing, until it ends the connection."""
    with connected(desk, "GET", desk.listing) as connection:
        parts = []
        while part := connection.recv(65536):
            parts.append(part)
        return b"".join(parts)


@pytest.mark.parametrize("applied", [False, True])
@pytest.mark.parametrize(
    "make",
    [faults.closed, faults.reset, lambda *, applied: faults.answer(502, applied=applied)],
    ids=["closed", "reset", "502"],
)
def test_a_lost_answer_to_a_write(desk: Desk, make: Callable[..., Fault], applied: bool) -> None:
    desk.crm.faults.add(make(applied=applied), method="PATCH")
    with contextlib.suppress(requests.ConnectionError):
        assert desk.change().status_code == 502
    assert desk.written() == ("CTO" if applied else None)
    assert desk.change().ok
    assert len(desk.crm.faults.injected) == 1


def test_somebody_who_is_quicker(desk: Desk) -> None:
    """What she does is there before the request, which then goes over it."""
    seen: list[object] = []
    desk.crm.faults.add(faults.meanwhile(lambda: seen.append(desk.written())), method="PATCH")
    assert desk.change().ok
    assert (seen, desk.written()) == ([None], "CTO")
    assert [one.fault for one in desk.crm.faults.injected] == ["meanwhile"]


def test_a_reset_is_one_and_a_close_is_none(desk: Desk) -> None:
    desk.crm.faults.add(faults.reset())
    desk.crm.faults.add(faults.closed())
    with pytest.raises(ConnectionResetError):
        raw(desk)
    assert raw(desk) == b""


@pytest.mark.parametrize("fault", [None, faults.reset(applied=True), faults.closed(), faults.cut(), faults.drip()])
def test_a_client_that_leaves_first_breaks_nothing(desk: Desk, fault: Fault | None) -> None:
    arrived, left = threading.Event(), threading.Event()

    def until_it_left(_method: str, _path: str) -> float:
        arrived.set()
        left.wait()
        return 0.001  # the server may notice before it works on it

    if fault is not None:
        desk.crm.faults.add(fault, method="PATCH")
    desk.crm.traffic.latency = until_it_left
    with connected(desk, *desk.write):
        arrived.wait()
    desk.crm.traffic.latency = 0.0
    left.set()
    assert desk.get().ok
    while desk.crm.traffic.in_flight:
        assert desk.get().ok
    assert desk.written() == (None if fault is not None and not fault.is_served else "CTO")


def test_a_body_cut_short_of_its_announced_length(desk: Desk) -> None:
    desk.crm.faults.add(faults.cut())
    head, _, body = raw(desk).partition(b"\r\n\r\n")
    (length,) = [int(line.split(b":")[1]) for line in head.splitlines() if line.lower().startswith(b"content-length")]
    assert len(body) == length // 2 > 0


def test_a_body_cut_that_nothing_announced(desk: Desk) -> None:
    desk.crm.faults.add(faults.cut(announced=False))
    head, _, body = raw(desk).partition(b"\r\n\r\n")
    assert b"content-length" not in head.lower()
    assert b"chunked" not in head.lower()
    assert body.startswith(b"{")
    with pytest.raises(json.JSONDecodeError):
        json.loads(body)
    desk.crm.faults.add(faults.cut(announced=False))
    answer = desk.get()
    assert answer.status_code == 200, "a client notices only by the JSON"


def test_a_dripped_body_is_whole_in_the_end(desk: Desk) -> None:
    whole = len(desk.get().content)
    desk.crm.faults.add(faults.drip(0.0))
    assert desk.names(desk.get()) == NAMES[:100]
    desk.crm.faults.add(faults.drip(5.0))
    with connected(desk, "GET", desk.listing) as connection:
        assert 0 < len(connection.recv(65536)) < whole
    assert desk.get().ok


@pytest.mark.parametrize(
    ("fault", "status", "body"),
    [
        (faults.empty(), 200, b""),
        (faults.json_null(), 200, b"null"),
        (faults.json_list(), 200, b"[]"),
        (faults.html(), 200, b"<html><body>Please log in</body></html>"),
        (faults.maintenance(), 503, faults.MAINTENANCE.encode()),
        (faults.answer(429, {"status": "error"}), 429, b'{"status":"error"}'),
        *((faults.redirect(status, "http://127.0.0.1:9/x"), status, b"") for status in (301, 302, 303, 307, 308)),
    ],
    ids=lambda value: value.name if isinstance(value, Fault) else "",
)
def test_an_answer_in_place_of_the_crms(desk: Desk, fault: Fault, status: int, body: bytes) -> None:
    desk.crm.faults.add(fault)
    answer = desk.change()
    assert (answer.status_code, answer.content) == (status, body)
    assert desk.written() is None
    assert answer.headers.get("Location") == ("http://127.0.0.1:9/x" if 300 <= status < 400 else None)


def test_retry_after_comes_when_it_is_asked_for(desk: Desk) -> None:
    desk.crm.faults.add(faults.maintenance(retry_after=7))
    desk.crm.faults.add(faults.maintenance())
    assert [desk.get().headers.get("Retry-After") for _ in range(2)] == ["7", None]


def test_a_gzip_bomb(desk: Desk) -> None:
    desk.crm.faults.add(faults.gzip_bomb(30_000_000))
    answer = desk.get(stream=True)
    packed = answer.raw.read(decode_content=False)
    assert len(packed) < 100_000
    assert len(gzip.decompress(packed)) >= 30_000_000


def test_a_true_body_spoilt(desk: Desk) -> None:
    desk.crm.faults.add(faults.truncated())
    with pytest.raises(json.JSONDecodeError):
        json.loads(desk.get().content)
    desk.crm.faults.add(faults.wrong_type())
    answer = desk.get()
    assert answer.headers["Content-Type"] == "text/html"
    assert desk.names(answer) == NAMES[:100]


def following(desk: Desk, answer: requests.Response) -> str | None:
    body = answer.json()
    if desk.key == "records":
        path: str | None = body.get("nextRecordsUrl")
        return path
    after = body.get("paging", {}).get("next", {}).get("after")
    return None if after is None else f"{desk.listing}&after={after}"


def walk(desk: Desk, most: int = 12) -> list[list[str]]:
    found: list[list[str]] = []
    path: str | None = desk.listing
    while path is not None and len(found) < most:
        answer = desk.get(path)
        found.append(desk.names(answer))
        path = following(desk, answer)
    return found


PAGES = [NAMES[start : start + 100] for start in range(0, 450, 100)]


def test_a_page_that_comes_twice(desk: Desk) -> None:
    desk.crm.faults.add(pages.repeated_page(), skip=1)
    assert walk(desk) == [*PAGES[:2], PAGES[1], *PAGES[2:]]


def test_a_page_in_disorder_and_one_that_is_short(desk: Desk) -> None:
    desk.crm.faults.add(pages.reordered_page(), index=1)
    desk.crm.faults.add(pages.short_page(3), index=2)
    assert walk(desk) == [PAGES[0], PAGES[1][::-1], PAGES[2][:-3], *PAGES[3:]]


def test_a_token_that_leads_back(desk: Desk) -> None:
    desk.crm.faults.add(pages.repeated_token(), times=1000)
    assert walk(desk, 6) == [PAGES[0], *[PAGES[1]] * 5]


def test_a_bulk_result_page_that_comes_twice() -> None:
    with LocalSalesforce() as crm, Server(crm.app) as server:
        crm.load("Contact", ({"LastName": name} for name in NAMES))
        crm.set_bulk_polls(1)
        root = f"{server.url}/services/data/v67.0/jobs/query"
        with requests.Session() as session:
            session.headers["Authorization"] = f"Bearer {crm.access_token()}"
            job = session.post(root, json={"operation": "query", "query": "SELECT LastName FROM Contact"}).json()["id"]
            session.get(f"{root}/{job}")
            crm.faults.add(pages.reordered_page(), path="/results")
            crm.faults.add(pages.repeated_token(), path="/results")
            first = session.get(f"{root}/{job}/results", params={"maxRecords": "200"})
            assert first.text.splitlines()[:2] == ['"LastName"', '"N199"']
            token = first.headers["Sforce-Locator"]
            second = session.get(f"{root}/{job}/results", params={"maxRecords": "200", "locator": token})
            assert second.headers["Sforce-Locator"] == token
            assert second.text.splitlines()[1] == '"N200"'


def test_pages_within_a_composite_call() -> None:
    for desk in salesforce():
        root = "/services/data/v67.0"

        def ask(url: str, desk: Desk = desk, root: str = root) -> Any:
            parts = [
                {"method": "GET", "url": url, "referenceId": "people"},
                {"method": "GET", "url": f"{root}/limits", "referenceId": "limits"},
            ]
            answer = desk._ask("POST", f"{root}/composite", json={"compositeRequest": parts}).json()
            return answer["compositeResponse"][0]["body"]

        desk.crm.faults.add(pages.repeated_token(), times=2)
        desk.crm.faults.add(pages.reordered_page())
        first = ask(desk.listing)
        assert [row["LastName"] for row in first["records"]] == PAGES[0][::-1]
        for _ in range(2):
            second = ask(first["nextRecordsUrl"])
            assert [row["LastName"] for row in second["records"]] == PAGES[1]
            assert second["nextRecordsUrl"] == first["nextRecordsUrl"]
        assert ask(first["nextRecordsUrl"])["nextRecordsUrl"] != first["nextRecordsUrl"]


def test_a_search_page_that_comes_twice() -> None:
    for desk in hubspot():
        search = "/crm/objects/2026-09/contacts/search"

        def ask(after: str, desk: Desk = desk, search: str = search) -> Any:
            body = {"limit": 100, "properties": ["lastname"], **({"after": after} if after else {})}
            return desk._ask("POST", search, json=body)

        desk.crm.faults.add(pages.repeated_page(), path="/search")
        desk.crm.faults.add(pages.repeated_token(), path="/search")
        first, again = ask(""), ask("100")
        assert desk.names(first) == desk.names(again) == PAGES[0]
        third = ask("200")
        assert (desk.names(third), third.json()["paging"]["next"]["after"]) == (PAGES[2], "200")


# -- which requests a rule strikes


def test_rules_by_index_path_and_method(desk: Desk) -> None:
    desk.crm.faults.add(faults.empty(), index={1, 3})
    desk.crm.faults.add(faults.json_null(), method="PATCH")
    desk.crm.faults.add(faults.html(), path="no-such-path")
    bodies = [desk.get().content for _ in range(4)]
    assert [not body for body in bodies] == [False, True, False, True]
    assert desk.change().content == b"null"
    assert [(one.number, one.method, one.fault) for one in desk.crm.faults.injected] == [
        (1, "GET", "empty"), (3, "GET", "empty"), (4, "PATCH", "null"),
    ]  # fmt: skip
    assert desk.crm.faults.waiting, "the one for a path that nobody asked for"


def strikes(seed: int) -> list[int]:
    plan = Plan()
    plan.seed(seed)
    plan.add(faults.empty(), chance=0.25)
    return [n for n in range(400) if plan.strike(Asked(n, "GET", "/", b"")) is not None]


def test_a_chance_is_seeded() -> None:
    assert strikes(1) == strikes(1) != strikes(2)
    assert 60 < len(strikes(1)) < 140


def test_times_skip_and_when() -> None:
    plan = Plan()
    plan.add(faults.empty(), skip=1, times=2, when=lambda asked: b"x" in asked.body)
    bodies = [b"x", b"y", b"x", b"x", b"x"]
    assert [plan.strike(Asked(n, "GET", "/", body)) is not None for n, body in enumerate(bodies)] == [
        False, False, True, True, False,
    ]  # fmt: skip
    assert not plan.waiting
    with pytest.raises(ValueError, match="between 0 and 1"):
        plan.add(faults.empty(), chance=2)


def test_both_crms_take_the_same_words(desk: Desk) -> None:
    desk.crm.fail_next()
    desk.crm.fail_next(429, path=desk.listing[:20], headers={"Retry-After": "3"}, body={"a": 1})
    desk.crm.fail_next(None, applied=True, method="PATCH", times=2)
    assert desk.get().status_code == 503
    answer = desk.get()
    assert (answer.status_code, answer.headers["Retry-After"], answer.json()) == (429, "3", {"a": 1})
    for _ in range(2):
        with pytest.raises(requests.ConnectionError):
            desk.change()
    assert desk.crm.faults_injected == 4
    assert desk.written() == "CTO"


def test_a_struck_request_is_counted(desk: Desk) -> None:
    crm = desk.crm
    assert isinstance(crm, LocalSalesforce | LocalHubSpot)
    crm.fail_next()
    desk.get()
    desk.get()
    assert crm.calls.total() == crm.traffic.received == 2
    assert len(crm.calls) == 1


@pytest.mark.parametrize(
    ("refusal", "status", "policy"),
    [
        (hubspot_troubles.ten_secondly(), 429, "TEN_SECONDLY_ROLLING"),
        (hubspot_troubles.secondly(retry_after=None), 429, "SECONDLY"),
        (hubspot_troubles.daily(retry_after="30"), 429, "DAILY"),
        (hubspot_troubles.locked(), 423, None),
        (hubspot_troubles.migrating(), 477, None),
        (hubspot_troubles.expired(), 401, None),
    ],
)
def test_hubspots_own_words(refusal: Any, status: int, policy: str | None) -> None:
    for desk in hubspot():
        desk.crm.faults.add(hubspot_troubles.fault(refusal))
        answer = desk.get()
        assert (answer.status_code, answer.json().get("policyName")) == (status, policy)
        assert answer.headers.get("Retry-After") == refusal.headers.get("Retry-After")


@pytest.mark.parametrize("status", [502, 503, 504, 521, 523, 524])
def test_the_proxy_before_hubspot(status: int) -> None:
    for desk in hubspot():
        desk.crm.faults.add(hubspot_troubles.proxy(status))
        answer = desk.get()
        assert (answer.status_code, answer.headers["Content-Type"]) == (status, "text/html")


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (salesforce_troubles.daily(), 403, "REQUEST_LIMIT_EXCEEDED"),
        (salesforce_troubles.concurrent(), 403, "REQUEST_LIMIT_EXCEEDED"),
        (salesforce_troubles.session_expired(), 401, "INVALID_SESSION_ID"),
        (salesforce_troubles.unavailable(), 503, "SERVER_UNAVAILABLE"),
        (salesforce_troubles.query_timeout(), 400, "QUERY_TIMEOUT"),
    ],
)
def test_salesforces_own_words(error: Any, status: int, code: str) -> None:
    for desk in salesforce():
        desk.crm.faults.add(salesforce_troubles.fault(error))
        answer = desk.get()
        assert (answer.status_code, answer.json()[0]["errorCode"]) == (status, code)


def test_a_plan_may_change_while_it_strikes(desk: Desk) -> None:
    with ThreadPoolExecutor(4) as pool:
        for _ in range(10):
            desk.crm.fail_next(503)
        statuses = list(pool.map(lambda _: desk.get().status_code, range(20)))
    assert sorted(statuses) == [200] * 10 + [503] * 10
