"""The checksum of a ledger: there while nobody writes, gone while somebody does, and for no other file."""

from __future__ import annotations

import shutil
import sqlite3
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from refloop.errors import LedgerError
from refloop.ledger import open_ledger
from refloop.ledger.engine.checksum import checksum_file, is_altered, write_checksum


@pytest.fixture
def closed(folder: Path) -> Path:
    """A ledger in which something was written, and which was closed."""
    path = folder / "refloop.db"
    ledger = open_ledger(path)
    with ledger.writing():
        ledger.execute("INSERT INTO programs (program) VALUES ('partners')")
    ledger.close()
    return path


def test_who_wrote_leaves_it_when_closing_and_who_writes_takes_it_away_first(closed: Path) -> None:
    assert stat.S_IMODE(checksum_file(closed).stat().st_mode) == 0o600
    ledger = open_ledger(closed)
    assert checksum_file(closed).exists()
    with ledger.writing():
        assert not checksum_file(closed).exists()
    ledger.close()
    assert checksum_file(closed).exists()
    ledger.close()


def test_who_only_reads_leaves_it_as_it_is(closed: Path) -> None:
    before = checksum_file(closed).read_bytes(), checksum_file(closed).stat().st_mtime_ns
    ledger = open_ledger(closed)
    assert ledger.identity
    ledger.close()
    assert (checksum_file(closed).read_bytes(), checksum_file(closed).stat().st_mtime_ns) == before


def test_a_letter_that_became_another_one_is_noticed_and_nothing_is_written(closed: Path) -> None:
    content = closed.read_bytes().replace(b"partners", b"partnerz")
    closed.write_bytes(content)
    with pytest.raises(LedgerError, match="not what was written to it last"):
        open_ledger(closed)
    assert closed.read_bytes() == content


@pytest.mark.parametrize("size", [0, 1, 27, 99, 4096, -4096, -1])
def test_a_ledger_that_lost_its_end_or_everything_is_noticed(closed: Path, size: int) -> None:
    """An empty file would be taken for a ledger that is still to be made."""
    content = closed.read_bytes()[:size]
    closed.write_bytes(content)
    with pytest.raises(LedgerError):
        open_ledger(closed)
    assert closed.read_bytes() == content


def another_program(path: Path) -> None:
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("INSERT INTO programs (program) VALUES ('by hand')")
    connection.close()


def another_file(path: Path) -> None:
    altered = path.read_bytes().replace(b"partners", b"partnerz")
    shutil.move(path, path.with_name("was"))
    path.touch(0o600)
    path.write_bytes(altered)


def no_checksum(path: Path) -> None:
    checksum_file(path).unlink()


def nonsense(path: Path) -> None:
    checksum_file(path).write_bytes(b"\xff[1, 2")


def too_short(path: Path) -> None:
    checksum_file(path).write_text("[1, 2]")


@pytest.mark.parametrize("what", [another_program, another_file, no_checksum, nonsense, too_short])
def test_what_it_is_not_meant_for_it_does_not_refuse(closed: Path, what: Callable[[Path], None]) -> None:
    what(closed)
    assert not is_altered(closed)
    open_ledger(closed).close()


def test_beside_a_journal_none_is_left_or_compared(closed: Path) -> None:
    before = checksum_file(closed).read_bytes()
    closed.write_bytes(closed.read_bytes().replace(b"partners", b"partnerz"))
    assert is_altered(closed)
    closed.with_name(closed.name + "-journal").write_bytes(b"")
    assert not is_altered(closed)
    write_checksum(closed)
    assert checksum_file(closed).read_bytes() == before
