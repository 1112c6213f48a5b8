"""Verified copies: made, thinned, put back; and damage that is noticed."""

from __future__ import annotations

import gzip
import os
import shutil
import sqlite3
import stat
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from refloop.errors import DataError, DiskError, LedgerBusy, LedgerError, TryLater
from refloop.ledger import Ledger, open_ledger
from refloop.ledger.backups import (
    NEWEST,
    all_backups_of,
    arriving_at,
    back_up,
    back_up_daily,
    backing_up,
    backups_of,
    folder_of,
    made_at,
    restore,
    set_aside,
    worth_keeping,
)
from refloop.ledger.engine import sqlite
from refloop.ledger.engine.sqlite import SqliteEngine
from refloop.ledger.packing import unpack
from refloop.ledger.records import overlay, record_of
from refloop.ledger.soundness import faults_of
from refloop.model import Outcome
from tests.ledger.samples import DAY, contact, deal, keep, lead, record


@pytest.fixture
def full(ledger: Ledger) -> Ledger:
    """A ledger with records of every shape."""
    keep(
        ledger,
        record(lead(1), email="bo@buyer.io", title="Bö \U0001f600", texts={"b": "code ANNA", "a": "\ud800x"}),
        record(contact(2), email=None, title="", texts={"a": ""}, found={"ref_code": "ANNA", "ref_won_amount": "1.50"}),
        record(deal(3), amount=Decimal("1E+3"), currency="EUR", outcome=Outcome.WON, closed_at=DAY, stage="Won"),
        record(deal(4), amount=Decimal("0.10"), deleted=True),
        cursor="one",
    )
    known = record_of(ledger, lead(1))
    assert known is not None
    with ledger.writing():
        overlay(ledger, known, {"ref_code": "ANNA", "ref_why": None})
    return ledger


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_what_was_kept_is_sound(full: Ledger) -> None:
    assert list(faults_of(full)) == []


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("email", "al@buyer.io"),
        ("stage", "Lost"),
        ("texts", "{"),
        ("amount", "many"),
        ("outcome", "drawn"),
        ("created_at", "x"),
        ("hash", "0"),
        ("deleted", 1),
        ("found", "[]"),
    ],
)
def test_a_row_that_was_altered_is_named(full: Ledger, column: str, value: object) -> None:
    full.execute(f"UPDATE records SET {column} = ? WHERE id = '1'", (value,))  # noqa: S608 - a table's column
    assert list(faults_of(full)) == ["crm:lead:1 is not what was kept"]
    with pytest.raises(LedgerError, match="crm:lead:1"):
        back_up(full, DAY)
    assert backups_of(full.path, DAY) == []
    assert list(folder_of(full.path).iterdir()) == []


def test_a_row_that_names_nothing_is_named(full: Ledger) -> None:
    full.execute("PRAGMA foreign_keys=OFF")
    full.execute("INSERT INTO members VALUES ('crm', 'lead', '1', 'rf_none')")
    assert list(faults_of(full)) == ["a row of members names a row of referrals that is not there"]


def unpacked(backup: Path, folder: Path) -> Ledger:
    """What a backup holds, as a ledger."""
    plain = folder / "unpacked.db"
    plain.touch(0o600)
    unpack(backup, plain)
    return open_ledger(plain)


def test_a_backup_is_private_whole_and_a_ledger(full: Ledger, folder: Path) -> None:
    path = back_up(full, DAY)
    assert (mode(path), mode(path.parent)) == (0o600, 0o700)
    assert list(path.parent.iterdir()) == [path]
    copy = unpacked(path, folder)
    assert record_of(copy, lead(1)) == record_of(full, lead(1))
    assert copy.identity == full.identity
    copy.close()


def test_a_backup_is_smaller_than_the_ledger(full: Ledger) -> None:
    """It is 0.2 of a large one; a small one is mostly its schema."""
    assert back_up(full, DAY).stat().st_size < full.path.stat().st_size * 0.2


def test_one_a_day_is_made_and_the_newest_and_one_a_week_are_kept(ledger: Ledger) -> None:
    made = [back_up_daily(ledger, DAY + timedelta(hours=6 * number)) for number in range(4 * 45)]
    days = [path for path in made if path]
    assert len(days) == 46  # the first at nine in the morning, then one after each midnight
    kept = [at for path in all_backups_of(ledger.path) if (at := made_at(path))]
    ages = [(kept[0].date() - at.date()).days for at in kept]
    assert ages[:3] == [0, 1, 2]
    assert len(ages) == 7
    assert all(at.isoweekday() == 7 for at in kept[4:]), "the last of its week"
    assert 21 <= ages[-1] <= 30


