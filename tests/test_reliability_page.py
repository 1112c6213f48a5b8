"""docs/reliability.md names tests that are there."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]


def test_every_command_names_a_test_file_that_is_there() -> None:
    text = (ROOT / "docs" / "reliability.md").read_text(encoding="utf-8")
    named = set(re.findall(r"tests/[\w/]+\.py", text))
    assert len(named) > 15
    assert sorted(name for name in named if not (ROOT / name).is_file()) == []
    assert "@@" not in text


def test_the_damage_is_as_often_as_the_page_says() -> None:
    told = (ROOT / "docs" / "reliability.md").read_text(encoding="utf-8")
    harness = (ROOT / "tests" / "crash" / "test_damage.py").read_text(encoding="utf-8")
    assert "600 single bits, 300 sectors, 300 truncations" in told
    assert "[(flipped, 600), (zeroed, 300), (truncated, 300)]" in harness
