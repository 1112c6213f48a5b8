"""The truth does not come from the rules that are measured by it."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

HERE = Path(__file__).parent
PLAYED = (
    "truth.py",
    "town.py",
    "clock.py",
    "desks.py",
    "world.py",
    "stories.py",
    "ways.py",
    "doubtful.py",
    "fates.py",
    "kinds.py",
)


@pytest.mark.parametrize("name", PLAYED)
def test_what_is_played_imports_nothing_of_refloop(name: str) -> None:
    tree = ast.parse((HERE / name).read_text(encoding="utf-8"))
    modules = {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    modules |= {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    assert [module for module in modules if module.partition(".")[0] == "refloop"] == []


def test_all_of_it_is_looked_at() -> None:
    judging = {"judge.py", "run.py", "table.py", "__main__.py"}
    assert {path.name for path in HERE.glob("*.py") if not path.name.startswith("test_")} == {*PLAYED, *judging}
