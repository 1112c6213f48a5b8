"""What is listed: as wide as the terminal, a row a line in a pipe, as CSV, asked for in the words that are printed."""

from __future__ import annotations

import csv
import io
import json
import os
import subprocess
from pathlib import Path

import pytest

from refloop import __version__
from refloop.errors import Exit
from refloop.ledger import open_ledger
from refloop.ledger.runs import start_run
from refloop.report.measure import width_of
from tests.cli.conftest import NOON, Answer, Office, fill
from tests.commands.terminal import on_terminal, without_colours

LONG = "Zürcher Überseehandels- und Beteiligungsgesellschaft 日本語の会社 👩\u200d👩\u200d👧 & Söhne"


@pytest.fixture
def filled(office: Office) -> Office:
    """An office after a sync, with many codes that nobody issued, and a conflict."""
    office.ready()
    ids = fill(office.salesforce, office.hubspot)
    for number in range(30):
        lead = {
            "LastName": "Ho",
            "Company": LONG,
            "Email": f"h{number}@ho.io",
            "Description": f"code SUMMER{number % 3}0",
        }
        office.salesforce.create("Lead", lead)
    assert office.run("sync").code == Exit.OK
    office.salesforce.update("Lead", ids["lead"], {"Ref_Status__c": "won"})
    office.salesforce.update("Opportunity", ids["deal"], {"Amount": 900, "StageName": "Prospecting"})
    assert office.run("plan").code == Exit.OK
    return office


def read_csv(answer: Answer) -> list[dict[str, str]]:
    assert (answer.code, answer.err) == (Exit.OK, "")
    assert answer.out.endswith("\r\n")
    return list(csv.DictReader(io.StringIO(answer.out, newline="")))


LISTS = (
    ("codes", "list"),
    ("referrals", "list"),
    ("review", "--all"),
    ("review",),
    ("runs",),
    ("status",),
    ("check",),
    ("provision",),
    ("plan", "--no-pull"),
)


@pytest.mark.parametrize("width", [60, 80, 113, 200])
def test_everything_fits_the_terminal_and_no_id_is_broken(filled: Office, refloop: list[str], width: int) -> None:
    whole = {
        one[column]
        for words, columns in (
            (("codes", "list"), ("code", "referrer", "referrer_email")),
            (("referrals", "list"), ("referral", "code")),
            (("review", "--all"), ("id", "evidence")),
        )
        for one in read_csv(filled.run(*words, "--csv"))
        for column in columns
        if one[column]
    }
    assert len(whole) > 40
    screens = []
    for words in LISTS:
        code, seen = on_terminal(*refloop, *words, width=width, environment={"PAGER": ""})
        assert code == Exit.OK
        lines = without_colours(seen).splitlines()
        # the path of a backup alone may be longer: it is to be copied
        assert [line for line in lines if width_of(line) > width and " " in line.strip()] == [], words
        screens += lines
    assert {name for name in whole if not any(name in line for line in screens)} == set()


@pytest.mark.parametrize("words", LISTS[:5], ids=" ".join)
def test_in_a_pipe_a_row_is_a_line_of_cells_between_tabs(filled: Office, words: tuple[str, ...]) -> None:
    filled.monkeypatch.setenv("COLUMNS", "20")
    narrow = filled.run(*words).out
    filled.monkeypatch.setenv("COLUMNS", "200")
    assert narrow == filled.run(*words).out
    assert "\x1b" not in narrow
    rows = [line.split("\t") for line in narrow.splitlines() if "\t" in line]
    assert len(rows) > 2
    if words != ("review",):
        assert {len(row) for row in rows} == {len(rows[0])}
        listed = read_csv(filled.run(*words, "--csv"))
        assert len(listed) == len(rows) - 1
        assert list(listed[0]) == rows[0]


def test_csv_of_the_codes_comes_back_as_it_went(filled: Office) -> None:
    (filled.folder / "odd.csv").write_text(
        'code,referrer,referrer_name\nODD-1,=odd,"Quote "" and, comma"\nODD-2,odd2,日本 +x\n', encoding="utf-8"
    )
    assert filled.run("codes", "import", "odd.csv").code == Exit.OK
    answer = filled.run("codes", "list", "--csv")
    assert "'=odd" in answer.out
    before = filled.run("codes", "list", "--json").out
    (filled.folder / "again.csv").write_text(answer.out, encoding="utf-8", newline="")
    again = filled.run("codes", "import", "again.csv", "--json")
    assert json.loads(again.out) == {"unchanged": 5, "bad_rows": [], "columns_left_out": []}
    assert filled.run("codes", "list", "--json").out == before


