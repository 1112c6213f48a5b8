"""Reading the ledger for people, a topic a file: frozen values, of which report/ makes text, JSON and metrics.

Whoever reads for people needs nothing else of the ledger: here is all the SQL, and nothing here writes.
"""

from refloop.ledger.store import Ledger

__all__ = ["Ledger"]
