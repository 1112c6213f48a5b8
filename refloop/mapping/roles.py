"""Who on a deal is its buyer, who its referrer, and who neither: by the CRM's words for what a person is to it. Pure.

The words are the roles of contacts (Salesforce's OpportunityContactRole.Role) and the labels of associations (HubSpot).
A person without any word is a buyer: most companies put a person on a deal and say no more.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from refloop.model import Ref, Side

ANY_OTHER = "*"
"""Stands for every word that is named nowhere."""

Meaning = TypeVar("Meaning")
RoleWords = Mapping[str, Mapping[str, Side]]
"""Connection -> key of a company's own word (`word_key`, or `ANY_OTHER`) -> what it says."""

_REFERRERS = (
    "referrer", "referer", "referror", "referral", "referred by", "refer by", "referral by", "referral from",
    "referral source", "referral contact", "referral partner", "referral agent", "referral giver", "referring partner",
    "referring agent", "referring person", "referring customer", "referring contact", "referring client",
    "referrer contact", "introducer", "introducing partner", "introduced by", "introduction by", "recommender",
    "recommended by", "affiliate", "affiliate partner", "advocate", "customer advocate", "ambassador",
    "brand ambassador", "finder",
    "empfehler", "empfehlerin", "empfehlungsgeber", "empfehlungspartner", "empfohlen von", "empfohlen durch",
    "vermittler", "vermittelt von", "tippgeber",
    "parrain", "prescripteur", "apporteur d affaires", "recommandé par",
    "recomendado por", "referido por", "prescriptor", "indicado por", "segnalato da", "segnalatore", "verwezen door",
)  # fmt: skip
_SEPARATORS = re.compile(r"[\W_]+")

STANDARD_ROLES: Mapping[str, Side] = dict.fromkeys(_REFERRERS, Side.REFERRER)
"""The words that are known by themselves; every other is a buyer's."""


@dataclass(frozen=True, slots=True)
class Stand:
    """That a person stands on a deal: in one link or in several, each with the CRM's words for it (none, as a rule)."""

    deal: Ref
    person: Ref
    links: tuple[tuple[str, ...], ...] = ((),)

    @property
    def words(self) -> tuple[str, ...]:
        """All words, sorted."""
        return tuple(sorted({word for link in self.links for word in link}))


def word_key(word: str) -> str:
    """The compared form of a word: case, separators and width do not matter."""
    return _SEPARATORS.sub(" ", unicodedata.normalize("NFKC", word).casefold()).strip()


def by_key(own: Mapping[str, Meaning]) -> dict[str, Meaning]:
    """What a company's own words mean, by their keys. `*` stays what it is."""
    return {word if word == ANY_OTHER else word_key(word): meaning for word, meaning in own.items()}


def side_of(word: str, own: Mapping[str, Side]) -> Side:
    """What a word says. The company's own words (by key) win, then those that are known; any other is what the company
    says of `*`, else a buyer's."""
    key = word_key(word)
    return own.get(key) or STANDARD_ROLES.get(key) or own.get(ANY_OTHER) or Side.BUYER


def sides_of(stand: Stand, roles: RoleWords) -> frozenset[Side]:
    """All that a person is to a deal. A link without words makes a buyer; a word makes what it says."""
    own = roles.get(stand.deal.connection, {})
    return frozenset(side for link in stand.links for side in (_sides(link, own) or {Side.BUYER}))


def _sides(words: Iterable[str], own: Mapping[str, Side]) -> set[Side]:
    return {side_of(word, own) for word in words}


def is_buyer(stand: Stand, roles: RoleWords) -> bool:
    """Whether a person counts as a buyer of a deal. Who is its referrer too does not: a person has to say which."""
    sides = sides_of(stand, roles)
    return Side.BUYER in sides and Side.REFERRER not in sides


def is_referrer(stand: Stand, roles: RoleWords) -> bool:
    """Whether a person stands on a deal as its referrer, whatever else they are to it."""
    return Side.REFERRER in sides_of(stand, roles)
