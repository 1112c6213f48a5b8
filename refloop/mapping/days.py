"""Days: an instant is on a day only in some zone. Pure."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, tzinfo
from functools import cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError


@cache
def zone_named(name: str | None) -> tzinfo:
    """The zone of an IANA name such as `America/Los_Angeles`; UTC for None, and for a name that nobody knows."""
    if not name:
        return UTC
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):  # ValueError: no name at all; OSError: a folder of names
        return UTC


def day_in(zone: tzinfo, moment: datetime) -> date:
    """The day on which an instant is there."""
    try:
        return moment.astimezone(zone).date()
    except OverflowError:  # at the edge of the calendar a zone has no room
        return moment.date()


def day_begins(zone: tzinfo, day: date) -> datetime:
    """The instant with which a day begins there, in UTC."""
    try:
        return datetime.combine(day, time(), zone).astimezone(UTC)
    except OverflowError:
        return datetime.combine(day, time(), UTC)
