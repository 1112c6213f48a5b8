"""What somebody means who names a thing: an address in a CRM, an id, an e-mail, a code, a name. Pure.

A text may mean several things at once; which of them there are stands in the ledger.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import islice, product
from typing import Protocol
from urllib.parse import parse_qsl, unquote, urlsplit

from refloop.mapping.codes import code_key
from refloop.mapping.people import email_key
from refloop.model import Kind

PERSONS = frozenset({Kind.LEAD, Kind.CONTACT})


class Thing(StrEnum):
    """What a word before a colon says that something is, beside a kind of record."""

    COMPANY = "company"
    CODE = "code"
    REFERRER = "referrer"
    REFERRAL = "referral"
    EMAIL = "email"


_KINDS: Mapping[str, frozenset[Kind]] = {
    **dict.fromkeys(("lead", "leads"), frozenset({Kind.LEAD})),
    **dict.fromkeys(("contact", "contacts"), frozenset({Kind.CONTACT})),
    **dict.fromkeys(("person", "people", "buyer", "customer"), PERSONS),
    **dict.fromkeys(("deal", "deals", "opportunity", "opportunities", "opp"), frozenset({Kind.DEAL})),
    "record": frozenset(Kind),
}
_THINGS: Mapping[str, Thing] = {
    **dict.fromkeys(("company", "companies", "account", "accounts", "organization", "organisation"), Thing.COMPANY),
    **dict.fromkeys(("code", "codes", "coupon", "voucher"), Thing.CODE),
    **dict.fromkeys(("referrer", "referrers", "advocate", "ambassador", "partner", "affiliate"), Thing.REFERRER),
    **dict.fromkeys(("referral", "referrals", "claim"), Thing.REFERRAL),
    **dict.fromkeys(("email", "e-mail", "mail", "mailto"), Thing.EMAIL),
}
"""The words that people use for kinds: both CRMs' own, and what referral programs call theirs."""

_LONGEST = 2000
"""No address, name or code of a person is longer: what is, is cut."""


@dataclass(frozen=True, slots=True)
class RecordName:
    """A record, or (`is_company`) a company, as a CRM's own form names it. `kinds`: what it can be. `connection`: None
    where any is meant. `account`: the account's own id, where an address says it; `elsewhere`: that the address names
    another account than the connection's, and which; both "" where it does not."""

    id: str
    kinds: frozenset[Kind] = frozenset(Kind)
    is_company: bool = False
    connection: str | None = None
    account: str = ""
    elsewhere: str = ""


class Reader(Protocol):
    """What a connection's settings know of its CRM's addresses and ids."""

    def named(self, text: str, /) -> RecordName | None:
        """What an address or an id of this CRM names; None for a text that is neither. Raises ValueError, which says
        what is wrong, for an id that was cut or mistyped, and an address that leads to no record that is read."""
        ...


@dataclass(frozen=True, slots=True)
class Meant:
    """What a text may mean; empty: not that. `code` is the key of a code, `email` of an address. `words` is a name or
    the beginning of one: of a person, a deal, a company, a referrer. `kinds`: which records are meant, where one is
    named by `words` or `email`. `faults`: why an address or id in it is none."""

    records: tuple[RecordName, ...] = ()
    referral: str = ""
    email: str = ""
    code: str = ""
    referrer: str = ""
    words: str = ""
    company: str = ""
    kinds: frozenset[Kind] = frozenset(Kind)
    faults: tuple[str, ...] = ()


def meant_by(text: str, readers: Mapping[str, Reader], url_parameters: Collection[str] = ()) -> Iterator[Meant]:
    """What a text may mean, the more exact first: `opportunity:006...` before a deal that is called so. `readers`: of
    each connection, None where its connector reads no addresses. `url_parameters`: those that may carry a code."""
    text = _unwrapped(text)
    head, sign, tail = text.partition(":")
    if sign and tail.strip() and not tail.startswith("//"):
        yield from _said_to_be(head, tail.strip(), readers)
    word, _, rest = text.partition(" ")
    if rest.strip() and word.casefold() in (*_KINDS, *_THINGS):
        yield from _said_to_be(word, rest.strip(), readers)
    yield _anything(text, readers, url_parameters)


def _unwrapped(text: str) -> str:
    """Without what copying brings along: blanks, quotes, angle brackets, the full stop of a sentence."""
    text = " ".join(text[:_LONGEST].split()).strip("\"'`\u201c\u201d\u201e\u2018\u2019<>()[], ")
    return text.rstrip(".;") if "://" in text else text.rstrip(";")


def _said_to_be(head: str, tail: str, readers: Mapping[str, Reader]) -> Iterator[Meant]:
    """`kind:id`, `kind:name`, `connection:id`, `connection:kind:id`, `code:CODE`..."""
    word = head.strip().casefold()
    kinds, thing = _KINDS.get(word), _THINGS.get(word)
    if kinds:
        yield _of_kinds(tail, kinds, readers)
    elif thing:
        yield _of_thing(tail, thing, readers)
    else:
        connection = next((name for name in readers if name.casefold() == word), head.strip())
        middle, sign, end = tail.partition(":")
        said = _KINDS.get(middle.strip().casefold()) if sign and end.strip() else None
        if said or connection in readers:
            yield _in_connection(connection, end.strip() if said else tail, said or frozenset(Kind), readers)


def _in_connection(connection: str, name: str, kinds: frozenset[Kind], readers: Mapping[str, Reader]) -> Meant:
    own = {connection: readers[connection]} if connection in readers else {}
    found = _records(name, own)
    exact = RecordName(name, kinds, connection=connection)
    return replace(found, records=(*_limited(found.records, kinds), exact), kinds=kinds)


