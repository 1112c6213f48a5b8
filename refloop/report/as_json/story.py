"""What `explain` says."""

from __future__ import annotations

import json

from refloop.ledger.reads.explain import (
    CreditDecision,
    CreditedDeal,
    MatchDecision,
    RecordStory,
    ReferralStory,
    StatusDecision,
)
from refloop.ledger.reads.receipts import PastChange
from refloop.mapping.money import Won, money_text, share_of
from refloop.model import NO_CURRENCY, Arrival, Link, Record, Ref, Referral, format_time
from refloop.report.as_json.found import referrer_story_json
from refloop.report.as_json.lists import open_item_json
from refloop.report.as_json.run import conflict_json
from refloop.report.as_json.values import Json, decimal_or_none, exact, place
from refloop.report.display import Display
from refloop.report.timeline import Event, record_events, referral_events


def record_story_json(story: RecordStory, display: Display) -> Json:
    """What `explain` says of a record."""
    ref = story.record.ref
    return {
        "record": {**_record(story.record), "hash": story.hash, "changed_run": story.changed_run},
        "forgotten": story.forgotten,
        "links": [_link(link) for link in story.links],
        "matches": [_match(ref, decision) for decision in story.matches],
        "arrivals": [_arrival(arrival) for arrival in story.arrivals],
        "questions": [
            # as text, unlike in `review`: so it was from the beginning
            {**open_item_json(found), "candidates": json.dumps(found.item.candidates)}
            for found in story.review
        ],
        "referrals": [referral_story_json(referral) for referral in story.referrals],
        "credits": [_credit(ref, decision) for decision in story.credits],
        "written": [_change(change) for change in story.written],
        "conflicts": [conflict_json(found) for found in story.conflicts],
        "address": display.address_of(ref),
        "referrers": [referrer_story_json(referrer) for referrer in story.referrers],
        "timeline": [_event(event) for event in record_events(story, display)],
    }


def referral_story_json(story: ReferralStory) -> Json:
    """What `explain` says of a referral."""
    return {
        "referral": _referral(story),
        "records": [place(ref) for ref in story.records],
        "statuses": [_status(decision) for decision in story.statuses],
        "deals": [_deal(story.referral, deal) for deal in story.deals],
        "timeline": [_event(event) for event in referral_events(story)],
    }


def _event(event: Event) -> Json:
    return {"at": exact(event.at), "run": event.run, "what": event.what, "details": list(event.details)}


def _record(record: Record) -> Json:
    return {
        **place(record.ref),
        "created_at": exact(record.created_at),
        "modified_at": exact(record.modified_at),
        "email": record.email,
        "title": record.title,
        "texts": record.texts,
        "found": record.found,
        "stage": record.stage,
        "outcome": record.outcome.value if record.outcome else None,
        "amount": decimal_or_none(record.amount),
        "currency": record.currency,
        "closed_at": exact(record.closed_at) if record.closed_at else None,
        "deleted": int(record.deleted),
    }


def _link(link: Link) -> Json:
    return {
        **{f"source_{name}": value for name, value in place(link.source).items()},
        "relation": link.relation.value,
        **{f"target_{name}": value for name, value in place(link.target).items()},
        "key": link.key,
        "labels": list(link.labels),
    }


def _arrival(arrival: Arrival) -> Json:
    return {
        "code_key": arrival.code,
        "field": arrival.match.field,
        "since": exact(arrival.since),
        "latest": exact(arrival.by),
        "came_at": exact(arrival.at),
        "presence": arrival.presence.value,
    }


def _match(ref: Ref, decision: MatchDecision) -> Json:
    match = decision.match
    return {
        "seq": decision.seq,
        **place(ref),
        "code_key": match.code if match else None,
        "rule": match.rule.value if match else None,
        "field": match.field if match else None,
        "evidence": match.evidence if match else None,
        "confidence": match.confidence if match else None,
        "matcher": decision.matcher,
        "run": decision.run,
    }


def _credit(deal: Ref, decision: CreditDecision) -> Json:
    credit = decision.credit
    return {
        "seq": decision.seq,
        **place(deal),
        "decision": decision.decision,
        "referral": credit.referral if credit else None,
        "share": str(credit.share) if credit else None,
        "role": credit.role.value if credit else None,
        "model": decision.model,
        "run": decision.run,
    }


def _change(change: PastChange) -> Json:
    return {
        "seq": change.seq,
        **place(change.ref),
        "field": change.field,
        "before": change.before,
        "after": change.after,
        "found": change.found,
        "verdict": change.verdict.value,
        "reason": change.reason,
        "why": change.why,
        "run": change.run,
        "at": format_time(change.at),
        "overwrote": int(change.overwrote),
    }


def _referral(story: ReferralStory) -> Json:
    referral = story.referral
    origin = place(referral.origin) if referral.origin else dict.fromkeys(("connection", "kind", "id"))
    return {
        "referral": referral.id,
        "code_key": referral.code,
        "program": referral.program,
        "referrer": referral.referrer,
        "source": "claim" if referral.submitted else "record",
        **{f"origin_{name}": value for name, value in origin.items()},
        "email": referral.email,
        "note": story.note,
        "claimed_at": exact(referral.claimed_at),
        "why": referral.why,
        "void": referral.void.value if referral.void else None,
        "void_reason": referral.void_reason,
        "added_run": story.added_run,
        "code": story.code,
        "referrer_name": story.referrer_name,
    }


def _status(decision: StatusDecision) -> Json:
    change = decision.change
    return {
        "seq": decision.seq,
        "referral": change.referral,
        "status": change.status.value,
        "at": format_time(change.at),
        "reason": change.reason,
        "label": change.label,
        "run": decision.run,
    }


def _deal(referral: Referral, deal: CreditedDeal) -> Json:
    credit, currency = deal.credit, deal.currency or NO_CURRENCY
    won = None if deal.amount is None else share_of(Won(deal.amount, currency), credit.share)
    return {
        **place(credit.deal),
        "title": deal.title,
        "outcome": deal.outcome.value if deal.outcome else None,
        "amount": decimal_or_none(deal.amount),
        "credited": money_text(won.amount, currency) if won else None,
        "currency": deal.currency,
        "closed_at": exact(deal.closed_at) if deal.closed_at else None,
        "referral": credit.referral,
        "share": str(credit.share),
        "role": credit.role.value,
        "model": credit.model,
        "referrer": referral.referrer,
        "program": referral.program,
        "code_key": referral.code,
    }
