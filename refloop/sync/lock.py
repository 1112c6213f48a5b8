"""One run at a time: a file lock, which dies with its process, and a lease, which outlives one that stands still."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from refloop import log
from refloop.connectors.base import Clock
from refloop.errors import AnotherAtWork, DiskError, RefloopError
from refloop.ledger.engine.filesystem import refuse_network
from refloop.ledger.lease import Holder, Lease, holder_of
from refloop.ledger.soundness import refuse_unproven
from refloop.ledger.store import Ledger, open_ledger

_WAIT = "Wait for it to end; cron will come back by itself. `refloop unlock` shows who it is."


@contextmanager
def alone(ledger: Ledger, clock: Clock) -> Iterator[None]:
    """Holds the ledger for one run.

    Raises AnotherAtWork at once when another run holds it, LedgerError when it is damaged. A holder that was killed
    holds nothing; one that stands still is replaced once its lease has run out, and can write no more: whatever it
    tries raises LeaseLost.
    """
    lock = FileLock(f"{ledger.path}.lock", timeout=0, mode=0o600)
    locked = _locked(lock)
    lease = Lease(ledger, clock)
    try:
        if not locked:
            _refuse_unless_expired(ledger, clock)
        refuse_unproven(ledger, clock())
        lease.take(locked=locked)
        try:
            yield
        finally:
            with suppress(RefloopError):  # a full disk: what happened before is what to tell, and the lock goes anyway
                lease.hand_back()
            ledger.engine.rest()
    finally:
        lock.release()


@contextmanager
def locked_file(path: Path, clock: Clock) -> Iterator[None]:
    """Holds the file lock of a ledger that may not be readable. Raises AnotherAtWork when another run holds it,
    ConfigError where locks cannot be trusted."""
    refuse_network(path)
    lock = FileLock(f"{path}.lock", timeout=0, mode=0o600)
    if not _locked(lock):
        raise AnotherAtWork(f"another refloop is working on {path}", remedy=_WAIT)
    try:
        holder = _holder_at(path)
        if holder and holder.alive(clock()) and not holder.locked:
            raise AnotherAtWork(f"another refloop is working on {path} ({holder})", remedy=_WAIT)
        yield
    finally:
        lock.release()


def _holder_at(path: Path) -> Holder | None:
    """Who holds a ledger, as far as it can be read."""
    if not path.exists():
        return None
    with suppress(RefloopError), closing(open_ledger(path)) as ledger:
        return holder_of(ledger)
    return None


def _locked(lock: FileLock) -> bool:
    """Whether the lock was free. Raises DiskError where its file cannot be opened."""
    file = Path(lock.lock_file)
    try:
        if file.is_symlink() or (file.exists() and not file.is_file()):
            raise OSError(errno.EINVAL, "it is no regular file")
        lock.acquire()
    except Timeout:
        return False
    except OSError as error:
        raise DiskError(
            f"cannot open the lock file {file}: {error.strerror or error}",
            remedy="It is an empty file beside the ledger, which refloop makes itself. Take away what is there, or let "
            "refloop write in that folder.",
        ) from error
    return True


def _refuse_unless_expired(ledger: Ledger, clock: Clock) -> None:
    holder = holder_of(ledger)
    if holder is None or not holder.expired(clock()):
        log.warning("lock busy", pid=holder.pid if holder else None)
        who = f" ({holder})" if holder and holder.expires_at else ""
        raise AnotherAtWork(f"another refloop is working on {ledger.path}{who}", remedy=_WAIT)
