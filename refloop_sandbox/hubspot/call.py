"""One request to the API, and what it may carry."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

from starlette.datastructures import URL, QueryParams

from refloop_sandbox.hubspot.access import Access
from refloop_sandbox.hubspot.errors import bad_request, invalid_json, not_numeric
from refloop_sandbox.hubspot.json_body import is_number
from refloop_sandbox.hubspot.limits import Limits
from refloop_sandbox.hubspot.portal import Portal
from refloop_sandbox.hubspot.schema import ObjectType, object_type
from refloop_sandbox.hubspot.search import Search

RULES_SINCE = "2026-09"
"""From this version on the admin's rules hold for API writes, and batches with errors answer 200."""


class Answer(NamedTuple):
    """A status and a JSON body; None for no body."""

    status: int
    body: Any = None


@dataclass(frozen=True)
class Services:
    """What the handlers work with."""

    portal: Portal
    search: Search
    limits: Limits
    access: Access


@dataclass(frozen=True)
class Call:
    """A request whose path is canonical (`/crm/objects/contacts`), with the API version that it named.

    `asked` is the URL as the client spelt it.
    """

    services: Services
    version: str
    parts: Mapping[str, str]
    query: QueryParams
    raw: bytes
    asked: URL

    @property
    def portal(self) -> Portal:
        return self.services.portal

    @property
    def kind(self) -> ObjectType:
        return object_type(self.parts["object"])

    @property
    def to_kind(self) -> ObjectType:
        return object_type(self.parts["to"])

    @property
    def strict_rules(self) -> bool:
        return self.version >= RULES_SINCE and not self.version.startswith("v")

    def record_id(self, part: str = "id") -> int:
        """A record id of the path. Raises Refusal (404) for anything but a number."""
        return numeric(self.parts[part])

    @cached_property
    def body(self) -> dict[str, Any]:
        """The JSON object of the body. Raises Refusal (400)."""
        parsed = _parsed(self.raw or b"{}")
        if not isinstance(parsed, dict):
            raise invalid_json("Cannot deserialize value, expected an object")
        return parsed

    @property
    def listed(self) -> list[Any]:
        """The JSON list of the body. Raises Refusal (400)."""
        parsed = _parsed(self.raw or b"[]")
        if not isinstance(parsed, list):
            raise invalid_json("Cannot deserialize value, expected a list")
        return parsed

    def inputs(self, maximum: int) -> list[dict[str, Any]]:
        """The inputs of a batch. Raises Refusal (400) when there are too many of them or they are no objects."""
        items = self.body.get("inputs")
        if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
            raise bad_request("Some required fields were not set: [inputs]")
        if len(items) > maximum:
            raise bad_request(f"The number of inputs must be at most {maximum}, got {len(items)}.")
        return items

    def names(self, key: str) -> list[str] | None:
        """A list of the query: `?key=a,b`, `?key=a&key=b`, or both; None when it is not there."""
        found = [part.strip() for value in self.query.getlist(key) for part in value.split(",")]
        return [part for part in found if part] if key in self.query else None

    def flag(self, key: str) -> bool:
        return self.query.get(key, "").lower() == "true"

    def next_page(self, after: int) -> dict[str, Any]:
        """The `paging` of a list that goes on at the id `after`.

        Its link is this request with another `after`: clients that follow it repeat none of their parameters (practice:
        dlt's HubSpot source).
        """
        return {"next": {"after": str(after), "link": str(self.asked.include_query_params(after=after))}}

    def whole(self, key: str, default: int, maximum: int | None = None) -> int:
        """A number of the query. Raises Refusal (400) when it is none, or too large."""
        text = self.query.get(key, str(default)) or str(default)
        if not is_number(text):
            raise bad_request(f"{key} must be a whole number")
        if maximum is not None and int(text) > maximum:
            raise bad_request(f"{key} must be at most {maximum}, got {text}.")
        return int(text)


def _parsed(raw: bytes) -> object:
    try:
        return json.loads(raw)
    except json.JSONDecodeError as problem:
        raise invalid_json(problem.msg, problem.lineno, problem.colno) from None
    except (UnicodeDecodeError, RecursionError):
        raise invalid_json("Unexpected value") from None


Handler = Callable[[Call], Answer]


def numeric(text: object) -> int:
    """A record id. Raises Refusal (404, with the words of HubSpot) for anything but a number."""
    if not is_number(text):
        raise not_numeric(str(text))
    return int(str(text))


def numeric_or_none(text: object) -> int | None:
    return int(str(text)) if is_number(text) else None
