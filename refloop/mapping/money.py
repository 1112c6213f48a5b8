"""The one rule for money: how amounts are added up, rounded and written. Pure.

Amounts are added up as they are and rounded once, at the end, half away from zero, to the places of their own currency.
What is written to a CRM and what any command shows goes through `rounded`, so that they agree.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Context, Decimal, DivisionByZero, InvalidOperation, Overflow

from refloop.mapping.vocabulary import words
from refloop.model import LARGEST_POWER, MOST_PLACES, NO_CURRENCY

USUAL_PLACES = 2

_PLACES: Mapping[str, int] = {
    **dict.fromkeys(words("BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF"), 0),
    **dict.fromkeys(words("BHD IQD JOD KWD LYD OMR TND"), 3),
    **dict.fromkeys(words("CLF UYW"), 4),
}
"""ISO 4217, list one (2026): the minor units of the currencies that have not two."""

_EXACT = Context(
    prec=2 * (LARGEST_POWER + MOST_PLACES),
    rounding=ROUND_HALF_UP,
    Emin=-10_000,
    Emax=10_000,
    traps=[InvalidOperation, DivisionByZero, Overflow],
)
"""Python's usual context keeps 28 digits: it rounds longer amounts without a word, and refuses to round them itself.
This one keeps every digit of the longest amount times a share of it."""


def places_of(currency: str) -> int:
    """How many digits after the point a currency has: 0 of JPY, 3 of BHD; 2 of one that is not known."""
    return _PLACES.get(currency, USUAL_PLACES)


def rounded(amount: Decimal, currency: str) -> Decimal:
    """An amount in the places of its currency, half away from zero: 10.005 EUR is 10.01, -10.005 EUR is -10.01."""
    exact = amount.quantize(Decimal(1).scaleb(-places_of(currency)), context=_EXACT)
    return _EXACT.plus(exact)  # nothing has no sign


def money_text(amount: Decimal, currency: str) -> str:
    """An amount with all places of its currency, as every command writes it: `1234.50`, in JPY `1235`."""
    return format(rounded(amount, currency), "f")


def money_phrase(amount: Decimal, currency: str) -> str:
    """An amount as people read it in a sentence: `1,234.50 EUR`."""
    named = "in no known currency" if currency == NO_CURRENCY else currency
    return f"{rounded(amount, currency):,f} {named}"


@dataclass(frozen=True, slots=True)
class Won:
    """An amount in its currency; and what the deal's CRM converts it to, where it does, by its own rates."""

    amount: Decimal
    currency: str
    home_amount: Decimal | None = None
    home_currency: str | None = None


def share_of(won: Won, share: Decimal) -> Won:
    """A share of an amount, with all its digits."""
    home = None if won.home_amount is None else _EXACT.multiply(won.home_amount, share)
    return Won(_EXACT.multiply(won.amount, share), won.currency, home, won.home_currency)


def converted_to(currency: str, won: Won) -> Won | None:
    """An amount of another currency in that one, where its own CRM converts it to that."""
    if won.currency == currency or won.home_currency != currency or won.home_amount is None:
        return None
    return Won(won.home_amount, currency)


def add_up(amounts: Iterable[Won]) -> dict[str, Decimal]:
    """Sums by currency, with all their digits. Amounts of different currencies are never added up."""
    sums: dict[str, Decimal] = {}
    for one in amounts:
        sums[one.currency] = _EXACT.add(sums.get(one.currency, Decimal(0)), one.amount)
    return sums
