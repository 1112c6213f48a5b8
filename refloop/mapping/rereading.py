"""Which texts may be read otherwise once some codes are issued, or mean something else than before. Pure.

What may be a code in a text is a piece of it (`candidates`), and is compared with a code in three ways: as it is
written, through confusable characters, and, where a person is to be asked, one edit off. So a text in which none of the
codes stands in any of these ways reads as before. The answer may be yes too often, never too rarely: what is found is
read by the matcher itself.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from urllib.parse import unquote

from refloop.mapping.candidates import LAYERS, PART, UNIT
from refloop.mapping.codes import code_key, fold_key
from refloop.mapping.numerals import numeral_at, numeral_of
from refloop.mapping.plain_text import plain_text

MOST_SOUGHT = 100
"""Of more codes, reading all texts again costs less than looking for each."""

_VALUE = re.compile(r"(?:=|/r/)([^&;#\s]+)", re.IGNORECASE)
_PATH = re.compile(r"/r/([^/?#&;]+)", re.IGNORECASE)


class Rereading:
    """The codes that are looked for, by key; built once for all texts."""

    __slots__ = ("_folds", "_has_number", "_is_ascii", "_lengths", "_shortened")

    def __init__(self, keys: Collection[str]) -> None:
        self._folds = frozenset(map(fold_key, keys))
        self._shortened = frozenset(form for key in keys for form in _shortened(key))
        self._lengths = frozenset(len(key) + more for key in keys for more in (-1, 0, 1))
        self._has_number = any(map(str.isdigit, keys))
        self._is_ascii = all(map(str.isascii, keys))

    def concerns(self, text: str) -> bool:
        """Whether the text may be read otherwise. Time is linear in it."""
        if not self._is_ascii and not text.isascii():
            return True  # a letter may become another one where what stood between it and the next is taken out
        return any(self._stands_in(form) for form in _forms(text))

    def _stands_in(self, text: str) -> bool:
        flat = fold_key(code_key(text))
        return any(fold in flat for fold in self._folds) or any(map(self._is_near, self._keys(text)))

    def _is_near(self, key: str) -> bool:
        """Whether one edit may lead from a key to a code: with one letter less, both have a form in common."""
        return len(key) in self._lengths and not self._shortened.isdisjoint(_shortened(key))

    def _keys(self, text: str) -> Iterator[str]:
        """The keys of all pieces of a text that may be asked about."""
        yield code_key(text)
        for unit in UNIT.finditer(text):
            key = code_key(unit[0])
            yield key
            first = PART.match(unit[0])
            if first and first.end() < len(unit[0]):
                yield code_key(unit[0][first.end() :])  # what stands behind a cue: `code-ACME7K2Q`
            if self._has_number and (number := numeral_at(text, unit.start())):
                yield number.digits
        if self._has_number and (number := numeral_of(text)):
            yield number.digits
        if "=" in text or "/" in text:
            yield from self._values(text)

    def _values(self, text: str) -> Iterator[str]:
        """The keys of what links may hold."""
        for value in (*_VALUE.findall(text), *_PATH.findall(text)):
            yield code_key(value)
            if self._has_number and (number := numeral_of(value)):
                yield number.digits


def _forms(text: str) -> Iterator[str]:
    """A text as it is written and as it is read; and each of them as links carry it, decoded once and more often."""
    plain = plain_text(text)
    for form in (text,) if plain == text else (text, plain):
        yield form
        for _ in range(2 * LAYERS if "%" in form else 0):
            before, form = form, unquote(form)
            if form == before:
                break
            yield form


def _shortened(key: str) -> list[str]:
    """A key, and what is left of it with one letter less."""
    return [key, *(key[:at] + key[at + 1 :] for at in range(len(key)))]
