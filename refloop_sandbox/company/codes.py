"""Referral codes, and how people write them down."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from random import Random
from urllib.parse import quote

from refloop_sandbox.company.names import Person, slug

SITE = "https://www.quillmoor.example"
CUSTOMERS, PARTNERS, SEASON = "customer-referral", "partner", "season-offer"
_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"  # Crockford's: no I, L, O, U
_WORD_CODES = ("SPRING", "SUNRISE", "HARBOUR")
_CONFUSED = str.maketrans({"0": "O", "1": "l"})
_HEARD = str.maketrans({"O": "0", "I": "1", "L": "1", "-": ""})


class Doubt(StrEnum):
    """Why a text that may hold a code must not come to one; the words that refloop's reviewers see."""

    UNKNOWN = "unknown"
    AMBIGUOUS = "ambiguous"
    EXPIRED = "expired"
    NOT_YET_VALID = "not-yet-valid"
    NEAR = "near"


@dataclass(frozen=True, slots=True)
class Issued:
    """A code that was handed out. Valid from the start of `valid_from` to the end of `valid_to`."""

    code: str
    referrer: Person
    program: str
    valid_from: date | None = None
    valid_to: date | None = None

    def valid(self, on: date) -> bool:
        return not self.early(on) and not self.expired(on)

    def early(self, on: date) -> bool:
        return self.valid_from is not None and on < self.valid_from

    def expired(self, on: date) -> bool:
        return self.valid_to is not None and on > self.valid_to

    @property
    def word(self) -> bool:
        return self.code in _WORD_CODES

    @property
    def random(self) -> bool:
        return self.code.startswith("QM-")

    def row(self) -> dict[str, str]:
        """The row of a codes file."""
        return {
            "code": self.code,
            "referrer": slug(self.referrer.email or self.referrer.name),
            "referrer_name": self.referrer.name,
            "referrer_email": self.referrer.email or "",
            "program": self.program,
            "valid_from": self.valid_from.isoformat() if self.valid_from else "",
            "valid_to": self.valid_to.isoformat() if self.valid_to else "",
        }


@dataclass(frozen=True, slots=True)
class Writing:
    """What somebody wrote: the text, the issued code in it, and the doubt that it leaves whatever the date.

    Neither code nor doubt: the text only looks as if there were something in it.
    """

    text: str
    manner: str
    issued: Issued | None = None
    doubt: Doubt | None = None

    def verdict(self, first: date, last: date) -> str | Doubt | None:
        """What a record must come to, to which this text came on one of these days: the code, if it is good on all of
        them; a doubt; or nothing."""
        if self.issued is None or self.doubt is not None:
            return self.doubt
        if self.issued.early(first):
            return Doubt.NOT_YET_VALID
        return Doubt.EXPIRED if self.issued.expired(last) else self.issued.code


class Codes:
    """Issues codes; no two can be taken for each other, not even with a letter wrong."""

    def __init__(self, rng: Random, today: date) -> None:
        self._rng = rng
        self._today = today
        self.issued: list[Issued] = []

    def issue(self, referrers: Sequence[Person]) -> None:
        """Gives each referrer a code, and every other one a second one of another program."""
        for number, person in enumerate(referrers):
            program = (CUSTOMERS, CUSTOMERS, PARTNERS)[number % 3]
            vanity = self.vanity(person) if number % 3 == 1 else None
            self._add(vanity or self.unissued(), person, program)
            if number % 2:
                self._add(self.unissued(), person, SEASON)
        for word, person in zip(_WORD_CODES, referrers, strict=False):
            self._add(word, person, PARTNERS)

    def _add(self, code: str, person: Person, program: str) -> None:
        self.issued.append(Issued(code, person, program, *self._dates(program)))

    def _dates(self, program: str) -> tuple[date | None, date | None]:
        if program == CUSTOMERS:
            return None, None
        if program == PARTNERS:
            return self._today - timedelta(days=540), None
        start = self._rng.choice((600, 420, 240))
        return self._today - timedelta(days=start), self._today - timedelta(days=start - 180)

    def vanity(self, person: Person) -> str | None:
        """First name and number: `MIRA10`. None when all of that name are taken."""
        name = slug(person.first).replace("-", "").upper()
        codes = (f"{name}{number}" for number in (10, 20, 100, 250, 500))
        return next((code for code in codes if not self._alike(code)), None)

    def unissued(self) -> str:
        """A code that is well-formed and nobody's: `QM-7K2QX9`."""
        while True:
            code = "QM-" + "".join(self._rng.choices(_ALPHABET, k=6))
            if any(c.isdigit() for c in code) and not code[3:].isdigit() and not self._alike(code):
                return code

    def _alike(self, code: str) -> bool:
        """Whether a letter wrong on both sides could make it another one."""
        key = _heard(code)
        return any(_distance(key, _heard(other.code)) <= 2 for other in self.issued)


