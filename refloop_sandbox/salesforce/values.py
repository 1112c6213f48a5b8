"""Field values: what a client may send, how they are kept, how they are shown.

Kept: text; times as `2026-10-01T00:00:00.000+0000` (their text order is their time order); dates as
`2026-10-01`; booleans as 0 or 1; numbers as SQLite's own.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal

from refloop_sandbox.salesforce.errors import ApiError, RecordError, bad_json
from refloop_sandbox.salesforce.ids import full_id
from refloop_sandbox.salesforce.schema import IDS, NUMBERS, TEXTS, Field

Stored = str | int | float | None

_EMAIL = re.compile(r"[^@\s,;<>()\"]+@[^@\s,;<>()\".]+(\.[^@\s,;<>()\".]+)+")
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:?\d\d)")
_DATE = re.compile(r"\d{4}-\d\d-\d\d")


def time_text(moment: datetime) -> str:
    """A time as REST shows it, to the second."""
    return f"{moment.astimezone(UTC).replace(tzinfo=None).isoformat(timespec='seconds')}.000+0000"


def read_time(text: str) -> datetime:
    """Reads ISO 8601 with an offset. Raises ValueError for anything else."""
    if not _TIME.fullmatch(text):
        raise ValueError(text)
    return datetime.fromisoformat(text).astimezone(UTC)


def stored(item: Field, value: object) -> Stored:
    """`value` as it is kept. Raises ApiError JSON_PARSER_ERROR for another type, RecordError for a bad value."""
    if value is None or value == "":
        return None
    return _READERS[item.type](item, value)


def _text(item: Field, value: object) -> Stored:
    if not isinstance(value, str):
        if isinstance(value, (dict, list)):
            raise _wrong_type(item, value)
        value = str(value).lower() if isinstance(value, bool) else str(value)
    text = value.strip()
    if item.length and len(text) > item.length:
        message = f"{item.label or item.name}: data value too large: {text} (max length={item.length})"
        raise RecordError("STRING_TOO_LONG", message, item.name)
    return text or None


def _email(item: Field, value: object) -> Stored:
    text = _text(item, value)
    if isinstance(text, str) and not _EMAIL.fullmatch(text):
        raise RecordError("INVALID_EMAIL_ADDRESS", f"{item.label}: invalid email address: {text}", item.name)
    return text


def _picklist(item: Field, value: object) -> Stored:
    text = _text(item, value)
    if item.restricted and text is not None and text not in item.picklist:
        message = f"{item.label}: bad value for restricted picklist field: {text}"
        raise RecordError("INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST", message, item.name)
    return text


def _boolean(item: Field, value: object) -> Stored:
    if isinstance(value, str) and value.lower() in ("true", "false", "1", "0"):
        return int(value.lower() in ("true", "1"))
    if not isinstance(value, bool):
        raise _wrong_type(item, value)
    return int(value)


def _int(item: Field, value: object) -> Stored:
    number = _double(item, value)
    if not float(number or 0).is_integer():
        raise _wrong_type(item, value)
    return int(number or 0)


def _double(item: Field, value: object) -> Stored:
    if isinstance(value, bool) or not isinstance(value, (int, float, str, Decimal)):
        raise _wrong_type(item, value)
    try:
        number = float(value)
    except ValueError:
        raise _wrong_type(item, value) from None
    if not math.isfinite(number) or abs(number) >= 10 ** (item.precision - item.scale):
        message = f"{item.label}: value outside of valid range on numeric field: {value}"
        raise RecordError("NUMBER_OUTSIDE_VALID_RANGE", message, item.name)
    return round(number, item.scale)


def _date(item: Field, value: object) -> Stored:
    if isinstance(value, date) and not isinstance(value, datetime):
        return value.isoformat()
    if not isinstance(value, str) or not _DATE.fullmatch(value):
        raise _wrong_type(item, value)
    try:
        return date.fromisoformat(value).isoformat()
    except ValueError:
        raise _wrong_type(item, value) from None


def _time(item: Field, value: object) -> Stored:
    if isinstance(value, datetime):
        return time_text(value)
    if not isinstance(value, str):
        raise _wrong_type(item, value)
    try:
        moment = date.fromisoformat(value) if _DATE.fullmatch(value) else read_time(value)
    except ValueError:
        raise _wrong_type(item, value) from None
    return time_text(moment) if isinstance(moment, datetime) else f"{moment}T00:00:00.000+0000"


def _reference(item: Field, value: object) -> Stored:
    full = full_id(value) if isinstance(value, str) else None
    if full is None:
        label = (item.label or item.name).removesuffix(" Id") + " ID"
        raise RecordError("MALFORMED_ID", f"{label}: id value of incorrect type: {value}", item.name)
    return full


def _wrong_type(item: Field, value: object) -> ApiError:
    kind = {bool: "VALUE_BOOLEAN", int: "VALUE_NUMBER", float: "VALUE_NUMBER", str: "VALUE_STRING"}.get(type(value))
    return bad_json(f"Cannot deserialize instance of {item.type} from {kind or 'START_OBJECT'} value {value}")


_READERS: Mapping[str, Callable[[Field, object], Stored]] = {
    **dict.fromkeys(TEXTS, _text),
    **dict.fromkeys(NUMBERS, _double),
    **dict.fromkeys(IDS, _reference),
    "email": _email,
    "picklist": _picklist,
    "boolean": _boolean,
    "int": _int,
    "date": _date,
    "datetime": _time,
}


def shown(item: Field, value: Stored) -> object:
    """A kept value as REST's JSON shows it."""
    return bool(value) if item.type == "boolean" else value


def csv_text(item: Field, value: Stored) -> str:
    """A kept value as a Bulk API cell. Empty is null, times end in `Z`."""
    if value is None:
        return ""
    if item.type == "boolean":
        return "true" if value else "false"
    if item.type == "datetime":
        return f"{str(value)[:23]}Z"
    return str(value)
