"""Every direct dependency has a lowest version, and `make floors` tries all of them."""

from __future__ import annotations

import re
import runpy
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FLOORS = runpy.run_path(str(ROOT / ".ci" / "floors.py"))


def test_all_that_the_product_asks_for_is_tried_at_its_floor() -> None:
    asked = [
        re.split(r"[\[><=]", requirement)[0]
        for file in ("pyproject.toml", "refloop_sandbox/pyproject.toml")
        for requirement in tomllib.loads((ROOT / file).read_text(encoding="utf-8"))["project"]["dependencies"]
    ]
    tried = [constraint.partition("==")[0] for constraint in FLOORS["floors"]()]
    assert len(asked) > 15
    assert set(asked) < set(tried)


@pytest.mark.parametrize("requirement", ["rich", "rich<15", "rich==14.3", "rich>14", "rich>=14,!=14.1"])
def test_a_dependency_without_a_floor_is_named(requirement: str) -> None:
    with pytest.raises(SystemExit, match="has no floor"):
        FLOORS["floor_of"](requirement)


@pytest.mark.parametrize(
    ("requirement", "floor"),
    [("rich>=14.3", "rich==14.3"), ("pyjwt[crypto]>=2.13,<3", "pyjwt==2.13"), ("lxml>=6.1,<7", "lxml==6.1")],
)
def test_a_floor_is_the_constraint_that_pip_takes(requirement: str, floor: str) -> None:
    assert FLOORS["floor_of"](requirement) == floor
