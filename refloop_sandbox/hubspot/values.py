"""Which property values HubSpot accepts, and the form in which it keeps them.

HubSpot properties guide and the "enhanced validations" changelog of April 2025: values are text; anything but a
string property refuses surrounding spaces; `""` clears.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime

from refloop_sandbox.hubspot.errors import Issue, invalid_json
from refloop_sandbox.hubspot.schema import Property
from refloop_sandbox.hubspot.spelling import iso, moment, parse_millis

MAX_TEXT = 65_536
_NUMBER = re.compile(r"[+-]?([0-9]+([.][0-9]*)?|[.][0-9]+)([eE][+-]?[0-9]{1,3})?")
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_EMAIL = re.compile(r"[^@\s,;<>()]+@[^@\s,;<>()]+[.][^@\s,;<>().]+")
_DAY = 86_400_000


def text_of(name: str, value: object) -> str:
    """The text of a JSON value. Raises Refusal for lists and objects."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return repr(value)
    raise invalid_json(f"Cannot deserialize value of type `java.lang.String` for property `{name}`")


def checked(definition: Property, text: str, old: str = "") -> str | Issue:
    """The kept form of a value that is not empty, or why it is refused. `old` is what a leading `;` appends to."""
    try:
        return _CHECKS.get(definition.type, _string)(definition, text, old)
    except ValueError as problem:
        code, _, message = str(problem).partition(" ")
        return Issue(definition.name, code, message, text)


def _string(definition: Property, text: str, _old: str) -> str:
    if len(text) > MAX_TEXT:
        raise ValueError(f"PROPERTY_VALUE_TOO_LONG {definition.name} is longer than {MAX_TEXT} characters.")
    if definition.name == "email":
        email = text.strip().lower()
        if not _EMAIL.fullmatch(email):
            raise ValueError(f"INVALID_EMAIL Email address {text} is invalid")
        return email
    return text


def _number(_definition: Property, text: str, _old: str) -> str:
    if not _NUMBER.fullmatch(text):
        raise ValueError(f"INVALID_INTEGER {text} was not a valid number.")
    return text


def _enumeration(definition: Property, text: str, old: str) -> str:
    many = definition.field_type == "checkbox"
    parts = [part for part in text.split(";") if part] if many else [text]
    bad = [part for part in parts if part not in definition.values]
    if bad and not (definition.external_options and not definition.options):
        allowed = ", ".join(option.value for option in definition.options)
        raise ValueError(f"INVALID_OPTION {bad[0]} was not one of the allowed options: [{allowed}]")
    if many and text.startswith(";"):
        parts = [part for part in old.split(";") if part] + parts
    return ";".join(dict.fromkeys(parts))


def _bool(_definition: Property, text: str, _old: str) -> str:
    if text not in ("true", "false"):
        raise ValueError(f"INVALID_OPTION {text} was not one of the allowed options: [true, false]")
    return text


def _date(_definition: Property, text: str, _old: str) -> str:
    if _DATE.fullmatch(text):
        return datetime.fromisoformat(text).replace(tzinfo=UTC).strftime("%Y-%m-%d")
    at = _millis(text)
    if at % _DAY:
        raise ValueError(f"INVALID_DATE {text} is at {moment(at):%H:%M:%S} UTC, not midnight!")
    return moment(at).strftime("%Y-%m-%d")


def _datetime(_definition: Property, text: str, _old: str) -> str:
    return iso(_millis(text))


def _millis(text: str) -> int:
    try:
        at = parse_millis(text)
        moment(at)
    except (ValueError, OverflowError):
        raise ValueError(f"INVALID_LONG {text} was not a valid long.") from None
    return at


_CHECKS = {"number": _number, "enumeration": _enumeration, "bool": _bool, "date": _date, "datetime": _datetime}
