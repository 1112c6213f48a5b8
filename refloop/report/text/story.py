"""The story of a record, a referral, a code, a referrer or a company, as one brings it to a dispute."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rich.console import Console

from refloop.ledger.reads.conflicts import FoundConflict
from refloop.ledger.reads.explain import CreditedDeal, RecordStory, ReferralStory
from refloop.ledger.reads.holders import CodeStory, CompanyRecord, CompanyStory, Referrals, ReferrerStory
from refloop.ledger.reads.referrals import Standing
from refloop.ledger.reads.review import OpenItem
from refloop.mapping.stages import label_of
from refloop.model import Code, Kind, Link, Record, Ref
from refloop.report.display import Display, money, percent
from refloop.report.lines import MOST, one_line, say, section
from refloop.report.text.review import REMEDIES
from refloop.report.timeline import Event, record_events, referral_events, role_words


def print_record_story(console: Console, story: RecordStory, display: Display) -> None:
    """Prints the whole story of a record."""
    record, connection = story.record, story.record.ref.connection
    say(console, heading(record), "bold")
    _place(console, record.ref, display)
    for line in _facts(record, display):
        say(console, f"  {one_line(line)}")
    if story.forgotten:
        say(console, "  this person was forgotten (`refloop forget`): e-mail, title and texts are not kept", "yellow")
    if record.deleted:
        say(console, "  deleted in the CRM", "yellow")
    section(console, "what stands in it", _fields(record, display))
    section(console, "linked with", _bounded([_link(link, story, display) for link in story.links]))
    section(console, "left to a person", [_open_item(found) for found in story.review])
    section(console, "what a person wrote, and is left so", [_conflict(found, display) for found in story.conflicts])
    for referrer in story.referrers:
        print_referrer_story(console, referrer, display)
    for referral in story.referrals:
        _referral(console, referral, display)
    _timeline(console, record_events(story, display), display, connection)


def print_referral_story(console: Console, story: ReferralStory, display: Display) -> None:
    """Prints the whole story of a referral."""
    _referral(console, story, display)
    _timeline(console, referral_events(story), display, None)


def print_referrer_story(console: Console, story: ReferrerStory, display: Display) -> None:
    """Prints a referrer: who they are, their codes, and where each of their referrals stands."""
    referrer = story.referrer
    mail = f" <{referrer.email}>" if referrer.email else ""
    say(console, f"referrer {referrer.name or referrer.id}{mail} (id {referrer.id})", "bold")
    own = [place(ref, display) for ref in story.records]
    section(console, "their own contact", own or ["none is known: nothing is written for them"])
    section(console, "codes", _bounded([_code(code) for code in story.codes]))
    _referrals(console, story.referrals, display)


def print_code_story(console: Console, story: CodeStory, display: Display) -> None:
    """Prints a code: whose it is, when it counts, and where each referral stands that came by it."""
    who = story.referrer.name or story.referrer.id
    say(console, f"code {_code(story.code)}: of {who} (id {story.referrer.id})", "bold")
    _referrals(console, story.referrals, display)


def print_company_story(console: Console, story: CompanyStory, display: Display) -> None:
    """Prints a company: its people and its deals, and to which referral each belongs."""
    company = story.company
    at = f" ({company.connection}, account {company.account})" if company.account else ""
    say(console, f"company {company.name or company.account}{at}", "bold")
    section(console, f"people, {len(story.people):,}", _bounded([_of_company(one, display) for one in story.people]))
    section(console, f"deals, {len(story.deals):,}", _bounded([_of_company(one, display) for one in story.deals]))
    if story.more:
        say(console, "  there are more: name a person or a deal", "yellow")


def heading(record: Record) -> str:
    """What people call a record, and what it is: `Kim Lee, Lumen Oy (lead)`."""
    names = [record.title] if record.ref.kind is Kind.DEAL else [record.name, record.title]
    called = ", ".join(one_line(name) for name in names if name)
    return f"{called or record.email or 'without a name'} ({record.ref.kind})"


def place(ref: Ref, display: Display) -> str:
    """The name of a record, and where people see it."""
    address = display.address_of(ref)
    return f"{ref}  {address}" if address else f"{ref}"


def _place(console: Console, ref: Ref, display: Display) -> None:
    say(console, f"  {place(ref, display)}")


def _facts(record: Record, display: Display) -> Iterable[str]:
    connection = record.ref.connection
    if record.addresses:
        yield f"e-mail: {', '.join(record.addresses)}"
    if record.stage:
        yield f"stage: {record.stage}"
    if record.ref.kind is Kind.DEAL:
        yield f"outcome: {record.outcome or 'not known'}"
        yield f"amount: {money(record.amount, record.currency)}"
    if record.owner:
        yield f"owner: {record.owner.name or record.owner.id}"
    yield f"last saved: {display.time(record.modified_at, connection)}"


def _fields(record: Record, display: Display) -> list[str]:
    connection = record.ref.connection
    theirs = [f"{display.field(name)}: {text}" for name, text in record.texts.items()]
    return theirs + [
        f"{display.field(name)}: {display.value(name, text, connection)}" for name, text in record.found.items()
    ]


def _link(link: Link, story: RecordStory, display: Display) -> str:
    words = f" ({', '.join(link.labels)})" if link.labels else ""
    away = link.source == story.record.ref
    other = link.target if away else link.source
    relation = link.relation.value if away else f"is what it is {link.relation.value} of"
    return f"{relation} {_called(other, story.called.get(other))}{place(other, display)}{words}"


def _called(ref: Ref, name: str | None) -> str:
    return f"{ref.kind} {name}  " if name else ""


def _open_item(found: OpenItem) -> str:
    item = found.item
    return f"{item.reason}: {item.evidence} in {item.field} ({REMEDIES[item.reason]})"


def _conflict(found: FoundConflict, display: Display) -> str:
    conflict = found.conflict
    theirs, wrote, want = (
        display.value(conflict.field, value, conflict.ref.connection)
        for value in (conflict.found, conflict.wrote, conflict.want)
    )
    return f"{display.field(conflict.field)}: a person wrote {theirs}; refloop wrote {wrote} and wants {want}"


def _referral(console: Console, story: ReferralStory, display: Display) -> None:
    referral = story.referral
    who = story.referrer_name or referral.referrer
    say(console, f"referral {referral.id}: code {story.code} of {who}, program {referral.program}", "bold")
    say(console, f"  because: {one_line(referral.why)}")
    if story.note:
        say(console, f"  said when it was submitted: {one_line(story.note)}")
    if referral.void:
        say(console, f"  does not count: {one_line(referral.void_reason)}", "yellow")
    if story.statuses:
        now = story.statuses[-1].change
        say(console, f"  stands: {label_of(now.status)} since {display.time(now.at)} ({one_line(now.reason)})")
    records = [f"{_called(ref, story.called.get(ref))}{place(ref, display)}" for ref in story.records]
    waits = f"waits for a record with the address {referral.email}" if referral.email else "none"
    section(console, "records", _bounded(records) or [waits])
    section(console, "deals", _bounded([_deal(deal, display) for deal in story.deals]))


def _deal(deal: CreditedDeal, display: Display) -> str:
    credit = deal.credit
    what = f"{deal.title or 'a deal'}, {deal.outcome or 'outcome not known'}"
    amount = money(deal.amount, deal.currency)
    return f"{what}: {percent(credit.share)} of {amount}, {role_words(credit.role)}  {place(credit.deal, display)}"


def _code(code: Code) -> str:
    since = f", from {code.valid_from}" if code.valid_from else ""
    until = f", until {code.valid_to}" if code.valid_to else ""
    return f"{code.code} ({code.program}{since}{until})"


def _referrals(console: Console, referrals: Referrals, display: Display) -> None:
    if not referrals.total:
        say(console, "  no referrals")
        return
    counts = ", ".join(f"{count:,} {label_of(status)}" for status, count in referrals.by_status.items())
    say(console, f"  {referrals.total:,} referrals: {counts}")
    lines = [_standing(standing, display) for standing in referrals.latest[:MOST]]
    section(console, "the latest first", [*lines, *_rest(referrals.total - len(lines), "`refloop referrals list`")])


def _standing(standing: Standing, display: Display) -> str:
    now = standing.now
    return (
        f"{now.referral}  {now.label or 'a buyer without a name'}: {label_of(now.status)} since {display.time(now.at)} "
        f"({now.reason}); code {standing.code or 'not known any more'}, came {display.time(standing.claimed_at)}"
    )


def _of_company(one: CompanyRecord, display: Display) -> str:
    record = one.record
    stands = f", {record.stage}" if record.stage else ""
    worth = f", {money(record.amount, record.currency)}" if record.ref.kind is Kind.DEAL else ""
    referrals = f"; {', '.join(one.referrals)}" if one.referrals else "; no referral"
    return f"{heading(record)}{stands}{worth}{referrals}  {place(record.ref, display)}"


def _timeline(console: Console, events: Sequence[Event], display: Display, connection: str | None) -> None:
    lines: list[str] = []
    for event in events:
        by = f"run {event.run}: " if event.run else ""
        lines.append(f"{display.time(event.at, connection)}  {by}{event.what}")
        lines += [f"    {detail}" for detail in event.details]
    section(console, f"what happened (times of {display.zone_name(connection)})", lines)


def _bounded(lines: Sequence[str]) -> list[str]:
    """The first lines of a long list, and how many more there are."""
    return [*lines[:MOST], *_rest(len(lines) - MOST, "--json")]


def _rest(count: int, way: str) -> list[str]:
    return [f"and {count:,} more: {way}"] if count > 0 else []
