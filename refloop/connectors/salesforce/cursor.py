"""Where a pull stands, as the text that the ledger keeps for us."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import astuple, dataclass, field
from datetime import datetime, timedelta
from typing import Any

from refloop.connectors.salesforce.fields import Layout
from refloop.connectors.salesforce.ids import record_id
from refloop.connectors.salesforce.names import DESCRIBED, api_name
from refloop.model import Cursor, format_time, parse_time

VERSION = 2
READABLE = frozenset({1, VERSION})
"""Version 1 knew neither jobs nor the org."""

ALL_OBJECTS = DESCRIBED
FROM_THE_START: Mapping[str, str] = dict.fromkeys(ALL_OBJECTS, "")

FRESH = timedelta(days=1)
"""How long a description of the org is believed. An unknown field ends it at once; this catches additions."""


_LOCATOR = re.compile(r"[A-Za-z0-9_.~+/=-]{0,256}")


@dataclass(frozen=True, slots=True)
class Job:
    """A Bulk query job whose rows are not all taken.

    `locator` names the result page to read next ("" is the first one), `start` is how many rows come before that
    page, `taken` how many were taken in all: a page is taken in pieces, and read again to go on within it.
    `is_second` says that the job stands in for one that was lost.
    """

    id: str
    locator: str = ""
    start: int = 0
    taken: int = 0
    is_second: bool = False


@dataclass(frozen=True, slots=True)
class Position:
    """A pull between two pages.

    `watermark` is the server's clock before the first query: the next pull starts there. `floor` is where this
    one started (None: at the beginning of time). `after` holds, for each object that is not finished, the last
    id that was read ("" for none yet), `jobs` the unfinished objects that come by Bulk jobs. `layout` spares the
    next pull a description of the org; `described` is when that was made. `organization` is the id of the org, ""
    when it is not known. `zone` is the zone in which the days of the records were read, "" when none had to be.
    """

    watermark: datetime
    floor: datetime | None
    after: Mapping[str, str]
    layout: Layout
    described: datetime
    organization: str = ""
    jobs: Mapping[str, Job] = field(default_factory=dict)
    zone: str = ""

    @property
    def is_unfinished(self) -> bool:
        """Whether the pull that stands here has more pages."""
        return bool(self.after or self.jobs)

    def cursor(self) -> Cursor:
        body = {
            "v": VERSION,
            "watermark": format_time(self.watermark),
            "floor": self.floor and format_time(self.floor),
            "after": dict(self.after),
            "jobs": {name: astuple(job) for name, job in self.jobs.items()},
            "org": self.organization,
            "zone": self.zone,
            "layout": {name: list(fields) for name, fields in self.layout.items()},
            "described": format_time(self.described),
        }
        return Cursor(json.dumps(body, separators=(",", ":")))

    def is_fresh(self, now: datetime) -> bool:
        """Whether the layout can still be believed. `now` is the server's clock, as `described` is."""
        return now - self.described < FRESH


def parse_cursor(cursor: Cursor) -> Position:
    """Raises ValueError for a text that `Position.cursor` did not write."""
    try:
        body: Any = json.loads(cursor.text)
        if body["v"] not in READABLE:
            raise ValueError("another version")
        return Position(
            watermark=parse_time(body["watermark"]),
            floor=parse_time(body["floor"]) if body["floor"] else None,
            after={_object(name): record_id(last) if last else "" for name, last in body["after"].items()},
            layout=_layout(body["layout"]),
            described=parse_time(body["described"]),
            organization=record_id(body["org"]) if body.get("org") else "",
            jobs={_object(name): _job(*parts) for name, parts in body.get("jobs", {}).items()},
            zone=str(body.get("zone") or ""),
        )
    except (AttributeError, KeyError, TypeError, RecursionError):
        raise ValueError("not a cursor of a Salesforce connection") from None


def _job(id: str, locator: str, start: int, taken: int, is_second: bool) -> Job:  # noqa: A002 - the API's word
    counts = type(start) is int and type(taken) is int and 0 <= start <= taken
    if not counts or not _LOCATOR.fullmatch(locator):
        raise ValueError("a job that is none")
    return Job(record_id(id), locator, start, taken, bool(is_second))


def _object(name: str) -> str:
    if name not in ALL_OBJECTS:
        raise ValueError("an object that is not ours")
    return name


def _layout(body: Mapping[str, list[str]]) -> Layout:
    layout = {_object(name): tuple(api_name(field) for field in fields) for name, fields in body.items()}
    if set(layout) != set(ALL_OBJECTS):
        raise ValueError("an object is missing")
    return layout
