"""The contract of `refloop.connectors.base.Connector`, as tests that do not know which CRM they test."""

from __future__ import annotations

from refloop.testing.contract_more import MoreContract
from refloop.testing.contract_pull import PullContract
from refloop.testing.contract_push import PushContract
from refloop.testing.contract_setup import SetupContract


class ConnectorContract(SetupContract, PullContract, PushContract, MoreContract):
    """Subclass it as `Test...` and give a fixture `world` that yields a new `World` for each test."""
