"""A ledger that was written before rules and history were kept: it is opened, keeps everything, and owes nothing.

`previous_schema.sql` is what commit a70badc made of `history`, with its own code, as SQLite's own dump.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from refloop.errors import Exit
from refloop.ledger import Ledger, open_ledger
from refloop.ledger.soundness import faults_of
from refloop.ledger.store import ref_of
from refloop.model import Kind, Ref
from refloop.sync.intake import Claim, submit
from refloop.testing import Draft, MemoryCrm
from tests.sync.loop import NOW, Loop

DUMP = Path(__file__).with_name("previous_schema.sql")


def history(loop: Any, submitted: Callable[[Claim], object]) -> None:
    """Two CRMs over three syncs. Of everything that is kept there is something, and what a person has to look at."""
    loop.provision()
    loop.code("ANNA-7K2Q", "anna", "anna@partners.io")
    loop.code("BENS-4F6T", "ben", "ben@partners.io")
    sales, marketing = loop.crms["sales"], loop.crms["marketing"]
    sales.create(Kind.CONTACT, Draft(email="anna@partners.io"))
    leads = [
        sales.create(Kind.LEAD, Draft(email=f"b{n}@buyer.io", title=f"Buyer {n}", code="ANNA-7K2Q")) for n in range(4)
    ]
    twin = marketing.create(Kind.CONTACT, Draft(email="b1@buyer.io"))
    rival = marketing.create(Kind.CONTACT, Draft(email="b1@buyer.io", code="bens 4f6t"))
    marketing.create(Kind.LEAD, Draft(email="near@buyer.io", code="ANNA-7K2X"))
    sales.create(Kind.LEAD, Draft(email="both@buyer.io", code="ANNA-7K2Q or BENS-4F6T"))
    with loop.ledger.writing():
        submitted(Claim("BENS-4F6T", "late@buyer.io", NOW.date(), "met at the fair"))
        submitted(Claim("BENS-4F6T", "b2@buyer.io", NOW.date(), ""))
    loop.sync()
    _, deal = sales.convert(leads[0])
    big = marketing.create(Kind.DEAL, Draft(title="Big", amount=Decimal("12.5")))
    marketing.associate(big, twin)
    marketing.associate(big, rival)
    status = next(spec for spec in loop.policy.fields if spec.name == "ref_status")
    sales.write(leads[3], status, "on_hold")
    sales.edit(leads[2], "")
    loop.sync()
    sales.win(deal)
    marketing.win(big)
    sales.merge(leads[1], leads[3])
    loop.sync()


@pytest.fixture
def old(folder: Path) -> Path:
    path = folder / "old.db"
    path.touch(0o600)
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(DUMP.read_text(encoding="utf-8"))
        connection.execute(f"PRAGMA application_id={0x5265664C}")
    return path


@pytest.fixture
def loop(folder: Path) -> Iterator[Loop]:
    """The same history, so that both CRMs are as they were left."""
    made = Loop(open_ledger(folder / "new.db"), {"sales": MemoryCrm("sales"), "marketing": MemoryCrm("marketing")})
    history(made, lambda claim: submit(made.context(1), claim))
    yield made
    made.ledger.close()


def tables(path: Path) -> dict[str, list[dict[str, Any]]]:
    with closing(sqlite3.connect(path)) as connection:
        connection.row_factory = sqlite3.Row
        names = [row["name"] for row in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")]
        return {name: [dict(row) for row in connection.execute(f"SELECT * FROM {name}")] for name in names}  # noqa: S608 - a table's name


def test_everything_is_kept_and_sound(old: Path) -> None:
    before = tables(old)
    assert {name for name, kept in before.items() if not kept} <= {"forgotten", "lease", "outbox", "queue", "undone"}
    with closing(open_ledger(old)) as ledger:
        assert list(faults_of(ledger)) == []
    after = tables(old)
    for name in before.keys() - {"_sqlite_migrations", "runs"}:  # what a run came to is told in more words since
        kept = [{column: row[column] for column in was} for row, was in zip(after[name], before[name], strict=True)]
        assert kept == before[name]
    assert [(row["run"], row["counts"], row["exit"]) for row in after["runs"]] == [
        (row["run"], row["counts"], row["exit"]) for row in before["runs"]
    ]


def test_what_it_becomes_is_what_is_made_today(old: Path, folder: Path) -> None:
    for path in (old, folder / "new.db"):
        open_ledger(path).close()
    assert schema(old) == schema(folder / "new.db")


def schema(path: Path) -> set[tuple[str, ...]]:
    with closing(sqlite3.connect(path)) as connection:
        rows = connection.execute("SELECT type, name, sql FROM sqlite_schema WHERE sql IS NOT NULL")
        return {(kind, name, " ".join(sql.split())) for kind, name, sql in rows}


def test_the_next_sync_writes_nothing(old: Path, loop: Loop) -> None:
    written = writes(loop)
    loop.ledger.close()
    loop.ledger = open_ledger(old)
    assert loop.ledger.one("SELECT 1 FROM meta WHERE key LIKE 'policy:%'") is None
    before = decided(loop.ledger)
    assert loop.sync().exit in (Exit.OK, Exit.ATTENTION)
    assert writes(loop) == written
    after = decided(loop.ledger)
    new = {name: [row for row in rows if row not in before[name]] for name, rows in after.items()}
    # two codes of two referrers came in one instant: spelling decided who was first, and now a person does
    assert sorted(name for name, rows in new.items() for _ in rows) == sorted(
        ["questions", "review_items", "referrals", "claims", "credits"]
    )
    assert new["questions"][0][:4] == ("marketing", "deal", "000004", "who-was-first")
    assert list(faults_of(loop.ledger)) == []


def writes(loop: Loop) -> dict[Ref, list[frozenset[str]]]:
    refs = [ref_of(row) for row in loop.ledger.rows("SELECT connection, kind, id FROM records")]
    return {ref: list(loop.crms[ref.connection].writes(ref)) for ref in refs}


def decided(ledger: Ledger) -> dict[str, list[tuple[Any, ...]]]:
    names = (
        *("matches", "questions", "referrals", "members", "credits", "statuses", "receipts", "conflicts"),
        *("claims", "memberships", "code_definitions", "review_items"),
    )
    return {name: [tuple(row) for row in ledger.rows(f"SELECT * FROM {name} ORDER BY 1, 2, 3, 4")] for name in names}  # noqa: S608 - a table's name
