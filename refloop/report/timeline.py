"""What happened to a record or a referral, as one line of time: what was seen, claimed, decided, written, by whom."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby

from refloop.ledger.reads.explain import CreditDecision, RecordStory, ReferralStory
from refloop.ledger.reads.receipts import PastChange
from refloop.mapping.stages import label_of
from refloop.model import Arrival, Outcome, Presence, Ref, Role, Verdict
from refloop.report.display import Display, percent


@dataclass(frozen=True, slots=True)
class Event:
    """What happened, when, and in which run of refloop (None: not by refloop). `details`: a line each."""

    at: datetime
    run: int | None
    what: str
    details: tuple[str, ...] = ()


def record_events(story: RecordStory, display: Display) -> list[Event]:
    """All that happened to a record, its referrals' decisions included, the oldest first."""
    events = [
        *_of_the_record(story, display),
        *_matches(story),
        *_review(story),
        *(event for referral in story.referrals for event in _referral(referral, of=story.record.ref)),
        *_credits(story),
        *_written(story.written, display),
        *_conflicts(story, display),
    ]
    return _in_order(events)


def referral_events(story: ReferralStory) -> list[Event]:
    """All that happened to a referral, the oldest first."""
    return _in_order(_referral(story, of=None))


def _in_order(events: Iterable[Event]) -> list[Event]:
    """By time; what happened in one run together, as it came: of some of it the run alone is known."""
    found = list(events)
    begun: dict[int | None, datetime] = {}
    for event in found:
        begun[event.run] = min(event.at, begun.get(event.run, event.at))
    return sorted(found, key=lambda event: (begun[event.run] if event.run else event.at, event.run or 0))


def _of_the_record(story: RecordStory, display: Display) -> Iterator[Event]:
    record = story.record
    yield Event(record.created_at, None, "created in the CRM")
    for arrival in story.arrivals:
        yield _arrival(arrival, story, display)
    if record.closed_at and record.outcome in (Outcome.WON, Outcome.LOST):
        yield Event(record.closed_at, None, f"ended in the CRM: {record.outcome.value}")


def _arrival(arrival: Arrival, story: RecordStory, display: Display) -> Event:
    details = [f"{arrival.match.evidence} in {arrival.match.field}"]
    if arrival.since != arrival.by:
        since, by = (display.time(end, story.record.ref.connection) for end in (arrival.since, arrival.by))
        details.append(f"not before {since} and not after {by}")
    state = {Presence.OVERWRITTEN: "overwritten since", Presence.GONE: "taken off since"}.get(arrival.presence)
    if state:
        details.append(state)
    return Event(arrival.at, None, f"the code {story.issued.get(arrival.code, arrival.code)} came", tuple(details))


def _matches(story: RecordStory) -> Iterator[Event]:
    for decision in story.matches:
        match = decision.match
        at = story.runs.get(decision.run)
        if at is None:
            continue
        if match is None:
            yield Event(at, decision.run, "no code stands on it any more")
        else:
            why = f"{match.evidence} in {match.field}, rule {match.rule.value}, {match.confidence} %"
            yield Event(at, decision.run, f"read as code {story.issued.get(match.code, match.code)}", (why,))


def _review(story: RecordStory) -> Iterator[Event]:
    for event in story.past_review:
        item = event.item
        about = f"{item.reason.value}: {item.evidence} in {item.field}"
        yield Event(event.at, event.run, f"{'left to a person' if event.is_open else 'settled'}: {about}")


def _credits(story: RecordStory) -> Iterator[Event]:
    for _, some in groupby(story.credits, key=lambda decision: decision.decision):
        decisions = list(some)
        at = story.runs.get(decisions[0].run)
        if at is not None:
            shares = [_share(decision, story) for decision in decisions if decision.credit]
            yield Event(at, decisions[0].run, "credited" if shares else "credited to nobody", tuple(shares))


def _share(decision: CreditDecision, story: RecordStory) -> str:
    credit = decision.credit
    if credit is None:
        return "nobody"
    names = {one.referral.id: one.referrer_name or one.referral.referrer for one in story.referrals}
    whose = f"{names[credit.referral]}, " if credit.referral in names else ""
    return f"{percent(credit.share)} to {whose}{credit.referral}, {role_words(credit.role)}"


def role_words(role: Role) -> str:
    """As what a referral gets its share."""
    return {Role.SOURCED: "sourced", Role.INFLUENCED: "influenced", Role.RENEWAL: "renewal"}[role]


_DONE: Mapping[Verdict, str] = {
    Verdict.WRITTEN: "written",
    Verdict.PRESENT: "stood there already",
    Verdict.MOVED: "not written: somebody wrote first",
    Verdict.REFUSED: "refused by the CRM",
    Verdict.DEFERRED: "not written yet",
    Verdict.UNKNOWN: "sent, and nobody knows whether it arrived",
}


def _written(changes: Sequence[PastChange], display: Display) -> Iterator[Event]:
    """One event for what became of the fields of one run alike; the same again in a later run in one line."""
    before: tuple[object, ...] = ()
    by_run = groupby(changes, key=lambda change: (change.run, change.verdict, change.reason))
    for (run, verdict, reason), some in by_run:
        tried = list(some)
        same = (verdict, reason, tuple((one.field, one.before, one.after, one.found, one.overwrote) for one in tried))
        what = f"{_DONE[verdict]}{f': {reason}' if reason else ''}"
        if verdict is not Verdict.WRITTEN and same == before:
            yield Event(tried[0].at, run, f"{_DONE[verdict]}, all of it as before")
        else:
            yield Event(tried[0].at, run, what, tuple(_change(one, display) for one in tried))
        before = same


def _change(change: PastChange, display: Display) -> str:
    def shown(value: str | None) -> str:
        return display.value(change.field, value, change.ref.connection)

    said = f"{display.label(change.field)}: {shown(change.before)} -> {shown(change.after)}"
    if change.overwrote:
        return f"{said}, over {shown(change.found)}, which somebody wrote there at the same time"
    if change.verdict is Verdict.MOVED:
        return f"{said}; somebody wrote {shown(change.found)}"
    return said


def _conflicts(story: RecordStory, display: Display) -> Iterator[Event]:
    for found in story.conflicts:
        at = story.runs.get(found.run or 0)
        if at is not None:
            conflict = found.conflict
            said = display.value(conflict.field, conflict.found, conflict.ref.connection)
            yield Event(at, found.run, f"a person had written {said} into {display.label(conflict.field)}: left so")


def _referral(story: ReferralStory, of: Ref | None) -> Iterator[Event]:
    """What happened to a referral; as a record tells it (`of`), of the records that it holds that one alone."""
    name = story.referral.id
    made = False
    void = None
    for claim in story.claims:
        if not made:
            yield Event(claim.at, claim.run, f"referral {name} made", (claim.why,) if claim.why else ())
        if claim.void and claim.void is not void:
            yield Event(claim.at, claim.run, f"referral {name} does not count: {claim.void_reason}")
        elif void and not claim.void:
            yield Event(claim.at, claim.run, f"referral {name} counts again")
        made, void = True, claim.void
    for one in story.memberships:
        if of in (None, one.ref):
            who = "this record" if of else f"{story.called.get(one.ref, '')} {one.ref}".strip()
            yield Event(one.at, one.run, f"referral {name} {'holds' if one.holds else 'no longer holds'} {who}")
    for decision in story.statuses:
        change = decision.change
        yield Event(change.at, None, f"referral {name}: {label_of(change.status)} ({change.reason})")
