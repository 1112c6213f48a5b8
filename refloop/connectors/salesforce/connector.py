"""Salesforce: leads, contacts, opportunities and their contact roles."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import ClassVar

from refloop import model
from refloop.config import ConnectionSettings
from refloop.connectors.base import Clock
from refloop.connectors.links import link_receipts
from refloop.connectors.salesforce.account import Account
from refloop.connectors.salesforce.check import Checker
from refloop.connectors.salesforce.client import Client
from refloop.connectors.salesforce.fields import described
from refloop.connectors.salesforce.links import ContactRoles
from refloop.connectors.salesforce.look import Looker
from refloop.connectors.salesforce.metadata import metadata_files
from refloop.connectors.salesforce.organization import Organization
from refloop.connectors.salesforce.past import Histories
from refloop.connectors.salesforce.provision import Provisioner
from refloop.connectors.salesforce.pull import Puller
from refloop.connectors.salesforce.push import Pusher
from refloop.connectors.salesforce.records import Reader
from refloop.connectors.salesforce.settings import SalesforceSettings
from refloop.connectors.salesforce.unprovision import Remover
from refloop.connectors.salesforce.words import words_in_use
from refloop.connectors.salesforce.write import Writer
from refloop.model import (
    FieldChange,
    FieldHistory,
    FieldSpec,
    Finding,
    LinkChange,
    Page,
    Receipt,
    Ref,
    Span,
    Usage,
    Word,
)


class Salesforce:
    """One Salesforce org, as `refloop.connectors.base.Connector` promises.

    A pull costs one call a page of 2,000 rows of each object, and one call when nothing changed; what is large is
    pulled in full by a Bulk job, for some eight calls and one a 100,000 rows. A push costs one call to look at 2,000
    records and one to write 1,000; very many of one object are written by a job; where each record is written on the
    condition that nobody saved it since the look, a call writes 25 (setting `conditional_writes`). A description of
    the org costs one call: once a day, and once a push.
    """

    settings: ClassVar[type[ConnectionSettings]] = SalesforceSettings

    def __init__(self, connection: str, settings: SalesforceSettings, *, clock: Clock) -> None:
        self._client = Client(settings, clock)
        self._client.transport.call_log.connection = connection
        self._settings = settings
        self._account = account = Account(self._client)
        self._looker = Looker(connection, self._client, account)
        self._organization = Organization(settings, self._client)
        self._reader = Reader(connection, settings, ())
        self._puller = Puller(self._reader, self._client, account, self._organization)
        self._pusher = Pusher(connection, settings, self._looker, Writer(self._client, settings.bulk_changes))
        self._roles = ContactRoles(self._client, connection)
        self._checker = Checker(connection, settings, self._client)
        self._provisioner = Provisioner(connection, self._client, account)
        self._remover = Remover(connection, self._client, account)

    def account(self, known: model.Account | None) -> model.Account:
        return self._organization.account(known)

    def check(self, fields: Sequence[FieldSpec]) -> Iterator[Finding]:
        return self._checker.findings(fields)

    def provision(self, fields: Sequence[FieldSpec]) -> Iterator[Finding]:
        return self._provisioner.findings(fields)

    def unprovision(self, fields: Sequence[FieldSpec], *, preview: bool = False) -> Iterator[Finding]:
        return self._remover.findings(fields, preview=preview)

    def metadata(self, fields: Sequence[FieldSpec]) -> str:
        """What `provision` would make, for an administrator to look at and deploy: files, each below its name."""
        return "\n".join(f"==> {path} <==\n{text}" for path, text in metadata_files(fields).items())

    def pull(self, fields: Sequence[FieldSpec], span: Span) -> Iterator[Page]:
        self._reader = replace(self._reader, fields=fields)
        return self._puller.pages(fields, span)

    def words(self) -> Iterator[Word]:
        return words_in_use(self._client)

    def described(self, fields: Sequence[FieldSpec]) -> model.Described:
        return described(self._account.schemas(), self._settings, fields)

    def foresee(self, changes: Sequence[FieldChange]) -> None:
        self._pusher.foresee(changes)

    def histories(self, refs: Sequence[Ref]) -> Iterator[FieldHistory]:
        """A call for 1,250 records. Our own code field is that of the last pull."""
        return Histories(self._client, self._reader).of(refs)

    def push(self, changes: Sequence[FieldChange]) -> Iterator[Receipt]:
        return self._pusher.receipts(changes)

    def push_links(self, changes: Sequence[LinkChange]) -> Iterator[Receipt]:
        """Contacts of deals, by contact roles: two calls for two hundred."""
        return link_receipts(self._roles, changes)

    def unconditional(self) -> int:
        return self._pusher.unconditional

    def read(self, refs: Sequence[Ref], fields: Sequence[FieldSpec]) -> Mapping[Ref, Mapping[str, str]]:
        return self._looker.read(refs, fields)

    def calls(self) -> Mapping[str, int]:
        return self._client.transport.calls

    def usage(self) -> Usage | None:
        return self._client.usage()

    def close(self) -> None:
        self._client.transport.close()
