"""The fields that refloop owns in the CRMs, and what it wants to stand in them. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, tzinfo
from decimal import ROUND_HALF_UP, Decimal

from refloop.mapping.days import day_in
from refloop.mapping.money import USUAL_PLACES, Won, add_up, converted_to, money_phrase, rounded
from refloop.mapping.stages import OPEN, label_of
from refloop.model import (
    NO_CURRENCY,
    FieldSpec,
    FieldType,
    Kind,
    Outcome,
    Record,
    Ref,
    Role,
    Status,
    StatusChange,
    canonical,
)

_BUYER = (Kind.LEAD, Kind.CONTACT, Kind.DEAL)
_REFERRER = (Kind.CONTACT,)


@dataclass(frozen=True, slots=True)
class Names:
    """Our fields' names under a prefix: `Names("ref").status == "ref_status"`."""

    prefix: str

    def __call__(self, name: str) -> str:
        return f"{self.prefix}_{name}"


def field_specs(prefix: str, places: int = USUAL_PLACES) -> tuple[FieldSpec, ...]:
    """All fields of ours: six that tell a buyer's records who referred them, eight that tell a referrer. `places` is
    how many digits after the point the amount needs."""
    name = Names(prefix)
    statuses = tuple((status.value, label_of(status)) for status in Status)
    return (
        FieldSpec(
            name("id"), "Referral ID", FieldType.TEXT, _BUYER, "The referral in refloop's ledger. Do not edit.", 64
        ),
        FieldSpec(
            name("code"),
            "Referral Code",
            FieldType.TEXT,
            _BUYER,
            "The code this buyer came with. Type one here, and refloop will follow it.",
            64,
        ),
        FieldSpec(name("referrer"), "Referred By", FieldType.TEXT, _BUYER, "Who referred this buyer.", 255),
        FieldSpec(
            name("status"),
            "Referral Status",
            FieldType.CHOICE,
            _BUYER,
            "Where the referral stands, or how it ended.",
            choices=statuses,
        ),
        FieldSpec(
            name("status_at"), "Referral Status Since", FieldType.TIME, _BUYER, "When it came to that, by the CRM."
        ),
        FieldSpec(name("why"), "Why Referred", FieldType.TEXT, _BUYER, "What decided, in one sentence.", 255),
        FieldSpec(name("sent"), "Referrals Sent", FieldType.NUMBER, _REFERRER, "How many buyers this person referred."),
        FieldSpec(name("open"), "Referrals Open", FieldType.NUMBER, _REFERRER, "How many of them are still open."),
        FieldSpec(name("won"), "Referrals Won", FieldType.NUMBER, _REFERRER, "How many of them were won."),
        FieldSpec(
            name("won_amount"),
            "Referrals Won Amount",
            FieldType.MONEY,
            _REFERRER,
            "Credited amount of the deals won, in the one currency that Referrals Won Currency names.",
            places=places,
        ),
        FieldSpec(
            name("won_currency"),
            "Referrals Won Currency",
            FieldType.TEXT,
            _REFERRER,
            "The currency of Referrals Won Amount.",
            3,
        ),
        FieldSpec(
            name("won_note"),
            "Referrals Won Note",
            FieldType.TEXT,
            _REFERRER,
            "What was won in other currencies beside that amount, and what of it was converted.",
            255,
        ),
        FieldSpec(
            name("last_update"),
            "Referral News",
            FieldType.TEXT,
            _REFERRER,
            "The latest news about this person's referrals, as a sentence.",
            255,
        ),
        FieldSpec(name("last_update_at"), "Referral News Of", FieldType.TIME, _REFERRER, "When that happened."),
    )


@dataclass(frozen=True, slots=True)
class Desired:
    """What a field should hold (canonical; None is empty), and why."""

    value: str | None
    why: str


