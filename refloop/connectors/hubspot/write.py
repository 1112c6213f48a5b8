"""Writes one batch: looks, sends, reads the answer by its body, and takes apart what was sent back."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from refloop.connectors.hubspot.answers import BatchError, Row, Updated
from refloop.connectors.hubspot.client import Client
from refloop.connectors.hubspot.parts import (
    Fates,
    Part,
    everything,
    fates,
    inputs,
    look,
    missing_properties,
    read_back,
    reason_of,
    split,
    without,
)
from refloop.connectors.transport import FateUnknown
from refloop.errors import CrmUnavailable, TryLater
from refloop.model import Kind, Verdict

_MOST_SENDS = 55
"""For one batch: enough to find five bad records among a hundred by halving."""
_MOST_SETBACKS = 2
"""After so many limits or locks in a row, the rest of the changes waits for the next run."""
_SILENT = "HubSpot took the call and did not say what became of the record"
_HELD = "HubSpot's limit was reached before"
_TOO_MANY = "too many refused records in one batch"


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
        try:
            to_write, settled = look(part, self._rows(kind, part))
        except TryLater as error:
            return self._deferred(part, error)
        return settled | self._send_all(kind, to_write)

    def _send_all(self, kind: Kind, part: Part) -> Fates:
        settled: Fates = {}
        waiting = [part]
        sends = 0
        while waiting:
            present, refused = without(waiting.pop(), self._missing[kind])
            settled |= refused
            if not present:
                continue
            if sends == _MOST_SENDS or self._is_held:
                reason = _HELD if self._is_held else _TOO_MANY
                settled |= fates(everything(present), Verdict.DEFERRED, reason)
                continue
            sends += 1
            known, again = self._send(kind, present)
            settled |= known
            waiting.extend(again)
        return settled

    def _send(self, kind: Kind, part: Part) -> tuple[Fates, list[Part]]:
        """(what is known now, what to send next)."""
        try:
            answer = self._client.batch_update(kind, inputs(part))
        except FateUnknown as error:
            return fates(everything(part), Verdict.UNKNOWN, error.message), []
        except TryLater as error:
            return self._deferred(part, error), []
        self._setbacks = 0
        if isinstance(answer, BatchError):
            return self._sent_back(kind, part, answer)
        return self._answered(kind, part, answer)

    def _sent_back(self, kind: Kind, part: Part, error: BatchError) -> tuple[Fates, list[Part]]:
        """Nothing of the part was written."""
        missing = missing_properties(error, part)
        if missing:
            self._missing[kind] |= missing
            return {}, [part]
        if len(part) == 1:
            return fates(everything(part), Verdict.REFUSED, reason_of(error)), []
        return {}, split(part, error)

    def _answered(self, kind: Kind, part: Part, answer: Updated) -> tuple[Fates, list[Part]]:
        refused = {record: error for error in answer.errors for record in error.ids if record in part}
        written = _some(part, answer.ids - refused.keys())
        settled = fates(everything(written), Verdict.WRITTEN)
        again: dict[str, Part] = {}
        for record, error in refused.items():
            own = _some(part, [record])
            missing = missing_properties(error, own)
            self._missing[kind] |= missing
            if missing:
                again[record] = own
            else:
                settled |= fates(everything(own), Verdict.REFUSED, reason_of(error))
        silent = _some(part, part.keys() - answer.ids - refused.keys())
        if silent:
            settled |= self._read_back(kind, silent, answer.errors)
        return settled, [_some(part, again)] if again else []

    def _read_back(self, kind: Kind, part: Part, errors: Iterable[BatchError]) -> Fates:
        """Neither in `results` nor in `errors`: only the record itself can tell."""
        nameless = [error for error in errors if not error.ids]
        otherwise = (Verdict.REFUSED, reason_of(nameless[0])) if nameless else (Verdict.DEFERRED, _SILENT)
        try:
            return read_back(part, self._rows(kind, part), otherwise)
        except (CrmUnavailable, TryLater):
            return fates(everything(part), Verdict.UNKNOWN, _SILENT)

    def _rows(self, kind: Kind, part: Part) -> Mapping[str, Row]:
        """The records as they are now, by id; one that was merged away is missing, its survivor is not asked for."""
        names = sorted({change.field.name for _number, change in everything(part)})
        return {row.id: row for row in self._client.batch_read(kind, list(part), names).rows}

    def _deferred(self, part: Part, error: TryLater) -> Fates:
        self._setbacks += 1
        return fates(everything(part), Verdict.DEFERRED, error.message)


def _some(part: Part, records: Iterable[str]) -> Part:
    return {record: part[record] for record in records if record in part}
