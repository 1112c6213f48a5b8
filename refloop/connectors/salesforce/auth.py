"""Access tokens: got when first needed, renewed when refused, kept in memory only."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import jwt

from refloop.connectors.base import Clock
from refloop.connectors.http.retry import error_code
from refloop.connectors.http.strict_json import NONSENSE, parsed_json
from refloop.connectors.http.transport import Transport
from refloop.connectors.salesforce.ids import record_id
from refloop.connectors.salesforce.settings import AccessToken, ClientCredentials, Jwt, SalesforceSettings
from refloop.errors import AuthError, ConfigError, CrmUnavailable, RefloopError

TOKEN_PATH = "/services/oauth2/token"  # noqa: S105 - an address
JWT_LIFE = timedelta(minutes=3)
"""Salesforce help, "OAuth 2.0 JWT Bearer Flow": the assertion ends within three minutes."""

_IDENTITY = re.compile(r"/id/([A-Za-z0-9]{15,18})/[A-Za-z0-9]{15,18}$")
"""Salesforce help, "Identity URLs": the token response names the org and the user. (A session id begins with the
org's id and an exclamation mark.)"""

_REMEDIES: Mapping[str, str] = {
    "invalid_client": "Check `client_secret` of the connection against the app's consumer secret.",
    "invalid_client_id": "Check `client_id` of the connection against the app's consumer key.",
    "app_not_found": "Install the External Client App in this org. Where the connection sets `audience`, take it out: "
    "since Spring '26 such apps are found at the org's own address alone, not at the log-in hosts.",
    "invalid_grant": "Let the run user use the app (pre-authorised, right username, certificate uploaded), "
    "and switch on the flow in the app's OAuth settings.",
    "unsupported_grant_type": "Switch on the flow in the app's OAuth settings, and use the org's My Domain address.",
    "inactive_user": "Activate the run user.",
    "inactive_org": "The org is locked or closed: ask its administrator.",
}


class Tokens:
    """Gives the transport its bearer token: `tokens(force) -> token`. Raises AuthError, ConfigError, CrmUnavailable.

    Our own flows, because simple-salesforce's drop the caller's headers on a refresh and know https only.
    """

    def __init__(self, settings: SalesforceSettings, transport: Transport, clock: Clock) -> None:
        self._settings = settings
        self._transport = transport
        self._clock = clock
        self._token: str | None = None
        self.organization = ""
        """The id of the org that the token is for; "" where neither log-in nor token said."""

    def __call__(self, force: bool) -> str:
        """The token in hand, or a new one when there is none or the one in hand was refused (`force`)."""
        if self._token is None or force:
            self._token = self._fresh(force)
        return self._token

    def _fresh(self, force: bool) -> str:
        auth = self._settings.auth
        if isinstance(auth, AccessToken):
            if force:
                raise AuthError(
                    f"{self._settings.host}: the access token has expired or was revoked",
                    remedy=f"Put a new one at {auth.token}, or use the method client_credentials, which renews itself.",
                )
            token = auth.token.reveal()
            self._learn_organization(token.partition("!")[0] if "!" in token else "")
            return token
        if isinstance(auth, ClientCredentials):
            basic = base64.b64encode(f"{auth.client_id}:{auth.client_secret.reveal()}".encode()).decode()
            return self._granted({"grant_type": "client_credentials"}, {"Authorization": f"Basic {basic}"})
        grant = "urn:ietf:params:oauth:grant-type:jwt-bearer"
        return self._granted({"grant_type": grant, "assertion": self._assertion(auth)}, {})

    def _assertion(self, auth: Jwt) -> str:
        """For the org's own address: External Client Apps know no other audience since Spring '26, connected apps take
        it too, and it is right for sandboxes and scratch orgs (n8n issue 28990, forcedotcom/cli issue 3482)."""
        claims = {
            "iss": auth.client_id,
            "sub": auth.username,
            "aud": auth.audience or self._settings.url,
            "exp": self._clock() + JWT_LIFE,
        }
        try:
            return jwt.encode(claims, auth.private_key.reveal(), algorithm="RS256")
        except (jwt.PyJWTError, ValueError, TypeError):
            pass  # its message may quote the key
        raise ConfigError(
            f"the private key at {auth.private_key} cannot sign",
            remedy="It must be an RSA key in PEM form, without a passphrase.",
        )

    def _granted(self, form: Mapping[str, str], headers: Mapping[str, str]) -> str:
        headers = {"Accept": "application/json", **headers}
        response = self._transport.request("POST", TOKEN_PATH, data=dict(form), headers=headers)
        body = parsed_json(response.content)
        if response.status_code != 200:
            raise self._refused(response.status_code, body)
        token = body.get("access_token") if isinstance(body, dict) else NONSENSE
        if not isinstance(token, str) or not token:
            raise CrmUnavailable(f"{self._settings.host} answered the log-in with something that is no token")
        self._check_instance(body)
        found = _IDENTITY.search(str(body.get("id")))
        self._learn_organization(found[1] if found else "")
        return token

    def _learn_organization(self, text: str) -> None:
        try:
            self.organization = record_id(text)
        except ValueError:
            self.organization = ""

    def _check_instance(self, body: Mapping[str, Any]) -> None:
        """The token is for one host; sent to another it would be given away."""
        instance = body.get("instance_url")
        if not isinstance(instance, str) or urlsplit(instance).netloc.lower() != self._settings.host:
            raise ConfigError(
                f"{self._settings.host} gave a token for another host",
                remedy="Set `url` of the connection to the org's My Domain address (Setup > My Domain).",
            )

    def _refused(self, status: int, body: object) -> RefloopError:
        code = error_code(body)
        said = f"{self._settings.host} refused the log-in: {code or f'HTTP {status}'}"
        if status == 404:
            return ConfigError(said, remedy="Set `url` of the connection to the org's My Domain address.")
        return AuthError(said, remedy=_REMEDIES.get(code, "Check `auth` of the connection."))
