"""SOQL's date literals: `TODAY`, `LAST_N_DAYS:30` and their kind (SOQL and SOSL Reference, Date Formats)."""

from __future__ import annotations

from datetime import date, timedelta


def period(word: str, today: date) -> tuple[date, date]:
    """The days [start, end) that a date literal, in lower case, means."""
    if ":" in word:
        name, _, count = word.partition(":")
        days = timedelta(days=int(count))
        return (today - days, today + timedelta(days=1)) if name == "last_n_days" else (
            today + timedelta(days=1), today + timedelta(days=1) + days
        )  # fmt: skip
    if word in _DAYS:
        start = today + timedelta(days=_DAYS[word])
        return start, start + timedelta(days=1)
    which, unit = word.split("_")
    return _span(unit, today, {"last": -1, "this": 0, "next": 1}[which])


_DAYS = {"today": 0, "yesterday": -1, "tomorrow": 1}


def _span(unit: str, today: date, step: int) -> tuple[date, date]:
    if unit == "week":
        sunday = today - timedelta(days=today.isoweekday() % 7) + timedelta(weeks=step)
        return sunday, sunday + timedelta(weeks=1)
    if unit == "year":
        return date(today.year + step, 1, 1), date(today.year + step + 1, 1, 1)
    return _month(today, step), _month(today, step + 1)


def _month(today: date, step: int) -> date:
    years, month = divmod(today.month - 1 + step, 12)
    return date(today.year + years, month + 1, 1)
