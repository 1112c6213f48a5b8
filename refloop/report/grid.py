"""Tables as lines: fitted to a terminal, or plain for what reads a pipe. Pure and streamed.

On a terminal the columns of text give way first and are wrapped between words; ids, codes, times and numbers are never
broken. Where even that does not fit, each row becomes a block of a few lines. In a pipe each row is one line, its
cells separated by tabs: what a line says does not depend on the others.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from itertools import chain, islice, zip_longest

from refloop.model import format_time
from refloop.report.lines import Line, harmless, one_line
from refloop.report.measure import folded, longest, padded, width_of, words_of, wrapped

BATCH = 1000
"""So many rows are looked at before the columns get their widths; a later batch makes them wider where it must."""

_GAP = "  "
_NARROWEST = 16
"""A column of text is made no narrower: each row becomes a block instead."""
_WORD = 32
"""A word of a text that is longer may be broken in a column: an address of a web page, say."""


class Fit(Enum):
    """What happens to a column where a terminal is too narrow."""

    WHOLE = "whole"  # ids, codes, names of fields, times: never broken
    NUMBER = "number"  # never broken, and right-aligned
    TEXT = "text"  # wrapped between words


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table. `name` is in lower snake case, as in JSON and CSV. Of a list in a WHOLE column each item is
    kept whole."""

    name: str
    fit: Fit = Fit.WHOLE

    @property
    def title(self) -> str:
        """The name as people read it."""
        return self.name.replace("_", " ")


def whole(*names: str) -> tuple[Column, ...]:
    """Columns that are never broken."""
    return tuple(Column(name) for name in names)


def text(*names: str) -> tuple[Column, ...]:
    """Columns of text."""
    return tuple(Column(name, Fit.TEXT) for name in names)


def numbers(*names: str) -> tuple[Column, ...]:
    """Columns of numbers."""
    return tuple(Column(name, Fit.NUMBER) for name in names)


Row = Sequence[object]
_Cell = tuple[str, ...]
"""What of a cell is kept whole: its words, or the items of a list, or all of it."""


def plain_cell(value: object) -> str:
    """A cell as text: nothing for None, a time to the second, the items of a list one after the other."""
    if value is None:
        return ""
    if isinstance(value, datetime):
        return format_time(value)
    if isinstance(value, list | tuple):
        return "; ".join(map(str, value))
    return str(value)


def plain(columns: Sequence[Column], rows: Iterable[Row]) -> Iterator[Line]:
    """The table for what reads a pipe: the names of the columns, and a line a row. Nothing where there is no row."""
    for number, row in enumerate(rows):
        if not number:
            yield Line("\t".join(column.name for column in columns))
        yield Line("\t".join(_on_one_line(plain_cell(value)) for value in row))


def fitted(columns: Sequence[Column], rows: Iterable[Row], width: int) -> Iterator[Line]:
    """The table for a terminal of so many columns. Nothing where there is no row.

    No line is wider, but for one that holds a single id which alone is wider than the terminal.
    """
    rest = iter(rows)
    before: _Layout | None = None
    while batch := list(islice(rest, BATCH)):
        cells = [[_parts(column, value) for column, value in zip(columns, row, strict=True)] for row in batch]
        layout = _layout(columns, cells, width, before)
        if layout is None:
            yield from chain.from_iterable(_block(columns, row, width) for row in cells)
            continue
        if layout != before:
            yield from _lines(columns, [words_of(column.title) for column in columns], layout, "bold")
        for row in cells:
            yield from _lines(columns, row, layout)
        before = layout


_Layout = tuple[int, ...]
"""How wide each column is."""


def _parts(column: Column, value: object) -> _Cell:
    if column.fit is Fit.TEXT:
        return words_of(_on_one_line(plain_cell(value)))
    if isinstance(value, list | tuple):
        items = [_on_one_line(str(item)) for item in value]
        return (*(f"{item};" for item in items[:-1]), *items[-1:])
    cell = f"{value:,}" if column.fit is Fit.NUMBER and isinstance(value, int) else _on_one_line(plain_cell(value))
    return (cell,) if cell else ()


def _on_one_line(cell: str) -> str:
    return one_line(harmless(cell)).replace("\t", "\\t")


def _layout(
    columns: Sequence[Column], rows: Sequence[Sequence[_Cell]], width: int, before: _Layout | None
) -> _Layout | None:
    """How wide each column is; None where they do not fit. One that fitted `before` and still does stays."""
    at_best, at_least = [], []
    for index, column in enumerate(columns):
        header = words_of(column.title)
        best, word = width_of(column.title), 0
        for row in rows:
            best = max(best, _size(row[index]))
            word = max(word, longest(row[index]))
        if column.fit is Fit.TEXT:
            word = max(min(word, _WORD), min(best, _NARROWEST))
        at_best.append(best)
        at_least.append(max(word, longest(header)))
    if before and all(has >= least for has, least in zip(before, at_least, strict=True)):
        return before
    spare = width - len(_GAP) * (len(columns) - 1) - sum(at_least)
    return None if spare < 0 else _shared(at_least, at_best, spare)


def _shared(at_least: Sequence[int], at_best: Sequence[int], spare: int) -> _Layout:
    """Gives each column what it needs and, where that is more than there is, what little needs leave over to the
    others, in equal parts."""
    sizes = list(at_least)
    wanting = sorted((best - least, index) for index, (least, best) in enumerate(zip(at_least, at_best, strict=True)))
    for place, (need, index) in enumerate(wanting):
        given = min(need, spare // (len(wanting) - place))
        sizes[index] += given
        spare -= given
    return tuple(sizes)


def _size(cell: _Cell) -> int:
    return sum(map(width_of, cell)) + max(len(cell) - 1, 0)


def _lines(columns: Sequence[Column], row: Sequence[_Cell], layout: _Layout, style: str = "") -> Iterator[Line]:
    """The lines of a row: as many as its highest cell has."""
    cells = [wrapped(folded(cell, size), size) for cell, size in zip(row, layout, strict=True)]
    for pieces in zip_longest(*cells, fillvalue=""):
        line = _GAP.join(
            padded(piece, size, right=column.fit is Fit.NUMBER)
            for column, piece, size in zip(columns, pieces, layout, strict=True)
        )
        yield Line(line.rstrip(), style)


def _block(columns: Sequence[Column], row: Sequence[_Cell], width: int) -> Iterator[Line]:
    """A row as a block: what its first cell says, then the others by their names, as many on a line as fit."""
    *full, line = _breakable(columns[0], row[0], "", width)
    yield from map(Line, full)
    for column, cell in zip(columns[1:], row[1:], strict=True):
        if not cell:
            continue
        name = f"{column.title}:"
        if width_of(line) + len(_GAP) + width_of(name) + 1 + _size(cell) <= width:
            line = f"{line}{_GAP}{name} {' '.join(cell)}"
        else:
            yield Line(line)
            *full, line = _breakable(column, cell, name, width)
            yield from map(Line, full)
    yield Line(line)


def _breakable(column: Column, cell: _Cell, name: str, width: int) -> list[str]:
    """A cell that begins a line of a block, under its name where it has one: as many lines as it takes."""
    first, then = (_GAP, 2 * _GAP) if name else ("", _GAP)
    room = width - len(then)
    parts = list(folded(cell, room)) if column.fit is Fit.TEXT else list(cell)
    head, *rest = wrapped([name, *parts] if name else parts or [""], width - len(first), room)
    return [first + head, *((then if width_of(line) <= room else "") + line for line in rest)]
