"""Field values between Salesforce's JSON and our canonical text."""

from __future__ import annotations

import re
from datetime import date, datetime
from decimal import Decimal

from refloop.model import FieldSpec, FieldType, OutOfBounds, canonical, parse_time

SCALE = 2
"""Digits after the point of our number fields in Salesforce, where their currency has no more than that."""

DIGITS = 18
"""Salesforce metadata docs, CustomField: the precision of a Number, digits after the point included."""

_FAR = re.compile(r"-|\d{5}")
"""How a year begins that is none of 1 to 9999."""

JsonValue = str | int | float | None


def places_needed(field: FieldSpec) -> int:
    """How many digits after the point a number field of ours is to have in Salesforce."""
    return field.places if field.type is FieldType.NUMBER else max(SCALE, field.places)


def from_crm(kind: FieldType, value: object) -> str | None:
    """What a field holds, as canonical text. Raises ValueError when the value is not of the type."""
    if isinstance(value, dict | list | bool):
        raise ValueError("not a plain value")
    return canonical(kind, value)


def to_crm(kind: FieldType, text: str | None, places: int = SCALE) -> JsonValue:
    """Canonical text as Salesforce takes it in JSON; None clears the field.

    Raises ValueError for a number that would come back changed: with more digits before or after the point than the
    field has, which keeps `places` of them behind it (Salesforce rounds), or more than JSON's doubles carry.
    """
    if text is None or kind not in (FieldType.NUMBER, FieldType.MONEY):
        return text
    number = Decimal(text)
    _, _, exponent = number.as_tuple()
    if number.adjusted() >= DIGITS - places or -int(exponent) > places:
        raise ValueError("has more digits than Salesforce keeps")
    if number == number.to_integral_value() and abs(number) < 2**53:
        return int(number)
    double = float(number)
    if Decimal(repr(double)) != number:
        raise ValueError("has more digits than Salesforce keeps")
    return double


def amount(value: object) -> Decimal | None:
    """A currency field. Raises ValueError when it holds no number."""
    text = from_crm(FieldType.MONEY, value)
    return None if text is None else Decimal(text)


def moment(value: object) -> datetime:
    """A date-time, or a date as midnight UTC. Raises ValueError otherwise."""
    if not isinstance(value, str):
        raise ValueError("not a time")
    return parse_time(value)


def day(value: object) -> date:
    """A date: a day without a zone; of a date-time, that in UTC. Raises ValueError for anything else; OutOfBounds,
    which is one, for what is outside of the calendar."""
    if not isinstance(value, str):
        raise ValueError("not a date")
    if _FAR.match(value):
        raise OutOfBounds("a day outside of the calendar")
    return date.fromisoformat(value) if len(value) == len("2026-01-01") else parse_time(value).date()


def text_or_none(value: object) -> str | None:
    """A text field; None when it is empty. Raises ValueError when it holds no text."""
    if value is None or value == "":
        return None
    if not isinstance(value, str):
        raise ValueError("not a text")
    return value
