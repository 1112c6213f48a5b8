"""Calls to one org: simple-salesforce in front, our guarded transport below, several queries in one call."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, BinaryIO
from urllib.parse import urlencode

import requests

from refloop.connectors.base import Clock
from refloop.connectors.http.errors import LOOK
from refloop.connectors.http.strict_json import parsed_json
from refloop.connectors.http.transport import Answer, Limits, Transport
from refloop.connectors.salesforce import errors
from refloop.connectors.salesforce.auth import Tokens
from refloop.connectors.salesforce.limits import Quota
from refloop.connectors.salesforce.sdk import Salesforce as SimpleSalesforce
from refloop.connectors.salesforce.sdk import SalesforceError
from refloop.connectors.salesforce.settings import SalesforceSettings
from refloop.errors import AuthError, CrmUnavailable, FateUnknown, TryLater
from refloop.model import Usage

HOSTS = (".my.salesforce.com", ".my.salesforce.mil")
LIMITS = Limits(read=110.0, total=180.0, body=64 * 1024 * 1024, download_total=900.0)
"""A write of 1,000 records runs their triggers before it answers; four pages of wide rows are long."""

MOST_PARTS = 5
"""Salesforce REST docs, "Composite": of its sub-requests, at most 5 may be queries or sObject collections."""

MOST_RECORDS = 25
"""Salesforce REST docs, "Composite": at most 25 sub-requests, which may all be records."""

UNANSWERED = 0
"""The status of a part that has no answer."""

_REFUSALS = frozenset({400, 403, 404, 405})


class _Nonsense(Exception):  # noqa: N818 - a signal between the two classes of this file
    """An answer that is no JSON object or list."""


class _Front(SimpleSalesforce):
    """simple-salesforce with strict JSON. The transport sets the real token, and does refresh and retry."""

    def __init__(self, settings: SalesforceSettings, transport: Transport) -> None:
        super().__init__(
            instance_url=settings.url,
            session_id="set-by-the-transport",
            version=settings.api_version,
            session=transport,
        )
        del self.headers["X-PrettyPrint"]  # it doubles the size of an answer

    def parse_result_to_json(self, result: requests.Response) -> Any:
        parsed = parsed_json(result.content)
        if not isinstance(parsed, dict | list):
            raise _Nonsense
        return parsed


@dataclass(frozen=True, slots=True)
class Part:
    """One request, alone or within a composite one. `name` is unique there: letters, digits, underscore.

    `conditions` are headers that hold for this request alone; `headers` may stand on the whole composite one too.
    """

    name: str
    method: str
    path: str
    params: Mapping[str, str] = field(default_factory=dict)
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)
    conditions: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class PartAnswer:
    """The answer to one part: HTTP's status and the JSON body."""

    status: int
    body: Any = field(repr=False)

    @property
    def is_good(self) -> bool:
        return 200 <= self.status < 300


