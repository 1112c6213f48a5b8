"""What a HubSpot connection in config.yaml may say."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, field_validator

from refloop.config import ConnectionSettings, SecretRef, Section, in_editors
from refloop.connectors.hubspot import addresses
from refloop.mapping.meant import RecordName
from refloop.model import Ref

DEFAULT_URL = "https://api.hubapi.com"
DEFAULT_VERSION = "2026-03"

_API_HOST = re.compile(r"api(-[a-z]{2}[0-9]{1,2})?\.hubapi\.com")
_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
_VERSION = re.compile(r"20[0-9]{2}-(0[1-9]|1[0-2])")
_CURRENCY = re.compile(r"[A-Z]{3}")
_PROPERTY = re.compile(r"[a-z0-9][a-z0-9_]{0,99}")
_MOST_CODE_FIELDS = 40
"""Names travel in the address of a list call; HubSpot answers 414 when it grows too long."""


class ServiceKey(Section):
    """A service key, or the token of a private app: one bearer token that does not expire by itself."""

    method: Literal["service_key"]
    token: SecretRef


class OAuth(Section):
    """A public app: access tokens of 30 minutes are drawn with the refresh token."""

    method: Literal["oauth"]
    client_id: str = Field(min_length=1)
    client_secret: SecretRef
    refresh_token: SecretRef


def _internal_name(name: str) -> str:
    if not _PROPERTY.fullmatch(name):
        raise ValueError(
            "is not the internal name of a property: it has only lower-case letters, digits and underscores; "
            "HubSpot shows it under Settings > Properties, in the details of the property"
        )
    return name


PropertyName = Annotated[str, AfterValidator(_internal_name), in_editors(_PROPERTY)]


class CodeFields(Section):
    """The properties that may carry a referral code, by their internal names, per kind."""

    contact: tuple[PropertyName, ...] = Field(default=("hs_analytics_first_url",), max_length=_MOST_CODE_FIELDS)
    deal: tuple[PropertyName, ...] = Field(default=(), max_length=_MOST_CODE_FIELDS)


class HubSpotSettings(ConnectionSettings):
    """One HubSpot account.

    `api_version` is the dated version of HubSpot's API. `currency` is for amounts whose deal names none; left
    out, it is the account's own. `mirror_of` names the Salesforce connection that HubSpot's own Salesforce
    integration keeps in step with this account. `look_back` (minutes) is how far each pull reaches behind
    the last one, because HubSpot's search index runs late. `link_days`: for so many days after a closed deal was last
    saved, what changes about its contacts is still seen, within a day. `quota_share` is how much of the day's API calls
    that are left when a run starts may be refloop's: all apps of the account share them.
    """

    url: str = DEFAULT_URL
    api_version: Annotated[str, in_editors(_VERSION)] = DEFAULT_VERSION
    auth: Annotated[ServiceKey | OAuth, Field(discriminator="method")]
    currency: Annotated[str, in_editors(_CURRENCY)] | None = None
    code_fields: CodeFields = CodeFields()
    mirror_of: str | None = Field(default=None, min_length=1)
    look_back: int = Field(default=60, ge=5, le=7 * 24 * 60)
    link_days: int = Field(default=90, ge=0, le=3650)
    quota_share: float = Field(default=0.8, gt=0, le=1)

    def other_connections(self) -> Mapping[str, str]:
        return {"mirror_of": self.mirror_of} if self.mirror_of else {}

    def reading(self) -> Mapping[str, object]:
        return self.model_dump(mode="json", include={"currency", "code_fields", "mirror_of"})

    def named(self, text: str) -> RecordName | None:
        """See `refloop.connectors.base.Addresses`."""
        return addresses.named(text, urlsplit(self.url).netloc)

    def address_of(self, ref: Ref, account: str | None) -> str | None:
        """See `refloop.connectors.base.Addresses`."""
        return addresses.address_of(ref.kind, ref.id, urlsplit(self.url).netloc, account)

    def secrets(self) -> tuple[SecretRef, ...]:
        """Where all that the login needs is kept."""
        if isinstance(self.auth, OAuth):
            return self.auth.client_secret, self.auth.refresh_token
        return (self.auth.token,)

    @field_validator("url")
    @classmethod
    def _hubspot_or_loopback(cls, url: str) -> str:
        parts = urlsplit(url)
        if parts.username or parts.password or parts.query or parts.fragment or parts.path not in ("", "/"):
            raise ValueError(f"has more than scheme and host; write it as {DEFAULT_URL}")
        local = parts.scheme in ("http", "https") and parts.hostname in _LOOPBACK
        theirs = parts.scheme == "https" and _API_HOST.fullmatch(parts.hostname or "") and parts.port in (None, 443)
        if not (local or theirs):
            raise ValueError(
                f"is not an address of HubSpot; write {DEFAULT_URL}, or http on this machine (127.0.0.1, localhost)"
            )
        return url.rstrip("/")

    @field_validator("api_version")
    @classmethod
    def _dated(cls, version: str) -> str:
        if not _VERSION.fullmatch(version):
            raise ValueError(f"is not a dated version of HubSpot's API; write it as {DEFAULT_VERSION}, in quotes")
        return version

    @field_validator("currency")
    @classmethod
    def _iso_4217(cls, currency: str | None) -> str | None:
        if currency is not None and not _CURRENCY.fullmatch(currency):
            raise ValueError("is not a currency code of three capital letters, as EUR")
        return currency
