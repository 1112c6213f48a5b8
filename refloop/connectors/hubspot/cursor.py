"""Where a pull of HubSpot stands, as text that the ledger keeps for us."""

from __future__ import annotations

import json
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from refloop.errors import LedgerError
from refloop.model import Cursor

_FORMAT = 1


class Walk(StrEnum):
    """One pass over one kind of thing, in ascending order of record id."""

    ALL_CONTACTS = "all-contacts"
    ALL_DEALS = "all-deals"
    CONTACTS = "contacts"
    DEALS = "deals"
    OPEN_LINKS = "open-links"
    GONE_CONTACTS = "gone-contacts"
    GONE_DEALS = "gone-deals"


FULL = (Walk.ALL_CONTACTS, Walk.ALL_DEALS)
TICK = (Walk.CONTACTS, Walk.DEALS)
SWEEP = (Walk.OPEN_LINKS, Walk.GONE_CONTACTS, Walk.GONE_DEALS)


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a pull got. All times are the server's, in ms since 1970.

    `mark` is the watermark: everything modified before it was read. `swept` is when open links and archived
    records were last read whole. While a pull is under way, `until` is the watermark that it will leave
    behind, `todo` its walks from the present one on, and `last` the last record id of that one.
    """

    mark: int = 0
    swept: int = 0
    until: int = 0
    todo: tuple[Walk, ...] = ()
    last: int = 0

    @property
    def under_way(self) -> bool:
        return bool(self.todo)

    def at(self, last: int) -> Progress:
        """The same walk, gone on to the record id `last`."""
        return Progress(self.mark, self.swept, self.until, self.todo, last)

    def next_walk(self) -> Progress:
        """The walk done: the next one from its start, or, after the last, the new watermark."""
        done, *rest = self.todo
        if rest:
            return Progress(self.mark, self.swept, self.until, tuple(rest), 0)
        swept = self.until if done in (*SWEEP, *FULL) else self.swept
        return Progress(mark=self.until, swept=swept)

    def cursor(self) -> Cursor:
        return Cursor(json.dumps([_FORMAT, self.mark, self.swept, self.until, list(self.todo), self.last]))


def read_cursor(cursor: Cursor) -> Progress:
    """Reads what `Progress.cursor` wrote. Raises LedgerError for anything else."""
    try:
        form, mark, swept, until, todo, last = json.loads(cursor.text)
        numbers = (_natural(mark), _natural(swept), _natural(until))
        progress = Progress(*numbers, tuple(Walk(walk) for walk in todo), _natural(last))
    except (ValueError, TypeError) as error:
        raise _foreign() from error
    if form != _FORMAT or (progress.under_way and not progress.until):
        raise _foreign()
    return progress


def _natural(value: Any) -> int:
    if type(value) is not int or value < 0:
        raise ValueError("not a natural number")
    return value


def _foreign() -> LedgerError:
    return LedgerError(
        "the ledger's cursor of a HubSpot connection is not one that this version of refloop can read",
        remedy="Pull that connection anew from the start.",
    )
