"""Asks for what an org need not have, or not show: an object, a field."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from refloop.connectors.salesforce.answers import RowPage, first_error, row_page
from refloop.connectors.salesforce.client import Client, ForeignAnswer, Part

_HIDDEN = frozenset(
    {"INVALID_TYPE", "INVALID_FIELD", "NOT_FOUND", "INSUFFICIENT_ACCESS", "INSUFFICIENT_ACCESS_OR_READONLY"}
)
"""Salesforce says the same of what there is not and of what the run user may not see."""


def seen(client: Client, parts: Sequence[Part]) -> Sequence[Any]:
    """The bodies of at most five reads, in as few calls as may be; None for what is not there to be seen. Raises as
    `Client` does for any other failure."""
    bodies = []
    for part, answer in zip(parts, client.together(parts), strict=True):
        if answer.is_good:
            bodies.append(answer.body)
        else:
            bodies.append(None if first_error(answer.body)[0] in _HIDDEN else client.call(part))
    return bodies


def checked_page(client: Client, part: Part, body: Any, after: str) -> RowPage:
    """A page of rows, by the answer to a query of `part.name`; one that is not whole is asked for once more, alone,
    before it ends the pull: it may have been cut on its way."""
    name = part.name.rstrip("0123456789")
    try:
        return row_page(name, body, after)
    except ValueError:
        return _whole(name, client.call(part), after)


def rows_of(name: str, body: Any, after: str = "") -> RowPage:
    """A page of an object's rows, all behind the id `after`; an empty one where there was nothing to be seen."""
    return RowPage((), None) if body is None else _whole(name, body, after)


def _whole(name: str, body: Any, after: str) -> RowPage:
    try:
        return row_page(name, body, after)
    except ValueError as error:
        raise ForeignAnswer(f"a query of {name}", str(error)) from None
