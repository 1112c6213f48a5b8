"""Which code a record carries, by which rule, on what evidence; and what a person should look at instead.

The rules, strongest first, with the confidence that a match gets (per cent; an order of trust, chosen so that a
threshold can be set between any two, not a measured probability):

    EXACT       100   the whole field is the code as issued, blanks around it aside
    NORMALISED   99   the whole field has the code's key: other case, other separators, full-width letters
    FOLDED       95   ... once o and 0, and i, l and 1, are made one, and only one code is left
    URL          99   a parameter or `/r/` path of a link holds the code; 95 when it had to be folded
    TEXT         90   a word of free text is the code; 86 when it had to be folded

Within a rule, a reading that was not folded is stronger than one that was, and a place that announces a code
(a field named for it, `ref=`, the word "code") is stronger than one that does not (`utm_campaign=`, any word).

Strength decides between the readings of one place. Between codes of two referrers the first one counts: by when each
came to the record, where that is known; else a person is asked.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, tzinfo

from refloop.mapping.arrivals import precedes
from refloop.mapping.candidates import Candidate, Expects, candidates_in, is_code_field
from refloop.mapping.codes import CodeBook, code_key, outside_validity
from refloop.mapping.days import day_in
from refloop.mapping.vocabulary import SAYS_NONE
from refloop.model import Arrival, Code, Match, Presence, Ref, ReviewItem, ReviewReason, Rule

EVIDENCE_LIMIT = 80
ITEMS_LIMIT = 20
CANDIDATES_LIMIT = 5

CONFIDENCE: Mapping[Rule, int] = {
    Rule.EXACT: 100,
    Rule.NORMALISED: 99,
    Rule.FOLDED: 95,
    Rule.URL: 99,
    Rule.TEXT: 90,
}
_FOLDING_COSTS = 4
_STRENGTH = {rule: rank for rank, rule in enumerate(CONFIDENCE)}

_SHORTEST_NEAR = 5  # of a shorter key, everything is one letter off
_SHORTEST_UNKNOWN = 4


READING_REASONS = frozenset(
    {
        ReviewReason.UNKNOWN,
        ReviewReason.AMBIGUOUS,
        ReviewReason.EXPIRED,
        ReviewReason.NOT_YET_VALID,
        ReviewReason.NEAR,
        ReviewReason.TWO_CODES,
    }
)
"""Why a piece of text that may be a code is not a match."""


@dataclass(frozen=True, slots=True)
class CarriedTexts:
    """What is read of one record: `texts` are its fields that may carry a code, by name; `on` is the day on which a
    code came to it of which nothing else is known.

    `typed` is what a person put into our code field `typed_field`.
    """

    ref: Ref
    texts: Mapping[str, str]
    on: date
    typed: str | None = None
    typed_field: str = ""


@dataclass(frozen=True, slots=True)
class Reading:
    """What the codes on a record come to: at most one match, and at most `ITEMS_LIMIT` review items.

    An item's `evidence` is at most `EVIDENCE_LIMIT` characters; of free text only the word in question. Its
    `candidates` are keys of codes, sorted, at most `CANDIDATES_LIMIT`.
    """

    match: Match | None
    items: tuple[ReviewItem, ...]


@dataclass(frozen=True, slots=True)
class _Proposal:
    """An issued code, valid on the day, seen in one place. A lower `strength` is a stronger one."""

    match: Match
    strength: tuple[int, bool, bool]
    code: Code


@dataclass(frozen=True, slots=True)
class _Remark:
    """A review item, with how strong a match from the same place would have been."""

    item: ReviewItem
    strength: tuple[int, bool, bool]


@dataclass(frozen=True, slots=True)
class _Place:
    """A field of the record that is read."""

    carried: CarriedTexts
    field: str
    typed: bool = False

    def item(self, reason: ReviewReason, evidence: str, candidates: tuple[str, ...] = ()) -> ReviewItem:
        return ReviewItem(
            self.carried.ref, reason, self.field, evidence[:EVIDENCE_LIMIT], candidates[:CANDIDATES_LIMIT]
        )


@dataclass(frozen=True, slots=True)
class Sighted:
    """All that was seen on a record, before it is asked when it came. `typed`: only what a person typed was read."""

    carried: CarriedTexts
    proposals: Sequence[_Proposal]
    remarks: Sequence[_Remark]

    @property
    def codes(self) -> dict[str, Match]:
        """The issued codes that stand on the record, each by its strongest reading."""
        found: dict[str, Match] = {}
        for proposal in _ranked(self.proposals):
            found.setdefault(proposal.match.code, proposal.match)
        return found


@dataclass(frozen=True, slots=True)
class Arrivals:
    """When the codes of a record came to it, by key, and the zone in which its people read days."""

    by_code: Mapping[str, Arrival] = field(default_factory=dict)
    zone: tzinfo = UTC

    def days(self, code: str, otherwise: date) -> tuple[date, date]:
        """The first and the last day on which the code may have come."""
        arrival = self.by_code.get(code)
        return (day_in(self.zone, arrival.since), day_in(self.zone, arrival.by)) if arrival else (otherwise, otherwise)


NOTHING_KNOWN = Arrivals()


def read_codes(carried: CarriedTexts, book: CodeBook, arrivals: Arrivals = NOTHING_KNOWN) -> Reading:
    """Reads one record: `judge` what one can `sight` on it."""
    return judge(sight(carried, book), book, arrivals)


def sight(carried: CarriedTexts, book: CodeBook) -> Sighted:
    """Finds what may be a code on a record.

    Unless what a person typed is blank or says "none", it alone decides: what the other fields hold is not asked, even
    where it is only good for a review item. Never raises on any text.
    """
    if carried.typed is not None and _says_something(carried.typed, book):
        place = _Place(carried, carried.typed_field, typed=True)
        proposals, remarks = _read_field(place, carried.typed, book)
        if not proposals and not remarks:
            remarks = [_unreadable(place, carried.typed)]
        return Sighted(carried, proposals, remarks)
    proposals, remarks = [], []
    for name, text in carried.texts.items():
        if text:
            more_proposals, more_remarks = _read_field(_Place(carried, name), text, book)
            proposals += more_proposals
            remarks += more_remarks
    return Sighted(carried, proposals, remarks)


def judge(sighted: Sighted, book: CodeBook, arrivals: Arrivals) -> Reading:
    """Decides which code counts.

    Of one place the strongest valid code wins; two different ones of equal strength are a review item, not a match. So
    are a code that was not valid on all days on which it may have come, and one letter off a code. Of the codes of two
    referrers the one that certainly came first wins, also when it was overwritten since, and there is a review item as
    well; where nobody knows which was first, there is only that. Items from weaker places than the match are dropped.
    The answer does not depend on the order of the texts.
    """
    carried = sighted.carried
    valid: list[_Proposal] = []
    remarks = list(sighted.remarks)
    for proposal in [*sighted.proposals, *_overwritten(book, arrivals)]:
        outside = _outside(proposal.code, *arrivals.days(proposal.match.code, carried.on))
        if outside is None:
            valid.append(proposal)
        else:
            match = proposal.match
            item = ReviewItem(carried.ref, outside, match.field, match.evidence, (match.code,))
            remarks.append(_Remark(item, (proposal.strength[0], False, proposal.strength[2])))
    return _decide(carried.ref, valid, remarks, arrivals)


def _overwritten(book: CodeBook, arrivals: Arrivals) -> list[_Proposal]:
    gone = [arrival for arrival in arrivals.by_code.values() if arrival.presence is Presence.OVERWRITTEN]
    return [
        _Proposal(arrival.match, (_STRENGTH[arrival.match.rule], False, False), code)
        for arrival in gone
        if (code := book.get(arrival.code)) is not None
    ]


def _outside(code: Code, first: date, last: date) -> ReviewReason | None:
    return outside_validity(code, first) or outside_validity(code, last)


def _says_something(typed: str, book: CodeBook) -> bool:
    key = code_key(typed[:EVIDENCE_LIMIT])
    return key != "" and (key in book or key not in SAYS_NONE)


def _unreadable(place: _Place, typed: str) -> _Remark:
    """Typed, but nothing in it looks like a code: a sentence. Its first word leads a person to it."""
    return _Remark(place.item(ReviewReason.UNKNOWN, typed.split(maxsplit=1)[0]), (0, False, False))


def _read_field(place: _Place, text: str, book: CodeBook) -> tuple[list[_Proposal], list[_Remark]]:
    proposals: list[_Proposal] = []
    remarks: list[_Remark] = []
    for candidate in candidates_in(text, book, code_field=place.typed or is_code_field(place.field)):
        judged = _judge(place, candidate, book)
        if isinstance(judged, _Proposal):
            proposals.append(judged)
        elif judged is not None:
            remarks.append(_Remark(judged, _strength(candidate, candidate.rule, folded=False)))
    return proposals, remarks


def _judge(place: _Place, candidate: Candidate, book: CodeBook) -> _Proposal | ReviewItem | None:
    if candidate.doubtful:
        return _unreadable_number(place, candidate, book)
    alike = () if candidate.key in book or not candidate.foldable else book.alike(candidate.key)
    code = book.get(alike[0]) if len(alike) == 1 else book.get(candidate.key)
    if code is None:
        reason, meant = (ReviewReason.AMBIGUOUS, alike) if alike else _doubt(candidate, book, typed=place.typed)
        return place.item(reason, candidate.evidence, meant) if reason else None
    return _proposal(place.field, candidate, code, folded=bool(alike))


def _unreadable_number(place: _Place, candidate: Candidate, book: CodeBook) -> ReviewItem | None:
    known = tuple(sorted(key for key in candidate.doubtful if key in book))
    if known:
        return place.item(ReviewReason.NEAR, candidate.evidence, known)
    well_formed = any(len(key) >= _SHORTEST_UNKNOWN and book.well_formed(key) for key in candidate.doubtful)
    asks = place.typed or (candidate.expects is Expects.CODE and well_formed)
    return place.item(ReviewReason.UNKNOWN, candidate.evidence) if asks else None


def _doubt(candidate: Candidate, book: CodeBook, *, typed: bool) -> tuple[ReviewReason | None, tuple[str, ...]]:
    """What to ask about a candidate that no issued code answers to."""
    if candidate.expects is Expects.NOTHING:
        return None, ()
    if len(candidate.key) >= _SHORTEST_NEAR and (near := book.near(candidate.key)):
        return ReviewReason.NEAR, near
    well_formed = len(candidate.key) >= _SHORTEST_UNKNOWN and book.well_formed(candidate.key)
    if typed or (candidate.expects is Expects.CODE and well_formed):
        return ReviewReason.UNKNOWN, ()
    return None, ()


def _proposal(field: str, candidate: Candidate, code: Code, *, folded: bool) -> _Proposal:
    rule = candidate.rule
    if rule is Rule.NORMALISED:
        as_issued = candidate.evidence == code.code.strip()
        rule = Rule.FOLDED if folded else Rule.EXACT if as_issued else Rule.NORMALISED
    confidence = CONFIDENCE[rule] - (_FOLDING_COSTS if folded and rule is not Rule.FOLDED else 0)
    match = Match(code.key, rule, field, candidate.evidence[:EVIDENCE_LIMIT], confidence)
    return _Proposal(match, _strength(candidate, rule, folded=folded), code)


def _strength(candidate: Candidate, rule: Rule, *, folded: bool) -> tuple[int, bool, bool]:
    announcing = Expects.CODE if candidate.rule is Rule.NORMALISED else Expects.LIKELY
    return _STRENGTH[rule], folded, candidate.expects < announcing


def _ranked(proposals: Iterable[_Proposal]) -> list[_Proposal]:
    return sorted(proposals, key=lambda it: (it.strength, it.match.field, it.match.evidence))


def _decide(ref: Ref, proposals: Iterable[_Proposal], remarks: Iterable[_Remark], arrivals: Arrivals) -> Reading:
    ranked = _ranked(proposals)
    if not ranked:
        return Reading(None, _kept(remark.item for remark in remarks))
    best = ranked[0]
    contesting = [best, *(it for it in ranked if _contests(it, best))]
    as_strong = [remark.item for remark in remarks if remark.strength <= best.strength]
    codes = tuple(sorted({it.match.code for it in contesting}))
    if len(codes) == 1:
        return Reading(best.match, _kept(item for item in as_strong if best.match.code not in item.candidates))
    first = next((it for it in contesting if _came_first(it, codes, arrivals)), None)
    if first is None:
        named = (ref, ReviewReason.AMBIGUOUS, best.match.field, best.match.evidence)
        return Reading(None, _kept([ReviewItem(*named, codes[:CANDIDATES_LIMIT]), *as_strong]))
    later = next(it for it in contesting if it.match.code != first.match.code)
    two = ReviewItem(ref, ReviewReason.TWO_CODES, later.match.field, later.match.evidence, codes[:CANDIDATES_LIMIT])
    return Reading(first.match, _kept([two, *(item for item in as_strong if first.match.code not in item.candidates)]))


def _contests(other: _Proposal, best: _Proposal) -> bool:
    """Whether it is not for strength to decide between two readings: of one place it is, and of codes of one person."""
    if other.match.code == best.match.code:
        return False
    is_one_link = other.match.field == best.match.field and other.match.rule is best.match.rule is Rule.URL
    return other.strength == best.strength or not (is_one_link or other.code.referrer == best.code.referrer)


def _came_first(proposal: _Proposal, codes: Iterable[str], arrivals: Arrivals) -> bool:
    mine = arrivals.by_code.get(proposal.match.code)
    others = [arrivals.by_code.get(code) for code in codes if code != proposal.match.code]
    return mine is not None and all(other is not None and precedes(mine, other) for other in others)


def _kept(items: Iterable[ReviewItem]) -> tuple[ReviewItem, ...]:
    ordered = sorted(set(items), key=lambda it: (it.field, it.evidence, it.reason, it.candidates))
    return tuple(ordered[:ITEMS_LIMIT])
