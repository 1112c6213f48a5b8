"""Where in a text a code may stand: the whole field, a link, or a word of free text.

A candidate is not yet a match: nobody has asked whether the code exists, or was valid on the day.

Bounds: of a text the first `TEXT_LIMIT` characters are read (to the last blank before it), and of what is
seen there the first `CANDIDATES_READ` different ones are kept. Time is linear in the text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from enum import IntEnum
from itertools import islice, pairwise
from urllib.parse import unquote

from refloop.mapping.codes import CodeBook, code_key
from refloop.mapping.numerals import Numeral, numeral_at, numeral_of
from refloop.mapping.plain_text import plain_text
from refloop.mapping.vocabulary import CODE_FIELDS, CODE_WORDS, CUES, FILLERS, NOT_OURS
from refloop.model import Rule

TEXT_LIMIT = 131_072
"""Salesforce's longest Long Text Area; HubSpot's longest property is half of it."""

CANDIDATES_READ = 100

_WHOLE_LIMIT = 200  # characters of a field that can be a code as a whole, separators included
_WHOLE_PIECES = 3
_SHORTEST_UNCUED = 4  # "B2B" and "A1" are words
_SHORTEST_PART = 5
_CUE_REACH = 4  # words
LAYERS = 4
"""Of links that carry links, each encoded once more than what carries it."""

# Kana, Han, Hangul and Thai put no blank between words, so a code in Latin letters ends where they begin.
_UNSPACED = r"\u0e00-\u0e7f\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af"
PART = re.compile(rf"[{_UNSPACED}]+|[^\W_{_UNSPACED}]+")
UNIT = re.compile(rf"[{_UNSPACED}]+|[^\W_{_UNSPACED}]+(?:[-_.]+[^\W_{_UNSPACED}]+)*")
"""A word, or words that are joined to one."""
_GAP = re.compile(r"[\s_./\\|+*~\u00b7\u2022:'\u2019\"`#-]{1,8}")
_CHUNK = re.compile(rf"[^\s<>\"'`|{{}}\\^{_UNSPACED}]+")
_LINK_START = re.compile(r"https?://|www\.", re.IGNORECASE)
_R_PATH = re.compile(r"(?<!reddit\.com)/r/([^/?#&;]+)", re.IGNORECASE)
_BARE_LINK = re.compile(r"[\w.-]{1,253}\.\w{2,24}(?::\d{1,5})?[/?#]")
_EMAIL = re.compile(r"[\w.+%-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,8}")
_NAME_PIECE = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|\d+")
_ENCODED_LINK = re.compile(r"%(?:25){0,4}(?:3d|2fr%)", re.IGNORECASE)
_NEXT_LINE = re.compile(r"\r?\n[ \t>]{0,8}([\w%&=.~-]{1,200})")


class Expects(IntEnum):
    """What the place leads one to expect, and so what may be asked when nobody issued what stands there."""

    NOTHING = 0  # any word may stand here
    LIKELY = 1  # worth asking when one letter off a code
    CODE = 2  # worth asking when nobody issued it


@dataclass(frozen=True, slots=True)
class Candidate:
    """A piece of text that may be a code. `rule` is URL, TEXT, or NORMALISED for the whole field.

    `foldable`: it looks enough like a code to be read through confusable characters. `doubtful` are the keys that a
    number may stand for which nobody can read for certain (see `numerals`): it is asked, and never a match.
    """

    rule: Rule
    key: str
    evidence: str
    expects: Expects
    foldable: bool
    doubtful: tuple[str, ...] = ()

    def named(self, book: CodeBook) -> bool:
        """Whether an issued code answers to it, as written or through confusable characters."""
        if self.doubtful:
            return False
        return self.key in book or (self.foldable and bool(book.alike(self.key)))


def is_code_field(field: str) -> bool:
    """Whether a field's name says that codes of ours stand in it: `Promo_Code__c`, not `MailingPostalCode`."""
    pieces = {piece.lower() for piece in _NAME_PIECE.findall(field)}
    return not pieces.isdisjoint(CODE_FIELDS) and pieces.isdisjoint(NOT_OURS)