class Client:
    """One org. All calls raise AuthError, ConfigError, TryLater or CrmUnavailable; writes also FateUnknown."""

    def __init__(self, settings: SalesforceSettings, clock: Clock) -> None:
        self.transport = Transport(settings.url, allowed=HOSTS, limits=LIMITS)
        self.transport.classify = errors.classify
        self._quota = Quota(self.transport.origin.host, settings.quota_share)
        self.transport.limiter = self._quota
        self._tokens = Tokens(settings, self.transport, clock)
        self._elapsed = 0.0
        self._front = _Front(settings, self.transport)
        self._root = f"/services/data/v{settings.api_version}/"
        self._composite = True

    def usage(self) -> Usage | None:
        """How the org's API calls of the last 24 hours stand, as the last answer said; None when it did not."""
        said = self._quota.latest
        return Usage(limit=said.limit, used=said.used, ours=self._quota.spent) if said else None

    @property
    def composes(self) -> bool:
        """Whether the org takes composite calls, as far as is known."""
        return self._composite

    @property
    def organization(self) -> str:
        """The org's id, as the log-in told it; "" when it did not."""
        return self._tokens.organization

    def call(self, part: Part) -> Any:
        """The JSON body of one call (None for an empty one). A final no is raised."""
        answer = self.ask(part)
        if not answer.is_good:
            raise errors.failure(answer.status, answer.body, f"{part.method} {part.path}")
        return answer.body

    def download(self, path: str, params: Mapping[str, str], sink: BinaryIO) -> Answer:
        """The answer to one call for CSV, which goes to `sink`, whole, when its status is good."""
        self.log_in()
        answer = self.transport.download(self._root + path, sink, params=dict(params), headers={"Accept": "text/csv"})
        if answer.status == 200 and not answer.headers.get("Content-Type", "").lower().startswith("text/csv"):
            raise ForeignAnswer(f"GET {path}", "it is no CSV")
        return answer

    def upload(self, path: str, data: bytes) -> None:
        """Sends CSV. A final no is raised."""
        self.log_in()
        headers = {"Content-Type": "text/csv; charset=UTF-8", "Accept": "application/json"}
        response = self.transport.request("PUT", self._root + path, data=data, headers=headers)
        if response.status_code not in (200, 201):
            raise errors.failure(response.status_code, parsed_json(response.content), f"PUT {path}")

    def user_id(self) -> str:
        """The id of the user whom the token stands for. (OpenID Connect userinfo.)"""
        self.log_in()
        try:
            body = self._front.oauth2("userinfo")
        except SalesforceError as error:
            status, said = error.status, error.content
        except _Nonsense:
            status, said = 200, None
        else:
            return str(body["user_id"]) if isinstance(body, dict) and body.get("user_id") else ""
        raise errors.failure(status, said, "GET /services/oauth2/userinfo")

    def versions(self) -> Any:
        """What `GET /services/data` lists. Free of charge, by the Salesforce docs on limits."""
        return self.transport.json("GET", "/services/data")

    def each(self, parts: Sequence[Part]) -> Sequence[Any]:
        """The bodies of at most five reads, in as few calls as may be. One that fails within a composite call is
        repeated alone, so that a composite that cannot do something costs a call and nothing else."""
        return self.each_beside(parts, ())[0]

    def each_beside(self, parts: Sequence[Part], beside: Sequence[Part]) -> tuple[Sequence[Any], Sequence[PartAnswer]]:
        """`each`; and, where it costs no further call, the answers to what is good to know beside (else none).

        Of both together, at most five may be queries."""
        started = time.monotonic()
        asked = [*parts, *(beside if self._composite else ())]
        answers = self.together(asked)
        bodies = [
            answer.body if answer.is_good else self.call(part) for part, answer in zip(parts, answers, strict=False)
        ]
        self._elapsed = time.monotonic() - started
        return bodies, answers[len(parts) :]

    def clock(self) -> datetime:
        """The server's clock when it last answered; the log-in tells it, else a call that is free of charge."""
        self.log_in()
        if self.transport.server_time is None:
            self.versions()
        return self._server_time()

    def clock_at_start(self) -> datetime:
        """The server's clock when the last `each` began (or a little before): its own Date, less what it took."""
        return self._server_time() - timedelta(seconds=self._elapsed)

    def log_in(self) -> None:
        """Gets the first token; from then on the transport renews it."""
        if self.transport.authenticate is None:
            self._tokens(False)
            self.transport.authenticate = self._tokens

    def _server_time(self) -> datetime:
        if self.transport.server_time is None:
            raise CrmUnavailable("Salesforce answers without a Date, which the next pull has to start from")
        return self.transport.server_time

    def together(self, parts: Sequence[Part], *, apart: bool = False) -> Sequence[PartAnswer]:
        """The answers to at most five parts (and others that are no queries): one composite call, or one call each
        where the org refuses those. `apart`: what becomes of a part is its own matter, also when it is the only one.
        """
        if self._composite and (apart or len(parts) > 1):
            answer = self.ask(self._composed(parts))
            if answer.is_good:
                return _parts_of(answer.body, parts)
            if answer.status not in _REFUSALS:
                raise errors.failure(answer.status, answer.body, "POST composite")
            self._composite = False
        return self._apart(parts)

    def _apart(self, parts: Sequence[Part]) -> Sequence[PartAnswer]:
        """One call each. Trouble with the first is raised; later it leaves that part and the rest unanswered, so that
        what the others did is not lost."""
        answers: list[PartAnswer] = []
        for part in parts:
            try:
                answers.append(self.ask(part))
            except (AuthError, CrmUnavailable, TryLater):
                if not answers:
                    raise
                return [*answers, *(PartAnswer(UNANSWERED, None) for _ in parts[len(answers) :])]
        return answers

    def write(self, parts: Sequence[Part], *, apart: bool = False) -> Sequence[PartAnswer]:
        """`together`, for parts that write. Raises FateUnknown when there is no telling what became of them."""
        with self.transport.writing():
            try:
                return self.together(parts, apart=apart)
            except ForeignAnswer:
                pass
        raise FateUnknown("Salesforce answered a write with something else", remedy="Run again: it reads back.")

    def _composed(self, parts: Sequence[Part]) -> Part:
        requests_ = [
            {
                "method": part.method,
                "url": self._root + _with_query(part),
                "referenceId": part.name,
                **({"body": part.body} if part.body is not None else {}),
                **({"httpHeaders": {**part.headers, **part.conditions}} if part.headers or part.conditions else {}),
            }
            for part in parts
        ]
        headers = {name: value for part in parts for name, value in part.headers.items()}
        return Part(
            "composite", "POST", "composite", body={"allOrNone": False, "compositeRequest": requests_}, headers=headers
        )

    def ask(self, part: Part) -> PartAnswer:
        """The answer to one call, whatever its status."""
        self.log_in()
        options: dict[str, Any] = {"json": part.body} if part.body is not None else {}
        headers = {**part.headers, **part.conditions}
        try:
            body = self._front.restful(
                part.path, params=dict(part.params) or None, method=part.method, headers=headers, **options
            )
        except SalesforceError as error:
            return PartAnswer(error.status, error.content)
        except _Nonsense:
            pass
        else:
            return PartAnswer(200, body)
        raise ForeignAnswer(f"{part.method} {part.path}", "it is no JSON object or list")


class ForeignAnswer(CrmUnavailable):
    """An answer that is not whole, or not to what was asked. Nothing of it was used."""

    def __init__(self, what: str, why: str) -> None:
        super().__init__(f"Salesforce answered {what} with nonsense: {why}", remedy=LOOK)


def _with_query(part: Part) -> str:
    if not part.params:
        return part.path
    return f"{part.path}?{urlencode(part.params)}"


def _parts_of(body: Any, parts: Sequence[Part]) -> Sequence[PartAnswer]:
    answers = body.get("compositeResponse") if isinstance(body, dict) else None
    if not isinstance(answers, list) or len(answers) != len(parts):
        raise ForeignAnswer("POST composite", "it has not one answer for each request")
    return [_part_of(answer, part) for answer, part in zip(answers, parts, strict=True)]


def _part_of(answer: Any, part: Part) -> PartAnswer:
    if not isinstance(answer, dict) or answer.get("referenceId") != part.name:
        raise ForeignAnswer("POST composite", "it has an answer to something else")
    status = answer.get("httpStatusCode")
    if not isinstance(status, int) or isinstance(status, bool):
        raise ForeignAnswer("POST composite", "it has an answer without a status")
    return PartAnswer(status, answer.get("body"))
