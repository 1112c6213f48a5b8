"""One request to the API and its answer, apart from HTTP: composite sub-requests are calls too."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from refloop_sandbox.salesforce.errors import ApiError, bad_json
from refloop_sandbox.salesforce.records import Actor


@dataclass(frozen=True, slots=True)
class Call:
    """`headers` are keyed in lower case; `body` is bytes off the wire or a value that was JSON already."""

    method: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    body: object = b""
    base: str = ""
    user: str = ""
    version: str = ""

    @property
    def root(self) -> str:
        """The path of the API version."""
        return f"/services/data/v{self.version}"

    def json(self) -> Any:
        """The body. Raises ApiError JSON_PARSER_ERROR when it is none."""
        if not isinstance(self.body, bytes):
            return self.body
        try:
            return json.loads(self.body)
        except json.JSONDecodeError as error:
            found = error.doc[error.pos : error.pos + 1]
            what = f"Unexpected character ('{found}' (code {ord(found)}))" if found else "Unexpected end-of-input"
            raise bad_json(f"{what} at [line:{error.lineno}, column:{error.colno}]") from None
        except ValueError:
            raise bad_json("Invalid UTF-8 at [line:1, column:1]") from None

    def object(self) -> dict[str, Any]:
        """The body, which must be a JSON object."""
        body = self.json()
        if not isinstance(body, dict):
            raise bad_json("The HTTP entity body is required to be a JSON object.")
        return body

    def actor(self) -> Actor:
        """Assignment rules run unless the client says `Sforce-Auto-Assign: FALSE`."""
        return Actor(self.user, api=True, assign=self.headers.get("sforce-auto-assign", "true").lower() != "false")

    def moment(self, header: str) -> datetime | None:
        """An HTTP date. Raises ApiError for what is none."""
        text = self.headers.get(header)
        if text is None:
            return None
        try:
            return parsedate_to_datetime(text).astimezone(UTC)
        except ValueError:
            raise ApiError(400, "INVALID_INPUT", f"invalid date in header {header}") from None

    def asked(self, name: str) -> str:
        """A query parameter that must be there."""
        if name not in self.query:
            raise ApiError(400, "MISSING_ARGUMENT", f"Missing required parameter: {name}")
        return self.query[name]


@dataclass(frozen=True, slots=True)
class Answer:
    """`body` None is an empty body; bytes go out as they are, under `media`."""

    status: int = 200
    body: object = None
    headers: Mapping[str, str] = field(default_factory=dict)
    media: str = "application/json;charset=UTF-8"
