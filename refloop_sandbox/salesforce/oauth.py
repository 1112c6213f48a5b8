"""The OAuth 2.0 token endpoint (Salesforce Help, OAuth Authorization Flows). Its errors are JSON objects."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import parse_qsl, unquote_plus

import jwt

from refloop_sandbox.salesforce.call import Answer, Call
from refloop_sandbox.salesforce.org import Org

_JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"
_AUDIENCES = ("https://login.salesforce.com", "https://test.salesforce.com")


class _Refused(Exception):  # noqa: N818 - it becomes an answer
    def __init__(self, error: str, description: str) -> None:
        super().__init__(error)
        self.error = error
        self.description = description


@dataclass(slots=True)
class _Session:
    user: str
    born: datetime
    calls: int = 0


class Tokens:
    """Access and refresh tokens by user. `keys` are the public keys (PEM) of clients that sign JWTs; those that are
    `connected_apps` are known to the log-in hosts too, External Client Apps to the org's own address alone (since
    Spring '26: n8n issue 28990, forcedotcom/cli issue 3482)."""

    def __init__(self, client_id: str, client_secret: str, password: str) -> None:
        self._client = (client_id, client_secret)
        self._password = password
        self.keys: dict[str, str | bytes] = {}
        self.connected_apps: set[str] = set()
        self.rotates = False
        self.most_calls: int | None = None
        self.life: timedelta | None = None
        self._access: dict[str, _Session] = {}
        self._refresh: dict[str, str] = {}

    def issue(self, org: Org, user: str) -> str:
        """A new access token of this user."""
        token = f"{org.id[:15]}!{secrets.token_urlsafe(48)}"
        self._access[token] = _Session(user, org.clock())
        return token

    def issue_refresh(self, user: str) -> str:
        """A new refresh token of this user."""
        token = f"5Aep{secrets.token_urlsafe(48)}"
        self._refresh[token] = user
        return token

    def revoke(self) -> None:
        """Ends all sessions. Refresh tokens stay good."""
        self._access.clear()

    def user(self, org: Org, call: Call) -> str | None:
        """Whose session this is; None when the token is missing, unknown, revoked or has expired. Counts the call."""
        scheme, _, token = call.headers.get("authorization", "").partition(" ")
        session = self._access.get(token.strip()) if scheme.lower() in ("bearer", "oauth") else None
        if session is None:
            return None
        session.calls += 1
        if self._is_over(session, org.clock()):
            del self._access[token.strip()]
            return None
        return session.user

    def _is_over(self, session: _Session, now: datetime) -> bool:
        if self.most_calls is not None and session.calls > self.most_calls:
            return True
        return self.life is not None and now - session.born >= self.life

    def token(self, org: Org, call: Call) -> Answer:
        """Answers the token endpoint."""
        body = call.body.decode("utf-8", "replace") if isinstance(call.body, bytes) else ""
        form = {**dict(call.query), **dict(parse_qsl(body))}
        try:
            return self._granted(org, call, form)
        except _Refused as refused:
            return Answer(400, {"error": refused.error, "error_description": refused.description})

    def _granted(self, org: Org, call: Call, form: Mapping[str, str]) -> Answer:
        grant = form.get("grant_type", "")
        extra: dict[str, object] = {}
        if grant == "client_credentials":
            self._check_client(call, form)
            user = org.integration
        elif grant == _JWT_BEARER:
            user = self._asserted(org, call, form.get("assertion", ""))
        elif grant == "refresh_token":
            user, extra = self._refreshed(call, form)
        elif grant == "password":
            self._check_client(call, form)
            user = self._signed_in(org, form)
        else:
            raise _Refused("unsupported_grant_type", "grant type not supported")
        return Answer(body={**self._body(org, call, user), **extra}, headers={"Cache-Control": "no-cache, no-store"})

    def _body(self, org: Org, call: Call, user: str) -> dict[str, object]:
        identity = f"{call.base}/id/{org.id}/{user}"
        issued = str(int(org.now().timestamp() * 1000))
        digest = hmac.new(self._client[1].encode(), f"{identity}{issued}".encode(), hashlib.sha256).digest()
        return {
            "access_token": self.issue(org, user), "signature": base64.b64encode(digest).decode(), "scope": "api",
            "instance_url": call.base, "id": identity, "token_type": "Bearer", "issued_at": issued,
        }  # fmt: skip

    def _check_client(self, call: Call, form: Mapping[str, str]) -> None:
        client, secret = form.get("client_id", ""), form.get("client_secret", "")
        scheme, _, encoded = call.headers.get("authorization", "").partition(" ")
        if scheme.lower() == "basic":
            try:
                client, _, secret = base64.b64decode(encoded, validate=True).decode().partition(":")
            except ValueError:
                raise _Refused("invalid_client", "invalid client credentials") from None
            client, secret = unquote_plus(client), unquote_plus(secret)
        if client != self._client[0]:
            raise _Refused("invalid_client_id", "client identifier invalid")
        if not hmac.compare_digest(secret.encode(), self._client[1].encode()):
            raise _Refused("invalid_client", "invalid client credentials")

    def _asserted(self, org: Org, call: Call, assertion: str) -> str:
        try:
            claimed = jwt.decode(assertion, options={"verify_signature": False})
            key = self.keys.get(str(claimed.get("iss")))
            if key is None:
                raise _Refused("invalid_client_id", "client identifier invalid")
            # the client signs with the wall clock, whatever the org's clock says
            claims = jwt.decode(
                assertion, key, algorithms=["RS256"], audience=[*_AUDIENCES, call.base],
                options={"require": ["exp", "iss", "aud", "sub"]},
            )  # fmt: skip
        except jwt.ExpiredSignatureError:
            raise _Refused("invalid_grant", "expired authorization code") from None
        except jwt.InvalidAudienceError:
            raise _Refused("invalid_grant", "audience is invalid") from None
        except jwt.PyJWTError:
            raise _Refused("invalid_grant", "invalid assertion") from None
        if claims["aud"] in _AUDIENCES and str(claims["iss"]) not in self.connected_apps:
            raise _Refused("app_not_found", "External client app is not installed in this org")
        return _active(org, str(claims["sub"]), "user hasn't approved this consumer")

    def _refreshed(self, call: Call, form: Mapping[str, str]) -> tuple[str, dict[str, object]]:
        if form.get("client_id", self._client[0]) != self._client[0] or "client_secret" in form:
            self._check_client(call, form)
        token = form.get("refresh_token", "")
        user = self._refresh.get(token)
        if user is None:
            raise _Refused("invalid_grant", "expired access/refresh token")
        if not self.rotates:
            return user, {}
        del self._refresh[token]
        return user, {"refresh_token": self.issue_refresh(user)}

    def _signed_in(self, org: Org, form: Mapping[str, str]) -> str:
        if not hmac.compare_digest(form.get("password", "").encode(), self._password.encode()):
            raise _Refused("invalid_grant", "authentication failure")
        return _active(org, form.get("username", ""), "authentication failure")


def _active(org: Org, username: str, otherwise: str) -> str:
    row = next(org.store.where(org.schema.named("User"), {"Username": username}), None)
    if row is None:
        raise _Refused("invalid_grant", otherwise)
    if not row["IsActive"]:
        raise _Refused("invalid_grant", "inactive user")
    return str(row["Id"])
