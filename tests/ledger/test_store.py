"""Opening: private, nobody else's, undamaged, not from the future; or refused before a byte is written."""

from __future__ import annotations

import os
import sqlite3
import stat
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import pytest

from refloop.errors import DiskError, LedgerBusy, LedgerError
from refloop.ledger import Ledger, open_ledger
from refloop.ledger.engine.base import StatementError
from refloop.ledger.engine.errors import translated
from refloop.ledger.engine.expected import made_by
from refloop.ledger.engine.sqlite import SQLITE
from refloop.ledger.schema import migrations
from tests.ledger.samples import made_before


@contextmanager
def umask(mask: int) -> Iterator[None]:
    before = os.umask(mask)
    try:
        yield
    finally:
        os.umask(before)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.parametrize("mask", [0o000, 0o022, 0o077])
def test_a_new_ledger_is_its_owners_alone(folder: Path, mask: int) -> None:
    path = folder / "deep" / "data" / "refloop.db"
    with umask(mask):
        ledger = open_ledger(path)
        with ledger.writing():
            ledger.execute("INSERT INTO programs (program) VALUES ('p')")
            journal = mode(path.with_name("refloop.db-journal"))
        ledger.close()
    assert (mode(path), mode(path.parent), journal) == (0o600, 0o700, 0o600)


def test_what_was_kept_is_there_again_and_the_identity_stays(folder: Path) -> None:
    path = folder / "refloop.db"
    first = open_ledger(path)
    identity, position = first.identity, first.position()
    with first.writing():
        first.moved()
    first.close()
    second = open_ledger(path)
    assert (second.identity, second.position()) == (identity, position + 1)
    second.close()


@pytest.mark.parametrize("bits", [0o640, 0o604, 0o660, 0o602])
def test_a_ledger_that_others_may_reach_is_refused(folder: Path, bits: int) -> None:
    path = folder / "refloop.db"
    open_ledger(path).close()
    path.chmod(bits)
    with pytest.raises(DiskError, match="others may read"):
        open_ledger(path)


def test_a_symlink_is_refused_and_its_target_untouched(folder: Path) -> None:
    target = folder / "target.db"
    target.touch(0o600)
    link = folder / "refloop.db"
    link.symlink_to(target)
    with pytest.raises(DiskError, match="not a regular file"):
        open_ledger(link)
    assert target.read_bytes() == b""


def test_a_folder_and_a_file_as_a_folder_are_refused(folder: Path) -> None:
    with pytest.raises(DiskError):
        open_ledger(folder)
    (folder / "file").touch()
    with pytest.raises(DiskError):
        open_ledger(folder / "file" / "refloop.db")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_read_only_folder_is_a_matter_of_the_disk(folder: Path) -> None:
    closed = folder / "closed"
    closed.mkdir(0o500)
    with pytest.raises(DiskError):
        open_ledger(closed / "refloop.db")


def test_a_folder_in_which_nobody_can_write_is_a_matter_of_the_disk() -> None:
    with pytest.raises(DiskError):
        open_ledger(Path("/proc/refloop/refloop.db"))


def foreign(path: Path, journal: str) -> bytes:
    path.touch(0o600)
    connection = sqlite3.connect(path)
    connection.execute(f"PRAGMA journal_mode={journal}")
    connection.execute("CREATE TABLE bookmarks (url TEXT)")
    connection.commit()
    connection.close()
    return path.read_bytes()


@pytest.mark.parametrize("journal", ["DELETE", "WAL"])
def test_another_programs_database_is_refused_and_not_written_to(folder: Path, journal: str) -> None:
    path = folder / "places.sqlite"
    before = foreign(path, journal)
    with pytest.raises(LedgerError, match="not a ledger of refloop"):
        open_ledger(path)
    assert path.read_bytes() == before
    assert [item.name for item in folder.iterdir()] == ["places.sqlite"]