def _heard(code: str) -> str:
    """A code without what gets lost when it is read out: separators, and which of two alike characters it was."""
    return code.upper().translate(_HEARD)


def _distance(one: str, two: str) -> int:
    """Levenshtein's."""
    row = list(range(len(two) + 1))
    for at, letter in enumerate(one, 1):
        last, row[0] = row[0], at
        for to, other in enumerate(two, 1):
            last, row[to] = row[to], min(row[to] + 1, row[to - 1] + 1, last + (letter != other))
    return row[-1]


Manner = Callable[["Writers", Person, date], Writing | None]


class Writers:
    """Writes as people do, for one person on one day. A manner that needs a code there is none of gives None."""

    def __init__(self, rng: Random, codes: Codes) -> None:
        self.rng = rng
        self.codes = codes
        self._decks = {"description": self._deck(_IN_DESCRIPTION), "url": self._deck(_IN_URL)}

    def _deck(self, weights: Mapping[str, int]) -> Iterator[str]:
        """Each manner once, then by weight."""
        yield from weights
        while True:
            yield from self.rng.choices(list(weights), weights=list(weights.values()), k=1)

    def description(self, person: Person, on: date) -> Writing:
        """A lead's or contact's Description."""
        return self._write("description", _DESCRIPTION, person, on)

    def first_page(self, person: Person, on: date) -> Writing:
        """The link by which somebody came to the web site."""
        return self._write("url", _URL, person, on)

    def _write(self, place: str, compose: Mapping[str, Callable[..., str]], person: Person, on: date) -> Writing:
        while True:
            manner = next(self._decks[place])
            choice = self._choose(manner, person, on)
            if choice is not None:
                code, issued, doubt = choice
                return Writing(compose[manner](self, code, issued), manner, issued, doubt)

    def _choose(self, manner: str, person: Person, on: date) -> tuple[str, Issued | None, Doubt | None] | None:
        """The code to write, whose it is, and the doubt it leaves."""
        if manner == "trap":
            return "", None, None
        if manner == "unknown":
            return self.codes.unissued(), None, Doubt.UNKNOWN
        fits = _FITTING.get(manner, Issued.valid)
        choice = [item for item in self.codes.issued if fits(item, on) and item.referrer.email != person.email]
        if manner in _NEEDS:
            choice = [item for item in choice if _NEEDS[manner](item)]
        elif manner != "exact":
            choice = [item for item in choice if not item.word]
        if not choice:
            return None
        issued = self.rng.choice(choice)
        if manner == "near":
            return self._one_off(issued.code), None, Doubt.NEAR
        return issued.code, issued, Doubt.AMBIGUOUS if manner == "two" else None

    def _one_off(self, code: str) -> str:
        """One letter wrong. The kept letters stay in the form of a code: letters and digits both."""
        while True:
            at = self.rng.randrange(4, len(code))
            wrong = code[:at] + self.rng.choice(_ALPHABET) + code[at + 1 :]
            if _heard(wrong) != _heard(code) and any(c.isdigit() for c in wrong):
                return wrong

    def another(self, issued: Issued) -> Issued:
        """A code of somebody else's, always valid."""
        return self.rng.choice(
            [item for item in self.codes.issued if item.random and not item.valid_from and item != issued]
        )

    def pick(self, *texts: str) -> str:
        return self.rng.choice(texts)


_FITTING: Mapping[str, Callable[[Issued, date], bool]] = {"expired": Issued.expired, "early": Issued.early}
_NEEDS: Mapping[str, Callable[[Issued], bool]] = {
    "near": lambda item: item.random,
    "two": lambda item: item.random and item.valid_from is None,
    "confused": lambda item: {"0", "1"} & set(item.code) != set() and set("23456789") & set(item.code) != set(),
    "split": lambda item: item.random,
    "encoded": lambda item: item.random,
}
_IN_DESCRIPTION = {
    "exact": 20, "sentence": 20, "lower": 10, "separated": 8, "split": 4, "confused": 4, "expired": 4, "early": 3,
    "unknown": 5, "near": 4, "two": 3, "trap": 8,
}  # fmt: skip
_IN_URL = {
    "ref": 30, "path": 12, "content": 8, "lower": 8, "encoded": 4, "confused": 3, "expired": 4, "early": 3,
    "unknown": 5, "near": 4, "trap": 5,
}  # fmt: skip


