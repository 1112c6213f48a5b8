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
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from refloop.mapping.codes import CodeBook, code_key
from refloop.mapping.sightings import Expects, Sighting, names_a_code, sightings
from refloop.mapping.words import SAYS_NONE
from refloop.model import Code, Match, Rule

EVIDENCE_LIMIT = 80
QUESTIONS_LIMIT = 20
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


class Doubt(StrEnum):
    """Why a piece of text that may be a code is not a match."""

    UNKNOWN = "unknown"  # nobody issued it
    AMBIGUOUS = "ambiguous"  # it may be one of several, or the record carries several
    EXPIRED = "expired"
    NOT_YET_VALID = "not-yet-valid"
    NEAR = "near"  # one letter off an issued code


@dataclass(frozen=True, slots=True)
class Question:
    """Something for review. `candidates` are keys of codes, sorted, at most `CANDIDATES_LIMIT`.

    `evidence` is at most `EVIDENCE_LIMIT` characters; of free text only the word in question.
    """

    doubt: Doubt
    field: str
    evidence: str
    candidates: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Reading:
    """What the codes on a record come to: at most one match, and at most `QUESTIONS_LIMIT` questions."""

    match: Match | None
    questions: tuple[Question, ...]


@dataclass(frozen=True, slots=True)
class _Proposal:
    """An issued code, valid on the day, seen in one place. A lower `strength` is a stronger one."""

    match: Match
    strength: tuple[int, bool, bool]


@dataclass(frozen=True, slots=True)
class _Remark:
    """A question, with how strong a match from the same place would have been."""

    question: Question
    strength: tuple[int, bool, bool]


def read_codes(
    texts: Mapping[str, str], on: date, book: CodeBook, *, typed: str | None = None, typed_field: str = ""
) -> Reading:
    """Reads one record: `texts` are its fields that may carry a code, by name; `on` is the record's own date.

    `typed` is what a person put into our code field `typed_field`. Unless it is blank or says "none", it alone
    decides: what the other fields hold is not asked, even where it is only good for a question.

    The strongest valid code wins. Two different ones of equal strength are a question, not a match; so is a code
    outside its dates on `on`, and one letter off a code. Questions from weaker places than the match are dropped.
    The answer does not depend on the order of `texts`. Never raises on any text.
    """
    if typed is not None and _says_something(typed, book):
        proposals, remarks = _read_field(typed_field, typed, on, book, typed=True)
        if not proposals and not remarks:
            remarks = [_unreadable(typed_field, typed)]
        return _decide(proposals, remarks)
    proposals, remarks = [], []
    for field, text in texts.items():
        if text:
            more_proposals, more_remarks = _read_field(field, text, on, book)
            proposals += more_proposals
            remarks += more_remarks
    return _decide(proposals, remarks)


def _says_something(typed: str, book: CodeBook) -> bool:
    key = code_key(typed[:EVIDENCE_LIMIT])
    return key != "" and (key in book or key not in SAYS_NONE)


def _unreadable(field: str, typed: str) -> _Remark:
    """Typed, but nothing in it looks like a code: a sentence. Its first word leads a person to it."""
    evidence = typed.split(maxsplit=1)[0][:EVIDENCE_LIMIT]
    return _Remark(Question(Doubt.UNKNOWN, field, evidence, ()), (0, False, False))


def _read_field(
    field: str, text: str, on: date, book: CodeBook, *, typed: bool = False
) -> tuple[list[_Proposal], list[_Remark]]:
    proposals: list[_Proposal] = []
    remarks: list[_Remark] = []
    for sighting in sightings(text, book, code_field=typed or names_a_code(field)):
        judged = _judge(field, sighting, on, book, typed=typed)
        if isinstance(judged, _Proposal):
            proposals.append(judged)
        elif judged is not None:
            remarks.append(_Remark(judged, _strength(sighting, sighting.rule, folded=False)))
    return proposals, remarks


def _judge(field: str, sighting: Sighting, on: date, book: CodeBook, *, typed: bool) -> _Proposal | Question | None:
    alike = () if sighting.key in book or not sighting.foldable else book.alike(sighting.key)
    code = book.get(alike[0]) if len(alike) == 1 else book.get(sighting.key)
    if code is None:
        doubt, candidates = (Doubt.AMBIGUOUS, alike) if alike else _doubt(sighting, book, typed=typed)
        return _question(doubt, field, sighting, candidates) if doubt else None
    if code.valid_from is not None and on < code.valid_from:
        return _question(Doubt.NOT_YET_VALID, field, sighting, (code.key,))
    if code.valid_to is not None and on > code.valid_to:
        return _question(Doubt.EXPIRED, field, sighting, (code.key,))
    return _proposal(field, sighting, code, folded=bool(alike))


def _doubt(sighting: Sighting, book: CodeBook, *, typed: bool) -> tuple[Doubt | None, tuple[str, ...]]:
    """What to ask about a sighting that no issued code answers to."""
    if sighting.expects is Expects.NOTHING:
        return None, ()
    if len(sighting.key) >= _SHORTEST_NEAR and (near := book.near(sighting.key)):
        return Doubt.NEAR, near
    well_formed = len(sighting.key) >= _SHORTEST_UNKNOWN and book.well_formed(sighting.key)
    if typed or (sighting.expects is Expects.CODE and well_formed):
        return Doubt.UNKNOWN, ()
    return None, ()


def _question(doubt: Doubt, field: str, sighting: Sighting, candidates: tuple[str, ...]) -> Question:
    return Question(doubt, field, sighting.evidence[:EVIDENCE_LIMIT], candidates[:CANDIDATES_LIMIT])


def _proposal(field: str, sighting: Sighting, code: Code, *, folded: bool) -> _Proposal:
    rule = sighting.rule
    if rule is Rule.NORMALISED:
        as_issued = sighting.evidence == code.code.strip()
        rule = Rule.FOLDED if folded else Rule.EXACT if as_issued else Rule.NORMALISED
    confidence = CONFIDENCE[rule] - (_FOLDING_COSTS if folded and rule is not Rule.FOLDED else 0)
    match = Match(code.key, rule, field, sighting.evidence[:EVIDENCE_LIMIT], confidence)
    return _Proposal(match, _strength(sighting, rule, folded=folded))


def _strength(sighting: Sighting, rule: Rule, *, folded: bool) -> tuple[int, bool, bool]:
    announcing = Expects.CODE if sighting.rule is Rule.NORMALISED else Expects.LIKELY
    return _STRENGTH[rule], folded, sighting.expects < announcing


def _decide(proposals: Iterable[_Proposal], remarks: Iterable[_Remark]) -> Reading:
    ranked = sorted(proposals, key=lambda it: (it.strength, it.match.field, it.match.evidence))
    if not ranked:
        return Reading(None, _kept(remark.question for remark in remarks))
    best = ranked[0]
    rivals = tuple(sorted({it.match.code for it in ranked if it.strength == best.strength}))
    as_strong = [remark.question for remark in remarks if remark.strength <= best.strength]
    if len(rivals) == 1:
        doubts = (question for question in as_strong if best.match.code not in question.candidates)
        return Reading(best.match, _kept(doubts))
    several = Question(Doubt.AMBIGUOUS, best.match.field, best.match.evidence, rivals[:CANDIDATES_LIMIT])
    return Reading(None, _kept([several, *as_strong]))


def _kept(questions: Iterable[Question]) -> tuple[Question, ...]:
    ordered = sorted(set(questions), key=lambda it: (it.field, it.evidence, it.doubt, it.candidates))
    return tuple(ordered[:QUESTIONS_LIMIT])
