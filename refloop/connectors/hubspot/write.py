"""Writes one batch: looks, sends, reads the answer by its body, takes apart what was sent back, and reads back."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from refloop.connectors.http.transport import FateUnknown
from refloop.connectors.hubspot.answers import BatchError, Row, Updated
from refloop.connectors.hubspot.batch import (
    Fates,
    Part,
    everything,
    fates,
    inputs,
    look,
    missing_properties,
    reason_of,
    split,
    without,
)
from refloop.connectors.hubspot.client import BATCH_WITH_HISTORY, Client, chunks
from refloop.connectors.hubspot.history import Sent, told_all, unread
from refloop.errors import AuthError, ConfigError, CrmUnavailable, TryLater
from refloop.model import Kind, Verdict

_MOST_SENDS = 55
"""For one batch: enough to find five bad records among a hundred by halving."""
MOST_BETWEEN = 4
"""So many calls may lie between the look at a record and its write; after more, it is looked at anew."""
_MOST_SETBACKS = 2
"""After so many limits or locks in a row, the rest of the changes waits for the next run."""
_SILENT = "HubSpot took the call and did not say what became of the record"
_HELD = "HubSpot's limit was reached before"
_TOO_MANY = "too many refused records in one batch"
_TROUBLE = (AuthError, ConfigError, CrmUnavailable, TryLater)


@dataclass(frozen=True, slots=True)
class _Looked:
    """Changes that wait to be sent: when each record had last been modified when we looked, and after which call."""

    part: Part
    at: Mapping[str, datetime]
    call: int = 0


@dataclass(slots=True)
class _Batch:
    """What became of one batch so far: fates that are known, and what HubSpot took and is to be read back."""

    kind: Kind
    settled: Fates = field(default_factory=dict)
    sent: dict[str, Sent] = field(default_factory=dict)
    sends: int = 0
    calls: int = 0


class Writer:
    """Writes the batches of one push, and remembers from one to the next what is missing or out of reach."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._missing: dict[Kind, set[str]] = {kind: set() for kind in Kind}
        self._setbacks = 0

    @property
    def _is_held(self) -> bool:
        return self._setbacks >= _MOST_SETBACKS

    def settle(self, kind: Kind, part: Part) -> Fates:
        """The fate of every change of at most 100 records. Raises what `Client` raises for a whole call."""
        if self._is_held:
            return fates(everything(part), Verdict.DEFERRED, _HELD)
        batch = _Batch(kind)
        try:
            looked = self._look(batch, part)
        except TryLater as error:
            return self._deferred(part, error)
        self._send_all(batch, looked)
        return batch.settled | self._read_back(batch)

    def _look(self, batch: _Batch, part: Part) -> _Looked:
        """What is to be written. There is room for the write to follow at once."""
        self._client.make_room(batch.kind, 2)
        rows = self._rows(batch.kind, part)
        to_write, settled = look(part, rows)
        batch.settled |= settled
        batch.calls += 1
        return _Looked(to_write, {record: rows[record].updated for record in to_write}, batch.calls)

    def _send_all(self, batch: _Batch, first: _Looked) -> None:
        waiting = [first]
        while waiting:
            looked = waiting.pop()
            present, refused = without(looked.part, self._missing[batch.kind])
            batch.settled |= refused
            if not present:
                continue
            if batch.sends == _MOST_SENDS or self._is_held:
                reason = _HELD if self._is_held else _TOO_MANY
                batch.settled |= fates(everything(present), Verdict.DEFERRED, reason)
            elif batch.calls - looked.call > MOST_BETWEEN:
                waiting.append(self._look_again(batch, present))
            else:
                again = self._send(batch, replace(looked, part=present))
                waiting.extend(replace(looked, part=one) for one in again)

    def _look_again(self, batch: _Batch, part: Part) -> _Looked:
        try:
            return self._look(batch, part)
        except (CrmUnavailable, TryLater) as error:
            batch.settled |= fates(everything(part), Verdict.DEFERRED, error.message)
            return _Looked({}, {}, batch.calls)

    def _send(self, batch: _Batch, looked: _Looked) -> list[Part]:
        """What to send next."""
        part = looked.part
        batch.sends += 1
        batch.calls += 1
        try:
            answer = self._client.batch_update(batch.kind, inputs(part))
        except FateUnknown as error:
            batch.settled |= fates(everything(part), Verdict.UNKNOWN, error.message)
            return []
        except TryLater as error:
            batch.settled |= self._deferred(part, error)
            return []
        self._setbacks = 0
        if isinstance(answer, BatchError):
            return self._sent_back(batch, part, answer)
        return self._answered(batch, looked, answer)

    def _sent_back(self, batch: _Batch, part: Part, error: BatchError) -> list[Part]:
        """Nothing of the part was written."""
        missing = missing_properties(error, part)
        if missing:
            self._missing[batch.kind] |= missing
            return [part]
        if len(part) == 1:
            batch.settled |= fates(everything(part), Verdict.REFUSED, reason_of(error))
            return []
        return split(part, error)

    def _answered(self, batch: _Batch, looked: _Looked, answer: Updated) -> list[Part]:
        part = looked.part
        refused = {record: error for error in answer.errors for record in error.ids if record in part}
        again: dict[str, Part] = {}
        for record, error in refused.items():
            own = _some(part, [record])
            missing = missing_properties(error, own)
            self._missing[batch.kind] |= missing
            if missing:
                again[record] = own
            else:
                batch.settled |= fates(everything(own), Verdict.REFUSED, reason_of(error))
        nameless = [error for error in answer.errors if not error.ids]
        silent = (Verdict.REFUSED, reason_of(nameless[0])) if nameless else (Verdict.DEFERRED, _SILENT)
        for record in part.keys() - refused.keys():
            otherwise = None if record in answer.ids else silent
            batch.sent[record] = Sent(part[record], looked.at[record], otherwise)
        return [_some(part, again)] if again else []

    def _read_back(self, batch: _Batch) -> Fates:
        """HubSpot's word is not enough: only the record can tell what it holds, and what it held before."""
        settled: Fates = {}
        for ids in chunks(list(batch.sent), BATCH_WITH_HISTORY):
            sent = {record: batch.sent[record] for record in ids}
            part = {record: one.changes for record, one in sent.items()}
            try:
                settled |= told_all(sent, self._rows(batch.kind, part, history=True))
            except _TROUBLE as error:
                settled |= unread(sent, error.message)
        return settled

    def _rows(self, kind: Kind, part: Part, *, history: bool = False) -> Mapping[str, Row]:
        """The records as they are now, by id; one that was merged away is missing, its survivor is not asked for."""
        names = sorted({change.field.name for _number, change in everything(part)})
        return {row.id: row for row in self._client.batch_read(kind, list(part), names, history=history).rows}

    def _deferred(self, part: Part, error: TryLater) -> Fates:
        self._setbacks += 1
        return fates(everything(part), Verdict.DEFERRED, error.message)


def _some(part: Part, records: Iterable[str]) -> Part:
    return {record: part[record] for record in records if record in part}
