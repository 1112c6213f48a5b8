"""A tool of others that the benchmarks run reaches the local CRM, and nothing else."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

REDIRECT = Path(__file__).parents[1] / "benchmarks" / "_redirect.py"


class Echo(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        body = f"local {self.path}".encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *said: object) -> None:
        """Says nothing."""


@pytest.fixture(scope="module")
def local() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Echo) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


@pytest.mark.parametrize(
    ("url", "answer"),
    [
        ("https://api.hubapi.com/crm/v3/objects/contacts?limit=100", "local /crm/v3/objects/contacts?limit=100"),
        ("https://login.salesforce.com/services/oauth2/token", "local /services/oauth2/token"),
        ("https://acme.my.salesforce.com/services/data", "local /services/data"),
        ("https://example.org/", "PermissionError"),
        ("https://api.hubapi.com.example.org/", "PermissionError"),
        ("https://example.org/?api.hubapi.com", "PermissionError"),
    ],
)
def test_only_the_hosts_of_crms_are_reached_and_locally(tmp_path: Path, local: str, url: str, answer: str) -> None:
    shutil.copy(REDIRECT, tmp_path / "sitecustomize.py")
    # a proxy of the environment, which would be asked for the CRM's host, is not used
    env = {"PYTHONPATH": str(tmp_path), "PEER_CRM": local, "HTTPS_PROXY": "http://127.0.0.1:1"}
    asked = f"import requests\ntry: print(requests.get({url!r}).text)\nexcept Exception as e: print(type(e).__name__)"
    said = subprocess.run([sys.executable, "-c", asked], env=env, capture_output=True, text=True, check=True)
    assert said.stdout.strip() == answer
