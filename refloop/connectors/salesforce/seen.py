"""Asks for what an org need not have, or not show: an object, a field."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from refloop.connectors.salesforce.answers import RowPage, first_error, row_page
from refloop.connectors.salesforce.client import Client, ForeignAnswer, Part

_HIDDEN = frozenset(
    {"INVALID_TYPE", "INVALID_FIELD", "NOT_FOUND", "INSUFFICIENT_ACCESS", "INSUFFICIENT_ACCESS_OR_READONLY"}
)
"""Salesforce says the same of what there is not and of what the run user may not see."""


_NO_ROWS: Mapping[str, Any] = MappingProxyType({"totalSize": 0, "done": True, "records": []})


def seen(client: Client, parts: Sequence[Part]) -> Sequence[Any]:
    """The bodies of at most five queries, in as few calls as may be; a page without rows for what is not there to be
    seen. Raises as `Client` does for any other failure."""
    bodies = []
    for part, answer in zip(parts, client.together(parts), strict=True):
        if answer.is_good:
            bodies.append(answer.body)
        else:
            bodies.append(dict(_NO_ROWS) if first_error(answer.body)[0] in _HIDDEN else client.call(part))
    return bodies


def checked_pages(client: Client, parts: Sequence[Part], bodies: Sequence[Any], after: Sequence[str]) -> list[RowPage]:
    """Pages of rows, each behind its id, by the answers to queries of `part.name` (and a number) that came together.
    Where one is not whole, none is believed, and all are asked for once more before it ends the pull: the answer may
    have been cut on its way."""
    names = [part.name.rstrip("0123456789") for part in parts]
    try:
        return [row_page(*one) for one in zip(names, bodies, after, strict=True)]
    except ValueError:
        return [rows_of(*one) for one in zip(names, client.each(parts), after, strict=True)]


def rows_of(name: str, body: Any, after: str = "") -> RowPage:
    """A page of an object's rows, all behind the id `after`."""
    try:
        return row_page(name, body, after)
    except ValueError as error:
        raise ForeignAnswer(f"a query of {name}", str(error)) from None
