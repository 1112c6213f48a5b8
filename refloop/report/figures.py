"""Reads out of the ledger's views, as plain values that text and JSON are made from."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from datetime import datetime
from decimal import Decimal
from typing import Any

from refloop.ledger.codes import code_of
from refloop.ledger.engine.base import Row as LedgerRow
from refloop.ledger.forget import Forgotten
from refloop.ledger.runs import imbalances
from refloop.ledger.store import Ledger
from refloop.ledger.summaries import add_up
from refloop.mapping.changes import RecordPlan
from refloop.mapping.stages import OPEN
from refloop.model import Kind, Ref, Status, parse_time

Row = dict[str, Any]


def _rows(rows: Iterable[LedgerRow]) -> list[Row]:
    return [dict(row) for row in rows]


def summary(ledger: Ledger) -> Row:
    """Referrals by how they stand, credited amounts per currency, and what is left for review."""
    standing = {
        row["status"]: row["n"]
        for row in ledger.rows(
            "SELECT s.status, count(*) AS n FROM referrals f JOIN current_statuses s ON s.referral = f.referral "
            "WHERE f.void IS NULL GROUP BY 1"
        )
    }
    void = {
        row["void"]: row["n"]
        for row in ledger.rows("SELECT void, count(*) AS n FROM referrals WHERE void IS NOT NULL GROUP BY 1")
    }
    return {
        "referrals": sum(standing.values()),
        "open": sum(count for status, count in standing.items() if Status(status) in OPEN),
        "won": standing.get("won", 0),
        "lost": standing.get("lost", 0),
        "by_status": dict(sorted(standing.items())),
        "not_counted": dict(sorted(void.items())),
        "won_amount": _texts(credited(ledger, "won")),
        "open_amount": _texts(credited(ledger, "open")),
        "review": review(ledger),
        "conflicts": _count(ledger, "SELECT count(*) FROM conflicts"),
        "refused": _count(ledger, _REFUSED.format(columns="count(*)")),
        "unsettled": _count(ledger, "SELECT count(*) FROM outbox"),
        "overwritten": overwritten(ledger),
    }


_REFUSED = (
    "SELECT {columns} FROM receipts r WHERE r.verdict = 'refused' AND r.seq = ("
    "SELECT max(q.seq) FROM receipts q WHERE q.connection = r.connection AND q.kind = r.kind AND q.id = r.id "
    "AND q.field = r.field)"
)


def _count(ledger: Ledger, sql: str) -> int:
    row = ledger.one(sql)
    return int(row[0]) if row else 0


def credited(ledger: Ledger, outcome: str) -> dict[str, Decimal]:
    """The credited amount of deals with that outcome, by currency."""
    return add_up(
        ledger.rows(
            "SELECT d.amount, d.currency, c.share FROM current_credits c "
            "JOIN records d ON d.connection = c.connection AND d.kind = c.kind AND d.id = c.id "
            "WHERE d.outcome = ? AND d.deleted = 0 AND d.amount IS NOT NULL",
            (outcome,),
        )
    )


def _texts(amounts: dict[str, Decimal]) -> dict[str, str]:
    return {currency: f"{amount:.2f}" for currency, amount in sorted(amounts.items())}


def review(ledger: Ledger) -> dict[str, int]:
    """What was left for a person to look at, and how often, by why."""
    rows = ledger.rows("SELECT doubt, count(*) AS n FROM questions GROUP BY 1 ORDER BY 2 DESC, 1")
    return {row["doubt"]: row["n"] for row in rows}


def questions(ledger: Ledger) -> Iterator[Row]:
    """The questions themselves, newest first; `candidates` are codes as they were issued, or referral ids."""
    for row in ledger.rows("SELECT * FROM questions ORDER BY run DESC, connection, kind, id, doubt"):
        yield {**dict(row), "candidates": [_issued(ledger, key) for key in json.loads(row["candidates"])]}


def _issued(ledger: Ledger, key: str) -> str:
    code = code_of(ledger, key)
    return code.code if code else key


def conflicts(ledger: Ledger) -> Iterator[Row]:
    """Fields in which a person wrote something else than refloop wants."""
    for row in ledger.rows("SELECT * FROM conflicts ORDER BY connection, kind, id, field"):
        yield dict(row)


def conflicts_to_come(ledger: Ledger, plans: Iterable[RecordPlan]) -> Iterator[Row]:
    """The conflicts that stand, and those that the plans would add."""
    known = set()
    for row in conflicts(ledger):
        known.add((row["connection"], row["kind"], row["id"], row["field"]))
        yield row
    for found in (conflict for plan in plans for conflict in plan.conflicts):
        ref = found.ref
        if (ref.connection, ref.kind.value, ref.id, found.field) not in known:
            yield {
                "connection": ref.connection,
                "kind": ref.kind.value,
                "id": ref.id,
                "field": found.field,
                "wrote": found.wrote,
                "found": found.found,
                "want": found.want,
                "why": found.why,
            }


def refused(ledger: Ledger) -> list[Row]:
    """Changes that a CRM refused when they were last tried."""
    columns = "r.connection, r.kind, r.id, r.field, r.after, r.reason, r.run, r.at"
    return _rows(ledger.rows(_REFUSED.format(columns=columns) + " ORDER BY r.seq DESC"))


def overwritten(ledger: Ledger) -> list[Row]:
    """What people wrote in the moment in which refloop wrote too, where refloop's value still stands."""
    return _rows(
        ledger.rows(
            "SELECT o.* FROM overwritten o JOIN records r ON r.connection = o.connection AND r.kind = o.kind "
            "AND r.id = o.id WHERE r.deleted = 0 AND json_extract(r.found, '$.\"' || o.field || '\"') IS o.wrote "
            "ORDER BY o.run DESC, o.connection, o.kind, o.id, o.field"
        )
    )


