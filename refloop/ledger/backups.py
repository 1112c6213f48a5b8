"""Verified copies of the ledger, and putting one back."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path

from refloop import log
from refloop.atomic_file import sync_folder
from refloop.errors import DataError, DiskError, LedgerError
from refloop.ledger.engine.files import give_second_name, make_private, play_journal_back, remove
from refloop.ledger.engine.opening import is_ledger_file
from refloop.ledger.record_rows import stored_hash_of
from refloop.ledger.store import Ledger, open_ledger

KEPT = 7
_STAMP = "%Y%m%dT%H%M%S.%fZ"
_NAME = f"{_STAMP}.db"
_LEFTOVER = re.compile(r"\.\d{8}T\d{6}\.\d{6}Z\.db\.arriving(-journal|-wal|-shm|\.seal)?")
_MOST_FAULTS = 20
_NAMED = 3
_NO_BACKUP = (
    "The ledger is as it was: `refloop ledger verify` tells whether it is sound. docs/operations.md says what to do "
    "where it is not and there is no backup."
)
_LEAP = 1_000_000
"""How far the position of a ledger that was put back jumps, so that no plan of the lost days fits it."""


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


def folder_of(path: Path) -> Path:
    """Where the backups of a ledger lie."""
    return path.with_name(path.name + ".backups")


def all_backups_of(path: Path) -> list[Path]:
    """The backups of a ledger, the newest first, by when they say that they were made. What else lies in the folder is
    somebody else's: other names, links, folders."""
    folder = folder_of(path)
    if folder.is_symlink() or not folder.is_dir():
        return []
    dated = [(at, file) for file in folder.iterdir() if (at := made_at(file)) and _is_file(file)]
    return [file for _, file in sorted(dated, reverse=True)]


def backups_of(path: Path, now: datetime) -> list[Path]:
    """Those that are not of the future: a clock that was wrong once made them, and they are no news."""
    return [file for file in all_backups_of(path) if (made_at(file) or now) <= now]


def made_at(backup: Path) -> datetime | None:
    """When a backup was made, by its name; None for a name that refloop does not give."""
    try:
        at = datetime.strptime(backup.name, _NAME).replace(tzinfo=UTC)
    except ValueError:
        return None
    return at if at.strftime(_NAME) == backup.name else None


def leftovers_of(path: Path) -> list[Path]:
    """What a backup that was killed left: as large as a ledger, and as private."""
    folder = folder_of(path)
    if folder.is_symlink() or not folder.is_dir():
        return []
    return [file for file in folder.iterdir() if _LEFTOVER.fullmatch(file.name) and _is_file(file)]


def _is_file(path: Path) -> bool:
    return path.is_file() and not path.is_symlink()


def back_up(ledger: Ledger, now: datetime) -> Path:
    """Makes a verified, private copy, and keeps the newest seven.

    Raises DiskError when it cannot be written, LedgerError when the copy is damaged; the older ones stay then.
    """
    folder = folder_of(ledger.path)
    target = folder / f"{now.strftime(_STAMP)}.db"
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        _refuse_link(folder)
        for leftover in leftovers_of(ledger.path):
            leftover.unlink()
        with _arriving(target) as temporary, closing(Ledger(ledger.engine.copy_to(temporary), temporary)) as copy:
            _refuse_damaged(copy)
        for old in backups_of(ledger.path, now)[KEPT:]:
            old.unlink()
    except OSError as error:
        raise _no_backup(folder, error.strerror) from error
    except DiskError as error:
        raise _no_backup(folder, error.__cause__ or error.message) from error
    log.info("backup made", file=target.name)
    return target


def _refuse_link(folder: Path) -> None:
    if folder.is_symlink():
        raise DiskError(
            f"the backups' folder {folder} is a link",
            remedy="Whoever set it could have the ledger copied anywhere. Take the link away; backups lie on the disk "
            "of their ledger.",
        )


def _no_backup(folder: Path, reason: object) -> DiskError:
    return DiskError(
        f"cannot write a backup into {folder}: {reason}",
        remedy="Free or repair the disk, then run again. The ledger and its older backups are as they were.",
    )