def test_csv_where_there_is_a_table(filled: Office) -> None:
    assert [one["connection"] for one in read_csv(filled.run("status", "--csv"))] == ["hs", "sf"]
    planned = read_csv(filled.run("plan", "--no-pull", "--csv"))
    assert {(one["connection"], one["field"]) for one in planned} >= {("sf", "ref_status"), ("hs", "ref_won")}
    assert all(one["why"] for one in planned)
    assert {one["status"] for one in read_csv(filled.run("referrals", "list", "--csv"))} >= {"submitted"}
    twice = filled.run("review", "--csv", "--json")
    assert (twice.code, "does not go with --json" in twice.err) == (Exit.USAGE, True)


def test_review_counts_what_is_alike_and_says_how_to_see_the_rest(filled: Office) -> None:
    lines = filled.run("review").out.splitlines()
    assert lines[0] == "31 left for review"
    groups = [line.split("\t") for line in lines if line.startswith("10\t")]
    assert [(kind, about) for _, kind, about, _ in groups] == [
        ("lead", "SUMMER00"),
        ("lead", "SUMMER10"),
        ("lead", "SUMMER20"),
    ]
    assert groups[0][3].count("sf:lead:") == 3
    assert any(line.startswith("unknown (30): a code that nobody issued") for line in lines)
    assert len(lines) < 20
    assert len(filled.run("review", "--all").out.splitlines()) == 1 + 31
    assert len(filled.run("review", "--limit", "4").out.splitlines()) == 1 + 4
    for words, count in (
        (("--reason", "Unknown"), 30),
        (("--reason", "near"), 1),
        (("--kind", "Leads"), 31),
        (("--kind", "opportunity"), 0),
        (("--code", "summer-10"), 10),
        (("--code", "ANNA 7K2Q"), 1),
        (("--only", "hs"), 0),
    ):
        assert len(json.loads(filled.run("review", "--json", *words).out)) == count, words
    assert "no-buyer" in filled.run("review", "--reason", "whatever").err


def test_a_group_that_is_cut_off_is_counted(office: Office) -> None:
    office.ready()
    for number in range(10, 35):
        lead = {
            "LastName": "Ho",
            "Company": "Ho",
            "Email": f"h{number}@ho.io",
            "Description": f"code SUMMER{number}",
        }
        office.salesforce.create("Lead", lead)
    assert office.run("plan").code == Exit.OK
    assert "and 20 records in 20 more groups: `refloop review --reason unknown --all`" in office.run("review").out


def test_a_plan_begins_with_what_it_does_to_which_field_and_names_people(filled: Office) -> None:
    lines = filled.run("plan", "--no-pull").out.splitlines()
    assert lines[0].endswith("1 conflicts")
    assert lines[0] == lines[-1]
    rows = [line.split("\t") for line in lines[1 : lines.index("")]]
    assert rows[0] == ["connection", "kind", "what", "fields", "by_field"]
    summary = {tuple(row[:3]): (int(row[3]), row[4].split("; ")) for row in rows[1:]}
    assert summary["sf", "lead", "conflict"] == (1, ["ref_status 1"])
    assert "ref_status 1" in summary["sf", "deal", "changed"][1]
    for count, fields in summary.values():
        assert sum(int(one.rpartition(" ")[2]) for one in fields) == count
    written = sum(count for (_, _, what), (count, _) in summary.items() if what in ("filled", "changed", "cleared"))
    assert lines[0].startswith(f"{written} changes to ")
    assert any(line.startswith("sf:lead:") and line.endswith("  Kim, Lumen Oy  ref_status") for line in lines)
    assert any(line.startswith("sf:deal:") and line.endswith("  Acme GmbH") for line in lines)


def test_what_is_held_back_is_in_the_summary(office: Office) -> None:
    office.ready()
    fill(office.salesforce, office.hubspot)
    office.salesforce.add_validation_rule("Opportunity", lambda _record, _before: True, "no more changes")
    for _ in range(4):
        office.run("sync")
    lines = office.run("plan").out.splitlines()
    assert lines[0] == "0 changes to 0 records, 0 conflicts, 6 held back (see `refloop status`)"
    assert lines[2].split("\t")[:4] == ["sf", "deal", "held back", "6"]


def test_runs_say_what_was_written_and_can_be_asked_for(filled: Office) -> None:
    def listed(*words: str) -> list[dict[str, str]]:
        return read_csv(filled.run("runs", *words, "--csv"))

    assert [one["command"] for one in listed()] == ["plan", "sync"]
    (wrote,) = listed("--wrote")
    assert (wrote["command"], wrote["records"], wrote["refused"], wrote["conflicts"]) == ("sync", "6", "0", "0")
    assert int(wrote["fields"]) > 30
    assert json.loads(filled.run("runs", "--wrote", "--json").out)[0]["wrote"]["records"] == 6
    assert listed("--failed") == []
    filled.monkeypatch.setenv("OFFICE_HS", "pat-na1-of-somebody-else")
    assert filled.run("sync").code == Exit.AUTH
    assert [one["exit"] for one in listed("--failed")] == ["77"]
    assert len(listed("--since", "1h")) == 3
    assert listed("--since", "9999-12-31") == []
    assert len(listed("--since", "2020-01-01T12:00:00Z", "--limit", "2")) == 2
    for wrong in ("yesterday", "2026-01-01T12:00:00", "7y"):
        answer = filled.run("runs", "--since", wrong)
        assert (answer.code, "2026-03-31T12:00:00Z" in answer.err) == (Exit.USAGE, True)
    assert filled.run("runs", "--since", "999999w").code == Exit.OK


