"""The connector contract, against the local Salesforce over HTTP."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from refloop.connectors.salesforce import bulk_query, named
from refloop.testing import ConnectorContract, World
from tests.connectors.salesforce.world import SECRET, SalesforceWorld


class TestSalesforce(ConnectorContract):
    @pytest.fixture
    def world(self, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
        monkeypatch.setenv("SF_SECRET", SECRET)
        monkeypatch.setenv("SF_WRONG", "wrong")
        monkeypatch.setattr(named, "MOST_IDS", 3)
        world = SalesforceWorld()
        yield world
        world.close()


class TestSalesforceWithAFieldForCodes(ConnectorContract):
    """Of a short text Salesforce keeps what it held; of a Description, that it changed."""

    @pytest.fixture
    def world(self, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
        monkeypatch.setenv("SF_SECRET", SECRET)
        monkeypatch.setenv("SF_WRONG", "wrong")
        world = SalesforceWorld(code_field="Heard_Of_Us__c")
        yield world
        world.close()


@pytest.mark.slow
class TestSalesforceConditionally(ConnectorContract):
    @pytest.fixture
    def world(self, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
        monkeypatch.setenv("SF_SECRET", SECRET)
        monkeypatch.setenv("SF_WRONG", "wrong")
        world = SalesforceWorld(conditional_writes="always")
        world.batch_size = 25
        yield world
        world.close()


class TestSalesforceByJobs(ConnectorContract):
    @pytest.fixture
    def world(self, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
        monkeypatch.setenv("SF_SECRET", SECRET)
        monkeypatch.setenv("SF_WRONG", "wrong")
        monkeypatch.setattr(bulk_query, "RESULT_PAGE", 2 * SalesforceWorld.page_size)
        monkeypatch.setattr(bulk_query, "PAGE", SalesforceWorld.page_size)
        world = SalesforceWorld(by_jobs=True)
        yield world
        world.close()
