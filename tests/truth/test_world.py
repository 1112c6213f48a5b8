"""The played company is the same for everybody who looks at it, and most of what it owes can be known."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta

import pytest

from tests.truth.judge import RATES
from tests.truth.kinds import KINDS
from tests.truth.truth import Proof
from tests.truth.world import END, START, World


def played(seed: int, size: float, steps: int) -> World:
    world = World(KINDS, seed, size)
    world.submit = lambda _code, _email: None
    for number in range(1, steps + 1):
        world.play(START + (END + timedelta(days=3) - START) * number / steps)
        world.clock.turn_to(world.clock.now + timedelta(minutes=1))
    world.close()
    return world


def _told(world: World) -> list[tuple[object, ...]]:
    return [
        (case.name, sorted(case.people), deal.refs, deal.amount, deal.currency, deal.owed, deal.proof, deal.won)
        for case in world.cases
        for deal in case.deals
    ]


def test_same_seed_same_world_however_often_one_looks() -> None:
    assert _told(played(5, 0.05, 1)) == _told(played(5, 0.05, 60))
    assert _told(played(5, 0.05, 1)) != _told(played(6, 0.05, 1))


@pytest.fixture(scope="module")
def world() -> World:
    return played(1, 0.4, 1)


def test_every_kind_of_case_leaves_a_deal(world: World) -> None:
    sold = Counter(case.kind for case in world.cases for deal in case.deals if deal.won)
    assert KINDS.keys() - sold.keys() == {"lost_or_open", "reversed_deal", "deleted_deal"}


def test_nine_tenths_of_what_is_owed_can_be_known_and_all_of_it_asked(world: World) -> None:
    owed = Counter[Proof]()
    for case in world.cases:
        for deal in case.deals:
            if deal.won and deal.owed:
                owed[deal.proof] += int(deal.amount * RATES[deal.currency])
    assert 0.88 < (owed[Proof.SHOWN] + owed[Proof.SEEN]) / owed.total() < 0.94
    assert owed[Proof.SEEN] / owed.total() < 0.06


def test_both_crms_and_several_currencies_take_part(world: World) -> None:
    deals = [deal for case in world.cases for deal in case.deals]
    assert {deal.currency for deal in deals} == set(RATES)
    assert {ref.partition(":")[0] for deal in deals for ref in deal.refs} == {"salesforce", "hubspot"}
    assert any(len(deal.refs) == 2 for deal in deals)