def candidates_in(text: str, book: CodeBook, *, code_field: bool) -> list[Candidate]:
    """What may be a code in one field's text, in reading order, different ones only.

    `code_field`: codes are what this field is for. A field that is a code as a whole is nothing else; else
    its links count, and the words outside of links and e-mail addresses.
    """
    whole = _whole(text, book, code_field=code_field)
    if whole is not None and whole.named(book):
        return [whole]
    raw, text = text, _readable(text)
    if text != raw:
        whole = _whole(text, book, code_field=code_field)
        if whole is not None and whole.named(book):
            return [whole]
    if whole is not None and whole.doubtful:
        return [whole]
    linked, rest = _links(text, book)
    found = list(islice(dict.fromkeys([*linked, *_words(rest, book, code_field=code_field)]), CANDIDATES_READ))
    if whole is None or rest != text or any(candidate.named(book) for candidate in found):
        return found
    return [whole, *found]


def _whole(text: str, book: CodeBook, *, code_field: bool) -> Candidate | None:
    """The field as one code. Words that only make a code when put together must look like one."""
    raw = text.strip()
    key = code_key(raw) if len(raw) <= _WHOLE_LIMIT else ""
    if not key:
        return None
    number = None if _as_issued(raw, key, book) else numeral_of(raw)
    if number is not None:
        is_rounded = not number.is_certain and "e" in raw.lower()  # people do not write so
        expects = Expects.CODE if code_field or is_rounded else Expects.NOTHING
        return _number(Rule.NORMALISED, raw, number, expects)
    pieces, like_code = len(raw.split()), _mixed(key) or raw.isupper()
    too_many = pieces > _WHOLE_PIECES and not _as_issued(raw, key, book)
    if too_many or (pieces > 1 and not code_field and not like_code):
        return None
    if code_field:
        expects = _unless_a_word(raw, key)
    else:
        expects = Expects.LIKELY if pieces == 1 and like_code else Expects.NOTHING
    return Candidate(Rule.NORMALISED, key, raw, expects, code_field or like_code)


def _number(rule: Rule, text: str, number: Numeral, expects: Expects) -> Candidate:
    """A number that is not simply its digits: the whole number that it is for certain, or a question."""
    if number.is_certain:
        return Candidate(rule, number.digits, text, expects, False)
    key = code_key(text)
    return Candidate(rule, key, text, expects, False, tuple(dict.fromkeys((number.digits, key))))


def _unless_a_word(raw: str, key: str) -> Expects:
    """Where codes are expected, lower-case words stand too (`?ref=newsletter`): nobody need look at them."""
    return Expects.LIKELY if key.isalpha() and not raw.isupper() else Expects.CODE


def _as_issued(raw: str, key: str, book: CodeBook) -> bool:
    code = book.get(key)
    return code is not None and code.code.strip().casefold() == raw.casefold()


def _readable(text: str) -> str:
    return _cut(plain_text(_cut(text)))  # cut again: one character can normalise to eighteen


def _cut(text: str) -> str:
    """Cut before the word that straddles the limit: half a word can be another one's code."""
    if len(text) <= TEXT_LIMIT:
        return text
    end = TEXT_LIMIT
    while end and not text[end].isspace():
        end -= 1
    return text[:end]


def _links(text: str, book: CodeBook) -> tuple[list[Candidate], str]:
    """The candidates in the links of a text, and the text without links and e-mail addresses."""
    if "@" in text:
        text = _EMAIL.sub(";", text)
    if not ("/" in text or "=" in text or "www." in text.lower()):
        return [], text
    found: list[Candidate] = []

    def read(chunk: re.Match[str]) -> str:
        start = _link_start(chunk[0], book)
        if start is None:
            return chunk[0]
        link = chunk[0][start:]
        here = list(_in_link(link, book))
        found.extend(here)
        behind = _NEXT_LINE.match(text, chunk.end())
        if behind and not any(candidate.named(book) for candidate in here):
            # a mail program breaks a long link: what only makes a code with the next line is one
            found.extend(candidate for candidate in _in_link(link + behind[1], book) if candidate.named(book))
        return chunk[0][:start] + ";"

    return found, _CHUNK.sub(read, text)


