"""Plans what is queued, out of the ledger. Reads only."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from refloop.ledger.queue import Topic, next_refs
from refloop.ledger.receipts import all_written, refusals
from refloop.ledger.records import records_of
from refloop.ledger.undo import undone_values
from refloop.mapping.changes import Known, RecordPlan, plan_record
from refloop.model import Ref
from refloop.sync.context import RunContext
from refloop.sync.desired import DesiredState

CHUNK = 2000


class Planner:
    """Makes plans by the rules of a run."""

    def __init__(self, context: RunContext) -> None:
        self._ledger = context.ledger
        self._rules = context.policy.plan
        self._desired = DesiredState(context.ledger, context.policy)

    def chunks(self, connection: str | None = None) -> Iterator[list[RecordPlan]]:
        """The plans of the queued records of one connection or of all, in chunks, in the order of their names.

        Records may be taken off the queue while this is read.
        """
        after: Ref | None = None
        while refs := next_refs(self._ledger, Topic.PLAN, CHUNK, after=after, connection=connection):
            after = refs[-1]
            yield self.plan(refs)

    def plans(self, connection: str | None = None) -> Iterator[RecordPlan]:
        """The plans that `chunks` gives, one by one."""
        for chunk in self.chunks(connection):
            yield from chunk

    def plan(self, refs: Sequence[Ref]) -> list[RecordPlan]:
        """The plan of each of those records; an empty one for a record that was never seen."""
        records = list(records_of(self._ledger, refs))
        desired = self._desired.of(records)
        wrote = all_written(self._ledger, refs)
        refused: dict[Ref, dict[str, tuple[str | None, str | None, int]]] = {}
        for (ref, name), times in refusals(self._ledger, refs).items():
            refused.setdefault(ref, {})[name] = times
        undone = undone_values(self._ledger, refs)
        planned = {
            record.ref: plan_record(
                record,
                desired.get(record.ref, {}),
                Known(wrote.get(record.ref, {}), refused.get(record.ref, {}), undone.get(record.ref, {})),
                self._rules,
            )
            for record in records
        }
        return [planned.get(ref, RecordPlan(ref)) for ref in refs]
