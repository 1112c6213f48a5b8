"""Pages of a list or a search in ascending order of record id, checked so that none can be skipped."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from refloop.connectors.hubspot.answers import Found, Row, nonsense
from refloop.connectors.hubspot.client import Client
from refloop.connectors.hubspot.names import OBJECTS
from refloop.connectors.hubspot.search import LIMIT, Query
from refloop.model import Kind


@dataclass(frozen=True, slots=True)
class ResultPage:
    """One page. `last` is the highest record id so far; `done` says that no page follows."""

    rows: tuple[Row, ...]
    last: int
    done: bool


def list_pages(client: Client, kind: Kind, query: Mapping[str, str], last: int) -> Iterator[ResultPage]:
    """All records above `last`, by the list call: not delayed by an index. Raises as `list_page`."""
    at: int | None = last + 1
    while at is not None:
        page, at = list_page(client, kind, query, at)
        yield page


def list_page(client: Client, kind: Kind, query: Mapping[str, str], at: int) -> tuple[ResultPage, int | None]:
    """The first records of an id of at least `at`, and where the next page begins: its token is its first record id.

    Raises CrmUnavailable when the order or the token would make us skip or repeat.
    """
    what = f"the list of {OBJECTS[kind]}"
    listing = client.listing(kind, query, after=at if at > 1 else None)
    last = _ascending(listing.rows, at - 1, what)
    if listing.after is not None and listing.after <= max(last, at):
        raise nonsense(what, "the token of the next page points back")
    return ResultPage(listing.rows, last, listing.after is None), listing.after


def search_pages(client: Client, query: Query, last: int, first: Found | None = None) -> Iterator[ResultPage]:
    """All that match above `last`, until fewer come back than a page holds. `first` is the first answer, if known.

    Raises CrmUnavailable when the order, or the count, says that something is missing.
    """
    what = f"the search of {OBJECTS[query.kind]}"
    while True:
        found = first or client.search(query.kind, query.body(last))
        first = None
        if found.total and not found.rows:  # the index may run ahead of the records: once is an accident
            found = client.search(query.kind, query.body(last))
        if found.total and not found.rows:
            raise nonsense(what, f"it counts {found.total} records and shows none")
        last = _ascending(found.rows, last, what)
        done = len(found.rows) < LIMIT and found.total == len(found.rows)
        yield ResultPage(found.rows, last, done)
        if done:
            return


def _ascending(rows: Sequence[Row], last: int, what: str) -> int:
    """The highest id. Raises CrmUnavailable when ids do not ascend from `last`: going on would skip records."""
    for row in rows:
        if int(row.id) <= last:
            raise nonsense(what, "its records are not in the order of their ids")
        last = int(row.id)
    return last
