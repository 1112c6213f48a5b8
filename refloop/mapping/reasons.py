"""What refloop says to the people who read a record: how a buyer came, how it ended, what became of a code. Pure.

A sentence begins with what matters most, because a CRM's field ends: the code, the place and the day, then how it
ended, then the share of a deal.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, tzinfo
from decimal import ROUND_HALF_UP, Decimal

from refloop.mapping.days import day_in
from refloop.mapping.labels import NO_LABELS, Labels, quoted
from refloop.mapping.stages import OPEN, label_of
from refloop.model import Code, How, Kind, ReviewItem, ReviewReason, Role, Rule, Status


def day(on: date) -> str:
    """A date as people write it in any country that reads English: 12 Mar 2026."""
    return f"{on.day} {on:%b} {on.year}"


@dataclass(frozen=True, slots=True)
class Reader:
    """Who reads: on a record of which connection and kind, whose people read days in `zone`; `typed` is the name of our
    code field."""

    connection: str
    kind: Kind
    labels: Labels = NO_LABELS
    zone: tzinfo = UTC
    typed: str = ""

    def day(self, moment: datetime) -> str:
        return day(day_in(self.zone, moment))


@dataclass(frozen=True, slots=True)
class Told:
    """A referral as a sentence tells of it: `who` referred, by which `code`, how and when."""

    code: str
    who: str
    how: How
    at: datetime


def how_sentence(told: Told, reader: Reader) -> str:
    """How a buyer came: "Came by Anna's link (ANNA-7K) on the first page they saw, 3 Sep 2025". On a deal, of the
    person through whom it came: "Through a contact who came by ..."."""
    through = reader.kind is Kind.DEAL and told.how.kind is not Kind.DEAL
    said = _how(told, reader)
    alone = said.removeprefix("was ")
    sentence = f"Through a contact who {said}" if through else alone[:1].upper() + alone[1:]
    return f"{sentence}, {reader.day(told.at)}"


def _how(told: Told, reader: Reader) -> str:
    how, code, who = told.how, quoted(told.code, 64), quoted(told.who)
    if how.rule is Rule.CLAIM or how.kind is None:
        return f"was submitted as {who}'s referral ({code})"
    place = reader.labels.place(how.connection, how.kind, how.field, reader=(reader.connection, reader.kind))
    if how.rule is Rule.URL:
        return f"came by {who}'s link ({code}) {place}"
    if how.rule is Rule.TEXT:
        return f"mentioned code {code} {place}"
    if how.field == reader.typed:
        return f"has code {code}, typed {place}"
    return f"said code {code} {place}"


def ending(status: Status, at: datetime, reason: str, reader: Reader) -> str:
    """How a referral ended, to go on after a sentence: "; lost on 3 May 2026: ..."; "" where it did not, and where it
    was won, which the status says."""
    if status in OPEN or status is Status.WON:
        return ""
    on = "since" if status is Status.DISQUALIFIED else "on"
    because = f": {quoted(reason, 120)}" if reason else ""
    return f"; {label_of(status).lower()} {on} {reader.day(at)}{because}"


def role_sentence(sentence: str, share: Decimal, role: Role) -> str:
    """The same for a deal: how much of it the referral gets, and as what."""
    percent = format((share * 100).quantize(Decimal("0.1"), ROUND_HALF_UP).normalize(), "f")
    return f"{sentence}; {role} {percent} % of this deal"


def void_sentence(code: str, void: Status, reason: str) -> str:
    """Why a referral does not count: "Code ANNA does not count: the buyer is the referrer"."""
    code = quoted(code, 64)
    if void is Status.WITHDRAWN:
        return f"The referral by code {code} is withdrawn: {quoted(reason, 150)}"
    yet = " yet" if void is Status.ON_HOLD else ""
    return f"Code {code} does not count{yet}: {quoted(reason, 150)}"


OWN_CODE = "the buyer is the referrer"
"""Why a referral does not count that somebody made of themselves."""


@dataclass(frozen=True, slots=True)
class Refused:
    """A typed code whose referral does not count, and why; `beside` is the one that does."""

    code: str
    void: Status
    reason: str
    beside: Told | None = None


_MOST_MEANT = 3
_ANSWERED = (
    ReviewReason.AMBIGUOUS,
    ReviewReason.NEAR,
    ReviewReason.EXPIRED,
    ReviewReason.NOT_YET_VALID,
    ReviewReason.UNKNOWN,
)
"""What is answered where a code was typed, and which is told where there are several: the most telling first."""


def answer_to_items(items: Iterable[ReviewItem], codes: Mapping[str, Code]) -> str:
    """The answer to a code that was typed and is no match; "" where nothing is to be said. `codes` are those that the
    items name, by key. What was typed is not repeated: it stands beside."""
    for item in sorted(items, key=lambda one: _ANSWERED.index(one.reason) if one.reason in _ANSWERED else 99):
        meant = [codes[key] for key in item.candidates if key in codes]
        if item.reason in _ANSWERED:
            return _answer(item.reason, meant)
    return ""


def _answer(reason: ReviewReason, meant: Sequence[Code]) -> str:
    names = [quoted(code.code, 64) for code in meant[:_MOST_MEANT]]
    either = " or ".join(names)
    if reason is ReviewReason.AMBIGUOUS and names:
        return f"More than one code fits: {either}? Please type the one that is meant"
    if reason is ReviewReason.EXPIRED and meant and meant[0].valid_to:
        return f"{names[0]} expired on {day(meant[0].valid_to)}"
    if reason is ReviewReason.NOT_YET_VALID and meant and meant[0].valid_from:
        return f"{names[0]} is valid only from {day(meant[0].valid_from)}"
    return f"No such code: did you mean {either}?" if names else "No such code"


def answer_to_refused(refused: Refused, reader: Reader) -> str:
    """The answer to a code that was typed, is one, and does not count; "" where the same code counts already."""
    code, beside = quoted(refused.code, 64), refused.beside
    if refused.reason == OWN_CODE:
        return f"{code} belongs to this person: nobody refers themselves"
    if refused.void is Status.DUPLICATE and beside is not None:
        if beside.code == refused.code:
            return ""
        who = quoted(beside.who)
        return f"This person was already referred by {who} on {reader.day(beside.at)} (code {quoted(beside.code, 64)})"
    return void_sentence(refused.code, refused.void, refused.reason)
