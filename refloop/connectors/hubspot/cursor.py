"""Where a pull of HubSpot stands, as text that the ledger keeps for us."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from refloop.connectors.hubspot.id_ranges import IdRange, without
from refloop.connectors.hubspot.layout import Layout, read_layout
from refloop.errors import LedgerError
from refloop.model import Cursor, Kind

_FORMAT = 3
_BEFORE_LAYOUTS = 2
_LONGEST_DOUBT = 86_400_000


class Phase(StrEnum):
    """One pass over one kind of thing, in ascending order of record id; ALL is over contacts and deals at once."""

    ALL = "all"
    CONTACTS = "contacts"
    DEALS = "deals"
    OPEN_LINKS = "open-links"
    GONE_CONTACTS = "gone-contacts"
    GONE_DEALS = "gone-deals"


FULL = (Phase.ALL,)
TICK = (Phase.CONTACTS, Phase.DEALS)
SWEEP = (Phase.OPEN_LINKS, Phase.GONE_CONTACTS, Phase.GONE_DEALS)


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a pull got. All times are the server's, in ms since 1970.

    `mark` is the watermark: everything modified before it was read. `swept` is when open links and archived
    records were last read whole. While a pull is under way, `until` is the watermark that it will leave
    behind, `todo` its phases from the present one on, and `last` the last record id of that one. Of the phase over
    everything, `left` is what is still to read. `layout` is what the account's properties looked like at the last full
    pull or sweep, None before it. `doubtful`: of something that the index counts, nothing was shown.
    """

    mark: int = 0
    swept: int = 0
    until: int = 0
    todo: tuple[Phase, ...] = ()
    last: int = 0
    left: tuple[IdRange, ...] = ()
    layout: Layout | None = None
    doubtful: bool = False

    @property
    def under_way(self) -> bool:
        return bool(self.todo)

    def at(self, last: int) -> Progress:
        """The progress after the present phase has read up to the record id `last`."""
        return replace(self, last=last)

    def covered(self, id_range: IdRange) -> Progress:
        """The progress after the phase over everything has read a range; after the last range, at the next phase."""
        gone_on = replace(self, left=without(self.left, id_range))
        return gone_on if gone_on.left else gone_on.next_phase()

    def next_phase(self) -> Progress:
        """The progress after the present phase: at the start of the next one or, after the last, the new watermark.

        Where something was doubtful the watermark stays, so that the next pull reads it all again; a day at most.
        """
        done, *rest = self.todo
        if rest:
            return replace(self, todo=tuple(rest), last=0, left=())
        swept = self.until if done in (*SWEEP, *FULL) else self.swept
        stays = self.doubtful and self.until - self.mark < _LONGEST_DOUBT
        return Progress(mark=self.mark if stays else self.until, swept=swept, layout=self.layout)

    def cursor(self) -> Cursor:
        left = [[one.kind, one.start, one.end] for one in self.left]
        layout = self.layout.text() if self.layout else None
        told = [_FORMAT, self.mark, self.swept, self.until, list(self.todo), self.last, left, layout, self.doubtful]
        return Cursor(json.dumps(told))


def read_cursor(cursor: Cursor) -> Progress:
    """Reads what `Progress.cursor` wrote, in this version or the one before. Raises LedgerError for anything else."""
    try:
        form, mark, swept, until, todo, last, left, *told = json.loads(cursor.text)
        numbers = (_natural(mark), _natural(swept), _natural(until))
        phases = tuple(Phase(phase) for phase in todo)
        layout, doubtful = told if form == _FORMAT else (None, False)
        ranges = tuple(_id_range(*one) for one in left)
        progress = Progress(*numbers, phases, _natural(last), ranges, read_layout(layout), doubtful is True)
    except (ValueError, TypeError, AttributeError) as error:
        raise _foreign() from error
    is_full = progress.todo[:1] == FULL
    if (
        form not in (_FORMAT, _BEFORE_LAYOUTS)
        or (progress.under_way and not progress.until)
        or is_full != bool(progress.left)
    ):
        raise _foreign()
    return progress


def _id_range(kind: Any, start: Any, end: Any) -> IdRange:
    return IdRange(Kind(kind), _natural(start), None if end is None else _natural(end))


def _natural(value: Any) -> int:
    if type(value) is not int or value < 0:
        raise ValueError("not a natural number")
    return value


def _foreign() -> LedgerError:
    return LedgerError(
        "the ledger's cursor of a HubSpot connection is not one that this version of refloop can read",
        remedy="Pull that connection anew from the start.",
    )
