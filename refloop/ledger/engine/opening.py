"""Opening a ledger's file: private, nobody else's, undamaged, not from the future; or refused before a byte is
written."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from refloop.errors import ConfigError, DiskError, LedgerError
from refloop.ledger.engine.base import Engine, Migrations
from refloop.ledger.engine.errors import altered, damaged, translated
from refloop.ledger.engine.expected import made_by
from refloop.ledger.engine.files import journal_of, make_private, refuse_unsafe
from refloop.ledger.engine.filesystem import refuse_network
from refloop.ledger.engine.mark import Standing, remove_mark, standing_of
from refloop.ledger.engine.sqlite import APPLICATION_ID, SqliteEngine

OLDEST = (3, 37, 0)
"""The first SQLite that knows STRICT tables."""

# SQLite's file format: https://sqlite.org/fileformat2.html#the_database_header
_MAGIC = b"SQLite format 3\0"
_APPLICATION = slice(68, 72)
_HEAD = 100
_POINT_ELSEWHERE = "Point `ledger:` in the configuration at another file. Nothing was written."

# Rollback journal with EXTRA: no acknowledged commit is lost in a power cut, and SQLite before 3.51.3 can lose commits
# in WAL mode. secure_delete: what is erased is gone from the file.
_PRAGMAS = (
    "synchronous=EXTRA",
    "foreign_keys=ON",
    "secure_delete=ON",
    "trusted_schema=OFF",
    "cell_size_check=ON",
    "temp_store=MEMORY",
    "cache_size=-16384",
)


def open_database(path: Path, migrations: Migrations, *, doubted: bool = False) -> Engine:
    """Opens the database at a path, creating the file (0600, in a folder 0700) where there is none. Its schema is
    still to be brought up to date. One that is `doubted` is about to be looked through: its mark refuses nothing.

    Raises LedgerError for a file that is no ledger, is damaged, lacks something that the migrations made which it has
    seen, or has seen some that are not among these; DiskError when it cannot be reached or others may read it;
    ConfigError when it lies on a network or SQLite is too old.
    """
    _refuse_old_library()
    refuse_network(path)
    try:
        standing = _prepare(path, doubted=doubted)
        connection = sqlite3.connect(path, isolation_level=None, timeout=5)
    except OSError as error:
        raise DiskError(f"cannot open the ledger {path}: {error.strerror}") from error
    except sqlite3.DatabaseError as error:
        raise translated(error, path) from error
    engine = SqliteEngine(connection, path, standing or Standing(proven=True))
    try:
        for pragma in _PRAGMAS:
            engine.execute(f"PRAGMA {pragma}")
        # where making it was cut short, and taken back, it is empty
        if standing and _number(engine, "page_count") > 0:
            _refuse_foreign(engine, migrations)
        engine.execute("PRAGMA journal_mode=DELETE")
    except BaseException:
        connection.close()
        raise
    return engine


def _refuse_old_library() -> None:
    if sqlite3.sqlite_version_info < OLDEST:
        oldest = ".".join(map(str, OLDEST[:2]))
        raise ConfigError(
            f"this Python comes with SQLite {sqlite3.sqlite_version}; the ledger needs {oldest} or newer",
            remedy=f"Run refloop with a Python that has SQLite {oldest} or newer. Nothing was written.",
        )


def _prepare(path: Path, *, doubted: bool) -> Standing | None:
    """Makes sure that the file exists and is private. Returns what it is by its mark; None when it is empty."""
    if not path.parent.exists():
        path.parent.mkdir(mode=0o700, parents=True)
    try:
        make_private(path)
    except FileExistsError:
        refuse_unsafe(path)
    else:
        remove_mark(path)  # of a ledger that was moved away
        return None
    standing = standing_of(path)
    if standing.altered and not doubted:
        raise altered(path)
    if not path.stat().st_size:
        return None
    _refuse_foreign_file(path)
    return standing


def is_ledger(head: bytes) -> bool:
    """Whether a file that begins so is a ledger."""
    return head.startswith(_MAGIC) and int.from_bytes(head[_APPLICATION], "big") == APPLICATION_ID


def _refuse_foreign_file(path: Path) -> None:
    """Looks without SQLite, which would recover and even convert another program's database on opening it.

    Beside a journal the file may be half written: SQLite puts that right first, and `_refuse_foreign` looks then.
    """
    if journal_of(path).exists():
        return
    with path.open("rb") as file:
        head = file.read(_HEAD)
    if not head.startswith(_MAGIC):
        raise LedgerError(f"{path} is not a ledger", remedy=_POINT_ELSEWHERE)
    if int.from_bytes(head[_APPLICATION], "big") != APPLICATION_ID:
        raise LedgerError(f"{path} is an SQLite database, but not a ledger of refloop", remedy=_POINT_ELSEWHERE)


def _refuse_foreign(engine: SqliteEngine, migrations: Migrations) -> None:
    path = engine.path
    if _number(engine, "application_id") != APPLICATION_ID:
        raise LedgerError(f"{path} is an SQLite database, but not a ledger of refloop", remedy=_POINT_ELSEWHERE)
    unknown = [name for name in engine.applied() if name not in migrations.steps]
    if unknown:
        raise LedgerError(
            f"the ledger {path} was made by a newer refloop (it knows {', '.join(unknown)})",
            remedy="Upgrade refloop; nothing was written.",
        )
    _refuse_incomplete(engine, migrations)


def _refuse_incomplete(engine: SqliteEngine, migrations: Migrations) -> None:
    """The list of steps is made with the first of them: a ledger without it lost it."""
    applied = engine.applied()
    if not applied:
        raise damaged(engine.path, "the list of what its schema has seen is missing from it")
    there = set(engine.names())
    missing = [
        f"the {kind} {name}"
        for name, kind in made_by(migrations.steps, applied, engine.dialect).items()
        if name not in there
    ]
    if missing:
        raise damaged(engine.path, f"{', '.join(missing)} {'is' if len(missing) == 1 else 'are'} missing from it")


def _number(engine: SqliteEngine, pragma: str) -> int:
    return next((int(row[0]) for row in engine.rows(f"PRAGMA {pragma}")), 0)
