"""Salesforce's own referral codes: the advocate's code and the promotion's, a hyphen between: `ZB74ANSO-DemoPromo1`.

Source: Referral Marketing Developer Guide, "Referral Advocate Enrollment", `promotionReferralCode`. The parts of the
whole are told apart only where something says that it is one: refloop's own codes have hyphens too, and the `ANN` of
`ANN-2026` is a name.
"""

from __future__ import annotations

from typing import NamedTuple

from refloop.mapping.codes import code_key

_SHORTEST = 6


class Parts(NamedTuple):
    """The two halves of a code, as they are written."""

    advocate: str
    promotion: str


def parts_of(code: str, *, advocate: str = "", promotion: str = "") -> Parts | None:
    """The halves of `code`, told apart by a half that is known, else at the first hyphen; None where it has not two."""
    if promotion:
        at = next((at for at in _hyphens(code) if code_key(code[at + 1 :]) == code_key(promotion)), None)
    elif advocate:
        at = next((at for at in _hyphens(code) if code_key(code[:at]) == code_key(advocate)), None)
    else:
        at = next(iter(_hyphens(code)), None)
    if at is None or not (code_key(code[:at]) and code_key(code[at + 1 :])):
        return None
    return Parts(code[:at].strip(), code[at + 1 :].strip())


def looks_issued(advocate: str) -> bool:
    """Whether this is no word that somebody chose, but letters and digits that a system drew: at least six, mixed."""
    key = code_key(advocate)
    return len(key) >= _SHORTEST and not key.isalpha() and not key.isdigit()


def _hyphens(code: str) -> list[int]:
    return [at for at, letter in enumerate(code) if letter == "-"]
