"""Ids, times, amounts and flags as CRMs, databases and spreadsheets write them; BadRow for what cannot be told."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation

from refloop_sandbox.exports.files import BadRow, DayOrder
from refloop_sandbox.salesforce.ids import full_id

_LARGEST = Decimal(10) ** 15


# -- ids

_SHORT_FORM = re.compile(r"\d([.,]\d*)?[eE]\+\d+")
_WHOLE = re.compile(r"(\d{1,15})\.0+")


def own_id(text: str) -> str:
    """An id, so that two writings of it are one: Salesforce's of 15 and 18 characters, `51` and a data frame's `51.0`.

    Raises BadRow for what a spreadsheet made of a long number.
    """
    if _SHORT_FORM.fullmatch(text):
        raise BadRow("an id is what a spreadsheet made of a long number; export it again and do not save it there")
    if whole := _WHOLE.fullmatch(text):
        return whole[1]
    return text[:15] if full_id(text) else text


# -- times

_ZONE = re.compile(r"\s*(UTC|GMT|Z)$", re.IGNORECASE)
_FRACTION = re.compile(r"(\d\d:\d\d:\d\d\.\d{6})\d+")
_EPOCH = re.compile(r"(\d{10}|\d{13}|\d{16})(?:\.0*)?")
_SERIAL = re.compile(r"([2-7]\d{4})(\.\d+)?")
_CLOCK = r"(?:,?\s+(\d{1,2}):(\d\d)(?::(\d\d)(?:\.\d+)?)?\s*([AaPp])?\.?(?:[Mm]\.?)?)?"
_NUMERIC = re.compile(r"(\d{1,2})([/.-])(\d{1,2})\2(\d{4}|\d\d)" + _CLOCK)
_YEAR_FIRST = re.compile(r"(\d{4})([/.-])(\d{1,2})\2(\d{1,2})" + _CLOCK)
_NAMED = re.compile(r"(?:(\d{1,2})[ -]([A-Za-z]{3})[a-z]*[ -]|([A-Za-z]{3})[a-z]* (\d{1,2}),? )(\d{4}|\d\d)" + _CLOCK)
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_EXCEL_EPOCH = datetime(1899, 12, 30, tzinfo=UTC)
_UNIX_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def moment(column: str, text: str, order: DayOrder | None = None) -> datetime:
    """A time as people's exports have it; without a zone it is UTC, without a time of day midnight.

    ISO 8601; with `UTC` after it (BigQuery) or more than six decimals (Snowflake); seconds, milliseconds or
    microseconds since 1970; a day of Excel's; 31-Mar-26, Mar 31, 2026 2:05 PM; 3/31/2026 2:05 PM or 31.03.2026 14:05,
    in the `order` that the file was found to have.
    """
    try:
        found = _read(column, text, order)
        return found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)
    except BadRow:
        raise
    except ValueError:
        raise BadRow(f"{column} is not a time; write it as 2026-03-31T14:05:00Z or 2026-03-31") from None
    except OverflowError:
        raise BadRow(f"{column} is out of range") from None


def _read(column: str, text: str, order: DayOrder | None) -> datetime:
    if epoch := _EPOCH.fullmatch(text):
        return _UNIX_EPOCH + timedelta(seconds=int(epoch[1]) / 10 ** (len(epoch[1]) - 10))
    if _SERIAL.fullmatch(text):
        return _EXCEL_EPOCH + timedelta(seconds=round(float(text) * 86_400))
    bare = _ZONE.sub("", text)
    if numeric := _NUMERIC.fullmatch(bare):
        first, dot, second, year = numeric.groups()[:4]
        day, month = _day_and_month(column, int(first), int(second), DayOrder.DAY_FIRST if dot == "." else order)
        return datetime(_full(year), month, day, *_clock(numeric.groups()[4:]), tzinfo=UTC)
    if dated := _YEAR_FIRST.fullmatch(bare):
        return datetime(int(dated[1]), int(dated[3]), int(dated[4]), *_clock(dated.groups()[4:]), tzinfo=UTC)
    if named := _NAMED.fullmatch(bare):
        day, name = int(named[1] or named[4]), (named[2] or named[3]).lower()
        return datetime(_full(named[5]), _MONTHS.index(name) + 1, day, *_clock(named.groups()[5:]), tzinfo=UTC)
    return datetime.fromisoformat(_FRACTION.sub(r"\1", bare if bare == text else f"{bare}+00:00"))


def _day_and_month(column: str, first: int, second: int, order: DayOrder | None) -> tuple[int, int]:
    if order is None and first != second:
        order = evident(first, second)
        if order is None:
            raise BadRow(f"{column} may be day/month or month/day, and no row of the file tells which: say --dates")
    return (second, first) if order is DayOrder.MONTH_FIRST else (first, second)


def evident(first: int, second: int) -> DayOrder | None:
    """The order of a date that has only one."""
    if first > 12:
        return DayOrder.DAY_FIRST
    return DayOrder.MONTH_FIRST if second > 12 else None


def order_of(text: str) -> tuple[bool, DayOrder | None]:
    """Whether a cell is a date in an order of its file's own; and that order, where it shows."""
    numeric = _NUMERIC.fullmatch(_ZONE.sub("", text))
    if numeric is None or numeric[2] == ".":
        return False, None
    return True, evident(int(numeric[1]), int(numeric[3]))


