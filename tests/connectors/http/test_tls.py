"""Over TLS: an untrusted server gets no byte of a request, a trusted one is held to the same deadline."""

from __future__ import annotations

import ipaddress
import ssl
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from refloop.connectors.http.transport import Limits, RetryPolicy, Transport
from refloop.errors import CrmUnavailable
from tests.connectors.http.conftest import Clock
from tests.patience import PATIENCE


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        self.server.seen.append(self.path)
        self.send_response(200)
        self.send_header("Content-Length", "1000000" if self.path == "/drip" else "2")
        self.end_headers()
        for _ in range(50 if self.path == "/drip" else 0):
            self.server.clock.now += 10
            self.wfile.write(b" ")
        self.wfile.write(b"{}")
        if self.path == "/drip":
            self.server.over.wait()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name in the base class
        pass


class Server(HTTPServer):
    def __init__(self, certificate: Path, key: Path) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.seen: list[str] = []
        self.clock = Clock()
        self.over = threading.Event()
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        self.socket = context.wrap_socket(self.socket, server_side=True)

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self.server_port}"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hangs up is what these tests are about."""


def certify(folder: Path, *, address: str = "127.0.0.1", ends: timedelta = timedelta(days=2)) -> tuple[Path, Path]:
    """A self-signed certificate for `address`, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "local CRM")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=2))
        .not_valid_after(now + ends)
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(address))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    paths = folder / "certificate.pem", folder / "key.pem"
    paths[0].write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    paths[1].write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return paths


@pytest.fixture
def certificate(tmp_path: Path, request: pytest.FixtureRequest) -> tuple[Path, Path]:
    wanted: dict[str, Any] = getattr(request, "param", {})
    return certify(tmp_path, **wanted)


@pytest.fixture
def server(certificate: tuple[Path, Path]) -> Iterator[Server]:
    with Server(*certificate) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.over.set()
        server.shutdown()
        thread.join()


def test_a_trusted_server_is_spoken_to(server: Server, certificate: tuple[Path, Path]) -> None:
    with Transport(server.url, ca_bundle=str(certificate[0])) as transport:
        assert transport.json("GET", "/x") == {}


def test_an_untrusted_server_gets_nothing(server: Server) -> None:
    slept: list[float] = []
    with Transport(server.url, sleep=slept.append) as transport:
        with pytest.raises(CrmUnavailable, match="no certificate that this machine trusts"):
            transport.json("GET", "/x")
        with pytest.raises(CrmUnavailable, match="no certificate that this machine trusts"):
            transport.request("GET", "/x", verify=False)
    assert server.seen == []
    assert slept == []


@pytest.mark.parametrize(
    "certificate",
    [{"address": "127.0.0.2"}, {"ends": timedelta(days=-1)}],
    ids=["wrong name", "expired"],
    indirect=True,
)
def test_a_certificate_that_does_not_fit_is_not_trusted(server: Server, certificate: tuple[Path, Path]) -> None:
    trusting = Transport(server.url, ca_bundle=str(certificate[0]))
    with trusting, pytest.raises(CrmUnavailable, match="no certificate that this machine trusts"):
        trusting.json("GET", "/x")
    assert server.seen == []


def test_the_deadline_holds_over_tls(server: Server, certificate: tuple[Path, Path], clock: Clock) -> None:
    server.clock = clock
    limits = Limits(read=PATIENCE, total=100)
    with (
        Transport(server.url, ca_bundle=str(certificate[0]), limits=limits, retry=RetryPolicy(attempts=1)) as transport,
        pytest.raises(CrmUnavailable, match="did not answer in time"),
    ):
        transport.json("GET", "/drip")
