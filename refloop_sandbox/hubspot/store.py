"""Where the records lie: one SQLite database in memory, and the search index that lags behind it."""

from __future__ import annotations

import json
import re
import sqlite3
import threading
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

from refloop_sandbox import kept

_TABLES = """
CREATE TABLE {records} (
  object INTEGER NOT NULL, id INTEGER NOT NULL, created INTEGER NOT NULL, modified INTEGER NOT NULL,
  archived INTEGER, email TEXT, props TEXT NOT NULL, PRIMARY KEY (object, id)) WITHOUT ROWID;
CREATE INDEX {records}_live ON {records} (object, archived, id);
CREATE INDEX {records}_modified ON {records} (object, archived, modified, id);
CREATE INDEX {records}_created ON {records} (object, archived, created, id);
CREATE INDEX {records}_email ON {records} (object, archived, email) WHERE email IS NOT NULL;
"""
_STATISTICS = """
INSERT INTO sqlite_stat1 VALUES
  ('{records}', '{records}', '1000000 250000 1'), ('{records}', '{records}_live', '1000000 250000 250000 1'),
  ('{records}', '{records}_modified', '1000000 250000 250000 10 1'),
  ('{records}', '{records}_created', '1000000 250000 250000 10 1'),
  ('{records}', '{records}_email', '1000000 250000 250000 1');
"""
"""What a large account looks like to the planner, which never gets to see one by itself: nothing runs ANALYZE."""

_OTHER_TABLES = """
CREATE INDEX records_archived ON records (object, id) WHERE archived IS NOT NULL;
CREATE TABLE uniques (
  object INTEGER NOT NULL, name TEXT NOT NULL, value TEXT NOT NULL, id INTEGER NOT NULL,
  PRIMARY KEY (object, name, value)) WITHOUT ROWID;
CREATE INDEX uniques_of ON uniques (object, id);
CREATE TABLE merged (
  object INTEGER NOT NULL, id INTEGER NOT NULL, survivor INTEGER NOT NULL, PRIMARY KEY (object, id)) WITHOUT ROWID;
CREATE TABLE history (
  object INTEGER NOT NULL, id INTEGER NOT NULL, name TEXT NOT NULL, at INTEGER NOT NULL, value TEXT NOT NULL,
  source TEXT NOT NULL, source_id TEXT NOT NULL);
CREATE INDEX history_of ON history (object, id, name);
CREATE TABLE associations (
  object INTEGER NOT NULL, id INTEGER NOT NULL, to_object INTEGER NOT NULL, to_id INTEGER NOT NULL,
  type INTEGER NOT NULL, PRIMARY KEY (object, id, to_object, to_id, type)) WITHOUT ROWID;
CREATE TABLE binned (
  of_object INTEGER NOT NULL, of_id INTEGER NOT NULL, object INTEGER NOT NULL, id INTEGER NOT NULL,
  to_object INTEGER NOT NULL, to_id INTEGER NOT NULL, type INTEGER NOT NULL);
CREATE INDEX binned_of ON binned (of_object, of_id);
"""
_KIND = "hubspot"
_COLUMNS = "object, id, created, modified, archived, props"
_PUT = "INSERT OR REPLACE INTO records VALUES (?, ?, ?, ?, ?, ?, ?)"
_PUT_INDEXED = "INSERT OR REPLACE INTO indexed VALUES (?, ?, ?, ?, ?, ?, ?)"


class Row(NamedTuple):
    """One record. Times are epoch milliseconds; `props` leaves out what is not set, and what is a column here."""

    object: int
    id: int
    created: int
    modified: int
    archived: int | None
    props: dict[str, str]


class Change(NamedTuple):
    """One value that a property held: from when on, and who wrote it."""

    at: int
    value: str
    source: str
    source_id: str


