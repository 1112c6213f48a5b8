"""Many codes at once: what a chunk of rows has to know, and what is new in it, in a few statements for all of them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import datetime
from itertools import islice

from refloop.ledger.codes import code_from, codes_changed, look_at_holders
from refloop.ledger.history import add_code_definitions
from refloop.ledger.queue import Topic, enqueue_ids
from refloop.ledger.store import Ledger
from refloop.mapping.rereading import MOST_SOUGHT
from refloop.model import Code, Referrer, format_time

_AT_ONCE = 500
"""Names in one statement."""


def codes_named(ledger: Ledger, keys: Iterable[str]) -> dict[str, Code]:
    """Those of the codes that there are, by key."""
    found: dict[str, Code] = {}
    for some, marks in _parts(keys):
        rows = ledger.rows(f"SELECT * FROM codes WHERE code_key IN ({marks})", some)
        found |= {row["code_key"]: code_from(row) for row in rows}
    return found


def referrers_named(ledger: Ledger, ids: Iterable[str]) -> dict[str, Referrer]:
    """Those of the referrers that there are, by id."""
    found: dict[str, Referrer] = {}
    for some, marks in _parts(ids):
        rows = ledger.rows(f"SELECT * FROM referrers WHERE referrer IN ({marks})", some)
        found |= {row["referrer"]: Referrer(row["referrer"], row["name"], row["email"]) for row in rows}
    return found


def _parts(names: Iterable[str]) -> Iterator[tuple[list[str], str]]:
    """The names by so many as one statement takes, and the marks that stand for them."""
    rest = iter(sorted(set(names)))
    while some := list(islice(rest, _AT_ONCE)):
        yield some, ", ".join("?" * len(some))


def add_codes(ledger: Ledger, codes: Sequence[Code], referrers: Collection[Referrer], now: datetime) -> None:
    """Adds codes of which none was there before. `referrers` are those of their referrers who were not there either."""
    ledger.execute_many(
        "INSERT INTO referrers (referrer, name, email) VALUES (?, ?, ?)",
        [(referrer.id, referrer.name, referrer.email) for referrer in referrers],
    )
    enqueue_ids(ledger, Topic.TOTAL, [referrer.id for referrer in referrers])
    ledger.execute_many(
        "INSERT INTO programs (program, name) VALUES (?, ?) ON CONFLICT DO NOTHING",
        [(program, program) for program in sorted({code.program for code in codes})],
    )
    at = format_time(now)
    ledger.execute_many(
        "INSERT INTO codes (code_key, code, referrer, program, valid_from, valid_to, added_at) "
        "VALUES (?, ?, ?, ?, ?, ?, ?)",
        [
            (
                code.key,
                code.code,
                code.referrer,
                code.program,
                code.valid_from.isoformat() if code.valid_from else None,
                code.valid_to.isoformat() if code.valid_to else None,
                at,
            )
            for code in codes
        ],
    )
    add_code_definitions(ledger, [code.key for code in codes], now)
    codes_changed(ledger, [code.key for code in codes] if len(codes) <= MOST_SOUGHT else [""])
    known = referrers_named(ledger, {code.referrer for code in codes})
    for some, _ in _parts(referrer.email for referrer in known.values() if referrer.email):
        look_at_holders(ledger, some)
