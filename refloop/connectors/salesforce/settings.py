"""What config.yaml may say about a Salesforce connection."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field

from refloop.config import ConnectionSettings, SecretRef, Section, in_editors
from refloop.connectors.salesforce import addresses
from refloop.connectors.salesforce.names import API_NAME, api_name
from refloop.mapping.meant import RecordName
from refloop.model import Kind, Ref

LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
_MY_DOMAIN = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9-]+)*\.(my\.salesforce\.com|my\.salesforce\.mil)")
_CHINA = (".sfcrmproducts.cn", ".sfcrmapps.cn")
_API_VERSION = re.compile(r"[1-9][0-9]{1,2}\.0")
_ID = re.compile(r"Id|[A-Za-z]+[a-z]Id")
"""The standard fields that hold ids (CampaignId, AccountId); a custom one is told by its type, in `check`."""
_CURRENCY = re.compile(r"[A-Z]{3}")


def _my_domain_url(text: str) -> str:
    """The URL without a trailing slash. Only a My Domain host serves client credentials (Salesforce docs)."""
    parts = urlsplit(text)
    if parts.username or parts.password or parts.query or parts.fragment or parts.path not in ("", "/"):
        raise ValueError("must be the address alone, such as https://acme.my.salesforce.com")
    try:
        port = parts.port
    except ValueError:
        raise ValueError("has a port that is no number") from None
    host = parts.hostname or ""
    if host in LOOPBACK and parts.scheme in ("http", "https"):
        return f"{parts.scheme}://{parts.netloc}"
    if parts.scheme != "https":
        raise ValueError("must begin with https:// (plain http is for a local Salesforce only)")
    if host.endswith(_CHINA):
        raise ValueError(
            "is an address of Salesforce in China, which refloop does not work with: that is a service of its own, and "
            "nobody has tried it yet"
        )
    if not _MY_DOMAIN.fullmatch(host) or port not in (None, 443):
        raise ValueError(
            "must be your org's My Domain address, https://<name>.my.salesforce.com "
            "(Setup > My Domain > Current My Domain URL), not login.salesforce.com or a Lightning address"
        )
    return f"https://{host}"


def _audience(text: str) -> str:
    parts = urlsplit(text)
    if parts.scheme != "https" or not parts.hostname or parts.path not in ("", "/") or parts.query or parts.fragment:
        raise ValueError("must be an address alone, such as https://login.salesforce.com")
    return text.rstrip("/")


def _api_version(text: str) -> str:
    if not _API_VERSION.fullmatch(text):
        raise ValueError('must look like "67.0", in quotes')
    if int(text.split(".")[0]) < 48:
        raise ValueError("is too old; use 48.0 or newer")
    return text


def _currency(text: str) -> str:
    if not _CURRENCY.fullmatch(text):
        raise ValueError("must be an ISO 4217 code such as EUR")
    return text


def _code_field(text: str) -> str:
    """A field of the record itself that can hold a code."""
    if "." in text:
        raise ValueError(
            f"{text}: fields of related records are not read yet; let a flow copy the code into a text field of the "
            "record itself, and name that (not a formula: what changes in it does not mark the record as changed)"
        )
    name = api_name(text)
    if _ID.fullmatch(name):
        raise ValueError(
            f"{text} holds the id of a record, which is no code; codes are read where people or forms leave them: a "
            "text, a picklist or an address of the record itself"
        )
    return name


CodeField = Annotated[str, AfterValidator(_code_field), in_editors(API_NAME)]
ApiName = Annotated[str, AfterValidator(api_name), in_editors(API_NAME)]


class ClientCredentials(Section):
    """An External Client App with the client credentials flow and a run-as user: the one to prefer."""

    method: Literal["client_credentials"]
    client_id: str = Field(min_length=1)
    client_secret: SecretRef


class Jwt(Section):
    """An External Client App with a certificate: JWT bearer flow, RS256.

    `audience` is needed only where Salesforce expects another one than the org's own address.
    """

    method: Literal["jwt"]
    client_id: str = Field(min_length=1)
    username: str = Field(min_length=1)
    private_key: SecretRef
    audience: Annotated[str, AfterValidator(_audience)] | None = None


class AccessToken(Section):
    """A token that somebody else got (`sf org display`): it ends when it expires."""

    method: Literal["access_token"]
    token: SecretRef


Auth = Annotated[ClientCredentials | Jwt | AccessToken, Field(discriminator="method")]

_CODE_FIELDS: Mapping[Kind, tuple[str, ...]] = {
    Kind.LEAD: ("Description",),
    Kind.CONTACT: ("Description",),
    Kind.DEAL: (),
}


def _of_people(fields: Mapping[Kind, tuple[str, ...]]) -> Mapping[Kind, tuple[str, ...]]:
    if Kind.DEAL in fields:
        raise ValueError("names fields of deals: only leads and contacts are people")
    return fields


class SalesforceSettings(ConnectionSettings):
    """One Salesforce org.

    `currency` is that of its amounts where the org has one currency only. `code_fields` are the fields, per
    kind, where people leave referral codes; `email_fields` those that hold an address of the person beside Email.
    `look_back` is how many minutes before the last pull the next one starts: a transaction that takes longer than this
    to commit can hide its changes. `quota_share` is how much of the API calls that are left for the day when a run
    starts it may spend. An object with more rows than `bulk_rows` is pulled in full by a Bulk API job, and more changed
    records than `bulk_changes` of one object are written by one: that takes fewer calls, and longer.
    `conditional_writes` says which records are written on the condition that nobody saved them since they were looked
    at, 25 a call: the first `push.FEW` of a run (`auto`), all or none.
    """

    url: Annotated[str, AfterValidator(_my_domain_url)]
    auth: Auth
    api_version: Annotated[str, AfterValidator(_api_version), in_editors(_API_VERSION)] = "67.0"
    currency: Annotated[str, AfterValidator(_currency), in_editors(_CURRENCY)] | None = None
    code_fields: Mapping[Kind, tuple[CodeField, ...]] = Field(default_factory=dict)
    email_fields: Annotated[Mapping[Kind, tuple[ApiName, ...]], AfterValidator(_of_people)] = Field(
        default_factory=dict, json_schema_extra={"propertyNames": {"enum": [Kind.LEAD, Kind.CONTACT]}}
    )
    look_back: int = Field(default=15, ge=0, le=7 * 24 * 60)
    quota_share: float = Field(default=0.8, gt=0, le=1)
    bulk_rows: int = Field(default=50_000, ge=0)
    bulk_changes: int = Field(default=10_000, ge=0)
    conditional_writes: Literal["auto", "always", "never"] = "auto"

    def fields_with_codes(self, kind: Kind) -> tuple[str, ...]:
        """The fields of `kind` that may hold a code: as configured, else what Salesforce has by itself."""
        return self.code_fields.get(kind, _CODE_FIELDS[kind])

    def fields_with_emails(self, kind: Kind) -> tuple[str, ...]:
        """The fields of `kind` that hold an address beside Email."""
        return self.email_fields.get(kind, ())

    def reading(self) -> Mapping[str, object]:
        return self.model_dump(mode="json", include={"currency", "code_fields", "email_fields", "time_zone"})

    def named(self, text: str) -> RecordName | None:
        """See `refloop.connectors.base.Addresses`."""
        return addresses.named(text, self.host)

    def address_of(self, ref: Ref, account: str | None) -> str | None:  # noqa: ARG002 - the host says which org it is
        """See `refloop.connectors.base.Addresses`."""
        return None if urlsplit(self.url).hostname in LOOPBACK else addresses.address_of(ref.id, self.host)

    @property
    def host(self) -> str:
        """Host and, where it is not the usual one, port."""
        return urlsplit(self.url).netloc