@pytest.mark.parametrize(
    ("days", "stay"),
    [
        ([], []),
        ([3, 2], [3, 2]),
        ([10, 10, 10, 10, 9, 4], [10, 10, 10, 10, 4]),
        ([60, 59, 58, 50, 43, 36, 29, 22], [60, 59, 58, 50, 43, 36, 29]),
    ],
)
def test_what_is_worth_keeping(days: list[int], stay: list[int]) -> None:
    names = [DAY + timedelta(days=day, seconds=-number) for number, day in enumerate(days)]
    backups = [Path(at.strftime("%Y%m%dT%H%M%S.%fZ.db.gz")) for at in names]
    at = dict(zip(backups, days, strict=True))
    assert [at[backup] for backup in worth_keeping(backups)] == stay


def test_what_an_earlier_refloop_left_counts_and_is_put_back(full: Ledger) -> None:
    packed = back_up(full, DAY)
    plain = packed.with_name(packed.name.removesuffix(".gz"))
    plain.touch(0o600)
    unpack(packed, plain)
    packed.unlink()
    assert all_backups_of(full.path) == [plain]
    assert back_up_daily(full, DAY) is None
    full.close()
    restore(full.path, None, DAY)
    back = open_ledger(full.path)
    assert record_of(back, lead(1))
    back.close()


def test_never_two_are_made_at_a_time(full: Ledger) -> None:
    with backing_up(full.path):
        with pytest.raises(TryLater, match="making a backup"):
            back_up(full, DAY)
        assert back_up_daily(full, DAY) is None
    assert all_backups_of(full.path) == []
    assert back_up_daily(full, DAY)


class Writer:
    """Another process that writes each time that a piece of the ledger was copied."""

    def __init__(self, path: Path, times: int) -> None:
        self.left = times
        self.connection = sqlite3.connect(path, isolation_level=None, timeout=0)

    def write(self) -> None:
        if self.left:
            self.left -= 1
            self.connection.execute("UPDATE meta SET value = value + 1 WHERE key = 'position'")


@pytest.mark.parametrize("times", [0, 1, 5])
def test_others_may_write_while_it_is_made_and_it_is_of_one_moment(
    full: Ledger, folder: Path, monkeypatch: pytest.MonkeyPatch, times: int
) -> None:
    before, writer = full.position(), Writer(full.path, times)
    monkeypatch.setattr(sqlite, "_PAGES_AT_ONCE", 5)
    watched(monkeypatch, writer)
    copy = unpacked(back_up(full, DAY), folder)
    assert copy.position() == before + times
    assert list(faults_of(copy)) == []
    copy.close()


def test_one_that_cannot_be_made_beside_another_run_is_left_to_the_next(
    full: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite, "_PAGES_AT_ONCE", 5)
    watched(monkeypatch, Writer(full.path, 10_000))
    with pytest.raises(LedgerBusy, match="written to all the while"):
        back_up(full, DAY)
    assert back_up_daily(full, DAY) is None
    assert list(folder_of(full.path).iterdir()) == []


def watched(monkeypatch: pytest.MonkeyPatch, writer: Writer) -> None:
    """Has the writer write behind each piece that is copied."""
    noticing = SqliteEngine._refuse_endless

    def also_writing(engine: SqliteEngine) -> Callable[[int, int, int], None]:
        look = noticing(engine)

        def seen(status: int, remaining: int, total: int) -> None:
            look(status, remaining, total)
            if remaining:
                writer.write()

        return seen

    monkeypatch.setattr(SqliteEngine, "_refuse_endless", also_writing)


def test_a_backup_takes_the_place_of_the_ledger_which_is_moved_aside(full: Ledger) -> None:
    taken = back_up(full, DAY)
    keep(full, record(lead(9)), cursor="two")
    full.close()
    before = full.path.read_bytes()
    assert restore(full.path, None, DAY) == (taken, set_aside(full.path)[0])
    assert set_aside(full.path)[0].read_bytes() == before
    assert mode(full.path) == 0o600
    back = open_ledger(full.path)
    assert record_of(back, lead(1))
    assert record_of(back, lead(9)) is None
    assert back.position() > 1_000_000
    back.close()


@pytest.mark.parametrize("damage", ["truncated", "zeroed", "gone", "journal"])
def test_a_damaged_ledger_is_replaced_and_kept(full: Ledger, damage: str) -> None:
    back_up(full, DAY)
    full.close()
    journal = full.path.with_name(full.path.name + "-journal")
    if damage == "gone":
        full.path.unlink()
    elif damage == "truncated":
        os.truncate(full.path, 5000)
    else:
        full.path.write_bytes(b"\0" * 8192)
    if damage == "journal":
        journal.write_bytes(b"\xd9\xd5\x05\xf9\x20\xa1\x63\xd7" + b"\0" * 600)
    _, aside = restore(full.path, None, DAY)
    assert (aside is None) == (damage == "gone")
    assert not journal.exists()
    back = open_ledger(full.path)
    assert list(faults_of(back)) == []
    assert record_of(back, lead(1))
    back.close()


