"""The log: what is in it, what docs/logs.md says is in it, and that nothing is logged unasked."""

from __future__ import annotations

import io
import json
import logging
import os
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock

from refloop import log
from refloop.errors import Exit
from refloop_sandbox import faults
from refloop_sandbox.hubspot import troubles
from refloop_sandbox.salesforce import troubles as salesforce_troubles
from tests.cli.conftest import Office, fill

PAGE = Path("docs/logs.md").absolute()
LOG = "refloop.log"

Line = dict[str, Any]


def lines(file: str = LOG) -> list[Line]:
    return [json.loads(line) for line in Path(file).read_text(encoding="ascii").splitlines()]


def events(*wanted: str) -> list[Line]:
    return [line for line in lines() if line["event"] in wanted]


def documented() -> Mapping[str, str]:
    """The events of the page, each with its levels."""
    return dict(re.findall(r"^\| `([a-z ]+)` \| ([a-z, ]+) \|", PAGE.read_text(encoding="utf-8"), flags=re.MULTILINE))


def test_a_sync_tells_of_its_run_pages_batches_and_calls(office: Office) -> None:
    office.ready()
    fill(office.salesforce, office.hubspot)
    silent = office.run("--log", LOG, "--log-level", "debug", "sync")
    assert (silent.code, silent.err) == (Exit.OK, "")
    assert Path(LOG).stat().st_mode & 0o777 == 0o600
    told = lines()
    (run,) = {line["run"] for line in told if line["event"] != "backup made"}
    assert [line["event"] for line in told if line["event"].startswith("run")] == ["run started", "run ended"]
    assert sum(line["records"] for line in events("page kept")) == 7
    assert sum(line["changes"] for line in events("batch pushed")) == 42
    assert events("run ended")[0]["counts"]["hs"]["written"] == sum(
        line["changes"] for line in events("batch pushed") if line["connection"] == "hs"
    )
    assert {line["stage"] for line in events("chunk decided")} >= {"match", "claim", "credit", "status"}
    sent = events("http")
    assert len(sent) == sum(
        counts["calls"] for counts in events("run ended")[0]["counts"].values() if "calls" in counts
    )
    assert {line["connection"] for line in sent} == {"sf", "hs"}
    assert all(line["status"] in (200, 201, 204) and line["attempt"] == 1 and line["ms"] >= 0 for line in sent)
    assert all("?" not in line["path"] and "@" not in line["path"] for line in sent)
    assert run == json.loads(office.run("runs", "--json").out)[0]["run"]
    assert {line["event"]: line["level"] for line in told}.items() <= documented().items()


def test_the_example_of_the_page_is_a_line_of_the_log(office: Office) -> None:
    (block,) = re.findall(r"```json\n(.*?)\n```", PAGE.read_text(encoding="utf-8"), flags=re.DOTALL)
    office.ready()
    fill(office.salesforce, office.hubspot)
    office.run("--log", LOG, "--log-level", "debug", "sync")
    shown = json.loads(block)
    found = next(line for line in lines() if line["event"] == "http" and line["path"] == shown["path"])
    changing = ("time", "run", "ms")
    assert list(shown) == list(found)
    assert {name: shown[name] for name in shown if name not in changing} == {
        name: found[name] for name in found if name not in changing
    }
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", found["time"])


def test_nothing_is_logged_unasked(office: Office) -> None:
    office.ready()
    fill(office.salesforce, office.hubspot)
    office.hubspot.fail_next(302, path="/crm/objects/", headers={"Location": "http://127.0.0.1:9/"}, body=b"")
    answer = office.run("sync")
    assert "Z hs: " in answer.err
    assert "{" not in answer.err
    asked = office.run("--log-level", "warning", "sync", "--only", "none")
    assert [json.loads(line)["event"] for line in asked.err.splitlines() if line[:1] == "{"] == ["command failed"]


def test_the_environment_asks_for_it_too(office: Office) -> None:
    office.monkeypatch.setenv("REFLOOP_LOG", LOG)
    office.monkeypatch.setenv("REFLOOP_LOG_LEVEL", "error")
    office.run("explain", "nobody")
    (line,) = lines()
    assert (line["event"], line["exit"], line["run"]) == ("command failed", Exit.DATA, None)


