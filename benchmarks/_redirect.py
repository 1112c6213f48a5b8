"""The `sitecustomize` of a peer tool: what it sends to a CRM goes to the local one, nothing leaves the machine.

Runs in the peer's own environment. `PEER_CRM` is the address of the local CRM.
"""

from __future__ import annotations

import os
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import requests

LOCAL = urlsplit(os.environ["PEER_CRM"])
LOOPBACK = {"127.0.0.1", "localhost", "::1"}
CRMS = ("api.hubapi.com", "login.salesforce.com", "test.salesforce.com")
MY_DOMAIN = ".my.salesforce.com"

_send = requests.Session.send


def redirected(url: str) -> str:
    """The same path at the local CRM. Raises PermissionError for a host that is neither a CRM's nor loopback."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    if host in LOOPBACK:
        return url
    if host in CRMS or host.endswith(MY_DOMAIN):
        return urlunsplit(parts._replace(scheme=LOCAL.scheme, netloc=LOCAL.netloc))
    raise PermissionError(f"a benchmark talks to the local CRM only, not to {host}")


def _send_locally(self: requests.Session, request: requests.PreparedRequest, **how: Any) -> requests.Response:
    request.url = redirected(request.url or "")
    # proxies were chosen for the host that was asked for
    return _send(self, request, **{**how, "proxies": {}})


requests.Session.send = _send_locally  # type: ignore[method-assign]  # this is what the module is for
