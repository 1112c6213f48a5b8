"""Where people see a record of an org in their browser, and what the addresses and ids name that they copy from
there."""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType

from refloop.connectors.salesforce.ids import PREFIXES, misspelled, record_id
from refloop.connectors.salesforce.names import OBJECTS
from refloop.mapping.meant import RecordName, link_parts
from refloop.model import Kind

_KINDS: Mapping[str, Kind] = MappingProxyType({PREFIXES[name]: kind for kind, name in OBJECTS.items()})
_ACCOUNT = PREFIXES["Account"]
_OURS = re.compile(r"(?:^|\.)(?:salesforce|force|cloudforce|salesforce-sites)\.(?:com|mil)(?::443)?$")
_TOKEN = re.compile(r"(?<![A-Za-z0-9])[A-Za-z0-9]{15}(?:[A-Za-z0-9]{3})?(?![A-Za-z0-9])")
_MY_DOMAIN = re.compile(
    r"(?P<org>.+?)(?P<place>\.sandbox|\.develop|\.scratch|\.trailblaze)?"
    r"\.(?:my\.salesforce|lightning\.force|my\.salesforce-setup)\.(?:com|mil)"
)
_APP = "salesforce1://"


def named(text: str, host: str) -> RecordName | None:
    """What an address of Salesforce's pages, or an id of 15 or 18 characters, names; None for what is neither. `host`:
    that of the org. Raises ValueError for an id whose check characters are wrong, and for an address without a record
    that is read.

    Addresses: `/lightning/r/Opportunity/006.../view`, `/one/one.app#/sObject/006.../view`, classic `/006...`, each with
    whatever follows; the app's `salesforce1://sObject/006.../view`; the API's own. An id says by its first three
    characters what it is one of, so the words around it are not read.
    """
    parts = link_parts(text)
    in_app = text.casefold().startswith(_APP)
    if not parts.host:
        return _named_by_id(text) if _TOKEN.fullmatch(text) else None
    if not (in_app or parts.host == host.casefold() or _OURS.search(parts.host)):
        return None
    # a console's address holds the tabs beside the record in its query: the path says what is looked at
    for place in (parts.path, parts.fragment, parts.query.replace("%2F", "/").replace("%2f", "/")):
        for token in _TOKEN.findall(place):
            if found := _named_by_id(token):
                return RecordName(found.id, found.kinds, found.is_company, elsewhere=_elsewhere(parts.host, host))
    raise ValueError("this Salesforce address leads to no lead, contact, opportunity or account")


def address_of(record: str, host: str) -> str:
    """Where people see a record of the org: an id alone leads there, in Lightning and in classic (Salesforce help,
    "Find Object Record IDs")."""
    return f"https://{host}/{record}"


def _named_by_id(text: str) -> RecordName | None:
    # of 18 characters the last three tell that the others are in the wrong case
    prefix = text[:3].upper() if len(text) == 18 else text[:3]
    kind = _KINDS.get(prefix)
    if kind is None and prefix != _ACCOUNT:
        return None
    try:
        whole = record_id(text)
    except ValueError:
        others = " or ".join(misspelled(text))
        raise ValueError(
            f"{text} is not the id of a record: its last three characters check the case of the others, and do not fit"
            f" (was {others} meant?)"
        ) from None
    return RecordName(whole, frozenset([kind]) if kind else frozenset(), is_company=kind is None)


def _elsewhere(host: str, own: str) -> str:
    """The org that an address names, where it is not the connection's; "" where it is, or where the address names
    none, as one of an instance (`na139.salesforce.com`)."""
    theirs, ours = _MY_DOMAIN.fullmatch(host), _MY_DOMAIN.fullmatch(own.casefold())
    if theirs is None or ours is None or theirs["org"] == ours["org"]:
        return ""
    return host
