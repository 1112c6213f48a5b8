"""Long bodies into a file: whole or not at all, and no larger or longer than they may be."""

from __future__ import annotations

import gzip
import io
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from refloop.connectors.http.transport import Limits, RetryPolicy, Transport
from refloop.errors import CrmUnavailable, DiskError
from tests.connectors.http.conftest import Clock
from tests.connectors.http.test_transport import Server, drip, raw, reply, reset
from tests.patience import PATIENCE

ROWS = b"".join(b'"%d","text"\n' % number for number in range(50_000))


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
def transport(server: Server) -> Iterator[Transport]:
    limits = Limits(read=PATIENCE, total=100, body=100, download_total=1_000, download=1_000_000)
    with Transport(server.url, limits=limits, sleep=lambda _: None) as transport:
        yield transport


def half(body: bytes) -> Any:
    return raw(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body), body[: len(body) // 2])


@pytest.mark.parametrize("zipped", [True, False])
def test_a_body_above_the_bound_of_others_goes_to_the_file(server: Server, transport: Transport, zipped: bool) -> None:
    body, headers = (gzip.compress(ROWS), {"Content_Encoding": "gzip"}) if zipped else (ROWS, {})
    server.replies = [reply(200, body, X_Rows="50000", **headers)]
    sink = io.BytesIO(b"what was there before, and longer" * 50_000)
    answer = transport.download("/rows", sink, params={"page": "2"}, headers={"Accept": "text/csv"})
    assert (answer.status, answer.headers["x-rows"], answer.body) == (200, "50000", None)
    assert sink.getvalue() == ROWS
    assert server.seen[0][:2] == ("GET", "/rows?page=2")
    assert server.seen[0][2]["Accept"] == "text/csv"


@pytest.mark.parametrize("broken", [half(ROWS), reset, reply(503, {})], ids=["half", "reset", "503"])
def test_a_broken_body_is_asked_for_again_and_replaced(server: Server, transport: Transport, broken: Any) -> None:
    server.replies = [broken, reply(200, b"whole")]
    sink = io.BytesIO()
    transport.download("/rows", sink)
    assert sink.getvalue() == b"whole"


def test_a_final_no_leaves_the_file_alone(server: Server, transport: Transport) -> None:
    server.replies = [reply(400, [{"errorCode": "INVALID_LOCATOR"}])]
    sink = io.BytesIO(b"before")
    answer = transport.download("/rows", sink)
    assert (answer.status, answer.body, sink.getvalue()) == (400, [{"errorCode": "INVALID_LOCATOR"}], b"before")
    server.replies = [reply(404, b"<html>", Content_Type="text/html")]
    assert transport.download("/rows", sink).body is None


@pytest.mark.parametrize(
    "body",
    [
        reply(200, gzip.compress(b"x" * 2_000_000), Content_Encoding="gzip"),
        reply(200, b"x" * 1_000_001),
        reply(400, b"x" * 101),
    ],
    ids=["bomb", "too large", "an error that is too large"],
)
def test_what_is_too_large_is_refused(server: Server, transport: Transport, body: Any) -> None:
    server.replies = [body]
    with pytest.raises(CrmUnavailable, match="larger"):
        transport.download("/rows", io.BytesIO())
    assert len(server.seen) == 1


def test_a_slow_body_has_more_time_than_others(server: Server, transport: Transport, clock: Clock) -> None:
    drops, size = 20, 40_000  # more than one read takes: the last one begins late
    server.replies = [
        drip(clock, b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (drops * size), b"x" * size, drops)
    ]
    sink = io.BytesIO()
    transport.download("/rows", sink)
    assert clock.now == 200
    assert sink.getvalue() == b"x" * drops * size


def test_a_body_that_drips_comes_to_an_end(server: Server, clock: Clock) -> None:
    limits, once = Limits(read=PATIENCE, download_total=100), RetryPolicy(attempts=1)
    server.replies = [drip(clock, b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n", b"x")]
    with Transport(server.url, limits=limits, retry=once) as transport, pytest.raises(CrmUnavailable, match="in time"):
        transport.download("/rows", io.BytesIO())


def test_a_web_page_is_no_data(server: Server, transport: Transport) -> None:
    server.replies = [reply(200, b"<html>", Content_Type="text/html")]
    with pytest.raises(CrmUnavailable, match="web page"):
        transport.download("/rows", io.BytesIO())


def test_a_full_disk_is_no_fault_of_the_crm(server: Server, transport: Transport) -> None:
    class Full(io.BytesIO):
        def write(self, _data: Any) -> int:
            raise OSError(28, "No space left on device")

    server.replies = [reply(200, ROWS)]
    with pytest.raises(DiskError, match="No space left"):
        transport.download("/rows", Full())
    assert len(server.seen) == 1
