"""What monitoring is told: ages, failures, what waits, quota; and as Prometheus metrics."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from refloop.connectors.base import Connector
from refloop.errors import AuthError, CrmUnavailable, DiskError
from refloop.ledger.backups import back_up, folder_of
from refloop.ledger.lease import EXPIRY
from refloop.ledger.receipts import intend
from refloop.ledger.runs import INTERRUPTED, start_run
from refloop.model import FieldChange, Kind, Usage
from refloop.report.health import ConnectionHealth, Health, LastError, alarms, health
from refloop.report.prometheus import Metric, exposition, metrics, write_metrics
from refloop.sync.lock import alone
from refloop.sync.plan import Planner
from refloop.sync.run import Runner, Task
from refloop.testing import Draft, MemoryConnector, MemoryCrm
from refloop.testing.memory_api import MemoryApi
from tests.sync.loop import NOW, Loop

BOTH = ("sales", "marketing")


def told(loop: Loop, after: timedelta = timedelta(), configured: tuple[str, ...] = BOTH) -> Health:
    return health(loop.ledger, Planner(loop.context()), configured, NOW + after)


def of(found: Health, name: str) -> ConnectionHealth:
    return next(one for one in found.connections if one.pulled.connection == name)


def down() -> Connector:
    raise CrmUnavailable("it is down")


def sync(loop: Loop, at: timedelta, **connections: Any) -> None:
    given = {name: crm.connector for name, crm in loop.crms.items()} | connections
    Runner(loop.ledger, loop.policy, given, lambda: NOW + at).run(Task("sync"))


def test_a_ledger_that_saw_nothing_yet(loop: Loop) -> None:
    found = told(loop)
    assert [(one.pulled.connection, one.age_seconds, one.last_success) for one in found.connections] == [
        ("marketing", None, None),
        ("sales", None, None),
    ]
    assert (found.backup, found.working, found.last_run, found.last_sync) == (None, None, None, None)
    assert alarms(found, timedelta(minutes=15)) == ["marketing: never pulled", "sales: never pulled"]


def test_the_age_of_each_pull_and_whose_trouble_it_was(loop: Loop) -> None:
    hour = timedelta(hours=1)
    sync(loop, timedelta())
    sync(loop, hour, marketing=down)
    found = told(loop, 2 * hour)
    sales, marketing = of(found, "sales"), of(found, "marketing")
    assert (sales.age_seconds, sales.last_success, sales.last_error) == (3600, NOW + hour, None)
    assert (marketing.age_seconds, marketing.last_success) == (7200, NOW)
    assert marketing.last_error == LastError("it is down", NOW + hour, run=2, over=False)
    assert alarms(found, timedelta(minutes=90)) == [
        "marketing: last pulled 2 hours ago, at 2026-06-01T09:00:00Z",
        "run 2 (sync) ended with exit code 69: marketing: it is down",
    ]
    sync(loop, 2 * hour)
    assert alarms(told(loop, 2 * hour), timedelta(minutes=90)) == []
    assert of(told(loop, 2 * hour), "marketing").last_error == LastError("it is down", NOW + hour, run=2, over=True)


def test_what_a_run_raised_concerns_all_and_a_bug_keeps_its_words_to_itself(loop: Loop) -> None:
    def broken() -> Connector:
        raise ZeroDivisionError("bo@buyer.io")

    given = {"sales": broken}
    with pytest.raises(ZeroDivisionError):
        Runner(loop.ledger, loop.policy, given, lambda: NOW).run(Task("plan", push=False))
    assert told(loop).last_sync is None, "who runs a plan by hand sees how it ends"
    with pytest.raises(ZeroDivisionError):
        sync(loop, timedelta(), sales=broken)
    found = told(loop)
    for name in BOTH:
        error = of(found, name).last_error
        assert error
        assert "ZeroDivisionError" in error.message
        assert of(found, name).last_success is None
    assert "bo@buyer.io" not in str(found)
    assert found.last_sync
    assert found.last_sync.failed


def test_a_killed_run_is_an_alarm_until_the_next_one(loop: Loop) -> None:
    sync(loop, timedelta())
    start_run(loop.ledger, "sync", "0", NOW)
    with alone(loop.ledger, lambda: NOW):
        assert alarms(told(loop), timedelta(hours=1)) == [], "it is at work"
    for _ in range(2):
        assert alarms(told(loop), timedelta(hours=1)) == [f"run 2 (sync) was killed: {INTERRUPTED}"]
        start_run(loop.ledger, "referrals import", "0", NOW)
    assert {one.last_error and one.last_error.run for one in told(loop).connections} == {2}
    sync(loop, timedelta())
    assert alarms(told(loop), timedelta(hours=1)) == []


@pytest.mark.parametrize(
    ("exit_code", "failed"),
    [(0, False), (3, False), (4, False), (5, False), (75, False), (130, False), (143, False)]
    + [(code, True) for code in (1, 2, 65, 69, 74, 77, 78)],
)
def test_which_ends_are_failures(loop: Loop, exit_code: int, failed: bool) -> None:
    sync(loop, timedelta())
    loop.ledger.execute("UPDATE runs SET exit = ?", (exit_code,))
    last = told(loop).last_sync
    assert last
    assert last.failed is failed


def test_a_connection_that_is_not_configured_any_more_is_shown_and_wakes_nobody(loop: Loop) -> None:
    sync(loop, timedelta())
    found = told(loop, timedelta(days=9), ("sales",))
    assert [one.configured for one in found.connections] == [False, True]
    assert alarms(found, timedelta(days=1)) == ["sales: last pulled 9 days ago, at 2026-06-01T09:00:00Z"]


def test_refused_changes_wait_and_are_gone_when_the_record_changes(loop: Loop) -> None:
    loop.code("ANNA-7K2Q", "anna")
    crm = loop.crms["sales"]
    lead = crm.create(Kind.LEAD, Draft(email="bo@buyer.io", code="ANNA-7K2Q"))
    crm.poison(lead)
    for times in (1, 2, 3, 3):
        loop.sync()
        found = told(loop).quarantine
        waiting = [(change.refusal.times, change.parked, change.refusal.ref) for change in found]
        assert waiting == [(times, times == 3, lead)] * 6
    crm.edit(lead, "nothing any more")
    crm.pass_time(timedelta(hours=1))
    loop.sync()
    # that its referral is withdrawn is another change, and refused as well
    assert [(one.refusal.field, one.refusal.times) for one in told(loop).quarantine] == [("ref_why", 1)]


def test_changes_of_unknown_fate_are_counted(loop: Loop) -> None:
    lead = loop.crms["sales"].create(Kind.LEAD, Draft())
    with loop.ledger.writing():
        intend(loop.ledger, 1, [FieldChange(lead, loop.policy.spec("ref_why"), None, "x", "because")])
    assert told(loop).unsettled == {"sales": 1}


def test_the_days_calls_are_split_between_us_and_others(loop: Loop) -> None:
    class Metered(MemoryConnector):
        used = 100

        def usage(self) -> Usage | None:
            return Usage(limit=1000, used=Metered.used, ours=20)

    def connect(api: MemoryApi, token: str) -> MemoryConnector:
        return Metered(api, token)

    metered = Loop(loop.ledger, {"sales": MemoryCrm("sales", connector_class=connect)})
    for hours in (0, 10, 20, 30):
        Metered.used += 50
        sync(metered, timedelta(hours=hours))
    (quota,) = told(metered, timedelta(hours=31)).quota
    # the runs of the last 24 hours are those at 10, 20 and 30
    assert (quota.limit, quota.used, quota.ours, quota.ours_day, quota.others) == (1000, 300, 20, 60, 240)
    (quota,) = told(metered, timedelta(days=3)).quota
    assert (quota.ours_day, quota.others) == (0, 300)


def test_who_works_and_the_newest_backup(loop: Loop) -> None:
    back_up(loop.ledger, NOW)
    back_up(loop.ledger, NOW + timedelta(hours=1))
    (folder_of(loop.ledger.path) / "0000.db").touch()
    with alone(loop.ledger, lambda: NOW):
        found = told(loop, timedelta(hours=3))
        assert found.backup
        assert found.working
        assert (found.backup.age_seconds, found.working.holder.pid) == (7200, os.getpid())
        assert found.working.stands_still is (timedelta(hours=3) > EXPIRY)
    assert told(loop).working is None


# -- as metrics

SAMPLE = re.compile(r'([a-z_]+)(?:\{((?:[a-z_]+="(?:[^"\\\n]|\\["\\n])*",?)*)\})? (-?\d[\d.e+]*)')
LABEL = re.compile(r'([a-z_]+)="((?:[^"\\\n]|\\["\\n])*)"')


def parsed(text: str) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    """The samples of a Prometheus file. Strict: HELP and TYPE come first, once; nothing is there twice."""
    assert text.endswith("\n")
    found: dict[tuple[str, tuple[tuple[str, str], ...]], float] = {}
    declared: list[str] = []
    lines = iter(text.splitlines())
    for line in lines:
        if line.startswith("# HELP "):
            name = line.split(" ", 3)[2]
            assert name not in declared
            assert next(lines) == f"# TYPE {name} gauge"
            declared.append(name)
            continue
        sample = SAMPLE.fullmatch(line)
        assert sample, line
        assert sample[1] == declared[-1]
        labels = tuple(
            (label, re.sub(r"\\(.)", lambda m: "\n" if m[1] == "n" else m[1], value))
            for label, value in LABEL.findall(sample[2] or "")
        )
        assert (sample[1], labels) not in found
        found[sample[1], labels] = float(sample[3])
    return found


def test_the_metrics_say_what_status_says(loop: Loop) -> None:
    loop.code("ANNA-7K2Q", "anna")
    lead = loop.crms["sales"].create(Kind.LEAD, Draft(email="bo@buyer.io", code="ANNA-7K2Q"))
    loop.crms["sales"].poison(lead)
    sync(loop, timedelta())
    sync(loop, timedelta(hours=1), marketing=down)
    back_up(loop.ledger, NOW)
    samples = parsed(exposition(metrics(told(loop), "1.2.3")))
    began = NOW.timestamp()
    sales, marketing = ("connection", "sales"), ("connection", "marketing")
    expected = {
        ("refloop_info", (("version", "1.2.3"),)): 1,
        ("refloop_pull_timestamp_seconds", (sales,)): began + 3600,
        ("refloop_pull_timestamp_seconds", (marketing,)): began,
        ("refloop_success_timestamp_seconds", (marketing,)): began,
        ("refloop_error_timestamp_seconds", (marketing,)): began + 3600,
        ("refloop_records", (sales, ("kind", "lead"))): 1,
        ("refloop_last_run_exit_code", ()): 69,
        ("refloop_last_run_failed", ()): 1,
        ("refloop_quarantined_changes", (sales,)): 6,
        ("refloop_quarantined_changes", (marketing,)): 0,
        ("refloop_parked_changes", (sales,)): 0,
        ("refloop_conflicts", (sales,)): 0,
        ("refloop_unsettled_changes", (sales,)): 0,
        ("refloop_referrals", (("status", "submitted"),)): 1,
        ("refloop_backup_timestamp_seconds", ()): began,
        ("refloop_run_in_progress", ()): 0,
    }
    assert {key: samples.get(key) for key in expected} == expected


def test_nothing_of_a_person_is_in_the_metrics(loop: Loop) -> None:
    loop.code("ANNA-7K2Q", "anna", "anna@partners.io")
    loop.crms["sales"].create(Kind.LEAD, Draft(email="bo@buyer.io", title="Buyer Inc", code="ANNA-7K2Q"))
    loop.sync()
    text = exposition(metrics(told(loop), "1"))
    assert not any(word in text for word in ("@", "Buyer", "anna", "Anna"))


def test_labels_and_help_are_escaped() -> None:
    nasty = 'a"b\\c\nd{}=,'
    text = exposition([Metric("x", "one\ntwo \\", (({"name": nasty}, 1.5), ({"name": "n"}, 2e9)))])
    assert parsed(text) == {("refloop_x", (("name", nasty),)): 1.5, ("refloop_x", (("name", "n"),)): 2e9}
    assert len(text.splitlines()) == 4
    assert exposition([Metric("x", "", ())]) == ""


@pytest.fixture
def narrow_umask() -> Iterator[None]:
    before = os.umask(0o077)
    yield
    os.umask(before)


@pytest.mark.usefixtures("narrow_umask")
def test_the_file_appears_whole_and_readable_by_all(folder: Path) -> None:
    path = folder / "refloop.prom"
    for text in ("one 1\n", "two 2\n"):
        write_metrics(path, text)
        assert (path.read_text(), path.stat().st_mode & 0o777) == (text, 0o644)
    assert list(folder.iterdir()) == [path]
    link = folder / "link.prom"
    link.symlink_to(path)
    with pytest.raises(DiskError, match="not a regular file"):
        write_metrics(link, "three 3\n")
    with pytest.raises(DiskError, match="cannot write the metrics"):
        write_metrics(folder / "none" / "refloop.prom", "three 3\n")
    assert path.read_text() == "two 2\n"


def test_trouble_with_credentials_is_told_per_connection(loop: Loop) -> None:
    def refused() -> Connector:
        raise AuthError("marketing: the token was refused")

    sync(loop, timedelta(), marketing=refused)
    assert of(told(loop), "sales").last_error is None
    error = of(told(loop), "marketing").last_error
    assert error
    assert "refused" in error.message