def _full(year: str) -> int:
    """Two digits are the years 1970 to 2069."""
    return int(year) if len(year) == 4 else int(year) + (2000 if int(year) < 70 else 1900)


def _clock(parts: tuple[str | None, ...]) -> tuple[int, int, int]:
    hour, minute, second, half = parts
    hours = int(hour or 0)
    if half:
        if not 1 <= hours <= 12:
            raise ValueError(hour)
        hours = hours % 12 + (12 if half in "pP" else 0)
    return hours, int(minute or 0), int(second or 0)


# -- amounts and flags

_MONEY = re.compile(r"(?:[A-Z]{3}|[$€£¥₹])?\s*([+-]?[\d.,\s]+?)\s*(?:[A-Z]{3}|[$€£¥₹])?")
_GROUPED = re.compile(r"[+-]?\d{1,3}(,\d{3})+(\.\d+)?")
_GROUPED_BY_DOTS = re.compile(r"[+-]?\d{1,3}(\.\d{3})+,\d+|[+-]?\d{1,3}(\.\d{3}){2,}")
_COMMA = re.compile(r"[+-]?\d+,(\d{1,2}|\d{4,})")


def amount(text: str | None) -> Decimal | None:
    """A plain number; or with its currency's sign and with thousands, where only one number can be meant."""
    if text is None:
        return None
    bare = re.sub(r"\s", "", found[1]) if (found := _MONEY.fullmatch(text)) else text
    grouped = _GROUPED.fullmatch(bare)
    if grouped and (grouped[2] or bare.count(",") > 1):
        bare = bare.replace(",", "")
    elif _GROUPED_BY_DOTS.fullmatch(bare) or _COMMA.fullmatch(bare):
        bare = bare.replace(".", "").replace(",", ".")
    try:
        number = Decimal(bare)
    except InvalidOperation:
        raise BadRow("amount is not a number; write it as 1234.56") from None
    if not number.is_finite() or abs(number) >= _LARGEST:
        raise BadRow("amount is out of range")
    return number


_YES = frozenset({"true", "1", "1.0", "yes", "y", "t"})
_NO = frozenset({"false", "0", "0.0", "no", "n", "f"})


def flag(column: str, text: str | None) -> bool | None:
    """Yes, no, or nothing said."""
    said = (text or "").casefold()
    if said and said not in _YES | _NO:
        raise BadRow(f"{column} is neither true nor false")
    return said in _YES if said else None
