"""The words that an org uses for what its deals are, who stands on them, and where its leads stand."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Any

from refloop.connectors.salesforce.client import Client, Part


class About(StrEnum):
    """What words are about, as people call it there."""

    RECORD_TYPE = "record type of opportunities"
    TYPE = "type of opportunities"
    ROLE = "role of contacts on opportunities"
    LEAD_STATUS = "status of leads"


@dataclass(frozen=True, slots=True)
class Word:
    """A word in use, and of how many records; "" is none at all."""

    about: About
    text: str
    count: int


_ASKED: Mapping[About, tuple[str, str]] = MappingProxyType(
    {
        About.RECORD_TYPE: ("RecordType.Name", "Opportunity"),
        About.TYPE: ("Type", "Opportunity"),
        About.ROLE: ("Role", "OpportunityContactRole"),
        About.LEAD_STATUS: ("Status", "Lead"),
    }
)


def words_in_use(client: Client) -> Iterator[Word]:
    """The words, for each matter in the order of their text; one call. Of what the org does not have, does not show or
    cannot count in time there are none. Raises as `Client` does."""
    parts = [
        Part(about.name.lower(), "GET", "query", {"q": f"SELECT {field}, COUNT(Id) n FROM {name} GROUP BY {field}"})  # noqa: S608 - constants
        for about, (field, name) in _ASKED.items()
    ]
    for (about, (field, _)), answer in zip(_ASKED.items(), client.together(parts), strict=True):
        rows = answer.body.get("records") if answer.is_good and isinstance(answer.body, dict) else None
        counted = [word for row in rows or () if (word := _word(about, row, field.rpartition(".")[2]))]
        yield from sorted(counted, key=lambda word: word.text)


def _word(about: About, row: Any, column: str) -> Word | None:
    if not isinstance(row, dict):
        return None
    text, count = row.get(column), row.get("n")
    if not isinstance(count, int) or not (text is None or isinstance(text, str)):
        return None
    return Word(about, text or "", count)
