"""The rows of a table of codes that need not be looked at one by one: what they say is all new, or all known."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import datetime

from refloop.ledger.codes import Kept
from refloop.ledger.enrolling import add_codes, codes_named, referrers_named
from refloop.ledger.forget import Forgotten
from refloop.ledger.store import Ledger
from refloop.model import Code, Referrer
from refloop.sync.rows import BadRow, Enrolment, enrolment


def enrol_at_once(ledger: Ledger, now: datetime, rows: Mapping[int, Mapping[str, str]]) -> dict[int, Kept]:
    """Keeps those of the rows whose codes nothing else in the table or in the ledger has, and those that say nothing
    new. Returns what became of each; the rest, bad ones too, is to be looked at row by row.

    Rows of one referrer stay together: who they are may change from one to the next.
    """
    read = {number: row for number, cells in rows.items() if (row := _read(cells)) is not None}
    keys = Counter(code.key for row in read.values() for code in _codes(row))
    codes = codes_named(ledger, keys)
    referrers = referrers_named(ledger, {row.referrer.id for row in read.values()})
    forgotten = Forgotten(ledger)

    def verdict(row: Enrolment) -> Kept | None:
        referrer = referrers.get(row.referrer.id)
        if row.referrer.email and forgotten.emails([row.referrer.email]):
            return None
        if referrer is not None and _filled_in(referrer, row.referrer) != referrer:
            return None
        if any(keys[code.key] > 1 for code in _codes(row)):
            return None
        if all(code.key not in codes for code in _codes(row)):
            return None if any(map(_is_reversed, _codes(row))) else Kept.NEW
        known = row.advocate is None and _says_nothing_new(row, codes.get(row.code.key))
        return Kept.UNCHANGED if known else None

    verdicts = {number: verdict(row) for number, row in read.items()}
    one_by_one = {read[number].referrer.id for number, kept in verdicts.items() if kept is None}
    kept = {n: kept for n, kept in verdicts.items() if kept and read[n].referrer.id not in one_by_one}
    fresh = [read[number] for number, what in kept.items() if what is Kept.NEW]
    if fresh:
        add_codes(ledger, [code for row in fresh for code in _codes(row)], _new(fresh, referrers), now)
    return kept


def _read(cells: Mapping[str, str]) -> Enrolment | None:
    try:
        return enrolment(cells)
    except BadRow:
        return None


def _codes(row: Enrolment) -> tuple[Code, ...]:
    return (row.code, row.advocate) if row.advocate else (row.code,)


def _is_reversed(code: Code) -> bool:
    return bool(code.valid_from and code.valid_to and code.valid_to < code.valid_from)


def _says_nothing_new(row: Enrolment, known: Code | None) -> bool:
    said = {"code", "referrer", "program", "valid_from", "valid_to"} - row.unsaid
    return known is not None and all(getattr(row.code, name) == getattr(known, name) for name in said)


def _filled_in(known: Referrer, said: Referrer) -> Referrer:
    """A referrer with what a row says of them; what it leaves out stays."""
    return Referrer(known.id, said.name or known.name, said.email or known.email)


def _new(rows: Iterable[Enrolment], known: Mapping[str, Referrer]) -> list[Referrer]:
    """The referrers of the rows who were not known before, as all rows together say."""
    found: dict[str, Referrer] = {}
    for row in rows:
        if row.referrer.id not in known:
            found[row.referrer.id] = _filled_in(found.get(row.referrer.id, row.referrer), row.referrer)
    return list(found.values())