def test_a_killed_run_is_a_failed_one(filled: Office) -> None:
    ledger = open_ledger(Path("refloop.db"))
    start_run(ledger, "sync", __version__, NOON)
    ledger.close()
    (killed,) = read_csv(filled.run("runs", "--failed", "--csv"))
    assert (killed["command"], killed["exit"]) == ("sync", "")


@pytest.mark.parametrize("word", ["in negotiation", "In Negotiation", "IN-NEGOTIATION", "opportunity"])
def test_a_status_is_taken_by_the_word_that_is_printed(filled: Office, word: str) -> None:
    filled.run("sync")
    listed = json.loads(filled.run("referrals", "list", "--status", word, "--json").out)
    assert [one["status"] for one in listed] == ["opportunity"]


def test_a_status_that_is_none_is_told_which_there_are(office: Office) -> None:
    answer = office.run("referrals", "list", "--status", "negotiating")
    assert answer.code == Exit.USAGE
    assert "'negotiating' is none of: submitted, accepted, contacted, qualified, in negotiation, " in answer.err


def unread(refloop: list[str], *words: str) -> tuple[int, str]:
    """Runs a command line whose output nobody reads; gives its exit code and what it complains of."""
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run([*refloop, *words], stdout=writer, stderr=subprocess.PIPE, text=True, check=False)
    os.close(writer)
    return done.returncode, done.stderr


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("--help",), Exit.OK),
        (("codes", "list"), Exit.OK),
        (("codes", "list", "--json"), Exit.OK),
        (("codes", "list", "--csv"), Exit.OK),
        (("codes", "export"), Exit.OK),
        (("review",), Exit.OK),
        (("status",), Exit.OK),
        (("plan", "--no-pull"), Exit.OK),
        (("plan", "--no-pull", "--detailed-exitcode"), Exit.CHANGES),
        (("explain", "nothing"), Exit.DATA),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_a_reader_who_goes_away_is_no_error(
    filled: Office, refloop: list[str], words: tuple[str, ...], code: int
) -> None:
    assert filled.folder.is_dir()
    ended, complaint = unread(refloop, *words)
    assert ended == code
    assert "Traceback" not in complaint
    assert "roken" not in complaint
    assert code != Exit.OK or complaint == ""


def test_what_a_command_does_does_not_depend_on_who_reads(filled: Office, refloop: list[str]) -> None:
    run = json.loads(filled.run("runs", "--wrote", "--json").out)[0]["run"]
    ended, complaint = unread(refloop, "undo", str(run), "--yes")
    assert (ended, complaint) in ((Exit.OK, ""), (Exit.ATTENTION, ""))
    undone = json.loads(filled.run("runs", "--wrote", "--json").out)[0]
    assert undone["command"].startswith("undo")
    assert undone["wrote"]["fields"] > 0


def test_head_ends_a_long_list(office: Office, refloop: list[str]) -> None:
    rows = "".join(f"CODE-{number:05},ref{number}\n" for number in range(5000))
    Path("many.csv").write_text(f"code,referrer\n{rows}", encoding="utf-8")
    assert office.run("codes", "import", "many.csv").code == Exit.OK
    for options in ("", "--csv", "--json"):
        line = f"set -o pipefail; {' '.join(refloop)} codes list {options} | head -n 2"
        done = subprocess.run(["bash", "-c", line], capture_output=True, text=True, check=False)
        assert (done.returncode, done.stderr, len(done.stdout.splitlines())) == (0, "", 2)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("refloop sync --only s", ["sf"]),
        ("refloop sync --only ", ["sf", "hs"]),
        ("refloop referrals list --status w", ["won", "withdrawn"]),
        ("refloop review --reason n", ["near", "no-buyer", "not-yet-valid"]),
        ("refloop review --kind d", ["deal"]),
        ("refloop undo ", ["1"]),
        ("refloop -c none.yaml sync --only s", []),
    ],
)
def test_a_shell_completes_what_was_begun(filled: Office, refloop: list[str], line: str, words: list[str]) -> None:
    assert filled.folder.is_dir()
    begun = line.split(" ")
    environment = {
        **os.environ,
        "_REFLOOP_COMPLETE": "complete_bash",
        "COMP_WORDS": line,
        "COMP_CWORD": str(len(begun) - 1),
    }
    done = subprocess.run(refloop, env=environment, capture_output=True, text=True, check=False)
    assert (sorted(done.stdout.split()), done.stderr) == (sorted(words), "")
