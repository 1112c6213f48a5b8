"""What is kept of one record at most: more than its CRM can hold, so that no answer fills the ledger. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from refloop.mapping.candidates import TEXT_LIMIT
from refloop.model import Link, Owner, Record

LONGEST_TEXT = TEXT_LIMIT
"""Characters of any text. What is behind them is not read, and not kept."""
LONGEST_ADDRESS = 320
"""Characters of an e-mail address (RFC 3696, erratum 1690). A longer one is none."""
MOST_OF_A_RECORD = 100
"""Further addresses, and stages that further fields tell. HubSpot's and Salesforce's own forms show a few."""
MOST_LABELS = 100
"""Of one link. HubSpot has fifty between two kinds (its docs, associations)."""

_TEXTS = ("title", "stage", "currency", "name", "account", "pipeline", "deal_type", "home_currency", "lost_reason")


def bounded(record: Record) -> Record:
    """The record itself where it is within the bounds, as almost all are; else what is kept of it."""
    cut: dict[str, object] = {
        name: text[:LONGEST_TEXT] for name in _TEXTS if (text := getattr(record, name)) and len(text) > LONGEST_TEXT
    }
    for name in ("texts", "found"):
        values: Mapping[str, str] = getattr(record, name)
        if any(len(text) > LONGEST_TEXT for text in values.values()):
            cut[name] = {field: text[:LONGEST_TEXT] for field, text in values.items()}
    if record.email and len(record.email) > LONGEST_ADDRESS:
        cut["email"] = None
    if len(record.emails) > MOST_OF_A_RECORD or any(len(email) > LONGEST_ADDRESS for email in record.emails):
        cut["emails"] = tuple(email for email in record.emails if len(email) <= LONGEST_ADDRESS)[:MOST_OF_A_RECORD]
    if len(record.further_stages) > MOST_OF_A_RECORD:
        cut["further_stages"] = record.further_stages[:MOST_OF_A_RECORD]
    if record.owner and len(record.owner.name) > LONGEST_TEXT:
        cut["owner"] = Owner(record.owner.id, record.owner.name[:LONGEST_TEXT])
    return replace(record, **cut) if cut else record  # type: ignore[arg-type]  # of the types that they were


def labels_of(link: Link) -> tuple[str, ...]:
    """Its labels, as many and as much of each as is kept."""
    return tuple(label[:LONGEST_TEXT] for label in link.labels[:MOST_LABELS])
