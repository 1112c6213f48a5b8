"""What a call can end in, in words that hold no token, no query string and no piece of a body."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count
from typing import BinaryIO

from requests import ConnectionError as RequestsConnectionError
from requests import ConnectTimeout, Timeout
from urllib3.exceptions import ConnectTimeoutError, NewConnectionError
from urllib3.exceptions import TimeoutError as Urllib3TimeoutError

from refloop.errors import AuthError, CrmUnavailable, FateUnknown, RefloopError, TryLater

LOOK = "Run again; when it stays so, look at the CRM's status page."


class Rejected(CrmUnavailable):
    """A final no. `status` is HTTP's, `code` the CRM's own word where it gave one."""

    def __init__(self, message: str, *, remedy: str = "", status: int, code: str) -> None:
        super().__init__(message, remedy=remedy)
        self.status = status
        self.code = code


class TooLarge(Exception):  # noqa: N818 - a signal inside the transport
    """A body went past its bound."""


@dataclass(frozen=True, slots=True)
class Call:
    """One call through all of its sends. `write`: must not be repeated when its fate is unknown.

    `total` is the seconds one send may take; `sink` takes the body of a good answer in place of memory.
    `sends` numbers its sends.
    """

    host: str
    endpoint: str
    write: bool
    max_body: int
    total: float
    sink: BinaryIO | None = None
    sends: Iterator[int] = field(default_factory=lambda: count(1), compare=False)

    def __str__(self) -> str:
        return f"{self.host}: {self.endpoint}"

    def nonsense(self, what: str) -> CrmUnavailable:
        """An answer that cannot be one."""
        if self.write:
            return self.fate_unknown(f"got {what}")
        return CrmUnavailable(f"{self} got {what}", remedy=LOOK)

    def fate_unknown(self, what: str) -> FateUnknown:
        """A write whose effect has to be read back."""
        return FateUnknown(
            f"{self} {what}: the write may or may not have been done", remedy="Run again: it reads back."
        )

    def too_long(self, seconds: float | None) -> TryLater:
        """The CRM asks for a pause longer than a run may wait."""
        pause = "" if seconds is None else f" for {seconds:.0f} s"
        return TryLater(f"{self} must not be called again{pause}: limit reached", remedy="Run later.", seconds=seconds)

    def rejection(self, status: int, code: str) -> RefloopError:
        """A final no."""
        said = f"{self} answered {status}{f' ({code})' if code else ''}"
        if status in (401, 403):
            return AuthError(said, remedy="Renew the credentials of the connection, or grant the missing permission.")
        return Rejected(said, remedy="`refloop check` says what the CRM lacks.", status=status, code=code)

    def broken(self, error: BaseException) -> tuple[RefloopError, bool]:
        """What a broken exchange means, and whether it may be sent again."""
        what = _what_broke(error)
        if isinstance(error, TooLarge):
            return self.nonsense("a body larger than it may be"), False
        if was_sent(error):
            return (
                (self.fate_unknown(what), False)
                if self.write
                else (CrmUnavailable(f"{self} {what}", remedy=LOOK), True)
            )
        if _is_untrusted(error):
            remedy = "Check the address of the connection and what stands between this machine and the CRM."
            return CrmUnavailable(f"{self} {what}", remedy=remedy), False
        return CrmUnavailable(f"{self} {what}", remedy="Check the address and the network."), True


def was_sent(error: BaseException) -> bool:
    """Whether the request may have reached the CRM before `error`."""
    if isinstance(error, ConnectTimeout):
        return False
    return not any(
        isinstance(cause, (NewConnectionError, ConnectTimeoutError, ssl.SSLCertVerificationError))
        for cause in _causes(error)
    )


def _is_untrusted(error: BaseException) -> bool:
    return any(isinstance(cause, ssl.SSLCertVerificationError) for cause in _causes(error))


def _what_broke(error: BaseException) -> str:
    if isinstance(error, (Timeout, TimeoutError, Urllib3TimeoutError)):
        return "did not answer in time" if was_sent(error) else "could not be reached in time"
    if _is_untrusted(error):
        return "has no certificate that this machine trusts"
    if isinstance(error, RequestsConnectionError) and not was_sent(error):
        return "could not be reached"
    return "broke off its answer"


def _causes(error: BaseException) -> Iterator[BaseException]:
    """`error` and what requests and urllib3 wrapped into it, as `reason`, as argument or as cause."""
    waiting: list[object] = [error]
    seen: set[int] = set()
    while waiting:
        cause = waiting.pop()
        if isinstance(cause, BaseException) and id(cause) not in seen:
            seen.add(id(cause))
            yield cause
            waiting += [*cause.args, getattr(cause, "reason", None), cause.__cause__, cause.__context__]
