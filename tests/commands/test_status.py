"""`refloop status` for monitoring: exit codes, and the metrics that cron's own run leaves."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from refloop.errors import Exit
from refloop.ledger import open_ledger
from tests.cli.conftest import Office, fill


@pytest.fixture
def metrics(office: Office) -> Path:
    """Where the configuration lets the sync leave its metrics."""
    config = Path("config.yaml")
    config.write_text(config.read_text(encoding="utf-8") + "sync: {prometheus: refloop.prom}\n", encoding="utf-8")
    return office.folder / "refloop.prom"


def test_monitoring_is_told_by_the_exit_code(office: Office) -> None:
    office.ready()
    fill(office.salesforce, office.hubspot)
    assert office.run("status").code == Exit.OK
    never = office.run("status", "--max-age", "15")
    assert (never.code, never.err) == (Exit.ATTENTION, "hs: never pulled\nsf: never pulled\n")
    office.run("sync")
    assert office.run("status", "--max-age", "15").code == Exit.OK
    ledger = open_ledger(Path("refloop.db"))
    ledger.execute("UPDATE cursors SET at = '2020-01-01T00:00:00Z' WHERE connection = 'sf'")
    ledger.close()
    old = office.run("status", "--max-age", "15", "--json")
    assert old.code == Exit.ATTENTION
    (alarm,) = json.loads(old.out)["alarms"]
    assert alarm.startswith("sf: last pulled")
    assert office.run("status").code == Exit.OK


def test_a_failed_run_is_told(office: Office, metrics: Path) -> None:
    office.ready()
    office.run("sync")
    assert "refloop_last_run_failed 0\n" in metrics.read_text(encoding="utf-8")
    office.monkeypatch.setenv("OFFICE_HS", "pat-na1-of-somebody-else")
    assert office.run("sync").code == Exit.AUTH
    text = metrics.read_text(encoding="utf-8")
    assert "refloop_last_run_failed 1\n" in text
    assert "refloop_last_run_exit_code 77\n" in text
    assert 'refloop_error_timestamp_seconds{connection="hs"}' in text
    assert 'refloop_error_timestamp_seconds{connection="sf"}' not in text
    told = office.run("status", "--max-age", "600")
    assert told.code == Exit.ATTENTION
    assert "hs: the last error" in told.out
    assert "somebody-else" not in told.out + told.err + text


def test_a_run_that_stops_before_it_writes_leaves_metrics_too(office: Office, metrics: Path) -> None:
    office.ready()
    fill(office.salesforce, office.hubspot)
    assert office.run("sync", "--max-changes", "5").code == Exit.CONFIG
    assert "refloop_last_run_exit_code 78\n" in metrics.read_text(encoding="utf-8")


def test_metrics_that_cannot_be_written_end_a_sync_that_went_well(office: Office, metrics: Path) -> None:
    office.ready()
    metrics.mkdir()
    answer = office.run("sync")
    assert answer.code == Exit.DISK
    assert "cannot write the metrics" in answer.err
    assert office.run("status", "--prometheus", "other.prom").code == Exit.OK
    assert "refloop_last_run_exit_code 0\n" in Path("other.prom").read_text(encoding="utf-8")
