"""How HubSpot spells times, and the names by which a path can call an object."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLIS = re.compile(r"-?[0-9]{1,15}")
_ISO = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}([Tt ][0-9]{2}:[0-9]{2}(:[0-9]{2}([.][0-9]{1,9})?)?([Zz]|[+-][0-9]{2}:?[0-9]{2})?)?"
)


def utc_now() -> datetime:
    return datetime.now(UTC)


def millis(moment: datetime) -> int:
    """Whole milliseconds since 1970 of an aware time."""
    return (moment - _EPOCH) // timedelta(milliseconds=1)


def moment(epoch_ms: int) -> datetime:
    return _EPOCH + timedelta(milliseconds=epoch_ms)


def iso(epoch_ms: int) -> str:
    """ISO 8601 in UTC the way HubSpot's Java prints it: no fraction when the milliseconds are zero."""
    text = moment(epoch_ms).strftime("%Y-%m-%dT%H:%M:%S")
    rest = epoch_ms % 1000
    return f"{text}.{rest:03d}Z" if rest else f"{text}Z"


def parse_millis(text: str) -> int:
    """Reads epoch milliseconds or ISO 8601; a time without a zone is in UTC. Raises ValueError."""
    if _MILLIS.fullmatch(text):
        return int(text)
    if not _ISO.fullmatch(text):
        raise ValueError("neither epoch milliseconds nor ISO 8601")
    parsed = datetime.fromisoformat(text.upper())
    return millis(parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC))
