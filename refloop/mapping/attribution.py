"""Who gets which share of a deal.

All models share out what was observed together; none of them says what caused the deal. Pure and exact.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction

PLACES = 6
"""Decimal places of a share."""

_UNITS = 10**PLACES


class Model(StrEnum):
    """How credit is shared among the referrals that touched a deal."""

    FIRST = "first"  # all to the first
    LAST = "last"  # all to the last
    LINEAR = "linear"  # the same to each
    POSITION = "position"  # 40 % to the first, 40 % to the last, 20 % among those between; two get half each


@dataclass(frozen=True, slots=True)
class Touch:
    """A moment at which a referral was known to be on the way to a deal. `at` is aware, else ValueError."""

    referral: str
    at: datetime

    def __post_init__(self) -> None:
        if self.at.tzinfo is None:
            raise ValueError(f"naive time: {self.at!r}")


def shares(touches: Sequence[Touch], model: Model) -> dict[str, Decimal]:
    """Referral -> share, earliest touch first; shares are positive and sum to exactly one. {} for no touches.

    A referral counts once, with its earliest touch. Equal times are ordered by referral id, so the result does
    not depend on the order of `touches`. Shares have `PLACES` places; what rounding leaves goes to the largest
    remainders, the earlier touch first. Referrals that come out with nothing are left out.
    """
    order = _order(touches)
    if not order:
        return {}
    units = _round([weight * _UNITS for weight in _weights(len(order), model)])
    # Built from its digits: arithmetic would depend on the caller's decimal context.
    return {
        referral: Decimal((0, tuple(map(int, str(count))), -PLACES))
        for referral, count in zip(order, units, strict=True)
        if count
    }


def _order(touches: Sequence[Touch]) -> list[str]:
    first: dict[str, datetime] = {}
    for touch in touches:
        first[touch.referral] = min(touch.at, first.get(touch.referral, touch.at))
    return sorted(first, key=lambda referral: (first[referral], referral))


def _weights(count: int, model: Model) -> list[Fraction]:
    """One weight for each touch in time order, `count` >= 1; they sum to one."""
    nothing = Fraction(0)
    if model is Model.FIRST:
        return [Fraction(1)] + [nothing] * (count - 1)
    if model is Model.LAST:
        return [nothing] * (count - 1) + [Fraction(1)]
    if model is Model.LINEAR or count <= 2:
        return [Fraction(1, count)] * count
    end = Fraction(2, 5)
    return [end, *[Fraction(1, 5 * (count - 2))] * (count - 2), end]


def _round(exact: list[Fraction]) -> list[int]:
    """Whole numbers with the same sum, which is whole: each rounded down, the rest to the largest remainders."""
    floors = [weight.numerator // weight.denominator for weight in exact]
    missing = sum(exact) - sum(floors)
    by_remainder = sorted(range(len(exact)), key=lambda at: (floors[at] - exact[at], at))
    for at in by_remainder[: int(missing)]:
        floors[at] += 1
    return floors
