"""Where a request may go: to one CRM account's scheme, host and port, and nowhere else."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit

from refloop.errors import ConfigError, CrmUnavailable

Allowed = tuple[str, ...] | Callable[[str], bool]
"""Hosts a connection may name: `api.example.com` as it stands, `.example.com` for any host below it."""

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
