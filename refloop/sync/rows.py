"""What a row of codes or of referrals says, as values. Every fault of a row is told, not only its first."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from typing import ParamSpec, TypeVar

from refloop.mapping.advocates import Parts, looks_issued, parts_of
from refloop.mapping.codes import code_key
from refloop.mapping.people import email_key
from refloop.mapping.spoilt import spoilt
from refloop.model import Code, Referrer

P = ParamSpec("P")
T = TypeVar("T")

CODE_COLUMNS = ("code", "referrer", "referrer_name", "referrer_email", "program", "valid_from", "valid_to")
ADVOCATE_COLUMNS = ("promotion_referral_code", "advocate", "promotion")
"""Of Salesforce's own codes: the whole of one, or its halves. Any of them says that the code is one of those."""

REFERRAL_COLUMNS = ("code", "email", "date", "note")
DEFAULT_PROGRAM = "default"
_LONGEST = 255
_MAY_BE_UNSAID = ("program", "valid_from", "valid_to")
_MIDNIGHT = re.compile(r"(\d{4}-\d\d-\d\d)[ T]00:00(?::00(?:\.0+)?)?(?: ?UTC|Z|\+00(?::?00)?)?")


class BadRow(ValueError):  # noqa: N818 - a fact about one row, turned into a line of the import's report
    """One row cannot be used; the message says why and what would be right."""


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


@dataclass(frozen=True, slots=True)
class Enrolment:
    """A code together with who hands it out.

    `advocate` is the code that its first half is, of a code of Salesforce's own. `unsaid` names what the row does not
    say of the codes, so that a known one keeps it.
    """

    code: Code
    referrer: Referrer
    advocate: Code | None = None
    unsaid: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Claim:
    """A referral that somebody submits: this person came with this code, on this date."""

    code: str
    email: str
    on: date
    note: str


def enrolment(row: Mapping[str, str]) -> Enrolment:
    """A row of a codes file as values. What has no column there is `unsaid`. Raises BadRow."""
    every = EveryFault()
    text, parts = every.of(_code_and_parts, row) or ("", None)
    advocate = row.get("advocate", "") or (parts.advocate if parts else "")
    referrer = every.of(_identifier, "referrer", row.get("referrer", "") or advocate)
    email = every.of(_address, row, "referrer_email")
    name = every.of(_short_enough, "referrer_name", row.get("referrer_name", ""))
    program = row.get("program", "") or (parts.promotion if parts else "")
    if program:
        every.of(_identifier, "program", program)
    start, end = every.of(_date, row, "valid_from"), every.of(_date, row, "valid_to")
    every.told()
    code = Code(text, code_key(text), referrer, program or DEFAULT_PROGRAM, start, end)
    half = replace(code, code=parts.advocate, key=code_key(parts.advocate)) if parts else None
    said = {column for column in _MAY_BE_UNSAID if column in row and column != "program"}
    return Enrolment(
        code,
        Referrer(referrer, name, email),
        half,
        frozenset(_MAY_BE_UNSAID) - said - ({"program"} if program else set()),
    )


def _code_and_parts(row: Mapping[str, str]) -> tuple[str, Parts | None]:
    """The code of a row, and its halves where it is one of Salesforce's own."""
    advocate, promotion = row.get("advocate", ""), row.get("promotion", "")
    whole = row.get("promotion_referral_code", "")
    text = whole or row.get("code", "") or advocate
    parts = None
    if text and (whole or advocate or promotion):
        if promotion and "-" not in text:
            text = f"{text}-{promotion}"
        parts = parts_of(text, advocate=advocate, promotion=promotion)
        if parts is None:
            raise BadRow(f"code {short(text)!r} does not join the advocate's code and the promotion's by a hyphen")
    elif program := row.get("program", ""):
        halves = parts_of(text, promotion=program)
        parts = halves if halves and looks_issued(halves.advocate) else None
    for part in (text, *(parts[:1] if parts else ())):
        if len(code_key(_identifier("code", part))) < 2:
            raise BadRow(f"code {short(part)!r} has fewer than two letters or digits")
    return text, parts


def claim(row: Mapping[str, str], today: date) -> Claim:
    """A row of a referrals file as values; without a date, it is today's. Raises BadRow."""
    every = EveryFault()
    code = every.of(_identifier, "code", row.get("code", ""))
    email = every.of(_address, row, "email")
    on = every.of(_date, row, "date") or today
    if on > today:
        every.faults.append(f"date {on} is in the future")
    if not row.get("email"):
        every.faults.append("email is empty")
    every.told()
    return Claim(code, email or "", on, row.get("note", ""))


def _address(row: Mapping[str, str], column: str) -> str | None:
    text = row.get(column, "")
    email = email_key(text)
    if text and email is None:
        raise BadRow(f"{column} is not an e-mail address")
    return email


def _identifier(column: str, value: str) -> str:
    """What names something: there, not too long, and as somebody wrote it."""
    if not value:
        raise BadRow(f"{column} is empty")
    what = spoilt(value)
    if what is not None:
        raise BadRow(
            f"{column} {short(value)!r} is what a spreadsheet or a program made of it: {what}; "
            "take it from where it was issued, into a column that is formatted as text"
        )
    return _short_enough(column, value)


def _short_enough(column: str, value: str) -> str:
    if len(value) > _LONGEST:
        raise BadRow(f"{column} is longer than {_LONGEST} characters")
    return value


def _date(row: Mapping[str, str], column: str) -> date | None:
    text = row.get(column, "")
    if at_midnight := _MIDNIGHT.fullmatch(text):
        text = at_midnight[1]
    try:
        return date.fromisoformat(text) if text else None
    except ValueError:
        raise BadRow(f"{column} {short(text)!r} is not a date; write it as 2026-03-31") from None


def short(text: str) -> str:
    return text if len(text) <= 40 else text[:39] + "…"
