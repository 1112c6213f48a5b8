"""What stands in the way of single writes: locked rows, validation rules, refusals on demand."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from refloop_sandbox.salesforce.errors import RecordError
from refloop_sandbox.salesforce.schema import SObject
from refloop_sandbox.salesforce.values import Stored, shown

Row = dict[str, Stored]
Broken = Callable[[Mapping[str, object], Mapping[str, object] | None], bool]
"""Says whether a record breaks a rule: the record as it would be, and as it was (None for a new one)."""

_PARENTS = {"Contact": ("AccountId",), "Opportunity": ("AccountId",)}


@dataclass(slots=True)
class Refusal:
    """Refuse the next `times` API writes to a record."""

    code: str
    message: str
    times: int


@dataclass(slots=True)
class _Lock:
    until: datetime | None
    attempts: int | None


@dataclass(frozen=True, slots=True)
class Rule:
    """A validation rule of the customer's. `field` is where the page shows the message; None is its top."""

    broken: Broken
    message: str
    field: str | None


class Guards:
    """`refused` counts by error code what was turned away."""

    def __init__(self, clock: Callable[[], datetime]) -> None:
        self._clock = clock
        self._locks: dict[str, _Lock] = {}
        self._rules: dict[str, list[Rule]] = {}
        self.refusals: dict[str, Refusal] = {}
        self.refused: Counter[str] = Counter()

    def lock(self, record_id: str, seconds: float | None, attempts: int | None) -> None:
        """Locks a record for so many seconds of the org's clock, or until so many writes were refused."""
        until = None if seconds is None else self._clock() + timedelta(seconds=seconds)
        self._locks[record_id] = _Lock(until, attempts)

    def unlock(self, record_id: str) -> None:
        self._locks.pop(record_id, None)

    def add_rule(self, sobject: SObject, rule: Rule) -> None:
        self._rules.setdefault(sobject.name, []).append(rule)

    def check_record(self, record_id: str) -> None:
        """Raises the RecordError that was asked for this record."""
        refusal = self.refusals.get(record_id)
        if refusal is None:
            return
        refusal.times -= 1
        if refusal.times <= 0:
            del self.refusals[record_id]
        raise self._refused(RecordError(refusal.code, refusal.message))

    def check_locks(self, sobject: SObject, rows: tuple[Row, ...]) -> None:
        """Raises RecordError UNABLE_TO_LOCK_ROW when the record or its parent account is locked.

        Salesforce Record Locking Cheat Sheet: writing a contact or an opportunity locks its account too.
        """
        if not self._locks:
            return
        for record_id in dict.fromkeys(_touched(sobject, rows)):
            if self._is_locked(record_id):
                message = f"unable to obtain exclusive access to this record or 1 records: {record_id}"
                raise self._refused(RecordError("UNABLE_TO_LOCK_ROW", message))

    def _is_locked(self, record_id: str) -> bool:
        lock = self._locks.get(record_id)
        if lock is None:
            return False
        if lock.until is not None and lock.until <= self._clock():
            del self._locks[record_id]
            return False
        if lock.attempts is not None:
            lock.attempts -= 1
            if lock.attempts <= 0:
                del self._locks[record_id]
        return True

    def check_rules(self, sobject: SObject, row: Row, before: Row) -> None:
        """Raises RecordError FIELD_CUSTOM_VALIDATION_EXCEPTION for the first rule that the record breaks."""
        rules = self._rules.get(sobject.name)
        if not rules:
            return
        after, earlier = _seen(sobject, row), _seen(sobject, before) if before else None
        for rule in rules:
            if rule.broken(after, earlier):
                fields = () if rule.field is None else (rule.field,)
                raise self._refused(RecordError("FIELD_CUSTOM_VALIDATION_EXCEPTION", rule.message, *fields))

    def _refused(self, error: RecordError) -> RecordError:
        self.refused[error.code] += 1
        return error


def _touched(sobject: SObject, rows: tuple[Row, ...]) -> Iterator[str]:
    for row in rows:
        for name in ("Id", *_PARENTS.get(sobject.name, ())):
            if row.get(name):
                yield str(row[name])


def _seen(sobject: SObject, row: Row) -> dict[str, object]:
    return {item.name: shown(item, row.get(item.name)) for item in sobject.fields.values()}
