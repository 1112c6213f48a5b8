"""What there is of that which somebody may mean: records, companies, codes, referrers, referrals.

Each question is answered out of an index; that after a part of a name goes through one, and is asked last.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice

from refloop.ledger.codes import code_from
from refloop.ledger.engine.base import Row
from refloop.ledger.record_rows import record_from
from refloop.ledger.records import record_of
from refloop.ledger.store import Ledger, ref_of
from refloop.mapping.codes import CodeBook, edits, folds_of
from refloop.mapping.meant import Meant, RecordName, flat, pattern, spellings
from refloop.model import Code, Kind, Record, Ref, Referrer

MOST = 20
"""So many of a kind are listed."""

_LAST = "\U0010ffff"
_MARKS = 500
_LOOKED_AT = 20_000
_OF_ONE_NAME = 200
"""So many records of one name are looked at: enough to see whose they are."""
_LONGEST_NEAR = 60
_LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789"


@dataclass(frozen=True, slots=True)
class Company:
    """A company: an account of one CRM, or (no `account`) the persons of any CRM that carry its `name`."""

    name: str
    connection: str = ""
    account: str = ""


@dataclass(frozen=True, slots=True)
class Hits:
    """What was found, of each kind in order and at most `MOST`. `more`: that there are more than these."""

    records: tuple[Record, ...] = ()
    companies: tuple[Company, ...] = ()
    codes: tuple[Code, ...] = ()
    referrers: tuple[Referrer, ...] = ()
    referrals: tuple[str, ...] = ()
    more: bool = False

    def __len__(self) -> int:
        return sum(map(len, (self.records, self.companies, self.codes, self.referrers, self.referrals)))


@dataclass(slots=True)
class _Found:
    """What was found so far, each thing once."""

    records: dict[Ref, Record] = field(default_factory=dict)
    companies: dict[Company, None] = field(default_factory=dict)
    codes: tuple[Code, ...] = ()
    referrers: dict[str, Referrer] = field(default_factory=dict)
    referrals: tuple[str, ...] = ()

    def add_records(self, records: Iterable[Record]) -> None:
        for record in records:
            self.records.setdefault(record.ref, record)

    def add_referrers(self, referrers: Iterable[Referrer]) -> None:
        for referrer in referrers:
            self.referrers.setdefault(referrer.id, referrer)

    def hits(self) -> Hits:
        referrers = tuple(self.referrers.values())
        own = {referrer.email for referrer in referrers if referrer.email}
        # who is a referrer is told with their own contacts
        records = [record for record in self.records.values() if own.isdisjoint(record.addresses)]
        lists = (records, self.companies, self.codes, referrers, self.referrals)
        return Hits(
            tuple(records[:MOST]),
            tuple(self.companies)[:MOST],
            self.codes[:MOST],
            referrers[:MOST],
            self.referrals[:MOST],
            more=any(len(found) > MOST for found in lists),
        )


def find(ledger: Ledger, meant: Meant, connections: Collection[str]) -> Hits:
    """All that a text may mean exactly; where there is nothing, what is called so in its beginning; else what has it
    somewhere in its name. `connections`: those that a record without one may be of."""
    found = _Found(codes=tuple(_codes(ledger, meant.code)), referrals=tuple(_referrals(ledger, meant)))
    found.add_records(_seen(ledger, [ref for name in meant.records for ref in _refs(name, connections)]))
    named = bool(found.records)
    found.add_records(_seen(ledger, _with_email(ledger, meant)))
    for name in meant.records:
        if company := _account(ledger, name, connections):
            found.companies[company] = None
    found.add_referrers(_referrers(ledger, meant))
    for look in (_exactly, _beginning, _anywhere):
        if not named:
            look(ledger, meant, found)
        if hits := found.hits():
            return hits
    return Hits()


def _refs(name: RecordName, connections: Collection[str]) -> Iterator[Ref]:
    if not name.is_company:
        for connection in [name.connection] if name.connection else connections:
            yield from (Ref(connection, kind, name.id) for kind in Kind if kind in name.kinds)


def _seen(ledger: Ledger, refs: Iterable[Ref]) -> list[Record]:
    """Those of the records that were ever seen."""
    return [record for ref in refs if (record := record_of(ledger, ref))]


def _with_email(ledger: Ledger, meant: Meant) -> list[Ref]:
    """The records that carry an address, as their first or a further one."""
    if not meant.email:
        return []
    rows = ledger.rows(
        "SELECT connection, kind, id FROM records WHERE email = ? "
        "UNION SELECT connection, kind, id FROM addresses WHERE email = ? ORDER BY 1, 2, 3 LIMIT ?",
        (meant.email, meant.email, MOST + 1),
    )
    return [ref for row in rows if (ref := ref_of(row)).kind in meant.kinds]


def _codes(ledger: Ledger, key: str) -> list[Code]:
    """The code of a key, else those that cannot be told from it when they are copied by hand."""
    if not key:
        return []
    book = CodeBook(_with_keys(ledger, folds_of(key)))
    exact = book.get(key)
    return [exact] if exact else [code for other in book.alike(key) if (code := book.get(other))]


def _with_keys(ledger: Ledger, keys: Iterable[str]) -> list[Code]:
    return [code_from(row) for row in _in(ledger, "SELECT * FROM codes WHERE code_key", keys)]


def _in(ledger: Ledger, sql: str, values: Iterable[str]) -> Iterator[Row]:
    """The rows of a query that ends in a column which has one of many values, a batch of them at a time."""
    left = iter(dict.fromkeys(values))
    while some := list(islice(left, _MARKS)):
        yield from ledger.rows(f"{sql} IN ({', '.join('?' * len(some))}) LIMIT {MOST}", some)


def _referrals(ledger: Ledger, meant: Meant) -> list[str]:
    """The referrals of an id, or that begin so; those that were submitted for an address that no record carries yet are
    among those of the address."""
    found: list[str] = []
    if meant.referral:
        begin = meant.referral.casefold()
        rows = ledger.rows(
            "SELECT referral FROM referrals WHERE referral >= ? AND referral < ? ORDER BY 1 LIMIT ?",
            (begin, begin + _LAST, MOST + 1),
        )
        found = [row["referral"] for row in rows]
    if meant.email:
        rows = ledger.rows(
            "SELECT f.referral FROM referrals f WHERE f.email = ? "
            "AND NOT EXISTS (SELECT 1 FROM members m WHERE m.referral = f.referral) ORDER BY 1 LIMIT ?",
            (meant.email, MOST + 1),
        )
        found += [row["referral"] for row in rows]
    return found


def _referrers(ledger: Ledger, meant: Meant) -> list[Referrer]:
    """The referrers of an id, in any case, or of an address; none where another kind of thing is asked for."""
    ids = {meant.referrer, meant.referrer.lower(), meant.referrer.upper()} - {""}
    rows = [
        *_in(ledger, "SELECT * FROM referrers WHERE referrer", sorted(ids)),
        *(ledger.rows("SELECT * FROM referrers WHERE email = ?", (meant.email,)) if meant.email and ids else ()),
    ]
    return list(dict.fromkeys(map(_referrer, rows)))


def _referrer(row: Row) -> Referrer:
    return Referrer(row["referrer"], row["name"], row["email"])


def _account(ledger: Ledger, name: RecordName, connections: Collection[str]) -> Company | None:
    """The account of a CRM, where a record that was seen belongs to it; named as its persons' records name it."""
    if not name.is_company:
        return None
    for connection in [name.connection] if name.connection else connections:
        rows = ledger.rows(
            "SELECT kind, title FROM records WHERE account = ? AND connection = ? LIMIT ?",
            (name.id, connection, MOST + 1),
        )
        titles = [row["title"] if row["kind"] != Kind.DEAL.value else "" for row in rows]
        if titles:
            return Company(next(filter(None, titles), ""), connection, name.id)
    return None


