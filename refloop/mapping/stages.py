"""Their stages -> our status. Pure; by the CRM's own stage facts, never by a deal stage's name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from refloop.model import Outcome, Status

_LABELS = {
    Status.SUBMITTED: "Submitted",
    Status.ACCEPTED: "Accepted",
    Status.CONTACTED: "Contacted",
    Status.QUALIFIED: "Qualified",
    Status.OPPORTUNITY: "In negotiation",
    Status.ON_HOLD: "On hold",
    Status.WON: "Won",
    Status.LOST: "Lost",
    Status.DISQUALIFIED: "Not a fit",
    Status.NO_RESPONSE: "No response",
    Status.DUPLICATE: "Already known",
    Status.EXPIRED: "Expired",
    Status.REVERSED: "Reversed",
    Status.WITHDRAWN: "Withdrawn",
}

OPEN = frozenset(
    {
        Status.SUBMITTED,
        Status.ACCEPTED,
        Status.CONTACTED,
        Status.QUALIFIED,
        Status.OPPORTUNITY,
        Status.ON_HOLD,
    }
)

# The words that both CRMs ship with. A company's own words go into `matching: statuses:`; a word that is in
# neither says nothing.
STANDARD_STATUSES: Mapping[str, Status] = {
    # Salesforce Lead.Status, as delivered
    "working - contacted": Status.CONTACTED,
    "closed - not converted": Status.DISQUALIFIED,
    "unqualified": Status.DISQUALIFIED,
    "qualified": Status.QUALIFIED,
    "contacted": Status.CONTACTED,
    # HubSpot hs_lead_status, as delivered
    "in_progress": Status.CONTACTED,
    "connected": Status.CONTACTED,
    "bad_timing": Status.ON_HOLD,
    # HubSpot lifecyclestage, as delivered
    "marketingqualifiedlead": Status.QUALIFIED,
    "salesqualifiedlead": Status.QUALIFIED,
}

_RANK = (
    Status.SUBMITTED,
    Status.DISQUALIFIED,
    Status.NO_RESPONSE,
    Status.ON_HOLD,
    Status.ACCEPTED,
    Status.CONTACTED,
    Status.QUALIFIED,
)


def label_of(status: Status) -> str:
    """The word that people read."""
    return _LABELS[status]


def status_words(extra: Mapping[str, Status]) -> dict[str, Status]:
    """The words of both CRMs and of the company (which win), in lower case."""
    return {**STANDARD_STATUSES, **{word.casefold(): status for word, status in extra.items()}}


@dataclass(frozen=True, slots=True)
class DealFacts:
    """A deal of the buyer's, as far as a status needs it. `outcome` None: a stage that the CRM cannot explain."""

    outcome: Outcome | None
    created_at: datetime
    closed_at: datetime | None
    title: str


@dataclass(frozen=True, slots=True)
class PersonFacts:
    """A person record of the buyer's: the CRM's word for where they are, and their company."""

    stage: str | None
    title: str


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a referral stands, since when by the CRM, why, and what to call it."""

    status: Status
    at: datetime
    reason: str
    label: str


def standing(
    claimed_at: datetime,
    deals: Sequence[DealFacts],
    persons: Sequence[PersonFacts],
    words: Mapping[str, Status],
    *,
    before: Status | None = None,
) -> Standing:
    """Where a referral stands by its buyer's deals and records; `before` is where it stood.

    A won deal makes it won; else an open one an opportunity; else a lost one lost, or reversed when it had
    been won. Without deals, the person's own stage speaks. Times are the CRM's, never of the sync.
    """
    label = next((person.title for person in persons if person.title), "")
    known = [deal for deal in deals if deal.outcome is not None]
    won = [deal for deal in known if deal.outcome is Outcome.WON]
    if won:
        deal = min(won, key=_ended)
        return Standing(Status.WON, _ended(deal), "a deal was won", deal.title or label)
    opened = [deal for deal in known if deal.outcome is Outcome.OPEN]
    if opened:
        deal = min(opened, key=lambda deal: (deal.created_at, deal.title))
        # a deal may be older than the referral that influenced it
        return Standing(Status.OPPORTUNITY, max(deal.created_at, claimed_at), "a deal is open", deal.title or label)
    if known:
        deal = max(known, key=_ended)
        if before in (Status.WON, Status.REVERSED):
            return Standing(Status.REVERSED, _ended(deal), "the deal that had been won was lost", deal.title or label)
        return Standing(Status.LOST, _ended(deal), "all deals were lost", deal.title or label)
    if before in (Status.WON, Status.REVERSED) and not deals:
        return Standing(Status.REVERSED, claimed_at, "the deal that had been won is gone", label)
    return _without_deals(claimed_at, persons, words, label)


def _ended(deal: DealFacts) -> datetime:
    return deal.closed_at or deal.created_at


def _without_deals(
    claimed_at: datetime, persons: Iterable[PersonFacts], words: Mapping[str, Status], label: str
) -> Standing:
    stages = [person.stage for person in persons if person.stage]
    said = [(words[stage.casefold()], stage) for stage in stages if stage.casefold() in words]
    if not said:
        return Standing(Status.SUBMITTED, claimed_at, "the code was received", label)
    status, stage = max(said, key=lambda pair: (_rank(pair[0]), pair[1]))
    return Standing(status, claimed_at, f"the record's stage is {stage}", label)


def _rank(status: Status) -> int:
    return _RANK.index(status) if status in _RANK else len(_RANK)
