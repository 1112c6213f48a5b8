"""Pushes changes: look, decide, write, and a receipt for each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from refloop.connectors.base import in_order
from refloop.connectors.salesforce import errors
from refloop.connectors.salesforce.answers import Row, Saved
from refloop.connectors.salesforce.batch import COLLECTION, Update, Written
from refloop.connectors.salesforce.client import ForeignAnswer
from refloop.connectors.salesforce.look import Looker, by_kind, usable_id
from refloop.connectors.salesforce.names import OBJECTS, crm_name
from refloop.connectors.salesforce.records import held, saved_at
from refloop.connectors.salesforce.settings import SalesforceSettings
from refloop.connectors.salesforce.values import JsonValue, to_crm
from refloop.connectors.salesforce.write import Writer
from refloop.errors import RefloopError
from refloop.model import FieldChange, FieldSpec, Kind, Receipt, Ref, Verdict

FEW = 250
"""Records of a run that `conditional_writes: auto` writes conditionally: ten calls, and more than people change in
the five minutes between two runs. Also the records between two looks, wherever writes are conditional."""

JUST_SAVED = timedelta(seconds=2)
"""A record that was saved within this time before the look cannot be written conditionally: dates of HTTP are whole
seconds, so a second save within the same one would not be told from the first (one second), nor where two of the
server's clocks differ (another)."""

OLD_ENOUGH = 3.0
"""Seconds after which such a record can be: the server tells its clock in whole seconds too."""

TOO_FRESH = "the record was saved in the moment before: written as soon as a later edit can be told from that"

SLICE = 2000
"""Records between two looks: as many as one look takes, which is two calls to write."""

JOB_SLICE = 50_000
"""Records between two looks where a job writes them: five looks a call, and five batches."""

ATTEMPTS = 3
"""Salesforce has waited ten seconds for a lock before it says so; what is locked thrice is for the next run."""

SMALLER = 10
"""How much smaller the collections of a further attempt are: fewer records, fewer locks at once."""

UNKNOWN_FATE = "the answer was lost"


@dataclass(slots=True)
class _Target:
    """The changes of one record, by their place in the push."""

    ref: Ref
    id: str
    changes: dict[int, FieldChange] = field(default_factory=dict)

    @property
    def key(self) -> tuple[Kind, str]:
        return self.ref.kind, self.id


@dataclass(slots=True)
class _Attempt:
    """One round over some records: what was settled, what is to be sent, with the places it stands for.

    `latest` is the last moment at which a record may have been saved that is to be written conditionally; `places` the
    digits after the point that a field keeps.
    """

    places: Callable[[Kind, FieldSpec], int]
    latest: datetime | None = None
    receipts: dict[int, Receipt] = field(default_factory=dict)
    updates: list[Update] = field(default_factory=list)
    sent: dict[str, dict[int, FieldChange]] = field(default_factory=dict)


