"""A local HubSpot: the CRM's API on loopback, as its documentation and other people's recordings describe it."""

from refloop_sandbox.hubspot.limits import Allowance
from refloop_sandbox.hubspot.local import LocalHubSpot
from refloop_sandbox.hubspot.portal import Quirks

__all__ = ["Allowance", "LocalHubSpot", "Quirks"]
