"""One guarded HTTP session for one CRM account's host. All connectors stand on it.

    transport = Transport("https://acme.my.salesforce.com", allowed=(".salesforce.com",))
    transport.authenticate = provider        # force_refresh -> bearer token
    transport.classify = my_classify         # what an answer asks for, in this CRM's words
    rows = transport.json("GET", "/services/data/v67.0/query", params={"q": soql})
    with transport.writing():                # nothing of unknown fate is sent twice
        answer = transport.call("PATCH", path, body=records, ok=(200, 400))
    headers = transport.download(path, file)  # a long body, into a file instead of memory

It goes to its origin alone, over verified TLS; follows no redirect; reads nothing from the environment (netrc,
proxies, CA bundles); keeps no cookie; ends each send within `Limits.total` seconds; holds no body above
`Limits.body` bytes. No exception of its carries a token, a query string or a piece of a body.
"""

from __future__ import annotations

import io
import json
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from typing import Any, BinaryIO, Protocol

import requests
from requests.structures import CaseInsensitiveDict
from tenacity import RetryCallState, Retrying, retry_if_exception_type, wait_random_exponential
from urllib3.exceptions import HTTPError

import refloop
from refloop.connectors.http.answer import Answer, Limits, pour_body, whole_body
from refloop.connectors.http.bearer import Authenticate, Bearer
from refloop.connectors.http.call_log import CallLog, endpoint_of
from refloop.connectors.http.deadline import DeadlineAdapter, within
from refloop.connectors.http.errors import LOOK, Call, Rejected, TooLarge
from refloop.connectors.http.fence import check_lease
from refloop.connectors.http.origin import Allowed, Origin
from refloop.connectors.http.retry import Classify, Disposition, RetryBudget, RetryPolicy, Step, error_code, http_date
from refloop.connectors.http.retry import classify as http_classify
from refloop.connectors.http.strict_json import NONSENSE, parsed_json
from refloop.connectors.http.threads import interruptible_sleep
from refloop.errors import AuthError, CrmUnavailable, FateUnknown, RefloopError, TryLater

__all__ = ["Answer", "FateUnknown", "Limits", "Rejected", "RetryPolicy", "Transport"]


class _Again(Exception):  # noqa: N818 - a signal to the retry loop, seen by nobody else
    def __init__(self, failure: RefloopError, seconds: float | None) -> None:
        super().__init__()
        self.failure = failure
        self.seconds = seconds


class Permit(Protocol):
    """Leave for one send. Closed once: with its answer, or without when none came."""

    def answered(self, status: int, headers: Mapping[str, str], error: Any) -> None: ...

    def unanswered(self) -> None: ...


class RateGate(Protocol):
    """Lets sends through, one by one."""

    def admit(self, endpoint: str) -> Permit:
        """Waits until a send may leave. Raises TryLater when that is not soon."""
        ...


