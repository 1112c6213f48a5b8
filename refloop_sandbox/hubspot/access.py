"""Who may call: service keys and OAuth tokens, and the scopes that they carry."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from refloop_sandbox.hubspot.errors import Refusal, expired_credentials, missing_scopes, no_credentials
from refloop_sandbox.hubspot.schema import ObjectType

TOKEN_LIFE = timedelta(seconds=1800)


@dataclass
class Access:
    """The credentials that the account knows. `denied` are the scopes that they lack.

    `client_id`, `client_secret` and `refresh_token` are those of the one OAuth app that is installed. `rotates`: each
    use of the refresh token gives a new one and ends the old.
    """

    clock: Callable[[], datetime]
    tokens: set[str]
    client_id: str = "local-client"
    client_secret: str = "local-secret"  # noqa: S105 - of a pretended app
    refresh_token: str = "local-refresh"  # noqa: S105 - of a pretended app
    rotates: bool = False
    denied: frozenset[str] = frozenset()
    issued: dict[str, datetime] = field(default_factory=dict, repr=False)

    def check(self, headers: Mapping[str, str]) -> bool:
        """Says whether the bearer is an OAuth token. Raises Refusal (401) for an unknown or expired one."""
        scheme, _, token = headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer":
            raise no_credentials()
        if token in self.tokens:
            return False
        expires = self.issued.get(token)
        if expires is None:
            raise no_credentials()
        late = self.clock() - expires
        if late >= timedelta(0):
            raise expired_credentials(int(late.total_seconds() // 60))
        return True

    def issue(self) -> str:
        """A new OAuth access token."""
        token = f"CL{secrets.token_urlsafe(24)}"
        self.issued[token] = self.clock() + TOKEN_LIFE
        return token

    def refreshed(self) -> str:
        """The refresh token to use next."""
        if self.rotates:
            self.refresh_token = f"na1-{secrets.token_urlsafe(24)}"
        return self.refresh_token

    def revoke(self) -> None:
        self.tokens.clear()
        self.issued.clear()

    def require(self, scopes: tuple[str, ...]) -> None:
        """Raises Refusal (403) when the bearer lacks one of them."""
        lacking = [scope for scope in scopes if scope in self.denied]
        if lacking:
            raise missing_scopes(lacking)


def record_scope(kind: ObjectType, *, write: bool) -> str:
    return f"crm.objects.{kind.name}.{'write' if write else 'read'}"


def schema_scope(kind: ObjectType) -> str:
    """Property definitions are read with either scope; writing them needs this one."""
    return f"crm.schemas.{kind.name}.write"


def invalid_grant(message: str) -> Refusal:
    return Refusal(400, {"status": "BAD_REFRESH_TOKEN", "message": message, "error": "invalid_grant"})
