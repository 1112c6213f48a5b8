"""A sync dies at any statement and at any call; the next one ends as if nothing had happened.

Each test plays a short history with syncs in between, once undisturbed and counting the points at which a process
may die, then once for each of those points. From its death on, the process can neither reach the ledger nor a CRM;
what it had not committed is gone with its connection.
"""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from refloop.ledger import Ledger, open_ledger, records
from refloop.ledger.engine.sqlite import SqliteEngine
from refloop.ledger.runs import INTERRUPTED, problems_from
from refloop.model import Kind, Page, Problem, Ref
from refloop.sync.context import RunContext
from refloop.sync.stage import CHUNK, Stage
from refloop.testing import Draft, MemoryCrm
from tests.new_ledger import new_ledger
from tests.sync.loop import MEMORY_DISK, Loop, assert_balanced

SAMPLE = 11
"""Of the statements, every so many-th in the quick test; of the calls to the CRMs, each."""


class Killed(BaseException):
    """The process is dead."""


@dataclass
class Fate:
    """Counts the points at which a process may die, and lets it die at one of them."""

    deadly: int = -1
    armed: bool = False
    points: list[str] = field(default_factory=list)
    dead: bool = False
    kills: int = 0

    def point(self, what: str) -> None:
        if self.dead:
            raise Killed
        if not self.armed:
            return
        self.points.append(what)
        if len(self.points) - 1 == self.deadly:
            self.dead = True
            self.kills += 1
            raise Killed


class CrashingConnection:
    """An SQLite connection whose process may die before any statement."""

    def __init__(self, real: Any, fate: Fate) -> None:
        self._real = real
        self._fate = fate

    def execute(self, sql: str, *parameters: Any) -> Any:
        self._fate.point(f"sql {sql[:40]}")
        return self._real.execute(sql, *parameters)

    def executemany(self, sql: str, rows: Iterable[Any]) -> Any:
        self._fate.point(f"sql {sql[:40]}")
        return self._real.executemany(sql, rows)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)


def engine_of(ledger: Ledger) -> SqliteEngine:
    """The engine under a ledger, of which a test may replace the connection."""
    assert isinstance(ledger.engine, SqliteEngine)
    return ledger.engine


class CrashingCrm(MemoryCrm):
    """A CRM whose caller may die before a call, before any record of a write, and before the answer arrives."""

    fate = Fate()

    def _admit(self, token: str, endpoint: str) -> None:
        self.fate.point(f"crm {endpoint}")
        super()._admit(token, endpoint)

    def _write(self, ref: Ref, values: Mapping[str, str | None]) -> str:
        self.fate.point("crm write of a record")
        return super()._write(ref, values)

    def api_write(self, token: str, values: Mapping[Ref, Mapping[str, str | None]]) -> Mapping[Ref, str]:
        answer = super().api_write(token, values)
        self.fate.point("crm answer to a write")
        return answer


@dataclass
class End:
    """What a history came to."""

    fields: dict[Ref, dict[str, str]]
    writes: dict[Ref, Counter[str]]
    conflicts: set[tuple[str, str, str | None]]
    standing: set[tuple[str, str, str]]


class Life:
    """A history of two CRMs, synced after each chapter by a process that may die."""

    def __init__(self, folder: Path, deadly: int) -> None:
        self.fate = Fate(deadly)
        self.path = folder / "refloop.db"
        self.crms = {name: CrashingCrm(name) for name in ("sales", "marketing")}
        self.refs: list[Ref] = []
        new_ledger(self.path).close()
        self.loop = self.opened()
        self.loop.provision()
        self.loop.code("ANNA-7K2Q", "anna", "anna@partners.io")
        self.loop.code("BENS-4F6T", "ben", "ben@partners.io")
        for crm in self.crms.values():
            crm.fate = self.fate

    def opened(self) -> Loop:
        return Loop(open_ledger(self.path), dict(self.crms))

    def live(self) -> End:
        for chapter in (self.beginning, self.middle, self.ending):
            chapter()
            for crm in self.crms.values():
                crm.pass_time(timedelta(hours=1))  # further than a pull looks back: nothing is healed by luck
            self.sync()
        written = sum(map(len, self.writes().values()))
        report = self.loop.sync()
        assert sum(counts["written"] for counts in report.counts.values()) == 0
        assert sum(map(len, self.writes().values())) == written, "a sync with nothing new wrote something"
        return self.end()

    def sync(self) -> None:
        engine = engine_of(self.loop.ledger)
        real = engine.connection
        engine.connection = CrashingConnection(real, self.fate)  # type: ignore[assignment]  # quacks like one
        self.fate.armed = True
        try:
            self.loop.sync()
        except Killed:
            real.close()
            self.fate.armed = self.fate.dead = False
            self.loop = self.opened()
            self.loop.sync()
        else:
            self.fate.armed = False
            engine.connection = real

    def create(self, crm: str, kind: Kind, draft: Draft) -> Ref:
        self.refs.append(self.crms[crm].create(kind, draft))
        return self.refs[-1]

    def beginning(self) -> None:
        self.create("sales", Kind.CONTACT, Draft(email="anna@partners.io"))
        self.create("marketing", Kind.CONTACT, Draft(email="anna@partners.io"))
        self.leads = [
            self.create("sales", Kind.LEAD, Draft(email=f"b{n}@buyer.io", title=f"Buyer {n}", code="ANNA-7K2Q"))
            for n in range(4)
        ]
        self.twin = self.create("marketing", Kind.CONTACT, Draft(email="b1@buyer.io"))
        self.other = self.create("marketing", Kind.CONTACT, Draft(email="b9@buyer.io", code="bens 4f6t"))
        self.crms["sales"].write(self.leads[3], self.loop.policy.spec("ref_status"), "on_hold")

    def middle(self) -> None:
        sales = self.crms["sales"]
        contact, self.deal = sales.convert(self.leads[0])
        self.refs += [contact, self.deal]
        self.crms["sales"].edit(self.leads[2], "BENS-4F6T")
        deal = self.create("marketing", Kind.DEAL, Draft(title="Big", amount=Decimal("12.5")))
        self.crms["marketing"].associate(deal, self.twin)

    def ending(self) -> None:
        self.crms["sales"].win(self.deal)
        self.crms["marketing"].merge(self.other, self.twin)
        self.crms["sales"].edit(self.leads[2], "")

    def writes(self) -> dict[Ref, Counter[str]]:
        return {
            ref: Counter(name for own in self.crms[ref.connection].writes(ref) for name in own) for ref in self.refs
        }

    def end(self) -> End:
        rows = self.loop.ledger.rows
        assert self.loop.ledger.one("SELECT 1 FROM outbox") is None
        assert_balanced(self.loop.ledger)
        interrupted = [problems_from(row["problems"]) for row in rows("SELECT problems FROM runs WHERE exit IS NULL")]
        assert interrupted in ([], [(Problem("", INTERRUPTED),)] * self.fate.kills)
        return End(
            {ref: self.loop.fields(ref) for ref in self.refs},
            self.writes(),
            {(row["id"], row["field"], row["found"]) for row in rows("SELECT * FROM conflicts")},
            {(row["code"], row["status"], row["status_at"]) for row in rows("SELECT * FROM standing")},
        )