def back_up_daily(ledger: Ledger, now: datetime) -> Path | None:
    """Makes the first backup of a day (UTC). Returns None when there is one already."""
    newest = next(map(made_at, backups_of(ledger.path, now)), None)
    if newest is not None and newest.date() == now.date():
        return None
    return back_up(ledger, now)


def backup_to_restore(path: Path, file: Path | None, now: datetime) -> Path:
    """The file that `restore` is to put in the place of the ledger `path`: the one that is named, by default the newest
    backup. Only looks.

    Raises DataError where there is none, or it is the ledger itself, and LedgerError where it is no ledger.
    """
    backups = backups_of(path, now)
    chosen = file or next(iter(backups), None)
    if chosen is None:
        raise DataError(f"there is no backup in {folder_of(path)}; nothing was changed", remedy=_NO_BACKUP)
    known = [other for other in backups if other != chosen]
    remedy = f"Backups are: {', '.join(map(str, known[:_NAMED]))}." if known else _NO_BACKUP
    try:
        if chosen.exists() and path.exists() and chosen.samefile(path):
            raise DataError(f"{chosen} is the ledger itself; nothing was changed", remedy=remedy)
        if not chosen.is_file():
            why = f"{chosen} is no file" if chosen.exists() else f"there is no backup {chosen}"
            raise DataError(f"{why}; nothing was changed", remedy=remedy)
        if not is_ledger_file(chosen):
            raise LedgerError(f"{chosen} is not a ledger; nothing was changed", remedy=remedy)
    except OSError as error:
        raise DataError(f"cannot read {chosen}: {error.strerror}; nothing was changed", remedy=remedy) from error
    return chosen


def restore(path: Path, backup: Path | None, now: datetime) -> tuple[Path, Path | None]:
    """Puts a backup (by default the newest) in the place of the ledger `path`, once it is verified. The caller holds
    the lock. Returns the backup, and where what was there before was moved to.

    Raises what `backup_to_restore` raises, LedgerError when it is damaged or of a newer refloop; DiskError. All leave
    what is there.
    """
    chosen = backup_to_restore(path, backup, now)
    play_journal_back(path)
    try:
        with _arriving(path, aside=path.with_name(f"{path.name}.replaced-{now.strftime(_STAMP)}")) as temporary:
            shutil.copyfile(chosen, temporary)
            _verify_and_leap(temporary)
    except LedgerError as error:
        reason = error.message.replace(str(arriving_at(path)), str(chosen))
        raise LedgerError(
            f"{reason}; nothing was changed", remedy="Name another backup, or none for the newest."
        ) from error
    except (OSError, DiskError) as error:
        reason = error.message if isinstance(error, DiskError) else str(error.strerror)
        raise DiskError(
            f"cannot put {chosen} in the place of {path}: {reason}",
            remedy="Free or repair the disk, then run again. Nothing was replaced.",
        ) from error
    aside = path.with_name(f"{path.name}.replaced-{now.strftime(_STAMP)}")
    return chosen, aside if aside.exists() else None


def _verify_and_leap(file: Path) -> None:
    with closing(open_ledger(file)) as copy:
        _refuse_damaged(copy)
        with copy.writing():
            copy.moved(_LEAP)


def set_aside(path: Path) -> list[Path]:
    """The ledgers that `restore` moved away."""
    return sorted(path.parent.glob(f"{path.name}.replaced-*"))


def _refuse_damaged(ledger: Ledger) -> None:
    fault = next(faults_of(ledger), None)
    if fault is not None:
        raise LedgerError(
            f"{ledger.path} is damaged: {fault}", remedy="See `refloop ledger verify`, `refloop ledger restore FILE`."
        )


@contextmanager
def _arriving(target: Path, aside: Path | None = None) -> Iterator[Path]:
    """A private file beside the target that takes its place in one step when all went well. What was there before
    gets the name `aside`, if there is one."""
    temporary = arriving_at(target)
    remove(temporary)
    make_private(temporary)
    try:
        yield temporary
        with temporary.open("rb") as file:
            os.fsync(file.fileno())
        if aside is not None and target.exists():
            give_second_name(target, aside)
        temporary.replace(target)
        sync_folder(target.parent)
    finally:
        remove(temporary)


def arriving_at(target: Path) -> Path:
    """Where a copy is made before it takes the place of `target`. Left there by a process that was killed."""
    return target.with_name(f".{target.name}.arriving")
