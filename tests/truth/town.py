"""Who lives in the played world: buyers, referrers and their codes; and how people write a code down."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from random import Random

_FIRST = (
    "Ada",
    "Bo",
    "Cem",
    "Dora",
    "Emre",
    "Fay",
    "Gil",
    "Hana",
    "Ivo",
    "June",
    "Kai",
    "Lena",
    "Milo",
    "Nora",
    "Omar",
)
_SYLLABLES = (
    "bar", "cor", "dun", "fel", "gar", "hol", "kem", "lin", "mor", "nev", "pel", "quor", "rud", "sto", "tal", "und",
    "vor", "wes", "yor", "zin",
)  # fmt: skip
_FORMS = ("Ltd", "GmbH", "Inc", "AB", "SARL", "Oy")
_LETTERS = "23456789ABCDEFGHJKMNPQRSTVWXYZ"
_LENGTH = 6
_APART = 3
"""In how many places any two codes differ: one letter wrong makes none of them another."""


@dataclass(frozen=True, slots=True)
class Person:
    first: str
    last: str
    email: str
    company: str

    @property
    def name(self) -> str:
        return f"{self.first} {self.last}"


@dataclass(frozen=True, slots=True)
class Code:
    """A code as it was handed out, by whom (the referrer's id), and the days on which it is valid."""

    code: str
    referrer: str
    valid_from: date | None = None
    valid_to: date | None = None


@dataclass(frozen=True, slots=True)
class Referrer:
    id: str
    person: Person


class Town:
    """Makes people and codes; no two people share a name, an address or a company unless a case says so."""

    def __init__(self, rng: Random) -> None:
        self._rng = rng
        self._taken: set[str] = set()
        self.referrers: list[Referrer] = []
        self.codes: list[Code] = []

    def newcomer(self, domain: str | None = None) -> Person:
        """Somebody new; their address is at their company's domain or at the one named."""
        last = self._unique_name()
        first = self._rng.choice(_FIRST)
        company = f"{last} {self._rng.choice(_FORMS)}"
        address = f"{first}.{last}@{domain or last + '.example'}".lower()
        return Person(first, last, address, company)

    def _unique_name(self) -> str:
        while True:
            name = "".join(self._rng.choices(_SYLLABLES, k=3)).capitalize()
            if name not in self._taken:
                self._taken.add(name)
                return name

    def referrer(self, person: Person | None = None) -> Referrer:
        """A new referrer."""
        person = person or self.newcomer()
        found = Referrer(person.last.lower(), person)
        self.referrers.append(found)
        return found

    def issue(self, referrer: Referrer, valid_from: date | None = None, valid_to: date | None = None) -> Code:
        """A code of the referrer's that can be taken for no other."""
        while True:
            letters = "".join(self._rng.choices(_LETTERS, k=_LENGTH))
            if any(letter.isdigit() for letter in letters) and not letters.isdigit() and not self._alike(letters):
                self.codes.append(Code(f"QM-{letters}", referrer.id, valid_from, valid_to))
                return self.codes[-1]

    def _alike(self, letters: str) -> bool:
        return any(
            sum(one != other for one, other in zip(letters, known.code[3:], strict=True)) < _APART
            for known in self.codes
        )

    def unissued(self) -> str:
        """What looks like a code, and is nobody's."""
        while True:
            letters = "".join(self._rng.choices(_LETTERS, k=_LENGTH))
            if any(letter.isdigit() for letter in letters) and not letters.isdigit() and not self._alike(letters):
                return f"QM-{letters}"

    def rows(self) -> list[dict[str, str]]:
        """The rows of a codes file."""
        named = {item.id: item.person for item in self.referrers}
        return [
            {
                "code": item.code,
                "referrer": item.referrer,
                "referrer_name": named[item.referrer].name,
                "referrer_email": named[item.referrer].email,
                "program": "customers",
                "valid_from": item.valid_from.isoformat() if item.valid_from else "",
                "valid_to": item.valid_to.isoformat() if item.valid_to else "",
            }
            for item in self.codes
        ]


def sentence(rng: Random, code: str) -> str:
    """A code as people write it who write it well."""
    return rng.choice(
        (
            code,
            f"Referral code {code}",
            f"Met us at the fair, her code is {code}. Wants a demo.",
            f"code: {code}",
            f"Empfehlungscode {code}, bitte zurückrufen",
            f"Asked about the yearly plan. Promo code {code}.",
        )
    )


def ordinary(rng: Random) -> str:
    """What people write who were sent by nobody."""
    return rng.choice(
        (
            "",
            "",
            "Wants a quote for 40 seats",
            "Called twice, no answer",
            "Met at the fair in hall 7",
            "Budget 2025: open",
        )
    )


SPELLINGS: Sequence[str] = (
    "lower",
    "joined",
    "spaced",
    "en dash",
    "minus",
    "soft hyphen",
    "bold",
    "entity",
    "full width",
    "quoted",
)


def spelt(code: str, way: str) -> str:
    """A code spelt otherwise, right after a cue: nobody who reads it doubts which one is meant."""
    letters = code[3:]
    return {
        "lower": f"my code is {code.lower()}",
        "joined": f"referral code QM{letters}",
        "spaced": f"referral code: QM {letters}",
        "en dash": f"code QM\N{EN DASH}{letters}",
        "minus": f"code QM\N{MINUS SIGN}{letters}",
        "soft hyphen": f"code QM\N{NON-BREAKING HYPHEN}{letters}",
        "bold": f"<p>code <b>QM</b>-{letters}</p>",
        "entity": f"code QM&#45;{letters}",
        "full width": "code " + "".join(chr(ord(one) + 0xFEE0) for one in code),
        "quoted": f"She said: code '{code}'!",
    }[way]


def one_off(rng: Random, code: str) -> str:
    """A code with one letter wrong."""
    at = rng.randrange(4, len(code))
    wrong = rng.choice([letter for letter in _LETTERS if letter != code[at]])
    return f"{code[:at]}{wrong}{code[at + 1 :]}"
