"""What was deleted in an org, by its own list: also what is in no recycle bin any more, and in no query."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from types import MappingProxyType

from refloop.connectors.salesforce.client import Part, PartAnswer
from refloop.connectors.salesforce.ids import record_id
from refloop.connectors.salesforce.names import DESCRIBED
from refloop.connectors.salesforce.soql import Window
from refloop.model import format_time

KEPT = timedelta(days=14)
"""SOAP API docs, getDeleted: the list goes back fifteen days; less where an administrator purged it."""

Deleted = Mapping[str, frozenset[str]]
"""Ids, by object."""

NOTHING: Deleted = MappingProxyType({})


def deletion_parts(window: Window, now: datetime) -> Sequence[Part]:
    """Asks what was deleted in the window of a pull of what is new. `now` is the server's clock. The list is by the
    minute: what is deleted in the running one is in the next pull's."""
    if window.start is None or window.end is not None:
        return ()
    end = now.replace(second=0, microsecond=0)
    start = max(window.start.replace(second=0, microsecond=0), end - KEPT)
    if start >= end:
        return ()
    span = {"start": format_time(start), "end": format_time(end)}
    return [Part(f"{name}Deleted", "GET", f"sobjects/{name}/deleted", span) for name in DESCRIBED]


def deleted(answers: Sequence[PartAnswer]) -> Deleted:
    """The answers to `deletion_parts`. It is a help, not a need: of an object that does not answer nothing is known."""
    return {name: frozenset(_ids(answer)) for name, answer in zip(DESCRIBED, answers, strict=False)}


def _ids(answer: PartAnswer) -> Iterator[str]:
    rows = answer.body.get("deletedRecords") if answer.is_good and isinstance(answer.body, dict) else None
    for row in rows if isinstance(rows, list) else ():
        try:
            yield record_id(row["id"])
        except (KeyError, TypeError, ValueError):
            continue
