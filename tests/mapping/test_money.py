"""One rule for money: exact until the end, then half away from zero, in the places of the currency."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from refloop.mapping.money import Won, add_up, converted_to, money_phrase, money_text, places_of, rounded, share_of
from refloop.model import LARGEST_POWER, MOST_PLACES, NO_CURRENCY

LONGEST = Decimal((0, (9,) * (LARGEST_POWER + MOST_PLACES), -MOST_PLACES + 1))

AMOUNTS = st.one_of(
    st.decimals("-1e15", "1e15", places=4),
    st.builds(
        lambda digits, exponent: Decimal(digits).scaleb(exponent),
        st.integers(-(10**26), 10**26),
        st.integers(-MOST_PLACES, LARGEST_POWER - 26),
    ),
    st.sampled_from([LONGEST, -LONGEST, Decimal("1E+308"), Decimal("1E-400"), Decimal("-0.00")]),
)
CURRENCIES = st.sampled_from(["EUR", "JPY", "BHD", "CLF", NO_CURRENCY, "???", ""])


@pytest.mark.parametrize(
    ("amount", "currency", "text"),
    [
        ("10.005", "EUR", "10.01"),
        ("10.004999", "EUR", "10.00"),
        ("-10.005", "EUR", "-10.01"),
        ("-0.004", "EUR", "0.00"),
        ("10.5", "JPY", "11"),
        ("10.0005", "BHD", "10.001"),
        ("10.00005", "CLF", "10.0001"),
        ("10.005", NO_CURRENCY, "10.01"),
        ("1E+30", "EUR", f"1{'0' * 30}.00"),
        ("99999999999999999999999999", "EUR", "99999999999999999999999999.00"),
    ],
)
def test_an_amount_is_written_in_the_places_of_its_currency(amount: str, currency: str, text: str) -> None:
    assert money_text(Decimal(amount), currency) == text


def test_people_read_it_with_separators() -> None:
    assert money_phrase(Decimal("1234567.5"), "EUR") == "1,234,567.50 EUR"
    assert money_phrase(Decimal(4000), NO_CURRENCY) == "4,000.00 in no known currency"


@given(AMOUNTS, CURRENCIES)
def test_any_amount_is_rounded_once_and_stays(amount: Decimal, currency: str) -> None:
    once = rounded(amount, currency)
    assert rounded(once, currency) == once
    assert not once.is_signed() or once < 0
    assert Decimal(money_text(amount, currency)) == once
    assert -int(once.as_tuple().exponent) == places_of(currency)


@given(st.lists(AMOUNTS, max_size=5), st.decimals("0.000001", 1, places=6))
def test_sums_and_shares_lose_no_digit(amounts: list[Decimal], share: Decimal) -> None:
    sums = add_up(share_of(Won(amount, "EUR"), share) for amount in amounts)
    backwards = add_up(share_of(Won(amount, "EUR"), share) for amount in reversed(amounts))
    assert sums == backwards
    exact = sum((_units(amount) * int(share * 10**6) for amount in amounts), 0)
    assert _units(sums.get("EUR", Decimal(0)), 6) == exact


def _units(amount: Decimal, more: int = 0) -> int:
    """The amount in whole units of its smallest possible digit."""
    sign, digits, exponent = amount.as_tuple()
    number: int = int("".join(map(str, digits))) * 10 ** (int(exponent) + 2 * MOST_PLACES + more)
    return -number if sign else number


def test_amounts_of_different_currencies_stay_apart() -> None:
    assert add_up([Won(Decimal(1), "EUR"), Won(Decimal(2), "USD"), Won(Decimal(3), "EUR")]) == {
        "EUR": Decimal(4),
        "USD": Decimal(2),
    }


def test_only_an_amount_of_another_currency_is_converted_and_only_by_its_own_crm() -> None:
    won = Won(Decimal(10), "USD", Decimal(9), "EUR")
    assert converted_to("EUR", share_of(won, Decimal("0.5"))) == Won(Decimal("4.5"), "EUR")
    assert converted_to("USD", won) is None
    assert converted_to("GBP", won) is None
    assert converted_to("EUR", Won(Decimal(10), "USD", None, "EUR")) is None
