"""What is handed over to be loaded: the rows of a person's own exports. Reading files is the caller's business."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")

CRMS = ("salesforce", "hubspot")


class ExportError(Exception):
    """A file as a whole cannot be used: `message` says why, `remedy` what to do. Neither says what stands in it."""

    def __init__(self, message: str, *, remedy: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy


class BadRow(ValueError):  # noqa: N818 - a fact about one row, turned into a line of the report
    """One row cannot be used; the message says why, without repeating what the row says of a person."""


@dataclass
class EveryFault:
    """Reads the values of a row one by one, and raises for all that are no good at once."""

    faults: list[str] = field(default_factory=list)

    def of(self, read: Callable[P, T], *args: P.args, **named: P.kwargs) -> T:
        """What `read` gives; nothing of use where it raises BadRow, which `told` then does."""
        try:
            return read(*args, **named)
        except BadRow as bad:
            self.faults.append(str(bad))
            return None  # type: ignore[return-value]  # nobody sees it: `told` raises before the values are used

    def told(self) -> None:
        """Raises BadRow when anything was no good."""
        if self.faults:
            raise BadRow("; ".join(self.faults))


class DayOrder(StrEnum):
    """How a date such as 03/04/2026 is written."""

    DAY_FIRST = "day-first"
    MONTH_FIRST = "month-first"


@dataclass(frozen=True, slots=True)
class Faulty:
    """A row that is none: its line, and why."""

    line: int
    why: str


@dataclass(frozen=True, slots=True)
class Sheet:
    """A table. `name` is its file's; `labels` are the columns as they are spelled, by their letters and digits in
    lower case (`createddate`); `twice` those that stand there more than once.

    `read` begins anew each time: a sheet is read once for what its rows say together, and once to be loaded. A row is
    its line and its stripped cells, by the keys of `labels`.
    """

    name: str
    labels: Mapping[str, str]
    read: Callable[[], Iterable[tuple[int, Mapping[str, str]] | Faulty]]
    twice: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Entry:
    """A row: its line in the file, which CRM it is for, its cells that are not empty by our names, all columns that its
    file has, and in which order its file writes dates."""

    line: int
    crm: str
    cells: Mapping[str, str]
    columns: Collection[str] = ()
    order: DayOrder | None = None

    def need(self, column: str) -> str:
        """Raises BadRow for an empty cell."""
        value = self.cells.get(column)
        if value is None:
            raise BadRow(f"{column} is empty")
        return value
