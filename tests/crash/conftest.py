"""Fixtures: a bench with two local CRMs."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from refloop_sandbox.hubspot import LocalHubSpot
from refloop_sandbox.salesforce import LocalSalesforce
from refloop_sandbox.server import Server
from tests.cli.conftest import NOON
from tests.crash.bench import SECRETS, Bench, Children
from tests.sync.loop import MEMORY_DISK


@contextmanager
def bench_of(children: Children) -> Iterator[Bench]:
    made: list[Bench] = []
    clock = lambda: made[0].now if made else NOON  # noqa: E731 - furnishing an org asks before there is a bench
    hubspot = LocalHubSpot(clock=clock, token=SECRETS["OFFICE_HS"])
    with (
        tempfile.TemporaryDirectory(dir=MEMORY_DISK) as folder,
        LocalSalesforce(clock=clock, client_secret=SECRETS["OFFICE_SF"]) as salesforce,
        Server(salesforce.app) as first,
        Server(hubspot.app) as second,
    ):
        made.append(Bench(Path(folder), salesforce, hubspot, (first.url, second.url), children))
        yield made[0]


@pytest.fixture(scope="session")
def children() -> Iterator[Children]:
    with closing(Children()) as made:
        yield made


@pytest.fixture
def bench(children: Children) -> Iterator[Bench]:
    with bench_of(children) as made:
        yield made
