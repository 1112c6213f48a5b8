"""The fields that refloop owns in the CRMs, and what it wants to stand in them. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, tzinfo
from decimal import Decimal

from refloop.mapping.days import day_in
from refloop.mapping.labels import quoted
from refloop.mapping.money import USUAL_PLACES, Won, add_up, converted_to, money_phrase, rounded
from refloop.mapping.reasons import Reader, Told, day, ending, how_sentence, role_sentence
from refloop.mapping.stages import OPEN, ended_at, label_of, lost_because
from refloop.model import (
    NO_CURRENCY,
    FieldSpec,
    FieldType,
    How,
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
LONGEST = 255
"""Characters of a text: what a Text field of Salesforce holds. HubSpot's hold more."""


@dataclass(frozen=True, slots=True)
class Names:
    """Our fields' names under a prefix: `Names("ref").status == "ref_status"`."""

    prefix: str

    def __call__(self, name: str) -> str:
        return f"{self.prefix}_{name}"


def field_specs(prefix: str, places: int = USUAL_PLACES) -> tuple[FieldSpec, ...]:
    """All fields of ours: seven that tell a buyer's records who referred them, ten that tell a referrer. `places` is
    how many digits after the point the amount needs. What each says is told to marketers and administrators in
    docs/fields.md, in the words that stand here."""
    return tuple(replace(spec, name=Names(prefix)(spec.name)) for spec in (*_buyer_specs(), *_referrer_specs(places)))


def _buyer_specs() -> Iterator[FieldSpec]:
    statuses = tuple((status.value, label_of(status)) for status in Status)
    text, kinds = FieldType.TEXT, _BUYER
    yield FieldSpec("id", "Referral ID", text, kinds, "The referral in refloop's ledger. Do not edit.", 64)
    said = "The code this buyer came with. Type one here, and refloop will follow it."
    yield FieldSpec("code", "Referral Code", text, kinds, said, 64)
    yield FieldSpec("referrer", "Referred By", text, kinds, "Who referred this buyer.", LONGEST)
    said = "Where the referral stands, or how it ended."
    yield FieldSpec("status", "Referral Status", FieldType.CHOICE, kinds, said, choices=statuses)
    said = "Since when the referral stands there, by the CRM."
    yield FieldSpec("status_at", "Referral Status Since", FieldType.TIME, kinds, said)
    said = "How this buyer came to be referred, how it ended, and on a deal which share the referrer gets."
    yield FieldSpec("why", "Why Referred", text, kinds, said, LONGEST)
    said = "What is wrong with the code that was typed into Referral Code; empty when nothing is."
    yield FieldSpec("answer", "Referral Code Answer", text, kinds, said, LONGEST, is_later=True)


def _referrer_specs(places: int) -> Iterator[FieldSpec]:
    text, number, kinds = FieldType.TEXT, FieldType.NUMBER, _REFERRER
    said = "How many buyers this person referred: open, won, lost and otherwise ended ones together."
    yield FieldSpec("sent", "Referrals Sent", number, kinds, said)
    yield FieldSpec("open", "Referrals Open", number, kinds, "How many of them are still open.")
    yield FieldSpec("won", "Referrals Won", number, kinds, "How many of them were won.")
    yield FieldSpec("lost", "Referrals Lost", number, kinds, "How many of them were lost.", is_later=True)
    said = "How many of them ended otherwise: not a fit, no response, reversed, or withdrawn."
    yield FieldSpec("other", "Referrals Otherwise Ended", number, kinds, said, is_later=True)
    said = "Credited amount of the deals won, in the one currency that Referrals Won Currency names."
    yield FieldSpec("won_amount", "Referrals Won Amount", FieldType.MONEY, kinds, said, places=places)
    said = "The currency of Referrals Won Amount."
    yield FieldSpec("won_currency", "Referrals Won Currency", text, kinds, said, 3, is_later=True)
    said = "What was won in other currencies beside that amount, and what of it was converted."
    yield FieldSpec("won_note", "Referrals Won Note", text, kinds, said, LONGEST, is_later=True)
    said = "The latest news about this person's referrals, as a sentence."
    yield FieldSpec("last_update", "Referral News", text, kinds, said, LONGEST)
    yield FieldSpec("last_update_at", "Referral News Of", FieldType.TIME, kinds, "When that happened.")


@dataclass(frozen=True, slots=True)
class Desired:
    """What a field should hold (canonical; None is empty), and why."""

    value: str | None
    why: str


@dataclass(frozen=True, slots=True)
class ReferralView:
    """A referral as one record should tell of it. `why` is the sentence of the ledger, told where `how` is not known;
    `reason` is why it stands at its status, `void` as what it does not count, `key` the code's. `share` and `role` are
    a deal's; a person's are 1, sourced."""

    ref: Ref
    referral: str
    code: str
    referrer: str
    claimed_at: datetime
    status: Status
    status_at: datetime
    why: str
    how: How | None = None
    reason: str = ""
    void: Status | None = None
    key: str = ""
    share: Decimal = Decimal(1)
    role: Role = Role.SOURCED

    @property
    def told(self) -> Told | None:
        return Told(self.code, self.referrer, self.how, self.claimed_at) if self.how else None


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