@pytest.mark.parametrize("content", [b"not a database at all\n" * 100, b"x", b"SQLite format 3\0", b"\0" * 4096])
def test_another_kind_of_file_is_refused_and_not_written_to(folder: Path, content: bytes) -> None:
    path = folder / "refloop.db"
    path.touch(0o600)
    path.write_bytes(content)
    with pytest.raises(LedgerError):
        open_ledger(path)
    assert path.read_bytes() == content


def test_an_empty_file_becomes_a_ledger(folder: Path) -> None:
    path = folder / "refloop.db"
    path.touch(0o600)
    ledger = open_ledger(path)
    assert ledger.identity
    ledger.close()


def test_a_ledger_of_a_newer_refloop_is_refused_and_not_written_to(folder: Path) -> None:
    path = folder / "refloop.db"
    open_ledger(path).close()
    connection = sqlite3.connect(path)
    connection.execute(
        "INSERT INTO _sqlite_migrations SELECT NULL, migration_set, 'unheard of', applied_at FROM _sqlite_migrations "
        "LIMIT 1"
    )
    connection.commit()
    connection.close()
    before = path.read_bytes()
    with pytest.raises(LedgerError, match=r"newer refloop \(it knows unheard of\)"):
        open_ledger(path)
    assert path.read_bytes() == before


def _is_refused(path: Path) -> bool:
    try:
        open_ledger(path).close()
    except LedgerError:
        return True
    return False


def test_a_damaged_ledger_is_refused_and_not_written_to(folder: Path) -> None:
    path = folder / "refloop.db"
    open_ledger(path).close()
    whole = path.read_bytes()
    refused = 0
    for start in range(4096, len(whole), 4096):
        path.write_bytes(whole[:start] + b"\xff" * 512 + whole[start + 512 :])
        before = path.read_bytes()
        refused += _is_refused(path)
        assert path.read_bytes() == before
    assert refused >= (len(whole) // 4096 - 1) * 0.9


def named_in(path: Path) -> dict[str, str]:
    """Name -> kind of what SQLite has in a file, but for what it names and counts itself."""
    with closing(sqlite3.connect(path)) as connection:
        return dict(connection.execute("SELECT name, type FROM sqlite_schema WHERE name NOT GLOB '*sqlite_*'"))


def test_what_the_steps_say_is_what_they_make(folder: Path) -> None:
    open_ledger(folder / "refloop.db").close()
    assert made_by(migrations.steps, migrations.steps, SQLITE) == named_in(folder / "refloop.db")


def test_a_ledger_that_lacks_something_is_damaged_and_not_written_to(folder: Path) -> None:
    path = folder / "refloop.db"
    open_ledger(path).close()
    whole, names = path.read_bytes(), {**named_in(path), "_sqlite_migrations": "table"}
    assert set(names.values()) == {"table", "view", "index", "trigger"}
    for name, kind in names.items():
        path.write_bytes(whole)
        with closing(sqlite3.connect(path)) as connection:
            connection.execute(f"DROP {kind} {name}")
        path.with_name("refloop.db.seal").unlink(missing_ok=True)
        before = path.read_bytes()
        with pytest.raises(
            LedgerError, match="list of what" if name == "_sqlite_migrations" else f"{kind} {name}"
        ) as refused:
            open_ledger(path)
        assert "ledger restore" in refused.value.remedy
        assert path.read_bytes() == before


def test_a_ledger_that_lacks_something_is_refused_before_it_is_migrated(folder: Path) -> None:
    path = folder / "refloop.db"
    with made_before("deals_without_buyers", path):
        pass
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("DROP TABLE questions")
    path.with_name("refloop.db.seal").unlink(missing_ok=True)
    with pytest.raises(LedgerError, match="the table questions is missing"):
        open_ledger(path)


def test_a_ledger_that_lost_its_end_is_refused(folder: Path) -> None:
    path = folder / "refloop.db"
    open_ledger(path).close()
    path.write_bytes(path.read_bytes()[: 4096 * 5 + 100])
    with pytest.raises(LedgerError):
        open_ledger(path)


def test_a_ledger_whose_making_was_cut_short_is_made_again(folder: Path) -> None:
    """The journal that SQLite leaves behind takes the file back to nothing."""
    path = folder / "refloop.db"
    other = folder / "other.db"
    ledger = open_ledger(other)
    ledger.close()
    path.touch(0o600)
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA cache_size=1")
    connection.execute("BEGIN IMMEDIATE")
    connection.execute("CREATE TABLE a (x)")
    connection.execute(
        "INSERT INTO a WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 2000) "
        "SELECT randomblob(100) FROM n"
    )
    torn, journal = path.read_bytes(), path.with_name("refloop.db-journal").read_bytes()
    connection.execute("ROLLBACK")
    connection.close()
    assert torn
    path.write_bytes(torn)
    path.with_name("refloop.db-journal").write_bytes(journal)
    made = open_ledger(path)
    assert made.identity
    made.close()


def add_two(ledger: Ledger, *, fail: str) -> None:
    with ledger.writing():
        ledger.execute("INSERT INTO programs (program) VALUES ('a')")
        with suppress(ZeroDivisionError), ledger.writing():
            ledger.execute("INSERT INTO programs (program) VALUES ('b')")
            if fail == "inside":
                raise ZeroDivisionError
        if fail == "outside":
            raise ZeroDivisionError


def test_a_transaction_is_all_or_nothing_and_nests(ledger: Ledger) -> None:
    with pytest.raises(ZeroDivisionError):
        add_two(ledger, fail="outside")
    assert list(ledger.rows("SELECT * FROM programs")) == []
    add_two(ledger, fail="inside")
    assert [row["program"] for row in ledger.rows("SELECT program FROM programs")] == ["a"]


def test_a_ledger_that_another_program_holds_says_so(ledger: Ledger) -> None:
    other = sqlite3.connect(ledger.path, isolation_level=None)
    ledger.execute("PRAGMA busy_timeout=10")
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(LedgerBusy, match="locked by another program"), ledger.writing():
        pytest.fail("entered")
    other.execute("ROLLBACK")
    other.close()


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("SQLITE_FULL", DiskError),
        ("SQLITE_IOERR_WRITE", DiskError),
        ("SQLITE_READONLY", DiskError),
        ("SQLITE_CANTOPEN", DiskError),
        ("SQLITE_BUSY", LedgerBusy),
        ("SQLITE_CORRUPT", LedgerError),
        ("SQLITE_NOTADB", LedgerError),
        ("SQLITE_ERROR", StatementError),
    ],
)
def test_what_an_error_of_sqlite_means(name: str, kind: type[Exception]) -> None:
    error = sqlite3.DatabaseError("said")
    error.sqlite_errorname = name
    assert isinstance(translated(error, Path("refloop.db")), kind)


