"""What may leave for a CRM and what may come back: one origin, a bounded body, strict JSON."""

from __future__ import annotations

import io
import ipaddress
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, BinaryIO, NoReturn
from urllib.parse import SplitResult, urlsplit

import requests

from refloop.connectors.http.errors import TooLarge
from refloop.errors import ConfigError, CrmUnavailable, DiskError

Allowed = tuple[str, ...] | Callable[[str], bool]
"""Hosts a connection may name: `api.example.com` as it stands, `.example.com` for any host below it."""

MAX_DEPTH = 64

_PORTS = {"https": 443, "http": 80}
_CONTROL = re.compile(r"[\s\x00-\x1f\x7f]")  # urlsplit drops some of these in silence
_ENCODED = re.compile(r"\\|%2f|%5c|%0", re.IGNORECASE)
_DOTS = re.compile(r"(?:\.|%2e){1,2}", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Origin:
    """The scheme, host and port of one CRM account: the only place its requests may go to."""

    scheme: str
    host: str
    port: int

    @classmethod
    def parse(cls, base_url: str, allowed: Allowed) -> Origin:
        """Reads `https://host[:port]`. Plain http is for loopback, which is always allowed.

        Raises ConfigError for any other scheme, for a path, a query or user info, and for a host that is not allowed.
        """
        parts = _split(base_url)
        if parts is None or parts.path not in ("", "/") or parts.query or parts.fragment:
            raise ConfigError(
                "the CRM's address is not of the form https://host", remedy="Correct the address of the connection."
            )
        origin = cls._of(parts)
        if is_loopback(origin.host):
            return origin
        if origin.scheme != "https":
            raise ConfigError(f"{origin.host}: plain http is for this machine only", remedy="Use https://.")
        if not _is_allowed(origin.host, allowed):
            raise ConfigError(
                f"{origin.host} is not a host of this kind of CRM", remedy="Correct the address of the connection."
            )
        return origin

    @classmethod
    def _of(cls, parts: SplitResult) -> Origin:
        host = parts.hostname or ""
        return cls(parts.scheme, host, parts.port or _PORTS[parts.scheme])

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        port = "" if self.port == _PORTS[self.scheme] else f":{self.port}"
        return f"{self.scheme}://{host}{port}"

    def admit(self, url: str) -> str:
        """The address to send to: `url` as it stands, or a path (`/...`) below this origin.

        simple-salesforce writes https for whatever instance it is given, so https to a loopback origin that is
        served over http becomes http. Raises CrmUnavailable for every address elsewhere, and for one with user
        info, dot segments, encoded slashes or control characters: ids and links come out of data.
        """
        absolute = f"{self}{url}" if url.startswith("/") and not url.startswith("//") else url
        if self.scheme == "http" and absolute.startswith("https://"):
            absolute = "http://" + absolute.removeprefix("https://")
        parts = _split(absolute)
        if parts is None or Origin._of(parts) != self or _is_twisted(parts.path):
            raise CrmUnavailable(
                f"{self.host}: refused to send a request to an address outside of {self}",
                remedy="A record id or a link in an answer points elsewhere. Look at the CRM before you go on.",
            )
        return absolute


def is_loopback(host: str) -> bool:
    """Whether `host` names this machine."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _split(url: str) -> SplitResult | None:
    try:
        parts = urlsplit(url)
        sound = parts.scheme in _PORTS and parts.hostname and parts.port != 0
    except ValueError:
        return None
    if not sound or "@" in parts.netloc or "\\" in parts.netloc or _CONTROL.search(url):
        return None
    return parts


def _is_twisted(path: str) -> bool:
    return bool(_ENCODED.search(path)) or any(_DOTS.fullmatch(segment) for segment in path.split("/"))


def _is_allowed(host: str, allowed: Allowed) -> bool:
    if callable(allowed):
        return allowed(host)
    return any(host.endswith(entry) if entry.startswith(".") else host == entry for entry in allowed)


def parsed_json(body: bytes) -> Any:
    """One JSON value; numbers with a fraction or an exponent as `Decimal`.

    NONSENSE for what is not JSON, and for what Python's parser lets through: NaN and Infinity,
    a name given twice, nesting deeper than MAX_DEPTH, bytes that are not UTF-8.
    """
    try:
        value = json.loads(
            body.decode("utf-8"),
            parse_float=Decimal,
            parse_constant=_no_constant,
            object_pairs_hook=_unique,
        )
    except (ValueError, ArithmeticError, RecursionError):
        value = NONSENSE
    return NONSENSE if _depth_exceeds(value, MAX_DEPTH) else value


NONSENSE = object()
"""What `parsed_json` gives for bytes that are not strict JSON: `None` is a value."""


def _no_constant(_name: str) -> NoReturn:
    raise ValueError("not a JSON number")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values = dict(pairs)
    if len(values) != len(pairs):
        raise ValueError("a name is given twice")
    return values


def _depth_exceeds(value: Any, limit: int) -> bool:
    level = [value] if isinstance(value, (dict, list)) else []
    for _ in range(limit):
        if not level:
            return False
        level = [
            child
            for node in level
            for child in (node.values() if isinstance(node, dict) else node)
            if isinstance(child, (dict, list))
        ]
    return bool(level)


def whole_body(response: requests.Response, limit: int) -> bytes:
    """The decompressed body.

    Raises TooLarge past `limit` bytes, and what urllib3 raises for a body that is late or shorter than announced.
    """
    body = io.BytesIO()
    pour_body(response, body, limit)
    return body.getvalue()


def pour_body(response: requests.Response, sink: BinaryIO, limit: int) -> None:
    """Puts the decompressed body into `sink`, in place of what that holds, piece by piece.

    Raises as `whole_body`, and DiskError when `sink` cannot hold it.
    """
    size = 0
    _put(sink, b"", start=True)
    while piece := response.raw.read1(_PIECE, decode_content=True):
        size += len(piece)
        if size > limit:
            raise TooLarge
        _put(sink, piece)


def _put(sink: BinaryIO, piece: bytes, *, start: bool = False) -> None:
    try:
        if start:
            sink.seek(0)
            sink.truncate()
        sink.write(piece)
    except OSError as error:
        failure = DiskError(
            f"a CRM's answer could not be kept: {error.strerror}", remedy="Free some disk space for temporary files."
        )
    else:
        return
    raise failure


_WORD = re.compile(
    r"v[0-9]{1,3}(?:\.[0-9])?|[0-9]{4}-[0-9]{2}|0-[0-9]{1,3}|[A-Za-z][A-Za-z_-]*[0-9]?(?:[A-Za-z0-9_]*__[a-z]{1,3})?"
)
_PIECE = 64 * 1024


def endpoint_of(method: str, url: str) -> str:
    """`METHOD /path` with ids left out: names of a few endpoints, no personal data."""
    path = urlsplit(url).path
    segments = (segment if not segment or is_word(segment) else "{id}" for segment in path.split("/"))
    return f"{method.upper()} {'/'.join(segments)}"


def is_word(segment: str) -> bool:
    """Whether a path segment is a part of the API (`v67.0`, `0-136`, `2026-09`, `Lead`) and not an id."""
    if not _WORD.fullmatch(segment):
        return False
    is_id = len(segment) in (15, 18) and "__" not in segment and any(letter.isdigit() for letter in segment)
    return not is_id
