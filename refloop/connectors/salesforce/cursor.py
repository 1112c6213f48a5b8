"""Where a pull stands, as the text that the ledger keeps for us."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from refloop.connectors.salesforce.ids import record_id
from refloop.connectors.salesforce.names import OBJECTS, ROLE, api_name
from refloop.connectors.salesforce.schema import Layout
from refloop.model import Cursor, format_time, parse_time

VERSION = 1
ALL_OBJECTS = (*OBJECTS.values(), ROLE)
FROM_THE_START: Mapping[str, str] = dict.fromkeys(ALL_OBJECTS, "")

FRESH = timedelta(days=1)
"""How long a description of the org is believed. An unknown field ends it at once; this catches additions."""


@dataclass(frozen=True, slots=True)
class Position:
    """A pull between two pages.

    `watermark` is the server's clock before the first query: the next pull starts there. `floor` is where this
    one started (None: at the beginning of time). `after` holds, for each object that is not finished, the last
    id that was read ("" for none yet). `layout` spares the next pull a description of the org; `described` is
    when that was made.
    """

    watermark: datetime
    floor: datetime | None
    after: Mapping[str, str]
    layout: Layout
    described: datetime

    def cursor(self) -> Cursor:
        body = {
            "v": VERSION,
            "watermark": format_time(self.watermark),
            "floor": self.floor and format_time(self.floor),
            "after": dict(self.after),
            "layout": {name: list(fields) for name, fields in self.layout.items()},
            "described": format_time(self.described),
        }
        return Cursor(json.dumps(body, separators=(",", ":")))

    def is_fresh(self) -> bool:
        """Whether the layout can still be believed, by the server's clock."""
        return self.watermark - self.described < FRESH


def parse_cursor(cursor: Cursor) -> Position:
    """Raises ValueError for a text that `Position.cursor` did not write."""
    try:
        body: Any = json.loads(cursor.text)
        if body["v"] != VERSION:
            raise ValueError("another version")
        return Position(
            watermark=parse_time(body["watermark"]),
            floor=parse_time(body["floor"]) if body["floor"] else None,
            after={_object(name): record_id(last) if last else "" for name, last in body["after"].items()},
            layout=_layout(body["layout"]),
            described=parse_time(body["described"]),
        )
    except (AttributeError, KeyError, TypeError, RecursionError):
        raise ValueError("not a cursor of a Salesforce connection") from None


def _object(name: str) -> str:
    if name not in ALL_OBJECTS:
        raise ValueError("an object that is not ours")
    return name


def _layout(body: Mapping[str, list[str]]) -> Layout:
    layout = {_object(name): tuple(api_name(field) for field in fields) for name, fields in body.items()}
    if set(layout) != set(ALL_OBJECTS):
        raise ValueError("an object is missing")
    return layout
