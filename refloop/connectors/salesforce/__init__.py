"""The Salesforce connector. Whoever wants its settings alone does not load what speaks to the CRM."""

from __future__ import annotations

from typing import TYPE_CHECKING

from refloop.connectors.salesforce.settings import SalesforceSettings

if TYPE_CHECKING:
    from refloop.connectors.salesforce.connector import Salesforce

__all__ = ["Salesforce", "SalesforceSettings"]


def __getattr__(name: str) -> object:
    if name != "Salesforce":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from refloop.connectors.salesforce.connector import Salesforce

    return Salesforce
