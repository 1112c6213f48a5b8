"""The HubSpot connector."""

from refloop.connectors.hubspot.connector import HubSpot
from refloop.connectors.hubspot.settings import HubSpotSettings

__all__ = ["HubSpot", "HubSpotSettings"]
