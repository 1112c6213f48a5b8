from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal, localcontext
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from refloop.mapping.attribution import Model, Touch, shares

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def touches(*referrals: str) -> list[Touch]:
    """One a day, in this order."""
    return [Touch(referral, NOON + timedelta(days=day)) for day, referral in enumerate(referrals)]


@pytest.mark.parametrize(
    ("model", "referrals", "expected"),
    [
        (Model.FIRST, "abc", {"a": "1"}),
        (Model.LAST, "abc", {"c": "1"}),
        (Model.LINEAR, "ab", {"a": "0.5", "b": "0.5"}),
        (Model.LINEAR, "abc", {"a": "0.333334", "b": "0.333333", "c": "0.333333"}),
        (Model.LINEAR, "cab", {"c": "0.333334", "a": "0.333333", "b": "0.333333"}),
        (Model.POSITION, "a", {"a": "1"}),
        (Model.POSITION, "ab", {"a": "0.5", "b": "0.5"}),
        (Model.POSITION, "abc", {"a": "0.4", "b": "0.2", "c": "0.4"}),
        (Model.POSITION, "abcd", {"a": "0.4", "b": "0.1", "c": "0.1", "d": "0.4"}),
        (Model.POSITION, "abcde", {"a": "0.4", "b": "0.066667", "c": "0.066667", "d": "0.066666", "e": "0.4"}),
    ],
)
def test_shares_by_model(model: Model, referrals: str, expected: dict[str, str]) -> None:
    found = shares(touches(*referrals), model)
    assert found == {referral: Decimal(share) for referral, share in expected.items()}
    assert list(found) == list(expected)


@pytest.mark.parametrize("model", Model)
def test_nothing_to_share_out(model: Model) -> None:
    assert shares([], model) == {}


def test_a_referral_counts_once_with_its_earliest_touch() -> None:
    assert shares(touches("a", "b", "a"), Model.LAST) == {"b": Decimal(1)}
    assert shares(touches("a", "b", "a"), Model.LINEAR) == {"a": Decimal("0.5"), "b": Decimal("0.5")}


def test_equal_times_are_ordered_by_referral() -> None:
    berlin = NOON.astimezone(timezone(timedelta(hours=1)))
    assert shares([Touch("b", NOON), Touch("a", berlin)], Model.FIRST) == {"a": Decimal(1)}


def test_a_naive_time_is_refused() -> None:
    with pytest.raises(ValueError, match="naive"):
        Touch("a", datetime(2026, 3, 1))  # noqa: DTZ001 - what is being refused


def test_the_caller_s_decimal_context_changes_nothing() -> None:
    with localcontext(prec=2):
        found = shares(touches("a", "b", "c"), Model.LINEAR)
    assert found["a"] == Decimal("0.333334")


TOUCHES = st.lists(
    st.builds(Touch, st.sampled_from("abcdefghijklm"), st.integers(0, 9).map(lambda day: NOON + timedelta(days=day)))
)


@given(TOUCHES, st.sampled_from(Model), st.randoms(use_true_random=False))
def test_shares_sum_to_one_and_do_not_depend_on_order(found: list[Touch], model: Model, chance: Random) -> None:
    result = shares(found, model)
    shuffled = sorted(found, key=lambda _: chance.random())
    assert list(shares(shuffled, model).items()) == list(result.items())
    assert sum(result.values()) == (Decimal(1) if found else Decimal(0))
    assert all(share > 0 for share in result.values())
    assert result.keys() <= {touch.referral for touch in found}


@given(st.integers(1, 300), st.sampled_from([Model.LINEAR, Model.POSITION]))
def test_rounding_moves_no_share_by_more_than_one_unit(count: int, model: Model) -> None:
    referrals = [f"{number:04}" for number in range(count)]
    result = shares(touches(*referrals), model)
    between = list(result.values())[1:-1] if model is Model.POSITION else list(result.values())
    assert max(between, default=Decimal(0)) - min(between, default=Decimal(0)) <= Decimal("0.000001")
