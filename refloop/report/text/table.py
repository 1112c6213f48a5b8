"""A table on a console: fitted to a terminal, plain for everything else."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from rich.console import Console

from refloop.report.grid import Column, Row, fitted, plain
from refloop.report.lines import show


def table(console: Console, columns: Sequence[Column], rows: Iterable[Row]) -> int:
    """Prints rows of cells under the names of their columns, streamed, and returns how many there were."""
    counted = _Counted(rows)
    lines = fitted(columns, counted, console.width) if console.is_terminal else plain(columns, counted)
    for line in lines:
        show(console, line)
    return counted.count


class _Counted:
    """Rows, and how many of them were taken."""

    def __init__(self, rows: Iterable[Row]) -> None:
        self._rows = rows
        self.count = 0

    def __iter__(self) -> Iterator[Row]:
        for row in self._rows:
            self.count += 1
            yield row
