"""For authors of connectors: the contract that every connector must pass, and a CRM in memory.

    class TestMyCrm(ConnectorContract):
        @pytest.fixture
        def world(self) -> Iterator[World]:
            with MyLocalCrm() as world:      # a `World`: your CRM, seen from inside
                yield world

Needs pytest, which refloop itself does not.
"""

import pytest

pytest.register_assert_rewrite(
    "refloop.testing.contract_setup",
    "refloop.testing.contract_pull",
    "refloop.testing.contract_push",
    "refloop.testing.contract_more",
    "refloop.testing.seen",
)

from refloop.testing.contract import ConnectorContract  # noqa: E402 - the asserts in it are rewritten first
from refloop.testing.memory import MemoryConnector, MemoryCrm, RecallingConnector  # noqa: E402 - as above
from refloop.testing.seen import Seen  # noqa: E402 - as above
from refloop.testing.world import Draft, World, contract_fields  # noqa: E402 - as above

__all__ = [
    "ConnectorContract",
    "Draft",
    "MemoryConnector",
    "MemoryCrm",
    "RecallingConnector",
    "Seen",
    "World",
    "contract_fields",
]