class Pusher:
    """Pushes for one connection.

    A conditional write is refused where somebody saved the record after the look, and looked at again. Its date is
    the record's SystemModstamp. Salesforce REST docs, "Conditional Request Headers": it is compared with "the last
    modified date of the record"; others say with SystemModstamp, which is never the earlier of the two, and a save
    after the look moves both past it.

    Where writes are not conditional, one call or two lie between look and write, or the time that a job takes. A
    person who edits the very field in that moment is overwritten: neither collections nor jobs take a condition.
    """

    def __init__(self, connection: str, settings: SalesforceSettings, looker: Looker, writer: Writer) -> None:
        self._connection = connection
        self._bulk_changes = settings.bulk_changes
        self._mode = settings.conditional_writes
        self._few = FEW
        self._looker = looker
        self._writer = writer
        self.unconditional = 0
        """Records that were sent without a condition so far."""

    def receipts(self, changes: Sequence[FieldChange]) -> Iterator[Receipt]:
        """One receipt a change, in their order. What was written is told before a failure is raised, and before the
        next call where writes are conditional."""
        yield from in_order(changes, self._steps(changes))

    def _steps(self, changes: Sequence[FieldChange]) -> Iterator[Mapping[int, Receipt]]:
        targets, settled = self._targets(changes)
        conditional = self._is_conditional(len(targets))
        for some in _chunks(targets, FEW) if conditional else self._slices(targets):
            for failure in self._push(some, settled, conditional=conditional):
                yield dict(settled)
                settled.clear()
                if failure is not None:
                    raise failure

    def foresee(self, changes: Sequence[FieldChange]) -> None:
        """Raises ConfigError where a field that `changes` are to be written to is not as it has to be."""
        self._looker.refuse_unfit(_by_kind(changes), to_write=True)

    def _is_conditional(self, records: int) -> bool:
        """Whether a push of so many records is to be conditional; if so by `auto`, they are of the few."""
        if self._mode != "auto":
            return self._mode == "always"
        if records > self._few:
            return False
        self._few -= records
        return True

    def _slices(self, targets: Sequence[_Target]) -> Iterator[Sequence[_Target]]:
        """What is looked at and written together; at least one slice. Kinds that go by a job come by themselves."""
        sizes = Counter(target.ref.kind for target in targets)
        many = {kind for kind, size in sizes.items() if size > self._bulk_changes}
        for kind in sorted(many):
            yield from _chunks([target for target in targets if target.ref.kind is kind], JOB_SLICE)
        yield from _chunks([target for target in targets if target.ref.kind not in many], SLICE)

    def _targets(self, changes: Sequence[FieldChange]) -> tuple[Sequence[_Target], dict[int, Receipt]]:
        targets: dict[tuple[Kind, str], _Target] = {}
        refused: dict[int, Receipt] = {}
        for place, change in enumerate(changes):
            usable = usable_id(change.ref, self._connection)
            if usable is None:
                reason = f"{change.ref.id!r} is not the id of a record of {self._connection}"
                refused[place] = Receipt(change, Verdict.REFUSED, reason=reason[: errors.MAX_REASON])
                continue
            target = targets.setdefault((change.ref.kind, usable), _Target(change.ref, usable))
            target.changes[place] = change
        return list(targets.values()), refused

    def _push(
        self, targets: Sequence[_Target], settled: dict[int, Receipt], *, conditional: bool
    ) -> Iterator[RefloopError | None]:
        """Settles all changes of `targets`, what it can after each call. Last, it gives the failure that ended it."""
        fresh: dict[int, Receipt] = {}
        for attempt in range(ATTEMPTS if targets else 0):
            if attempt:
                self._writer.pause(attempt, at_least=OLD_ENOUGH if conditional else 0.0)
            try:
                round_ = self._decide(targets, conditional=conditional)
            except RefloopError as error:
                if attempt == 0:
                    raise
                settled.update(fresh)  # what the attempt before has settled is told first
                yield error
                return
            fresh = round_.receipts
            targets = _release(targets, fresh, settled)
            for written in self._writes(round_.updates, attempt, conditional=conditional):
                for record, result in written.results.items():
                    fresh.update(_told(round_.sent[record], result))
                targets = _release(targets, fresh, settled)
                if written.failure is not None:
                    settled.update(fresh)
                    yield written.failure
                    return
                yield None
            if not targets:
                break
        settled.update(fresh)
        yield None

    def _writes(self, updates: Sequence[Update], attempt: int, *, conditional: bool) -> Iterator[Written]:
        if conditional:
            yield from self._writer.write_conditionally(updates)
        else:
            self.unconditional += 0 if attempt else len(updates)
            yield self._writer.write(updates, collection=COLLECTION if attempt == 0 else COLLECTION // SMALLER)

    def _decide(self, targets: Sequence[_Target], *, conditional: bool) -> _Attempt:
        fields = _by_kind(change for target in targets for change in target.changes.values())
        rows = self._looker.rows(by_kind(target.key for target in targets), fields, to_write=True)
        round_ = _Attempt(self._looker.places, self._looker.began() - JUST_SAVED if conditional else None)
        for target in targets:
            try:
                _decide_one(target, rows.get(target.key), round_)
            except ValueError as error:
                raise ForeignAnswer(f"for {OBJECTS[target.ref.kind]} {target.id}", str(error)) from None
        return round_


def _by_kind(changes: Iterable[FieldChange]) -> Mapping[Kind, Sequence[FieldSpec]]:
    """The fields that changes are written to, by kind, each once."""
    fields: dict[Kind, dict[str, FieldSpec]] = {}
    for change in changes:
        fields.setdefault(change.ref.kind, {})[change.field.name] = change.field
    return {kind: list(some.values()) for kind, some in fields.items()}


def _chunks(targets: Sequence[_Target], size: int) -> Iterator[Sequence[_Target]]:
    return (targets[start : start + size] for start in range(0, max(len(targets), 1), size))


def _decide_one(target: _Target, row: Row | None, round_: _Attempt) -> None:
    refusal = errors.GONE if row is None else errors.CONVERTED if row.get("IsConverted") is True else None
    sending: dict[int, FieldChange] = {}
    values: dict[str, JsonValue] = {}
    for place, change in target.changes.items():
        receipt = _settled_by_look(change, row, refusal)
        if receipt is not None:
            round_.receipts[place] = receipt
            continue
        try:
            places = round_.places(target.ref.kind, change.field)
            values[crm_name(change.field)] = to_crm(change.field.type, change.after, places)
        except (ValueError, ArithmeticError):
            reason = f"{change.field.name}: Salesforce does not keep such a number"
            round_.receipts[place] = Receipt(change, Verdict.REFUSED, reason=reason)
            continue
        sending[place] = change
    if not sending or row is None:
        return
    since = None if round_.latest is None else saved_at(row)
    if since is not None and round_.latest is not None and since > round_.latest:
        round_.receipts.update(
            (place, Receipt(sent, Verdict.DEFERRED, reason=TOO_FRESH)) for place, sent in sending.items()
        )
        return
    round_.sent[target.id] = sending
    parent = str(row.get("AccountId") or "")
    round_.updates.append(Update(OBJECTS[target.ref.kind], target.id, parent, values, since))


def _settled_by_look(change: FieldChange, row: Row | None, refusal: Saved | None) -> Receipt | None:
    """The receipt of a change that need not, or must not, be sent; None when it is to be sent."""
    if row is not None:
        now = held(row, change.field)
        if now == change.after:
            return Receipt(change, Verdict.PRESENT, found=now)
        if refusal is None and now != change.before:
            return Receipt(change, Verdict.MOVED, found=now)
    if refusal is not None:
        verdict, reason = errors.verdict(refusal)
        return Receipt(change, verdict, reason=reason)
    return None


def _told(places: Mapping[int, FieldChange], result: Saved | None) -> Iterator[tuple[int, Receipt]]:
    if result is None:
        verdict, reason = Verdict.UNKNOWN, UNKNOWN_FATE
    else:
        verdict, reason = errors.verdict(result)
    for place, change in places.items():
        yield place, Receipt(change, verdict, reason=reason)


def _release(targets: Sequence[_Target], fresh: dict[int, Receipt], settled: dict[int, Receipt]) -> list[_Target]:
    """Settles the records of which all is known and nothing is to be tried again; gives the others."""
    left: list[_Target] = []
    for target in targets:
        if any(place not in fresh or fresh[place].verdict is Verdict.DEFERRED for place in target.changes):
            left.append(target)
        else:
            settled.update((place, fresh.pop(place)) for place in target.changes)
    return left
