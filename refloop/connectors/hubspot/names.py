"""What HubSpot calls our kinds, and what its record ids look like."""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType

from refloop.model import Kind

OBJECTS: Mapping[Kind, str] = MappingProxyType({Kind.CONTACT: "contacts", Kind.DEAL: "deals"})

_RECORD_ID = re.compile(r"[1-9][0-9]{0,18}")


def is_record_id(text: str) -> bool:
    """Whether `text` can be the id of a record: a natural number as HubSpot writes it."""
    return bool(_RECORD_ID.fullmatch(text))
