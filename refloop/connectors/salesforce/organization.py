"""What the org says about itself: which one it is, in which zone its people read days, in what it counts money."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import tzinfo

from refloop.connectors.http.errors import Rejected
from refloop.connectors.salesforce.answers import Row, row_page
from refloop.connectors.salesforce.client import Client, ForeignAnswer, Part, PartAnswer
from refloop.connectors.salesforce.ids import record_id
from refloop.connectors.salesforce.settings import SalesforceSettings
from refloop.connectors.salesforce.values import text_or_none
from refloop.errors import ConfigError
from refloop.mapping.days import zone_named
from refloop.model import Account

_ORGANIZATION = "SELECT Id, TimeZoneSidKey FROM Organization"
_ONE_CURRENCY = "SELECT Id, DefaultCurrencyIsoCode FROM Organization"
_CORPORATE = "SELECT Id, IsoCode FROM CurrencyType WHERE IsCorporate = true"
"""Salesforce object reference, CurrencyType: "not available in single-currency organizations"."""


class Organization:
    """One org, asked at most once a process. Raises as `Client` does."""

    def __init__(self, settings: SalesforceSettings, client: Client) -> None:
        self._settings = settings
        self._client = client
        self._said: Account | None = None

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

    def _asked(self) -> Account:
        organization = _query("organization", _ORGANIZATION)
        beside = (_query("currency", _ONE_CURRENCY), _query("corporate", _CORPORATE))
        try:
            bodies, answers = self._client.each_beside([organization], beside)
        except (ConfigError, Rejected):
            return Account()
        row = next(iter(_rows("Organization", bodies[0])), {})
        try:
            return Account(
                id=record_id(row["Id"]) if row else None,
                zone=text_or_none(row.get("TimeZoneSidKey")),
                currency=_currency(answers),
            )
        except ValueError as error:
            raise ForeignAnswer("a query of Organization", str(error)) from None


def _query(name: str, text: str) -> Part:
    return Part(name, "GET", "query", {"q": text})


def _currency(answers: Sequence[PartAnswer]) -> str | None:
    """The corporate currency where the org has several, else the only one."""
    said = dict(zip(("Organization", "CurrencyType"), answers, strict=False))
    for name, field in (("CurrencyType", "IsoCode"), ("Organization", "DefaultCurrencyIsoCode")):
        rows = _rows(name, said[name].body) if name in said and said[name].is_good else ()
        if found := next((text_or_none(row.get(field)) for row in rows), None):
            return found
    return None


def _rows(name: str, body: object) -> Sequence[Row]:
    try:
        return row_page(name, body, "").rows
    except ValueError as error:
        raise ForeignAnswer(f"a query of {name}", str(error)) from None
