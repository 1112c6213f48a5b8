"""Whether the ledger is what was kept: all of it looked through, once a day and wherever there is a doubt."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from refloop import log
from refloop.errors import LedgerError
from refloop.ledger.record_rows import stored_hash_of
from refloop.ledger.store import Ledger

EVERY = timedelta(hours=25)
"""A daily backup looks all of it through as well: an hour more, and nothing is looked through twice."""

_MOST_FAULTS = 20


def faults_of(ledger: Ledger) -> Iterator[str]:
    """What is damaged: the database's own checks, and each record against the hash that was kept with it. At most
    twenty of each. Raises LedgerError where the file cannot even be read."""
    yield from ledger.engine.faults(_MOST_FAULTS)
    yield from _altered_records(ledger)


def _altered_records(ledger: Ledger) -> Iterator[str]:
    found = 0
    for row in ledger.rows("SELECT * FROM records"):
        if stored_hash_of(row) != row["hash"]:
            yield f"{row['connection']}:{row['kind']}:{row['id']} is not what was kept"
            found += 1
        if found == _MOST_FAULTS:
            return


def refuse_unsound(ledger: Ledger) -> None:
    """Looks all of it through. Raises LedgerError with the first fault."""
    fault = next(faults_of(ledger), None)
    if fault is not None:
        raise LedgerError(
            f"{ledger.path} is damaged: {fault}", remedy="See `refloop ledger verify`, `refloop ledger restore FILE`."
        )


def refuse_unproven(ledger: Ledger, now: datetime) -> None:
    """Looks all of it through where nobody did for a day, or where it is not as its last writer left it: after a crash,
    after a fault of the disk, when another program wrote to it. Raises LedgerError before anything is written."""
    last = ledger.engine.checked
    if last is not None and timedelta() <= now - last < EVERY:
        return
    log.info("ledger looked through", last=last.isoformat() if last else None)
    refuse_unsound(ledger)
    ledger.engine.was_checked(now)
