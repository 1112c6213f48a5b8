"""HubSpot's answers in the words of `responses`, where the local HubSpot is too sound to give them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

import pytest
import responses

from refloop.connectors.hubspot import HubSpot, HubSpotSettings
from refloop.model import FieldSpec, FieldType, Kind

URL = "http://127.0.0.1:9"
DATE = "Fri, 02 Jan 2026 00:00:00 GMT"
SOME = "2026-01-01T00:00:00Z"
CODE = FieldSpec("ref_code", "Code", FieldType.TEXT, (Kind.CONTACT, Kind.DEAL))
WHY = FieldSpec("ref_why", "Why", FieldType.TEXT, (Kind.CONTACT, Kind.DEAL))


def clock() -> datetime:
    raise AssertionError("the server's clock is the one that counts")


def settings(**more: Any) -> HubSpotSettings:
    auth = {"method": "service_key", "token": "env:HUBSPOT_TOKEN"}
    return HubSpotSettings.model_validate({"connector": "hubspot", "url": URL, "auth": auth} | more)


def row(record: int, **more: Any) -> dict[str, Any]:
    return {"id": str(record), "properties": {}, "createdAt": SOME, "updatedAt": SOME} | more


def answers(mock: responses.RequestsMock, method: str, path: str, *bodies: Any, **more: Any) -> None:
    for body in bodies:
        mock.add(method, path, json=body, headers={"Date": DATE}, **more)


@pytest.fixture(autouse=True)
def _token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HUBSPOT_TOKEN", "pat-na1-secret")


@pytest.fixture
def crm() -> Iterator[responses.RequestsMock]:
    with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
        yield mock


@pytest.fixture
def hubspot() -> Iterator[HubSpot]:
    connector = HubSpot("hub", settings(), clock=clock)
    yield connector
    connector.close()
