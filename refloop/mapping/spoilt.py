"""What a spreadsheet or a data frame made of an identifier: told, because nobody can say what it was before.

A code, a referrer's id and a program's name are compared as text. `12345.0` is not 12345 but 123450 once its separators
are gone, and `1.23457E+15` has lost the digits that told it from others.
"""

from __future__ import annotations

import re

_MADE = (
    (re.compile(r"[+-]?\d+[.,]0{1,2}"), "a number with decimals"),
    (re.compile(r"[+-]?\d(?:[.,]\d*)?[Ee][+-]\d{1,9}"), "a long number in short form, whose last digits are lost"),
    (re.compile(r"\d{15}0{2,}"), "a number of more than 15 digits, the last of which are lost"),
    (re.compile(r"true|false", re.IGNORECASE), "a yes-or-no value"),
    (re.compile(r"#[A-Z/0]+[!?]?|#+"), "a formula that it could not work out, or a number too wide for its column"),
    (re.compile(r"nan|NaN|NaT|None|null|NULL|<NA>"), "an empty cell"),
    (
        re.compile(
            r"(?:\d{1,2}-)?(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)-\d{2,4}"
            r"|\d{1,2}-(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)"
            r"|\d{4}-\d\d-\d\d(?:[ T]\d\d:\d\d(?::\d\d(?:\.\d+)?)?)?"
            r"|\d{1,2}(?P<dot>[./])\d{1,2}(?P=dot)(?:\d{2}|\d{4})(?: \d{1,2}:\d\d(?::\d\d)?)?"
        ),
        "a date",
    ),
)
_ANY = re.compile("|".join(f"(?:{form.pattern})" for form, _ in _MADE), re.IGNORECASE)


def spoilt(text: str) -> str | None:
    """What a spreadsheet made of this identifier (`a date`); None where nothing looks so.

    Codes that people invent may look alike and are left alone: `MAR-26` (a spreadsheet writes `Mar-26`), `12E5`
    (it writes `1.20E+06`), `1.5`.
    """
    if not _ANY.fullmatch(text):
        return None
    return next((what for form, what in _MADE if form.fullmatch(text)), None)
