"""Opening the ledger, and its transactions."""

from __future__ import annotations

import os
import sqlite3
import stat
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from refloop.errors import DiskError, LedgerError
from refloop.ledger.engine.base import Row
from refloop.ledger.engine.checksum import is_altered, remove_checksum
from refloop.ledger.engine.filesystem import refuse_network
from refloop.ledger.engine.sqlite import SqliteEngine, damaged, translated
from refloop.ledger.schema import APPLICATION_ID, migrations
from refloop.model import Kind, Ref

# SQLite's file format: https://sqlite.org/fileformat2.html#the_database_header
_MAGIC = b"SQLite format 3\0"
_APPLICATION = slice(68, 72)
_HEAD = 100
_POINT_ELSEWHERE = "Point `ledger:` in the configuration at another file. Nothing was written."


class Ledger:
    """An open ledger. The verbs over it live in this package's other modules, by topic.

    One writer at a time. Not for use by several threads. `guard`, where there is one, begins every transaction and
    raises when this process may not write (see `refloop.ledger.lease`).
    """

    def __init__(self, engine: SqliteEngine, path: Path) -> None:
        self.engine = engine
        self.path = path
        self.guard: Callable[[], None] | None = None
        self._selected: object = None

    @contextmanager
    def writing(self) -> Iterator[None]:
        """One transaction: all of it is kept, or nothing. Nests.

        Raises DiskError when the disk is full or broken, LedgerError when the file is damaged, LedgerBusy when another
        program writes to it for long, LeaseLost when another process took over; all leave the ledger as it was.
        """
        outermost = not self.engine.in_transaction
        try:
            with self.engine.transaction():
                if outermost:
                    self.check_lease()
                yield
        finally:
            self._selected = None  # a selection that was filled in here may have been rolled back

    def execute(self, sql: str, parameters: Iterable[object] = ()) -> int:
        """Carries a statement out. Returns how many rows it touched."""
        return self.engine.execute(sql, parameters)

    def execute_many(self, sql: str, rows: Iterable[Sequence[object]]) -> int:
        """Carries a statement out for each of the rows. Returns how many rows it touched."""
        return self.engine.execute_many(sql, rows)

    def rows(self, sql: str, parameters: Iterable[object] = ()) -> Iterator[Row]:
        """The rows of a query, streamed."""
        return self.engine.rows(sql, parameters)

    def one(self, sql: str, parameters: Iterable[object] = ()) -> Row | None:
        """The first row of a query, or None."""
        return next(self.engine.rows(sql, parameters), None)

    def position(self) -> int:
        """Grows with every change that a plan may depend on."""
        row = self.one("SELECT value FROM meta WHERE key = 'position'")
        return int(row["value"]) if row else 0

    def check_lease(self) -> None:
        """Raises LeaseLost when another process took over: call right before writing anywhere else."""
        if self.guard:
            self.guard()

    def moved(self, steps: int = 1) -> None:
        """Moves the position: something a plan depends on has changed. Call inside the transaction that changed it."""
        self.execute("UPDATE meta SET value = CAST(value AS INTEGER) + ? WHERE key = 'position'", (steps,))

    @property
    def identity(self) -> str:
        """Which ledger this is: a plan of another one is refused."""
        row = self.one("SELECT value FROM meta WHERE key = 'ledger'")
        return str(row["value"]) if row else ""

    def select(self, refs: Iterable[Ref]) -> None:
        """Fills the temporary table `selection`, by which set queries join on many records at once.

        They say CROSS JOIN, which in SQLite means "in this order": its planner knows nothing of how small a selection
        is, and would go through the large table instead.
        """
        if refs is self._selected:
            return
        self._selected = None
        self.execute("DELETE FROM selection")
        self.execute_many(
            "INSERT OR IGNORE INTO selection (connection, kind, id) VALUES (?, ?, ?)",
            ((ref.connection, ref.kind.value, ref.id) for ref in refs),
        )
        if isinstance(refs, (tuple, frozenset)):  # what cannot change need not be filled in again
            self._selected = refs

    def close(self) -> None:
        """Closes the ledger. Safe to repeat."""
        self.engine.close()


def ref_of(row: Row | Mapping[str, Any]) -> Ref:
    """The record that a row with columns connection, kind and id speaks of."""
    return Ref(row["connection"], Kind(row["kind"]), row["id"])


