"""Progress bars on a terminal; silence everywhere else."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn

from refloop.report.lines import is_watched

_WORDS = {
    "history": "asking for histories",
    "import": "taking in",
    "load": "loading",
    "pull": "reading",
    "match": "matching codes",
    "claim": "deciding referrals",
    "credit": "crediting deals",
    "status": "deciding statuses",
    "total": "adding up referrers",
    "push": "writing",
}


@contextmanager
def progress_bars(console: Console) -> Iterator[Stages]:
    """Gives progress (see `refloop.sync.context`) that draws a line a stage while the block runs, and takes them away
    when it ends. A stage's clock stops when the next one begins. Nothing is drawn where nobody watches."""
    with Progress(
        SpinnerColumn(finished_text="✓"),
        TextColumn("{task.description:<28}"),
        TextColumn("{task.fields[far]:>10}"),
        TimeElapsedColumn(),
        console=console,
        disable=not is_watched(console),
        transient=True,
    ) as bars:
        yield Stages(bars)


class Stages:
    """The stages of which one is at work: a line each, in the order in which they began."""

    def __init__(self, bars: Progress) -> None:
        self._bars = bars
        self._lines: dict[tuple[str, str], TaskID] = {}
        self._far: Counter[tuple[str, str]] = Counter()
        self._totals: dict[tuple[str, str], int] = {}
        self._at_work: tuple[str, str] | None = None

    def expect(self, stage: str, about: str, total: int) -> None:
        """A stage is about to do so many."""
        self._totals[stage, about] = total

    def __call__(self, stage: str, about: str, done: int) -> None:
        """A stage has done so many more."""
        key = (stage, about)
        self._far[key] += done
        if key != self._at_work:
            self._begin(key)
        self._bars.update(self._lines[key], far=far_text(self._far[key], self._totals.get(key)))

    def _begin(self, key: tuple[str, str]) -> None:
        if self._at_work is not None:
            self._bars.update(self._lines[self._at_work], total=1, completed=1)
        if key in self._lines:  # it was done, and has more to do
            self._bars.remove_task(self._lines[key])
        stage, about = key
        self._lines[key] = self._bars.add_task(f"{_WORDS.get(stage, stage)} {about}".rstrip(), total=None, far="")
        self._at_work = key


def far_text(done: int, total: int | None) -> str:
    """How far: so many, of so many where that is known. What came on top meanwhile makes the total larger."""
    return f"{done:,} of {max(done, total):,}" if total else f"{done:,}"
