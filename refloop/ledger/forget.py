"""Erasing a person: what tells who they are goes, what was decided stays, and it does not come back.

In the place of an e-mail address comes a keyed hash of it, so that records that were one buyer stay one, and every
referral, credit and total stays as it was. The key is the ledger's own, and never leaves it.
"""

from __future__ import annotations

import hashlib
import json
import re
import secrets
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from refloop.ledger.backups import all_backups_of, arriving_at, leftovers_of, set_aside
from refloop.ledger.queue import Topic, enqueue_selected
from refloop.ledger.record_rows import record_from
from refloop.ledger.records import put_record, records_of
from refloop.ledger.store import Ledger, ref_of
from refloop.model import Kind, Record, Ref, format_time

_KEY = "forget_key"
_ERASING = "erasing"
"""While this row of `meta` stands, the guards of the append-only tables let changes through. It is written and taken
away in the one transaction that erases."""
_PREFIX = "forgotten-"


class Forgotten:
    """Who was forgotten in a ledger, by keyed hash."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self.anyone = ledger.one("SELECT 1 FROM forgotten") is not None
        key = ledger.one("SELECT value FROM meta WHERE key = ?", (_KEY,))
        self._key = bytes.fromhex(key["value"]) if key else b""

    def pseudonym(self, email: str) -> str:
        """What stands in the place of an e-mail key: the same one for the same address, always."""
        return _PREFIX + self._digest(email)

    def emails(self, emails: Iterable[str]) -> set[str]:
        """Those of the e-mail keys that were forgotten."""
        return {email for email in emails if self._holds(email)} if self.anyone else set()

    def refs(self, refs: Iterable[Ref]) -> set[Ref]:
        """Those of the records that are a forgotten person's."""
        return {ref for ref in refs if self._holds(str(ref))} if self.anyone else set()

    def add(self, names: Iterable[str], now: datetime) -> None:
        """Remembers, by their hashes alone, e-mail keys and records that are forgotten from now on."""
        if not self._key:
            self._key = secrets.token_bytes(32)
            self._ledger.execute("INSERT INTO meta (key, value) VALUES (?, ?)", (_KEY, self._key.hex()))
        self._ledger.execute_many(
            "INSERT INTO forgotten (digest, at) VALUES (?, ?) ON CONFLICT DO NOTHING",
            [(self._digest(name), format_time(now)) for name in names],
        )
        self.anyone = True

    def _holds(self, name: str) -> bool:
        return self._ledger.one("SELECT 1 FROM forgotten WHERE digest = ?", (self._digest(name),)) is not None

    def _digest(self, name: str) -> str:
        return hashlib.blake2b(name.encode(errors="replace"), key=self._key, digest_size=16).hexdigest()


def bare(record: Record, pseudonym: str | None) -> Record:
    """A record without what tells whose it is: what a forgotten person's record is kept as."""
    title = record.title if record.ref.kind is Kind.DEAL else None
    return replace(record, email=pseudonym, title=title, texts={}, emails=(), name=None)


def erase(ledger: Ledger, emails: Collection[str], refs: Collection[Ref], keep: bool, now: datetime) -> Counter[str]:
    """Erases a person from every table, in one transaction. `emails`: their keys; `refs`: their records; `keep`: the
    addresses identify one person, whose records go on being one buyer.

    Returns how many of what were erased. What was erased is gone from the file only after `scrub`.
    """
    with ledger.writing():
        forgotten = Forgotten(ledger)
        forgotten.add([*emails, *map(str, refs)], now)
        return _erase(ledger, forgotten, emails, refs, keep)


def erase_gone(ledger: Ledger, forgotten: Forgotten, refs: Collection[Ref], now: datetime) -> Counter[str]:
    """Erases persons' records that their CRM erased, as `erase` does. An address that another record carries as well
    stays: there, it was not erased. None of them is refused when somebody brings it again: a CRM erases for other
    reasons than a person's wish, and a new referral must not be lost without a word."""
    with ledger.writing():
        carried = {email for record in records_of(ledger, refs) for email in record.addresses}
        emails = {email for email in carried if not is_pseudonym(email) and _only_on(ledger, email, refs)}
        forgotten.add(map(str, refs), now)
        return _erase(ledger, forgotten, emails, refs, keep=True, kept=carried - emails)


def _only_on(ledger: Ledger, email: str, refs: Collection[Ref]) -> bool:
    rows = ledger.rows(
        "SELECT connection, kind, id FROM records WHERE email = ? AND kind <> 'deal' "
        "UNION ALL SELECT connection, kind, id FROM addresses WHERE email = ?",
        (email, email),
    )
    return {ref_of(row) for row in rows} <= set(refs)


def _erase(
    ledger: Ledger,
    forgotten: Forgotten,
    emails: Collection[str],
    refs: Collection[Ref],
    keep: bool,
    *,
    kept: Collection[str] = (),
) -> Counter[str]:
    ledger.execute("INSERT INTO meta (key, value) VALUES (?, '1')", (_ERASING,))
    counts = Counter(records=_strip_records(ledger, forgotten, refs, emails if keep else (), kept))
    ledger.select(refs)
    mine = "(connection, kind, id) IN (SELECT connection, kind, id FROM selection)"
    counts["matches"] = ledger.execute(f"UPDATE matches SET evidence = '' WHERE evidence <> '' AND {mine}")
    ledger.execute(f"UPDATE arrivals SET evidence = '' WHERE evidence <> '' AND {mine}")
    # nothing is said any more about a code that was typed there
    enqueue_selected(ledger, Topic.PLAN, f"SELECT connection, kind, id FROM questions WHERE {mine}")
    counts["questions"] = ledger.execute(f"DELETE FROM questions WHERE {mine}")
    ledger.execute(f"DELETE FROM review_items WHERE {mine}")
    for email in emails:
        stand_in = forgotten.pseudonym(email) if keep else None
        counts["referrals"] += ledger.execute(
            "UPDATE referrals SET email = ?, note = '' WHERE email = ?", (stand_in, email)
        )
        ledger.execute("UPDATE claims SET email = ? WHERE email = ?", (stand_in, email))
        counts["referrers"] += _erase_referrers(ledger, email, stand_in)
        counts["other values"] += _sweep(ledger, email, forgotten.pseudonym(email))
        _hash_again(ledger, forgotten.pseudonym(email))
    ledger.execute("DELETE FROM meta WHERE key = ?", (_ERASING,))
    ledger.moved()
    return counts