@dataclass(frozen=True, slots=True)
class ReferralView:
    """A referral as one record should tell of it. `share` and `role` are a deal's; a person's are 1, sourced."""

    ref: Ref
    referral: str
    code: str
    referrer: str
    claimed_at: datetime
    status: Status
    status_at: datetime
    why: str
    share: Decimal = Decimal(1)
    role: Role = Role.SOURCED


@dataclass(frozen=True, slots=True)
class BuyerView:
    """What a lead, contact or deal should say about the referral that brought it."""

    referral: str
    code: str
    referrer: str
    status: Status
    at: datetime
    why: str


_DEAL_STATUS = {Outcome.OPEN: Status.OPPORTUNITY, Outcome.WON: Status.WON, Outcome.LOST: Status.LOST}


def person_view(referral: ReferralView) -> BuyerView:
    """What a person's record should say: where the referral stands."""
    return BuyerView(
        referral.referral, referral.code, referral.referrer, referral.status, referral.status_at, referral.why
    )


def deal_view(deal: Record, referral: ReferralView) -> BuyerView:
    """What a deal should say: how it stands itself, and how much of it the referral gets. Where its CRM cannot explain
    its stage, where the referral stands."""
    told = person_view(replace(referral, why=role_sentence(referral.why, referral.share, referral.role)))
    if deal.outcome is None:
        return told
    ended = deal.closed_at if deal.outcome is not Outcome.OPEN else None
    return replace(told, status=_DEAL_STATUS[deal.outcome], at=ended or max(deal.created_at, referral.claimed_at))


@dataclass(frozen=True, slots=True)
class ReferrerView:
    """What a referrer's own contact should say. `amount` is what was won in `currency`, None where all of it was won in
    others; `currency` is None where nobody knows it. `note` tells of the others, "" where there are none."""

    sent: int
    open: int
    won: int
    amount: Decimal | None
    news: str
    news_at: datetime
    currency: str | None = None
    note: str = ""


@dataclass(frozen=True, slots=True)
class Winnings:
    """The shares of won deals that are somebody's: the amounts, and how many deals have none that can be read."""

    amounts: Sequence[Won] = ()
    without: int = 0


def referrer_view(
    standings: Sequence[StatusChange],
    won: Winnings,
    currency: str | None,
    zone: tzinfo = UTC,
    *,
    converted: bool = False,
) -> ReferrerView | None:
    """What a referrer's contact should say of the referrals that count: where each stands, and the shares of deals that
    they won. None without referrals. `currency` is the one that counts; where it is not known, a single one does.
    `converted`: what its CRM converted into that currency counts as well. Days are told in `zone`."""
    if not standings:
        return None
    latest = max(standings, key=lambda item: (item.at, item.referral))
    amount, currency, note = _told_of(won, currency, converted=converted)
    return ReferrerView(
        sent=len(standings),
        open=sum(item.status in OPEN for item in standings),
        won=sum(item.status is Status.WON for item in standings),
        amount=amount,
        news=news(latest.label, latest.status, day_in(zone, latest.at)),
        news_at=latest.at,
        currency=currency,
        note=note,
    )


def _told_of(won: Winnings, currency: str | None, *, converted: bool) -> tuple[Decimal | None, str | None, str]:
    """The amount won in the currency that counts, that currency, and what has to be told beside. Amounts of different
    currencies are never added up, unless their CRM itself converted them and that is wanted."""
    if currency is None and len({one.currency for one in won.amounts}) == 1:
        currency = won.amounts[0].currency
    counted: list[Won] = []
    turned: list[Won] = []
    others: list[Won] = []
    for one in won.amounts:
        home = converted_to(currency, one) if converted and currency else None
        if one.currency == currency:
            counted.append(one)
        elif home is not None:
            counted.append(home)
            turned.append(one)
        else:
            others.append(one)
    told = [f"Not in it: {_listed(others)}"] if others else []
    if turned:
        told.append(f"In it, converted by the CRM's own rates: {_listed(turned)}")
    if won.without:
        told.append(f"{won.without} deal{'s' if won.without > 1 else ''} won without an amount")
    nothing = None if others else Decimal(0)
    return add_up(counted).get(currency or "", nothing), currency, "; ".join(told)