def person_view(referral: ReferralView, reader: Reader) -> BuyerView:
    """What a person's record should say: where the referral stands."""
    why = _came(referral, reader) + ending(referral.status, referral.status_at, referral.reason, reader)
    return BuyerView(referral.referral, referral.code, referral.referrer, referral.status, referral.status_at, why)


def deal_view(deal: Record, referral: ReferralView, reader: Reader) -> BuyerView:
    """What a deal should say: how it stands itself, and how much of it the referral gets. Where its CRM cannot explain
    its stage, where the referral stands."""
    told = person_view(referral, reader)
    if deal.outcome is not None:
        opened = deal.outcome is Outcome.OPEN
        status, at = _DEAL_STATUS[deal.outcome], max(deal.created_at if opened else ended_at(deal), referral.claimed_at)
        why = _came(referral, reader) + ending(status, at, lost_because(deal), reader)
        told = replace(told, status=status, at=at, why=why)
    return replace(told, why=role_sentence(told.why, referral.share, referral.role))


def _came(referral: ReferralView, reader: Reader) -> str:
    return how_sentence(referral.told, reader) if referral.told else referral.why


@dataclass(frozen=True, slots=True)
class ReferrerView:
    """What a referrer's own contact should say: `sent` = `open` + `won` + `lost` + `other`. `amount` is what was won in
    `currency`, None where all of it was won in others; `currency` is None where nobody knows it. `note` tells of the
    others, "" where there are none."""

    sent: int
    open: int
    won: int
    lost: int
    other: int
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
    counts = Counter(_counted_as(item.status) for item in standings)
    return ReferrerView(
        sent=len(standings),
        open=counts["open"],
        won=counts["won"],
        lost=counts["lost"],
        other=counts["other"],
        amount=amount,
        news=news(latest.label, latest.status, day_in(zone, latest.at)),
        news_at=latest.at,
        currency=currency,
        note=note,
    )


def _counted_as(status: Status) -> str:
    """The one count that a referral is in."""
    if status in OPEN:
        return "open"
    return status.value if status in (Status.WON, Status.LOST) else "other"


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


_BUYERS_OWN = ("id", "code", "referrer", "status", "status_at", "why")


def desired_for_buyer(view: BuyerView | None, prefix: str, *, answer: str = "", ended: str = "") -> dict[str, Desired]:
    """The desired values of the buyer's fields, by name; all empty where there is nothing to say. `answer` is for the
    code that was typed; `ended` is why no referral counts, where one was: the only thing that is said then."""
    name = Names(prefix)
    if view is None:
        gone = Desired(None, ended or "no referral holds this record any more")
        told = dict.fromkeys(map(name, _BUYERS_OWN), gone) | {name("why"): Desired(_text(ended), gone.why)}
    else:
        why = view.why
        told = {
            name("id"): Desired(_text(view.referral, 64), why),
            name("code"): Desired(_text(view.code, 64), why),
            name("referrer"): Desired(_text(view.referrer), why),
            name("status"): Desired(view.status.value, why),
            name("status_at"): Desired(canonical(FieldType.TIME, view.at), why),
            name("why"): Desired(_text(why), why),
        }
    return told | {name("answer"): Desired(_text(answer), answer or "nothing is wrong with a code that was typed here")}


_REFERRERS_OWN = (
    "sent",
    "open",
    "won",
    "lost",
    "other",
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
    why = f"{view.sent} sent: {view.open} open, {view.won} won, {view.lost} lost, {view.other} otherwise ended"
    currency = view.currency if view.currency != NO_CURRENCY else None
    amount = None if view.amount is None else rounded(view.amount, view.currency or NO_CURRENCY)
    return {
        name("sent"): Desired(str(view.sent), why),
        name("open"): Desired(str(view.open), why),
        name("won"): Desired(str(view.won), why),
        name("lost"): Desired(str(view.lost), why),
        name("other"): Desired(str(view.other), why),
        name("won_amount"): Desired(canonical(FieldType.MONEY, amount), why),
        name("won_currency"): Desired(_text(currency or "", 3), why),
        name("won_note"): Desired(_text(view.note), why),
        name("last_update"): Desired(_text(view.news), view.news),
        name("last_update_at"): Desired(canonical(FieldType.TIME, view.news_at), view.news),
    }


def _text(text: str, length: int = LONGEST) -> str | None:
    """CRMs refuse text that is too long, trim blanks, and know no empty text: what is wanted must be what will be
    found. So it is plain text on one line."""
    return quoted(text, length) or None


def news(label: str, status: Status, on: date) -> str:
    """The sentence on a referrer's contact: "Acme GmbH: Won on 12 Mar 2026"."""
    return f"{label or 'A referral'}: {label_of(status)} on {day(on)}"
