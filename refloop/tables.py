"""Tables that people bring: CSV, TSV or JSON, in whatever form spreadsheets, databases and CRMs write them.

The one reader for all of them: the codes, the referrals, and the exports that fill the local CRMs. It knows forms, not
columns: what a column means is its caller's business.

* comma, semicolon, tab or bar, whichever the header holds most, or the one that Excel's `sep=` line names;
* UTF-8, or UTF-16 where a byte order mark says so; any line end; blank lines; trailing separators, and rows that end
  early (Excel leaves trailing separators out: Microsoft support, "Column delimiters are missing");
* JSON: a list of objects, one object, or one a line;
* `="00123"`, by which a cell is kept from becoming a number, is 00123;
* a leading apostrophe that keeps spreadsheets from taking a cell for a formula (`protected`) is taken off again.
"""

from __future__ import annotations

import codecs
import csv
import io
import json
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import chain
from pathlib import Path
from typing import BinaryIO

from refloop.errors import DataError

STDIN = Path("-")
"""The path that means standard input."""

SUFFIXES = (".csv", ".tsv", ".txt", ".json", ".jsonl", ".ndjson")
"""What the name of a table may end with, to be found in a folder. A file that is named may be called anything."""

_HEAD = 65_536
_DELIMITERS = ",;\t|"
_SEP = re.compile(r'"?sep=([^\r\n])"?[,; ]*', re.IGNORECASE)
_QUOTED = re.compile('"[^"]*"')
_FORMULA = re.compile(r"'*\s*[=+\-@|＝＋－＠]")  # noqa: RUF001 - the full-width twins are meant
_AS_TEXT = re.compile('="(.*)"', re.DOTALL)
_HALF = re.compile("[\ud800-\udfff]")
_UNREADABLE = {
    b"PK\x03\x04": "an Excel workbook or another zip file",
    b"\xd0\xcf\x11\xe0": "an old Excel workbook",
    b"\x1f\x8b": "compressed",
}
_SAVE_AS = "Save it as CSV in UTF-8, with a first line that names the columns."


def column_key(label: str) -> str:
    """A column's name as it is compared: `Created Date`, `CreatedDate` and `created_date` are one."""
    return "".join(filter(str.isalnum, label.casefold()))


def protected(value: str) -> str:
    """A cell that no spreadsheet takes for a formula. Reading a table takes the protection off again, exactly."""
    return f"'{value}" if _FORMULA.match(value) else value


def _unprotected(value: str) -> str:
    if value.startswith("'"):
        return value[1:] if _FORMULA.match(value) else value
    if value.startswith('="') and (as_text := _AS_TEXT.fullmatch(value)):
        return as_text[1].replace('""', '"').strip()
    return value


@dataclass(frozen=True, slots=True)
class Line:
    """A row. `number` is the line on which it begins; in a list of JSON objects, the how-many-th it is.

    `cells` are stripped texts by `column_key`; "" where a cell is empty, and no entry where the row has no such cell.
    `nested` are the labels of JSON values that are no text: lists and objects.
    """

    number: int
    cells: Mapping[str, str]
    nested: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class BadLine:
    """A row that is none, and why."""

    number: int
    why: str


@dataclass
class Table:
    """An open table, for one reading. `name` is what faults call it.

    `labels` are its columns as they are spelled, by `column_key`; of JSON (`is_json`), those met so far. `twice` are
    the keys of columns that stand there more than once.

    Iterating raises DataError, which names the line, where the file cannot be read on.
    """

    name: str
    is_json: bool = False
    labels: dict[str, str] = field(default_factory=dict)
    twice: set[str] = field(default_factory=set)
    rows: Iterable[Line | BadLine] = ()

    def __iter__(self) -> Iterator[Line | BadLine]:
        yield from self.rows


@contextmanager
def open_table(path: Path) -> Iterator[Table]:
    """Opens a table; `STDIN` is standard input. Raises DataError where it is none."""
    name = "standard input" if path == STDIN else path.name
    with reading(name):
        if path == STDIN:
            yield _table(sys.stdin.buffer, name, "")
            return
        with path.open("rb") as file:
            yield _table(file, name, path.suffix.lower())


@contextmanager
def reading(name: str) -> Iterator[None]:
    """Raises DataError for a disk that fails while a table is read."""
    try:
        yield
    except OSError as error:
        raise DataError(f"cannot read {name}: {error.strerror}") from error


def chunks(rows: Iterable[Line | BadLine], size: int) -> Iterator[list[Line | BadLine]]:
    """The rows by `size`. What was read before a fault of the whole file is handed out before it is raised."""
    chunk: list[Line | BadLine] = []
    try:
        for row in rows:
            chunk.append(row)
            if len(chunk) == size:
                yield chunk
                chunk = []
    except DataError:
        if chunk:
            yield chunk
        raise
    if chunk:
        yield chunk


def _table(file: BinaryIO, name: str, suffix: str) -> Table:
    head = file.read(_HEAD)
    for magic, what in _UNREADABLE.items():
        if head.startswith(magic):
            raise DataError(f"{name} is {what}", remedy=_SAVE_AS)
    encoding = "utf-16" if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) else "utf-8-sig"
    lines = _lines(io.BufferedReader(_Rejoined(head, file)), encoding, name)
    start = head.decode(encoding, "ignore").lstrip()[:1]
    if suffix in (".jsonl", ".ndjson") or (suffix != ".json" and start == "{" and suffix not in (".csv", ".tsv")):
        return _objects(_json_lines(lines, name), name)
    if suffix == ".json" or (start == "[" and suffix not in (".csv", ".tsv")):
        return _objects(_json_list(lines, name), name)
    return _separated(lines, name)


