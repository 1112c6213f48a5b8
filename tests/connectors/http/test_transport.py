"""The guarded session against a server on loopback that misbehaves in every way it can."""

from __future__ import annotations

import contextlib
import gzip
import json
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
import requests
import responses
from simple_salesforce.api import Salesforce, SFType

from refloop.connectors.http.limiter import Limiter, LimitInfo, Rule
from refloop.connectors.http.retry import OK, Disposition, classify, later
from refloop.connectors.http.transport import Answer, Limits, Rejected, RetryPolicy, Transport
from refloop.errors import AuthError, CrmUnavailable, FateUnknown, RefloopError, TryLater
from tests.connectors.http.conftest import Clock
from tests.patience import PATIENCE

SECRET = "s3cr3t-t0ken"
PERSON = "anna@example.com"

Reply = Callable[["Handler"], None]


class Handler(BaseHTTPRequestHandler):
    """Answers with the next of the server's replies; the last one stays."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: Server

    def answer(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length)
        self.server.seen.append((self.command, self.path, dict(self.headers), body))
        self.server.peers.add(self.client_address)
        replies = self.server.replies
        reply = replies.pop(0) if len(replies) > 1 else replies[0]
        with contextlib.suppress(ConnectionError):
            reply(self)

    do_GET = do_POST = do_PATCH = do_PUT = do_DELETE = answer  # noqa: N815 - the names that http.server asks for

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name in the base class
        pass


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.replies: list[Reply] = [reply(200, {})]
        self.seen: list[tuple[str, str, dict[str, str], bytes]] = []
        self.peers: set[Any] = set()
        self.over = threading.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


def reply(status: int, body: Any = None, **headers: str) -> Reply:
    """A sound answer. `body` is sent as JSON, or as it is when it is bytes."""
    content = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
    headers = {"Content-Type": "application/json", "Content-Length": str(len(content))} | {
        name.replace("_", "-"): value for name, value in headers.items()
    }

    def send(handler: Handler) -> None:
        handler.send_response(status)
        for name, value in headers.items():
            handler.send_header(name, value)
        handler.end_headers()
        handler.wfile.write(content)

    return send


def raw(*pieces: bytes) -> Reply:
    """Exactly these bytes on the socket, then the end of the connection."""

    def send(handler: Handler) -> None:
        handler.close_connection = True
        for piece in pieces:
            handler.wfile.write(piece)
            handler.wfile.flush()

    return send


def drip(clock: Clock, begin: bytes, drop: bytes, times: int = 50) -> Reply:
    """A drop every ten seconds by the clock; after the last one, nothing as long as the server stands."""

    def send(handler: Handler) -> None:
        handler.wfile.write(begin)
        for _ in range(times):
            clock.now += 10
            handler.wfile.write(drop)
        silent(handler)

    return send


def silent(handler: Handler) -> None:
    """Says nothing as long as the server stands."""
    handler.close_connection = True
    handler.server.over.wait()


def reset(handler: Handler) -> None:
    """Breaks the connection with nothing said."""
    handler.close_connection = True
    handler.connection.shutdown(socket.SHUT_RDWR)


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.over.set()
        server.shutdown()
        thread.join()


@pytest.fixture
def slept() -> list[float]:
    return []


@pytest.fixture
def transport(server: Server, slept: list[float]) -> Iterator[Transport]:
    with Transport(server.url, sleep=slept.append) as transport:
        transport.authenticate = lambda _force: SECRET
        yield transport


def failure(act: Callable[[], Any]) -> RefloopError:
    """What `act` raises. Nothing it shows, and nothing it drags along, may hold a secret or a person."""
    with pytest.raises(RefloopError) as caught:
        act()
    error = caught.value
    assert error.__cause__ is None
    assert error.__context__ is None
    shown = f"{error!s} {error!r}"
    assert not any(word in shown for word in (SECRET, PERSON, "q=", "SELECT"))
    return error


def test_a_good_answer(server: Server, transport: Transport) -> None:
    dated = b"HTTP/1.1 200 OK\r\nDate: Sat, 21 Nov 2026 10:00:00 GMT\r\nContent-Length: 16\r\n\r\n"
    server.replies = [raw(dated, b'{"amount": 1.10}')]
    answer = transport.call("POST", "/x/search", body={"name": "é"}, params={"q": PERSON}, headers={"X-Own": "1"})
    assert answer.body == {"amount": Decimal("1.10")}
    assert isinstance(answer, Answer)
    assert transport.server_time == datetime(2026, 11, 21, 10, tzinfo=UTC)
    method, path, headers, body = server.seen[0]
    assert (method, path) == ("POST", "/x/search?q=anna%40example.com")
    assert json.loads(body) == {"name": "é"}
    assert headers["Authorization"] == f"Bearer {SECRET}"
    assert headers["Content-Type"] == "application/json"
    assert headers["X-Own"] == "1"
    assert headers["User-Agent"].startswith("refloop/")


def test_the_connection_is_kept(server: Server, transport: Transport) -> None:
    server.replies = [reply(200, {}), reply(404, {}), reply(200, gzip.compress(b"{}"), Content_Encoding="gzip")]
    transport.request("GET", "/a")
    transport.request("GET", "/b")
    assert transport.json("GET", "/c") == {}
    assert len(server.peers) == 1


@pytest.mark.parametrize("status", [204, 205])
def test_no_content_is_an_answer_where_it_is_expected(server: Server, transport: Transport, status: int) -> None:
    server.replies = [reply(status)]
    assert transport.json("PATCH", "/x", ok=(status,)) is None


@pytest.mark.parametrize(
    "body",
    [b"", b"null and void", b'{"results": [', b'{"a": NaN}', b'{"a": 1, "a": 2}', b"<html>anna@example.com</html>"],
)
def test_a_body_that_makes_no_sense_is_no_answer(server: Server, transport: Transport, body: bytes) -> None:
    server.replies = [reply(200, body)]
    assert type(failure(lambda: transport.json("GET", "/x"))) is CrmUnavailable
    assert type(failure(lambda: transport.json("PATCH", "/x"))) is FateUnknown


def test_a_web_page_is_no_answer_even_to_a_raw_request(server: Server, transport: Transport) -> None:
    server.replies = [reply(200, b"<html>anna@example.com</html>", Content_Type="Text/HTML; charset=utf-8")]
    error = failure(lambda: transport.request("GET", "/x", params={"q": "SELECT"}))
    assert error.message == "127.0.0.1: GET /x got a web page (200) where data was due"


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("method", ["GET", "POST", "PATCH"])
def test_a_redirect_is_never_followed(server: Server, transport: Transport, status: int, method: str) -> None:
    server.replies = [reply(status, {}, Location=f"{server.url}/elsewhere")]
    error = failure(lambda: transport.request(method, "/x"))
    assert type(error) is (FateUnknown if method == "PATCH" else CrmUnavailable)
    assert len(server.seen) == 1


@pytest.mark.parametrize("url", ["https://evil.test/x", "//evil.test/x", "/a/../b", "http://127.0.0.1:1/x"])
def test_nothing_goes_elsewhere(server: Server, transport: Transport, url: str) -> None:
    prepared = requests.Request("GET", url if "//" in url else server.url + url).prepare
    for act in (
        lambda: transport.json("GET", url),
        lambda: transport.request("GET", url),
        lambda: transport.get(url),
    ):
        assert "outside of" in failure(act).message
    if url.startswith("http"):
        assert "outside of" in failure(lambda: transport.send(prepared())).message
    assert server.seen == []
    assert not transport.calls


def test_the_environment_has_no_say(
    server: Server, transport: Transport, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login me password pw\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/nonexistent")
    transport.authenticate = None
    transport.request("GET", "/x", proxies={"http": "http://127.0.0.1:1"}, timeout=0.0001, verify=False)
    assert "Authorization" not in server.seen[0][2]


def test_cookies_are_not_kept(server: Server, transport: Transport) -> None:
    server.replies = [reply(200, {}, Set_Cookie="sid=1; Path=/")]
    transport.request("GET", "/x")
    transport.request("GET", "/x")
    assert "Cookie" not in server.seen[1][2]


def test_a_keyword_that_requests_takes_and_we_do_not(transport: Transport) -> None:
    with pytest.raises(TypeError, match="auth, files"):
        transport.request("POST", "/x", files={}, auth=("a", "b"))
    with pytest.raises(TypeError, match="streamed"):
        transport.request("PUT", "/x", data=iter([b"a"]))


CUT = raw(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{}")
CUT_CHUNKED = raw(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n")
BAD_CHUNK = raw(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n")
BAD_GZIP = raw(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Encoding: gzip\r\nContent-Length: 5\r\n\r\nhello")
NOT_HTTP = raw(b"SSH-2.0-OpenSSH_9.2\r\n")


@pytest.mark.parametrize("broken", [reset, CUT, CUT_CHUNKED, BAD_CHUNK, BAD_GZIP, NOT_HTTP])
class TestABrokenAnswer:
    def test_is_read_again(self, server: Server, transport: Transport, slept: list[float], broken: Reply) -> None:
        server.replies = [broken, broken, broken, reply(200, {"a": 1})]
        assert transport.json("GET", "/x") == {"a": 1}
        assert len(slept) == 3

    def test_is_given_up_after_four(self, server: Server, transport: Transport, broken: Reply) -> None:
        server.replies = [broken]
        assert type(failure(lambda: transport.json("GET", "/x"))) is CrmUnavailable
        assert transport.calls == {"GET /x": 4}

    def test_to_a_write_has_an_unknown_fate(self, server: Server, transport: Transport, broken: Reply) -> None:
        server.replies = [broken]
        with transport.writing():
            assert type(failure(lambda: transport.json("POST", "/x", body={}))) is FateUnknown
        assert type(failure(lambda: transport.json("PATCH", "/x", body={}))) is FateUnknown
        assert len(server.seen) == 2


@pytest.mark.parametrize("status", [500, 502, 503, 504])
def test_a_server_error_to_a_write_has_an_unknown_fate(server: Server, transport: Transport, status: int) -> None:
    server.replies = [reply(status, [{"errorCode": "SERVER_UNAVAILABLE", "message": PERSON}])]
    with transport.writing():
        error = failure(lambda: transport.json("POST", "/x"))
    assert type(error) is FateUnknown
    assert "(SERVER_UNAVAILABLE)" in error.message
    assert len(server.seen) == 1


@pytest.mark.parametrize(("status", "headers"), [(429, {}), (423, {}), (503, {"Retry_After": "2"})])
def test_what_the_server_did_not_begin_is_written_again(
    server: Server, transport: Transport, slept: list[float], status: int, headers: dict[str, str]
) -> None:
    server.replies = [reply(status, {}, **headers), reply(200, {"done": True})]
    with transport.writing():
        assert transport.json("POST", "/x", body={"a": 1}) == {"done": True}
    assert server.seen[0][3] == server.seen[1][3] == b'{"a": 1}'
    assert len(slept) == 1
    assert not headers or 2 <= slept[0] <= 3


def test_writing_ends_with_its_block(server: Server, transport: Transport) -> None:
    server.replies = [reply(500, {}), reply(500, {}), reply(200, {})]
    with pytest.raises(FateUnknown), transport.writing():
        transport.json("POST", "/x")
    assert transport.json("POST", "/x") == {}


def test_writing_is_of_one_thread(server: Server, transport: Transport) -> None:
    server.replies = [reply(500, {}), reply(200, {"a": 1})]
    answers: list[Any] = []
    with transport.writing():
        reader = threading.Thread(target=lambda: answers.append(transport.json("POST", "/search")))
        reader.start()
        reader.join()
    assert answers == [{"a": 1}]


def test_a_refused_connection_is_tried_again_even_for_a_write(slept: list[float]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    with Transport(f"http://127.0.0.1:{port}", sleep=slept.append) as transport, transport.writing():
        error = failure(lambda: transport.json("POST", "/x", params={"q": PERSON}))
    assert type(error) is CrmUnavailable
    assert error.message == "127.0.0.1: POST /x could not be reached"
    assert len(slept) == 3


@pytest.mark.parametrize("asked", ["0", "1", "119"])
def test_a_pause_is_obeyed(server: Server, transport: Transport, slept: list[float], asked: str) -> None:
    server.replies = [reply(429, {}, Retry_After=asked), reply(200, {})]
    transport.json("GET", "/x")
    assert float(asked) <= slept[0] <= float(asked) + 1


@pytest.mark.parametrize("asked", ["121", "86400"])
def test_a_long_pause_ends_the_run(server: Server, transport: Transport, slept: list[float], asked: str) -> None:
    server.replies = [reply(429, {}, Retry_After=asked)]
    error = failure(lambda: transport.json("GET", "/x"))
    assert isinstance(error, TryLater)
    assert error.seconds == float(asked)
    assert slept == []


def test_a_rate_limit_that_stays_ends_the_run(server: Server, transport: Transport) -> None:
    server.replies = [reply(429, {"policyName": "TEN_SECONDLY_ROLLING"})]
    error = failure(lambda: transport.json("GET", "/x"))
    assert isinstance(error, TryLater)
    assert "TEN_SECONDLY_ROLLING" in error.message
    assert len(server.seen) == 4


def test_an_outage_of_a_thousand_calls_costs_a_tenth_more(server: Server, transport: Transport) -> None:
    server.replies = [reply(503, {})]
    for _ in range(1000):
        with pytest.raises(CrmUnavailable):
            transport.json("GET", "/x")
    assert 1100 <= transport.calls.total() <= 1110


def test_the_waits_between_sends_grow_and_vary(server: Server) -> None:
    slept: list[float] = []
    policy = RetryPolicy(attempts=9, base=1.0, cap=4.0, spare=1000)
    server.replies = [reply(500, {})]
    with Transport(server.url, retry=policy, sleep=slept.append) as transport:
        for _ in range(5):
            failure(lambda: transport.json("GET", "/x"))
    assert len(slept) == 40
    assert max(slept[0::8]) <= 1.0
    assert max(slept) <= 4.0
    assert max(slept) > 1.0
    assert len(set(slept)) > 30


def test_a_connector_has_its_own_words_for_a_spent_quota(server: Server, transport: Transport) -> None:
    def quota(status: int, headers: Any, body: Any) -> Disposition:
        return later(3600) if status == 403 and body[0]["errorCode"] == "LIMIT" else classify(status, headers, body)

    transport.classify = quota
    server.replies = [reply(403, [{"errorCode": "LIMIT"}])]
    error = failure(lambda: transport.request("GET", "/x"))
    assert isinstance(error, TryLater)
    assert error.seconds == 3600


def test_the_classifier_sees_the_headers_of_good_answers(server: Server, transport: Transport) -> None:
    used: list[str] = []

    def watch(status: int, headers: Any, body: Any) -> Disposition:
        used.append(headers["sforce-limit-info"])
        return OK

    transport.classify = watch
    server.replies = [reply(200, {}, Sforce_Limit_Info="api-usage=1/10")]
    transport.json("GET", "/x")
    assert used == ["api-usage=1/10"]


@pytest.mark.parametrize(("status", "kind"), [(400, Rejected), (404, Rejected), (409, Rejected), (403, AuthError)])
def test_a_final_no(server: Server, transport: Transport, status: int, kind: type[RefloopError]) -> None:
    server.replies = [reply(status, [{"errorCode": "INVALID_FIELD", "message": PERSON}])]
    error = failure(lambda: transport.json("GET", "/x/123", params={"q": "SELECT"}))
    assert type(error) is kind
    assert error.message == f"127.0.0.1: GET /x/{{id}} answered {status} (INVALID_FIELD)"
    assert not isinstance(error, Rejected) or (error.status, error.code) == (status, "INVALID_FIELD")
    assert len(server.seen) == 1
    assert transport.call("GET", "/x/123", ok=(200, status)).status == status
    assert transport.request("GET", "/x/123").status_code == status


def test_only_the_expected_success_is_one(server: Server, transport: Transport) -> None:
    server.replies = [reply(202, {})]
    assert isinstance(failure(lambda: transport.json("GET", "/x")), Rejected)


class TestTokens:
    def test_one_refresh_and_one_replay_with_the_same_headers(self, server: Server, transport: Transport) -> None:
        tokens = ["old"]

        def provide(force: bool) -> str:
            if force:
                tokens.append("new")
            return tokens[-1]

        transport.authenticate = provide
        server.replies = [reply(401, b"<html>expired</html>", Content_Type="text/html"), reply(200, {"a": 1})]
        headers = {"If-Unmodified-Since": "Sat, 21 Nov 2026 10:00:00 GMT"}
        assert transport.json("PATCH", "/x", body={"b": 2}, headers=headers) == {"a": 1}
        first, second = (sent[2] for sent in server.seen)
        assert first.pop("Authorization") == "Bearer old"
        assert second.pop("Authorization") == "Bearer new"
        assert first == second
        assert first["If-Unmodified-Since"] == headers["If-Unmodified-Since"]
        assert server.seen[0][3] == server.seen[1][3]

    def test_a_second_no_is_final(self, server: Server, transport: Transport) -> None:
        server.replies = [reply(401, [{"errorCode": "INVALID_SESSION_ID"}])]
        error = failure(lambda: transport.request("GET", "/x"))
        assert isinstance(error, AuthError)
        assert "INVALID_SESSION_ID" in error.message
        assert len(server.seen) == 2

    def test_without_a_provider_a_401_is_the_callers(self, server: Server, transport: Transport) -> None:
        transport.authenticate = None
        server.replies = [reply(401, {"error": "invalid_client"})]
        assert transport.request("POST", "/token").status_code == 401
        assert isinstance(failure(lambda: transport.json("POST", "/token")), AuthError)
        assert len(server.seen) == 2

    def test_the_login_itself_goes_out_as_it_is(self, server: Server, transport: Transport) -> None:
        def log_in(_force: bool) -> str:
            basic = {"Authorization": "Basic x"}
            return str(transport.json("POST", "/token", headers=basic)["access_token"])

        transport.authenticate = log_in
        server.replies = [reply(200, {"access_token": "abc"})]
        transport.json("GET", "/x")
        assert [sent[2]["Authorization"] for sent in server.seen] == ["Basic x", "Bearer abc"]

    def test_a_login_inside_a_write_is_no_write(self, server: Server, transport: Transport) -> None:
        transport.authenticate = lambda _force: str(transport.json("POST", "/token")["access_token"])
        server.replies = [reply(500, {}), reply(200, {"access_token": "abc"}), reply(200, {})]
        with transport.writing():
            assert transport.json("POST", "/x") == {}

    def test_a_failing_login_is_not_repeated(self, server: Server, transport: Transport) -> None:
        transport.authenticate = lambda _force: str(transport.json("POST", "/token"))
        server.replies = [reply(401, {})]
        assert isinstance(failure(lambda: transport.json("GET", "/x")), AuthError)
        assert len(server.seen) == 1

    def test_threads_share_one_refresh(self, server: Server, transport: Transport) -> None:
        refreshed: list[int] = []
        barrier = threading.Barrier(4)

        def provide(force: bool) -> str:
            if force:
                refreshed.append(1)
            return "new" if refreshed else "old"

        def by_token(handler: Handler) -> None:
            if handler.headers["Authorization"] == "Bearer old":
                barrier.wait(PATIENCE)
                return reply(401, {})(handler)
            return reply(200, {})(handler)

        transport.authenticate = provide
        server.replies = [by_token]
        threads = [threading.Thread(target=transport.json, args=("GET", "/x")) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert refreshed == [1]
        assert transport.calls == {"GET /x": 8}

    @pytest.mark.parametrize("token", ["", "two words", "line\nbreak", "é"])
    def test_a_token_that_is_none(self, server: Server, transport: Transport, token: str) -> None:
        transport.authenticate = lambda _force: token
        error = failure(lambda: transport.json("GET", "/x"))
        assert isinstance(error, AuthError)
        assert not token or token not in str(error)
        assert server.seen == []

    def test_a_header_that_cannot_be_sent_is_not_shown(self, server: Server, transport: Transport) -> None:
        error = failure(lambda: transport.json("GET", "/x", headers={"Authorization": f"{SECRET}\r\nX: y"}))
        assert isinstance(error, CrmUnavailable)
        assert server.seen == []


class TestBounds:
    def test_a_bomb_is_refused_while_it_unfolds(self, server: Server, transport: Transport) -> None:
        server.replies = [reply(200, gzip.compress(bytes(64 * 1024 * 1024)), Content_Encoding="gzip")]
        error = failure(lambda: transport.json("GET", "/x"))
        assert "larger" in error.message
        assert len(server.seen) == 1

    def test_the_bound_is_of_the_call(self, server: Server, transport: Transport) -> None:
        server.replies = [reply(200, b"1" * 1001, Content_Type="text/csv")]
        assert len(transport.request("GET", "/x", max_body=1001).content) == 1001
        failure(lambda: transport.request("GET", "/x", max_body=1000))

    @pytest.mark.parametrize(
        ("begin", "drop"),
        [
            (b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n", b" "),
            (b"HTTP/1.1 200 OK\r\n", b"X-A: b\r\n"),
            (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\n \r\n"),
        ],
        ids=["body", "headers", "chunks"],
    )
    def test_a_drip_ends_at_the_deadline(self, server: Server, clock: Clock, begin: bytes, drop: bytes) -> None:
        server.replies = [drip(clock, begin, drop)]
        limits = Limits(read=PATIENCE, total=100)
        with Transport(server.url, limits=limits, retry=RetryPolicy(attempts=1)) as transport:
            error = failure(lambda: transport.json("GET", "/x"))
        assert error.message == "127.0.0.1: GET /x did not answer in time"

    def test_a_silent_server_ends_at_the_read_timeout(self, server: Server) -> None:
        server.replies = [silent]
        with Transport(server.url, limits=Limits(read=0.2), retry=RetryPolicy(attempts=1)) as transport:
            assert "in time" in failure(lambda: transport.json("GET", "/x")).message
            assert type(failure(lambda: transport.json("PATCH", "/x"))) is FateUnknown


def test_the_limiter_is_asked_before_each_send_and_hears_each_answer(server: Server, transport: Transport) -> None:
    heard: list[tuple[str, int, Any]] = []

    def listen(endpoint: str, status: int, headers: Mapping[str, str], error: Any) -> LimitInfo:
        assert headers["Content-Type"]
        heard.append((endpoint, status, error))
        return LimitInfo()

    transport.limiter = Limiter((Rule("calls", 3, 3_600.0, lambda endpoint: endpoint == "list"),), listen)
    server.replies = [reply(500, {"message": "no"}), reply(200, {})]
    transport.json("GET", "/x", endpoint="list")
    assert heard == [("list", 500, {"message": "no"}), ("list", 200, None)]
    assert transport.calls == {"list": 2}


def test_a_send_that_broke_takes_its_place_and_a_full_window_is_not_waited_for(
    server: Server, transport: Transport
) -> None:
    transport.limiter = Limiter((Rule("calls", 2, 3_600.0, lambda _endpoint: True),), lambda *_answer: LimitInfo())
    server.replies = [raw(b""), reply(200, {})]
    transport.json("GET", "/x")
    with pytest.raises(TryLater) as later:
        transport.json("GET", "/x")
    assert 3_500 < (later.value.seconds or 0) <= 3_600
    assert transport.calls == {"GET /x": 2}


def test_calls_are_a_copy(transport: Transport) -> None:
    transport.request("GET", "/x")
    transport.calls["GET /x"] += 5
    assert transport.calls == {"GET /x": 1}


def test_nothing_shows_the_secret(transport: Transport) -> None:
    transport.request("GET", "/x")
    assert repr(transport).startswith("<Transport http://127.0.0.1:")
    assert SECRET not in repr(vars(transport))


def test_simple_salesforce_goes_through(server: Server, transport: Transport) -> None:
    server.replies = [reply(200, {"DailyApiRequests": {"Max": 1, "Remaining": 1}})]
    salesforce = Salesforce(instance_url=server.url, session_id="x", session=transport, version="67.0")
    assert salesforce.limits()["DailyApiRequests"]["Max"] == 1
    with pytest.raises(CrmUnavailable):
        SFType("Contact", "x", server.url.removeprefix("http://"), session=transport).update(
            "https://evil.test/x", {"Company": "x"}
        )
    assert [sent[1] for sent in server.seen] == ["/services/data/v67.0/limits/"]
    assert server.seen[0][2]["Authorization"] == f"Bearer {SECRET}"


def test_a_connection_that_never_came_about_is_tried_again(slept: list[float]) -> None:
    with responses.RequestsMock() as mock:
        mock.patch("https://api.example.com/x", body=requests.ConnectTimeout("x?q=anna@example.com"))
        with Transport("https://api.example.com", allowed=("api.example.com",), sleep=slept.append) as transport:
            error = failure(lambda: transport.json("PATCH", "/x"))
    assert type(error) is CrmUnavailable
    assert error.message == "api.example.com: PATCH /x could not be reached in time"
    assert len(slept) == 3
