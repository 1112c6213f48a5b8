"""What the accounts call their fields, asked for when something is about to be said there."""

from __future__ import annotations

from datetime import timedelta

from refloop.connectors.base import Connector, Describes, answer_of
from refloop.ledger.labels import described_since, keep_described, lacking
from refloop.ledger.queue import Topic, next_refs
from refloop.sync.context import RunContext

_FRESH = timedelta(days=1)


def learn_labels(context: RunContext, name: str, connector: Connector, *, afresh: bool = False) -> str:
    """Asks an account what it calls its fields, while something waits to be planned: once a day, and each time where it
    lacks some of ours; `afresh`: now. Returns what a person should know and was not told before: that fields of a later
    refloop are left out.

    Raises what the connector raises.
    """
    if not isinstance(connector, Describes):
        return ""
    known = described_since(context.ledger, name, context.clock() - _FRESH) and name not in lacking(context.ledger)
    if not afresh and (known or not next_refs(context.ledger, Topic.PLAN, 1)):
        return ""
    fields = context.policy.fields
    said = answer_of(name, lambda: connector.described(fields))
    new = keep_described(context.ledger, name, said, context.clock())
    left_out = sorted({field for _, field in new if context.policy.spec(field).is_later})
    if not left_out:
        return ""
    them = "them" if len(left_out) > 1 else "it"
    return f"{', '.join(left_out)} not there yet, and left out; `refloop provision` creates {them}"
