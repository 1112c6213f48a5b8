"""The ledger: one private SQLite file, an open and documented interface (docs/ledger.md)."""

from refloop.ledger.store import Ledger, open_ledger

__all__ = ["Ledger", "open_ledger"]
