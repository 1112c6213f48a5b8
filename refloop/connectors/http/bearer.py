"""How a request gets its token, and a fresh one once."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable

import requests

from refloop.errors import AuthError
from refloop.redaction import conceal

Authenticate = Callable[[bool], str]
"""`force_refresh -> bearer token`; raises AuthError. Called under a lock, by one thread at a time."""

_TOKEN = re.compile(r"[\x21-\x7e]+")


class Bearer:
    """Sets the `Authorization` header from `authenticate`, where there is one.

    Requests that `authenticate` itself makes (to log in) go out as they are.
    """

    def __init__(self, host: str) -> None:
        self.authenticate: Authenticate | None = None
        self._host = host
        self._lock = threading.RLock()
        self._here = threading.local()

    def __repr__(self) -> str:
        return f"<Bearer for {self._host}>"

    @property
    def logging_in(self) -> bool:
        """Whether this thread is inside `authenticate`."""
        return bool(getattr(self._here, "logging_in", False))

    def authorise(self, request: requests.PreparedRequest) -> str | None:
        """The token that `request` now bears; None where it goes out as it is."""
        if self.authenticate is None or self.logging_in:
            return None
        token = self._token(self.authenticate, force=False)
        request.headers["Authorization"] = f"Bearer {token}"
        return token

    def renew(self, request: requests.PreparedRequest, refused: str) -> None:
        """Puts a fresh token in place of the `refused` one. All other headers stay as they are."""
        if self.authenticate is None:
            return
        with self._lock:
            token = self._token(self.authenticate, force=False)
            if token == refused:  # else another thread has renewed it meanwhile
                token = self._token(self.authenticate, force=True)
        request.headers["Authorization"] = f"Bearer {token}"

    def _token(self, authenticate: Authenticate, *, force: bool) -> str:
        with self._lock:
            self._here.logging_in = True
            try:
                token = authenticate(force)
            finally:
                self._here.logging_in = False
        if not _TOKEN.fullmatch(token):
            raise AuthError(
                f"{self._host}: the access token holds characters that no token has",
                remedy="Check the secret of the connection: it must be one line of plain characters.",
            )
        conceal(token)
        return token