class _Rejoined(io.RawIOBase):
    """A stream with its beginning, which was looked at, put back: standard input cannot be wound back."""

    def __init__(self, head: bytes, rest: BinaryIO) -> None:
        self._head = head
        self._rest = rest

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]  # typeshed has a protocol that it does not export
        size = len(buffer)
        part, self._head = self._head[:size], self._head[size:]
        part = part or self._rest.read(size)
        buffer[: len(part)] = part
        return len(part)


def _lines(file: BinaryIO, encoding: str, name: str) -> Iterator[str]:
    """The lines with their ends. Raises DataError for the first that is no text."""
    number = 0
    try:
        with io.TextIOWrapper(file, encoding=encoding, newline="", errors="surrogateescape") as text:
            for number, line in enumerate(text, start=1):
                if "\0" in line or (not line.isascii() and _HALF.search(line)):
                    raise DataError(f"{name} is not UTF-8: line {number}", remedy="Export it again as CSV in UTF-8.")
                yield line
    except UnicodeError:  # UTF-16 that breaks off has no bytes to escape
        raise DataError(f"{name} is not the UTF-16 that it says: after line {number}", remedy=_SAVE_AS) from None


def _separated(lines: Iterator[str], name: str) -> Table:
    table = Table(name)
    done = 0
    first = ""
    for first in lines:
        done += 1
        if first.strip():
            break
    told = _SEP.fullmatch(first.rstrip("\r\n"))
    if told:
        first = next(lines, "")
        done += 1
    delimiter = told[1] if told else _delimiter(first)
    reader = csv.reader(chain([first], lines), delimiter=delimiter, strict=True)
    start = done - 1
    header = _next(reader, name, start) or []
    keys = [column_key(label) for label in header]
    for key, label in zip(keys, header, strict=True):
        if key in table.labels:
            table.twice.add(key)
        elif key:
            table.labels[key] = label.strip()
    table.rows = _rows(reader, keys, name, start)
    return table


def _delimiter(header: str) -> str:
    bare = _QUOTED.sub("", header)
    return max(_DELIMITERS, key=bare.count)


def _next(reader: Iterator[list[str]], name: str, before: int) -> list[str] | None:
    try:
        return next(reader, None)
    except csv.Error as error:
        line = before + getattr(reader, "line_num", 0)
        raise DataError(
            f"{name} is not a CSV file that can be read on: line {line}: {error}",
            remedy="Look for a quotation mark that is not doubled, or is never closed. " + _SAVE_AS,
        ) from None


def _rows(reader: Iterator[list[str]], keys: list[str], name: str, before: int) -> Iterator[Line | BadLine]:
    line = before + getattr(reader, "line_num", 0) + 1
    while (cells := _next(reader, name, before)) is not None:
        cells = [_unprotected(cell.strip()) for cell in cells]
        if any(cells):
            if any(cells[len(keys) :]):
                yield BadLine(line, "has more fields than the header has columns")
            else:
                yield Line(line, {key: cell for key, cell in zip(keys, cells, strict=False) if key})
        line = before + getattr(reader, "line_num", 0) + 1


def _objects(found: Iterable[tuple[int, object]], name: str) -> Table:
    """A table of JSON objects; its first one is looked at, so that `labels` says something before it is read."""
    table = Table(name, is_json=True)
    values = iter(found)
    begin = [next(values, None)]
    for item in filter(None, begin):
        if isinstance(item[1], Mapping):
            _learn(table, item[1])
    table.rows = _json_rows(chain(filter(None, begin), values), table)
    return table


def _learn(table: Table, value: Mapping[str, object]) -> None:
    for label in value:
        table.labels.setdefault(column_key(label), label.strip())


def _json_rows(found: Iterable[tuple[int, object]], table: Table) -> Iterator[Line | BadLine]:
    for number, value in found:
        if not isinstance(value, Mapping):
            raise DataError(f"{table.name}, line {number}: is no JSON object with named values", remedy=_SAVE_AS)
        _learn(table, value)
        cells = {column_key(label): _text(cell) for label, cell in value.items()}
        if any(_HALF.search(text) or "\0" in text for text in chain(value, cells.values())):
            yield BadLine(number, "holds half a character, which is no text")
        elif any(cells.values()):
            nested = tuple(label for label, cell in value.items() if isinstance(cell, list | dict))
            yield Line(number, cells, nested)


def _text(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list | dict):
        return json.dumps(value, ensure_ascii=False)
    return "" if value is None else str(value).strip()


def _json_lines(lines: Iterator[str], name: str) -> Iterator[tuple[int, object]]:
    for number, line in enumerate(lines, start=1):
        if line.strip():
            yield number, _parsed(line, f"{name}, line {number}")


def _json_list(lines: Iterator[str], name: str) -> Iterator[tuple[int, object]]:
    text = "".join(lines)
    found = _parsed(text, name) if text.strip() else []
    yield from enumerate(found if isinstance(found, list) else [found], start=1)


def _parsed(text: str, place: str) -> object:
    """Numbers stay as they are written, but for 1e15, which is told as spreadsheets tell it: 1E+15."""
    exact: Callable[[str], str] = lambda number: str(Decimal(number))  # noqa: E731 - its type is what is said
    try:
        return json.loads(text, parse_int=str, parse_float=exact, parse_constant=_no_number)
    except (ValueError, ArithmeticError, RecursionError) as error:
        why = f" at column {error.colno} of line {error.lineno}" if isinstance(error, json.JSONDecodeError) else ""
        raise DataError(f"{place}: is no JSON that can be read{why}", remedy=_SAVE_AS) from None


def _no_number(text: str) -> object:
    raise ValueError(text)
