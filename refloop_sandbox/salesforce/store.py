"""One in-memory SQLite database: a table an object, a column a field."""

from __future__ import annotations

import re
import sqlite3
import threading
import weakref
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from refloop_sandbox import kept
from refloop_sandbox.salesforce.ids import make_id
from refloop_sandbox.salesforce.schema import IDS, NUMBERS, Field, SObject
from refloop_sandbox.salesforce.values import Stored

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
_KIND = "salesforce"
_INDEXED = frozenset({"Email", "SystemModstamp", "EntityDefinitionId", "Username"})


def quoted(name: str) -> str:
    """An identifier for SQL. Raises ValueError for what is no API name."""
    if not _NAME.fullmatch(name):
        raise ValueError(name)
    return f'"{name}"'


def _column(item: Field) -> str:
    if item.type in NUMBERS:
        affinity = "REAL"
    elif item.type in ("boolean", "int"):
        affinity = "INTEGER"
    else:
        affinity = "TEXT" if item.type in IDS or item.type in ("date", "datetime") else "TEXT COLLATE NOCASE"
    return f"{quoted(item.name)} {affinity}"


def _mapped(cursor: sqlite3.Cursor) -> Iterator[dict[str, Stored]]:
    names = [column[0] for column in cursor.description]
    return (dict(zip(names, values, strict=True)) for values in cursor)


class Image(NamedTuple):
    """All that a store holds: the database's own bytes, and the last number of each kind of id."""

    database: bytes
    numbers: Mapping[str, int]


class Store:
    """Rows in and out. Every use happens under `lock`, which may be taken again by its holder."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        # the server's thread and the people's threads share it, under the lock
        self._connection = sqlite3.connect(":memory:", check_same_thread=False, isolation_level=None)
        self._connection.execute("PRAGMA case_sensitive_like = OFF")
        self._numbers: dict[str, int] = {}
        self.close = weakref.finalize(self, self._connection.close)
        self._connection.execute("CREATE TABLE deletions (object TEXT, id TEXT, at TEXT)")
        self._connection.execute("CREATE INDEX deletions_at ON deletions (object, at)")

    def image(self) -> Image:
        return Image(self._connection.serialize(), dict(self._numbers))

    def restore(self, image: Image) -> None:
        """Puts what an image holds in the place of what is here."""
        with closing(sqlite3.connect(":memory:")) as source:
            source.deserialize(image.database)
            # not deserialized in place: such a database cannot grow beyond a gigabyte
            source.backup(self._connection)
        self._numbers = dict(image.numbers)

    def keep(self, path: Path, setup: Mapping[str, object]) -> None:
        """Writes all rows, and what else is to be known, into a file."""
        kept.write(path, self._connection, _KIND, {"numbers": self._numbers, **setup})

    def reopen(self, path: Path) -> dict[str, Any]:
        """Puts the rows of such a file in the place of what is here, and gives back the rest. Raises ValueError."""
        setup: dict[str, Any] = kept.read(path, self._connection, _KIND)
        self._numbers = setup.pop("numbers")
        return setup

    def add_object(self, sobject: SObject) -> None:
        columns = ", ".join(_column(item) for item in sobject.fields.values() if item.name != "Id")
        table = quoted(sobject.name)
        self.execute(f"CREATE TABLE {table} (rid INTEGER PRIMARY KEY, Id TEXT NOT NULL UNIQUE, {columns})")
        for item in sobject.fields.values():
            if (item.type == "reference" and not item.name.endswith("ById")) or item.name in _INDEXED:
                self._index(sobject, item)

    def add_field(self, sobject: SObject, item: Field) -> None:
        self.execute(f"ALTER TABLE {quoted(sobject.name)} ADD COLUMN {_column(item)}")
        if item.external_id or item.unique:
            self._index(sobject, item)

    def drop_field(self, sobject: SObject, item: Field) -> None:
        self.execute(f"DROP INDEX IF EXISTS {quoted(f'{sobject.name}_{item.name}')}")
        self.execute(f"ALTER TABLE {quoted(sobject.name)} DROP COLUMN {quoted(item.name)}")

    def _index(self, sobject: SObject, item: Field) -> None:
        name = quoted(f"{sobject.name}_{item.name}")
        self.execute(f"CREATE INDEX {name} ON {quoted(sobject.name)} ({quoted(item.name)})")

    def next_id(self, prefix: str) -> str:
        self._numbers[prefix] = self._numbers.get(prefix, 0) + 1
        return make_id(prefix, self._numbers[prefix])

    def execute(self, sql: str, values: Sequence[Stored] | Mapping[str, Stored] = ()) -> sqlite3.Cursor:
        return self._connection.execute(sql, values)

    def insert(self, sobject: SObject, rows: Iterable[Mapping[str, Stored]], columns: Sequence[str]) -> None:
        """Adds rows that all have these columns."""
        names = ", ".join(map(quoted, columns))
        marks = ", ".join("?" * len(columns))
        sql = f"INSERT INTO {quoted(sobject.name)} ({names}) VALUES ({marks})"  # noqa: S608 - quoted() checks names
        self._connection.executemany(sql, ([row.get(name) for name in columns] for row in rows))

    def update(self, sobject: SObject, record_id: str, values: Mapping[str, Stored]) -> None:
        pairs = ", ".join(f"{quoted(name)} = ?" for name in values)
        sql = f"UPDATE {quoted(sobject.name)} SET {pairs} WHERE Id = ?"  # noqa: S608 - quoted() checks names
        self.execute(sql, [*values.values(), record_id])

    def remove(self, sobject: SObject, record_id: str) -> None:
        self.execute(f"DELETE FROM {quoted(sobject.name)} WHERE Id = ?", (record_id,))  # noqa: S608 - quoted() checks

    def row(self, sobject: SObject, record_id: str) -> dict[str, Stored] | None:
        return next(self.where(sobject, {"Id": record_id}), None)

    def where(self, sobject: SObject, equal: Mapping[str, Stored]) -> Iterator[dict[str, Stored]]:
        """The rows whose columns hold these values, in the order they were made."""
        test = " AND ".join(f"{quoted(name)} IS ?" for name in equal) or "1"
        sql = f"SELECT * FROM {quoted(sobject.name)} WHERE {test} ORDER BY rid"  # noqa: S608 - quoted() checks names
        for row in _mapped(self.execute(sql, list(equal.values()))):
            del row["rid"]
            yield row

    def batch(self, sobject: SObject, after: int, count: int) -> tuple[int, list[dict[str, Stored]]]:
        """Up to `count` rows made after row number `after`, and the number of the last one."""
        sql = f"SELECT * FROM {quoted(sobject.name)} WHERE rid > ? ORDER BY rid LIMIT ?"  # noqa: S608 - quoted() checks
        rows = list(_mapped(self.execute(sql, (after, count))))
        return (int(rows[-1]["rid"] or 0) if rows else after), rows

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing; may be nested."""
        with self.lock:
            self.execute("SAVEPOINT step")
            try:
                yield
            except BaseException:
                self.execute("ROLLBACK TO step")
                raise
            finally:
                self.execute("RELEASE step")
