"""One run: its journal, its troubles, its limits, and that it is alone."""

from __future__ import annotations

import json
import stat
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Never

import pytest

from refloop.connectors.base import Connector
from refloop.errors import (
    AuthError,
    ConfigError,
    ConnectorFault,
    CrmUnavailable,
    Exit,
    LedgerError,
    RefloopError,
    TryLater,
)
from refloop.ledger import Ledger
from refloop.ledger.receipts import intend
from refloop.ledger.runs import problems_from
from refloop.model import FieldChange, Kind, Problem
from refloop.sync.lock import alone
from refloop.sync.run import Runner, Task
from refloop.sync.run_report import Report, severity
from refloop.testing import Draft
from tests.sync.loop import NOW, Loop


def journal(ledger: Ledger) -> list[tuple[str, int | None, dict[str, dict[str, int]], tuple[Problem, ...]]]:
    return [
        (row["command"], row["exit"], json.loads(row["counts"]), problems_from(row["problems"]))
        for row in ledger.rows("SELECT * FROM runs ORDER BY run")
    ]


def raising(error: BaseException) -> Callable[[], Connector]:
    def connect() -> Connector:
        raise error

    return connect


def runner(loop: Loop, **connections: Callable[[], Connector]) -> Runner:
    given = {name: crm.connector for name, crm in loop.crms.items()} | connections
    return Runner(loop.ledger, loop.policy, given, lambda: NOW)


def test_a_run_is_in_the_journal_with_what_it_did(loop: Loop) -> None:
    loop.code("ANNA-7K2Q", "anna")
    loop.crms["sales"].create(Kind.LEAD, Draft(email="bo@buyer.io", code="ANNA-7K2Q"))
    loop.sync()
    ((command, code, counts, problems),) = journal(loop.ledger)
    assert (command, code, problems) == ("sync", 0, ())
    assert (counts["sales"]["pulled"], counts["sales"]["written"]) == (1, 6)
    assert counts["sales"]["calls"] > 0


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (AuthError("no"), Exit.AUTH),
        (CrmUnavailable("no"), Exit.UNAVAILABLE),
        (TryLater("no"), Exit.LATER),
        (ConfigError("no"), Exit.CONFIG),
    ],
)
def test_a_connection_that_cannot_be_opened_is_its_own_trouble(loop: Loop, error: RefloopError, code: Exit) -> None:
    loop.code("ANNA-7K2Q", "anna")
    lead = loop.crms["sales"].create(Kind.LEAD, Draft(email="bo@buyer.io", code="ANNA-7K2Q"))
    report = runner(loop, marketing=raising(error)).run(Task("sync"))
    assert (report.exit, [name for name, _ in report.problems]) == (code, ["marketing"])
    assert loop.fields(lead)["code"] == "ANNA-7K2Q"
    assert journal(loop.ledger)[-1][1:] == (code, report.counts, (Problem("marketing", "no"),))


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (KeyboardInterrupt(), Exit.INTERRUPTED),
        (SystemExit(143), Exit.TERMINATED),
        (LedgerError("damaged"), Exit.DATA),
        (ZeroDivisionError(), Exit.BUG),
    ],
)
def test_however_a_run_ends_it_is_closed_and_its_sockets_too(loop: Loop, error: BaseException, code: Exit) -> None:
    closed: list[str] = []
    crm = loop.crms["sales"]

    def connect() -> Connector:
        connector = crm.connector()
        close = connector.close

        def listening() -> None:
            closed.append("sales")
            close()

        connector.close = listening  # type: ignore[method-assign]  # listens
        return connector

    with pytest.raises(type(error)):
        runner(loop, sales=connect, marketing=raising(error)).run(Task("sync"))
    assert [entry[1] for entry in journal(loop.ledger)] == [code]
    assert closed == ["sales"]


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (CrmUnavailable("MALFORMED_QUERY"), Exit.UNAVAILABLE),
        (ConnectorFault("over itself"), Exit.BUG),
        (KeyError("jane@buyer.io"), Exit.BUG),
        (RecursionError(), Exit.BUG),
        (ZeroDivisionError(), Exit.BUG),
    ],
)
@pytest.mark.parametrize("method", ["pull", "push", "read"])
def test_whatever_a_connector_stumbles_over_the_others_go_on(
    loop: Loop, error: Exception, code: Exit, method: str
) -> None:
    loop.code("ANNA-7K2Q", "anna")
    draft = Draft(email="bo@buyer.io", code="ANNA-7K2Q")
    leads = {name: loop.crms[name].create(Kind.CONTACT, draft) for name in loop.crms}
    if method == "read":  # there is something to settle
        change = FieldChange(leads["sales"], loop.policy.spec("ref_why"), None, "after", "because")
        with loop.ledger.writing():
            intend(loop.ledger, 1, [change])

    def stumbling() -> Connector:
        connector = loop.crms["sales"].connector()

        def stumble(*_: object) -> Never:
            raise error

        setattr(connector, method, stumble)
        return connector

    report = runner(loop, sales=stumbling).run(Task("sync"))
    assert ([name for name, _ in report.problems], report.exit) == (["sales"], code)
    assert "jane" not in str(report.problems)
    assert loop.fields(leads["marketing"])["code"] == "ANNA-7K2Q"
    if method == "read":
        assert report.counts["sales"]["pulled"] == 1, "what cannot be settled does not keep a run from reading"


