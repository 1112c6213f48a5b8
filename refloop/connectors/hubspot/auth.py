"""Who we are to HubSpot: a service key, or an OAuth app's access token."""

from __future__ import annotations

from refloop.connectors.http.bearer import Authenticate
from refloop.connectors.http.retry import error_code
from refloop.connectors.http.strict_json import parsed_json
from refloop.connectors.http.transport import Transport
from refloop.connectors.hubspot.settings import HubSpotSettings, OAuth
from refloop.errors import AuthError, CrmUnavailable
from refloop.redaction import conceal


def authenticator(settings: HubSpotSettings, transport: Transport) -> Authenticate:
    """Gives the bearer token when asked; secrets are revealed at the first call, not before."""
    if isinstance(settings.auth, OAuth):
        return OAuthTokens(settings.auth, settings.api_version, transport)
    token = settings.auth.token
    return lambda _force: token.reveal()


class OAuthTokens:
    """Draws access tokens with the refresh token, and keeps them in memory only.

    HubSpot docs, OAuth: access tokens live 30 minutes. A new refresh token that comes back is put in the place of
    the old one before anything is done with it: whoever lost it would have to install the app anew. `is_unkept`
    says that one came for which there is no place.
    """

    def __init__(self, app: OAuth, version: str, transport: Transport) -> None:
        self._app = app
        self._path = f"/oauth/{version}/token"
        self._transport = transport
        self._access = ""
        self._refresh = ""
        self.is_unkept = False

    def __repr__(self) -> str:
        return "<OAuthTokens>"

    def __call__(self, force: bool) -> str:
        if force or not self._access:
            self._draw()
        return self._access

    def _draw(self) -> None:
        refresh = self._refresh or self._app.refresh_token.reveal()  # each time: another run may have renewed it
        response = self._transport.request(
            "POST",
            self._path,
            headers={"Accept": "application/json"},
            data={
                "grant_type": "refresh_token",
                "client_id": self._app.client_id,
                "client_secret": self._app.client_secret.reveal(),
                "refresh_token": refresh,
            },
        )
        answer = parsed_json(response.content)
        if 400 <= response.status_code < 500:
            raise AuthError(
                f"HubSpot refused the refresh token or the app ({error_code(answer) or response.status_code})",
                remedy="Install the app anew in the HubSpot account, and update its refresh token and client secret.",
            )
        access = answer.get("access_token") if isinstance(answer, dict) else None
        if response.status_code != 200 or not isinstance(access, str) or not access:
            raise CrmUnavailable("HubSpot's token endpoint gave no access token", remedy="Run again later.")
        renewed = answer.get("refresh_token")
        if isinstance(renewed, str) and renewed and renewed != refresh:
            self._keep(renewed)
        self._access = access

    def _keep(self, renewed: str) -> None:
        conceal(renewed)
        if self._app.refresh_token.is_replaceable:
            self._app.refresh_token.replace(renewed)
        else:
            self._refresh, self.is_unkept = renewed, True