def test_a_backup_that_is_damaged_or_none_is_refused_and_what_is_there_stays(full: Ledger, folder: Path) -> None:
    with pytest.raises(DataError, match="no backup in"):
        restore(full.path, None, DAY)
    with pytest.raises(DataError, match=r"no backup .*other"):
        restore(full.path, folder / "other", DAY)
    good = back_up(full, DAY)
    full.close()
    before = full.path.read_bytes()
    other = folder / "other.db"
    other.write_bytes(b"SQLite format 3\0 and nothing else" * 50)
    altered = folder / "altered.db"
    altered.write_bytes(gzip.decompress(good.read_bytes()).replace(b"bo@buyer.io", b"al@buyer.io"))
    cut = folder / "cut.db.gz"
    cut.write_bytes(good.read_bytes()[:-100])
    flipped = folder / "flipped.db.gz"
    flipped.write_bytes(good.read_bytes()[:-5] + b"\0" + good.read_bytes()[-4:])
    for bad in (other, altered, cut, flipped):
        with pytest.raises(LedgerError):
            restore(full.path, bad, DAY)
    assert full.path.read_bytes() == before
    assert not set_aside(full.path)
    assert not list(folder.glob(".*"))


def test_a_folder_that_cannot_be_made_is_the_disks_trouble(full: Ledger) -> None:
    folder_of(full.path).write_text("a file")
    with pytest.raises(DiskError, match="cannot write a backup"):
        back_up(full, DAY)


def test_what_a_restore_that_was_killed_left_is_not_played_into_the_next(full: Ledger) -> None:
    """It leaves a copy and, in the middle of a transaction, its journal, which SQLite takes for that of any file of
    the name."""
    back_up(full, DAY)
    full.close()
    arriving = arriving_at(full.path)
    shutil.copyfile(full.path, arriving)
    connection = sqlite3.connect(arriving, isolation_level=None)
    connection.execute("UPDATE records SET stage = 'of another time'")
    connection.execute("PRAGMA cache_size=1")
    connection.execute("BEGIN IMMEDIATE")
    connection.execute("UPDATE records SET stage = 'x'")
    connection.execute("INSERT INTO runs (command, version, started_at) VALUES (hex(randomblob(20000)), '', '')")
    journal = arriving.with_name(arriving.name + "-journal")
    hot = journal.read_bytes()
    connection.close()
    journal.write_bytes(hot)
    restore(full.path, None, DAY)
    assert not list(full.path.parent.glob(".*"))
    back = open_ledger(full.path)
    assert list(faults_of(back)) == []
    back.close()


def test_a_backup_takes_away_what_one_that_was_killed_left(full: Ledger) -> None:
    first = back_up(full, DAY)
    left = arriving_at(first)
    left.write_bytes(b"half of a ledger")
    left.with_name(left.name + "-journal").write_bytes(b"its journal")
    second = back_up(full, DAY + timedelta(seconds=1))
    assert sorted(folder_of(full.path).iterdir()) == [first, second]


def test_only_what_refloop_named_counts_and_nothing_else_is_touched(full: Ledger, tmp_path: Path) -> None:
    first = back_up(full, DAY)
    folder = folder_of(full.path)
    elsewhere = tmp_path / "elsewhere.db"
    elsewhere.write_text("somebody else's")
    foreign = [folder / "zzz.db", folder / "0000.db", folder / "20990101.db", folder / ".hidden", folder / ".env.db"]
    for file in foreign:
        file.write_text("somebody else's")
    (folder / "29990101T000000.000000Z.db").mkdir()
    (folder / "20260101T000000.000000Z.db").symlink_to(elsewhere)
    assert all_backups_of(full.path) == [first]
    for number in range(1, 12):
        back_up(full, DAY + timedelta(seconds=number))
    assert len(all_backups_of(full.path)) == NEWEST + 1
    assert all(file.read_text() == "somebody else's" for file in [*foreign, elsewhere])
    assert (folder / "29990101T000000.000000Z.db").is_dir()


def test_a_backup_of_the_future_is_no_news_and_is_not_restored(full: Ledger) -> None:
    wrong = back_up(full, DAY + timedelta(days=900))
    taken = back_up_daily(full, DAY)
    assert taken is not None
    assert backups_of(full.path, DAY) == [taken]
    assert all_backups_of(full.path) == [wrong, taken]
    full.close()
    chosen, _aside = restore(full.path, None, DAY)
    assert chosen == taken


def test_a_folder_that_is_a_link_is_refused(full: Ledger, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    folder_of(full.path).symlink_to(elsewhere)
    with pytest.raises(DiskError, match="is a link"):
        back_up(full, DAY)
    assert list(elsewhere.iterdir()) == []
    assert all_backups_of(full.path) == []
