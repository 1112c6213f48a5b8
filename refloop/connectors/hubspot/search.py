"""Search bodies: keyset by record id inside a window, so that ties and the 10,000 cap are no case at all.

HubSpot docs, CRM search: at most 200 results a call, 10,000 a query, one sort, a body of at most 3,000 characters.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from refloop.model import Kind

LIMIT = 200
_MOST_CHARACTERS = 3_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)

MODIFIED: Mapping[Kind, str] = {Kind.CONTACT: "lastmodifieddate", Kind.DEAL: "hs_lastmodifieddate"}
"""Contacts have `hs_lastmodifieddate` too, but a search on it finds nothing."""

Filter = Mapping[str, str]


def modified(kind: Kind, start: int, until: int | None) -> Filter:
    """Modified between two times, both in ms and included; without `until`, from `start` on."""
    return _between(MODIFIED[kind], start, until)


def created(start: int, until: int) -> Filter:
    return _between("createdate", start, until)


def not_closed() -> tuple[Filter, Filter]:
    """Open deals; those without a stage are neither open nor closed to HubSpot, and count."""
    return (
        {"propertyName": "hs_is_closed", "operator": "EQ", "value": "false"},
        {"propertyName": "hs_is_closed", "operator": "NOT_HAS_PROPERTY"},
    )


@dataclass(frozen=True, slots=True)
class Query:
    """Records of one kind that pass any of `alternatives` (all of them pass the empty one), and which of their
    properties to bring."""

    kind: Kind
    alternatives: tuple[Filter, ...]
    properties: tuple[str, ...]

    def body(self, last: int) -> dict[str, Any]:
        """Those of ids above `last`, in ascending order of id."""
        above = {"propertyName": "hs_object_id", "operator": "GT", "value": str(last)}
        return {
            "filterGroups": [{"filters": [*([dict(one)] if one else []), above]} for one in self.alternatives],
            "sorts": [{"propertyName": "hs_object_id", "direction": "ASCENDING"}],
            "properties": list(self.properties),
            "limit": LIMIT,
        }


def highest(last: int) -> dict[str, Any]:
    """The record of the highest id above `last`; its answer's `total` counts all of them."""
    return _one({"propertyName": "hs_object_id", "operator": "GT", "value": str(last)})


def holding(name: str) -> dict[str, Any]:
    """One record that holds a value of a property; its answer's `total` counts all of them."""
    return _one({"propertyName": name, "operator": "HAS_PROPERTY"})


def _one(only: Filter) -> dict[str, Any]:
    return {
        "filterGroups": [{"filters": [dict(only)]}],
        "sorts": [{"propertyName": "hs_object_id", "direction": "DESCENDING"}],
        "properties": ["hs_object_id"],
        "limit": 1,
    }


def fits(properties: tuple[str, ...]) -> bool:
    """Whether HubSpot takes a search for these properties, with the longest filters that we ever send."""
    end = 10**14 - 1
    longest = Query(Kind.DEAL, (*not_closed(), modified(Kind.DEAL, end, end)), properties)
    return len(json.dumps(longest.body(10**19))) <= _MOST_CHARACTERS


def milliseconds(moment: datetime) -> int:
    """Whole ms since 1970, cut."""
    return (moment - _EPOCH) // _MILLISECOND


def _between(name: str, start: int, until: int | None) -> Filter:
    low = str(max(start, 1))  # HubSpot answers 500 to a time of 0
    if until is None:
        return {"propertyName": name, "operator": "GTE", "value": low}
    return {"propertyName": name, "operator": "BETWEEN", "value": low, "highValue": str(max(until, 1))}
