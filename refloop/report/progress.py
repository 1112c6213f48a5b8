"""Progress bars on a terminal; silence everywhere else."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn

_WORDS = {
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
def progress_bars(console: Console) -> Iterator[Callable[[str, str, int], None]]:
    """Gives a progress callback that draws a line a stage while the block runs."""
    with Progress(
        SpinnerColumn(),
        TextColumn("{task.description:<28}"),
        TextColumn("{task.completed:>10,.0f}"),
        TimeElapsedColumn(),
        console=console,
        disable=not console.is_terminal,
        transient=True,
    ) as bars:
        tasks: dict[tuple[str, str], TaskID] = {}

        def advance(stage: str, about: str, done: int) -> None:
            key = (stage, about)
            if key not in tasks:
                tasks[key] = bars.add_task(f"{_WORDS.get(stage, stage)} {about}".rstrip(), total=None)
            bars.advance(tasks[key], done)

        yield advance
