"""Who works on the ledger, and its newest backup."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from refloop.ledger.backups import backups_of, made_at
from refloop.ledger.lease import Holder, holder_of
from refloop.ledger.store import Ledger

__all__ = ["Backup", "Holder", "newest_backup", "worker"]


@dataclass(frozen=True, slots=True)
class Backup:
    """A backup, which was verified before it got its name."""

    file: Path
    at: datetime | None


def newest_backup(ledger: Ledger, now: datetime) -> Backup | None:
    """The newest one, or None."""
    newest = next(iter(backups_of(ledger.path, now)), None)
    return Backup(newest, made_at(newest)) if newest else None


def worker(ledger: Ledger) -> Holder | None:
    """Who holds the ledger and has not handed it back."""
    holder = holder_of(ledger)
    return holder if holder and holder.expires_at is not None else None
