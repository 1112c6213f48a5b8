"""The words that an org uses for what its deals are, who stands on them, and where its leads stand."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from refloop.connectors.salesforce.client import Client, Part
from refloop.model import Word, WordKind

_ASKED = (
    (WordKind.PIPELINE, "Opportunity.RecordType", "RecordType.Name", "Opportunity"),
    (WordKind.DEAL_TYPE, "Opportunity.Type", "Type", "Opportunity"),
    (WordKind.ROLE, "OpportunityContactRole.Role", "Role", "OpportunityContactRole"),
    (WordKind.STAGE, "Lead.Status", "Status", "Lead"),
)


def words_in_use(client: Client) -> Iterator[Word]:
    """The words, those of a place in their order, each with how many records have it; one call. Of what the org does
    not have, does not show or cannot count in time there are none. Raises as `Client` does."""
    parts = [
        Part(kind.name.lower(), "GET", "query", {"q": f"SELECT {field}, COUNT(Id) n FROM {name} GROUP BY {field}"})  # noqa: S608 - constants
        for kind, _, field, name in _ASKED
    ]
    for (kind, place, field, _), answer in zip(_ASKED, client.together(parts), strict=True):
        rows = answer.body.get("records") if answer.is_good and isinstance(answer.body, dict) else None
        counted = sorted(filter(None, (_word(row, field.rpartition(".")[2]) for row in rows or ())))
        yield from (Word(kind, text, place, count=count) for text, count in counted)


def _word(row: Any, column: str) -> tuple[str, int] | None:
    if not isinstance(row, dict):
        return None
    text, count = row.get(column), row.get("n")
    return (text, count) if isinstance(count, int) and isinstance(text, str) and text else None
