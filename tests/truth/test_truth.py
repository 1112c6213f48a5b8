"""How far refloop is from the truth, on an untidy company played through it at three paces."""

from __future__ import annotations

import pytest

from tests.truth.judge import contradictions
from tests.truth.run import Played, play
from tests.truth.table import lines

pytestmark = pytest.mark.slow

SEED, SIZE = 1, 0.3
PACES = (60, 8, 1)
BOUNDS = {"wrong": 0.005, "false": 0.005, "missed": 0.0}
"""The most of each, as a part of what is owed."""

LEAST_RIGHT = 0.88


@pytest.fixture(scope="module")
def played() -> dict[int, Played]:
    return {pace: play(SEED, SIZE, pace) for pace in PACES}


@pytest.mark.parametrize("pace", PACES)
def test_no_sync_meets_trouble(played: dict[int, Played], pace: int) -> None:
    assert played[pace].problems == []


@pytest.mark.parametrize("pace", PACES)
@pytest.mark.parametrize("part", BOUNDS)
def test_little_goes_wrong(played: dict[int, Played], pace: int, part: str) -> None:
    judged = played[pace].judgement
    assert judged.share(part) <= BOUNDS[part], "\n".join(lines([judged]))


def test_most_is_credited_right(played: dict[int, Played]) -> None:
    judged = played[PACES[0]].judgement
    assert judged.share("right") >= LEAST_RIGHT, "\n".join(lines([judged]))


@pytest.mark.parametrize("pace", PACES[1:])
def test_no_pace_contradicts_another(played: dict[int, Played], pace: int) -> None:
    found = [one.key for one in contradictions(played[PACES[0]].judgement, played[pace].judgement)]
    assert found == []
