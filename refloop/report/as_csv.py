"""Tables as CSV (RFC 4180), that `codes import` and spreadsheets read. Pure and streamed."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Sequence
from io import StringIO

from refloop.report.grid import Column, Row, plain_cell
from refloop.tables import protected

LINE_END = "\r\n"
"""By RFC 4180."""


def csv_lines(columns: Sequence[Column], rows: Iterable[Row]) -> Iterator[str]:
    """The names of the columns and then the rows, each with its line end; the names also where there is no row.

    Nothing is cut or escaped but what RFC 4180 quotes, and a cell that a spreadsheet would take for a formula, which is
    `protected`: the tables that refloop reads take the protection off again.
    """
    kept = StringIO()
    writer = csv.writer(kept, lineterminator=LINE_END)
    writer.writerow([column.name for column in columns])
    yield _taken(kept)
    for row in rows:
        writer.writerow([protected(plain_cell(value)) for value in row])
        yield _taken(kept)


def _taken(kept: StringIO) -> str:
    line = kept.getvalue()
    kept.seek(0)
    kept.truncate()
    return line
