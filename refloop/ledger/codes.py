"""Programs, referrers and codes: what the company hands out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum

from refloop.ledger.engine.base import Row
from refloop.ledger.history import add_code_definition
from refloop.ledger.queue import Topic, dequeue_ids, enqueue_ids, enqueue_selected, next_ids
from refloop.ledger.store import Ledger
from refloop.model import Code, Referrer, format_time


class Kept(StrEnum):
    """What became of a row that was added or imported."""

    NEW = "new"
    CHANGED = "changed"
    UNCHANGED = "unchanged"


@dataclass(frozen=True, slots=True)
class CodeTaken(Exception):  # noqa: N818 - a fact about one row, turned into a line of the import's report
    """The code belongs to another referrer or program already."""

    code: str
    referrer: str
    program: str


def keep_code(ledger: Ledger, code: Code, referrer: Referrer, now: datetime) -> Kept:
    """Adds a code, its referrer and its program; or updates dates and spelling of a known one.

    Raises CodeTaken when the code is somebody else's: history would change hands silently.
    """
    known = ledger.one("SELECT * FROM codes WHERE code_key = ?", (code.key,))
    if known and (known["referrer"], known["program"]) != (code.referrer, code.program):
        raise CodeTaken(known["code"], known["referrer"], known["program"])
    changed = _keep_referrer(ledger, referrer)
    ledger.execute(
        "INSERT INTO programs (program, name) VALUES (?, ?) ON CONFLICT DO NOTHING", (code.program, code.program)
    )
    row = {
        "code_key": code.key,
        "code": code.code,
        "referrer": code.referrer,
        "program": code.program,
        "valid_from": code.valid_from.isoformat() if code.valid_from else None,
        "valid_to": code.valid_to.isoformat() if code.valid_to else None,
    }
    if known and all(known[key] == value for key, value in row.items()):
        if changed:
            codes_changed(ledger)
        return Kept.CHANGED if changed else Kept.UNCHANGED
    added_at = known["added_at"] if known else format_time(now)
    ledger.execute(
        "INSERT INTO codes (code_key, code, referrer, program, valid_from, valid_to, added_at) "
        "VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (code_key) DO UPDATE SET code = excluded.code, "
        "referrer = excluded.referrer, program = excluded.program, valid_from = excluded.valid_from, "
        "valid_to = excluded.valid_to, added_at = excluded.added_at",
        (*row.values(), added_at),
    )
    add_code_definition(ledger, code.key, now)
    codes_changed(ledger)
    return Kept.CHANGED if known else Kept.NEW


def _keep_referrer(ledger: Ledger, referrer: Referrer) -> bool:
    """Adds a referrer, or fills in what is new about a known one. True when anything was new."""
    known = ledger.one("SELECT * FROM referrers WHERE referrer = ?", (referrer.id,))
    name = referrer.name or (known["name"] if known else "")
    email = referrer.email or (known["email"] if known else None)
    if known and (known["name"], known["email"]) == (name, email):
        return False
    ledger.execute(
        "INSERT INTO referrers (referrer, name, email) VALUES (?, ?, ?) "
        "ON CONFLICT (referrer) DO UPDATE SET name = excluded.name, email = excluded.email",
        (referrer.id, name, email),
    )
    enqueue_ids(ledger, Topic.TOTAL, [referrer.id])
    # nobody refers themselves: whose address this is decides anew
    enqueue_selected(
        ledger,
        Topic.CLAIM,
        "SELECT m.connection, m.kind, m.id FROM referrals f ORDERED JOIN members m ON m.referral = f.referral "
        "WHERE f.referrer = ?",
        (referrer.id,),
    )
    return True


def codes_changed(ledger: Ledger) -> None:
    """Remembers, in the transaction that changed a code, that all text is to be read again."""
    enqueue_ids(ledger, Topic.CODES, [""])
    ledger.moved()


def reread_if_codes_changed(ledger: Ledger) -> None:
    """Queues what `codes_changed` asked for. Costs nothing when it did not."""
    if next_ids(ledger, Topic.CODES, 1):
        with ledger.writing():
            reread_texts(ledger)
            dequeue_ids(ledger, Topic.CODES, [""])


RECORDS_WITH_TEXT = "SELECT connection, kind, id FROM records WHERE texts <> '{}' OR found <> '{}'"
"""The records that a code may stand on."""


def reread_texts(ledger: Ledger) -> None:
    """Queues every record that has text in which a code may stand: call after the codes changed."""
    enqueue_selected(ledger, Topic.MATCH, RECORDS_WITH_TEXT)
    ledger.moved()


def codes(ledger: Ledger) -> Iterator[Code]:
    """All codes, in the order of their keys, streamed."""
    for row in ledger.rows("SELECT * FROM codes ORDER BY code_key"):
        yield code_from(row)


def code_from(row: Row) -> Code:
    """A row of `codes` as the value it was."""
    return Code(
        code=row["code"],
        key=row["code_key"],
        referrer=row["referrer"],
        program=row["program"],
        valid_from=date.fromisoformat(row["valid_from"]) if row["valid_from"] else None,
        valid_to=date.fromisoformat(row["valid_to"]) if row["valid_to"] else None,
    )


def referrer_of(ledger: Ledger, referrer: str) -> Referrer | None:
    """A referrer by id."""
    row = ledger.one("SELECT * FROM referrers WHERE referrer = ?", (referrer,))
    return Referrer(row["referrer"], row["name"], row["email"]) if row else None


def code_of(ledger: Ledger, key: str) -> Code | None:
    """A code by key."""
    row = ledger.one("SELECT * FROM codes WHERE code_key = ?", (key,))
    return code_from(row) if row else None
