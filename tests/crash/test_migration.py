"""A ledger is made, and brought up to date, at once or not at all: killed at any statement, whoever opens it next
finds the old one or the new one, and its content.

Runs over every migration there is, and over one more that is made up.
"""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from refloop.errors import Exit
from refloop.ledger.schema import migrations
from tests.crash.bench import KILLED, Bench
from tests.crash.crash_points import spread
from tests.ledger.test_previous_schema import DUMP

LATEST = len(migrations.steps)
OPEN = ("open",)


def content(path: Path) -> dict[str, list[str]]:
    """Tables, views, guards and rows, without when it was migrated, and with an identity of its own where it is new."""
    with closing(sqlite3.connect(path)) as ledger:
        assert ledger.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        schema = ledger.execute("SELECT name, type, sql FROM sqlite_schema").fetchall()
        tables = [name for name, kind, _ in schema if kind == "table"]
        rows = {name: ledger.execute(f"SELECT * FROM {name}").fetchall() for name in tables}  # noqa: S608 - tables' names
        rows["_sqlite_migrations"] = [row[:-1] for row in rows["_sqlite_migrations"]]
        head = ledger.execute("PRAGMA application_id").fetchall()
    told = {"schema": schema, "head": head, **rows}
    return {name: sorted(map(repr, found)) for name, found in told.items()}


def columns(ledger: sqlite3.Connection, table: str) -> list[str]:
    return [name for _, name, *_ in ledger.execute(f"PRAGMA table_info({table})")]


class Opening:
    """What a process does when it opens a ledger of one version knowing the next."""

    def __init__(self, bench: Bench, version: int) -> None:
        self.bench = bench
        self.version = version
        self.path = bench.office / "refloop.db"
        if version > 0:
            bench.done(*OPEN, version=version)
            self._fill()
        self.start = bench.state()
        self.before = content(self.path) if version else {}
        self.points = bench.done(*OPEN, version=version + 1).points
        self.after = content(self.path)
        assert self.after != self.before

    def _fill(self) -> None:
        """With what a real ledger held, so that each migration has something to convert."""
        with closing(sqlite3.connect(":memory:")) as real, closing(sqlite3.connect(self.path)) as ledger:
            real.executescript(DUMP.read_text(encoding="utf-8"))
            real.execute("UPDATE runs SET problems = ?", (json.dumps(["sales: it is down", "and so on"]),))
            tables = [name for (name,) in real.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")]
            for table in set(tables) - {"meta", "_sqlite_migrations"}:
                both = [columns(real, table), columns(ledger, table)]
                names = ", ".join(name for name in both[0] if name in both[1])
                marks = ", ".join("?" * (names.count(",") + 1))
                rows = real.execute(f"SELECT {names} FROM {table}")  # noqa: S608 - a table and its columns
                ledger.executemany(f"INSERT INTO {table} ({names}) VALUES ({marks})", rows)  # noqa: S608 - the same
            ledger.commit()

    def die(self, number: int, again: int) -> int:
        """Dies once, and from there `again` times more; gives the number of kills."""
        self.bench.put_back(self.start)
        self._kill(number)
        dead = self.bench.state()
        self._complete()
        seconds = spread(number, again, len(self.points))
        kills = 1
        for second in seconds:
            self.bench.put_back(dead)
            # what the first one completed leaves less to do for the second
            kills += self.bench.run(*OPEN, version=self.version + 1, deadly=second).status == KILLED
            self._complete()
        self.bench.drop(dead)
        return kills

    def _kill(self, number: int) -> None:
        ended = self.bench.run(*OPEN, version=self.version + 1, deadly=number)
        assert ended.status == KILLED, ended.printed

    def _complete(self) -> None:
        if self.version:  # whoever knows no more than the old version opens the old one, or is told
            old = self.bench.run(*OPEN, version=self.version)
            found = content(self.path)
            assert (old.status, found) in ((0, self.before), (int(Exit.DATA), self.after)), old.printed
        self.bench.done(*OPEN, version=self.version + 1)
        assert without_identity(content(self.path), self.version) == without_identity(self.after, self.version)


def without_identity(found: dict[str, list[str]], version: int) -> dict[str, list[str]]:
    """A ledger that was never whole has no identity to keep."""
    return found if version else {**found, "meta": [str(len(found["meta"]))]}


@pytest.mark.parametrize("version", range(LATEST + 1))
def test_a_ledger_is_made_or_migrated_whole(bench: Bench, version: int) -> None:
    opening = Opening(bench, version)
    numbers = range(version % 5, len(opening.points), max(1, len(opening.points) // 6))
    assert sum(opening.die(number, 0) for number in numbers) == len(numbers) >= 5


@pytest.mark.slow
@pytest.mark.parametrize("version", range(LATEST + 1))
def test_a_ledger_is_made_or_migrated_whole_at_every_point(bench: Bench, version: int) -> None:
    opening = Opening(bench, version)
    kills = sum(opening.die(number, 2) for number in range(len(opening.points)))
    # what was completed by the first leaves fewer points to the second
    assert len(opening.points) * 2 < kills <= len(opening.points) * 3
    print(f"\nfrom version {version}: {len(opening.points)} points, {kills} kills")  # noqa: T201 - a figure


@pytest.mark.slow
def test_a_migration_that_is_kept_in_pieces_is_noticed(bench: Bench) -> None:
    """Negative control: each statement is a transaction of its own."""
    opening = Opening(bench, LATEST)
    pieces = [number for number, what in enumerate(opening.points) if "INSERT INTO weather" in what]
    with closing(sqlite3.connect(opening.path, isolation_level=None)) as ledger:
        assert ledger.execute("SELECT count(*) FROM weather").fetchone() == (1,)
    bench.put_back(opening.start)
    with closing(sqlite3.connect(opening.path, isolation_level=None)) as ledger:
        ledger.execute("ALTER TABLE runs ADD COLUMN weather TEXT")  # and died
    assert pieces
    with pytest.raises(AssertionError):
        opening._complete()
