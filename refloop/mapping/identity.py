"""When records are one buyer's, and which of them speaks first. Pure; which records are linked stands in the ledger."""

from __future__ import annotations

from collections.abc import Iterable

from refloop.model import Record, Ref

MOST_RECORDS_OF_ONE_PERSON = 25


def is_placeholder(holders: int, most: int) -> bool:
    """Whether an e-mail that so many records carry is a placeholder, not a person's own: more than `most` do."""
    return holders > most


def first_person(persons: Iterable[Record]) -> Ref:
    """The person for whom a deal's own code speaks: of those who stand on the deal, the one who was there first."""
    return min(persons, key=lambda person: (person.created_at, person.ref)).ref
