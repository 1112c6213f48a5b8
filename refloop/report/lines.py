"""What everything that is printed goes through: lines and tables, plain text, coloured on a terminal."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from rich.console import Console
from rich.text import Text

from refloop.report.measure import WORD, width_of

MOST = 20
"""How many rows of a list people are shown where another command shows them all."""

_NARROWEST = 40
"""What is left of a line beside its indentation, at least."""
_LAST_COLUMN = 30
"""Text that stands under names of columns, or after a word of its own, begins here or before."""
_GAP = re.compile(r"\s\s+")

_ACTING = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]")
"""Control characters but tab and line feed, and those that set the direction of text (Unicode TR 9)."""


class Line(NamedTuple):
    """What is printed on a line, and how rich paints it."""

    text: str
    style: str = ""


def say(console: Console, text: str, style: str = "", *, to_copy: bool = False) -> None:
    """Prints text as it is: values from a CRM are never taken for markup, and are `harmless`. On a terminal that is too
    narrow it is broken between words, unless somebody is `to_copy` it as it is; for a file or a pipe never."""
    shown = harmless(text)
    if console.is_terminal and not to_copy:
        shown = "\n".join(piece for line in shown.split("\n") for piece in broken(line, console.width))
    show(console, Line(shown, style))


def show(console: Console, line: Line) -> None:
    """Prints a line that is harmless, and no wider than is wanted."""
    if console.is_terminal:
        console.print(Text(line.text, style=line.style), soft_wrap=True)
    else:  # as it is: rich would make spaces of tabs
        console.file.write(f"{line.text}\n")


def broken(line: str, width: int) -> list[str]:
    """A line in lines of at most so many columns: broken between words, what follows stands under the text that it goes
    on with. A word that is longer than a line stays whole."""
    if width_of(line) <= width:
        return [line]
    then = " " * _text_begins(line, width)
    lines: list[str] = []
    begin = end = 0
    for word in WORD.finditer(line):
        before = then if lines else ""
        if begin < end and len(before) + width_of(line[begin : word.end()]) > width:
            lines.append(before + line[begin:end])
            begin = word.start()
        end = word.end()
    return [*lines, (then if lines else "") + line[begin:end]]


def _text_begins(line: str, width: int) -> int:
    """In which column what is broken goes on: under the text of a line that begins with columns, else indented by two
    more than the line."""
    indent = len(line) - len(line.lstrip())
    column = max((gap.end() for gap in _GAP.finditer(line, 0, _LAST_COLUMN)), default=0)
    column = column if column > indent else indent + 2
    return column if width - column >= _NARROWEST else 0


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


def section(console: Console, title: str, lines: Sequence[str]) -> None:
    """Prints lines of a story under their title; nothing where there are none."""
    if lines:
        say(console, f"  {title}:", "bold")
        for line in lines:
            say(console, f"    {one_line(line)}")
