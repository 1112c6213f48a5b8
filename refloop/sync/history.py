"""The history stage: what the CRMs keep of the past of fields in which a code stands, and nobody saw it come."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from refloop.connectors.base import Connector, Histories, answers_of
from refloop.ledger.arrivals import arrivals_of, keep_arrivals
from refloop.ledger.queue import Topic, dequeue, enqueue, next_refs
from refloop.ledger.records import records_of
from refloop.mapping.arrivals import Codes, Past, narrowed
from refloop.mapping.match import CarriedTexts, sight
from refloop.mapping.policy import Part
from refloop.model import FieldHistory, Record, Ref
from refloop.sync.context import RunContext

ASKED_AT_ONCE = 200


class Historian:
    """Asks the CRMs when codes came to records, for one run. `counts` holds how many records were asked about, also
    after something was raised."""

    def __init__(self, context: RunContext) -> None:
        self._context = context
        self.counts: Counter[str] = Counter()

    def ask(self, name: str, connector: Connector) -> None:
        """Asks about every record of the connection that waits for it; what the CRM does not tell stays as wide as it
        was. Raises what the connector raises; what was asked before is kept."""
        context = self._context
        while refs := next_refs(context.ledger, Topic.HISTORY, ASKED_AT_ONCE, connection=name):
            found = _histories(name, connector, refs)
            with context.ledger.writing():
                self._keep(found)
                dequeue(context.ledger, Topic.HISTORY, refs)
            if found:
                self.counts["histories"] += len(refs)
            context.kept("history", name, len(refs))

    def _keep(self, found: dict[Ref, list[FieldHistory]]) -> None:
        context, ledger = self._context, self._context.ledger
        before = arrivals_of(ledger, found)
        now = {
            record.ref: narrowed(record, before.get(record.ref, {}), self._past(record, found[record.ref]))
            for record in records_of(ledger, found)
        }
        keep_arrivals(ledger, context.provenance(Part.MATCH), before, now)
        enqueue(ledger, Topic.MATCH, (ref for ref, arrivals in now.items() if arrivals))

    def _past(self, record: Record, histories: Sequence[FieldHistory]) -> Past:
        book, typed_field = self._context.book, self._context.policy.names("code")

        def read(field: str, text: str) -> Codes:
            on = record.created_at.date()
            if field == typed_field:
                return sight(CarriedTexts(record.ref, {}, on, text, typed_field), book).codes
            return sight(CarriedTexts(record.ref, {field: text}, on), book).codes

        return Past(tuple(histories), typed_field, read)


def _histories(name: str, connector: Connector, refs: Sequence[Ref]) -> dict[Ref, list[FieldHistory]]:
    """What the CRM keeps of the past of each of the records; nothing where it keeps none."""
    found: dict[Ref, list[FieldHistory]] = {}
    if not isinstance(connector, Histories):
        return found
    for history in answers_of(name, lambda: connector.histories(refs)):
        found.setdefault(history.ref, []).append(history)
    return found