def test_a_code_that_was_sent_without_an_answer_is_no_evidence(loop: Loop, monkeypatch: pytest.MonkeyPatch) -> None:
    """It may be there, and nobody knows yet that it is ours: the run that cannot settle it reads all the same."""
    loop.code("ANNA-7K2Q", "anna")
    crm = loop.crms["sales"]
    lead = crm.create(Kind.LEAD, Draft(email="bo@buyer.io"))
    spec = loop.policy.spec("ref_code")
    crm.write(lead, spec, "ANNA-7K2Q")
    with loop.ledger.writing():
        intend(loop.ledger, 1, [FieldChange(lead, spec, None, "ANNA-7K2Q", "because")])

    def unread() -> Connector:
        connector = crm.connector()

        def no(*_: object) -> Never:
            raise CrmUnavailable("no")

        monkeypatch.setattr(connector, "read", no)  # what settles
        return connector

    report = runner(loop, sales=unread).run(Task("sync"))
    assert report.counts["sales"]["pulled"] == 1
    assert [row["ref"] for row in loop.ledger.rows("SELECT referral AS ref FROM referrals")] == []


def test_a_cursor_that_is_no_cursor_is_its_connections_trouble(loop: Loop) -> None:
    loop.sync()
    loop.ledger.execute("UPDATE cursors SET cursor = 'nonsense' WHERE connection = 'sales'")
    report = loop.sync()
    assert [name for name, _ in report.problems] == ["sales"]
    assert report.exit is Exit.DATA


@pytest.mark.parametrize(("limit", "stopped"), [(11, True), (12, False), (0, True), (None, False)])
def test_a_run_that_would_change_too_much_writes_nothing(loop: Loop, limit: int | None, stopped: bool) -> None:
    loop.code("ANNA-7K2Q", "anna")
    made = [
        loop.crms[name].create(Kind.LEAD, Draft(email=f"{name}@buyer.io", code="ANNA-7K2Q"))
        for name in ("sales", "marketing")
    ]
    task = Task("sync", max_changes=limit)
    if stopped:
        with pytest.raises(ConfigError, match="12 changes, more than"):
            loop.runner().run(task)
    else:
        loop.runner().run(task)
    assert all(bool(loop.fields(ref)) is not stopped for ref in made)


def test_the_worst_trouble_speaks_for_all() -> None:
    report = Report(1, problems=[("a", TryLater("")), ("b", ConfigError("")), ("c", AuthError(""))])
    assert report.exit is Exit.CONFIG
    ranked = [Exit.OK, Exit.ATTENTION, Exit.LATER, Exit.UNAVAILABLE, Exit.AUTH, Exit.CONFIG, Exit.DATA]
    assert sorted(ranked, key=severity) == ranked
    for word in ("conflicts", "refused", "parked", "unknown", "moved"):
        report = Report(1)
        report.add("sales", {word: 1, "written": 5})
        assert report.exit is Exit.ATTENTION
    assert Report(1).exit is Exit.OK


def test_only_one_run_at_a_time(loop: Loop) -> None:
    with alone(loop.ledger, lambda: NOW):
        with pytest.raises(TryLater, match="another refloop"), alone(loop.ledger, lambda: NOW):
            pytest.fail("two at once")
        lock = Path(f"{loop.ledger.path}.lock")
        assert stat.S_IMODE(lock.stat().st_mode) == 0o600
    with alone(loop.ledger, lambda: NOW):
        pass


def test_a_tick_with_nothing_new_leaves_the_ledger_as_it_is(loop: Loop) -> None:
    loop.code("ANNA-7K2Q", "anna")
    for crm in loop.crms.values():
        for number in range(20):
            crm.create(Kind.LEAD, Draft(email=f"b{number}@buyer.io", code="ANNA-7K2Q"))
    loop.sync()
    for crm in loop.crms.values():
        crm.pass_time(timedelta(hours=1))
    loop.sync()  # it saw its own writes come back
    position = loop.ledger.position()
    before = {name: sum(crm.calls.values()) for name, crm in loop.crms.items()}  # type: ignore[attr-defined]  # memory's
    tables = [row["name"] for row in loop.ledger.rows("SELECT name FROM sqlite_schema WHERE type = 'table'")]
    quiet = [name for name in tables if name not in ("runs", "cursors", "sqlite_stat1")]

    def content() -> dict[str, list[tuple[object, ...]]]:
        return {name: [tuple(row) for row in loop.ledger.rows(f"SELECT * FROM {name}")] for name in quiet}  # noqa: S608 - tables' names

    held = content()
    loop.sync()
    after = {name: sum(crm.calls.values()) for name, crm in loop.crms.items()}  # type: ignore[attr-defined]  # memory's
    assert content() == held
    assert loop.ledger.position() == position
    assert all(after[name] - before[name] <= 2 for name in after)
