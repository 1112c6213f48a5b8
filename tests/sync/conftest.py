"""Fixtures: a loop over CRMs in memory."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from refloop.ledger import Ledger
from refloop.testing import MemoryCrm
from tests import new_ledger as blank
from tests.sync.loop import MEMORY_DISK, Loop, assert_balanced


@pytest.fixture
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(dir=MEMORY_DISK) as name:
        yield Path(name)


@pytest.fixture
def loop(folder: Path) -> Iterator[Loop]:
    ledger = blank.new_ledger(folder / "refloop.db")
    made = Loop(ledger, {"sales": MemoryCrm("sales"), "marketing": MemoryCrm("marketing")})
    made.provision()
    yield made
    assert_balanced(made.ledger)
    made.ledger.close()


@pytest.fixture
def new_ledger(folder: Path) -> Iterator[Callable[[str], Ledger]]:
    opened: list[Ledger] = []

    def make(name: str) -> Ledger:
        opened.append(blank.new_ledger(folder / f"{name}.db"))
        return opened[-1]

    yield make
    for ledger in opened:
        ledger.close()
