"""Forgetting a person: who they are in the ledger, and what a pull may bring of them afterwards."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from refloop.errors import DataError
from refloop.ledger.backups import back_up
from refloop.ledger.book import Ledger
from refloop.ledger.forget import Forgotten, bare, erase, scrub
from refloop.ledger.neighbours import holders_of
from refloop.ledger.records import record_of
from refloop.mapping.people import email_key, is_shared_mailbox
from refloop.model import Kind, Page, Record, Ref

_ADDRESS = re.compile(r"[^\s@<>()\[\],;:\\\"/?&=#']{1,64}@[\w.-]{1,253}")


@dataclass(frozen=True)
class Person:
    """A person as the ledger knows them: the keys of their e-mails, and their records."""

    emails: frozenset[str]
    refs: frozenset[Ref]


@dataclass(frozen=True)
class Erased:
    """What was erased: rows by table, and the files that were deleted, because they may hold the person as well."""

    counts: Mapping[str, int]
    deleted: tuple[Path, ...]
    backup: Path


def person_of(ledger: Ledger, name: str) -> Person:
    """The person that an e-mail address or a record (connection:kind:id) names.

    Raises DataError for what is neither, and for a record that was never seen or is nobody's.
    """
    email = email_key(name)
    if email is None:
        return _person_on(ledger, _ref(name))
    return Person(frozenset([email]), frozenset(holders_of(ledger, email)))


def _person_on(ledger: Ledger, ref: Ref) -> Person:
    record = record_of(ledger, ref)
    if record is None or ref.kind is Kind.DEAL:
        raise DataError(
            f"{ref} is a deal, not a person" if record else f"the ledger knows no record {ref}",
            remedy="Name a person by e-mail address, or by the connection:kind:id of a lead or contact.",
        )
    email = record.email if record.email and email_key(record.email) else None
    others = () if email is None or is_shared_mailbox(email) else holders_of(ledger, email)
    return Person(frozenset([email] if others and email else []), frozenset([ref, *others]))


def _ref(name: str) -> Ref:
    try:
        return Ref.parse(name)
    except ValueError:
        raise DataError(
            "this is neither an e-mail address nor a record", remedy="Write a record as connection:kind:id."
        ) from None


def forget(ledger: Ledger, person: Person, now: datetime) -> Erased:
    """Erases a person from the ledger and deletes its backups, which hold them too; a new backup takes their place.

    Referrals, credits and totals stay. Safe to repeat, and to be repeated when it was cut short.
    """
    one_person = not any(map(is_shared_mailbox, person.emails))
    counts = erase(ledger, person.emails, person.refs, one_person, now)
    deleted = scrub(ledger)
    return Erased(Counter(counts), tuple(deleted), back_up(ledger, now))


def without_forgotten(page: Page, forgotten: Forgotten) -> Page:
    """The page, whose e-mails are keys already, without what tells of people who were forgotten."""
    if not forgotten.anyone:
        return page
    return replace(page, records=tuple(_without(record, forgotten) for record in page.records))


def _without(record: Record, forgotten: Forgotten) -> Record:
    gone = bool(record.email and forgotten.emails([record.email]))
    if record.ref.kind is not Kind.DEAL and (gone or forgotten.refs([record.ref])):
        keep = gone and record.email and not is_shared_mailbox(record.email)
        record = bare(record, forgotten.pseudonym(record.email) if keep and record.email else None)
    return replace(
        record,
        title=_swept(record.title, forgotten) if record.title else record.title,
        texts={name: _swept(text, forgotten) for name, text in record.texts.items()},
        found={name: _swept(text, forgotten) for name, text in record.found.items()},
    )


def _swept(text: str, forgotten: Forgotten) -> str:
    """The text with a stand-in for each address that was forgotten."""
    if "@" not in text:
        return text

    def stand_in(match: re.Match[str]) -> str:
        email = email_key(match[0].strip("."))
        return forgotten.pseudonym(email) if email and forgotten.emails([email]) else match[0]

    return _ADDRESS.sub(stand_in, text)
