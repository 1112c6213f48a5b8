"""How wide text is on a terminal, and how it is broken there: between words, and never inside one that fits a line.

A width counts the columns of a terminal: a Chinese letter takes two, an accent that is put on a letter none.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from rich.cells import cell_len, split_graphemes

WORD = re.compile(r"`[^`]*`[^\s`]*|\S+")
"""What is kept whole. A command that is quoted counts as one word: it is meant to be copied."""


def width_of(text: str) -> int:
    """How many columns of a terminal a text takes."""
    return len(text) if text.isascii() else cell_len(text)


def words_of(text: str) -> tuple[str, ...]:
    """The words of a text: what is kept whole when it is broken into lines."""
    return tuple(WORD.findall(text))


def wrapped(words: Iterable[str], first: int, then: int | None = None) -> Iterator[str]:
    """The words in lines of at most so many columns, the `first` one and those after it. A word that is longer than a
    line gets a line of its own, and stays whole."""
    line: list[str] = []
    used, room = 0, first
    for word in words:
        size = width_of(word)
        if line and used + 1 + size > room:
            yield " ".join(line)
            line, used, room = [], 0, first if then is None else then
        used += size + bool(line)
        line.append(word)
    if line:
        yield " ".join(line)


def folded(words: Iterable[str], width: int) -> Iterator[str]:
    """The words, those that are wider than `width` in pieces that are not: letters are never torn apart."""
    for word in words:
        if width_of(word) <= width:
            yield word
        else:
            yield from _pieces(word, width)


def _pieces(word: str, width: int) -> Iterator[str]:
    letters, _ = split_graphemes(word)
    start, used = 0, 0
    for begin, _, size in letters:
        if used and used + size > width:
            yield word[start:begin]
            start, used = begin, 0
        used += size
    yield word[start:]


def padded(text: str, width: int, *, right: bool = False) -> str:
    """The text with as many spaces as make it so wide; `right`: before it."""
    spaces = " " * (width - width_of(text))
    return spaces + text if right else text + spaces


def longest(words: Sequence[str]) -> int:
    """How wide the widest of the words is."""
    return max(map(width_of, words), default=0)
