"""The HubSpot connector. Whoever wants its settings alone does not load what speaks to the CRM."""

from __future__ import annotations

from typing import TYPE_CHECKING

from refloop.connectors.hubspot.settings import HubSpotSettings

if TYPE_CHECKING:
    from refloop.connectors.hubspot.connector import HubSpot

__all__ = ["HubSpot", "HubSpotSettings"]


def __getattr__(name: str) -> object:
    if name != "HubSpot":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from refloop.connectors.hubspot.connector import HubSpot

    return HubSpot