def _link_start(chunk: str, book: CodeBook) -> int | None:
    """Where in a run of characters without blanks the link begins."""
    if start := _LINK_START.search(chunk):
        return start.start()
    is_link = book.parameter.search(chunk) or _R_PATH.search(chunk) or _BARE_LINK.match(chunk)
    return 0 if is_link else None


def _in_link(link: str, book: CodeBook) -> Iterator[Candidate]:
    """Parameters and `/r/` paths; also those of a link that another link carries percent-encoded (redirects)."""
    for address in _layers(link):
        for match in book.parameter.finditer(address):
            expects = Expects.NOTHING if match[1].lower().startswith("utm_") else Expects.CODE
            yield from _link_value(match[2], match[1], expects, book)
        for match in _R_PATH.finditer(address):
            yield from _link_value(match[1], "/r/", Expects.LIKELY, book)


def _layers(link: str) -> Iterator[str]:
    """A link, and those that it carries, however often they were encoded on the way."""
    yield link
    for _ in range(LAYERS):
        if not _ENCODED_LINK.search(link):
            return
        link = unquote(link)
        yield link


def _decoded(value: str) -> str:
    for _ in range(LAYERS):
        before, value = value, unquote(value)
        if before == value:
            break
    return value


def _link_value(value: str, name: str, expects: Expects, book: CodeBook) -> Iterator[Candidate]:
    plain = _decoded(value) if len(value) <= _WHOLE_LIMIT else ""
    key = code_key(plain)
    if not key:
        return
    evidence = f"/r/{value}" if name == "/r/" else f"{name}={value}"
    number = None if _as_issued(plain, key, book) else numeral_of(plain)
    if number is not None:
        yield replace(_number(Rule.URL, plain, number, expects), evidence=evidence)
        return
    if expects is Expects.CODE:
        expects = _unless_a_word(plain, key)
    yield Candidate(Rule.URL, key, evidence, expects, expects > Expects.NOTHING or _mixed(key))


@dataclass(frozen=True, slots=True)
class _Unit:
    """A word, or words joined by hyphens, underscores or dots: `ACME-7K2Q`."""

    text: str
    key: str
    start: int
    end: int

    @property
    def joined(self) -> bool:
        return len(self.text) > len(self.key)


def _words(text: str, book: CodeBook, *, code_field: bool) -> list[Candidate]:
    """The codes in free text, and what stands where free text announces one."""
    if not code_field and not _promising(text, book):
        return []
    units = list(_units(text, book))
    cued = _cued(units)
    shouted = text.isupper()
    found: list[Candidate] = []
    skip = behind = 0
    for at, unit in enumerate(units):
        if at < skip or unit.start < behind:
            continue
        number = numeral_at(text, unit.start) if cued[at] >= _Cue.BEFORE else None
        if number is not None and not _as_issued(unit.text, unit.key, book):
            expects = Expects.CODE if cued[at] is _Cue.CODE else Expects.LIKELY
            found.append(_number(Rule.TEXT, text[unit.start : number.end], number, expects))
            behind = number.end
            continue
        cue = max(cued[at], _Cue.NEAR if code_field else _Cue.NONE)
        split = _split_code(text, units[at : at + _WHOLE_PIECES], cue, book) if cue else None
        if split is not None:
            found.append(split[0])
            skip = at + split[1]
            continue
        found.extend(_in_unit(unit, cued[at], book, shouted=shouted))
    return found


def _promising(text: str, book: CodeBook) -> bool:
    """Whether a closer look can find anything: most free text names no code and announces none."""
    for unit in UNIT.findall(text):
        key = code_key(unit)
        if key in CUES or key in book or (_mixed(key) and book.alike(key)):
            return True
        if len(unit) > len(key) and any(part in book or part in CUES for part in map(code_key, PART.findall(unit))):
            return True
    return False


def _units(text: str, book: CodeBook) -> Iterator[_Unit]:
    for match in UNIT.finditer(text):
        unit = _Unit(match[0], code_key(match[0]), match.start(), match.end())
        first = PART.match(unit.text)
        if unit.joined and first and unit.key not in book and code_key(first[0]) in CUES:
            rest = PART.search(text, match.start() + first.end())
            if rest is not None and rest.end() <= match.end():
                yield _Unit(first[0], code_key(first[0]), match.start(), match.start() + first.end())
                tail = text[rest.start() : match.end()]
                yield _Unit(tail, code_key(tail), rest.start(), match.end())
                continue
        yield unit


