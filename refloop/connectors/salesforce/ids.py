"""Salesforce record ids: 18 characters, of which the last three check the case of the first fifteen."""

from __future__ import annotations

import re
from collections.abc import Mapping
from string import ascii_letters, digits
from types import MappingProxyType

_ID = re.compile(r"[A-Za-z0-9]{15}([A-Z0-5]{3})?")
_CHECK = "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"
_BITS = {ord(letter): "01"[letter.isupper()] for letter in ascii_letters + digits}

PREFIXES: Mapping[str, str] = MappingProxyType(
    {"Lead": "00Q", "Contact": "003", "Opportunity": "006", "OpportunityContactRole": "00K", "Account": "001"}
)
"""With what the ids of an object begin, in every org (Salesforce help, "Standard Field Record ID Prefix Decoder")."""


def id_of(name: str, text: object) -> str:
    """`record_id`, of a row of that object. Raises ValueError also for an id that is one of another object."""
    whole = record_id(text)
    if not whole.startswith(PREFIXES.get(name, "")):
        raise ValueError(f"not the id of a record of {name}")
    return whole


def record_id(text: object) -> str:
    """The 18-character form of a 15- or 18-character id.

    Raises ValueError for anything else, a wrong check suffix included. (Salesforce docs: each suffix
    character stands for five characters of the id; bit n is set where character n is an upper-case letter.)
    """
    if not isinstance(text, str) or not _ID.fullmatch(text):
        raise ValueError("not a Salesforce id")
    whole = text[:15] + _suffix(text[:15])
    if len(text) == 18 and text != whole:
        raise ValueError("not a Salesforce id: its check characters are wrong")
    return whole


def _suffix(id15: str) -> str:
    bits = id15.translate(_BITS)
    return "".join(_CHECK[int(five[::-1], 2)] for five in (bits[:5], bits[5:10], bits[10:]))


def misspelled(text: str) -> tuple[str, ...]:
    """The ids that one of 18 characters whose check characters are wrong may be: as its first 15 stand, and as its last
    three say that they should be written (whoever lower-cased it lost that, and the last three bring it back)."""
    as_it_stands = text[:15] + _suffix(text[:15])
    said = text[15:].upper()
    if any(letter not in _CHECK for letter in said):
        return (as_it_stands,)
    bits = [_CHECK.index(letter) >> place & 1 for letter in said for place in range(5)]
    cased = "".join(letter.upper() if upper else letter.lower() for letter, upper in zip(text[:15], bits, strict=True))
    return tuple(dict.fromkeys((as_it_stands, cased + said))) if _suffix(cased) == said else (as_it_stands,)
