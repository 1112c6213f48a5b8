"""Pages of a list or a search in ascending order of record id, checked so that none is skipped."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from refloop.connectors.hubspot.answers import Found, Listing, Row, nonsense
from refloop.connectors.hubspot.client import Client
from refloop.connectors.hubspot.names import OBJECTS, is_record_id
from refloop.connectors.hubspot.search import LIMIT, Query
from refloop.errors import CrmUnavailable
from refloop.model import Kind


class Unsure(CrmUnavailable):
    """A list that may be right, and does not show that going on from it skips nothing."""


@dataclass(frozen=True, slots=True)
class ResultPage:
    """One page. `last` is the highest record id so far; `done` says that no page follows, `doubtful` that the index
    counts more than it shows."""

    rows: tuple[Row, ...]
    last: int
    done: bool
    doubtful: bool = False


def list_pages(client: Client, kind: Kind, query: Mapping[str, str], last: int) -> Iterator[ResultPage]:
    """All records above `last`, by the list call: not delayed by an index. Tokens are followed as they come.

    Where they are no ids in ascending order, `last` stays as it was: who goes on from it begins again. Raises
    CrmUnavailable when a token comes twice.
    """
    what = f"the list of {OBJECTS[kind]}"
    token = str(last + 1) if last else None
    seen: set[str] = set()
    reached: int | None = last
    while True:
        listing = client.listing(kind, query, after=token)
        token = listing.after
        reached = None if reached is None else _reached(listing, reached)
        yield ResultPage(listing.rows, last if reached is None else reached, token is None)
        if token is None:
            return
        if token in seen:
            raise nonsense(what, "the token of the next page was there before")
        seen.add(token)


def list_page(client: Client, kind: Kind, query: Mapping[str, str], at: int) -> tuple[ResultPage, int | None]:
    """The first records of an id of at least `at`, and where the next page begins: its token is its first record id.

    Raises Unsure when the order or the token would make us skip or repeat: then another reading has to do.
    """
    listing = client.listing(kind, query, after=str(at) if at > 1 else None)
    last = _reached(listing, at - 1)
    if last is None or (listing.after is not None and int(listing.after) <= at):
        why = "its records and the token of its next page are not in the order of their ids"
        raise Unsure(nonsense(f"the list of {OBJECTS[kind]}", why).message)
    return ResultPage(listing.rows, last, listing.after is None), None if listing.after is None else int(listing.after)


def _reached(listing: Listing, last: int) -> int | None:
    """The highest id of a page in ascending order that begins above `last` and whose token leads on from it; None of
    any other."""
    if not _is_ascending(listing.rows, last):
        return None
    highest = int(listing.rows[-1].id) if listing.rows else last
    token = listing.after
    return highest if token is None or (is_record_id(token) and int(token) > highest) else None


def search_pages(client: Client, query: Query, last: int, first: Found | None = None) -> Iterator[ResultPage]:
    """All that match above `last`, until no more is shown. `first` is the first answer, if known. Raises as
    `search_page`."""
    while True:
        page = search_page(client, query, last, first)
        yield page
        if page.done:
            return
        first, last = None, page.last


def search_page(client: Client, query: Query, last: int, first: Found | None = None) -> ResultPage:
    """The first records that match above `last`.

    Only what is shown is certain. The index may count more than that, or less, for a while, and it may run ahead of the
    records: a page that shows nothing of what it counts, or not in the order of ids, is asked for once more; what it
    counts then and still does not show is doubtful. A short page is the last one if it shows all that it counts.

    Raises CrmUnavailable when ids do not ascend: going on would skip records.
    """
    found = first or client.search(query.kind, query.body(last))
    if (found.total and not found.rows) or not _is_ascending(found.rows, last):
        found = client.search(query.kind, query.body(last))
    if not _is_ascending(found.rows, last):
        raise nonsense(f"the search of {OBJECTS[query.kind]}", "its records are not in the order of their ids")
    if not found.rows:
        return ResultPage((), last, done=True, doubtful=found.total > 0)
    done = len(found.rows) < LIMIT and found.total == len(found.rows)
    return ResultPage(found.rows, int(found.rows[-1].id), done)


def _is_ascending(rows: Sequence[Row], last: int) -> bool:
    return all(lower < higher for lower, higher in pairwise((last, *(int(row.id) for row in rows))))
