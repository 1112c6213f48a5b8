"""What all of them are made of: names of records, times, numbers."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal

from refloop.model import Ref, format_time

Json = Mapping[str, object]
"""An object of JSON, before it is text."""


def place(ref: Ref) -> Json:
    """The name of a record, in three parts."""
    return {"connection": ref.connection, "kind": ref.kind.value, "id": ref.id}


def exact(moment: datetime) -> str:
    """A time of the CRM's, to the microsecond, as the ledger keeps it."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds")


def time_or_none(moment: datetime | None) -> str | None:
    """A time to the second; None for what never happened."""
    return format_time(moment) if moment else None


def decimal_or_none(number: Decimal | None) -> str | None:
    """A number with all the digits it came with: as text, for JSON's numbers lose some."""
    return None if number is None else str(number)
