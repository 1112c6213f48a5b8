"""Their stages -> our status. Pure; by the CRM's own stage facts, never by a deal stage's name."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, tzinfo

from refloop.mapping.credit import follows
from refloop.mapping.labels import quoted
from refloop.model import Kind, Outcome, Record, Referral, Stage, Status, StatusChange

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
    # Salesforce Lead.Status, as delivered; the second half since Lightning's own paths
    "open - not contacted": Status.SUBMITTED,
    "working - contacted": Status.CONTACTED,
    "closed - converted": Status.QUALIFIED,
    "closed - not converted": Status.DISQUALIFIED,
    "contacted": Status.CONTACTED,
    "nurturing": Status.ON_HOLD,
    "qualified": Status.QUALIFIED,
    "unqualified": Status.DISQUALIFIED,
    # HubSpot hs_lead_status, as delivered
    "new": Status.SUBMITTED,
    "open": Status.SUBMITTED,
    "in_progress": Status.CONTACTED,
    "open_deal": Status.OPPORTUNITY,
    "attempted_to_contact": Status.ACCEPTED,
    "connected": Status.CONTACTED,
    "bad_timing": Status.ON_HOLD,
    # HubSpot lifecyclestage, as delivered. A customer may have been one before the referral, and what they bought then
    # is not owed to it: only a deal makes a referral won, unless the company says otherwise
    "subscriber": Status.SUBMITTED,
    "lead": Status.SUBMITTED,
    "marketingqualifiedlead": Status.QUALIFIED,
    "salesqualifiedlead": Status.QUALIFIED,
    "opportunity": Status.OPPORTUNITY,
    "customer": Status.OPPORTUNITY,
    "evangelist": Status.OPPORTUNITY,
    "other": Status.SUBMITTED,
}

_RANK = (
    Status.SUBMITTED,
    Status.DISQUALIFIED,
    Status.NO_RESPONSE,
    Status.ON_HOLD,
    Status.ACCEPTED,
    Status.CONTACTED,
    Status.QUALIFIED,
    Status.OPPORTUNITY,
    Status.WON,
)


def label_of(status: Status) -> str:
    """The word that people read."""
    return _LABELS[status]


def status_words(extra: Mapping[str, Status]) -> dict[str, Status]:
    """The words of both CRMs and of the company (which win), in lower case."""
    return {**STANDARD_STATUSES, **{word.casefold(): status for word, status in extra.items()}}


@dataclass(frozen=True, slots=True)
class Course:
    """What the CRMs show of a referral's buyer: the records of the person, the deals that count for the referral, and
    those that do not count though the person stands on them."""

    persons: Sequence[Record] = ()
    deals: Sequence[Record] = ()
    beside: Sequence[Record] = ()


@dataclass(frozen=True, slots=True)
class _Standing:
    status: Status
    at: datetime
    reason: str
    label: str


def status_of(
    referral: Referral,
    course: Course,
    words: Mapping[str, Status],
    now: datetime,
    *,
    zone: Callable[[str], tzinfo] = lambda _connection: UTC,
    before: StatusChange | None = None,
) -> StatusChange:
    """Where a referral stands by its buyer's deals and records, the deleted ones too; `before` is where it stood.

    A void referral stands where it was voided to. Else a won deal makes it won; else an open one an opportunity; else a
    lost one lost, or reversed when it had been won. Without deals, the person's own stages speak, the furthest of them;
    when all that is known of the buyer was deleted, the referral ends with it. Deals that were deleted, or had ended
    before the referral was made, or may have, do not count; `zone` gives the zone in which the people of a connection
    read days.

    Since when is the CRM's time of that change where it keeps one, else that of the save with which it was first seen;
    never before the claim, and never after `now`: what is dated later counts from when it was first decided.
    """
    if referral.void is not None:
        found = _Standing(referral.void, referral.claimed_at, referral.void_reason, before.label if before else "")
    else:
        there = [deal for deal in course.deals if not deal.deleted]
        counting = [deal for deal in there if follows(deal, referral, zone(deal.ref.connection))]
        found = _by_course(referral, replace(course, deals=counting), words, _Past(before, now))
        if not counting:
            found = _by_deletion([*course.persons, *course.deals], found)
    at = max(found.at, referral.claimed_at)
    if at > now:
        at = before.at if before and before.status is found.status and before.at <= now else now
    return StatusChange(referral.id, found.status, at.replace(microsecond=0), found.reason, found.label)


def _by_deletion(records: Sequence[Record], found: _Standing) -> _Standing:
    """How a referral without deals stands, whose buyer's `records` may have been deleted."""
    deleted = [record for record in records if record.deleted]
    deals = [record.modified_at for record in deleted if record.ref.kind is Kind.DEAL]
    if found.status is Status.REVERSED and deals:
        return replace(found, at=max(deals), reason="the deal that had been won was deleted in the CRM")
    if found.status in OPEN and deleted and len(deleted) == len(records):
        at = max(record.modified_at for record in deleted)
        return _Standing(Status.WITHDRAWN, at, "the buyer's record was deleted in the CRM", found.label)
    return found


