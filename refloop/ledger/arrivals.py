"""When codes came to records. Added, never edited; it is kept when the records are read anew: no CRM tells it again."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from datetime import datetime

from refloop.ledger.engine.base import Row
from refloop.ledger.history import Provenance
from refloop.ledger.record_rows import stamp
from refloop.ledger.store import Ledger, ref_of
from refloop.mapping.arrivals import MASS_EDIT_WITHIN
from refloop.model import Arrival, Match, Presence, Ref, Rule, parse_time


def arrivals_of(ledger: Ledger, refs: Iterable[Ref]) -> dict[Ref, dict[str, Arrival]]:
    """What is known of each of the records, by the code's key; records that no code ever came to are left out."""
    ledger.select(refs)
    rows = ledger.rows(
        "SELECT a.* FROM selection s ORDERED JOIN current_arrivals a "
        "ON a.connection = s.connection AND a.kind = s.kind AND a.id = s.id ORDER BY a.seq"
    )
    found: dict[Ref, dict[str, Arrival]] = {}
    for row in rows:
        found.setdefault(ref_of(row), {})[row["code_key"]] = arrival_from(row)
    return found


def arrival_from(row: Row) -> Arrival:
    """A row of `arrivals` as the value it was."""
    return Arrival(
        match=Match(row["code_key"], Rule(row["rule"]), row["field"], row["evidence"], row["confidence"]),
        since=parse_time(row["since"]),
        by=parse_time(row["latest"]),
        at=parse_time(row["came_at"]),
        is_late=bool(row["is_late"]),
        presence=Presence(row["presence"]),
    )


def keep_arrivals(
    ledger: Ledger,
    by: Provenance,
    before: Mapping[Ref, Mapping[str, Arrival]],
    now: Mapping[Ref, Mapping[str, Arrival]],
) -> None:
    """Adds a row for each arrival that is another than before."""
    ledger.execute_many(
        "INSERT INTO arrivals (connection, kind, id, code_key, rule, field, evidence, confidence, since, latest, "
        "came_at, is_late, presence, run, at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        [
            (ref.connection, ref.kind.value, ref.id, *_columns(arrival), by.run, stamp(by.at))
            for ref, arrivals in now.items()
            for code, arrival in arrivals.items()
            if before.get(ref, {}).get(code) != arrival
        ],
    )


def _columns(arrival: Arrival) -> tuple[object, ...]:
    match = arrival.match
    return (
        match.code,
        match.rule.value,
        match.field,
        match.evidence,
        match.confidence,
        stamp(arrival.since),
        stamp(arrival.by),
        stamp(arrival.at),
        int(arrival.is_late),
        arrival.presence.value,
    )


def late_around(ledger: Ledger, code: str, moment: datetime, most: int = sys.maxsize) -> list[Ref]:
    """Up to `most` records that carry a code which came to them late, and within minutes of that moment."""
    rows = ledger.rows(
        "SELECT a.connection, a.kind, a.id FROM current_arrivals a "
        "WHERE a.code_key = ? AND a.is_late = 1 AND a.latest BETWEEN ? AND ? AND a.presence = 'carried' LIMIT ?",
        (code, stamp(moment - MASS_EDIT_WITHIN), stamp(moment + MASS_EDIT_WITHIN), most),
    )
    return [ref_of(row) for row in rows]
