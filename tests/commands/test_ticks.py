"""What cron mails: a tick says what is new, dated, and nothing where nothing is."""

from __future__ import annotations

import json
import re
from datetime import timedelta
from pathlib import Path

import pytest

from refloop.errors import Exit
from refloop.ledger import open_ledger
from refloop.model import format_time, parse_time
from tests.cli.conftest import Office, fill
from tests.commands.terminal import on_terminal

DATED = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ \S.*")


@pytest.fixture
def synced(office: Office) -> tuple[Office, dict[str, str]]:
    office.ready()
    ids = fill(office.salesforce, office.hubspot)
    assert office.run("sync").code == Exit.OK
    return office, ids


def lines(text: str) -> list[str]:
    """The lines without their dates, which each of them has."""
    found = text.splitlines()
    assert [line for line in found if not DATED.fullmatch(line)] == []
    return [line.partition(" ")[2] for line in found]


def later(hours: float) -> None:
    """As if all that lasts had begun, and was told, so much earlier."""
    ledger = open_ledger(Path("refloop.db"))
    for row in list(ledger.rows("SELECT * FROM told")):
        times = [
            row[name] and format_time(parse_time(row[name]) - timedelta(hours=hours)) for name in ("since", "told_at")
        ]
        ledger.execute("UPDATE told SET since = ?, told_at = ? WHERE connection = ?", [*times, row["connection"]])
    ledger.close()


def down(office: Office) -> None:
    office.hubspot.fail_next(500, path="/crm/objects/", times=20)


def test_the_first_tick_says_what_it_wrote_and_the_next_says_nothing(office: Office) -> None:
    office.ready()
    fill(office.salesforce, office.hubspot)
    first = office.run("sync")
    assert (first.code, first.err) == (Exit.OK, "")
    run = json.loads(office.run("runs", "--json").out)[0]["run"]
    assert lines(first.out) == [
        f"sf: 27 values written to 4 records (run {run})",
        f"hs: 15 values written to 2 records (run {run})",
        "1 new for review (1 near): `refloop review`",
    ]
    idle = office.run("sync")
    assert (idle.code, idle.out, idle.err) == (Exit.OK, "", "")


def test_records_that_bring_nothing_are_no_news(synced: tuple[Office, dict[str, str]]) -> None:
    office, _ = synced
    office.salesforce.create("Lead", {"LastName": "Li", "Company": "Li", "Email": "li@li.io"})
    tick = office.run("sync")
    assert (tick.code, tick.out, tick.err) == (Exit.OK, "", "")
    assert json.loads(office.run("runs", "--json").out)[0]["counts"]["sf"]["new"] == 1


def test_a_conflict_is_told_once_and_so_is_one_more(synced: tuple[Office, dict[str, str]]) -> None:
    office, ids = synced
    office.salesforce.update("Lead", ids["lead"], {"Ref_Status__c": "won"})
    tick = office.run("sync")
    assert tick.code == Exit.ATTENTION
    assert lines(tick.out)[0].startswith("sf: 1 new conflict: a person wrote something else there")
    again = office.run("sync")
    assert (again.code, again.out, again.err) == (Exit.OK, "", "")
    office.salesforce.update("Lead", ids["lead"], {"Ref_Status__c": "won", "Ref_Referrer__c": "me"})
    assert lines(office.run("sync").out)[0].startswith("sf: 1 new conflict: ")


def test_trouble_is_told_when_it_begins_when_it_changes_once_a_day_and_when_it_is_over(
    synced: tuple[Office, dict[str, str]], quick: list[float]
) -> None:
    office, _ = synced
    office.monkeypatch.setenv("OFFICE_HS", "pat-na1-of-somebody-else")
    first = office.run("sync")
    assert (first.code, first.out) == (Exit.AUTH, "")
    (line,) = lines(first.err)
    assert line.startswith("hs: ")
    for _ in range(3):
        tick = office.run("sync")
        assert (tick.code, tick.out, tick.err) == (Exit.AUTH, "", ""), "honest every time, and told once"
    later(hours=23)
    assert office.run("sync").err == ""
    later(hours=1)
    (reminder,) = lines(office.run("sync").err)
    assert reminder.startswith("hs: still, since 20")
    assert reminder.endswith(line.removeprefix("hs: "))
    assert office.run("sync").err == ""
    office.monkeypatch.delenv("OFFICE_HS")
    (other,) = lines(office.run("sync").err)
    assert "OFFICE_HS" in other
    office.monkeypatch.setenv("OFFICE_HS", "pat-na1-office")
    over = office.run("sync")
    assert (over.code, over.err) == (Exit.OK, "")
    assert lines(over.out)[0].startswith("hs: in order again; the trouble began 20")
    assert office.run("sync").out == ""
    assert quick is not None


