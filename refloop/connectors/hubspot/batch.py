"""The changes of one batch, and how a batch that HubSpot sent back is taken apart. Pure.

HubSpot answers 400 for the whole batch when one input is bad, and often does not say which: halving finds it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from refloop.connectors.hubspot.answers import BatchError, Row
from refloop.connectors.hubspot.records import canonical_value
from refloop.model import Change, Receipt, Verdict

GONE = "record is gone: deleted, or merged into another"
_NO_PROPERTY = "PROPERTY_DOESNT_EXIST"

Numbered = tuple[int, Change]
"""A change and its place in the caller's sequence."""
Part = Mapping[str, Sequence[Numbered]]
"""Changes by the id of their record."""
Fates = dict[int, Receipt]
"""Receipts by the place of their change."""


def fates(changes: Iterable[Numbered], verdict: Verdict, reason: str = "") -> Fates:
    """The same fate for all of them."""
    return {number: Receipt(change, verdict, reason=reason) for number, change in changes}


def everything(part: Part) -> list[Numbered]:
    return [numbered for changes in part.values() for numbered in changes]


def look(part: Part, rows: Mapping[str, Row]) -> tuple[Part, Fates]:
    """(what is to be written, the fate of the rest), by what the records hold now."""
    to_write: dict[str, list[Numbered]] = {}
    settled: Fates = {}
    for record, changes in part.items():
        row = rows.get(record)
        if row is None:
            settled |= fates(changes, Verdict.REFUSED, GONE)
            continue
        for number, change in changes:
            held = held_value(change, row)
            if held == change.after:
                settled[number] = Receipt(change, Verdict.PRESENT, found=held)
            elif held == change.before:
                to_write.setdefault(record, []).append((number, change))
            else:
                settled[number] = Receipt(change, Verdict.MOVED, found=held)
    return to_write, settled


def held_value(change: Change, row: Row) -> str | None:
    return canonical_value(change.field, row.properties.get(change.field.name))


def inputs(part: Part) -> list[dict[str, Any]]:
    """HubSpot's batch input: only what changes; "" clears. The trace id lets it name the bad ones."""
    return [
        {
            "id": record,
            "objectWriteTraceId": record,
            "properties": {change.field.name: change.after or "" for _number, change in changes},
        }
        for record, changes in part.items()
    ]


def without(part: Part, missing: Iterable[str]) -> tuple[Part, Fates]:
    """(the changes of properties that exist, the fate of the others)."""
    names = frozenset(missing)
    kept: dict[str, list[Numbered]] = {}
    refused: Fates = {}
    for record, changes in part.items():
        for number, change in changes:
            if change.field.name in names:
                reason = f"HubSpot has no property {change.field.name}: run `refloop provision`"
                refused[number] = Receipt(change, Verdict.REFUSED, reason=reason)
            else:
                kept.setdefault(record, []).append((number, change))
    return kept, refused


def missing_properties(error: BatchError, part: Part) -> frozenset[str]:
    """The properties of this part that the error says do not exist."""
    if _NO_PROPERTY not in error.codes:
        return frozenset()
    return error.properties & {change.field.name for _number, change in everything(part)}


def split(part: Part, error: BatchError) -> list[Part]:
    """Smaller parts to send instead of one of two or more records that was sent back.

    Suspects are the records that the error names, or those that write a property that it names; the others are
    sent together. Without that knowledge, halves.
    """
    suspects = [record for record in part if record in error.ids]
    if not suspects and error.properties:
        suspects = [one for one, changes in part.items() if any(c.field.name in error.properties for _, c in changes)]
    if not suspects or len(suspects) == len(part):
        suspects, innocent = list(part), []
    else:
        innocent = [record for record in part if record not in set(suspects)]
    middle = (len(suspects) + 1) // 2
    groups = (innocent, suspects[:middle], suspects[middle:])
    return [{record: part[record] for record in group} for group in groups if group]


def reason_of(error: BatchError) -> str:
    """HubSpot's own words and codes, and the properties that they are about."""
    if error.category == "OBJECT_NOT_FOUND":
        return GONE
    words = error.message or error.category or "HubSpot gave no reason"
    details = ", ".join([*sorted(error.codes), *sorted(error.properties)])
    return f"{words} ({details})" if details else words
