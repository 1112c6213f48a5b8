"""Their stages -> our status. Pure; by the CRM's own stage facts, never by a deal stage's name."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, tzinfo

from refloop.mapping.credit import follows
from refloop.model import Kind, Outcome, Record, Referral, Status, StatusChange

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
class _Standing:
    status: Status
    at: datetime
    reason: str
    label: str


def status_of(
    referral: Referral,
    deals: Sequence[Record],
    persons: Sequence[Record],
    words: Mapping[str, Status],
    *,
    zone: Callable[[str], tzinfo] = lambda _connection: UTC,
    before: StatusChange | None = None,
) -> StatusChange:
    """Where a referral stands by its buyer's deals and records, the deleted ones too; `before` is where it stood.

    A void referral stands where it was voided to. Else a won deal makes it won; else an open one an opportunity; else a
    lost one lost, or reversed when it had been won. Without deals, the person's own stage speaks; when all that is
    known of the buyer was deleted, the referral ends with it. Deals that were deleted, or had ended before the referral
    was made, or may have, do not count; `zone` gives the zone in which the people of a connection read days. Times are
    the CRM's, never of the sync.
    """
    if referral.void is not None:
        found = _Standing(referral.void, referral.claimed_at, referral.void_reason, before.label if before else "")
    else:
        counting = [deal for deal in deals if not deal.deleted and follows(deal, referral, zone(deal.ref.connection))]
        found = _by_deals(referral.claimed_at, counting, persons, words, before.status if before else None)
        if not counting:
            found = _by_deletion(referral.claimed_at, [*persons, *deals], found)
    return StatusChange(referral.id, found.status, found.at.replace(microsecond=0), found.reason, found.label)


def _by_deletion(claimed_at: datetime, records: Sequence[Record], found: _Standing) -> _Standing:
    """How a referral without deals stands, whose buyer's `records` may have been deleted."""
    deleted = [record for record in records if record.deleted]
    if found.status is Status.REVERSED and any(record.ref.kind is Kind.DEAL for record in deleted):
        return replace(found, reason="the deal that had been won was deleted in the CRM")
    if found.status in OPEN and deleted and len(deleted) == len(records):
        at = max(record.modified_at for record in deleted)
        reason = "the buyer's record was deleted in the CRM"
        return _Standing(Status.WITHDRAWN, max(at, claimed_at), reason, found.label)
    return found


def _by_deals(
    claimed_at: datetime,
    deals: Sequence[Record],
    persons: Sequence[Record],
    words: Mapping[str, Status],
    before: Status | None,
) -> _Standing:
    label = next((person.title for person in persons if person.title), "")
    known = [deal for deal in deals if deal.outcome is not None]
    won = [deal for deal in known if deal.outcome is Outcome.WON]
    if won:
        deal = min(won, key=_ended)
        return _Standing(Status.WON, _ended(deal), "a deal was won", deal.title or label)
    opened = [deal for deal in known if deal.outcome is Outcome.OPEN]
    if opened:
        deal = min(opened, key=lambda deal: (deal.created_at, deal.title or ""))
        # a deal may be older than the referral that influenced it
        return _Standing(Status.OPPORTUNITY, max(deal.created_at, claimed_at), "a deal is open", deal.title or label)
    if known:
        deal = max(known, key=_ended)
        if before in (Status.WON, Status.REVERSED):
            return _Standing(Status.REVERSED, _ended(deal), "the deal that had been won was lost", deal.title or label)
        return _Standing(Status.LOST, _ended(deal), "all deals were lost", deal.title or label)
    if before in (Status.WON, Status.REVERSED) and not deals:
        return _Standing(Status.REVERSED, claimed_at, "the deal that had been won is gone", label)
    return _without_deals(claimed_at, [person for person in persons if not person.deleted], words, label)


def _ended(deal: Record) -> datetime:
    return deal.closed_at or deal.created_at


def _without_deals(
    claimed_at: datetime, persons: Iterable[Record], words: Mapping[str, Status], label: str
) -> _Standing:
    stages = [person.stage for person in persons if person.stage]
    said = [(words[stage.casefold()], stage) for stage in stages if stage.casefold() in words]
    if not said:
        return _Standing(Status.SUBMITTED, claimed_at, "the code was received", label)
    status, stage = max(said, key=lambda pair: (_rank(pair[0]), pair[1]))
    return _Standing(status, claimed_at, f"the record's stage is {stage}", label)


def _rank(status: Status) -> int:
    return _RANK.index(status) if status in _RANK else len(_RANK)
