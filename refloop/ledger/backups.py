"""Verified copies of the ledger, and putting one back."""

from __future__ import annotations

import fcntl
import os
import re
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

from refloop import log
from refloop.atomic_file import sync_folder
from refloop.errors import DataError, DiskError, LedgerBusy, LedgerError, TryLater
from refloop.ledger.engine.files import give_second_name, make_private, play_journal_back, remove
from refloop.ledger.engine.opening import is_ledger
from refloop.ledger.packing import head_of, pack, unpack
from refloop.ledger.soundness import refuse_unsound
from refloop.ledger.store import Ledger, open_ledger

NEWEST, WEEKS = 3, 4
"""So many are kept: the newest, and of those before the newest of a week, of so many weeks."""
_STAMP = "%Y%m%dT%H%M%S.%fZ"
_NAME = f"{_STAMP}.db.gz"
_PLAIN = f"{_STAMP}.db"
"""What an earlier refloop left, which did not compress; and a copy before it is compressed."""
_LEFTOVER = re.compile(r"\.\d{8}T\d{6}\.\d{6}Z\.db(\.gz)?\.arriving(-journal|-wal|-shm|\.seal)?")
_NAMED = 3
_NO_BACKUP = (
    "The ledger is as it was: `refloop ledger verify` tells whether it is sound. docs/operations.md says what to do "
    "where it is not and there is no backup."
)
_LEAP = 1_000_000
"""How far the position of a ledger that was put back jumps, so that no plan of the lost days fits it."""


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
    for form in (_NAME, _PLAIN):
        with suppress(ValueError):
            at = datetime.strptime(backup.name, form).replace(tzinfo=UTC)
            return at if at.strftime(form) == backup.name else None
    return None


def worth_keeping(backups: Sequence[Path]) -> list[Path]:
    """Those of the backups, the newest first, that stay: the newest, to go back a little, and one a week, to find out
    what something was before it went wrong without being noticed."""
    weeks: dict[tuple[int, int], Path] = {}
    for backup in backups[NEWEST:]:
        if at := made_at(backup):
            weeks.setdefault(at.isocalendar()[:2], backup)
    return [*backups[:NEWEST], *list(weeks.values())[:WEEKS]]


def leftovers_of(path: Path) -> list[Path]:
    """What a backup that was killed left: as large as a ledger, and as private."""
    folder = folder_of(path)
    if folder.is_symlink() or not folder.is_dir():
        return []
    return [file for file in folder.iterdir() if _LEFTOVER.fullmatch(file.name) and _is_file(file)]


def _is_file(path: Path) -> bool:
    return path.is_file() and not path.is_symlink()


@contextmanager
def backing_up(path: Path, *, wait: bool = False) -> Iterator[None]:
    """Holds the backups of a ledger: never two are made at a time, and none while a person is forgotten. They may be
    made beside a run. Raises TryLater when somebody else holds them, unless this is to `wait`; DiskError."""
    folder = folder_of(path)
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        _refuse_link(folder)
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError as error:
        raise _no_backup(folder, error.strerror) from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        yield
    except BlockingIOError:
        raise TryLater(f"another refloop is making a backup in {folder}", remedy="Wait for it to end.") from None
    finally:
        os.close(descriptor)


def back_up(ledger: Ledger, now: datetime) -> Path:
    """Makes a verified, private, compressed copy of the ledger as it is at one moment, and keeps those that are
    `worth_keeping`. Others may write to the ledger meanwhile.

    Raises DiskError when it cannot be written, LedgerError when the copy is damaged, LedgerBusy when the ledger was
    written to all the while, TryLater when somebody else makes one; the older ones stay then.
    """
    with backing_up(ledger.path):
        return make_backup(ledger, now)


def make_backup(ledger: Ledger, now: datetime) -> Path:
    """The same by who holds the backups."""
    folder = folder_of(ledger.path)
    target = folder / now.strftime(_NAME)
    try:
        for leftover in leftovers_of(ledger.path):
            leftover.unlink()
        with _arriving(target) as packed, _beside(folder / now.strftime(_PLAIN)) as plain:
            with closing(Ledger(ledger.engine.copy_to(plain), plain)) as copy:
                refuse_unsound(copy)
            pack(plain, packed)
        backups = backups_of(ledger.path, now)
        for old in set(backups).difference(worth_keeping(backups)):
            old.unlink()
    except OSError as error:
        raise _no_backup(folder, error.strerror) from error
    except DiskError as error:
        raise _no_backup(folder, error.__cause__ or error.message) from error
    ledger.engine.was_checked(now)
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
    """Makes the first backup of a day (UTC). Returns None when there is one already, somebody else is making it, or the
    ledger was written to all the while: the next run tries again."""
    newest = next(map(made_at, backups_of(ledger.path, now)), None)
    if newest is not None and newest.date() == now.date():
        return None
    try:
        return back_up(ledger, now)
    except (TryLater, LedgerBusy) as later:
        log.info("no backup yet", why=later.message)
        return None


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
        if not is_ledger(head_of(chosen)):
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
            unpack(chosen, temporary)
            _verify_and_leap(temporary, now)
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


def _verify_and_leap(file: Path, now: datetime) -> None:
    with closing(open_ledger(file)) as copy:
        refuse_unsound(copy)
        copy.engine.was_checked(now)
        with copy.writing():
            copy.moved(_LEAP)


def set_aside(path: Path) -> list[Path]:
    """The ledgers that `restore` moved away."""
    return sorted(path.parent.glob(f"{path.name}.replaced-*"))


@contextmanager
def _beside(target: Path) -> Iterator[Path]:
    """A private file beside the target that is taken away again."""
    temporary = arriving_at(target)
    remove(temporary)
    make_private(temporary)
    try:
        yield temporary
    finally:
        remove(temporary)


@contextmanager
def _arriving(target: Path, aside: Path | None = None) -> Iterator[Path]:
    """A private file beside the target that takes its place in one step when all went well. What was there before
    gets the name `aside`, if there is one."""
    with _beside(target) as temporary:
        yield temporary
        with temporary.open("rb") as file:
            os.fsync(file.fileno())
        if aside is not None and target.exists():
            give_second_name(target, aside)
        temporary.replace(target)
        sync_folder(target.parent)


def arriving_at(target: Path) -> Path:
    """Where a copy is made before it takes the place of `target`. Left there by a process that was killed."""
    return target.with_name(f".{target.name}.arriving")
