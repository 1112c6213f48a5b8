"""HubSpot's answers in the words of `responses`, where the local HubSpot is too sound to give them."""

from __future__ import annotations

from typing import Any

import responses

from refloop.connectors.hubspot import HubSpotSettings
from refloop.model import FieldSpec, FieldType, Kind

URL = "http://127.0.0.1:9"
DATE = "Fri, 02 Jan 2026 00:00:00 GMT"
SOME = "2026-01-01T00:00:00Z"
CODE = FieldSpec("ref_code", "Code", FieldType.TEXT, (Kind.CONTACT, Kind.DEAL))
WHY = FieldSpec("ref_why", "Why", FieldType.TEXT, (Kind.CONTACT, Kind.DEAL))


def settings(**more: Any) -> HubSpotSettings:
    auth = {"method": "service_key", "token": "env:HUBSPOT_TOKEN"}
    return HubSpotSettings.model_validate({"connector": "hubspot", "url": URL, "auth": auth} | more)


def row(record: int, **more: Any) -> dict[str, Any]:
    return {"id": str(record), "properties": {}, "createdAt": SOME, "updatedAt": SOME} | more


def knows_little(mock: responses.RequestsMock) -> None:
    """What is asked for once before everything is read: an account without pipelines, properties and labels."""
    paths = ("pipelines/2026-03/deals", "properties/2026-03/contacts", "properties/2026-03/deals")
    for path in (*paths, "associations/2026-03/deals/contacts/labels"):
        answers(mock, "GET", f"{URL}/crm/{path}", {"results": []})


def answers(mock: responses.RequestsMock, method: str, path: str, *bodies: Any, **more: Any) -> None:
    for body in bodies:
        mock.add(method, path, json=body, headers={"Date": DATE}, **more)
