"""What an org's currencies are worth in its corporate one."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Context, Decimal, DecimalException
from typing import Any, TypeVar

from refloop.connectors.salesforce.answers import Row
from refloop.connectors.salesforce.client import Client, Part
from refloop.connectors.salesforce.seen import rows_of, seen
from refloop.connectors.salesforce.soql import Window, page_query
from refloop.connectors.salesforce.values import amount, day, text_or_none

Value = TypeVar("Value")

PLACES = 6
"""Digits after the point that are kept of a converted amount: more than any currency has, so that it is rounded
where it is told, once."""

_WIDE = Context(prec=100)
"""Room for the longest amounts; what is longer still is not converted."""

_TYPES = ("CurrencyType", ("Id", "IsoCode", "ConversionRate", "IsCorporate"))
_DATED = ("DatedConversionRate", ("Id", "IsoCode", "ConversionRate", "StartDate"))


@dataclass(frozen=True, slots=True)
class Rates:
    """How much of each currency one unit of the corporate one (`home`) is worth: `fixed`, and by the day from which a
    rate holds, ascending (`dated`), which stands above it."""

    home: str = ""
    fixed: Mapping[str, Decimal] = field(default_factory=dict)
    dated: Mapping[str, Sequence[tuple[date, Decimal]]] = field(default_factory=dict)

    @property
    def currencies(self) -> frozenset[str]:
        return frozenset({self.home, *self.fixed, *self.dated})

    def converted(self, money: Decimal, currency: str, on: date | None) -> Decimal | None:
        """An amount in the corporate currency; None where nobody knows.

        Salesforce help, "Manage Advanced Currency Management": opportunities are converted by the rate of their
        CloseDate, and by the fixed rate where no dated one holds that day."""
        if currency == self.home:
            return money
        rate = self._rate(currency, on)
        if not rate or not self.home:
            return None
        try:
            return amount(_WIDE.quantize(_WIDE.divide(money, rate), Decimal(1).scaleb(-PLACES)))
        except DecimalException:
            return None

    def _rate(self, currency: str, on: date | None) -> Decimal | None:
        dated = self.dated.get(currency, ())
        place = bisect_right([start for start, _ in dated], on) if on else 0
        return dated[place - 1][1] if place else self.fixed.get(currency)


NO_RATES = Rates()


def read_rates(client: Client) -> Rates:
    """The rates of an org with several currencies; none that the run user may not see. Raises as `Client` does."""
    types, dates = seen(client, [_part(name, fields, "") for name, fields in (_TYPES, _DATED)])
    fixed: dict[str, Decimal] = {}
    dated: dict[str, list[tuple[date, Decimal]]] = {}
    home = ""
    for row in _rows(client, *_TYPES, types):
        code, rate = _read(row, "IsoCode", text_or_none), _read(row, "ConversionRate", amount)
        if code and rate:
            fixed[code] = rate
            home = code if row.get("IsCorporate") is True else home
    for row in _rows(client, *_DATED, dates):
        code, rate = _read(row, "IsoCode", text_or_none), _read(row, "ConversionRate", amount)
        start = _read(row, "StartDate", day)
        if code and rate and start:
            dated.setdefault(code, []).append((start, rate))
    return Rates(home, fixed, {code: sorted(some) for code, some in dated.items()})


def _part(name: str, fields: Sequence[str], after: str) -> Part:
    return Part(name, "GET", "query", {"q": page_query(name, fields, Window(), after)})


def _rows(client: Client, name: str, fields: Sequence[str], first: Any) -> Iterator[Row]:
    """All rows of an object, of which the first page was asked for already."""
    page = rows_of(name, first)
    yield from page.rows
    while page.last is not None:
        page = rows_of(name, client.call(_part(name, fields, page.last)), page.last)
        yield from page.rows


def _read(row: Row, name: str, read: Callable[[object], Value | None]) -> Value | None:
    """What a field holds; None where it makes no sense: then the currency is worth nothing that is known."""
    try:
        return None if row.get(name) is None else read(row[name])
    except ValueError:
        return None
