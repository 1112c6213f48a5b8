"""Push: from plans to the CRM, with an outbox before and a receipt after each change."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager

from refloop.connectors.base import Connector, Foresees, Recalls, answer_of, answers_of, push_changes
from refloop.connectors.http.fence import fenced
from refloop.errors import AuthError, ConfigError, ConnectorFault, CrmUnavailable, FateUnknown, TryLater
from refloop.ledger.queue import Topic, dequeue, enqueue
from refloop.ledger.receipts import forget_intent, intend, keep_conflicts, keep_receipts, unsettled
from refloop.mapping.changes import RecordPlan
from refloop.model import Change, FieldChange, Receipt, Ref, Verdict
from refloop.sync.context import RunContext
from refloop.sync.plan import Planner

SETTLED_AT_ONCE = 1000
KEPT_AT_ONCE = 500
_NOT_ARRIVED = (AuthError, ConfigError, CrmUnavailable, TryLater)
"""What a push raises of changes that did not arrive (see `Connector.push`); FateUnknown is the exception."""
_AGAIN = frozenset({Verdict.MOVED, Verdict.DEFERRED, Verdict.UNKNOWN, Verdict.REFUSED})


class Pusher:
    """Brings connections to what the ledger says, for one run. `counts` holds up to the last batch that was kept, also
    after something was raised (see `refloop.ledger.runs.imbalances`). Records that turn out to be gone are asked for by
    name with the next pull: no CRM lists everyone who was erased."""

    def __init__(self, context: RunContext) -> None:
        self._context = context
        self._ledger = context.ledger
        self.counts: Counter[str] = Counter()

    def settle(self, name: str, connector: Connector) -> Counter[str]:
        """Finds out by reading back what became of changes whose fate is unknown. Comes before everything else."""
        while changes := unsettled(self._ledger, name, self._context.policy.plan.specs, SETTLED_AT_ONCE):
            refs = sorted({change.ref for change in changes})
            fields = sorted({change.field for change in changes}, key=lambda spec: spec.name)
            held = answer_of(name, lambda: connector.read(refs, fields))  # noqa: B023 - called at once
            settled = [(change, receipt) for change in changes if (receipt := _settled(change, held.get(change.ref)))]
            receipts = answer_of(name, lambda: _recalled(connector, settled))  # noqa: B023 - called at once
            with self._ledger.writing():
                kept = keep_receipts(self._ledger, self._context.run, receipts, self._context.clock())
                forget_intent(self._ledger, changes)
                enqueue(self._ledger, Topic.PLAN, refs)
                enqueue(self._ledger, Topic.ASK, _gone(receipts))
            self._count_settled(len(changes), len(receipts), kept)
        return self.counts

    def _count_settled(self, looked_at: int, arrived: int, verdicts: Counter[str]) -> None:
        own = min(looked_at, self.counts["unknown"])  # planned by this run; the others by one that ended before it knew
        self.counts["unknown"] -= own
        self.counts += Counter(settled=looked_at - own, unsent=looked_at - arrived) + verdicts

    def push(self, name: str, connector: Connector) -> Counter[str]:
        """Sends what the plan for this connection says, chunk by chunk. Counts verdicts and conflicts."""
        for plans in Planner(self._context).chunks(name):
            changes = [change for plan in plans for change in plan.changes]
            with self._ledger.writing():
                conflicts = self._keep_conflicts(plans)
                dequeue(self._ledger, Topic.PLAN, [plan.ref for plan in plans if not plan.changes])
            parked = sum(len(plan.parked) for plan in plans)
            self.counts += Counter(conflicts=conflicts, planned=parked, parked=parked)
            again = self._sent(name, connector, changes)
            with self._ledger.writing():
                dequeue(self._ledger, Topic.PLAN, {change.ref for change in changes} - again)
        return self.counts

    def send(self, name: str, connector: Connector, changes: Sequence[Change]) -> Counter[str]:
        """Sends these changes and no others. Their records stay queued where they are: they may want more than this,
        or have a conflict that is not kept yet."""
        self._sent(name, connector, changes)
        return self.counts

    def _sent(self, name: str, connector: Connector, changes: Sequence[Change]) -> set[Ref]:
        """Counts verdicts, and gives the records with a change that must be tried again."""
        if not changes:
            return set()
        with self._counting_unsent(changes):
            _foresee(name, connector, changes)
        with self._ledger.writing():
            intend(self._ledger, self._context.run, changes)
        self.counts += Counter(planned=len(changes), unknown=len(changes))  # until there is a receipt
        waiting: list[Receipt] = []
        again: set[Ref] = set()
        told = 0
        self._ledger.check_lease()
        try:
            with fenced(self._ledger.check_lease):
                for receipt in answers_of(name, lambda: push_changes(connector, changes)):
                    waiting.append(receipt)
                    told += 1
                    self._ledger.check_lease()
                    if receipt.verdict in _AGAIN:
                        again.add(receipt.change.ref)
                    if len(waiting) == KEPT_AT_ONCE:
                        self._keep(name, waiting)
                        waiting = []
        except (*_NOT_ARRIVED, ConnectorFault) as error:
            self._keep(name, waiting)
            if not isinstance(error, (FateUnknown, ConnectorFault)):
                self._take_back(changes[told:])
            raise
        self._keep(name, waiting)
        return again

    @contextmanager
    def _counting_unsent(self, changes: Sequence[Change]) -> Iterator[None]:
        """Counts the changes as unsent where they turn out not to be sendable."""
        try:
            yield
        except _NOT_ARRIVED:
            self.counts += Counter(planned=len(changes), unsent=len(changes))
            raise

    def _take_back(self, changes: Sequence[Change]) -> None:
        """Of changes that did not arrive nothing is to be settled: they stay queued, as if never begun."""
        with self._ledger.writing():
            forget_intent(self._ledger, changes)
        self.counts["unknown"] -= len(changes)
        self.counts["unsent"] += len(changes)

    def _keep(self, name: str, receipts: Sequence[Receipt]) -> None:
        kept = keep_receipts(self._ledger, self._context.run, receipts, self._context.clock())
        if gone := _gone(receipts):
            with self._ledger.writing():
                enqueue(self._ledger, Topic.ASK, gone)
        self.counts["unknown"] -= len(receipts)
        self.counts += kept
        self._context.kept("push", name, len(receipts))

    def _keep_conflicts(self, plans: Iterable[RecordPlan]) -> int:
        plans = list(plans)
        conflicts = [conflict for plan in plans for conflict in plan.conflicts]
        keep_conflicts(self._ledger, self._context.run, [plan.ref for plan in plans], conflicts)
        return len(conflicts)


def _foresee(name: str, connector: Connector, changes: Sequence[Change]) -> None:
    fields = [change for change in changes if isinstance(change, FieldChange)]
    if fields and isinstance(connector, Foresees):
        answer_of(name, lambda: connector.foresee(fields))


def _gone(receipts: Iterable[Receipt]) -> set[Ref]:
    """The records that their CRM does not show any more."""
    return {receipt.change.ref for receipt in receipts if receipt.gone}


def _recalled(connector: Connector, settled: Sequence[tuple[FieldChange, Receipt]]) -> list[Receipt]:
    """The receipts, those of changes that arrived with what they overwrote, where the connector can tell."""
    arrived = [change for change, receipt in settled if receipt.verdict is Verdict.WRITTEN]
    if not arrived or not isinstance(connector, Recalls):
        return [receipt for _, receipt in settled]
    told = iter(connector.recall(arrived))
    return [next(told) if receipt.verdict is Verdict.WRITTEN else receipt for _, receipt in settled]


def _settled(change: FieldChange, held: Mapping[str, str] | None) -> Receipt | None:
    """What reading back says about a change that was perhaps sent; None when it was not."""
    if held is None:
        return Receipt(change, Verdict.REFUSED, None, "the record is gone", gone=True)
    found = held.get(change.field.name)
    if found == change.after:
        return Receipt(change, Verdict.WRITTEN, found, "confirmed by reading back")
    if found == change.before:
        return None
    return Receipt(change, Verdict.MOVED, found, "someone else wrote first")
