"""What both CRMs have, under one name."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """What a record is. HubSpot has no leads here: it calls them contacts."""

    LEAD = "lead"
    CONTACT = "contact"
    DEAL = "deal"


class Outcome(StrEnum):
    """How a deal stands."""

    OPEN = "open"
    WON = "won"
    LOST = "lost"


@dataclass(frozen=True, slots=True, order=True)
class Ref:
    """The name of a record: in which CRM (`salesforce` or `hubspot`), of which kind, under which id."""

    crm: str
    kind: Kind
    id: str