def test_waits_refreshes_conflicts_and_refusals_are_told_by_name(office: Office, quick: list[float]) -> None:
    office.ready()
    ids = fill(office.salesforce, office.hubspot)
    office.hubspot.faults.add(troubles.fault(troubles.secondly()), path="/crm/objects/")
    office.salesforce.faults.add(salesforce_troubles.fault(salesforce_troubles.session_expired()), path="composite")
    office.run("--log", LOG, "sync")
    office.hubspot.faults.add(faults.closed(), method="GET", path="/pipelines")
    office.salesforce.update("Lead", ids["lead"], {"Ref_Status__c": "won"})
    office.salesforce.update("Opportunity", ids["deal"], {"StageName": "Closed Lost"})
    office.salesforce.add_validation_rule("Opportunity", lambda _record, _before: True, "no more changes")
    assert office.run("--log", LOG, "sync").code == Exit.ATTENTION
    (refreshed,) = events("token refreshed")
    assert refreshed["connection"] == "sf"
    first = events("wait")[0]
    assert (first["connection"], first["path"][:13]) == ("hs", "/crm/objects/")
    assert "429 (RATE_LIMITS)" in first["reason"] or "SECONDLY" in first["reason"]
    assert first["seconds"] >= 1
    assert max(quick) >= 1
    (conflict,) = events("conflict")
    assert (conflict["record"], conflict["field"]) == (f"sf:lead:{ids['lead']}", "ref_status")
    refused = events("change not written")
    assert {line["record"] for line in refused} == {f"sf:deal:{ids['deal']}"}
    assert {line["verdict"] for line in refused} == {"refused"}


def test_a_busy_lock_and_a_backup(office: Office) -> None:
    office.run("--log", LOG, "ledger", "backup")
    (made,) = events("backup made")
    assert Path("refloop.db.backups", made["file"]).is_file()
    with FileLock("refloop.db.lock"):
        assert office.run("--log", LOG, "sync").code == Exit.LATER
    assert [line["event"] for line in lines()[-2:]] == ["lock busy", "command failed"]


def test_a_bug_is_told_by_its_place_alone(office: Office) -> None:
    office.ready()

    def broken(*_args: object, **_more: object) -> None:
        try:
            raise KeyError("anna@partners.io")
        except KeyError as error:
            raise RuntimeError("Anna Weiß, https://x/?q=anna") from error

    office.monkeypatch.setattr("requests.adapters.HTTPAdapter.send", broken)
    answer = office.run("--log", LOG, "sync")
    assert answer.code == Exit.BUG
    assert "please report it" in answer.err
    (line,) = events("bug")
    assert "KeyError" in line["frames"]
    assert line["frames"][-1] == "RuntimeError"
    assert any(frame.startswith("refloop.connectors.http.transport:") for frame in line["frames"])
    shown = answer.err + answer.out + json.dumps(lines())
    assert "Anna" not in shown
    assert "anna" not in shown
    assert events("run ended")[0]["exit"] == Exit.BUG


def test_a_log_that_is_no_private_file_is_refused(office: Office, tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to("elsewhere")
    os.mkfifo(tmp_path / "fifo")
    for path in ("folder", "link", "fifo", "none/at/all", "/dev/full"):
        answer = office.run("--log", path, "status")
        assert answer.code == Exit.DISK, path
        assert "cannot write the log" in answer.err
    assert not (tmp_path / "elsewhere").exists()


def test_a_log_is_appended_to_and_its_mode_is_left(office: Office) -> None:
    office.run("ledger", "backup")  # looks through the ledger once
    office.run("--log", LOG, "ledger", "backup")
    Path(LOG).chmod(0o640)
    before = len(lines())
    office.run("--log", LOG, "ledger", "backup")
    assert len(lines()) == 2 * before
    assert Path(LOG).stat().st_mode & 0o777 == 0o640


class Full(io.StringIO):
    def write(self, _text: str) -> int:
        raise OSError(28, "No space left on device")


def test_a_log_that_fills_the_disk_is_said_once(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "stderr", Full())
    log.start(log.Level.DEBUG, None)
    monkeypatch.undo()
    log.info("run started", command="one")
    log.info("run ended", exit=0)
    log.stop()
    assert capsys.readouterr().err == "refloop: the log cannot be written; the work goes on\n"


def test_other_libraries_are_told_by_their_form(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log.start(log.Level.DEBUG, tmp_path / LOG)
    theirs = logging.getLogger("urllib3.connectionpool")
    theirs.setLevel(logging.DEBUG)
    theirs.debug("https://crm/query?q=%s", "anna")
    theirs.warning("Failed to parse headers (url=%s)", "https://crm/query?q=anna")
    try:
        raise ValueError("anna")
    except ValueError:
        theirs.exception(f"no luck with {'anna'}")
    theirs.setLevel(logging.NOTSET)
    log.stop()
    theirs.warning("after the end: %s", "anna")
    text = (tmp_path / LOG).read_text(encoding="ascii")
    warning, failed = map(json.loads, text.splitlines())
    assert warning["message"] == "Failed to parse headers (url=%s)"
    assert (failed["level"], failed["frames"][-1], "message" in failed) == ("error", "ValueError", False)
    assert "anna" not in text
    log.start(None, None)
    theirs.warning("unasked: %s", "anna")
    log.stop()
    assert "unasked" not in capsys.readouterr().err


def test_a_line_cannot_act_on_a_terminal(tmp_path: Path) -> None:
    log.start(log.Level.INFO, tmp_path / LOG)
    log.info("page kept", connection="\x1b[2J\u202e\nevil", records=[1, {"a": "\x9b"}])
    log.stop()
    raw = (tmp_path / LOG).read_bytes()
    assert raw.count(b"\n") == 1
    assert all(32 <= byte < 127 for byte in raw.rstrip(b"\n"))
