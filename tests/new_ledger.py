"""A new ledger for a test that is not about how ledgers are made: a copy of one, with an identity of its own."""

from __future__ import annotations

import tempfile
import uuid
from functools import cache
from pathlib import Path

from refloop.ledger import Ledger, open_ledger


@cache
def _blank() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "refloop.db"
        open_ledger(path).close()
        return path.read_bytes()


def new_ledger(path: Path) -> Ledger:
    """As `open_ledger` makes it where there is none. The migrations, table by table, cost as much as a sync."""
    path.touch(mode=0o600, exist_ok=False)
    path.write_bytes(_blank())
    ledger = open_ledger(path)
    with ledger.writing():
        ledger.execute("UPDATE meta SET value = ? WHERE key = 'ledger'", [str(uuid.uuid4())])
    return ledger
