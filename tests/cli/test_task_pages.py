"""docs/tasks: each command of each page is run, in the order of the page, against the local CRMs."""

from __future__ import annotations

import itertools
import re
import shlex
import subprocess
import textwrap
from pathlib import Path

import pytest
import yaml

from tests.cli.conftest import Office, fill
from tests.cli.reference import commands, help_of

ROOT = Path(__file__).parents[2]
PAGES = {path.stem: path.read_text(encoding="utf-8") for path in sorted((ROOT / "docs" / "tasks").glob("*.md"))}

MACHINE = ("systemctl", "crontab", "pip")
"""What is the machine's, and does nothing here."""


def blocks(page: str, kind: str) -> list[str]:
    found = re.findall(rf"^( *)```{kind}\n(.*?)^ *```$", PAGES[page], re.DOTALL | re.MULTILINE)
    return [textwrap.dedent(text) for _, text in found]


def played(page: str, program: list[str], replaced: dict[str, str], before: str = "") -> str:
    """Runs all that a page shows a shell; gives what it printed. `check` may end with 3: there is something to do."""
    script = "".join(blocks(page, "sh"))
    for word, real in replaced.items():
        assert word in script, word
        script = script.replace(word, real)
    stubs = "".join(f"{name}() {{ :; }}\n" for name in MACHINE)
    refloop = f'refloop() {{ {shlex.join(program)} "$@" || {{ code=$?; [ "$1 $code" = "check 3" ]; }}; }}\n'
    done = subprocess.run(
        ["bash", "-c", f"set -e\n{stubs}{refloop}{before}\n{script}"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    return done.stdout


def synced(office: Office) -> dict[str, str]:
    """An account at work: the records of `fill`, synced, in connections that are named as on the pages."""
    path = Path("config.yaml")
    text = path.read_text(encoding="utf-8").replace("  sf:\n", "  salesforce:\n").replace("  hs:\n", "  hubspot:\n")
    path.write_text(text, encoding="utf-8")
    office.ready()
    ids = fill(office.salesforce, office.hubspot)
    ids["bargain"] = office.hubspot.create("deals", {"dealname": "Acme", "dealstage": "appointmentscheduled"})
    office.hubspot.associate("deals", ids["bargain"], "contacts", ids["visitor"])
    assert office.run("sync").code == 0
    return ids


@pytest.mark.parametrize("page", PAGES)
def test_every_page_is_short_and_its_commands_exist(page: str) -> None:
    assert PAGES[page].startswith("# ")
    assert len(PAGES[page].splitlines()) < 80
    paths = set(commands())
    for line in "\n".join(blocks(page, "sh")).splitlines():
        if line.startswith("refloop "):
            words = shlex.split(re.sub(r"\$\(.*?\)", "FILE", line))[1:]
            path = tuple(words[:2]) if tuple(words[:2]) in paths else (words[0],)
            assert path in paths, line
            assert [word for word in words if word.startswith("--") and word not in help_of(path)] == [], line


def test_each_page_is_run_by_a_test_of_its_name() -> None:
    tests = {name.removeprefix("test_").replace("_", "-") for name in globals() if name.startswith("test_")}
    assert set(PAGES) <= tests


def test_connect_salesforce(office: Office, refloop: list[str]) -> None:
    url = re.findall(r"url: (\S+)", Path("config.yaml").read_text(encoding="utf-8"))[0]
    Path("config.yaml").unlink()
    said = {
        "https://acme.my.salesforce.com": url,
        "3MVG9example": "local-client",
        "SECRET=...": "SECRET=office-secret",
    }
    out = played("connect-salesforce", refloop, said)
    office.monkeypatch.setenv("SALESFORCE_CLIENT_SECRET", "office-secret")
    assert "Set the environment variables: SALESFORCE_CLIENT_SECRET" in out
    assert office.run("check").code == 0


def test_connect_hubspot(office: Office, refloop: list[str]) -> None:
    config = Path("config.yaml")
    url = re.findall(r"url: (\S+)", config.read_text(encoding="utf-8"))[1]
    config.unlink()
    leads_here = f"sed -i 's|    # url: .*|    url: {url}|' config.yaml"
    said = {"HUBSPOT_TOKEN=...": f"HUBSPOT_TOKEN=pat-na1-office\n{leads_here}"}
    played("connect-hubspot", refloop, said)
    office.monkeypatch.setenv("HUBSPOT_TOKEN", "pat-na1-office")
    assert office.run("check").code == 0
    (added,) = blocks("connect-hubspot", "yaml")
    assert yaml.safe_load(added)["hubspot"]["auth"]["token"] == "env:HUBSPOT_TOKEN"


def test_first_backfill(office: Office, refloop: list[str]) -> None:
    office.ready()
    ids = fill(office.salesforce, office.hubspot)
    office.later()  # what was saved in the moment before is written a tick later
    played("first-backfill", refloop, {})
    assert office.salesforce.get("Lead", ids["lead"])["Ref_Code__c"] == "BENS-4F6T"  # type: ignore[index]  # it is there


def test_dispute(office: Office, refloop: list[str]) -> None:
    ids = synced(office)
    said = {"hubspot:deal:7001": f"hubspot:deal:{ids['bargain']}", "contact:101": f"contact:{ids['visitor']}"}
    out = played("dispute", refloop, said)
    assert "ANNA-7K2Q" in out
    assert "Anna Weiß" in out


def test_correct_a_match(office: Office, refloop: list[str]) -> None:
    ids = synced(office)
    office.hubspot.update("contacts", ids["visitor"], {"ref_code": "BENS-4F6T"})
    office.later()
    out = played("correct-a-match", refloop, {"contact:101": f"contact:{ids['visitor']}"})
    assert "BENS-4F6T" in out
    corrected = dict(office.hubspot.rows("contacts"))[ids["visitor"]]
    assert corrected["ref_referrer"] == 'Ben "B" O\'Hara'
    assert "NEW-2026" in office.run("codes", "list").out


def test_move_a_machine(office: Office, refloop: list[str]) -> None:
    synced(office)
    before = office.run("referrals", "list").out
    moved = "mkdir -m 0700 moved; cp refloop.db.backups/*.db.gz moved; rm -r refloop.db refloop.db.*\n"
    text = played("move-a-machine", refloop, {"refloop ledger restore": f"{moved}refloop ledger restore"})
    assert text.count("nothing to write") == 2, "both CRMs"
    assert office.run("referrals", "list").out == before


def test_upgrade(office: Office, refloop: list[str]) -> None:
    synced(office)
    played("upgrade", refloop, {})


def test_uninstall(office: Office, refloop: list[str]) -> None:
    ids = synced(office)
    played("uninstall", refloop, {})
    assert "Ref_Code__c" not in (office.salesforce.get("Lead", ids["lead"]) or {})
    assert Path("referrals.json").stat().st_size > 10
    assert not list(Path().glob("refloop.db*"))


def test_github_actions() -> None:
    """It is no shell's: its YAML is what GitHub reads, as far as a machine can tell without GitHub."""
    (text,) = blocks("github-actions", "yaml")
    workflow = yaml.safe_load(text)
    triggers = workflow[True]  # YAML 1.1 reads `on` so
    minutes = triggers["schedule"][0]["cron"].split()[0].split(",")
    assert all(int(later) - int(sooner) >= 5 for sooner, later in itertools.pairwise(minutes))
    assert workflow["concurrency"] == {"group": "refloop", "cancel-in-progress": False}
    steps = workflow["jobs"]["sync"]["steps"]
    kept, brought = (
        next(step for step in steps if step.get("uses", "").startswith(f"actions/cache/{word}@"))
        for word in ("save", "restore")
    )
    assert kept["if"] == "always()"
    assert kept["with"]["path"] == brought["with"]["path"] == "state"
    assert kept["with"]["key"] == brought["with"]["key"]
    assert kept["with"]["key"].startswith(brought["with"]["restore-keys"])
    assert [step["run"] for step in steps if step.get("run", "").startswith("refloop ")] == ["refloop sync"]
    named = set(workflow["jobs"]["sync"]["env"])
    assert named == {"SALESFORCE_CLIENT_SECRET", "HUBSPOT_TOKEN"}
    assert all(f"secrets.{name} " in value for name, value in workflow["jobs"]["sync"]["env"].items())
