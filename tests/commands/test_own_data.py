"""`demo --data`: a person's own exports through the whole loop, as they are typed on the command line."""

from __future__ import annotations

import io
import re
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import Office

DOCS = Path(__file__).parents[2] / "docs" / "exports.md"
EXAMPLES = re.findall(r"^(\w+)/(\S+):\n\n```csv\n(.*?)```", DOCS.read_text("utf-8"), re.DOTALL | re.MULTILINE)
CODES = "code,referrer,referrer_email\nANN-2026,ann,ann@rookhaven.example\n"


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "exports"
    folder.mkdir()
    return folder


def _put(folder: Path, **files: str) -> None:
    for name, text in files.items():
        (folder / name.replace("__", ".")).write_text(text, encoding="utf-8")


def test_exports_of_both_crms_go_through_the_whole_loop(office: Office, data: Path) -> None:
    _put(data, codes__csv=CODES, Task__csv="Id,Subject\n1,Call\n", notes__md="no table")
    for _, name, text in EXAMPLES:
        (data / name).write_text(text, encoding="utf-8")
    answer = office.run("demo", "--data", str(data))
    assert (answer.code, answer.err) == (0, "")
    assert (
        "loaded 1 contacts into hubspot, 1 contacts into salesforce, 2 deals into hubspot, 1 deals into salesforce, "
        "1 leads into salesforce, 2 links into hubspot, 1 links into salesforce\n"
        "Task.csv: left out: nothing tells that it holds leads, contacts, deals or links\n"
    ) in answer.out
    assert "refloop codes import: 1 codes\n" in answer.out
    assert "The loop is closed." in answer.out


def test_the_demo_shows_the_record_that_came_with_the_code(office: Office, data: Path) -> None:
    _put(
        data,
        codes__csv=CODES,
        leads__csv="id,crm,email,company,created_at,code_text\n"
        "1,salesforce,kim@vexholm.example,Vexholm AB,2026-03-01,\n",
        contacts__csv="id,crm,email,company,created_at,code_text\n"
        "2,hubspot,kim@vexholm.example,Vexholm AB,2026-03-02,code ANN-2026\n"
        "3,hubspot,ann@rookhaven.example,Rookhaven Ltd,2026-01-01,\n",
        deals__csv="id,crm,name,amount,outcome,created_at,closed_at,person_ids\n"
        "4,hubspot,Team plan,980,won,2026-03-06,2026-03-20,2\n",
    )
    answer = office.run("demo", "--data", str(data))
    assert (answer.code, answer.err) == (0, "")
    assert "The contact that came with a code: Vexholm AB (hubspot:contact:" in answer.out
    assert re.search(r"^ref_won_amount\t\(empty\)\t980$", answer.out, re.MULTILINE)


def test_one_table_may_come_by_standard_input(office: Office) -> None:
    text = "sep=;\nRecord ID;Deal Name;Create Date;Colour\n1;Plan;03/04/2026;red\n2;Other;;red\n"
    for words, told in (
        (("--dates", "day-first"), "standard input:4: created_at is empty"),
        ((), "created_at may be day/month or month/day, and no row of the file tells which: say --dates"),
    ):
        office.monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text.encode())))
        answer = office.run("demo", "--data", "-", *words)
        assert (answer.code, told in answer.out) == (0, True)
        assert "standard input: columns not used: Colour\n" in answer.out
        assert ("loaded 1 deals into hubspot" in answer.out) == bool(words)


@pytest.mark.parametrize(
    ("files", "told"),
    [
        ({"notes__md": "no table"}, "holds no table"),
        ({"codes__csv": CODES}, "none of the files holds leads, contacts, deals or links"),
        ({"leads__csv": "id,email\n"}, "leads.csv has no column created_at"),
        ({"leads__csv": 'id,created_at\n1,"2026\n'}, "leads.csv is not a CSV file that can be read on: line 2: "),
    ],
)
def test_data_that_cannot_be_used_is_named(office: Office, data: Path, files: dict[str, str], told: str) -> None:
    _put(data, **files)
    answer = office.run("demo", "--data", str(data))
    assert (answer.code, told in answer.err) == (65, True)


def test_the_org_has_the_currency_that_the_deals_are_in(office: Office, data: Path) -> None:
    rows = "".join(f"{number},Plan,Closed Won,{number},EUR,2026-02-01,2026-01-01\n" for number in range(1, 3))
    _put(data, Opportunity__csv="Id,Name,StageName,Amount,CurrencyIsoCode,CloseDate,CreatedDate\n" + rows)
    answer = office.run("demo", "--data", str(data))
    assert (answer.code, "loaded 2 deals into salesforce\n" in answer.out) == (0, True)
    rows = "".join(f"{number},Plan,1,{name},2026-01-01,1\n" for number, name in enumerate(("EUR", "EUR", "USD")))
    _put(data, Opportunity__csv="Id,Name,Amount,CurrencyIsoCode,CreatedDate,IsWon\n" + rows)
    answer = office.run("demo", "--data", str(data))
    assert "Opportunity.csv:4: currency differs from the org's, EUR; a Salesforce org here has one\n" in answer.out
