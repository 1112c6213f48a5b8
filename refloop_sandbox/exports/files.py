"""Reading a person's own CSV exports: any row that cannot be used is named, the others go on."""

from __future__ import annotations

import csv
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

CRMS = ("salesforce", "hubspot")


class ExportError(Exception):
    """A file as a whole cannot be used: `message` says why, `remedy` what to do. Neither says what stands in it."""

    def __init__(self, message: str, *, remedy: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy


class BadRow(ValueError):  # noqa: N818 - a fact about one row, turned into a line of the report
    """One row cannot be used; the message says why, without repeating what the row says of a person."""


@dataclass(frozen=True, slots=True)
class Layout:
    """The columns of a file. Those that are `required` must be there; `crm` is what an empty `crm` means."""

    name: str
    columns: Collection[str]
    required: Collection[str]
    crm: str


@dataclass(frozen=True, slots=True)
class Entry:
    """A row: its line in the file, which CRM it is for, and its cells that are not empty."""

    line: int
    crm: str
    cells: Mapping[str, str]

    def need(self, column: str) -> str:
        """Raises BadRow for an empty cell."""
        value = self.cells.get(column)
        if value is None:
            raise BadRow(f"{column} is empty")
        return value


@dataclass(frozen=True, slots=True)
class Faulty:
    """A row that is none: its line, and why."""

    line: int
    why: str


class ExportFile:
    """One CSV file, open for one reading. Comma, semicolon or tab; UTF-8, with or without byte order mark.

    Raises ExportError when the file as a whole cannot be used, on opening or while it is read.
    """

    def __init__(self, path: Path, layout: Layout) -> None:
        self.path = path
        self.layout = layout
        with self._opened() as header:
            self.unknown = [column for column in header.columns if column not in {*layout.columns, "crm", ""}]
        self._check(header.columns)

    def _check(self, columns: Collection[str]) -> None:
        name = self.path.name
        missing = [column for column in self.layout.required if column not in columns]
        if missing:
            raise ExportError(
                f"{name} has no column {', '.join(missing)}",
                remedy=f"Its first line must name the columns; {name} may have: {', '.join(self.layout.columns)}, crm.",
            )
        twice = sorted({column for column in columns if column and list(columns).count(column) > 1})
        if twice:
            raise ExportError(f"{name} has the column {', '.join(twice)} twice", remedy="Keep one of each.")

    def __iter__(self) -> Iterator[Entry | Faulty]:
        with self._opened() as table:
            for line, cells in table:
                yield self._row(line, cells, table.columns)

    def _row(self, line: int, cells: list[str], columns: list[str]) -> Entry | Faulty:
        if len(cells) != len(columns):
            return Faulty(line, f"{len(cells)} cells, where the first line has {len(columns)}")
        values = {
            column: text.strip()
            for column, text in zip(columns, cells, strict=True)
            if text.strip() and (column == "crm" or column in self.layout.columns)
        }
        crm = values.pop("crm", self.layout.crm).casefold()
        if crm not in CRMS:
            return Faulty(line, f"crm must be {' or '.join(CRMS)}")
        return Entry(line, crm, values)

    @contextmanager
    def _opened(self) -> Iterator[_Table]:
        """What goes wrong in reading, as ExportError."""
        name = self.path.name
        try:
            with self.path.open(encoding="utf-8-sig", newline="") as lines:
                yield _Table(lines, name)
        except OSError as error:
            raise ExportError(f"cannot read {name}: {error.strerror}") from error
        except UnicodeDecodeError:
            raise ExportError(f"{name} is not UTF-8", remedy="Export it again as CSV in UTF-8.") from None
        except csv.Error as error:
            raise ExportError(f"{name} is not a CSV file: {error}", remedy="Export it again as CSV.") from None


class _Table:
    """Rows with the lines on which they begin; empty rows left out."""

    def __init__(self, lines: Iterator[str], name: str) -> None:
        first = next(lines, "")
        delimiter = max(",;\t", key=first.count)
        header = next(csv.reader([first], delimiter=delimiter), [])
        self.columns = [column.strip().casefold().replace(" ", "_") for column in header]
        if not any(self.columns):
            raise ExportError(f"{name} is empty", remedy="Its first line must name the columns.")
        self._rows = csv.reader(lines, delimiter=delimiter, strict=True)

    def __iter__(self) -> Iterator[tuple[int, list[str]]]:
        line = 2
        for cells in self._rows:
            if any(cells):
                yield line, cells
            line = self._rows.line_num + 2