def has_token(text: str | None, pattern: str) -> bool:
    """CONTAINS_TOKEN of HubSpot's search: whole words, with `*` standing for any characters of a word."""
    if text is None:
        return False
    words = set(re.findall(r"[^\W_]+", text.lower()))
    wanted = [re.escape(word).replace(r"\*", ".*") for word in re.findall(r"[^\W_*]*\*?[^\W_*]*\*?", pattern.lower())]
    tests = [re.compile(word) for word in wanted if word]
    return bool(tests) and all(any(test.fullmatch(word) for word in words) for test in tests)


@dataclass
class Store:
    """Records, history, associations and merges. Every caller holds `lock` while it reads or writes.

    The search index is the store as it was `lag` milliseconds ago.
    """

    lag: int = 0
    lock: threading.RLock = field(default_factory=threading.RLock)
    version: int = 0
    """Moves with each change of what a search can find."""

    def __post_init__(self) -> None:
        self.sql = sqlite3.connect(":memory:", check_same_thread=False, isolation_level=None)
        self.sql.create_function("has_token", 2, has_token, deterministic=True)
        self.sql.executescript(_TABLES.format(records="records") + _OTHER_TABLES)
        self.sql.executescript("ANALYZE;" + _STATISTICS.format(records="records"))
        if self.lag:
            self.sql.executescript(_TABLES.format(records="indexed") + _STATISTICS.format(records="indexed"))
        self.sql.execute("ANALYZE sqlite_schema")
        self._last_id: dict[int, int] = {}
        self._unindexed: deque[tuple[int, tuple[object, ...]]] = deque()

    def keep(self, path: Path, setup: Mapping[str, object]) -> None:
        """Writes all rows, and what else is to be known, into a file. The index that lags is not in it."""
        kept.write(path, self.sql, _KIND, {"last_id": self._last_id, **setup})

    def reopen(self, path: Path) -> dict[str, Any]:
        """Puts the rows of such a file in the place of what is here, and gives back the rest. Raises ValueError."""
        setup: dict[str, Any] = kept.read(path, self.sql, _KIND)
        self._last_id = {int(kind): last for kind, last in setup.pop("last_id").items()}
        self.version += 1
        return setup

    @contextmanager
    def atomic(self) -> Iterator[None]:
        """All or nothing of what is written inside."""
        waiting = len(self._unindexed)
        self.sql.execute("BEGIN")
        try:
            yield
        except BaseException:
            self.sql.execute("ROLLBACK")
            while len(self._unindexed) > waiting:
                self._unindexed.pop()
            raise
        self.sql.execute("COMMIT")

    # -- records

    def next_id(self, kind: int) -> int:
        """The next free id of an object: ascending, and deliberately the same numbers for each object."""
        self._last_id[kind] = self._last_id.get(kind, 100) + 1
        return self._last_id[kind]

    def note_id(self, kind: int, record_id: int) -> None:
        self._last_id[kind] = max(self._last_id.get(kind, 100), record_id)

    def get(self, kind: int, record_id: int) -> Row | None:
        found = self.sql.execute(
            f"SELECT {_COLUMNS} FROM records WHERE object = ? AND id = ?",  # noqa: S608 - a constant
            (kind, record_id),
        ).fetchone()
        return _row(found) if found else None

    def get_many(self, kind: int, ids: Iterable[int]) -> list[Row]:
        found = (self.get(kind, record_id) for record_id in ids)
        return [row for row in found if row is not None]

    def page(self, kind: int, first_id: int, limit: int, *, archived_since: int | None = None) -> list[Row]:
        """Up to `limit` records from `first_id` on, ascending by id: the live ones, or those archived after a time."""
        which = "IS NULL" if archived_since is None else "> ?"
        query = (
            f"SELECT {_COLUMNS} FROM records WHERE object = ? AND id >= ? AND archived {which} "  # noqa: S608 - constants
            "ORDER BY id LIMIT ?"
        )
        since = () if archived_since is None else (archived_since,)
        return [_row(found) for found in self.sql.execute(query, (kind, first_id, *since, limit))]

    def rows(self, kind: int) -> Iterator[Row]:
        """All live records, ascending by id, read in steps so that others may write in between."""
        first = 0
        while True:
            with self.lock:
                step = self.page(kind, first, 1000)
            yield from step
            if len(step) < 1000:
                return
            first = step[-1].id + 1

    def put(self, row: Row, now: int) -> None:
        """Writes a record; the search index hears of it `lag` milliseconds after `now`."""
        packed = _packed(row)
        self.sql.execute(_PUT, packed)
        self._index(packed, now)

    def load(self, rows: Iterable[Row]) -> None:
        """Writes many records, which the search index knows at once."""
        packed = map(_packed, rows)
        while batch := list(islice(packed, 5000)):
            self.sql.executemany(_PUT, batch)
            if self.lag:
                self.sql.executemany(_PUT_INDEXED, batch)
        self.version += 1

    def delete(self, kind: int, record_id: int, now: int) -> None:
        """Takes a record away without a trace: not archived, just gone. The search index hears of it later."""
        for statement in (
            "DELETE FROM records WHERE object = ? AND id = ?",
            "DELETE FROM uniques WHERE object = ? AND id = ?",
        ):
            self.sql.execute(statement, (kind, record_id))
        self._index((kind, record_id), now)

    def forget(self, kind: int, record_id: int) -> None:
        """Takes away what is still known of a record that is gone: its history, its associations, its merged ids."""
        for statement in (
            "DELETE FROM history WHERE object = ? AND id = ?",
            "DELETE FROM binned WHERE of_object = ? AND of_id = ?",
            "DELETE FROM merged WHERE object = ? AND survivor = ?",
        ):
            self.sql.execute(statement, (kind, record_id))

    def _index(self, packed: tuple[object, ...], now: int) -> None:
        self.version += 1
        if self.lag:
            self._unindexed.append((now + self.lag, packed))

    def catch_up(self, now: int) -> None:
        """Brings the search index up to `lag` before `now`."""
        while self._unindexed and self._unindexed[0][0] <= now:
            entry = self._unindexed.popleft()[1]
            gone = len(entry) == 2
            self.sql.execute("DELETE FROM indexed WHERE object = ? AND id = ?" if gone else _PUT_INDEXED, entry)
            self.version += 1

    def query(self, statement: str, parameters: Sequence[object]) -> list[Row]:
        return [_row(found) for found in self.sql.execute(statement, parameters)]

    def count(self, statement: str, parameters: Sequence[object]) -> int:
        return int(self.sql.execute(statement, parameters).fetchone()[0])

    # -- unique values

    def owner_of(self, kind: int, name: str, value: str) -> int | None:
        """The live record that holds a unique value."""
        query = "SELECT id FROM uniques WHERE object = ? AND name = ? AND value = ?"
        found = self.sql.execute(query, (kind, name, value)).fetchone()
        return int(found[0]) if found else None

    def claim(self, kind: int, claims: Iterable[tuple[str, str, int]]) -> None:
        """Takes (name, value) for a record. Raises sqlite3.IntegrityError when another one holds it."""
        self.sql.executemany(
            "INSERT INTO uniques VALUES (?, ?, ?, ?)", ((kind, name, value, owner) for name, value, owner in claims)
        )

    def release(self, kind: int, record_id: int) -> None:
        self.sql.execute("DELETE FROM uniques WHERE object = ? AND id = ?", (kind, record_id))

    # -- merges

    def survivor(self, kind: int, record_id: int) -> int:
        """The id under which a record lives now: its own unless it was merged away."""
        query = "SELECT survivor FROM merged WHERE object = ? AND id = ?"
        found = self.sql.execute(query, (kind, record_id)).fetchone()
        return int(found[0]) if found else record_id

    def mark_merged(self, kind: int, old_ids: Sequence[int], survivor: int) -> None:
        for old in old_ids:
            self.sql.execute("UPDATE merged SET survivor = ? WHERE object = ? AND survivor = ?", (survivor, kind, old))
            self.sql.execute("INSERT INTO merged VALUES (?, ?, ?)", (kind, old, survivor))
            self.sql.execute("UPDATE history SET id = ? WHERE object = ? AND id = ?", (survivor, kind, old))
        self.version += 1

    # -- history

    def remember(self, kind: int, record_id: int, name: str, change: Change) -> None:
        self.sql.execute("INSERT INTO history VALUES (?, ?, ?, ?, ?, ?, ?)", (kind, record_id, name, *change))

    def history(self, kind: int, record_id: int, name: str) -> list[Change]:
        """Newest first."""
        query = (
            "SELECT at, value, source, source_id FROM history WHERE object = ? AND id = ? AND name = ? "
            "ORDER BY at DESC, rowid DESC"
        )
        return [Change(*found) for found in self.sql.execute(query, (kind, record_id, name))]

    # -- associations, kept in both directions

    def associated(
        self, kind: int, record_id: int, to_kind: int, first: tuple[int, int] = (0, 0), limit: int = -1
    ) -> list[tuple[int, int]]:
        """(other id, type) pairs of a record from `first` on, ascending; -1 for no limit."""
        query = (
            "SELECT to_id, type FROM associations WHERE object = ? AND id = ? AND to_object = ? "
            "AND (to_id, type) >= (?, ?) ORDER BY to_id, type LIMIT ?"
        )
        return list(self.sql.execute(query, (kind, record_id, to_kind, *first, limit)))

    def associate(self, edges: Iterable[tuple[int, int, int, int, int]]) -> None:
        """Adds edges (object, id, to object, to id, type)."""
        self.sql.executemany("INSERT OR IGNORE INTO associations VALUES (?, ?, ?, ?, ?)", edges)
        self.version += 1

    def disassociate(self, edges: Iterable[tuple[int, int, int, int, int]]) -> None:
        self.sql.executemany(
            "DELETE FROM associations WHERE object = ? AND id = ? AND to_object = ? AND to_id = ? AND type = ?", edges
        )
        self.version += 1

    def bin(self, kind: int, record_id: int, edges: Iterable[tuple[int, int, int, int, int]]) -> None:
        """Keeps the edges of a deleted record."""
        self.sql.executemany(
            "INSERT INTO binned VALUES (?, ?, ?, ?, ?, ?, ?)", ((kind, record_id, *edge) for edge in edges)
        )

    def unbin(self, kind: int, record_id: int) -> list[tuple[int, int, int, int, int]]:
        """Gives back the edges that were kept, which are not kept any longer."""
        query = "SELECT object, id, to_object, to_id, type FROM binned WHERE of_object = ? AND of_id = ?"
        edges = list(self.sql.execute(query, (kind, record_id)))
        self.sql.execute("DELETE FROM binned WHERE of_object = ? AND of_id = ?", (kind, record_id))
        return edges

    def edges(self, kind: int, record_id: int) -> list[tuple[int, int, int, int, int]]:
        query = "SELECT object, id, to_object, to_id, type FROM associations WHERE object = ? AND id = ?"
        return list(self.sql.execute(query, (kind, record_id)))

    def edges_back(self, kind: int, record_id: int) -> list[tuple[int, int, int, int, int]]:
        """The same edges as their other ends hold them."""
        ends = {(to_kind, to_id) for _, _, to_kind, to_id, _ in self.edges(kind, record_id)}
        query = (
            "SELECT object, id, to_object, to_id, type FROM associations "
            "WHERE object = ? AND id = ? AND to_object = ? AND to_id = ?"
        )
        return [edge for end in ends for edge in self.sql.execute(query, (*end, kind, record_id))]


def _row(found: tuple[int, int, int, int, int | None, str]) -> Row:
    return Row(*found[:5], json.loads(found[5]))


def _packed(row: Row) -> tuple[object, ...]:
    props = json.dumps(row.props, separators=(",", ":"), ensure_ascii=False)
    return (*row[:5], row.props.get("email"), props)
