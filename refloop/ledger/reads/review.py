"""What was left for a person to decide."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from refloop.ledger.codes import code_of
from refloop.ledger.engine.base import Row
from refloop.ledger.reviews import review_item_from
from refloop.ledger.store import Ledger
from refloop.mapping.codes import code_key
from refloop.model import Kind, Ref, ReviewItem, ReviewReason


@dataclass(frozen=True, slots=True)
class OpenItem:
    """A review item that is open, and the run that found it first."""

    item: ReviewItem
    run: int


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which of the review items somebody wants to see: for one reason, about one kind of record, of one connection,
    about one code (its key). None: all."""

    reason: ReviewReason | None = None
    kind: Kind | None = None
    connection: str | None = None
    code: str | None = None

    def has(self, item: ReviewItem) -> bool:
        """Whether an item of that reason, kind and connection is about the code."""
        return self.code is None or self.code in item.candidates or code_key(item.evidence) == self.code


EVERYTHING = Wanted()


@dataclass(frozen=True, slots=True)
class OpenGroup:
    """Review items that are alike: one reason, one kind of record, and one code, that is the same candidates or, where
    there are none, the same evidence in another spelling. `about` are the candidates or the evidence, as people know
    them; `first` are some of the records, the latest found first."""

    reason: ReviewReason
    kind: Kind
    about: tuple[str, ...]
    count: int
    first: tuple[Ref, ...]


FIRST = 3
"""So many records of a group are named."""


def count_open(ledger: Ledger, wanted: Wanted = EVERYTHING) -> dict[ReviewReason, int]:
    """How much is open, by why, the most frequent reason first."""
    if wanted.code is not None:
        counts = Counter(found.item.reason for found in _wanted(ledger, wanted))
        return dict(sorted(counts.items(), key=lambda one: (-one[1], one[0])))
    rows = ledger.rows(
        f"SELECT doubt, count(*) AS n FROM questions {_WHERE} GROUP BY 1 ORDER BY 2 DESC, 1", _of(wanted)
    )
    return {ReviewReason(row["doubt"]): row["n"] for row in rows}


def open_items(ledger: Ledger, wanted: Wanted = EVERYTHING) -> Iterator[OpenItem]:
    """All that is open, streamed: the newest run first, then by reason; `candidates` are codes as they were issued, or
    ids of referrals."""
    for found in _wanted(ledger, wanted):
        candidates = tuple(_issued(ledger, key) for key in found.item.candidates)
        yield replace(found, item=replace(found.item, candidates=candidates))


def open_groups(ledger: Ledger, wanted: Wanted = EVERYTHING) -> Iterator[OpenGroup]:
    """What is open, the most frequent reason first and of each reason the largest group."""
    groups: dict[tuple[ReviewReason, Kind, tuple[str, ...]], _Group] = {}
    for found in _wanted(ledger, wanted):
        item = found.item
        about = item.candidates or (code_key(item.evidence) or item.evidence,)
        group = groups.setdefault((item.reason, item.ref.kind, about), _Group(item.candidates or (item.evidence,)))
        group.count += 1
        if len(group.first) < FIRST:
            group.first.append(item.ref)
    of_reason: Counter[ReviewReason] = Counter()
    for (reason, _, _), group in groups.items():
        of_reason[reason] += group.count
    ordered = sorted(
        groups.items(), key=lambda one: (-of_reason[one[0][0]], one[0][0], -one[1].count, one[0][1], one[0][2])
    )
    for (reason, kind, _), group in ordered:
        about = tuple(_issued(ledger, key) for key in group.about)
        yield OpenGroup(reason, kind, about, group.count, tuple(group.first))


@dataclass
class _Group:
    about: tuple[str, ...]
    count: int = 0
    first: list[Ref] = field(default_factory=list)


_WHERE = "WHERE doubt = coalesce(?, doubt) AND kind = coalesce(?, kind) AND connection = coalesce(?, connection)"


def _of(wanted: Wanted) -> tuple[str | None, ...]:
    return (
        wanted.reason.value if wanted.reason else None,
        wanted.kind.value if wanted.kind else None,
        wanted.connection,
    )


def _wanted(ledger: Ledger, wanted: Wanted) -> Iterator[OpenItem]:
    rows = ledger.rows(f"SELECT * FROM questions {_WHERE} ORDER BY run DESC, doubt, connection, kind, id", _of(wanted))
    return (found for found in map(_open, rows) if wanted.has(found.item))


def open_items_of(ledger: Ledger, ref: Ref) -> tuple[OpenItem, ...]:
    """What is open about one record; `candidates` are keys of codes, or ids of referrals."""
    rows = ledger.rows(
        "SELECT * FROM questions WHERE (connection, kind, id) = (?, ?, ?)", (ref.connection, ref.kind.value, ref.id)
    )
    return tuple(map(_open, rows))


def _open(row: Row) -> OpenItem:
    return OpenItem(review_item_from(row), row["run"])


def _issued(ledger: Ledger, key: str) -> str:
    code = code_of(ledger, key)
    return code.code if code else key