def _exactly(ledger: Ledger, meant: Meant, found: _Found) -> None:
    """What is called so."""
    _called(ledger, meant, found, lambda column, name: (f"lower({column}) = ?", (name,)))


def _beginning(ledger: Ledger, meant: Meant, found: _Found) -> None:
    """What is called so in its beginning."""
    _called(
        ledger,
        meant,
        found,
        lambda column, name: (f"lower({column}) >= ? AND lower({column}) < ?", (name, name + _LAST)),
    )


def _called(
    ledger: Ledger, meant: Meant, found: _Found, condition: Callable[[str, str], tuple[str, tuple[str, ...]]]
) -> None:
    """What a condition on a name finds, for each spelling of it, in the order of names."""
    for name in spellings(meant.words):
        _add_people(meant, found, _records_where(ledger, "name", *condition("name", name)))
    for name in spellings(meant.words or meant.company):
        _add_titled(meant, found, _records_where(ledger, "title", *condition("title", name)))
    for name in spellings(meant.referrer):
        where, values = condition("name", name)
        rows = ledger.rows(f"SELECT * FROM referrers WHERE {where} ORDER BY lower(name) LIMIT ?", (*values, MOST + 1))
        found.add_referrers(map(_referrer, rows))


def _records_where(ledger: Ledger, column: str, where: str, values: tuple[str, ...]) -> list[Record]:
    rows = ledger.rows(
        f"SELECT * FROM records WHERE {where} AND {column} IS NOT NULL ORDER BY lower({column}) LIMIT ?",
        (*values, _OF_ONE_NAME),
    )
    return [record_from(row) for row in rows]


