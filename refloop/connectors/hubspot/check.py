"""Says what would keep pull or push from working. Writes nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from refloop.connectors.hubspot.auth import OAuthTokens
from refloop.connectors.hubspot.client import Client
from refloop.connectors.hubspot.errors import Forbidden
from refloop.connectors.hubspot.fields import Property, defined, faults, place
from refloop.connectors.hubspot.names import OBJECTS
from refloop.connectors.hubspot.records import MIRRORS
from refloop.connectors.hubspot.settings import DEFAULT_LOST_REASON, HubSpotSettings, OAuth
from refloop.errors import ConfigError
from refloop.model import FieldSpec, Finding, Kind, Level

_NEARLY_USED = 0.8
_PROVISION = "Run `refloop provision`."


class Checker:
    """One check of one account. What is wrong with it is a finding.

    Raises ConfigError when a secret is missing and AuthError when the token is refused, for then nothing more can be
    said; CrmUnavailable and TryLater.
    """

    def __init__(self, client: Client, connection: str, settings: HubSpotSettings) -> None:
        self._client = client
        self._connection = connection
        self._settings = settings

    def findings(self, fields: Sequence[FieldSpec]) -> Iterator[Finding]:
        for secret in self._settings.secrets():
            secret.reveal()
        yield from self._refused(self._client.account)
        yield from self._rotation()
        for kind in OBJECTS:
            yield from self._refused(partial(self._client.listing, kind, {"properties": "hs_object_id"}))
            yield from self._refused(partial(self._client.refuse_unwritable, kind))
            yield from self._properties(kind, fields)
        yield from self._refused(self._client.pipelines)
        if not isinstance(self._settings.auth, OAuth):  # HubSpot counts the day's calls of keys only
            yield from self._usage()

    def _refused(self, call: Callable[[], object]) -> Iterator[Finding]:
        try:
            call()
        except (Forbidden, ConfigError) as error:
            yield Finding(Level.ERROR, self._connection, error.message, error.remedy)

    def _rotation(self) -> Iterator[Finding]:
        tokens = self._client.transport.authenticate
        if isinstance(tokens, OAuthTokens) and tokens.is_unkept:
            yield Finding(
                Level.WARNING,
                self._connection,
                "HubSpot gave a new refresh token, and an environment variable cannot keep it",
                "Write the refresh token into a file (`file:`) or the keyring (`keyring:`), where refloop renews it.",
            )

    def _properties(self, kind: Kind, fields: Sequence[FieldSpec]) -> Iterator[Finding]:
        try:
            there = defined(self._client, kind)
        except (Forbidden, ConfigError) as error:
            yield Finding(Level.ERROR, self._connection, error.message, error.remedy)
            return
        for field in fields:
            if kind in field.kinds:
                yield from self._our_field(kind, field, there.get(field.name))
        yield from self._code_fields(kind, there)
        yield from self._mirror(kind, there)

    def _our_field(self, kind: Kind, field: FieldSpec, there: Property | None) -> Iterator[Finding]:
        where = place(self._connection, kind, field.name)
        for wrong, remedy in faults(field, there):
            yield Finding(Level.ERROR, where, wrong, remedy)

    def _code_fields(self, kind: Kind, there: Mapping[str, Property]) -> Iterator[Finding]:
        """HubSpot leaves a name that it does not know out of its answers, without a word."""
        named = dict.fromkeys(getattr(self._settings.code_fields, kind.value), "code_fields")
        if kind is Kind.DEAL and self._settings.lost_reason not in (None, DEFAULT_LOST_REASON):
            named[str(self._settings.lost_reason)] = "lost_reason"
        for name, setting in named.items():
            if name not in there:
                yield Finding(
                    Level.ERROR,
                    place(self._connection, kind, name),
                    f"`{setting}` names a property that does not exist",
                    "Correct the name: HubSpot shows internal names under Settings > Properties.",
                )

    def _mirror(self, kind: Kind, there: Mapping[str, Property]) -> Iterator[Finding]:
        installed = [name for name in MIRRORS[kind] if name in there]
        where = f"{self._connection}: {OBJECTS[kind]}"
        if installed and not self._settings.mirror_of:
            yield Finding(
                Level.WARNING,
                where,
                "HubSpot's own Salesforce integration is at work here: the same buyer may be counted in both CRMs",
                "Set `mirror_of` to the name of the Salesforce connection, if refloop works with that one too.",
            )
        if self._settings.mirror_of and not installed:
            yield Finding(
                Level.WARNING,
                where,
                "`mirror_of` is set, but HubSpot's own Salesforce integration is not installed",
                "Remove `mirror_of`, or install the integration.",
            )

    def _usage(self) -> Iterator[Finding]:
        try:
            entries = self._client.daily_usage()
        except (Forbidden, ConfigError) as error:
            yield Finding(Level.WARNING, self._connection, error.message, error.remedy)
            return
        for entry in entries:
            used, limit = _whole(entry.get("currentUsage")), _whole(entry.get("usageLimit"))
            if limit and used >= limit * _NEARLY_USED:
                yield Finding(
                    Level.WARNING,
                    self._connection,
                    f"{used} of {limit} API calls of the day are used",
                    "Look which other app of the account calls so often; at the limit every app stops until midnight.",
                )


def _whole(value: Any) -> int:
    return value if type(value) is int else 0