def _sentence(writers: Writers, code: str, issued: Issued | None) -> str:
    name = issued.referrer.name if issued else "a colleague"
    return writers.pick(
        f"Referred by {name}, code {code}. Wants a demo before the end of the quarter.",
        f"Met us at the trade fair. Her referral code is {code}, please apply it.",
        f"Kam über {name}, Empfehlungscode {code}; bitte zurückrufen!",
        f'Asked about the yearly plan ("is there a discount?"). Promo code: {code}',
        f"Vient de la part de {name} (code {code}).",
    )


def _separated(writers: Writers, code: str, _issued: Issued | None) -> str:
    plain = code.replace("-", "")
    middle = 4 if len(plain) > 6 else 3
    head, tail = plain[:middle], plain[middle:]
    return writers.pick(f"{head} {tail}", f"{head}-{tail}", f"{head}.{tail}", f" {head} - {tail}\n")


def _two(writers: Writers, code: str, issued: Issued | None) -> str:
    if issued is None:
        raise ValueError("two codes need a first one")
    other = writers.another(issued)
    return f"Has code {code} from {issued.referrer.name}, and code {other.code} from {other.referrer.name}."


def _trap(writers: Writers, _code: str, _issued: Issued | None) -> str:
    return writers.pick(
        "Wants to start in spring, budget is set.",
        "Watched the recording at sunrise; asks for the QM-Handbuch as PDF.",
        "Harbour office moves in March. B2B only, 24/7 support, zip code 10115.",
        "Error code E4042 on the trial, see ticket 77812. Spring cleaning of the data first!",
        "No code. Found us by himself.",
    )


_Compose = Callable[[Writers, str, Issued | None], str]
_DESCRIPTION: Mapping[str, _Compose] = {
    "exact": lambda _writers, code, _issued: code,
    "lower": lambda writers, code, _issued: writers.pick(code.lower(), f" {code.lower()} ", code.capitalize()),
    "separated": _separated,
    "sentence": _sentence,
    "split": lambda writers, code, issued: _sentence(writers, code.replace("-", " "), issued),
    "confused": lambda _writers, code, _issued: code.translate(_CONFUSED),
    "expired": _sentence,
    "early": _sentence,
    "unknown": _sentence,
    "near": _sentence,
    "two": _two,
    "trap": _trap,
}
_URL: Mapping[str, _Compose] = {
    "ref": lambda _writers, code, _issued: f"{SITE}/demo?utm_source=newsletter&ref={code}",
    "content": lambda _writers, code, _issued: f"{SITE}/?utm_medium=social&utm_campaign=autumn&utm_content={code}",
    "path": lambda _writers, code, _issued: f"{SITE}/r/{code}",
    "lower": lambda writers, code, _issued: f"{SITE}/{writers.pick('demo?ref=', 'r/', 'pricing?via=')}{code.lower()}",
    "encoded": lambda _writers, code, _issued: f"{SITE}/demo?ref={quote(code.replace('-', ' '))}#form",
    "confused": lambda _writers, code, _issued: f"{SITE}/demo?ref={code.translate(_CONFUSED)}",
    "expired": lambda _writers, code, _issued: f"{SITE}/demo?ref={code}",
    "early": lambda _writers, code, _issued: f"{SITE}/r/{code}",
    "unknown": lambda _writers, code, _issued: f"{SITE}/demo?ref={code}",
    "near": lambda _writers, code, _issued: f"{SITE}/demo?ref={code}",
    "trap": lambda writers, _code, _issued: (
        SITE + writers.pick("/blog/spring-cleaning", "/harbour?utm_content=banner-2", "/docs/ref?utm_campaign=fair")
    ),
}

ORDINARY = (
    "Called twice, left a message.",
    "Existing tool runs out in June; 40 seats.",
    "Geht um die Anbindung an das Lager, Rückruf am Dienstag.",
    "Asked for references in the food industry.",
    "Ne pas appeler avant 10 h.",
    'Said: "we are not in a hurry".',
    "Trade fair Kraków, stand 12.",
    "お問い合わせ: 資料請求",
)
PAGES = ("/", "/pricing", "/demo?utm_source=newsletter", "/blog/closing-the-books", "/?gclid=Zx81kPq", "/docs/api")