def test_a_full_disk_is_a_matter_of_the_disk_and_loses_nothing(ledger: Ledger) -> None:
    ledger.execute("INSERT INTO programs (program) VALUES ('before')")
    pages = ledger.one("PRAGMA page_count")
    assert pages is not None
    ledger.execute(f"PRAGMA max_page_count={pages[0]}")
    with pytest.raises(DiskError), ledger.writing():
        ledger.execute_many("INSERT INTO programs (program) VALUES (?)", ((f"{n}" * 100,) for n in range(2000)))
    assert [row["program"] for row in ledger.rows("SELECT program FROM programs")] == ["before"]


@pytest.mark.parametrize("table", ["matches", "credits", "statuses", "receipts"])
@pytest.mark.parametrize("verb", ["UPDATE {} SET run = 2", "DELETE FROM {}"])
def test_decisions_are_added_never_edited(ledger: Ledger, table: str, verb: str) -> None:
    ledger.execute("PRAGMA foreign_keys=OFF")
    wanted = [row for row in ledger.rows(f"PRAGMA table_info({table})") if row["notnull"]]
    names = ", ".join(row["name"] for row in wanted)
    marks = ", ".join("1" if row["type"] == "INTEGER" else "'x'" for row in wanted)
    ledger.execute(f"INSERT INTO {table} ({names}) VALUES ({marks})")  # noqa: S608 - a table's name
    with pytest.raises(StatementError, match="added, never edited"):
        ledger.execute(verb.format(table))