def _of_kinds(name: str, kinds: frozenset[Kind], readers: Mapping[str, Reader]) -> Meant:
    found = _records(name, readers)
    records = (*_limited(found.records, kinds), RecordName(name, kinds))
    return replace(found, records=records, kinds=kinds, email=_email(name), words=name)


def _limited(records: Sequence[RecordName], kinds: frozenset[Kind]) -> Iterator[RecordName]:
    for record in records:
        if not record.is_company and record.kinds & kinds:
            yield replace(record, kinds=record.kinds & kinds)


def _of_thing(name: str, thing: Thing, readers: Mapping[str, Reader]) -> Meant:
    if thing is Thing.COMPANY:
        found = _records(name, readers)
        companies = tuple(record for record in found.records if record.is_company)
        return Meant(records=(*companies, RecordName(name, is_company=True)), company=name)
    if thing is Thing.CODE:
        return Meant(code=code_key(name))
    if thing is Thing.REFERRER:
        return Meant(referrer=name)
    if thing is Thing.EMAIL:
        return Meant(email=_email(name), referrer=name)
    return Meant(referral=name)


def _anything(text: str, readers: Mapping[str, Reader], url_parameters: Collection[str]) -> Meant:
    found = _records(text, readers)
    if link_parts(text).host and ("://" in text or found.records or found.faults):
        # an address names nothing else, but the code that it carries
        return replace(found, code=_code_in_link(text, url_parameters))
    email = _email(text)
    if email:
        return Meant(email=email, referrer=text, faults=found.faults)
    return replace(
        found,
        records=(*found.records, RecordName(text)),
        referral=text if text.casefold().startswith("rf_") else "",
        code=code_key(text),
        referrer=text,
        words=text,
        company=text,
    )


def _records(text: str, readers: Mapping[str, Reader]) -> Meant:
    """What the connections' own forms make of a text."""
    records: list[RecordName] = []
    faults: list[str] = []
    for connection, reader in readers.items():
        try:
            name = reader.named(text)
        except ValueError as fault:
            faults.append(str(fault))
            continue
        if name is not None:
            records.append(replace(name, connection=connection))
    return Meant(records=tuple(records), faults=tuple(dict.fromkeys(faults)) if not records else ())


_IN_BRACKETS = re.compile(r"<([^<>]+@[^<>]+)>?$")


def _email(text: str) -> str:
    """The key of an address, also of one that stands as a mail shows it: `Kim Lee <kim@lumen.io>`."""
    shown = _IN_BRACKETS.search(text)
    return email_key(shown[1] if shown else text.removeprefix("mailto:")) or ""


def _code_in_link(link: str, url_parameters: Collection[str]) -> str:
    """The key of the code in a link that a referrer shares; "" where it has none."""
    names = {name.casefold() for name in url_parameters}
    pairs = parse_qsl(link_parts(link).query)
    return next((code_key(value) for name, value in pairs if name.casefold() in names and code_key(value)), "")


@dataclass(frozen=True, slots=True)
class LinkParts:
    """The parts of an address, percent signs taken out; all "" for what is none. `host` is in lower case, with its port
    where it has one."""

    host: str = ""
    path: str = ""
    query: str = ""
    fragment: str = ""


_ADDRESS = re.compile(r"(?:[a-z][a-z0-9+.-]*://|[\w-]+(?:\.[\w-]+)+(?::\d+)?[/?#])", re.IGNORECASE)


def link_parts(text: str) -> LinkParts:
    """An address as people copy it, also without its `https://`."""
    if not _ADDRESS.match(text):
        return LinkParts()
    try:
        parts = urlsplit(text if "://" in text else f"https://{text}")
    except ValueError:  # an open bracket where an IPv6 address may stand
        return LinkParts()
    host = parts.netloc.rpartition("@")[2].lower()
    return LinkParts(host, unquote(parts.path), parts.query, unquote(parts.fragment))


_MOST_SPELLINGS = 64
_FLAT = str.maketrans({"ø": "o", "ł": "l", "đ": "d", "ð": "d", "\u0131": "i"})
_VOWELS = frozenset("aeiouy")
_ENOUGH = 3
"""So many letters have to stand where they are typed: a pattern of fewer fits half of the world."""


def spellings(name: str) -> list[str]:
    """How a name may stand in a ledger whose database puts ASCII letters alone into lower case: ÖSTLUND and Östlund are
    "Östlund" and "östlund" there. All else that differs is for `pattern`. At most 64; none of no name."""
    if not name:
        return []
    lower = unicodedata.normalize("NFC", name).lower()
    either = [sorted({letter, letter.upper()} if len(letter.upper()) == 1 else {letter}) for letter in lower]
    choices = [choice if not letter.isascii() else [letter] for letter, choice in zip(lower, either, strict=True)]
    return ["".join(letters) for letters in islice(product(*choices), _MOST_SPELLINGS)]


def flat(name: str) -> str:
    """A name without case, accents and the marks of other alphabets: Goran and GÖRAN are one."""
    plain = unicodedata.normalize("NFKD", name.casefold().translate(_FLAT))
    return "".join(letter for letter in plain if not unicodedata.combining(letter))


def pattern(name: str) -> str | None:
    """A pattern for LIKE that finds a name anywhere in a text, whatever its accents: of what it finds, those are meant
    in whose `flat` form that of the name is. None for a name too short to look for so."""
    letters = [
        letter if letter.isascii() and (letter.isalnum() or letter == " ") else "_"
        for letter in unicodedata.normalize("NFC", name).lower()
    ]
    loose = ["_" if letter in _VOWELS else letter for letter in letters]
    for choice in (loose, letters):
        if sum(letter.isalnum() for letter in choice) >= _ENOUGH:
            return f"%{''.join(choice)}%"
    return None
