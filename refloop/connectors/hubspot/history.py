"""What reading a record back says about a write of ours: whether it arrived, and over what. Pure.

HubSpot has no conditional write: what a person writes between our look and our write is overwritten, and stands in the
property's history, newest first, right under what we wrote (HubSpot docs, CRM objects, `propertiesWithHistory`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from refloop.connectors.hubspot.answers import Row
from refloop.connectors.hubspot.batch import GONE, Numbered, Receipts, all_alike
from refloop.connectors.hubspot.look import held_value
from refloop.connectors.hubspot.records import canonical_value
from refloop.model import FieldChange, Receipt, Verdict

UNSEEN = "written; the history does not tell whether somebody wrote there at the same time"
UNREAD = "written, but could not be read back to see whether somebody wrote there at the same time"
LEFT = "written; the record was deleted, or merged into another, before it was read back"
NOT_THERE = "HubSpot said that it wrote the value, and the record does not hold it"
_SKEW = timedelta(seconds=2)
"""How far the clocks of HubSpot's servers may be apart: their times of one record are compared with each other."""


@dataclass(frozen=True, slots=True)
class Sent:
    """Changes of one record that HubSpot took, and when it had last been modified when we looked, None where nobody
    looked. `otherwise` is None where HubSpot said that it wrote them; else their fate if the old value is there."""

    changes: Sequence[Numbered]
    looked: datetime | None
    otherwise: tuple[Verdict, str] | None = None


def receipts_by_history(sent: Mapping[str, Sent], rows: Mapping[str, Row]) -> Receipts:
    """The fate of all changes, by the records as they are now, with the history of what was sent."""
    settled: Receipts = {}
    for record, one in sent.items():
        row = rows.get(record)
        if row is None:
            verdict, reason = (Verdict.WRITTEN, LEFT) if one.otherwise is None else (Verdict.REFUSED, GONE)
            settled |= all_alike(one.changes, verdict, reason)
        else:
            settled |= {
                number: receipt_by_history(change, row, one.looked, one.otherwise) for number, change in one.changes
            }
    return settled


def unread_receipts(sent: Mapping[str, Sent], why: str) -> Receipts:
    """The receipts of changes whose records cannot be read back: what HubSpot said it wrote stays written."""
    settled: Receipts = {}
    for one in sent.values():
        verdict, reason = (Verdict.WRITTEN, UNREAD) if one.otherwise is None else (Verdict.UNKNOWN, one.otherwise[1])
        settled |= all_alike(one.changes, verdict, f"{reason}: {why}")
    return settled


def receipt_by_history(
    change: FieldChange, row: Row, looked: datetime | None, otherwise: tuple[Verdict, str] | None = None
) -> Receipt:
    """What became of one change.

    WRITTEN when the value arrived, also when somebody wrote another one after it; `overwrote` when something else
    than `before` stood right under it, and is not older than our look (a merge brings the history of both records).
    When it did not arrive: MOVED, or while the field still holds `before` what `otherwise` says, by default REFUSED.
    """
    held = held_value(change, row)
    versions = [(canonical_value(change.field, one.value), one.at) for one in row.history.get(change.field.name, ())]
    if held != change.after:
        since = [value for value, at in versions if looked is None or at > looked]
        if change.after not in since:
            verdict, reason = otherwise or (Verdict.REFUSED, NOT_THERE)
            is_old = held == change.before
            return Receipt(change, verdict if is_old else Verdict.MOVED, held, reason if is_old else "")
        versions = versions[since.index(change.after) :]
    for value in _replaced(change, versions, looked):
        if value != change.before:
            return Receipt(change, Verdict.WRITTEN, value, overwrote=True)
    is_shown = bool(versions) and versions[0][0] == change.after
    return Receipt(change, Verdict.WRITTEN, reason="" if is_shown else UNSEEN)


def _replaced(
    change: FieldChange, versions: Sequence[tuple[str | None, datetime]], looked: datetime | None
) -> list[str | None]:
    """What stood right under our value, newest first. Which of several writes of that value was ours nobody can tell:
    all since the look count, and the latest where nobody looked."""
    above = [change.after, *(value for value, _at in versions)]
    under = [
        (value, at) for higher, (value, at) in zip(above, versions, strict=False) if higher == change.after != value
    ]
    if looked is None:
        return [value for value, _at in under[:1]]
    return [value for value, at in under if at >= looked - _SKEW]
