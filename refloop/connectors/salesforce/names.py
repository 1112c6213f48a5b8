"""What Salesforce calls our kinds and fields."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from types import MappingProxyType

from refloop.model import FieldSpec, Kind

OBJECTS: Mapping[Kind, str] = MappingProxyType({Kind.LEAD: "Lead", Kind.CONTACT: "Contact", Kind.DEAL: "Opportunity"})
ROLE = "OpportunityContactRole"
"""The edge between a deal and a contact; an edit of it does not touch the deal, so it is pulled by itself."""

DESCRIBED = (*OBJECTS.values(), ROLE)
"""The objects that are read, and described before."""

MAX_API_NAME = 40
_NAME = re.compile(r"[A-Za-z](?:[A-Za-z0-9]|_(?!_))*")
API_NAME = re.compile(rf"(?:{_NAME.pattern}__)?{_NAME.pattern}(?<!_)(?:__c)?")


def api_name(text: str) -> str:
    """`text`, when it can be the API name of a field (`Description`, `Ref_Code__c`, `ns__Ref_Code__c`).

    Raises ValueError otherwise. Names go into SOQL, so nothing else ever passes.
    """
    if not API_NAME.fullmatch(text):
        raise ValueError(f"not a Salesforce field name: {text!r}")
    return text


def crm_name(field: FieldSpec) -> str:
    """How our field is spelled in Salesforce: `ref_code` -> `Ref_Code__c`.

    Raises ValueError where Salesforce could not carry the name (40 characters at most).
    """
    return _spelled(field.name)


@lru_cache(maxsize=256)  # asked for each field of each row
def _spelled(ours: str) -> str:
    name = "_".join(part[:1].upper() + part[1:] for part in ours.split("_"))
    if not _NAME.fullmatch(name) or name.endswith("_") or len(name) > MAX_API_NAME:
        raise ValueError(f"Salesforce cannot name a field {ours!r}")
    return api_name(f"{name}__c")