def referrals(ledger: Ledger, status: str | None = None, referrer: str | None = None) -> Iterator[Row]:
    """Where each referral stands, the latest claim first."""
    rows = ledger.rows(
        "SELECT * FROM standing WHERE (? IS NULL OR status = ?) AND (? IS NULL OR referrer = ?) "
        "ORDER BY claimed_at DESC, referral",
        (status, status, referrer, referrer),
    )
    for row in rows:
        yield dict(row)


def code_rows(ledger: Ledger) -> Iterator[Row]:
    """The codes with their referrers, in the columns that `codes import` reads."""
    rows = ledger.rows(
        "SELECT c.code, c.referrer, r.name AS referrer_name, coalesce(r.email, '') AS referrer_email, c.program, "
        "coalesce(c.valid_from, '') AS valid_from, coalesce(c.valid_to, '') AS valid_to "
        "FROM codes c JOIN referrers r ON r.referrer = c.referrer ORDER BY c.code_key"
    )
    for row in rows:
        yield dict(row)


def runs(ledger: Ledger, limit: int) -> list[Row]:
    """The latest runs, the newest first; `imbalances` is what does not add up in a run's counts."""
    rows = ledger.rows("SELECT * FROM runs ORDER BY run DESC LIMIT ?", (limit,))
    return [_run(row) for row in rows]


def _run(row: LedgerRow) -> Row:
    counts = json.loads(row["counts"])
    return {
        **dict(row),
        "counts": counts,
        "problems": json.loads(row["problems"]),
        "imbalances": imbalances(counts),
    }


def connections(ledger: Ledger, now: datetime) -> list[Row]:
    """What the ledger holds of each connection, and how long ago it was last pulled, in seconds."""
    held = {
        row["connection"]: dict(row)
        for row in ledger.rows(
            "SELECT connection, sum(kind = 'lead') AS leads, sum(kind = 'contact') AS contacts, "
            "sum(kind = 'deal') AS deals FROM records WHERE deleted = 0 GROUP BY 1"
        )
    }
    pulled = {row["connection"]: row["at"] for row in ledger.rows("SELECT connection, at FROM cursors")}
    found = []
    for name in sorted(held.keys() | pulled.keys()):
        at = pulled.get(name)
        age = int((now - parse_time(at)).total_seconds()) if at else None
        counts = held.get(name, {"leads": 0, "contacts": 0, "deals": 0})
        found.append({**counts, "connection": name, "pulled_at": at, "age_seconds": age})
    return found


def by_code(ledger: Ledger) -> list[Row]:
    """Per code: referrals that count, won ones, conversion, and credited won amount by currency."""
    amounts: dict[str, dict[str, Decimal]] = {}
    for row in ledger.rows(
        "SELECT f.code_key, d.amount, d.currency, c.share FROM current_credits c "
        "JOIN referrals f ON f.referral = c.referral "
        "JOIN records d ON d.connection = c.connection AND d.kind = c.kind AND d.id = c.id "
        "WHERE d.outcome = 'won' AND d.deleted = 0 AND d.amount IS NOT NULL ORDER BY f.code_key"
    ):
        sums = amounts.setdefault(row["code_key"], {})
        for currency, amount in add_up([row]).items():
            sums[currency] = sums.get(currency, Decimal(0)) + amount
    rows = ledger.rows(
        "SELECT f.code_key, coalesce(c.code, f.code_key) AS code, f.referrer, count(*) AS referrals, "
        "sum(s.status = 'won') AS won FROM referrals f JOIN current_statuses s ON s.referral = f.referral "
        "LEFT JOIN codes c ON c.code_key = f.code_key WHERE f.void IS NULL GROUP BY 1, 2, 3 ORDER BY won DESC, 1"
    )
    return [
        {
            "code": row["code"],
            "referrer": row["referrer"],
            "referrals": row["referrals"],
            "won": row["won"],
            "conversion": round(row["won"] / row["referrals"], 6),
            "won_amount": _texts(amounts.get(row["code_key"], {})),
        }
        for row in rows
    ]


