"""Stretches of record ids: what of a full pull is left to read, and how readers share it. Pure.

HubSpot docs, CRM objects: a list is in ascending order of record id, and its paging token is the id of the next
record; so reading may begin at any id.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from refloop.model import Kind


@dataclass(frozen=True, slots=True)
class IdRange:
    """All ids of a kind from `start` on, `end` not included; None is without end."""

    kind: Kind
    start: int
    end: int | None = None

    @property
    def is_empty(self) -> bool:
        return self.end is not None and self.end <= self.start


ALL = (IdRange(Kind.CONTACT, 1), IdRange(Kind.DEAL, 1))


def without(left: Iterable[IdRange], done: IdRange) -> tuple[IdRange, ...]:
    """`left` but for what is `done`, in the same order."""
    return tuple(piece for id_range in left for piece in _pieces(id_range, done) if not piece.is_empty)


def _pieces(id_range: IdRange, done: IdRange) -> tuple[IdRange, ...]:
    if id_range.kind is not done.kind or done.is_empty:
        return (id_range,)
    before = IdRange(id_range.kind, id_range.start, _least(id_range.end, done.start))
    if done.end is None:
        return (before,)
    return before, IdRange(id_range.kind, max(id_range.start, done.end), id_range.end)


def _least(*ends: int | None) -> int | None:
    return min((end for end in ends if end is not None), default=None)


@dataclass(slots=True)
class Reading:
    """One reader's range: `rows` records were read of it, and it is still to read from `at` up to `end`.

    `density` is records an id, on the last page: ids leap where an account grew by an import or HubSpot changed them.
    """

    kind: Kind
    at: int
    end: int | None
    rows: int = 0
    density: float = 0.0

    @classmethod
    def of(cls, id_range: IdRange) -> Reading:
        return cls(id_range.kind, id_range.start, id_range.end)

    @property
    def is_done(self) -> bool:
        return self.end is not None and self.at >= self.end

    def went_on(self, ids: Sequence[int], following: int | None) -> IdRange:
        """A page of records was read, and the next one begins at `following`. Gives what it covered."""
        end = _least(following, self.end)
        covered = IdRange(self.kind, self.at, end)
        if ids and end is not None:
            self.density = len(ids) / (end - ids[0])
        self.rows += len(ids)
        self.at, self.end = (self.at, self.at) if end is None else (end, self.end)
        return covered

    def rows_left(self, count: IndexCount) -> float:
        """About how many records are left in it: as dense as the last page, and no more than the kind has left."""
        return min(count.left, (_end(self, count) - self.at) * self.density)

    def split(self, count: IndexCount) -> Reading | None:
        """Hands about the later half of what is left to a second reader; None when no page can be told apart."""
        if not self.density:
            return None
        middle = self.at + int(self.rows_left(count) / 2 / self.density)
        if not self.at < middle < _end(self, count):
            return None
        later = Reading(self.kind, middle, self.end)
        self.end = middle
        return later


@dataclass(slots=True)
class IndexCount:
    """About how many records of a kind are `left` to read, and the `last` id that is known."""

    left: int
    last: int


def _end(reading: Reading, count: IndexCount) -> int:
    return count.last + 1 if reading.end is None else min(reading.end, count.last + 1)
