"""What the org says about itself: which one it is, in which zone its people read days, in what it counts money."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from datetime import tzinfo

from refloop.connectors.salesforce.answers import Row
from refloop.connectors.salesforce.client import Client, ForeignAnswer, Part
from refloop.connectors.salesforce.ids import record_id
from refloop.connectors.salesforce.rates import Rates, read_rates
from refloop.connectors.salesforce.seen import rows_of, seen
from refloop.connectors.salesforce.settings import SalesforceSettings
from refloop.connectors.salesforce.values import text_or_none
from refloop.mapping.days import zone_named
from refloop.model import Account

_ORGANIZATION = "SELECT Id, TimeZoneSidKey FROM Organization"
_CURRENCY = "SELECT Id, DefaultCurrencyIsoCode FROM Organization"
_CORPORATE = "SELECT Id, IsoCode FROM CurrencyType WHERE IsCorporate = true"
"""Salesforce object reference, CurrencyType: "not available in single-currency organizations"."""


class Organization:
    """One org, asked at most once a process. Raises as `Client` does."""

    def __init__(self, settings: SalesforceSettings, client: Client) -> None:
        self._settings = settings
        self._client = client
        self._said: Account | None = None
        self._rates: Rates | None = None

    def account(self, known: Account | None) -> Account:
        """Which org this is. The log-in tells its id, so what was `known` is confirmed without a call; else one call.

        A user of Salesforce may have a zone of his own; the org's is the one in which its reports count days, and
        `time_zone` of the connection stands above it. What the run user may not see is None."""
        self._client.log_in()
        here = self._client.organization
        said = known if known is not None and here and known.id == here else self._asked()
        self._said = replace(said, id=said.id or here or None, zone=self._settings.time_zone or said.zone)
        return self._said

    @property
    def zone_name(self) -> str:
        """The zone, as far as it is known without a call; "" when it is not."""
        return self._settings.time_zone or (self._said.zone if self._said else None) or ""

    def zone(self) -> tzinfo:
        """The zone in which the org's people read days; UTC where it does not say."""
        if not self.zone_name and self._said is None:
            self.account(None)
        return zone_named(self.zone_name)

    def rates(self, currencies: Collection[str]) -> Rates:
        """What currencies of an org with several are worth. Of the corporate one alone that is known, of others it is
        asked, once, in one call as long as there are no more than 2,000 dated rates."""
        if self._rates is None and self._said and self._said.currency and set(currencies) <= {self._said.currency}:
            return Rates(self._said.currency)
        if self._rates is None:
            self._rates = read_rates(self._client)
        return self._rates

    def _asked(self) -> Account:
        parts = [_query("organization", _ORGANIZATION), _query("currency", _CURRENCY), _query("corporate", _CORPORATE)]
        organization, currency, corporate = seen(self._client, parts)
        row = _first("Organization", organization)
        try:
            return Account(
                id=record_id(row["Id"]) if row else None,
                zone=text_or_none(row.get("TimeZoneSidKey")),
                currency=text_or_none(_first("CurrencyType", corporate).get("IsoCode"))
                or text_or_none(_first("Organization", currency).get("DefaultCurrencyIsoCode")),
            )
        except ValueError as error:
            raise ForeignAnswer("a query of Organization", str(error)) from None


def _query(name: str, text: str) -> Part:
    return Part(name, "GET", "query", {"q": text})


def _first(name: str, body: object) -> Row:
    return next(iter(rows_of(name, body).rows), {})