@dataclass(frozen=True, slots=True)
class _Past:
    """Where a referral stood until now."""

    before: StatusChange | None
    now: datetime

    @property
    def was_won(self) -> bool:
        return self.before is not None and self.before.status in (Status.WON, Status.REVERSED)

    @property
    def gone_at(self) -> datetime:
        """When what had been won was gone: no CRM says; the run that first saw it."""
        return self.before.at if self.before and self.before.status is Status.REVERSED else self.now


def _by_course(referral: Referral, course: Course, words: Mapping[str, Status], past: _Past) -> _Standing:
    label = next((person.title for person in course.persons if person.title), "")
    known = [deal for deal in course.deals if deal.outcome is not None]
    won = [deal for deal in known if deal.outcome is Outcome.WON]
    if won:
        deal = min(won, key=ended_at)
        return _Standing(Status.WON, ended_at(deal), "a deal was won", deal.title or label)
    opened = [deal for deal in known if deal.outcome is Outcome.OPEN]
    if opened:
        deal = min(opened, key=lambda deal: (deal.created_at, deal.title or ""))
        return _Standing(Status.OPPORTUNITY, deal.created_at, "a deal is open", deal.title or label)
    if known:
        deal = max(known, key=ended_at)
        if past.was_won:
            return _Standing(
                Status.REVERSED, ended_at(deal), "the deal that had been won was lost", deal.title or label
            )
        return _Standing(Status.LOST, ended_at(deal), lost_because(deal) or "all deals were lost", deal.title or label)
    by_person = _without_deals(referral.claimed_at, [one for one in course.persons if not one.deleted], words, label)
    # a won deal that counts no longer was not taken back: it never was the referral's
    beside = any(deal.outcome is Outcome.WON and not deal.deleted for deal in course.beside)
    if past.was_won and not course.deals and not beside and by_person.status is not Status.WON:
        return _Standing(Status.REVERSED, past.gone_at, "the deal that had been won is gone", label)
    return by_person


def lost_because(deal: Record) -> str:
    """Why a deal was lost, as somebody wrote in its CRM; "" where nobody did, and where it was not lost."""
    reason = quoted(deal.lost_reason or "", 80) if deal.outcome is Outcome.LOST else ""
    return f'the reason given is "{reason}"' if reason else ""


def ended_at(deal: Record) -> datetime:
    """When a deal that is over ended: the day that its CRM gives, unless that was still to come when the deal was last
    saved: then, when it was moved to its stage."""
    moved = deal.stage_at or deal.known.stage_seen
    if deal.closed_at is None:
        return deal.stage_at or deal.created_at
    return deal.closed_at if deal.closed_at <= deal.modified_at else min(deal.closed_at, moved or deal.modified_at)


def _without_deals(
    claimed_at: datetime, persons: Iterable[Record], words: Mapping[str, Status], label: str
) -> _Standing:
    said = [furthest for person in persons if (furthest := _furthest(person, words))]
    if not said:
        return _Standing(Status.SUBMITTED, claimed_at, "the code was received", label)
    far = max(said, key=lambda item: (_rank(item.status), item.word))
    if far.status is Status.SUBMITTED:
        return _Standing(Status.SUBMITTED, claimed_at, "the code was received", label)
    since = min((item.at for item in said if item.status is far.status and item.at), default=claimed_at)
    return _Standing(far.status, since, f"the record's stage is {far.word}", label)


@dataclass(frozen=True, slots=True)
class _Said:
    """What one field of a person says; `told`: since when, by the CRM; `at`: that, or when it was first seen."""

    status: Status
    word: str
    told: datetime | None
    at: datetime | None


def _furthest(person: Record, words: Mapping[str, Status]) -> _Said | None:
    """The furthest that any of a person's stages says. An end that the CRM dates after it counts instead: a lead that
    was qualified and then given up is given up."""
    stages = [Stage(person.stage, person.stage_at)] if person.stage else []
    said = [
        _Said(words[stage.word.casefold()], stage.word, stage.at, stage.at or person.known.stage_seen)
        for stage in (*stages, *person.further_stages)
        if stage.word.casefold() in words
    ]
    if not said:
        return None
    far = max(said, key=lambda item: (_rank(item.status), item.word))
    later = [item for item in said if item.status in _ENDS and item.told and far.told and item.told > far.told]
    return max(later, key=lambda item: (item.told or item.at, item.word)) if later else far


_ENDS = frozenset(Status) - OPEN - {Status.WON}


def _rank(status: Status) -> int:
    return _RANK.index(status) if status in _RANK else len(_RANK)
