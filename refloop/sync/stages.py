"""From what changed to what the ledger says, stage by stage. A new stage is a file and a line here."""

from __future__ import annotations

from collections import Counter
from typing import Any

from refloop.ledger.codes import reread_if_codes_changed
from refloop.ledger.due import wake
from refloop.ledger.policies import decide_anew
from refloop.ledger.queue import Topic, pending
from refloop.ledger.records import pulled
from refloop.ledger.summaries import plan_where_currency_changed
from refloop.sync.claim import claim
from refloop.sync.context import RunContext
from refloop.sync.credit import credit
from refloop.sync.desired import counted_currency, declared_currency
from refloop.sync.match import match
from refloop.sync.stage import CHUNK, IDS, RECORDS, Stage
from refloop.sync.status import status
from refloop.sync.total import total

STAGES: tuple[Stage[Any], ...] = (
    Stage(Topic.MATCH, RECORDS, match),
    Stage(Topic.CLAIM, RECORDS, claim),
    Stage(Topic.CREDIT, RECORDS, credit),
    Stage(Topic.STATUS, IDS, status),
    Stage(Topic.TOTAL, IDS, total),
)
"""In the order in which they work: each leaves work for those behind it, or for itself."""


class Decider:
    """Works through the stages, for one run. `counts` holds how many of what were visited, also after something was
    raised."""

    def __init__(self, context: RunContext) -> None:
        self._context = context
        self.counts: Counter[str] = Counter()

    def decide(self) -> Counter[str]:
        """Works until every queue before the plan is empty. What has come due, and what was decided by rules that have
        changed since, is looked at as well. Raises TimeIsUp between two chunks."""
        self.match()
        for stage in STAGES[1:]:
            self._empty(stage)
        self._follow_currencies()
        return self.counts

    def match(self) -> None:
        """The same for the first stage alone: what it found decides of which records the CRMs are asked more."""
        context = self._context
        wake(context.ledger, context.clock())
        decide_anew(context.ledger, context.run, context.policy, context.clock())
        reread_if_codes_changed(context.ledger)
        self._empty(STAGES[0])

    def _empty(self, stage: Stage[Any]) -> None:
        context, name, chunks = self._context, stage.topic.value, 0
        while done := stage.work(context):
            self.counts[name] += done
            chunks += 1
            if chunks == 1 and done == CHUNK:  # it may take long; what it leaves for itself meanwhile comes on top
                context.expects(name, "", done + pending(context.ledger, stage.topic))
            context.kept(name, "", done)

    def _follow_currencies(self) -> None:
        """Which currency most deals are in can only have changed with a deal, and is a look at all of them."""
        ledger, policy = self._context.ledger, self._context.policy
        names = [*dict.fromkeys([*policy.plan.currencies, *pulled(ledger)])]
        told = counted_currency if self.counts else declared_currency
        now = {name: currency for name in names if (currency := told(ledger, policy, name)) or self.counts}
        plan_where_currency_changed(ledger, now)
