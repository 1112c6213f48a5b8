"""The mark of a ledger at rest: there while nobody writes, gone while somebody does, and for no other file."""

from __future__ import annotations

import os
import shutil
import sqlite3
import stat
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from refloop.errors import LedgerError
from refloop.ledger import open_ledger
from refloop.ledger.engine.mark import Standing, leave_mark, mark_file, standing_of
from refloop.ledger.soundness import EVERY, refuse_unproven
from tests.ledger.samples import DAY, keep, lead, record


@pytest.fixture
def closed(folder: Path) -> Path:
    """A ledger in which something was written, which was looked through, and which was closed."""
    path = folder / "refloop.db"
    ledger = open_ledger(path)
    refuse_unproven(ledger, DAY)
    with ledger.writing():
        ledger.execute("INSERT INTO programs (program) VALUES ('partners')")
    keep(ledger, record(lead(1), email="bo@buyer.io"))
    ledger.close()
    return path


def test_who_wrote_leaves_it_when_closing_and_who_writes_takes_it_away_first(closed: Path) -> None:
    assert stat.S_IMODE(mark_file(closed).stat().st_mode) == 0o600
    assert standing_of(closed) == Standing(proven=True, checked=DAY)
    ledger = open_ledger(closed)
    assert mark_file(closed).exists()
    with ledger.writing():
        assert not mark_file(closed).exists()
    ledger.close()
    assert standing_of(closed) == Standing(proven=True, checked=DAY)
    ledger.close()


def test_who_only_reads_leaves_it_as_it_is(closed: Path) -> None:
    before = mark_file(closed).read_bytes(), mark_file(closed).stat().st_mtime_ns
    ledger = open_ledger(closed)
    assert ledger.identity
    ledger.close()
    assert (mark_file(closed).read_bytes(), mark_file(closed).stat().st_mtime_ns) == before


def test_whoever_is_done_writing_leaves_it_though_the_ledger_stays_open(closed: Path) -> None:
    ledger = open_ledger(closed)
    with ledger.writing():
        ledger.moved()
    ledger.engine.rest()
    assert standing_of(closed).proven
    with ledger.writing():
        assert not mark_file(closed).exists()
    ledger.close()


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
    copied = path.read_bytes()
    shutil.move(path, path.with_name("was"))
    path.touch(0o600)
    path.write_bytes(copied)


def another_mode(path: Path) -> None:
    path.chmod(0o400)
    path.chmod(0o600)


def no_mark(path: Path) -> None:
    mark_file(path).unlink()


def nonsense(path: Path) -> None:
    mark_file(path).write_bytes(b"\xff[1, 2")


def of_an_earlier_refloop(path: Path) -> None:
    mark_file(path).write_text("[1, 2, 3, 4]")


UNKNOWN = [another_program, another_file, another_mode, no_mark, nonsense, of_an_earlier_refloop]


@pytest.mark.parametrize("what", UNKNOWN)
def test_what_it_is_not_meant_for_it_does_not_refuse_but_all_is_looked_through(
    closed: Path, what: Callable[[Path], None]
) -> None:
    what(closed)
    assert standing_of(closed) == Standing()
    ledger = open_ledger(closed)
    assert ledger.engine.checked is None
    later = DAY + timedelta(hours=1)
    refuse_unproven(ledger, later)
    assert ledger.engine.checked == later
    ledger.close()
    assert standing_of(closed) == Standing(proven=True, checked=later)


@pytest.mark.parametrize("what", UNKNOWN)
def test_what_is_damaged_besides_is_refused_before_anything_is_written(
    closed: Path, what: Callable[[Path], None]
) -> None:
    """As the database's own checks see it, whoever writes; and with the records' hashes, before a run."""
    closed.write_bytes(closed.read_bytes().replace(b"bo@buyer.io", b"al@buyer.io", 1))  # the record, or its index
    what(closed)
    before = closed.read_bytes()
    ledger = open_ledger(closed, doubted=True)
    with pytest.raises(LedgerError, match="is damaged"), ledger.writing():
        ledger.moved()
    with pytest.raises(LedgerError, match="is damaged"):
        refuse_unproven(ledger, DAY)
    ledger.close()
    assert closed.read_bytes() == before
    assert not standing_of(closed).proven


def test_all_of_it_is_looked_through_once_a_day(closed: Path) -> None:
    """What a disk gives back otherwise than it was given, without having been written to, no mark can tell."""
    closed.write_bytes(closed.read_bytes().replace(b"bo@buyer.io", b"al@buyer.io"))
    leave_mark(closed, DAY)
    ledger = open_ledger(closed)
    refuse_unproven(ledger, DAY + EVERY - timedelta(seconds=1))
    for late in (DAY + EVERY, DAY - timedelta(seconds=1)):  # a clock that was wrong once must not put it off for years
        with pytest.raises(LedgerError, match="is damaged"):
            refuse_unproven(ledger, late)
    ledger.close()


def test_after_a_fault_of_the_disk_none_is_left(closed: Path) -> None:
    ledger = open_ledger(closed)
    with ledger.writing():
        ledger.moved()
    closed.write_bytes(closed.read_bytes()[:4096])
    with pytest.raises(LedgerError):
        list(ledger.rows("SELECT * FROM records"))
    ledger.close()
    assert not mark_file(closed).exists()


def test_two_savings_within_one_tick_of_the_clock_have_two_times(closed: Path) -> None:
    for _ in range(50):
        leave_mark(closed, None)
        closed.write_bytes(closed.read_bytes())
        assert standing_of(closed).altered


def test_beside_a_journal_none_is_left_or_compared(closed: Path) -> None:
    before = mark_file(closed).read_bytes()
    closed.write_bytes(closed.read_bytes().replace(b"partners", b"partnerz"))
    assert standing_of(closed).altered
    closed.with_name(closed.name + "-journal").write_bytes(b"")
    assert standing_of(closed) == Standing()
    leave_mark(closed, None)
    assert mark_file(closed).read_bytes() == before


def test_a_time_that_was_put_back_does_not_hide_a_change(closed: Path) -> None:
    times = closed.stat()
    closed.write_bytes(closed.read_bytes().replace(b"partners", b"partnerz"))
    os.utime(closed, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert standing_of(closed) == Standing()