def open_ledger(path: Path) -> Ledger:
    """Opens the ledger, creating it (0600, in a folder 0700) or bringing its schema up to date.

    Raises LedgerError for a file that is no ledger, is damaged or comes from a newer refloop; DiskError when
    it cannot be reached or others may read it; ConfigError when it lies on a network.
    """
    refuse_network(path)
    try:
        fresh = _prepare(path)
        connection = sqlite3.connect(path, isolation_level=None, timeout=5)
    except OSError as error:
        raise DiskError(f"cannot open the ledger {path}: {error.strerror}") from error
    try:
        return _opened(connection, path, fresh=fresh)
    except sqlite3.DatabaseError as error:
        connection.close()
        raise translated(error, path) from error
    except BaseException:
        connection.close()
        raise


def _prepare(path: Path) -> bool:
    """Makes sure that the file exists and is private. True when it was created."""
    if not path.parent.exists():
        path.parent.mkdir(mode=0o700, parents=True)
    try:
        # SQLite's own files beside it inherit the mode of this one
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600))
    except FileExistsError:
        pass
    else:
        remove_checksum(path)  # of a ledger that was moved away
        return True
    info = path.lstat()
    if not stat.S_ISREG(info.st_mode):
        raise DiskError(f"the ledger {path} is not a regular file", remedy="Point `ledger:` at the file itself.")
    if info.st_mode & 0o077:
        raise DiskError(
            f"others may read or write the ledger {path}", remedy=f"It holds customers' data. Run: chmod 600 {path}"
        )
    if is_altered(path):
        raise damaged(path, "it is not what was written to it last")
    if info.st_size:
        _refuse_foreign_file(path)
    return info.st_size == 0


def _refuse_foreign_file(path: Path) -> None:
    """Looks without SQLite, which would recover and even convert another program's database on opening it.

    Beside a journal the file may be half written: SQLite puts that right first, and `_refuse_foreign` looks then.
    """
    if path.with_name(path.name + "-journal").exists():
        return
    with path.open("rb") as file:
        head = file.read(_HEAD)
    if not head.startswith(_MAGIC):
        raise LedgerError(f"{path} is not a ledger", remedy=_POINT_ELSEWHERE)
    if int.from_bytes(head[_APPLICATION], "big") != APPLICATION_ID:
        raise LedgerError(f"{path} is an SQLite database, but not a ledger of refloop", remedy=_POINT_ELSEWHERE)


def _opened(connection: sqlite3.Connection, path: Path, *, fresh: bool) -> Ledger:
    # Rollback journal with EXTRA: no acknowledged commit is lost in a power cut, and SQLite before 3.51.3 can lose
    # commits in WAL mode. secure_delete: what is erased is gone from the file.
    for pragma in (
        "synchronous=EXTRA",
        "foreign_keys=ON",
        "secure_delete=ON",
        "trusted_schema=OFF",
        "cell_size_check=ON",
        "temp_store=MEMORY",
        "cache_size=-16384",
    ):
        connection.execute(f"PRAGMA {pragma}").close()
    ledger = Ledger(SqliteEngine(connection, path), path)
    if not fresh:
        pages = ledger.one("PRAGMA page_count")
        fresh = pages is not None and pages[0] == 0  # making it was cut short, and taken back
    if not fresh:
        _refuse_foreign(ledger)
    connection.execute("PRAGMA journal_mode=DELETE").close()
    if fresh or migrations.pending(ledger.engine.database):
        _migrate(ledger)
    connection.execute(
        "CREATE TEMP TABLE selection (connection TEXT, kind TEXT, id TEXT, "
        "PRIMARY KEY (connection, kind, id)) WITHOUT ROWID"
    )
    return ledger


def _migrate(ledger: Ledger) -> None:
    with ledger.writing():
        migrations.apply(ledger.engine.database)
        if not ledger.identity:  # two processes may make it at once: the first names it
            ledger.execute(f"PRAGMA application_id={APPLICATION_ID}")
            ledger.execute_many(
                "INSERT INTO meta (key, value) VALUES (?, ?)", [("ledger", str(uuid.uuid4())), ("position", "0")]
            )


def _refuse_foreign(ledger: Ledger) -> None:
    found = ledger.one("PRAGMA application_id")
    if found is None or found[0] != APPLICATION_ID:
        raise LedgerError(f"{ledger.path} is an SQLite database, but not a ledger of refloop", remedy=_POINT_ELSEWHERE)
    known = {migration.name for migration in migrations._migrations}
    unknown = [applied.name for applied in migrations.applied(ledger.engine.database) if applied.name not in known]
    if unknown:
        raise LedgerError(
            f"the ledger {ledger.path} was made by a newer refloop (it knows {', '.join(unknown)})",
            remedy="Upgrade refloop; nothing was written.",
        )
    fault = ledger.one("PRAGMA quick_check(1)")
    if fault is None or fault[0] != "ok":
        raise damaged(ledger.path, "pages of it make no sense")
