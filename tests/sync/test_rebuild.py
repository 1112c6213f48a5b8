"""Everything the CRMs showed is forgotten and pulled again: the end is the same, and half of it is not believed."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta

import pytest

from refloop.connectors.base import Connector
from refloop.errors import CrmUnavailable, Exit, TimeIsUp
from refloop.ledger import Ledger
from refloop.ledger.backups import back_up, restore
from refloop.ledger.rebuild import awaited, rebuild
from refloop.model import Between, Kind, Ref
from refloop.sync.run import Runner, Task
from refloop.testing import Draft
from tests.sync.loop import BY, NOW, Loop

BOTH = ("sales", "marketing")


@pytest.fixture
def leads(loop: Loop) -> list[Ref]:
    """A lead in each CRM whose buyer is one, a won deal, and some that nobody referred; synced."""
    loop.code("ANNA-7K2Q", "anna", "anna@partners.io")
    sales, marketing = (loop.crms[name] for name in BOTH)
    made = [
        sales.create(Kind.LEAD, Draft(email="bo@buyer.io", code="ANNA-7K2Q")),
        marketing.create(Kind.LEAD, Draft(email="bo@buyer.io")),
        *(sales.create(Kind.LEAD, Draft(email=f"n{number}@buyer.io")) for number in range(3)),
    ]
    assert loop.sync().exit is Exit.OK
    return made


def decided(ledger: Ledger) -> dict[str, list[tuple[object, ...]]]:
    tables = ("matches", "referrals", "members", "credits", "statuses", "receipts", "conflicts", "codes")
    return {name: [tuple(row) for row in ledger.rows(f"SELECT * FROM {name}")] for name in tables}  # noqa: S608 - tables' names


def writes(reports: Iterable[object]) -> int:
    return sum(counts["written"] for report in reports for counts in report.counts.values())  # type: ignore[attr-defined]  # reports


def test_after_a_rebuild_the_next_sync_decides_the_same_and_writes_nothing(loop: Loop, leads: list[Ref]) -> None:
    before = decided(loop.ledger)
    assert rebuild(loop.ledger, BOTH, BY) == 5
    assert awaited(loop.ledger) == sorted(BOTH)
    report = loop.sync()
    assert (report.exit, writes([report])) == (Exit.OK, 0)
    assert decided(loop.ledger) == before
    assert awaited(loop.ledger) == []


def test_nothing_is_decided_before_all_connections_came_back(loop: Loop, leads: list[Ref]) -> None:
    before = decided(loop.ledger)
    rebuild(loop.ledger, BOTH, BY)

    def down() -> Connector:
        raise CrmUnavailable("down")

    half = Runner(loop.ledger, loop.policy, {"sales": down, "marketing": loop.crms["marketing"].connector}, lambda: NOW)
    assert half.run(Task("sync")).exit is Exit.UNAVAILABLE
    assert decided(loop.ledger) == before
    assert loop.sync("marketing").exit is Exit.LATER
    assert loop.sync(span=Between(NOW - timedelta(days=1), NOW)).exit is Exit.LATER
    assert decided(loop.ledger) == before
    assert loop.sync().exit is Exit.OK
    assert decided(loop.ledger) == before


def test_a_connection_that_is_configured_no_more_is_not_waited_for(loop: Loop, leads: list[Ref]) -> None:
    rebuild(loop.ledger, BOTH, BY)
    rebuild(loop.ledger, ["sales"], BY)
    assert awaited(loop.ledger) == ["sales"]
    assert loop.sync("sales").exit is Exit.OK


def test_a_crm_that_shows_far_less_is_not_believed_until_told_so(loop: Loop, leads: list[Ref]) -> None:
    before = decided(loop.ledger)
    rebuild(loop.ledger, BOTH, BY)
    loop.ledger.execute("UPDATE meta SET value = '9' WHERE key = 'awaited:sales'")
    for _ in range(2):
        report = loop.sync()
        assert report.exit is Exit.DATA
        assert "4 records; before, there were 9" in str(dict(report.problems)["sales"])
    assert decided(loop.ledger) == before
    assert loop.runner().run(Task("sync", allow_shrink=True)).exit is Exit.OK
    assert loop.sync().exit is Exit.OK


def test_a_ledger_that_was_put_back_goes_on(loop: Loop, leads: list[Ref]) -> None:
    back_up(loop.ledger, NOW)
    loop.crms["sales"].pass_time(timedelta(hours=1))
    late = loop.crms["sales"].create(Kind.LEAD, Draft(email="late@buyer.io", code="ANNA-7K2Q"))
    loop.sync()
    before = {ref: loop.fields(ref) for ref in [*leads, late]}
    path = loop.ledger.path
    loop.ledger.close()
    restore(path, None, NOW)
    loop.reopen()
    report = loop.sync()
    # what was written after the backup is found as if a person had written it: shown, not overwritten
    assert (report.problems, writes([report])) == ([], 0)
    assert {ref: loop.fields(ref) for ref in [*leads, late]} == before


def test_a_run_that_takes_too_long_stops_and_the_next_goes_on(loop: Loop) -> None:
    loop.code("ANNA-7K2Q", "anna")
    refs = [
        loop.crms["sales"].create(Kind.LEAD, Draft(email=f"b{number}@buyer.io", code="ANNA-7K2Q"))
        for number in range(10)
    ]
    now = [NOW]

    def slow(stage: str, about: str, done: int) -> None:
        now[0] += timedelta(minutes=5)

    stops = 0
    for _ in range(20):
        connections = {name: crm.connector for name, crm in loop.crms.items()}
        task = Task("sync", max_runtime=timedelta(minutes=30))
        try:
            Runner(loop.ledger, loop.policy, connections, lambda: now[0], slow).run(task)
            break
        except TimeIsUp:
            stops += 1
    assert stops
    assert all(loop.fields(ref)["code"] == "ANNA-7K2Q" for ref in refs)
    exits = [row["exit"] for row in loop.ledger.rows("SELECT exit FROM runs ORDER BY run")]
    assert exits == [Exit.LATER] * stops + [Exit.OK]
