"""Every exit code of the table is reached, and what goes with it is a message one can act on."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from contextlib import closing
from pathlib import Path

import pytest
from filelock import FileLock

from refloop.errors import Exit
from refloop.ledger import open_ledger
from refloop.ledger.accounts import keep_account
from refloop.model import Account
from tests.cli.conftest import NOON, Office, fill
from tests.cli.reference import commands, help_of, reference

FIVE_MISTAKES = """\
version: 1
ledgr: refloop.db
fields: {prefix: "Ref Field"}
attribution: {model: random}
connections:
  sf:
    connector: salesforce
    url: http://example.com
    auth: {method: client_credentials, client_id: x, client_secret: hunter2}
"""


def test_the_reference_is_what_the_program_says() -> None:
    page = Path("docs/cli.md").read_text(encoding="utf-8")
    assert page == reference(), "run: python -m tests.cli.reference > docs/cli.md"


@pytest.mark.parametrize("path", list(commands()), ids=" ".join)
def test_each_command_explains_itself(path: tuple[str, ...]) -> None:
    text = help_of(path)
    assert "Usage: refloop" in text
    assert len(text.splitlines()) > 4


def test_ok_and_usage(office: Office) -> None:
    assert office.run("--version").code == Exit.OK
    wrong = office.run("sink")
    assert wrong.code == Exit.USAGE
    assert "No such command" in wrong.err
    backwards = office.run("backfill", "--from", "2026-03-02", "--to", "2026-02-01")
    assert backwards.code == Exit.USAGE
    assert "before --from" in backwards.err


def test_the_last_day_of_the_calendar_and_a_length_of_time_without_end_are_no_bugs(office: Office) -> None:
    office.ready()
    assert office.run("backfill", "--from", "2026-01-01", "--to", "9999-12-31").code == Exit.OK
    assert office.run("status", "--max-age", "9" * 15).code == Exit.ATTENTION  # nothing was ever pulled


def test_attention_for_a_conflict(office: Office) -> None:
    office.ready()
    ids = fill(office.salesforce, office.hubspot)
    assert office.run("sync").code == Exit.OK
    office.salesforce.update("Lead", ids["lead"], {"Ref_Status__c": "won"})
    assert office.run("sync").code == Exit.ATTENTION
    assert "ref_status" in office.run("explain", ids["lead"]).out


def test_changes_and_a_stale_plan(office: Office) -> None:
    office.ready()
    ids = fill(office.salesforce, office.hubspot)
    assert office.run("plan", "--detailed-exitcode").code == Exit.CHANGES
    saved = office.run("plan", "-o", "plan.jsonl")
    assert saved.code == Exit.OK
    assert "saved 42 changes" in saved.out
    office.salesforce.update("Lead", ids["lead"], {"Ref_Code__c": "SOMETHING"})
    stale = office.run("apply", "plan.jsonl")
    assert stale.code == Exit.STALE
    assert "nothing was written" in stale.err
    assert office.salesforce.get("Opportunity", ids["deal"])["Ref_Code__c"] is None  # type: ignore[index]  # it exists


def test_a_saved_plan_is_applied_once(office: Office) -> None:
    office.ready()
    ids = fill(office.salesforce, office.hubspot)
    office.run("plan", "-o", "plan.jsonl")
    assert office.run("apply", "plan.jsonl").code == Exit.OK
    deal = office.salesforce.get("Opportunity", ids["deal"])
    assert deal is not None
    assert deal["Ref_Status__c"] == "won"
    again = office.run("apply", "plan.jsonl")
    assert again.code == Exit.STALE
    assert "nothing to write" in office.run("sync", "--verbose").out


def test_a_submitted_referral_is_listed_at_once(office: Office) -> None:
    assert office.run("codes", "add", "ANNA-7K2Q", "--referrer", "anna").code == Exit.OK
    assert office.run("referrals", "add", "anna 7k2q", "bo@acme.io", "--date", "2026-03-01").code == Exit.OK
    (listed,) = json.loads(office.run("referrals", "list", "--json").out)
    assert (listed["code"], listed["status"], listed["claimed_at"][:10]) == ("ANNA-7K2Q", "submitted", "2026-03-01")
    office.run("provision")
    office.run("sync")
    told = json.loads(office.run("explain", listed["referral"], "--json").out)
    assert [row["status"] for row in told["statuses"]] == ["submitted"]


def test_bad_rows_are_named_and_the_good_ones_kept(office: Office) -> None:
    Path("codes.csv").write_text("code,referrer\nGOOD-1234,ann\n,ben\nGOOD-5678,cy\n", encoding="utf-8")
    answer = office.run("codes", "import", "codes.csv")
    assert answer.code == Exit.DATA
    assert "codes.csv, line 3: code is empty" in answer.err
    assert [row["code"] for row in json.loads(office.run("codes", "list", "--json").out)] == ["GOOD-1234", "GOOD-5678"]


@pytest.mark.parametrize("command", [("codes", "import", "none.csv"), ("apply", "none"), ("explain", "nobody")])
def test_what_is_not_there(office: Office, command: tuple[str, ...]) -> None:
    answer = office.run(*command)
    assert answer.code == Exit.DATA
    assert answer.err.startswith("refloop: ")


def test_a_config_with_five_mistakes_names_all_five(office: Office) -> None:
    Path("config.yaml").write_text(FIVE_MISTAKES, encoding="utf-8")
    answer = office.run("check")
    assert answer.code == Exit.CONFIG
    for place in (
        "config.yaml:2: ledgr",
        "config.yaml:3: fields.prefix",
        "config.yaml:4: attribution.model",
        "config.yaml:8: connections.sf.url",
        "config.yaml:9: connections.sf.auth.client_secret",
    ):
        assert place in answer.err
    assert "hunter2" not in answer.err


@pytest.mark.parametrize(
    ("status", "body"),
    [(200, b"<html><body>Please log in</body></html>"), (200, b'{"results": [{"id": "1", "prop'), (302, b"")],
    ids=["html", "truncated", "redirect"],
)
def test_nonsense_from_one_crm_stops_that_one_only(office: Office, status: int, body: bytes) -> None:
    office.ready()
    ids = fill(office.salesforce, office.hubspot)
    headers = {
        "Location": "http://127.0.0.1:9/else",
        "Content-Type": "text/html" if body[:1] == b"<" else "application/json",
    }
    office.hubspot.fail_next(status, path="/crm/objects/", headers=headers, body=body)
    answer = office.run("sync")
    assert office.hubspot.faults_injected == 1
    assert answer.code == Exit.UNAVAILABLE
    assert "Z hs: " in answer.err
    assert "Please log in" not in answer.err
    lead = office.salesforce.get("Lead", ids["lead"])
    assert lead is not None
    assert lead["Ref_Code__c"] == "BENS-4F6T"
    # what the answer was to bring was not taken as read
    assert office.run("sync").code == Exit.OK
    visitor = office.hubspot.get("contacts", ids["visitor"])
    assert visitor is not None
    assert visitor["ref_code"] == "ANNA-7K2Q"


def test_another_run_holds_the_ledger(office: Office) -> None:
    office.run("status")
    with FileLock("refloop.db.lock"):
        answer = office.run("sync", "--verbose")
        tick = office.run("sync")
        person = office.run("codes", "add", "ANNA-7K2Q", "--referrer", "anna")
    assert answer.code == tick.code == person.code == Exit.LATER
    assert "another refloop" in answer.err
    assert "another refloop" in person.err
    assert (tick.out, tick.err) == ("", ""), "cron comes back by itself: nobody has to read of it"


def test_refused_credentials(office: Office) -> None:
    office.monkeypatch.setenv("OFFICE_HS", "pat-na1-of-somebody-else")
    answer = office.run("check")
    assert answer.code == Exit.AUTH
    assert "somebody-else" not in answer.out + answer.err
    office.monkeypatch.delenv("OFFICE_HS")
    missing = office.run("check", "--only", "hs")
    assert "OFFICE_HS" in missing.out


def test_an_unknown_connection(office: Office) -> None:
    answer = office.run("sync", "--only", "pipedrive")
    assert answer.code == Exit.CONFIG
    assert "Use one of: sf, hs" in answer.err


def test_more_changes_than_allowed(office: Office) -> None:
    office.ready()
    ids = fill(office.salesforce, office.hubspot)
    answer = office.run("sync", "--max-changes", "5")
    assert answer.code == Exit.CONFIG
    assert "42 changes" in answer.err
    lead = office.salesforce.get("Lead", ids["lead"])
    assert lead is not None
    assert lead["Ref_Code__c"] is None


def test_a_second_ledger(office: Office) -> None:
    office.ready()
    fill(office.salesforce, office.hubspot)
    assert office.run("sync").code == Exit.OK
    Path("config.yaml").write_text("ledger: second.db\n" + Path("config.yaml").read_text(encoding="utf-8"), "utf-8")
    office.run("codes", "import", "codes.csv")
    later = office.salesforce.create(
        "Lead", {"LastName": "Li", "Company": "Li", "Email": "li@li.io", "Description": "ANNA-7K2Q"}
    )
    noticed = office.run("sync")
    assert noticed.code == Exit.CONFIG
    assert "another ledger of refloop has written to 3 records" in noticed.err
    assert "--take-over" in noticed.err
    assert office.run("plan", "-o", "plan.jsonl").code == Exit.OK
    assert office.run("apply", "plan.jsonl").code == Exit.CONFIG
    lead = office.salesforce.get("Lead", later)
    assert lead is not None
    assert lead["Ref_Code__c"] is None
    assert office.run("sync", "--take-over").code in (Exit.OK, Exit.ATTENTION)
    lead = office.salesforce.get("Lead", later)
    assert lead is not None
    assert lead["Ref_Code__c"] == "ANNA-7K2Q"


def test_a_crm_that_shows_too_little(office: Office) -> None:
    office.ready()
    fill(office.salesforce, office.hubspot)
    assert office.run("sync").code == Exit.OK
    office.run("ledger", "rebuild", "--yes")
    ledger = open_ledger(Path("refloop.db"))
    ledger.execute("UPDATE meta SET value = '500' WHERE key = 'awaited:hs'")
    ledger.close()
    refused = office.run("sync")
    assert refused.code == Exit.DATA
    assert "hs: it shows 2 records; before, there were 500" in refused.err
    assert office.run("sync", "--allow-shrink").code == Exit.OK


def test_a_ledger_that_is_none(office: Office) -> None:
    Path("refloop.db").write_bytes(b"SQLite format 3\0 and then nothing of the kind" * 100)
    Path("refloop.db").chmod(0o600)
    answer = office.run("status")
    assert answer.code == Exit.DATA
    assert "not a ledger" in answer.err


def test_a_folder_that_cannot_be_written(office: Office) -> None:
    Path("refloop.db").mkdir()
    answer = office.run("status")
    assert answer.code == Exit.DISK


def test_init_writes_a_private_file_and_never_over_another(office: Office) -> None:
    answer = office.run("init", "new.yaml")
    assert answer.code == Exit.OK
    assert Path("new.yaml").stat().st_mode & 0o777 == 0o600
    assert office.run("init", "new.yaml").code == Exit.CONFIG


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_signals(refloop: list[str], number: int, code: int, tmp_path: Path) -> None:
    process = subprocess.Popen(
        [*refloop, "sandbox", "--dir", str(tmp_path), "--salesforce-port", "0", "--hubspot-port", "0"],
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )
    assert process.stdout is not None
    while b"Ctrl-C" not in process.stdout.readline():
        assert process.poll() is None
    process.send_signal(number)
    ended = process.wait()
    process.stdout.close()
    # Ctrl-C is how one stops serving: nothing was interrupted
    assert ended == (0 if number == signal.SIGINT else code)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a disk that is always full")
@pytest.mark.parametrize("words", [("--version",), ("--help",), ("codes", "list"), ("status", "--json")])
def test_a_full_disk_under_the_output_is_no_bug(office: Office, refloop: list[str], words: tuple[str, ...]) -> None:
    office.ready()
    with Path("/dev/full").open("w", encoding="utf-8") as full:
        done = subprocess.run([*refloop, *words], stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == Exit.DISK
    assert "cannot write the output" in done.stderr
    assert "bug" not in done.stderr
    assert "Exception ignored" not in done.stderr


@pytest.mark.parametrize("words", [("check",), ("provision",), ("provision", "--remove", "--yes")])
def test_another_account_is_not_provisioned(office: Office, words: tuple[str, ...]) -> None:
    office.ready()
    assert office.run("sync").code == Exit.OK
    with closing(open_ledger(office.folder / "refloop.db")) as ledger:
        keep_account(ledger, 0, "hs", Account("4711"), NOON)
    office.hubspot.calls.clear()
    answer = office.run(*words, "--only", "hs")
    assert answer.code == Exit.DATA
    assert "are of the account 4711" in answer.out
    assert dict(office.hubspot.calls) == {"GET /account-info/details": 1}
