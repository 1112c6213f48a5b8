"""The page on the local CRMs promises nothing that no test holds."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_every_test_that_the_page_names_is_there() -> None:
    named = set(re.findall(r"`(test_\w+)`", (ROOT / "docs" / "sandbox.md").read_text(encoding="utf-8")))
    written = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "tests" / "sandbox").rglob("test_*.py"))
    assert len(named) > 50
    assert sorted(named - set(re.findall(r"def (test_\w+)\(", written))) == []