class Transport(requests.Session):
    """A requests session that talks to one CRM account's host and to nobody else.

    Raises ConfigError for an address that is not allowed. Every call raises AuthError (credentials refused, also
    after one refresh), TryLater (quota, a long wait), CrmUnavailable (no answer, or one that makes no sense) and,
    for a write, FateUnknown. Safe to share between threads; `writing()` holds for the thread that entered it.

    `ca_bundle` is a file of certificates to trust instead of certifi's (a company's TLS-inspecting proxy needs it).
    `call_log.connection` is what the log calls the account.
    """

    classify: Classify = staticmethod(http_classify)
    limiter: RateGate | None = None
    """Admits each send, and hears each answer: a `refloop.connectors.http.limiter.Limiter`, or a CRM's own."""

    def __init__(
        self,
        base_url: str,
        *,
        allowed: Allowed = (),
        retry: RetryPolicy = RetryPolicy(),  # noqa: B008 - frozen
        limits: Limits = Limits(),  # noqa: B008 - frozen
        ca_bundle: str | None = None,
        sleep: Callable[[float], None] = interruptible_sleep,
    ) -> None:
        super().__init__()
        self.origin = Origin.parse(base_url, allowed)
        self.trust_env = False
        self.headers = CaseInsensitiveDict(
            {
                "User-Agent": f"refloop/{refloop.__version__}",
                "Accept": "*/*",
                "Accept-Encoding": "gzip, deflate",
            }
        )
        self.mount("https://", DeadlineAdapter())
        self.mount("http://", DeadlineAdapter())
        self.server_time: datetime | None = None
        self._retry = retry
        self._limits = limits
        self._trust = ca_bundle or True
        self._sleep = sleep
        self._budget = RetryBudget(retry)
        self._calls: Counter[str] = Counter()
        self._bearer = Bearer(self.origin.host)
        self.call_log = CallLog()
        self._lock = threading.Lock()
        self._here = threading.local()

    def __repr__(self) -> str:
        return f"<Transport {self.origin}>"

    @property
    def authenticate(self) -> Authenticate | None:
        """Gives the token (see `Authenticate`). Without it, requests go out with the headers they have."""
        return self._bearer.authenticate

    @authenticate.setter
    def authenticate(self, provider: Authenticate | None) -> None:
        self._bearer.authenticate = provider

    @property
    def calls(self) -> Counter[str]:
        """How often something was sent so far, by endpoint; retries count."""
        with self._lock:
            return self._calls.copy()

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Inside, a send whose fate is unknown is not repeated: FateUnknown.

        Unknown is: no whole answer after the request left, a redirect, a 5xx, a good status with a body that makes
        no sense. Known, and repeated: the connection never came about, 401, and what `classify` calls
        `unprocessed` (by default 408, 423, 429 and a 503 with Retry-After: the server says it did not begin).
        PUT, PATCH and DELETE are always treated so; a POST only inside.
        """
        before = self._writing
        self._here.writing = True
        try:
            yield
        finally:
            self._here.writing = before

    @property
    def _writing(self) -> bool:
        return bool(getattr(self._here, "writing", False))

    def json(
        self,
        method: str,
        path: str,
        *,
        body: Any = None,
        ok: tuple[int, ...] = (200,),
        **kwargs: Any,
    ) -> Any:
        """The strict JSON of `call`."""
        return self.call(method, path, body=body, ok=ok, **kwargs).body

    def call(
        self,
        method: str,
        path: str,
        *,
        body: Any = None,
        ok: tuple[int, ...] = (200,),
        **kwargs: Any,
    ) -> Answer:
        """Sends one call and reads its answer strictly. `body` is sent as JSON.

        `kwargs` as for `request`. Exactly the statuses in `ok` are answers; an empty body is one for 204, 205 and
        304 only. Raises Rejected for any other final status (AuthError for 401 and 403).
        """
        headers = {"Accept": "application/json"} | dict(kwargs.pop("headers", None) or {})
        data = None
        if body is not None:
            headers = {"Content-Type": "application/json"} | headers
            data = json.dumps(body, ensure_ascii=True, allow_nan=False).encode()
        call = self._call(method, path, kwargs)
        response = self._exchange(self._prepare(method, path, {**kwargs, "headers": headers, "data": data}), call)
        if response.status_code not in ok:
            raise call.rejection(response.status_code, _code(response))
        if response.status_code in (204, 205, 304):
            return Answer(response.status_code, response.headers, None)
        parsed = parsed_json(response.content)
        if parsed is NONSENSE:
            raise call.nonsense("an answer that is not JSON")
        return Answer(response.status_code, response.headers, parsed)

    def request(self, method: str, url: str, **kwargs: Any) -> requests.Response:  # type: ignore[override] # narrower on purpose
        """Sends one call, retried and refreshed, and gives the last answer whatever its status, its body whole.

        Takes `params`, `headers`, `data` and `json` as requests does, `endpoint` (the name it is counted under;
        else method and path without ids) and `max_body` (bytes). What would loosen the guard (`timeout`, `verify`,
        `proxies`, `allow_redirects`, `stream`, `cert`) is accepted and ignored; anything else is a TypeError.
        """
        call = self._call(method, url, kwargs)
        return self._exchange(self._prepare(method, url, kwargs), call)

    def download(self, path: str, sink: BinaryIO, **kwargs: Any) -> Answer:
        """Reads a long answer into `sink`, piece by piece, and gives its status and headers.

        `kwargs` as for `request`. What a repeated send brings replaces what the one before left in `sink`, so that
        it holds one whole body when this returns; a body that ends early, drips past `Limits.download_total` or is
        larger than `Limits.download` raises CrmUnavailable. An answer above 299 leaves `sink` alone: its strict
        JSON, if that is what it is, is the Answer's body.
        """
        call = replace(
            self._call("GET", path, kwargs),
            max_body=self._limits.download,
            total=self._limits.download_total,
            sink=sink,
        )
        response = self._exchange(self._prepare("GET", path, kwargs), call)
        parsed = parsed_json(response.content) if response.status_code > 299 else None
        return Answer(response.status_code, response.headers, None if parsed is NONSENSE else parsed)

    def wait(self, seconds: float) -> None:
        """Lets time pass between two calls."""
        self._sleep(seconds)

    def send(self, request: requests.PreparedRequest, **_loosening: Any) -> requests.Response:
        """Sends a prepared request under the same guard."""
        call = self._call(request.method or "GET", request.url or "", {})
        return self._exchange(request, call)

    def _call(self, method: str, url: str, kwargs: dict[str, Any]) -> Call:
        endpoint = kwargs.pop("endpoint", None) or endpoint_of(method, url)
        write = not self._bearer.logging_in and (self._writing or method.upper() in _WRITES)
        max_body = kwargs.pop("max_body", None) or self._limits.body
        return Call(self.origin.host, endpoint, write, max_body, self._limits.total)

    def _prepare(self, method: str, url: str, kwargs: dict[str, Any]) -> requests.PreparedRequest:
        parts = {name: value for name, value in kwargs.items() if name not in _NOT_NEGOTIABLE}
        if unknown := parts.keys() - {"params", "headers", "data", "json"}:
            raise TypeError(f"unexpected keyword arguments: {', '.join(sorted(unknown))}")
        url = self.origin.admit(url)
        try:
            return self.prepare_request(requests.Request(method.upper(), url, **parts))
        except requests.RequestException:
            pass  # its message holds the header or the address that it dislikes
        raise CrmUnavailable(f"{self.origin.host}: {method.upper()} request could not be formed")

    def _exchange(self, request: requests.PreparedRequest, call: Call) -> requests.Response:
        self.origin.admit(request.url or "")
        if request.body is not None and not isinstance(request.body, (bytes, str)):
            raise TypeError("a streamed body cannot be sent again")
        self._budget.earn()
        retrying = Retrying(
            retry=retry_if_exception_type(_Again),
            stop=self._gives_up,
            wait=self._wait,
            sleep=self._sleep,
            reraise=True,
        )
        try:
            return retrying(self._attempt, request, call)
        except _Again as signal:
            failure = signal.failure
        raise failure

    def _gives_up(self, state: RetryCallState) -> bool:
        return state.attempt_number >= self._retry.attempts or not self._budget.spend()

    def _wait(self, state: RetryCallState) -> float:
        jitter = wait_random_exponential(multiplier=self._retry.base, max=self._retry.cap)(state)
        signal = state.outcome.exception() if state.outcome else None
        asked = signal.seconds if isinstance(signal, _Again) else None
        seconds = jitter if asked is None else asked + min(jitter, 1.0)
        if isinstance(signal, _Again):
            self.call_log.repeated(state.args[1], seconds, signal.failure.message)
        return seconds

    def _attempt(self, request: requests.PreparedRequest, call: Call) -> requests.Response:
        token = self._bearer.authorise(request)
        response = self._transmit(request, call)
        wanted = self._classified(response)
        if wanted.step is Step.REFRESH and token is not None:
            self._bearer.renew(request, token)
            self.call_log.renewed(call)
            response = self._transmit(request, call)
            wanted = self._classified(response)
            if wanted.step is Step.REFRESH:
                raise AuthError(
                    f"{call} refused a fresh token{_code_of(response)}",
                    remedy="Renew the credentials of the connection, or grant it access.",
                )
        return self._settle(response, wanted, call)

    def _settle(self, response: requests.Response, wanted: Disposition, call: Call) -> requests.Response:
        if wanted.step is Step.LATER:
            raise call.too_long(wanted.seconds)
        if wanted.step is not Step.RETRY:
            return response
        if call.write and not wanted.unprocessed:
            raise call.fate_unknown(f"answered {response.status_code}{_code_of(response)}")
        if wanted.seconds is not None and wanted.seconds > self._retry.longest_wait:
            raise call.too_long(wanted.seconds)
        said = f"{call} answered {response.status_code}{_code_of(response)}, also when asked again"
        if wanted.unprocessed:
            raise _Again(TryLater(said, remedy="Run again later.", seconds=wanted.seconds), wanted.seconds)
        raise _Again(CrmUnavailable(said, remedy=LOOK), wanted.seconds)

    def _classified(self, response: requests.Response) -> Disposition:
        body = parsed_json(response.content) if response.status_code >= 400 else None
        return self.classify(response.status_code, response.headers, None if body is NONSENSE else body)

    def _transmit(self, request: requests.PreparedRequest, call: Call) -> requests.Response:
        """One send, its body whole and within bounds; no redirect, no web page."""
        response = self._admitted(request, call)
        self.server_time = http_date(response.headers.get("Date", "")) or self.server_time
        if response.is_redirect:
            raise call.nonsense(f"a redirect ({response.status_code}), which is never followed")
        if response.status_code < 300 and "html" in response.headers.get("Content-Type", "").lower():
            raise call.nonsense(f"a web page ({response.status_code}) where data was due")
        return response

    def _admitted(self, request: requests.PreparedRequest, call: Call) -> requests.Response:
        with self.call_log.held_up(call):
            permit = self.limiter.admit(call.endpoint) if self.limiter is not None else None
        try:
            if call.write:
                check_lease()  # after any wait, with nothing left to do but to send
            with self._lock:
                self._calls[call.endpoint] += 1
            with self.call_log.sent(call) as ended:
                response = self._received(request, call)
                ended(response.status_code)
        except BaseException:
            if permit is not None:
                permit.unanswered()
            raise
        if permit is not None:
            error = parsed_json(response.content) if response.status_code >= 400 else None
            permit.answered(response.status_code, response.headers, error)
        return response

    def _received(self, request: requests.PreparedRequest, call: Call) -> requests.Response:
        timeout = (self._limits.connect, self._limits.read)
        adapter = self.get_adapter(request.url or "")
        try:
            with within(call.total):
                response = adapter.send(request, stream=True, timeout=timeout, verify=self._trust)
            with response:
                body = self._body(response, call)
        except (requests.RequestException, HTTPError, OSError, TooLarge) as error:
            failure, repeatable = call.broken(error)
        else:
            response.raw = io.BytesIO(body)
            return response
        if repeatable:
            raise _Again(failure, None)
        raise failure

    def _body(self, response: requests.Response, call: Call) -> bytes:
        """The body, or nothing where it went to the call's sink. What is not the data asked for stays small."""
        if call.sink is None or response.status_code > 299:
            return whole_body(response, min(call.max_body, self._limits.body) if call.sink else call.max_body)
        pour_body(response, call.sink, call.max_body)
        return b""


def _code(response: requests.Response) -> str:
    return error_code(parsed_json(response.content))


def _code_of(response: requests.Response) -> str:
    code = _code(response)
    return f" ({code})" if code else ""


_WRITES = frozenset({"PUT", "PATCH", "DELETE"})
_NOT_NEGOTIABLE = frozenset({"timeout", "verify", "proxies", "allow_redirects", "stream", "cert"})