def _add_people(meant: Meant, found: _Found, records: Iterable[Record]) -> None:
    found.add_records(record for record in records if record.ref.kind in meant.kinds)


def _add_titled(meant: Meant, found: _Found, records: Iterable[Record]) -> None:
    """The title of a deal is what it is called, that of a person is their company."""
    known = {company.name.casefold() for company in found.companies}
    for record in records:
        if record.ref.kind is Kind.DEAL:
            if meant.words and Kind.DEAL in meant.kinds:
                found.add_records([record])
        elif meant.company and record.title and record.title.casefold() not in known:
            known.add(record.title.casefold())
            found.companies[Company(record.title)] = None


def _anywhere(ledger: Ledger, meant: Meant, found: _Found) -> None:
    """What has it somewhere in its name, whatever the accents. Goes through the names of all records, in the index that
    holds them and nothing else."""
    asked = meant.words or meant.company or meant.referrer
    like = pattern(asked)
    if like is None:
        return
    if meant.words:
        _add_people(meant, found, _having(ledger, "name", like, flat(asked)))
    if meant.words or meant.company:
        _add_titled(meant, found, _having(ledger, "title", like, flat(asked)))
    if meant.referrer:
        rows = ledger.rows(
            "SELECT referrer, name, email FROM referrers WHERE lower(name) LIKE ? LIMIT ?", (like, _LOOKED_AT)
        )
        named = (_referrer(row) for row in rows if flat(asked) in flat(row["name"]))
        found.add_referrers(islice(named, MOST + 1))


def _having(ledger: Ledger, column: str, like: str, asked: str) -> list[Record]:
    rows = ledger.rows(
        f"SELECT connection, kind, id, {column} AS called FROM records WHERE {column} IS NOT NULL "
        f"AND lower({column}) LIKE ? LIMIT ?",
        (like, _LOOKED_AT),
    )
    refs = islice((ref_of(row) for row in rows if asked in flat(row["called"])), _OF_ONE_NAME)
    return _seen(ledger, list(refs))


def nearest(ledger: Ledger, meant: Meant) -> list[str]:
    """What is one letter off: codes, e-mails, names; and addresses with the same part before the @. As people write
    them, at most `MOST`; nothing where there is nothing like it."""
    found: list[str] = []
    if meant.code:
        found += [code.code for code in _with_keys(ledger, _one_off(meant.code))]
    if meant.email:
        local = meant.email.partition("@")[0]
        rows = ledger.rows(
            "SELECT email FROM records WHERE email >= ? AND email < ? ORDER BY email LIMIT ?",
            (f"{local}@", f"{local}@{_LAST}", MOST),
        )
        found += [row["email"] for row in rows]
        found += _one_off_in(ledger, "records", "email", "email", meant.email)
    if meant.words:
        found += _one_off_in(ledger, "records", "name", "lower(name)", meant.words.lower())
        found += _one_off_in(ledger, "records", "title", "lower(title)", meant.words.lower())
    if meant.referrer:
        found += _one_off_in(ledger, "referrers", "name", "lower(name)", meant.referrer.lower())
        found += _one_off_in(ledger, "referrers", "referrer", "referrer", meant.referrer)
    return list(dict.fromkeys(found))[:MOST]


def _one_off(text: str) -> list[str]:
    return sorted(set(edits(text, _LETTERS))) if len(text) <= _LONGEST_NEAR else []


def _one_off_in(ledger: Ledger, table: str, column: str, key: str, text: str) -> list[str]:
    sql = f"SELECT {column} AS called FROM {table} WHERE {column} IS NOT NULL AND {key}"
    return [row["called"] for row in _in(ledger, sql, _one_off(text))]
