"""Numbers as machines write them: a code of digits that went through a number field or a spreadsheet. Pure.

    12345.0        a number field in JSON or CSV                     12345, for certain
    1.2345E7       the same of a large one, all digits there         12345000, for certain
    12,345.00      a currency field as it is shown                   12345, for certain
    12.345         a grouped number or a fraction: nobody can tell   doubtful
    1.23457E+15    a spreadsheet has rounded it: digits are lost     doubtful

What is doubtful is asked, and never read as a code.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_MOST_DIGITS = 200
_EXACT_POWER = 15  # a double tells all whole numbers of so many digits apart

_NUMBER = re.compile(
    r"(?P<whole>\d{1,3}(?P<group>[ ,.'\u2019])\d{3}(?:(?P=group)\d{3}){0,20}(?=[.,]\d)(?!(?P=group)))?"
    r"(?(whole)|(?P<plain>\d{1,200}))"
    r"(?:[.,](?P<part>\d{1,200}))?(?:[eE](?P<plus>\+?)(?P<power>\d{1,3}))?(?![\w]|[.,]\d)",
    re.ASCII,
)
_AROUND = re.compile(r"[^\w.,]{0,3}")


@dataclass(frozen=True, slots=True)
class Numeral:
    """A number that is not simply its digits. `digits` is the whole number it is, or may be; `end` where it ends."""

    digits: str
    is_certain: bool
    end: int


def numeral_at(text: str, start: int) -> Numeral | None:
    """The number that begins at `start`; None where there is none, or one of plain digits, or a word such as `7E10`."""
    found = _NUMBER.match(text, start)
    if found is None:
        return None
    whole = re.sub(r"\D", "", found["whole"] or found["plain"])
    part, power = found["part"] or "", found["power"]
    if power is None:
        if not part:
            return None
        # three zeros behind a point may be thousands
        certain = not part.strip("0") and (len(part) != 3 or found["whole"] is not None)
        return Numeral(whole, certain, found.end())
    if not part and not found["plus"]:
        return None
    return _with_power(whole, part, int(power), found)


def _with_power(whole: str, part: str, power: int, found: re.Match[str]) -> Numeral:
    moved = (whole + part).ljust(len(whole) + power, "0")[:_MOST_DIGITS]
    digits, left = moved[: len(whole) + power], moved[len(whole) + power :]
    all_there = power == len(part) or (not found["plus"] and power <= _EXACT_POWER)
    return Numeral(digits, all_there and not left.strip("0"), found.end())


def numeral_of(text: str) -> Numeral | None:
    """The number that a whole text is, signs such as a currency's around it aside."""
    text = text.strip()
    before = _AROUND.match(text)
    found = numeral_at(text, before.end() if before else 0)
    return found if found is not None and _AROUND.fullmatch(text, found.end) else None
