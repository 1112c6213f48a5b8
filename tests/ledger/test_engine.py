"""The story of a database, told over each engine that there is through its protocol alone."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from refloop.errors import ConfigError, LedgerError
from refloop.ledger.engine.base import Engine, Migrations, StatementError
from refloop.ledger.engine.opening import open_database
from refloop.ledger.engine.sqlite import SQLITE

Opens = Callable[[Path, Migrations], Engine]

ENGINES: dict[str, Opens] = {"sqlite": open_database}


def schema() -> Migrations:
    migrations = Migrations()

    @migrations()
    def first(db: Engine) -> None:
        db.execute("CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL)")
        db.execute(
            "CREATE TABLE people (id TEXT NOT NULL, mail TEXT, found TEXT NOT NULL, PRIMARY KEY (id)) STORED BY KEY"
        )
        db.execute("CREATE TABLE heard (seq NUMBERED KEY, id TEXT NOT NULL REFERENCES people, word TEXT NOT NULL)")
        for statement in db.dialect.guarding("heard"):
            db.execute(statement)

    return migrations


@pytest.fixture(params=ENGINES)
def opens(request: pytest.FixtureRequest) -> Opens:
    return ENGINES[request.param]


def people(engine: Engine) -> list[tuple[object, ...]]:
    return [tuple(row) for row in engine.rows("SELECT id, mail FROM people ORDER BY id")]


def interrupted(engine: Engine) -> None:
    """A transaction that ends badly, within one that ends well."""
    with engine.transaction():
        engine.execute("INSERT INTO people (id, found) VALUES ('eve', '{}')")
        raise ZeroDivisionError


def test_the_story_of_a_database(opens: Opens, folder: Path) -> None:
    path, migrations = folder / "refloop.db", schema()
    engine = opens(path, migrations)
    assert engine.pending(migrations)
    with engine.transaction():
        engine.migrate(migrations)
    assert not engine.pending(migrations)

    # a statement says how many rows it touched; what is there already is left alone
    add = "INSERT INTO people (id, mail, found) VALUES (?, ?, ?) ON CONFLICT DO NOTHING"
    with engine.transaction():
        assert engine.in_transaction
        assert engine.execute(add, ("anna", "anna@partners.io", '{"code": "A-1", "a.b": "c"}')) == 1
        assert (
            engine.execute_many(add, [("anna", None, "{}"), ("bo", None, "{}"), ("cy", "Anna@Partners.io", "{}")]) == 2
        )
        with pytest.raises(ZeroDivisionError):
            interrupted(engine)
    assert not engine.in_transaction
    with pytest.raises(ZeroDivisionError):
        interrupted(engine)
    assert people(engine) == [("anna", "anna@partners.io"), ("bo", None), ("cy", "Anna@Partners.io")]

    # the words that each database writes in its own way
    missing = engine.rows("SELECT id FROM people WHERE mail IS NOT DISTINCT FROM ?", (None,))
    assert [row["id"] for row in missing] == ["bo"]
    others = engine.rows("SELECT id FROM people WHERE mail IS DISTINCT FROM ? ORDER BY id", ("anna@partners.io",))
    assert [row["id"] for row in others] == ["bo", "cy"]
    for name, text in (("code", "A-1"), ("a.b", "c"), ("none", None)):
        (row,) = engine.rows("SELECT json_text(found, ?) AS text FROM people WHERE id = 'anna'", (name,))
        assert (row["text"], row.keys()) == (text, ["text"])
    heard = "INSERT INTO heard (id, word) VALUES (?, ?) RETURNING seq"
    numbers = [row["seq"] for word in ("a", "b") for row in engine.rows(heard, ("anna", word))]
    assert numbers == sorted(set(numbers))
    joined = engine.rows("SELECT h.word FROM people p ORDERED JOIN heard h ON h.id = p.id ORDER BY h.seq")
    assert [row[0] for row in joined] == ["a", "b"]

    # what only a bug can ask for is refused: rows that are added, never edited; types; what is not there
    for wrong in (
        "UPDATE heard SET word = 'c'",
        "DELETE FROM heard",
        "INSERT INTO people (id) VALUES ('dee')",
        "INSERT INTO heard (id, word) VALUES ('nobody', 'x')",
        "SELECT * FROM nothing",
    ):
        with pytest.raises(StatementError):
            list(engine.rows(wrong))
    assert list(engine.faults(20)) == []

    # a copy is a database of its own
    (folder / "copy.db").touch(0o600)
    with closing(engine.copy_to(folder / "copy.db")) as copy:
        assert people(copy) == people(engine)
        assert list(copy.faults(20)) == []

    # who erases may edit what was added, and what is erased is gone
    with engine.transaction():
        engine.execute("INSERT INTO meta (key, value) VALUES ('erasing', '1')")
        assert engine.rewrite_texts({"anna@partners.io"}, lambda text: text.lower().replace("anna@", "x@")) == 2
        engine.execute("DELETE FROM heard")
        engine.execute("DELETE FROM meta")
    engine.compact()
    assert people(engine) == [("anna", "x@partners.io"), ("bo", None), ("cy", "x@partners.io")]

    # it is there again, and a program that knows less leaves it alone
    engine.close()
    engine.close()
    with closing(opens(path, migrations)) as again:
        assert not again.pending(migrations)
        assert len(people(again)) == 3
    with pytest.raises(LedgerError, match=r"newer refloop \(it knows first\)"):
        opens(path, Migrations())


def test_a_library_that_is_too_old_is_refused(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite3, "sqlite_version_info", (3, 36, 0))
    monkeypatch.setattr(sqlite3, "sqlite_version", "3.36.0")
    with pytest.raises(ConfigError, match=r"comes with SQLite 3\.36\.0; the ledger needs 3\.37 or newer"):
        open_database(folder / "refloop.db", Migrations())
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize(
    ("statement", "spelled"),
    [
        (
            "SELECT 1 FROM a ORDERED JOIN b ON b.x IS NOT DISTINCT FROM a.x",
            "SELECT 1 FROM a CROSS JOIN b ON b.x IS a.x",
        ),
        ("SELECT a.x IS DISTINCT FROM ?", "SELECT a.x IS NOT ?"),
        ("SELECT json_text(r.found, v.field)", """SELECT json_extract(r.found, '$."' || v.field || '"')"""),
        ("CREATE TABLE a (seq NUMBERED KEY)", "CREATE TABLE a (seq INTEGER PRIMARY KEY) STRICT"),
        ("CREATE TEMPORARY TABLE a (b TEXT) STORED BY KEY", "CREATE TEMPORARY TABLE a (b TEXT) STRICT, WITHOUT ROWID"),
        ("CREATE INDEX a ON b (c)", "CREATE INDEX a ON b (c)"),
    ],
)
def test_how_sqlite_spells_the_words(statement: str, spelled: str) -> None:
    assert SQLITE.spelled(statement) == spelled
