"""When two records may be one person though nothing says that they are: the same name at the same company. Pure.

Never an identity: colleagues share names, and companies do. It is enough to ask, where money hangs on it.
"""

from __future__ import annotations

import re
import unicodedata

from refloop.mapping.vocabulary import words
from refloop.model import Record

_LEGAL_FORMS = words(
    "ab ag as bv co company corp corporation gmbh inc incorporated kft kg limited llc llp ltd mbh nv oy plc pty sa "
    "sarl sas sl spa srl ug"
)
_SEPARATORS = re.compile(r"[\W_]+")


def may_be_one_person(one: Record, other: Record) -> bool:
    """Whether two persons' records have the same name at the same company: the same account of one CRM, or companies of
    the same name."""
    name = name_key(one.name)
    return bool(name) and name == name_key(other.name) and _one_company(one, other)


def name_key(name: str | None) -> str:
    """The compared form of a person's name; "" for none, and for one of a single word, which is no whole name."""
    key = _key(name)
    return key if " " in key else ""


def company_key(title: str | None) -> str:
    """The compared form of a company's name, without its legal form; "" for none."""
    parts = _key(title).split()
    while len(parts) > 1 and parts[-1] in _LEGAL_FORMS:
        parts.pop()
    return " ".join(parts)


def _one_company(one: Record, other: Record) -> bool:
    if one.ref.connection == other.ref.connection and one.account and one.account == other.account:
        return True
    company = company_key(one.title)
    return bool(company) and company == company_key(other.title)


def _key(text: str | None) -> str:
    return _SEPARATORS.sub(" ", unicodedata.normalize("NFKC", text or "").casefold()).strip()
