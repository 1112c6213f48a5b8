"""What a start loads: what the command needs, and nothing of the local CRMs."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import Office

ONLY_FOR_LOCAL_CRMS = ("lark", "starlette", "uvicorn")


def test_a_start_loads_nothing_of_the_local_crms() -> None:
    program = "import sys, refloop.cli; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", program], cwd=Path(__file__).parents[2], capture_output=True, text=True, check=True
    ).stdout.split()
    assert "refloop.commands.demo" in loaded
    assert [name for name in loaded if "sandbox" in name or name.partition(".")[0] in ONLY_FOR_LOCAL_CRMS] == []


PROGRAM = """\
import pathlib, sys
from refloop.cli import main
try:
    main()
finally:
    pathlib.Path("loaded.txt").write_text(" ".join(sys.modules))
"""
SPEAKS_HTTP = {"requests", "urllib3", "tenacity"}
OF_SALESFORCE = {"simple_salesforce", "jwt", "cryptography"}
OF_HUBSPOT = {"hubspot"}
NEVER = {"zeep", "lxml", "isodate", "sqlite_utils", "refloop_sandbox"}


@pytest.mark.parametrize(
    ("command", "needed", "not_needed"),
    [
        ("--version", set(), SPEAKS_HTTP | OF_SALESFORCE | OF_HUBSPOT),
        ("codes list", {"sqlite3"}, SPEAKS_HTTP | OF_SALESFORCE | OF_HUBSPOT),
        ("status", {"sqlite3"}, SPEAKS_HTTP | OF_SALESFORCE | OF_HUBSPOT),
        ("runs", {"sqlite3"}, SPEAKS_HTTP | OF_SALESFORCE | OF_HUBSPOT),
        ("review", {"sqlite3"}, SPEAKS_HTTP | OF_SALESFORCE | OF_HUBSPOT),
        ("sync --only hs", SPEAKS_HTTP | OF_HUBSPOT, OF_SALESFORCE),
        ("sync --only sf", SPEAKS_HTTP | OF_SALESFORCE, OF_HUBSPOT),
        ("sync", SPEAKS_HTTP | OF_SALESFORCE | OF_HUBSPOT, set()),
    ],
)
def test_a_command_loads_what_it_needs(office: Office, command: str, needed: set[str], not_needed: set[str]) -> None:
    office.ready()
    subprocess.run([sys.executable, "-c", PROGRAM, *command.split()], capture_output=True, check=False)
    loaded = {name.partition(".")[0] for name in Path("loaded.txt").read_text().split()}
    assert needed - loaded == set()
    assert loaded & (not_needed | NEVER) == set()


def test_the_soap_client_of_simple_salesforce_is_there_for_whoever_asks() -> None:
    program = """\
import sys
import refloop.connectors.salesforce.client
assert "zeep" not in sys.modules
import simple_salesforce
print(type(simple_salesforce.Salesforce(instance_url="https://a.my.salesforce.com", session_id="b").mdapi))
from simple_salesforce.metadata import SfdcMetadataApi
print(SfdcMetadataApi)
"""
    printed = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert printed.split("\n")[:2] == ["<class 'simple_salesforce.metadata.SfdcMetadataApi'>"] * 2
