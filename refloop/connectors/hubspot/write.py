"""Writes one batch: looks, sends, reads the answer by its body, takes apart what was sent back, and reads back."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from refloop.connectors.hubspot.answers import BatchError, Row, Updated
from refloop.connectors.hubspot.batch import (
    Batch,
    Receipts,
    all_alike,
    everything,
    inputs,
    missing_properties,
    reason_of,
    split,
    without,
)
from refloop.connectors.hubspot.client import BATCH_WITH_HISTORY, Client, chunks
from refloop.connectors.hubspot.history import Sent, receipts_by_history, unread_receipts
from refloop.connectors.hubspot.look import look
from refloop.errors import AuthError, ConfigError, CrmUnavailable, FateUnknown, RefloopError, TryLater
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

    batch: Batch
    at: Mapping[str, datetime]
    call: int = 0


@dataclass(slots=True)
class _Progress:
    """What became of one batch so far: fates that are known, and what HubSpot took and is to be read back."""

    kind: Kind
    settled: Receipts = field(default_factory=dict)
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

    def settle(self, kind: Kind, batch: Batch) -> tuple[Receipts, RefloopError | None]:
        """The fate of every change of at most 100 records, and the failure that ended the sending, if one did: then of
        those that were not sent, or that HubSpot refused with the call, there is none.

        Raises what `Client` raises where the look fails.
        """
        if self._is_held:
            return all_alike(everything(batch), Verdict.DEFERRED, _HELD), None
        progress = _Progress(kind)
        try:
            looked = self._look(progress, batch)
        except TryLater as error:
            return self._deferred(batch, error), None
        failure: RefloopError | None = None
        try:
            self._send_all(progress, looked)
        except _TROUBLE as error:
            failure = error
        return progress.settled | self._read_back(progress), failure

    def _look(self, progress: _Progress, batch: Batch) -> _Looked:
        """What is to be written. There is room for the write to follow at once."""
        self._client.make_room(progress.kind, 2)
        rows = self._rows(progress.kind, batch)
        to_write, settled = look(batch, rows)
        progress.settled |= settled
        progress.calls += 1
        return _Looked(to_write, {record: rows[record].updated for record in to_write}, progress.calls)

    def _send_all(self, progress: _Progress, first: _Looked) -> None:
        waiting = [first]
        while waiting:
            looked = waiting.pop()
            present, refused = without(looked.batch, self._missing[progress.kind])
            progress.settled |= refused
            if not present:
                continue
            if progress.sends == _MOST_SENDS or self._is_held:
                reason = _HELD if self._is_held else _TOO_MANY
                progress.settled |= all_alike(everything(present), Verdict.DEFERRED, reason)
            elif progress.calls - looked.call > MOST_BETWEEN:
                waiting.append(self._look_again(progress, present))
            else:
                again = self._send(progress, replace(looked, batch=present))
                waiting.extend(replace(looked, batch=one) for one in again)

    def _look_again(self, progress: _Progress, batch: Batch) -> _Looked:
        try:
            return self._look(progress, batch)
        except (CrmUnavailable, TryLater) as error:
            progress.settled |= all_alike(everything(batch), Verdict.DEFERRED, error.message)
            return _Looked({}, {}, progress.calls)

    def _send(self, progress: _Progress, looked: _Looked) -> list[Batch]:
        """What to send next."""
        batch = looked.batch
        progress.sends += 1
        progress.calls += 1
        try:
            answer = self._client.batch_update(progress.kind, inputs(batch))
        except FateUnknown as error:
            progress.settled |= all_alike(everything(batch), Verdict.UNKNOWN, error.message)
            return []
        except TryLater as error:
            progress.settled |= self._deferred(batch, error)
            return []
        self._setbacks = 0
        if isinstance(answer, BatchError):
            return self._sent_back(progress, batch, answer)
        return self._answered(progress, looked, answer)

    def _sent_back(self, progress: _Progress, batch: Batch, error: BatchError) -> list[Batch]:
        """Nothing of the batch was written."""
        missing = missing_properties(error, batch)
        if missing:
            self._missing[progress.kind] |= missing
            return [batch]
        if len(batch) == 1:
            progress.settled |= all_alike(everything(batch), Verdict.REFUSED, reason_of(error))
            return []
        return split(batch, error)

    def _answered(self, progress: _Progress, looked: _Looked, answer: Updated) -> list[Batch]:
        batch = looked.batch
        refused = {record: error for error in answer.errors for record in error.ids if record in batch}
        again: dict[str, Batch] = {}
        for record, error in refused.items():
            own = _some(batch, [record])
            missing = missing_properties(error, own)
            self._missing[progress.kind] |= missing
            if missing:
                again[record] = own
            else:
                progress.settled |= all_alike(everything(own), Verdict.REFUSED, reason_of(error))
        nameless = [error for error in answer.errors if not error.ids]
        silent = (Verdict.REFUSED, reason_of(nameless[0])) if nameless else (Verdict.DEFERRED, _SILENT)
        for record in batch.keys() - refused.keys():
            otherwise = None if record in answer.ids else silent
            progress.sent[record] = Sent(batch[record], looked.at[record], otherwise)
        return [_some(batch, again)] if again else []

    def _read_back(self, progress: _Progress) -> Receipts:
        """HubSpot's word is not enough: only the record can tell what it holds, and what it held before."""
        settled: Receipts = {}
        for ids in chunks(list(progress.sent), BATCH_WITH_HISTORY):
            sent = {record: progress.sent[record] for record in ids}
            batch = {record: one.changes for record, one in sent.items()}
            try:
                settled |= receipts_by_history(sent, self._rows(progress.kind, batch, history=True))
            except _TROUBLE as error:
                settled |= unread_receipts(sent, error.message)
        return settled

    def _rows(self, kind: Kind, batch: Batch, *, history: bool = False) -> Mapping[str, Row]:
        """The records as they are now, by id; one that was merged away is missing, its survivor is not asked for."""
        names = sorted({change.field.name for _number, change in everything(batch)})
        return {row.id: row for row in self._client.batch_read(kind, list(batch), names, history=history).rows}

    def _deferred(self, batch: Batch, error: TryLater) -> Receipts:
        self._setbacks += 1
        return all_alike(everything(batch), Verdict.DEFERRED, error.message)


def _some(batch: Batch, records: Iterable[str]) -> Batch:
    return {record: batch[record] for record in records if record in batch}