def _strip_records(
    ledger: Ledger, forgotten: Forgotten, refs: Iterable[Ref], own: Collection[str], kept: Collection[str]
) -> int:
    done = 0
    for record in records_of(ledger, refs):
        email = record.email
        stand_in = forgotten.pseudonym(email) if email in own and email else None
        put_record(ledger, bare(record, email if is_pseudonym(email) or email in kept else stand_in))
        done += 1
    ledger.select(refs)
    ledger.execute("DELETE FROM addresses WHERE (connection, kind, id) IN (SELECT connection, kind, id FROM selection)")
    return done


def is_pseudonym(email: str | None) -> bool:
    """Whether this stands in the place of an address that was forgotten."""
    return email is not None and email.startswith(_PREFIX) and "@" not in email


def _erase_referrers(ledger: Ledger, email: str, stand_in: str | None) -> int:
    """Erases the referrers of an address, and queues the records on which they stand by name."""
    rows = ledger.rows(
        "UPDATE referrers SET email = ?, name = '' WHERE email = ? RETURNING referrer", (stand_in, email)
    )
    referrers = [row["referrer"] for row in rows]
    for referrer in referrers:
        for through in ("members", "current_credits"):
            enqueue_selected(
                ledger,
                Topic.PLAN,
                f"SELECT x.connection, x.kind, x.id FROM referrals f ORDERED JOIN {through} x "
                "ON x.referral = f.referral WHERE f.referrer = ?",
                (referrer,),
            )
    return len(referrers)


def is_anywhere(ledger: Ledger, email: str) -> bool:
    """Whether an address stands anywhere in the ledger, in whatever case and spelling, or was forgotten there."""
    if Forgotten(ledger).emails([email]):
        return True
    pattern, lower = _spellings(email)
    return ledger.engine.holds_text(lower, lambda text: pattern.search(text) is not None)


def addresses(ledger: Ledger) -> Iterator[str]:
    """All addresses of people that the ledger knows, streamed; some more than once."""
    for table in ("records", "addresses", "referrals", "referrers"):
        for row in ledger.rows(f"SELECT email FROM {table} WHERE email IS NOT NULL"):
            if not is_pseudonym(row["email"]):
                yield row["email"]


def submitted_with(ledger: Ledger, email: str) -> int:
    """How many referrals were submitted for an address."""
    row = ledger.one("SELECT count(*) AS n FROM referrals WHERE email = ? AND source = 'claim'", (email,))
    return int(row["n"]) if row else 0


def _sweep(ledger: Ledger, email: str, stand_in: str) -> int:
    """Replaces the address wherever else it stands, in whatever case and spelling: in other people's texts, in values
    that were written, in the ids of referrers who are named by it."""
    pattern, lower = _spellings(email)
    return ledger.engine.rewrite_texts(lower, lambda text: pattern.sub(stand_in, text))


def _spellings(email: str) -> tuple[re.Pattern[str], set[str]]:
    """What finds the address in a text, and the lower-case strings of which one stands wherever it does."""
    spellings = {email, _unicode(email), json.dumps(_unicode(email)).strip('"').casefold()}
    either = "|".join(map(re.escape, sorted(spellings, key=len, reverse=True)))
    # of a longer address, which is somebody else's, it is only a part
    pattern = re.compile(rf"(?<![\w.+-])(?:{either})(?![\w-]|\.\w)", re.IGNORECASE)
    return pattern, {spelling.lower() for spelling in spellings}


def _hash_again(ledger: Ledger, stand_in: str) -> None:
    """Other people's records in whose text it stood have another content now."""
    rows = list(
        ledger.rows(
            "SELECT * FROM records WHERE texts LIKE ? OR found LIKE ? OR title LIKE ? OR further LIKE ?",
            [f"%{stand_in}%"] * 4,
        )
    )
    for row in rows:
        put_record(ledger, record_from(row))


def _unicode(email: str) -> str:
    """The address as a person types it: `bo@müller.de` for `bo@xn--mller-kva.de`."""
    local, _, domain = email.partition("@")
    try:
        return f"{local}@{domain.encode('ascii').decode('idna')}"
    except UnicodeError:
        return email


def scrub(ledger: Ledger) -> list[Path]:
    """Writes the file anew without the free space in which something erased may still stand, and deletes the backups
    and the ledgers that were moved aside. Returns what was deleted."""
    ledger.check_lease()
    ledger.engine.compact()
    gone: Sequence[Path] = [
        *all_backups_of(ledger.path),
        *leftovers_of(ledger.path),
        *set_aside(ledger.path),
        *ledger.path.parent.glob(f"{arriving_at(ledger.path).name}*"),
    ]
    for path in gone:
        path.unlink()
    return list(gone)
