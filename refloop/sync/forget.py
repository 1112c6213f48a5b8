"""Forgetting a person: who they are in the ledger, and what a pull may bring of them afterwards."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from refloop.errors import DataError
from refloop.ledger.backups import backing_up, make_backup
from refloop.ledger.forget import Forgotten, addresses, bare, erase, is_anywhere, scrub, submitted_with
from refloop.ledger.identity import buyers, holders_of
from refloop.ledger.records import record_of, records_of
from refloop.ledger.store import Ledger
from refloop.mapping.people import email_key, is_shared_mailbox
from refloop.model import Kind, Page, Record, Ref
from refloop.nearest import nearest_address
from refloop.sync.context import RunContext

_ADDRESS = re.compile(r"[^\s@<>()\[\],;:\\\"/?&=#']{1,64}@[\w.-]{1,253}")


@dataclass(frozen=True)
class Person:
    """A person as the ledger knows them: the keys of their e-mails, their records, and how many referrals were
    submitted for them."""

    emails: frozenset[str]
    refs: frozenset[Ref]
    submitted: int = 0


class UnknownPerson(DataError):  # noqa: N818 - named by the situation, as what it is one of
    """Nobody has this address. `nearest`: one that somebody has, a few keystrokes away; a person's, so no part of the
    message."""

    def __init__(self, nearest: str | None) -> None:
        super().__init__(
            "the ledger knows nobody with this address; nothing was changed",
            remedy="Name a person by e-mail address, or by the connection:kind:id of a lead or contact.",
        )
        self.nearest = nearest


@dataclass(frozen=True)
class Erased:
    """What was erased: rows by table, and the files that were deleted, because they may hold the person as well."""

    counts: Mapping[str, int]
    deleted: tuple[Path, ...]
    backup: Path


def person_of(context: RunContext, name: str) -> Person:
    """The person that an e-mail address or a record (connection:kind:id) names, with all records that are the same
    buyer: converted, merged, or with the same address.

    Raises DataError for what is neither, and for a record that was never seen or is nobody's; UnknownPerson for an
    address that stands nowhere in the ledger. One that was forgotten is known: forgetting may have been cut short.
    """
    ledger, most = context.ledger, context.policy.claim.most_records_of_one_person
    email = email_key(name)
    if email is None:
        return _counted(ledger, _buyer(ledger, most, [_person_record(ledger, _ref(name))], frozenset()))
    holders = holders_of(ledger, email)
    if not holders and not is_anywhere(ledger, email):
        raise UnknownPerson(nearest_address(email, addresses(ledger)))
    if is_shared_mailbox(email):  # its records are several people's: what else they have is their own
        return _counted(ledger, Person(frozenset([email]), frozenset(holders)))
    return _counted(ledger, _buyer(ledger, most, holders, frozenset([email])))


def _counted(ledger: Ledger, person: Person) -> Person:
    return replace(person, submitted=sum(submitted_with(ledger, email) for email in person.emails))


def _buyer(ledger: Ledger, most: int, seeds: Collection[Ref], named: frozenset[str]) -> Person:
    refs = frozenset(seeds).union(*buyers(ledger, seeds, is_shared_mailbox, most))
    found = {email for record in records_of(ledger, refs) for email in record.addresses if email_key(email)}
    return Person(named.union(email for email in found if not is_shared_mailbox(email)), refs)


def _person_record(ledger: Ledger, ref: Ref) -> Ref:
    record = record_of(ledger, ref)
    if record is None or ref.kind is Kind.DEAL:
        raise DataError(
            f"{ref} is a deal, not a person" if record else f"the ledger knows no record {ref}",
            remedy="Name a person by e-mail address, or by the connection:kind:id of a lead or contact.",
        )
    return ref


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
    with backing_up(ledger.path, wait=True):  # one that began before would still hold them
        counts = erase(ledger, person.emails, person.refs, one_person, now)
        deleted = scrub(ledger)
        return Erased(Counter(counts), tuple(deleted), make_backup(ledger, now))


def without_forgotten(page: Page, forgotten: Forgotten) -> Page:
    """The page, whose e-mails are keys already, without what tells of people who were forgotten."""
    if not forgotten.anyone:
        return page
    return replace(page, records=tuple(_without(record, forgotten) for record in page.records))


def _without(record: Record, forgotten: Forgotten) -> Record:
    others = forgotten.emails(record.addresses)
    own = [email for email in record.addresses if email in others and not is_shared_mailbox(email)]
    if record.ref.kind is not Kind.DEAL and (own or record.email in others or forgotten.refs([record.ref])):
        record = bare(record, forgotten.pseudonym(own[0]) if own else None)
    return replace(
        record,
        emails=tuple(email for email in record.emails if email not in others),
        title=_swept(record.title, forgotten) if record.title else record.title,
        lost_reason=_swept(record.lost_reason, forgotten) if record.lost_reason else record.lost_reason,
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
