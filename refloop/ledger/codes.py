"""Programs, referrers and codes: what the company hands out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from itertools import islice

from refloop.ledger.engine.base import Row
from refloop.ledger.history import add_code_definition
from refloop.ledger.queue import Topic, dequeue_all, enqueue, enqueue_ids, enqueue_selected, next_ids
from refloop.ledger.record_rows import texts_of
from refloop.ledger.store import Ledger, ref_of
from refloop.mapping.codes import reach_of
from refloop.mapping.rereading import MOST_SOUGHT, Rereading
from refloop.model import Code, Referrer, format_time

_AT_ONCE = 1000


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
    codes_changed(ledger, [code.key])
    _look_at_contacts(ledger, code.referrer)
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
    if known and known["email"] != email:
        look_at_holders(ledger, [known["email"], email])
    ledger.moved()
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


def codes_changed(ledger: Ledger, keys: Iterable[str]) -> None:
    """Remembers, in the transaction that changed codes, that what these may stand in is to be read again."""
    enqueue_ids(ledger, Topic.CODES, keys)
    ledger.moved()


def reread_if_codes_changed(ledger: Ledger) -> None:
    """Queues what `codes_changed` asked for. Costs nothing when it did not; of a few codes, one look at all texts."""
    keys = next_ids(ledger, Topic.CODES, MOST_SOUGHT + 1)
    if keys:
        with ledger.writing():
            # "": of an earlier refloop, which did not say which codes
            if "" in keys or len(keys) > MOST_SOUGHT or _reach_further(ledger, keys):
                reread_texts(ledger)
            else:
                _reread_texts_with(ledger, keys)
            dequeue_all(ledger, Topic.CODES)


RECORDS_WITH_TEXT = "SELECT connection, kind, id FROM records WHERE texts <> '{}' OR found <> '{}'"
"""The records that a code may stand on."""


def reread_texts(ledger: Ledger) -> None:
    """Queues every record that has text in which a code may stand."""
    enqueue_selected(ledger, Topic.MATCH, RECORDS_WITH_TEXT)
    ledger.moved()


def _reach_further(ledger: Ledger, keys: Sequence[str]) -> bool:
    """Whether words look like codes that did not before these codes were there."""
    all_keys = {row["code_key"] for row in ledger.rows("SELECT code_key FROM codes")}
    return reach_of(all_keys) != reach_of(all_keys.difference(keys))


def _reread_texts_with(ledger: Ledger, keys: Sequence[str]) -> None:
    """Queues the records that one of the codes may stand on, or that it came to before."""
    rereading = Rereading(keys)
    rows = ledger.rows("SELECT connection, kind, id, texts, found FROM records WHERE texts <> '{}' OR found <> '{}'")
    concerned = (ref_of(row) for row in rows if any(map(rereading.concerns, texts_of(row))))
    while some := list(islice(concerned, _AT_ONCE)):
        enqueue(ledger, Topic.MATCH, some)
    for key in keys:
        enqueue_selected(ledger, Topic.MATCH, RECORDS_WITH_CODE, (key,))
    ledger.moved()


RECORDS_WITH_CODE = "SELECT DISTINCT connection, kind, id FROM arrivals WHERE code_key = ?"
"""The records that a code ever came to."""


def _look_at_contacts(ledger: Ledger, referrer: str) -> None:
    """Queues those who may be a referrer themselves, with their deals: who is their buyer depends on who hands out
    codes."""
    known = referrer_of(ledger, referrer)
    look_at_holders(ledger, [known.email if known else None])


def look_at_holders(ledger: Ledger, emails: Iterable[str | None]) -> None:
    """Queues the persons who carry one of the e-mail keys, and the deals they stand on."""
    found = [email for email in emails if email]
    marks = ", ".join("?" * len(found))
    holders = (
        f"SELECT connection, kind, id FROM records WHERE email IN ({marks}) AND kind <> 'deal' "
        f"UNION SELECT connection, kind, id FROM addresses WHERE email IN ({marks})"
    )
    deals = (
        f"SELECT l.{deal}_connection, l.{deal}_kind, l.{deal}_id FROM ({holders}) AS h ORDERED JOIN links l "
        f"ON l.{holder}_connection = h.connection AND l.{holder}_kind = h.kind AND l.{holder}_id = h.id "
        f"WHERE l.{deal}_kind = 'deal'"
        for deal, holder in (("source", "target"), ("target", "source"))
    )
    for names in (holders, *deals) if found else ():
        enqueue_selected(ledger, Topic.MATCH, names, (*found, *found))


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
