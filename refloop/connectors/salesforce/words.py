"""The words that an org uses for what its deals are, who stands on them, and where its leads stand."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from refloop.connectors.salesforce.client import Client, Part
from refloop.model import Word, WordKind

_ASKED = (
    (WordKind.PIPELINE, "Opportunity", "RecordType.Name"),
    (WordKind.DEAL_TYPE, "Opportunity", "Type"),
    (WordKind.ROLE, "OpportunityContactRole", "Role"),
    (WordKind.STAGE, "Lead", "Status"),
)

SHIPPED = frozenset(
    {"Open - Not Contacted", "Working - Contacted", "Closed - Converted", "Closed - Not Converted", "New", "Contacted",
     "Nurturing", "Qualified", "Unqualified", "Converted"}
)  # fmt: skip
"""Lead statuses that new orgs have."""


def words_in_use(client: Client) -> Iterator[Word]:
    """The words that records hold, of each matter in the order of their text; one call. Of what the org does not have,
    does not show or cannot count in time there are none. Raises as `Client` does."""
    parts = [
        Part(kind.name.lower(), "GET", "query", {"q": f"SELECT {field}, COUNT(Id) n FROM {name} GROUP BY {field}"})  # noqa: S608 - constants
        for kind, name, field in _ASKED
    ]
    for (kind, name, field), answer in zip(_ASKED, client.together(parts), strict=True):
        rows = answer.body.get("records") if answer.is_good and isinstance(answer.body, dict) else None
        for text in _texts(rows if isinstance(rows, list) else (), field.rpartition(".")[2]):
            if kind is not WordKind.STAGE or text not in SHIPPED:
                yield Word(kind, text, f"{name}.{field}")


def _texts(rows: Sequence[Any], column: str) -> Sequence[str]:
    texts = (row.get(column) for row in rows if isinstance(row, dict))
    return sorted(text for text in texts if isinstance(text, str) and text)