def explain_record(ledger: Ledger, ref: Ref) -> Row | None:
    """The whole story of one record, or None when it was never seen."""
    name = (ref.connection, ref.kind.value, ref.id)
    record = ledger.one("SELECT * FROM records WHERE (connection, kind, id) = (?, ?, ?)", name)
    if record is None:
        return None
    mine = "(connection, kind, id) = (?, ?, ?)"
    held = ledger.rows(
        f"SELECT referral FROM members WHERE {mine} UNION SELECT referral FROM current_credits WHERE {mine} ORDER BY 1",
        (*name, *name),
    )
    return {
        "record": {**dict(record), "texts": json.loads(record["texts"]), "found": json.loads(record["found"])},
        "forgotten": bool(Forgotten(ledger).refs([ref])),
        "links": _rows(
            ledger.rows(
                "SELECT * FROM links WHERE (source_connection, source_kind, source_id) = (?, ?, ?) "
                "OR (target_connection, target_kind, target_id) = (?, ?, ?)",
                (*name, *name),
            )
        ),
        "matches": _rows(ledger.rows(f"SELECT * FROM matches WHERE {mine} ORDER BY seq", name)),
        "questions": _rows(ledger.rows(f"SELECT * FROM questions WHERE {mine}", name)),
        "referrals": [story for row in held if (story := explain_referral(ledger, row["referral"]))],
        "credits": _rows(ledger.rows(f"SELECT * FROM credits WHERE {mine} ORDER BY seq", name)),
        "written": _rows(ledger.rows(f"SELECT * FROM receipts WHERE {mine} ORDER BY seq", name)),
        "conflicts": _rows(ledger.rows(f"SELECT * FROM conflicts WHERE {mine}", name)),
    }


def explain_referral(ledger: Ledger, referral: str) -> Row | None:
    """The whole story of one referral, or None when there is none of that id."""
    row = ledger.one(
        "SELECT f.*, coalesce(c.code, f.code_key) AS code, r.name AS referrer_name FROM referrals f "
        "LEFT JOIN codes c ON c.code_key = f.code_key LEFT JOIN referrers r ON r.referrer = f.referrer "
        "WHERE f.referral = ?",
        (referral,),
    )
    if row is None:
        return None
    return {
        "referral": dict(row),
        "records": _rows(
            ledger.rows("SELECT connection, kind, id FROM members WHERE referral = ? ORDER BY 1, 2, 3", (referral,))
        ),
        "statuses": _rows(ledger.rows("SELECT * FROM statuses WHERE referral = ? ORDER BY seq", (referral,))),
        "deals": _rows(ledger.rows("SELECT * FROM credited_deals WHERE referral = ? ORDER BY 1, 2, 3", (referral,))),
    }


def refs_with_id(ledger: Ledger, record_id: str) -> list[Ref]:
    """The records of that id, whatever their connection and kind."""
    rows = ledger.rows("SELECT connection, kind, id FROM records WHERE id = ? LIMIT 20", (record_id,))
    return [Ref.parse(f"{row['connection']}:{row['kind']}:{row['id']}") for row in rows]


_SPOTLIGHT = """
    SELECT f.referral, r.connection AS c0, r.kind AS k0, r.id AS i0,
           m.connection AS c1, m.kind AS k1, m.id AS i1, d.connection AS c2, d.kind AS k2, d.id AS i2
    FROM referrals f
    JOIN current_statuses s ON s.referral = f.referral AND s.status = 'won'
    JOIN referrers w ON w.referrer = f.referrer
    JOIN records r ON r.email = w.email AND r.kind = 'contact' AND r.deleted = 0
    JOIN members m ON m.referral = f.referral AND m.kind <> 'deal'
    JOIN receipts t ON t.connection = m.connection AND t.kind = m.kind AND t.id = m.id AND t.verdict = 'written'
    JOIN current_credits c ON c.referral = f.referral
    JOIN records d ON d.connection = c.connection AND d.kind = c.kind AND d.id = c.id AND d.outcome = 'won'
    ORDER BY m.kind = 'lead' DESC, d.amount IS NOT NULL DESC, r.connection = d.connection DESC, 1, 2, 3, 4, 5, 6, 7
    LIMIT 1"""


def spotlight(ledger: Ledger) -> Iterator[tuple[str, Row]]:
    """One referral that was won, as three records tell it: the referrer's contact, the lead, the deal."""
    row = ledger.one(_SPOTLIGHT)
    if row is None:
        return
    for number, title in enumerate(("The lead that came with a code", "The deal", "The referrer's own contact")):
        place = (1, 2, 0)[number]
        ref = Ref(row[f"c{place}"], Kind(row[f"k{place}"]), row[f"i{place}"])
        told = explain_record(ledger, ref)
        if told is not None:
            yield title, {**told, "name": str(ref)}
