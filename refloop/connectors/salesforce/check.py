"""Says what would keep pull or push from working. Writes nothing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from refloop.connectors.http.errors import Rejected
from refloop.connectors.salesforce.account import describe, read_schema
from refloop.connectors.salesforce.client import Client
from refloop.connectors.salesforce.fields import ROLE_NAME, ObjectSchema
from refloop.connectors.salesforce.look import unfit
from refloop.connectors.salesforce.names import OBJECTS, ROLE, crm_name
from refloop.connectors.salesforce.settings import SalesforceSettings
from refloop.connectors.salesforce.values import places_needed
from refloop.errors import ConfigError
from refloop.model import FieldSpec, Finding, Kind, Level

NEARLY_ALL = 0.8
"""Of the org's API calls a day. Past all of them, every integration of the org stands still."""

_PROVISION = "Run `refloop provision`."


class Checker:
    """Checks one connection."""

    def __init__(self, connection: str, settings: SalesforceSettings, client: Client) -> None:
        self._connection = connection
        self._settings = settings
        self._client = client

    def findings(self, fields: Sequence[FieldSpec]) -> Iterator[Finding]:
        """One finding for each thing that is wrong, with its remedy."""
        version = self._version()
        if version is not None:
            yield version
            return
        schemas = {name: self._schema(name) for name in (*OBJECTS.values(), ROLE)}
        for name, schema in schemas.items():
            if schema is None:
                yield self._error(name, "the run user does not see this object", f"Let the user read and edit {name}.")
            elif name == ROLE and not schema.find(ROLE_NAME):
                what = "the run user does not see what a contact is to an opportunity: all contacts count alike"
                yield Finding(Level.WARNING, self._place(f"{ROLE}.{ROLE_NAME}"), what, "Let the user see the field.")
        for kind, name in OBJECTS.items():
            if schema := schemas[name]:
                yield from self._fields(kind, schema, fields)
        yield from self._usage()

    def _version(self) -> Finding | None:
        listed = self._client.versions()
        rows = listed if isinstance(listed, list) else []
        versions = [str(row["version"]) for row in rows if isinstance(row, dict) and "version" in row]
        if self._settings.api_version in versions:
            return None
        newest = max(versions, key=float, default="?")
        return self._error(
            f"api_version {self._settings.api_version}",
            "the org does not serve this API version",
            f'Set `api_version: "{newest}"` for the connection.',
        )

    def _schema(self, name: str) -> ObjectSchema | None:
        try:
            return read_schema(name, self._client.call(describe(name)))
        except (ConfigError, Rejected):
            return None

    def _fields(self, kind: Kind, schema: ObjectSchema, fields: Sequence[FieldSpec]) -> Iterator[Finding]:
        if not schema.updateable:
            yield self._error(schema.name, "the run user may not edit this object", f"Let the user edit {schema.name}.")
        yield from self._code_fields(kind, schema)
        if kind is Kind.DEAL and (name := self._settings.lost_reason) and schema.find(name) is None:
            what = "the field in `lost_reason` does not exist, or the run user does not see it"
            yield self._error(f"{schema.name}.{name}", what, "Correct the name, or let the user see the field.")
        for field in fields:
            if kind in field.kinds and (finding := self._own_field(schema, field)):
                yield finding

    def _code_fields(self, kind: Kind, schema: ObjectSchema) -> Iterator[Finding]:
        yield from self._email_fields(kind, schema)
        for name in self._settings.fields_with_codes(kind):
            described = schema.find(name)
            if described is None:
                what = "a field in `code_fields` does not exist, or the run user does not see it"
                yield self._error(f"{schema.name}.{name}", what, "Correct the name, or let the user see the field.")
            elif not described.holds_text():
                what = f"a field in `code_fields` is of type {described.type}, which holds no code"
                yield self._error(f"{schema.name}.{name}", what, "Take it out of `code_fields`.")

    def _email_fields(self, kind: Kind, schema: ObjectSchema) -> Iterator[Finding]:
        for name in self._settings.fields_with_emails(kind):
            if schema.find(name) is None:
                what = "a field in `email_fields` does not exist, or the run user does not see it"
                yield self._error(f"{schema.name}.{name}", what, "Correct the name, or let the user see the field.")

    def _own_field(self, schema: ObjectSchema, field: FieldSpec) -> Finding | None:
        place, described = f"{schema.name}.{crm_name(field)}", schema.find(crm_name(field))
        if described is None:
            return self._error(place, "does not exist, or the run user does not see it", _PROVISION)
        if fault := unfit(schema, field):
            return self._error(place, fault, "Rename that field, or choose another prefix for ours.")
        if not described.updateable:
            return self._error(place, "the run user may not edit this field", _PROVISION)
        if not described.is_long_enough(field):
            what = f"holds {described.length} characters, and texts of ours have up to {field.length}"
            return Finding(Level.WARNING, self._place(place), what, "Make the field longer (Setup > Object Manager).")
        if not described.keeps_cents(field):
            what = f"keeps {described.scale} digits after the point, and amounts here have up to {places_needed(field)}"
            remedy = "Change its decimal places (Setup > Object Manager): amounts with more are not written."
            return Finding(Level.WARNING, self._place(place), what, remedy)
        return None

    def _usage(self) -> Iterator[Finding]:
        usage = self._client.usage()
        if usage and usage.used >= NEARLY_ALL * usage.limit:
            what = f"the org has used {usage.used} of the {usage.limit} API calls that it may make in 24 hours"
            remedy = "Find the integration that calls so often (Setup > API Usage), or run refloop less often."
            yield Finding(Level.WARNING, self._place("API calls"), what, remedy)

    def _place(self, text: str) -> str:
        return f"{self._connection}: {text}"

    def _error(self, place: str, what: str, remedy: str) -> Finding:
        return Finding(Level.ERROR, self._place(place), what, remedy)
