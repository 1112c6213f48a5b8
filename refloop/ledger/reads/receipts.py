"""What became of changes: of one record's, of those that were refused, overwritten, or of which nobody knows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import islice

from refloop.ledger.receipts import refusals
from refloop.ledger.store import Ledger, ref_of
from refloop.model import Ref, Verdict, parse_time

_REFS_AT_ONCE = 500

_REFUSED = (
    "FROM receipts r WHERE r.verdict = 'refused' AND r.seq = ("
    "SELECT max(q.seq) FROM receipts q WHERE q.connection = r.connection AND q.kind = r.kind AND q.id = r.id "
    "AND q.field = r.field)"
)


@dataclass(frozen=True, slots=True)
class PastChange:
    """One field of one record that a run tried to change, and what became of it. `found`, `reason` and `overwrote` are
    those of the receipt; `field` is a name, for the field may not be ours any more."""

    seq: int
    ref: Ref
    field: str
    before: str | None
    after: str | None
    found: str | None
    verdict: Verdict
    reason: str
    why: str
    run: int
    at: datetime
    overwrote: bool


@dataclass(frozen=True, slots=True)
class Refusal:
    """A change that a CRM refused when it was last tried. `times`: how often in a row since the record last changed."""

    ref: Ref
    field: str
    after: str | None
    reason: str
    run: int
    at: datetime
    times: int


@dataclass(frozen=True, slots=True)
class Overwritten:
    """What we `wrote` over what somebody had written into the same field a moment before, and was `found` too late."""

    ref: Ref
    field: str
    found: str | None
    wrote: str | None
    run: int
    at: datetime


def changes_of(ledger: Ledger, ref: Ref) -> tuple[PastChange, ...]:
    """Everything that was ever tried on one record, the oldest first."""
    rows = ledger.rows(
        "SELECT * FROM receipts WHERE (connection, kind, id) = (?, ?, ?) ORDER BY seq",
        (ref.connection, ref.kind.value, ref.id),
    )
    return tuple(
        PastChange(
            row["seq"],
            ref,
            row["field"],
            row["before"],
            row["after"],
            row["found"],
            Verdict(row["verdict"]),
            row["reason"],
            row["why"],
            row["run"],
            parse_time(row["at"]),
            bool(row["overwrote"]),
        )
        for row in rows
    )


def refused(ledger: Ledger) -> Iterator[Refusal]:
    """The changes that a CRM refused when they were last tried, the latest first, streamed."""
    rows = ledger.rows(
        f"SELECT r.connection, r.kind, r.id, r.field, r.after, r.reason, r.run, r.at {_REFUSED} ORDER BY r.seq DESC"
    )
    while some := list(islice(rows, _REFS_AT_ONCE)):
        times = refusals(ledger, {ref_of(row) for row in some})
        for row in some:
            ref, field = ref_of(row), row["field"]
            tried = times.get((ref, field), (None, None, 0))[2]
            yield Refusal(ref, field, row["after"], row["reason"], row["run"], parse_time(row["at"]), tried)


def count_refused(ledger: Ledger) -> int:
    """How many there are."""
    row = ledger.one(f"SELECT count(*) AS n {_REFUSED}")
    return int(row["n"]) if row else 0


def overwritten(ledger: Ledger) -> tuple[Overwritten, ...]:
    """What people wrote in the moment in which refloop wrote too, where refloop's value still stands."""
    rows = ledger.rows(
        "SELECT o.* FROM overwritten o JOIN records r ON r.connection = o.connection AND r.kind = o.kind "
        "AND r.id = o.id WHERE r.deleted = 0 "
        "AND json_extract(r.found, '$.\"' || o.field || '\"') IS NOT DISTINCT FROM o.wrote "
        "ORDER BY o.run DESC, o.connection, o.kind, o.id, o.field"
    )
    return tuple(
        Overwritten(ref_of(row), row["field"], row["found"], row["wrote"], row["run"], parse_time(row["at"]))
        for row in rows
    )


def unsettled(ledger: Ledger) -> dict[str, int]:
    """How many changes were sent of which nobody knows whether they arrived, by connection."""
    rows = ledger.rows("SELECT connection, count(*) AS n FROM outbox GROUP BY 1")
    return {row["connection"]: row["n"] for row in rows}
