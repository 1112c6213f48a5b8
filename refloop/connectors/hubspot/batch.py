"""The changes of one batch, their receipts, and how a batch that HubSpot sent back is taken apart. Pure.

HubSpot answers 400 for the whole batch when one input is bad, and often does not say which: halving finds it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from refloop.connectors.hubspot.answers import BatchError
from refloop.model import FieldChange, Receipt, Verdict

GONE = "record is gone: deleted, or merged into another"
_NO_PROPERTY = "PROPERTY_DOESNT_EXIST"

Numbered = tuple[int, FieldChange]
"""A change and its place in the caller's sequence."""
Batch = Mapping[str, Sequence[Numbered]]
"""Changes by the id of their record."""
Receipts = dict[int, Receipt]
"""Receipts by the place of their change."""


def all_alike(changes: Iterable[Numbered], verdict: Verdict, reason: str = "") -> Receipts:
    """One receipt for each change, all with this verdict and reason."""
    return {number: Receipt(change, verdict, reason=reason, gone=reason == GONE) for number, change in changes}


def everything(batch: Batch) -> list[Numbered]:
    return [numbered for changes in batch.values() for numbered in changes]


def inputs(batch: Batch) -> list[dict[str, Any]]:
    """HubSpot's batch input: only what changes; "" clears. The trace id lets it name the bad ones."""
    return [
        {
            "id": record,
            "objectWriteTraceId": record,
            "properties": {change.field.name: change.after or "" for _number, change in changes},
        }
        for record, changes in batch.items()
    ]


def without(batch: Batch, missing: Iterable[str]) -> tuple[Batch, Receipts]:
    """(the changes of properties that exist, the fate of the others)."""
    names = frozenset(missing)
    kept: dict[str, list[Numbered]] = {}
    refused: Receipts = {}
    for record, changes in batch.items():
        for number, change in changes:
            if change.field.name in names:
                reason = f"HubSpot has no property {change.field.name}: run `refloop provision`"
                refused[number] = Receipt(change, Verdict.REFUSED, reason=reason)
            else:
                kept.setdefault(record, []).append((number, change))
    return kept, refused


def missing_properties(error: BatchError, batch: Batch) -> frozenset[str]:
    """The properties of this batch that the error says do not exist."""
    if _NO_PROPERTY not in error.codes:
        return frozenset()
    return error.properties & {change.field.name for _number, change in everything(batch)}


def split(batch: Batch, error: BatchError) -> list[Batch]:
    """Smaller batches to send instead of one of two or more records that was sent back.

    Suspects are the records that the error names, or those that write a property that it names; the others are
    sent together. Without that knowledge, halves.
    """
    suspects = [record for record in batch if record in error.ids]
    if not suspects and error.properties:
        suspects = [one for one, changes in batch.items() if any(c.field.name in error.properties for _, c in changes)]
    if not suspects or len(suspects) == len(batch):
        suspects, innocent = list(batch), []
    else:
        innocent = [record for record in batch if record not in set(suspects)]
    middle = (len(suspects) + 1) // 2
    groups = (innocent, suspects[:middle], suspects[middle:])
    return [{record: batch[record] for record in group} for group in groups if group]


def reason_of(error: BatchError) -> str:
    """HubSpot's own words and codes, and the properties that they are about."""
    if error.category == "OBJECT_NOT_FOUND":
        return GONE
    words = error.message or error.category or "HubSpot gave no reason"
    details = ", ".join([*sorted(error.codes), *sorted(error.properties)])
    return f"{words} ({details})" if details else words
