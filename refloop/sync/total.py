"""The total stage: whose own contacts must tell how their referrals fare."""

from __future__ import annotations

from collections.abc import Sequence

from refloop.ledger.codes import referrer_of
from refloop.ledger.identity import holders_of
from refloop.ledger.queue import Topic
from refloop.model import Kind
from refloop.sync.context import RunContext
from refloop.sync.stage import Caused


def total(context: RunContext, ids: Sequence[str]) -> Caused:
    """Finds the contacts of the referrers, by their e-mail."""
    caused = Caused()
    for name in ids:
        referrer = referrer_of(context.ledger, name)
        if referrer and referrer.email:
            holders = holders_of(context.ledger, referrer.email)
            caused.look_at(Topic.PLAN, (ref for ref in holders if ref.kind is Kind.CONTACT))
    return caused
