"""What the commands print, to the letter. REFLOOP_GOLDEN=write renews the texts; read them before you commit."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from tests.cli.conftest import Office, fill, plain

GOLDEN = Path(__file__).parent / "golden"


def same(name: str, text: str) -> None:
    """Holds a text against the one on file."""
    file = GOLDEN / f"{name}.txt"
    if os.environ.get("REFLOOP_GOLDEN") == "write":
        file.parent.mkdir(exist_ok=True)
        file.write_text(text, encoding="utf-8")
    assert text == file.read_text(encoding="utf-8")


def test_a_day_at_the_office(office: Office) -> None:
    same("check-before", office.run("check").out)
    same("provision", office.run("provision").out)
    (office.folder / "codes.csv").write_text(
        "code,referrer,referrer_name,referrer_email,program\n"
        "ANNA-7K2Q,anna,Anna Weiß,anna@partners.io,partners\n"
        "BENS-4F6T,ben,Ben O'Hara,ben@partners.io,partners\n"
        ",nobody,,,\n",
        encoding="utf-8",
    )
    imported = office.run("codes", "import", "codes.csv")
    assert imported.code == 65
    same("codes-import", imported.out + imported.err)
    same("codes-list", office.run("codes", "list").out)
    ids = fill(office.salesforce, office.hubspot)
    same("plan", office.run("plan").out)
    same("sync", plain(office.run("sync").out))
    assert office.run("sync").out == ""
    same("sync-again", plain(office.run("sync", "--verbose").out))
    same("referrals", office.run("referrals", "list").out)
    same("review", office.run("review").out)
    same("explain-deal", plain(office.run("explain", f"sf:deal:{ids['deal']}").out))
    office.salesforce.update("Lead", ids["lead"], {"Ref_Status__c": "won"})
    conflict = office.run("plan")
    same("plan-with-conflict", conflict.out)
    same("status", plain(office.run("status").out.replace(str(office.folder), "<folder>")).partition("referrals")[2])


@pytest.mark.parametrize("command", [("sync",), ("plan",), ("status",), ("runs",), ("review",), ("codes", "list")])
def test_json_is_json(office: Office, command: tuple[str, ...]) -> None:
    office.ready()
    fill(office.salesforce, office.hubspot)
    answer = office.run(*command, "--json")
    assert json.loads(answer.out) is not None
    assert answer.err == ""