def _listed(amounts: Iterable[Won]) -> str:
    """Sums by currency as people read them, in the order of its name: `10.00 EUR, 2,000.00 USD`."""
    return ", ".join(money_phrase(amount, name) for name, amount in sorted(add_up(amounts).items()))


def desired_for_buyer(view: BuyerView | None, prefix: str) -> dict[str, Desired]:
    """The desired values of the buyer's fields, by name; all empty where there is nothing to say."""
    name = Names(prefix)
    if view is None:
        gone = Desired(None, "no referral holds this record any more")
        return dict.fromkeys(map(name, ("id", "code", "referrer", "status", "status_at", "why")), gone)
    why = view.why
    return {
        name("id"): Desired(_cut(view.referral, 64), why),
        name("code"): Desired(_cut(view.code, 64), why),
        name("referrer"): Desired(_cut(view.referrer, 255), why),
        name("status"): Desired(view.status.value, why),
        name("status_at"): Desired(canonical(FieldType.TIME, view.at), why),
        name("why"): Desired(_cut(view.why, 255), why),
    }


_REFERRERS_OWN = (
    "sent",
    "open",
    "won",
    "won_amount",
    "won_currency",
    "won_note",
    "last_update",
    "last_update_at",
)


def desired_for_referrer(view: ReferrerView | None, prefix: str) -> dict[str, Desired]:
    """The desired values of the referrer's fields, by name; all empty where there is nothing to say."""
    name = Names(prefix)
    if view is None:
        gone = Desired(None, "this person has no referrals any more")
        return dict.fromkeys(map(name, _REFERRERS_OWN), gone)
    why = f"{view.sent} sent, {view.open} open, {view.won} won"
    currency = view.currency if view.currency != NO_CURRENCY else None
    amount = None if view.amount is None else rounded(view.amount, view.currency or NO_CURRENCY)
    return {
        name("sent"): Desired(str(view.sent), why),
        name("open"): Desired(str(view.open), why),
        name("won"): Desired(str(view.won), why),
        name("won_amount"): Desired(canonical(FieldType.MONEY, amount), why),
        name("won_currency"): Desired(_cut(currency or "", 3), why),
        name("won_note"): Desired(_cut(view.note, 255), why),
        name("last_update"): Desired(_cut(view.news, 255), view.news),
        name("last_update_at"): Desired(canonical(FieldType.TIME, view.news_at), view.news),
    }


def _cut(text: str, length: int) -> str | None:
    """CRMs refuse text that is too long, trim blanks, and know no empty text: what is wanted must be what will be
    found."""
    flat = " ".join(text.split())
    return (flat if len(flat) <= length else flat[: length - 1].rstrip() + "…") or None


def day(on: date) -> str:
    """A date as people write it in any country that reads English: 12 Mar 2026."""
    return f"{on.day} {on:%b} {on.year}"


def news(label: str, status: Status, on: date) -> str:
    """The sentence on a referrer's contact: "Acme GmbH: Won on 12 Mar 2026"."""
    return f"{label or 'A referral'}: {label_of(status)} on {day(on)}"


def why_sentence(code: str, rule: str, evidence_field: str, on: date) -> str:
    """Why a record counts as referred, for a sales person: names the code, the place and the day on which it came."""
    place = _PLACES.get(rule, "in {field}").format(field=evidence_field)
    return f"Code {code} {place}, {day(on)}"


_PLACES: Mapping[str, str] = {
    "url": "in the link of {field}",
    "text": "mentioned in {field}",
    "claim": "submitted by a person",
}


def role_sentence(sentence: str, share: Decimal, role: Role) -> str:
    """The same for a deal: how much of it the referral gets, and as what."""
    percent = format((share * 100).quantize(Decimal("0.1"), ROUND_HALF_UP).normalize(), "f")
    return f"{sentence}; {role} {percent} % of this deal"
