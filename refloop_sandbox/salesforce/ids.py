"""Salesforce record ids: 15 case-sensitive characters, or 18 with a checksum of the letters' case.

Source: Salesforce docs, "15-character and 18-character record IDs".
"""

from __future__ import annotations

from functools import lru_cache

_DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_CHECK = "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"
_ALLOWED = frozenset(_DIGITS)
_INSTANCE = "Lo0"


@lru_cache(maxsize=100_000)
def _check(five: str) -> str:
    return _CHECK[sum(1 << place for place, letter in enumerate(five) if "A" <= letter <= "Z")]


def checksum(short: str) -> str:
    """The three characters that turn a 15-character id into its 18-character form."""
    return _check(short[:5]) + _check(short[5:10]) + _check(short[10:])


def full_id(text: str) -> str | None:
    """The 18-character form of an id of either length; None when `text` is no id or its checksum is wrong."""
    if len(text) not in (15, 18) or not _ALLOWED.issuperset(text):
        return None
    full = text[:15] + checksum(text[:15])
    return full if len(text) == 15 or text == full else None


def make_id(prefix: str, number: int) -> str:
    """The `number`-th id under a three-character key prefix. Their text order is the order of the numbers."""
    digits = ""
    while number:
        number, digit = divmod(number, 62)
        digits = _DIGITS[digit] + digits
    short = f"{prefix}{_INSTANCE}{digits:0>9}"
    return short + checksum(short)
