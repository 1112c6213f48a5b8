"""What is true of the played company, whoever asks: cases, their deals, and to whom each is owed.

The rule of the company's programme, in its own words and by its own hand (nothing of refloop decides here): a deal that
was won as new business is owed to the first referrer who had sent its buyer before it was won. Nobody is owed for
their own purchase, for a code that was not valid on the day it came, for what was sold before, or for a renewal.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from random import Random


class Proof(StrEnum):
    """Whether it can be known to whom a deal is owed."""

    SHOWN = "shown"
    """From what the CRMs show at the end, their histories included."""
    ASKED = "asked"
    """They show that there is something to ask; only a person can answer."""
    SEEN = "seen"
    """By who looked before it went away: what the CRMs show at the end is not enough."""


@dataclass
class Deal:
    """One sale. `refs` are its records as `connection:deal:id`, two where one CRM mirrors the other.

    `owed` is the referrer to whom it is owed once it is won, None for nobody. `people` are the records of its people
    where the case has others besides.
    """

    refs: list[str]
    amount: Decimal
    currency: str
    owed: str | None = None
    proof: Proof = Proof.SHOWN
    won: bool = False
    people: set[str] = field(default_factory=set)


@dataclass
class Case:
    """One story of a kind: when it begins, and what it has left in the CRMs. `people` are records of its people."""

    kind: str
    number: int
    rng: Random
    start: datetime
    people: set[str] = field(default_factory=set)
    deals: list[Deal] = field(default_factory=list)
    accounts: dict[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return f"{self.kind} {self.number}"
