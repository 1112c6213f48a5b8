"""The connector: HubSpot's contacts and deals behind refloop's protocol."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import ClassVar

from refloop import model
from refloop.config import ConnectionSettings
from refloop.connectors.base import Clock
from refloop.connectors.http.limiter import Limiter, Timer
from refloop.connectors.hubspot import look, push
from refloop.connectors.hubspot.account import Account, Details, OwnerNames, Standing
from refloop.connectors.hubspot.check import Checker
from refloop.connectors.hubspot.client import Client, open_transport
from refloop.connectors.hubspot.fields import Schema
from refloop.connectors.hubspot.links import Associations
from refloop.connectors.hubspot.past import Histories
from refloop.connectors.hubspot.provision import provision
from refloop.connectors.hubspot.pull import Puller
from refloop.connectors.hubspot.records import Reader
from refloop.connectors.hubspot.settings import HubSpotSettings
from refloop.connectors.hubspot.unprovision import unprovision
from refloop.connectors.hubspot.words import words
from refloop.connectors.links import link_receipts
from refloop.model import (
    FieldChange,
    FieldHistory,
    FieldSpec,
    Finding,
    Kind,
    LinkChange,
    Page,
    Receipt,
    Ref,
    Span,
    Usage,
    Word,
)


class HubSpot:
    """One HubSpot account: contacts and deals. HubSpot's people call contacts leads; there is no kind for them."""

    settings: ClassVar[type[ConnectionSettings]] = HubSpotSettings
    gone_is_erased: ClassVar[bool] = True  # by gdpr-delete, or 90 days after it was archived

    def __init__(
        self,
        connection: str,
        settings: HubSpotSettings,
        *,
        clock: Clock,  # noqa: ARG002 - of the protocol; HubSpot's own clock is the one that counts
        timer: Timer = Timer(),  # noqa: B008 - frozen
    ) -> None:
        self._connection = connection
        self._settings = settings
        self._client = Client(connection, settings.api_version, open_transport(settings, timer))
        self._schema = Schema(self._client, connection)
        self._details = Details(self._client, settings)
        self._standing = Standing(OwnerNames(self._client), self._details, self._schema)

    def account(self, known: model.Account | None) -> model.Account:  # noqa: ARG002 - a call is the only confirmation
        """One call: nothing else that HubSpot answers names the account."""
        return self._details.asked()

    def check(self, fields: Sequence[FieldSpec]) -> Iterator[Finding]:
        """A bad token, missing scopes, missing or unfit properties, unknown code fields, a used-up day."""
        return Checker(self._client, self._connection, self._settings).findings(fields)

    def provision(self, fields: Sequence[FieldSpec]) -> Iterator[Finding]:
        """Creates a property group and our properties, on contacts and deals."""
        return provision(self._client, self._connection, fields)

    def unprovision(self, fields: Sequence[FieldSpec], *, preview: bool = False) -> Iterator[Finding]:
        """Archives the properties that `provision` made, and their group if nothing else is in it."""
        return unprovision(self._client, self._connection, fields, preview=preview)

    def pull(self, fields: Sequence[FieldSpec], span: Span) -> Iterator[Page]:
        """Everything is read by several readers at once, as fast as the rate limits allow: a call a hundred records.

        A tick with nothing new is two calls. Once a day, `Since` also reads the contacts of all open deals anew,
        because a change of links leaves no trace on a deal, and the archived records.
        """
        return Puller(self._client, self._reader(fields)).pages(span)

    def _reader(self, fields: Sequence[FieldSpec]) -> Reader:
        account = Account(self._client, self._settings, self._standing)
        return Reader(self._connection, self._settings, fields, account)

    def described(self, fields: Sequence[FieldSpec]) -> model.Described:
        """A call for the properties of each kind, where they are not known yet."""
        others = {Kind.CONTACT: self._settings.code_fields.contact, Kind.DEAL: self._settings.code_fields.deal}
        return self._schema.described(fields, others)

    def words(self) -> Iterator[Word]:
        """Three calls: the pipelines, the labels, and the properties where they are not known yet."""
        return words(self._client, self._schema)

    def histories(self, refs: Sequence[Ref]) -> Iterator[FieldHistory]:
        """A call for fifty records; one for the properties of each kind, once a run."""
        yield from Histories(self._client, self._reader(()), self._schema).of(refs)

    def foresee(self, changes: Sequence[FieldChange]) -> None:
        """One call for each kind, the first time."""
        self._schema.refuse_unfit(changes)

    def push(self, changes: Sequence[FieldChange]) -> Iterator[Receipt]:
        """Reads 100 records, writes those 100 at once, and reads back what was overwritten in between: HubSpot has no
        conditional write. Four calls a hundred records.

        Before the first of each kind, one call reads its properties. Raises ConfigError, with nothing written, when one
        that changes are to be written to is gone or does not fit.
        """
        self._schema.refuse_unfit(changes)
        yield from push.push(self._client, self._connection, changes)

    def push_links(self, changes: Sequence[LinkChange]) -> Iterator[Receipt]:
        """Contacts of deals, by HubSpot's default association: three calls a hundred."""
        return link_receipts(Associations(self._client, self._connection), changes)

    def recall(self, changes: Sequence[FieldChange]) -> Iterator[Receipt]:
        """By the history of the fields: a call for fifty records."""
        return push.recall(self._client, changes)

    def read(self, refs: Sequence[Ref], fields: Sequence[FieldSpec]) -> Mapping[Ref, Mapping[str, str]]:
        return look.read(self._client, self._connection, refs, fields)

    def calls(self) -> Mapping[str, int]:
        return self._client.transport.calls

    def usage(self) -> Usage | None:
        """By the headers of the latest answers. HubSpot tells OAuth apps nothing."""
        limiter = self._client.transport.limiter
        return limiter.usage() if isinstance(limiter, Limiter) else None

    def close(self) -> None:
        self._client.transport.close()
