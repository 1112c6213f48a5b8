"""How far a run is: totals where they are known, a clock that stops, and nothing where nobody watches."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from refloop.report.progress import far_text, progress_bars


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("done", "total", "text"),
    [(5, None, "5"), (1200, 5000, "1,200 of 5,000"), (5200, 5000, "5,200 of 5,200"), (5, 0, "5")],
)
def test_a_total_is_said_where_it_is_known(done: int, total: int | None, text: str) -> None:
    assert far_text(done, total) == text


def test_a_stage_ends_when_the_next_begins_and_all_is_cleared(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    screen = Terminal()
    with progress_bars(Console(file=screen, force_terminal=True, width=80)) as advance:
        advance("pull", "sf", 200)
        advance.expect("push", "sf", 400)
        advance("push", "sf", 100)
        advance("pull", "sf", 5)
    seen = screen.getvalue()
    last = seen[seen.rindex("reading sf") - 40 :]
    assert "100 of 400" in seen
    assert "205" in seen
    assert "✓" in seen
    assert last.rstrip("\n").endswith("\x1b[2K"), "the lines are taken away"


def test_a_pipe_sees_nothing_whatever_the_environment_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    pipe = io.StringIO()
    with progress_bars(Console(file=pipe)) as advance:
        advance("pull", "sf", 200)
    assert pipe.getvalue() == ""
