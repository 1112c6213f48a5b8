"""The story of a record or a referral: what was read, decided on what evidence, and written."""

from __future__ import annotations

from rich.console import Console

from refloop.ledger.reads.conflicts import FoundConflict
from refloop.ledger.reads.explain import (
    CreditDecision,
    CreditedDeal,
    MatchDecision,
    RecordStory,
    ReferralStory,
    StatusDecision,
)
from refloop.ledger.reads.receipts import PastChange
from refloop.ledger.reads.review import OpenItem
from refloop.mapping.money import money_text
from refloop.model import NO_CURRENCY, Arrival, Link, Presence, Record, format_time
from refloop.report.lines import one_line, say, section
from refloop.report.text.review import REMEDIES


def print_record_story(console: Console, story: RecordStory) -> None:
    """Prints the whole story of a record."""
    record = story.record
    say(console, f"{record.ref}  {one_line(record.title or '')}", "bold")
    for fact, value in _facts(record).items():
        if value is not None:
            say(console, f"  {fact}: {value}")
    if story.forgotten:
        say(console, "  this person was forgotten (`refloop forget`): e-mail, title and texts are not kept", "yellow")
    if record.deleted:
        say(console, "  deleted in the CRM", "yellow")
    section(console, "read", [f"{name}: {text}" for name, text in {**record.texts, **record.found}.items()])
    section(console, "links", [_link(link) for link in story.links])
    section(console, "codes", [_match(decision) for decision in story.matches])
    section(console, "came", [_arrival(arrival) for arrival in story.arrivals])
    section(console, "questions", [_open_item(found) for found in story.review])
    for referral in story.referrals:
        print_referral_story(console, referral)
    section(console, "credits", [_credit(decision) for decision in story.credits])
    section(console, "written", [_change(change) for change in story.written])
    section(console, "conflicts", [_conflict(found) for found in story.conflicts])


def print_referral_story(console: Console, story: ReferralStory) -> None:
    """Prints the whole story of a referral."""
    referral = story.referral
    who = story.referrer_name or referral.referrer
    say(console, f"referral {referral.id}: code {story.code} of {who}, {referral.program}", "bold")
    say(console, f"  because: {referral.why}")
    if referral.void:
        say(console, f"  does not count: {referral.void_reason}", "yellow")
    section(console, "records", [str(ref) for ref in story.records])
    section(console, "statuses", [_status(decision) for decision in story.statuses])
    section(console, "deals", [_deal(deal) for deal in story.deals])


def _facts(record: Record) -> dict[str, object]:
    return {
        "created_at": format_time(record.created_at),
        "modified_at": format_time(record.modified_at),
        "stage": record.stage,
        "outcome": record.outcome,
        "amount": record.amount,
        "currency": record.currency,
        "closed_at": format_time(record.closed_at) if record.closed_at else None,
    }


def _link(link: Link) -> str:
    words = f" ({', '.join(link.labels)})" if link.labels else ""
    return f"{link.source} {link.relation} {link.target}{words}"


def _match(decision: MatchDecision) -> str:
    match = decision.match
    if match is None:
        return f"run {decision.run}: no code any more"
    return (
        f"run {decision.run}: {match.code} by rule {match.rule} ({match.confidence} %), "
        f"{match.evidence!r} in {match.field}"
    )


def _arrival(arrival: Arrival) -> str:
    if arrival.since == arrival.by:
        came = f"at {format_time(arrival.by)}"
    else:
        came = f"between {format_time(arrival.since)} and {format_time(arrival.by)}"
    state = {Presence.OVERWRITTEN: ", overwritten since", Presence.GONE: ", taken off since"}.get(arrival.presence, "")
    return f"{arrival.code} {came}, in {arrival.match.field}{state}"


def _open_item(found: OpenItem) -> str:
    item = found.item
    return f"{item.reason}: {item.evidence!r} in {item.field} ({REMEDIES[item.reason]})"


def _credit(decision: CreditDecision) -> str:
    credit = decision.credit
    if credit is None:
        return f"run {decision.run}: nobody"
    return f"run {decision.run}: {credit.referral} {credit.role} share {credit.share} ({credit.model})"


def _change(change: PastChange) -> str:
    reason = f" ({change.reason})" if change.reason else ""
    if change.overwrote:
        reason = f" over {change.found or ''!r}, which somebody wrote there at the same time"
    return (
        f"{format_time(change.at)} run {change.run} {change.field}: "
        f"{change.before!r} -> {change.after!r} {change.verdict}{reason}"
    )


def _conflict(found: FoundConflict) -> str:
    conflict = found.conflict
    return (
        f"{conflict.field}: a person wrote {conflict.found!r}, refloop wrote {conflict.wrote!r} "
        f"and wants {conflict.want!r}"
    )


def _status(decision: StatusDecision) -> str:
    change = decision.change
    return f"{format_time(change.at)} {change.status} ({change.reason}), decided in run {decision.run}"


def _deal(deal: CreditedDeal) -> str:
    credit = deal.credit
    amount = "no amount"
    if deal.amount is not None:
        currency = deal.currency or NO_CURRENCY
        amount = f"{money_text(deal.amount, currency)} {currency}"
    return (
        f"{credit.deal} {deal.title or ''}: {deal.outcome or 'unknown'}, {credit.role} share {credit.share} of {amount}"
    )