def test_what_one_connection_lasts_is_not_over_by_a_run_of_the_other(synced: tuple[Office, dict[str, str]]) -> None:
    office, _ = synced
    office.monkeypatch.setenv("OFFICE_HS", "pat-na1-of-somebody-else")
    assert lines(office.run("sync").err)
    assert office.run("sync", "--only", "sf").out == ""
    assert office.run("sync").err == ""


def test_quiet_says_only_what_a_person_must_act_on(office: Office) -> None:
    office.ready()
    ids = fill(office.salesforce, office.hubspot)
    first = office.run("sync", "--quiet")
    assert lines(first.out) == ["1 new for review (1 near): `refloop review`"]
    office.salesforce.update("Lead", ids["lead"], {"Ref_Status__c": "won"})
    assert "1 new conflict" in office.run("sync", "-q").out
    office.monkeypatch.setenv("OFFICE_HS", "pat-na1-of-somebody-else")
    assert lines(office.run("sync", "-q").err)[0].startswith("hs: ")
    assert office.run("sync", "--quiet", "--verbose").code == Exit.USAGE


def test_quiet_waits_an_hour_for_what_may_pass_by_itself(
    synced: tuple[Office, dict[str, str]], quick: list[float]
) -> None:
    office, _ = synced
    for hours, told in ((0, False), (0.5, False), (0.6, True), (0.1, False)):
        later(hours)
        down(office)
        tick = office.run("sync", "--quiet")
        assert (tick.code, bool(tick.err)) == (Exit.UNAVAILABLE, told), hours
        office.hubspot.faults.clear()
    assert quick


def test_verbose_says_all_that_was_done_and_a_person_at_a_terminal_a_summary(
    synced: tuple[Office, dict[str, str]], refloop: list[str]
) -> None:
    office, _ = synced
    told = office.run("sync", "--verbose").out.splitlines()
    assert DATED.fullmatch(told[0])
    assert "sf: pulled " in told[0]
    assert "left for review (refloop review):" in told
    code, seen = on_terminal(*refloop, "sync", environment={"NO_COLOR": "1"})
    assert code == Exit.OK
    shown = seen.splitlines()
    assert re.fullmatch(r"sf: pulled \d+ \(0 new, 0 changed\); nothing to write; 2 calls", shown[0])
    assert shown[2:] == [
        "2 referrals: 1 open, 1 won, 0 lost",
        "waits for a person: 1 to review (`refloop review`)",
    ]
    assert on_terminal(*refloop, "sync", "--quiet")[1] == ""


@pytest.mark.parametrize("voice", [(), ("--quiet",), ("--verbose",)], ids=["news", "quiet", "verbose"])
def test_a_run_that_held_changes_back_never_says_that_there_was_nothing(office: Office, voice: tuple[str, ...]) -> None:
    office.ready()
    fill(office.salesforce, office.hubspot)
    held = office.run("sync", "--max-changes", "5", *voice)
    assert held.code == Exit.CONFIG
    assert "nothing to write" not in held.out + held.err
    assert "42 changes" in held.err
    office.monkeypatch.setenv("OFFICE_HS", "pat-na1-of-somebody-else")
    broken = office.run("sync", *voice)
    assert broken.code == Exit.AUTH
    assert "nothing to write" not in broken.out + broken.err


def test_a_dry_run_does_not_say_that_there_is_nothing_to_write(office: Office) -> None:
    office.ready()
    fill(office.salesforce, office.hubspot)
    shown = office.run("sync", "--dry-run").out
    assert "42 changes to 6 records" in shown
    assert "nothing to write" not in shown


def test_a_backfill_says_what_it_did_also_where_that_was_nothing(synced: tuple[Office, dict[str, str]]) -> None:
    office, _ = synced
    days = ("--from", "2026-01-01", "--to", "2026-04-01")
    told = lines(office.run("backfill", *days).out)
    assert "nothing to write" in told[0]
    assert office.run("backfill", *days, "--quiet").out == ""


def test_what_ended_a_run_is_told_after_what_it_did(synced: tuple[Office, dict[str, str]]) -> None:
    """Here the backup: what was written before is news all the same."""
    office, _ = synced
    for file in Path("refloop.db.backups").iterdir():
        file.unlink()
    Path("refloop.db.backups").rmdir()
    Path("refloop.db.backups").write_text("a file", encoding="utf-8")
    office.salesforce.create(
        "Lead", {"LastName": "Li", "Company": "Li", "Email": "li@li.io", "Description": "ANNA-7K2Q"}
    )
    tick = office.run("sync")
    assert tick.code == Exit.DISK
    assert " values written to " in lines(tick.out)[0]
    assert lines(tick.err)[0].startswith("cannot write a backup into ")
    again = office.run("sync")
    assert (again.code, again.out, again.err) == (Exit.DISK, "", "")
