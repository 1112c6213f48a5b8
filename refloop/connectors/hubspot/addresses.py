"""Where people see a record of an account in their browser, and what the addresses and ids name that they copy from
there."""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType

from refloop.connectors.hubspot.names import is_record_id
from refloop.mapping.meant import RecordName, link_parts
from refloop.model import Kind

_TYPES: Mapping[Kind, str] = MappingProxyType({Kind.CONTACT: "0-1", Kind.DEAL: "0-3"})
"""HubSpot's own numbers of its objects, as they stand in addresses (HubSpot docs, "CRM object type IDs")."""

_KINDS: Mapping[str, Kind] = MappingProxyType(
    {
        **dict.fromkeys(("contact", "contacts", "0-1"), Kind.CONTACT),
        **dict.fromkeys(("deal", "deals", "0-3"), Kind.DEAL),
    }
)
_COMPANIES = ("company", "companies", "0-2")
_OURS = re.compile(r"(?:app(?:-[a-z0-9]+)?\.hubspot\.com|api(?:-[a-z0-9]+)?\.hubapi\.com)(?::443)?")
_RECORD = re.compile(
    rf"/({'|'.join(map(re.escape, sorted((*_KINDS, *_COMPANIES), key=len, reverse=True)))})/([1-9][0-9]{{0,18}})(?=/|$)"
)
_PORTAL = re.compile(r"/[a-z][a-z-]*/([1-9][0-9]*)(?=/)")  # contacts and sales, and whatever HubSpot names it next
_API = re.compile(r"api(?:-([a-z]{2}[0-9]{1,2}))?\.hubapi\.com")


def named(text: str, host: str) -> RecordName | None:
    """What an address of HubSpot's pages, or an id, names; None for what is neither. `host`: that of the connection.
    Raises ValueError for an address without a record that is read.

    Addresses: `/contacts/PORTAL/record/0-1/ID`, of older pages `/contacts/PORTAL/contact/ID`, `/sales/PORTAL/deal/ID`,
    each with whatever follows, on `app.hubspot.com` and that of any region; the API's own. An id alone does not say
    what it is one of.
    """
    parts = link_parts(text)
    if not parts.host:
        return RecordName(text, frozenset(_TYPES)) if is_record_id(text) else None
    if not (parts.host == host.casefold() or _OURS.fullmatch(parts.host)):
        return None
    portal = None if _API.match(parts.host) else _PORTAL.match(parts.path)
    found = _RECORD.search(parts.path, portal.end() if portal else 0)
    if found is None or not (portal or "/objects/" in parts.path):
        raise ValueError("this HubSpot address leads to no contact, deal or company")
    kind = _KINDS.get(found[1])
    return RecordName(
        found[2],
        frozenset([kind]) if kind else frozenset(),
        is_company=kind is None,
        account=portal[1] if portal else "",
    )


def address_of(kind: Kind, record: str, host: str, portal: str | None) -> str | None:
    """Where people see a record of the account; None where its portal is not known. HubSpot leads on from the newest
    form of its addresses to whatever page the account has for it."""
    api = _API.fullmatch(host)
    if portal is None or api is None or kind not in _TYPES:
        return None
    region = f"-{api[1]}" if api[1] else ""
    return f"https://app{region}.hubspot.com/contacts/{portal}/record/{_TYPES[kind]}/{record}"
