"""A ledger in memory's own disk."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from refloop.ledger import Ledger
from tests.new_ledger import new_ledger

MEMORY_DISK = "/dev/shm" if Path("/dev/shm").is_dir() else None  # noqa: S108 - a folder of our own is made in it


@pytest.fixture
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(dir=MEMORY_DISK) as name:
        yield Path(name)


@pytest.fixture
def ledger(folder: Path) -> Iterator[Ledger]:
    opened = new_ledger(folder / "refloop.db")
    yield opened
    opened.close()
