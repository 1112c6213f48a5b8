"""The one rule for money: how amounts are added up, rounded and written. Pure.

Amounts are added up as they are and rounded once, at the end, half away from zero, to the places of their own currency.
What is written to a CRM and what any command shows goes through `rounded`, so that they agree.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import ROUND_HALF_UP, Context, Decimal, DivisionByZero, InvalidOperation, Overflow

from refloop.model import LARGEST_POWER, MOST_PLACES

USUAL_PLACES = 2

_PLACES: Mapping[str, int] = {
    **dict.fromkeys("BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF".split(), 0),
    **dict.fromkeys("BHD IQD JOD KWD LYD OMR TND".split(), 3),
    **dict.fromkeys("CLF UYW".split(), 4),
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
    return f"{rounded(amount, currency):,f} {currency}"


def shared(amount: Decimal, share: Decimal) -> Decimal:
    """A share of an amount, with all its digits."""
    return _EXACT.multiply(amount, share)


def total(amounts: Iterable[Decimal]) -> Decimal:
    """The sum of amounts of one currency, with all its digits."""
    result = Decimal(0)
    for amount in amounts:
        result = _EXACT.add(result, amount)
    return result
