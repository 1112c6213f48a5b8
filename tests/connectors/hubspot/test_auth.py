"""OAuth: access tokens that run out, and refresh tokens that HubSpot exchanges."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest
import requests
import responses

from refloop.connectors.hubspot import HubSpot, HubSpotSettings
from refloop.errors import AuthError
from refloop.model import FieldSpec, FieldType, Finding, Kind, Level

URL = "http://127.0.0.1:9"
TOKEN = f"{URL}/oauth/2026-03/token"
ACCOUNT = f"{URL}/account-info/2026-03/details"
FIELDS = (FieldSpec("ref_code", "Code", FieldType.TEXT, (Kind.CONTACT, Kind.DEAL)),)


class Exchange:
    """HubSpot's token endpoint: each refresh token is good once."""

    def __init__(self, mock: responses.RequestsMock) -> None:
        self.good = "refresh-1"
        self.stored: list[str] = []
        self.file: Path | None = None
        self.access = ""
        mock.add_callback("POST", TOKEN, self._exchange)
        mock.add_callback("GET", ACCOUNT, self._account)
        mock.add_callback("GET", re.compile(f"{URL}/crm/.*"), lambda _request: (403, {}, "{}"))

    def _exchange(self, request: requests.PreparedRequest) -> tuple[int, dict[str, str], str]:
        body = request.body if isinstance(request.body, str) else (request.body or b"").decode()
        if parse_qs(body)["refresh_token"] != [self.good]:
            return 400, {}, '{"status": "BAD_REFRESH_TOKEN", "error": "invalid_grant"}'
        number = int(self.good.removeprefix("refresh-")) + 1
        self.good, self.access = f"refresh-{number}", f"access-{number}"
        return 200, {}, f'{{"access_token": "{self.access}", "refresh_token": "{self.good}", "expires_in": 1800}}'

    def _account(self, request: requests.PreparedRequest) -> tuple[int, dict[str, str], str]:
        if self.file is not None:
            self.stored.append(self.file.read_text().strip())
        known = request.headers["Authorization"] == f"Bearer {self.access}"
        return (200, {}, "{}") if known else (401, {}, '{"category": "EXPIRED_AUTHENTICATION"}')


@pytest.fixture
def exchange(monkeypatch: pytest.MonkeyPatch) -> Iterator[Exchange]:
    monkeypatch.setenv("SECRET", "s")
    monkeypatch.setenv("REFRESH", "refresh-1")
    with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
        yield Exchange(mock)


@pytest.fixture
def kept(tmp_path: Path) -> Path:
    file = tmp_path / "refresh"
    file.touch(0o600)
    file.write_text("refresh-1\n")
    return file


def hubspot(refresh: str) -> HubSpot:
    auth = {"method": "oauth", "client_id": "app", "client_secret": "env:SECRET", "refresh_token": refresh}
    return HubSpot(
        "hub", HubSpotSettings.model_validate({"connector": "hubspot", "url": URL, "auth": auth}), clock=none
    )


def none() -> Any:
    raise AssertionError("asked for the time")


def first_finding(connector: HubSpot) -> Finding:
    return next(connector.check(FIELDS))


def test_a_new_refresh_token_is_stored_before_its_access_token_is_used(exchange: Exchange, kept: Path) -> None:
    exchange.file = kept
    first_finding(hubspot(f"file:{kept}"))
    assert exchange.stored == ["refresh-2"]
    first_finding(hubspot(f"file:{kept}"))
    assert exchange.stored == ["refresh-2", "refresh-3"]
    assert kept.stat().st_mode & 0o777 == 0o600


def test_an_access_token_that_ran_out_is_renewed_with_the_stored_one(exchange: Exchange, kept: Path) -> None:
    connector = hubspot(f"file:{kept}")
    first_finding(connector)
    exchange.access = "none"
    assert "refused the token" not in first_finding(connector).message
    assert kept.read_text() == "refresh-3\n"
    kept.write_text("refresh-4\n")  # another run has renewed it meanwhile
    exchange.good, exchange.access = "refresh-4", "none"
    first_finding(connector)
    assert kept.read_text() == "refresh-5\n"


def test_a_refresh_token_that_cannot_be_stored_is_not_used(
    exchange: Exchange, kept: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    exchange.file = kept
    finding = first_finding(hubspot(f"file:{kept}"))
    assert finding.level is Level.ERROR
    assert "cannot write the new secret" in finding.message
    assert "refresh-2" not in f"{finding.message} {finding.remedy}"
    assert exchange.stored == []


def test_an_environment_variable_cannot_keep_it_and_the_check_says_so(exchange: Exchange) -> None:
    connector = hubspot("env:REFRESH")
    finding = first_finding(connector)
    assert (finding.level, finding.place) == (Level.WARNING, "hub")
    assert "refresh token" in finding.message
    assert "file:" in finding.remedy
    exchange.access = "none"
    first_finding(connector)  # it is good for this run
    assert exchange.good == "refresh-3"
    with pytest.raises(AuthError, match="invalid_grant"):
        first_finding(hubspot("env:REFRESH"))


def test_no_repr_shows_a_token(exchange: Exchange, kept: Path) -> None:
    connector = hubspot(f"file:{kept}")
    first_finding(connector)
    shown = repr(vars(connector._client.transport)) + repr(connector._client.transport.authenticate)
    assert exchange.good not in shown
    assert exchange.access not in shown
