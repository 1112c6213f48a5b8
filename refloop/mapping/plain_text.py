"""A text as a person reads it: without markup, entities and invisible characters, and with one kind of hyphen. Pure.

Codes come in from rich text, forms, spreadsheets and mails, and each writes a hyphen, a line's end or a link in its own
way. What a person sees as `ANN-2026` is that here.
"""

from __future__ import annotations

import html
import re
import unicodedata

from refloop.mapping.codes import stream_safe
from refloop.mapping.vocabulary import words

_ROUNDS = 3  # `&amp;#45;` in a form that was escaped, and stored in one that escapes

_ENTITY = re.compile(r"&(?:#[0-9]{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]{1,31});")

_TAG = re.compile(r"</?([A-Za-z][A-Za-z0-9]{0,15})(?![A-Za-z0-9])[^<>]{0,2000}>|<!--[^<>]{0,500}>")
_HREF = re.compile(r"(?<![\w-])href ?= ?[\"']?([^\"'\s>]{1,2000})", re.IGNORECASE)
_WITHIN_WORDS = words(
    "abbr acronym b bdi bdo big cite code data del dfn em font i ins kbd label mark q s samp small span strike strong "
    "sub sup time tt u var wbr"
)
_BETWEEN_LINES = words(
    "address article aside blockquote body br caption center dd div dl dt figcaption figure footer form h1 h2 h3 h4 h5 "
    "h6 head header hr html img input li main meta nav ol option p pre section select table tbody td textarea tfoot th "
    "thead title tr ul"
)

# Hyphens, dashes, minus signs, and what keyboards and word processors put in their place (Unicode: all of Pd, and the
# rest by its looks).
_HYPHENS = dict.fromkeys(
    (
        0x02D7, 0x058A, 0x05BE, 0x06D4, 0x1400, 0x1806, *range(0x2010, 0x2016), 0x2027, 0x2043, 0x207B, 0x208B, 0x2212,
        0x2500, 0x2501, 0x2574, 0x2576, 0x2796, 0x2E17, 0x2E1A, 0x2E3A, 0x2E3B, 0x2E40, 0x2E5D, 0x301C, 0x3030, 0x30A0,
        0xFE31, 0xFE32, 0xFE58, 0xFE63, 0xFF0D, 0x10EAD,
    ),
    "-",
)  # fmt: skip
_LONG_VOWEL = re.compile(r"(?<=[A-Za-z0-9])\u30fc(?=[A-Za-z0-9])")
"""What a Japanese keyboard types for a hyphen; between kana it is a vowel."""
_ENCODED_HYPHEN = re.compile(r"(?<=\w)%(?:2[dD]|[eE]2%80%9[0-5])(?=\w)")

_INVISIBLE = dict.fromkeys(
    (
        0x00AD, 0x034F, 0x061C, 0x115F, 0x1160, 0x17B4, 0x17B5, *range(0x180B, 0x1810), *range(0x200B, 0x2010),
        *range(0x202A, 0x202F), *range(0x2060, 0x2070), 0x20E3, 0x3164, *range(0xFE00, 0xFE10), 0xFEFF, 0xFFA0,
        *range(0xFFF9, 0xFFFC),
    )
)  # fmt: skip
"""Soft hyphens, zero widths, marks of direction, variation selectors, fillers, byte order marks, keycaps."""

_BROKEN_AFTER_HYPHEN = re.compile(r"(?<=\w)-[ \t]{0,8}\r?\n[ \t>]{0,8}(?=\w)")
_SOFT_BREAK = re.compile(r"(?<=\w)=\r?\n(?=\w)")
"""Quoted-printable (RFC 2045) ends a line that goes on with `=`."""


def plain_text(text: str) -> str:
    """`text` as it is read. Time is linear in its length; it may come out up to eighteen times as long."""
    if "&" in text:
        text = _without_entities(text)
    if "<" in text:
        text = _TAG.sub(_shown, text)
    if not text.isascii():
        text = text.translate(_HYPHENS).translate(_INVISIBLE)
        text = unicodedata.normalize("NFKC", stream_safe(text)).translate(_HYPHENS)
        text = _LONG_VOWEL.sub("-", text)
    if "%" in text:
        text = _ENCODED_HYPHEN.sub("-", text)
    if "\n" in text:
        text = _SOFT_BREAK.sub("", _BROKEN_AFTER_HYPHEN.sub("-", text))
    return text


def _without_entities(text: str) -> str:
    """Only what ends with a semicolon: `?a=1&copy=2` is a link."""
    for _ in range(_ROUNDS):
        before, text = text, _ENTITY.sub(lambda found: html.unescape(found[0]), text)
        if before == text:
            break
    return text


def _shown(tag: re.Match[str]) -> str:
    """What a person sees of a tag: nothing within a word, a line's end between paragraphs; of a link, where it leads.
    What is no tag of HTML stays as it is: `<ANN-2026>`."""
    name = (tag[1] or "").lower()
    if name == "a":
        link = _HREF.search(tag[0])
        return f" {link[1]} " if link else ""
    if name in _BETWEEN_LINES:
        return "\n"
    return tag[0] if name and name not in _WITHIN_WORDS else ""