class _Cue(IntEnum):
    """What the words around announce, weakest first."""

    NONE = 0
    NEAR = 1  # a cue stands a few words off
    BEFORE = 2  # a cue stands right before
    CODE = 3  # a word for "code" stands right before


def _cued(units: Sequence[_Unit]) -> list[_Cue]:
    cued = [_Cue.NONE] * len(units)
    for at, unit in enumerate(units):
        foreign = at > 0 and units[at - 1].key in NOT_OURS
        if unit.key not in CUES or foreign:
            continue
        for near in range(max(0, at - _CUE_REACH), min(len(units), at + _CUE_REACH + 1)):
            cued[near] = max(cued[near], _Cue.NEAR)
        after = at + 1
        while after < len(units) and after <= at + 2 and units[after].key in FILLERS:
            after += 1
        if after < len(units):
            cued[after] = max(cued[after], _Cue.CODE if unit.key in CODE_WORDS else _Cue.BEFORE)
    return cued


def _split_code(text: str, units: Sequence[_Unit], cue: _Cue, book: CodeBook) -> tuple[Candidate, int] | None:
    """The longest code that begins here and was written in pieces: `ACME 7K2Q`. It must hold a digit; of digits alone,
    a word for "code" must stand right before."""
    keys = [unit.key for unit in units]
    if keys[0] in CUES:
        return None
    for size in range(len(keys), 1, -1):
        key = "".join(keys[:size])
        like_code = _mixed(key) or (cue is _Cue.CODE and key.isdigit() and len(key) >= _SHORTEST_PART)
        if book.shortest <= len(key) <= book.longest and like_code and _gaps(text, units[:size]):
            evidence = text[units[0].start : units[size - 1].end]
            candidate = Candidate(Rule.TEXT, key, evidence, Expects.LIKELY, True)
            if candidate.named(book):
                return candidate, size
    return None


def _gaps(text: str, run: Sequence[_Unit]) -> bool:
    """Whether no more stands between the words than between the pieces of one code."""
    return all(_GAP.fullmatch(text, left.end, right.start) for left, right in pairwise(run))


def _in_unit(unit: _Unit, cue: _Cue, book: CodeBook, *, shouted: bool) -> Iterator[Candidate]:
    mixed = _mixed(unit.key)
    announced = cue >= _Cue.BEFORE and mixed
    expects = Expects.CODE if cue is _Cue.CODE else Expects.LIKELY if cue else Expects.NOTHING
    candidate = Candidate(Rule.TEXT, unit.key, unit.text, expects, mixed)
    known = candidate.named(book) and _stands_alone(unit, cue, book, shouted=shouted)
    if known or announced:
        yield candidate
    if unit.joined and not known:
        yield from _in_parts(unit, book)


def _stands_alone(unit: _Unit, cue: _Cue, book: CodeBook, *, shouted: bool) -> bool:
    """Whether an issued code in free text was meant as one, and is not just a word that happens to be a code."""
    if unit.joined:
        announced = cue > _Cue.NONE if _mixed(unit.key) else cue >= _Cue.BEFORE and unit.key.isdigit()
        return announced or _as_issued(unit.text, unit.key, book)
    if _mixed(unit.key):
        return cue > _Cue.NONE or len(unit.key) >= _SHORTEST_UNCUED
    if unit.key.isdigit():
        return cue >= _Cue.BEFORE
    capital = unit.text.isupper() and not shouted and len(unit.key) >= _SHORTEST_UNCUED
    return capital or cue is _Cue.CODE


def _in_parts(unit: _Unit, book: CodeBook) -> Iterator[Candidate]:
    """A code among joined words: `spring_ACME7K2Q_berlin`."""
    for part in PART.findall(unit.text):
        key = code_key(part)
        if len(key) >= _SHORTEST_PART and _mixed(key) and key in book:
            yield Candidate(Rule.TEXT, key, part, Expects.NOTHING, False)


def _mixed(key: str) -> bool:
    """Letters and digits both: what a code is and a word is not."""
    return key != "" and not key.isalpha() and not key.isdigit()