def live(deadly: int = -1) -> tuple[End, Fate]:
    with tempfile.TemporaryDirectory(dir=MEMORY_DISK) as folder:
        life = Life(Path(folder), deadly)
        try:
            return life.live(), life.fate
        finally:
            life.loop.ledger.close()


def die_everywhere(choose: Callable[[int, str], bool]) -> int:
    """Dies at each of the chosen points of the undisturbed history, and compares the ends. Returns how often."""
    undisturbed, fate = live()
    assert undisturbed.conflicts, "a person's value is at stake"
    assert undisturbed.fields
    chosen = [number for number, what in enumerate(fate.points) if choose(number, what)]
    kills = 0
    for number in chosen:
        end, fatal = live(number)
        kills += fatal.kills
        assert end == undisturbed, f"dying at point {number}, {fatal.points[number]}, shows"
    assert kills == len(chosen)
    return kills


def at_calls(_number: int, what: str) -> bool:
    return what.startswith("crm")


def a_sample(number: int, what: str) -> bool:
    return at_calls(number, what) or number % SAMPLE == 0


def every_point(_number: int, _what: str) -> bool:
    return True


def around_writes(_number: int, what: str) -> bool:
    return what.startswith(("crm", "sql BEGIN", "sql DELETE", "sql INSERT"))


def test_a_sync_that_dies_anywhere_is_made_good_by_the_next() -> None:
    assert die_everywhere(a_sample) > 100


@pytest.mark.slow
def test_a_sync_that_dies_anywhere_is_made_good_by_the_next_at_every_point() -> None:
    assert die_everywhere(every_point) > 1000


# that the harness would notice


def no_outbox(*arguments: object) -> None:
    """Sends without having written down what."""


def cursor_first(
    ledger: Ledger, run: int, connection: str, page: Page, now: datetime, *, by_name: bool = False
) -> Counter[str]:
    """Keeps the cursor in a transaction of its own, before the records."""
    records.keep_page(ledger, run, connection, Page(cursor=page.cursor), now)
    return records.keep_page(ledger, run, connection, page, now, by_name=by_name)


def dequeue_first(self: Stage[Any], context: RunContext) -> int:
    """Takes work off the list before it is done."""
    names = self.waiting.next(context.ledger, self.topic, CHUNK)
    if names:
        with context.ledger.writing():
            self.waiting.drop(context.ledger, self.topic, names)
        with context.ledger.writing():
            self.decide(context, names).queue(context.ledger)
    return len(names)


@pytest.mark.parametrize(
    ("target", "naive", "choose"),
    [
        ("refloop.sync.push.intend", no_outbox, at_calls),
        ("refloop.sync.pull.keep_page", cursor_first, around_writes),
        ("refloop.sync.stage.Stage.work", dequeue_first, around_writes),
    ],
    ids=["no outbox", "cursor before records", "off the list before it is done"],
)
def test_the_harness_notices_a_naive_sync(
    monkeypatch: pytest.MonkeyPatch, target: str, naive: object, choose: Callable[[int, str], bool]
) -> None:
    """Negative controls: each of these loses something when it dies at the wrong moment, and at no other."""
    monkeypatch.setattr(target, naive)
    live()
    with pytest.raises(AssertionError, match="shows"):
        die_everywhere(choose)
