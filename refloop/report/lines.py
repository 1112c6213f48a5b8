"""What everything that is printed goes through: lines and tables, plain text, coloured on a terminal."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime
from io import StringIO

from rich.console import Console
from rich.table import Table
from rich.text import Text

from refloop.model import Finding, Level, format_time

MOST = 20
"""How many rows of a list people are shown where another command shows them all."""

_NO_WIDTH = 100_000

_ACTING = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]")
"""Control characters but tab and line feed, and those that set the direction of text (Unicode TR 9)."""


def say(console: Console, text: str, style: str = "") -> None:
    """Prints a line as it is: values from a CRM are never taken for markup, never wrapped, and `harmless`."""
    console.print(Text(harmless(text), style=style), soft_wrap=True)


def harmless(text: str) -> str:
    """The text with what would act on a terminal, or turn the text around it, as escapes. Line ends stay."""
    return _ACTING.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def is_watched(console: Console) -> bool:
    """Whether a console prints on a terminal. What rich takes for one may be a pipe, where FORCE_COLOR says so."""
    return console.file.isatty()


def one_line(text: str) -> str:
    """A value that must not look like lines of ours."""
    return text.replace("\n", "\\n")


def ago(seconds: float) -> str:
    """A length of time in one unit, for people."""
    for unit, size in (("days", 86400), ("hours", 3600), ("minutes", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit} ago"
    return f"{seconds:.0f} seconds ago" if seconds >= 2 else "just now"


def table(console: Console, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> int:
    """Prints rows of cells under the names of their columns, and returns how many there were."""
    drawn = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        drawn.add_column(column.replace("_", " "), overflow="fold")
    count = 0
    for count, row in enumerate(rows, start=1):  # noqa: B007 - counted while streamed
        drawn.add_row(*(Text(harmless(_cell(value))) for value in row))
    if count and console.is_terminal:
        console.print(drawn)
    elif count:
        # a file or a pipe has no width to fold to
        page = Console(file=StringIO(), width=_NO_WIDTH)
        with page.capture() as captured:
            page.print(drawn)
        for line in captured.get().splitlines():
            say(console, line.rstrip())
    return count


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, datetime):
        return format_time(value)
    if isinstance(value, list | tuple):
        return "; ".join(map(str, value))
    return str(value)


def section(console: Console, title: str, lines: Sequence[str]) -> None:
    """Prints lines of a story under their title; nothing where there are none."""
    if lines:
        say(console, f"  {title}:", "bold")
        for line in lines:
            say(console, f"    {one_line(line)}")


def print_findings(console: Console, found: Iterable[Finding]) -> Counter[Level]:
    """Prints one finding a line, with what to do about it, and counts them by level."""
    styles = {Level.ERROR: "red", Level.WARNING: "yellow", Level.INFO: ""}
    counts: Counter[Level] = Counter()
    for finding in found:
        counts[finding.level] += 1
        remedy = f" -> {finding.remedy}" if finding.remedy else ""
        say(console, f"{finding.level:<7} {finding.place}: {finding.message}{remedy}", styles[finding.level])
    return counts
