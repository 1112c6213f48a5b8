"""Singer taps of others: how each is installed, told what to read, and run against a local CRM."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

from _meter import metered
from crm import Used

from refloop.connectors.salesforce.fields import ROLE_FIELDS, STANDARD
from refloop_sandbox.launch import Process

ENVIRONMENTS = Path(".bench-peers")
HERE = Path(__file__).parent
PATIENCE = 900
START = "2025-01-01T00:00:00Z"


class Failed(Exception):  # noqa: N818 - it becomes a row of the table
    """A peer could not be installed, or did not run to its end. The message says why, in one line."""


@dataclass(frozen=True)
class Tap:
    """A tap by its name and version on the package index.

    `config` makes its configuration for a local CRM, `streams` are those to select, `catalog` is the option that
    takes the catalogue.
    """

    crm: str
    package: str
    version: str
    command: str
    streams: Sequence[str]
    config: Callable[[Process], Mapping[str, object]]
    catalog: str

    @property
    def name(self) -> str:
        return f"{self.package} {self.version}"


def _tap_hubspot(process: Process) -> Mapping[str, object]:
    # it asks for the keys of OAuth even where an api_key is what it uses
    unused = dict.fromkeys(("redirect_uri", "client_id", "client_secret", "refresh_token"), "unused")
    return {
        "api_key": process.credentials["token"],
        "start_date": START,
        "select_fields_by_default": "true",
        "disable_collection": True,
        **unused,
    }


def _meltano(process: Process) -> Mapping[str, object]:
    return {"access_token": process.credentials["token"], "associations": {"deals": ["contacts"]}}


def _tap_salesforce(process: Process) -> Mapping[str, object]:
    held = {name: process.credentials[name] for name in ("client_id", "client_secret", "refresh_token")}
    return {**held, "start_date": START, "api_type": "REST", "select_fields_by_default": "false"}


FIELDS = {
    "hubspot": frozenset((
        "associations", "archived", "hs_merged_object_ids", "email", "company", "lifecyclestage", "hs_lead_status",
        "hs_calculated_merged_vids", "hs_all_contact_vids", "hs_analytics_first_url", "dealname", "pipeline",
        "dealstage", "amount", "deal_currency_code", "closedate", "hs_closed_won_date", "hs_is_closed",
        "hs_is_closed_won",
    )),
    "salesforce": frozenset((*chain.from_iterable(STANDARD.values()), *ROLE_FIELDS, "Description")),
}  # fmt: skip
"""What refloop asks for, so that all ask for the same."""

_ROLES = ("Lead", "Contact", "Opportunity", "OpportunityContactRole")
TAPS = (
    Tap("hubspot", "tap-hubspot", "4.5.0", "tap-hubspot", ("contacts", "deals"), _tap_hubspot, "--properties"),
    Tap(
        "hubspot", "meltano-tap-hubspot", "0.10.1", "tap-hubspot",
        ("contacts", "deals", "deals_contacts_associations"), _meltano, "--catalog",
    ),
    Tap("salesforce", "tap-salesforce", "2.8.1", "tap-salesforce", _ROLES, _tap_salesforce, "--properties"),
)  # fmt: skip


def install(tap: Tap) -> Path:
    """The tap's command in an environment of its own, made when it is not there yet. Raises Failed."""
    folder = ENVIRONMENTS.absolute() / f"{tap.package}-{tap.version}"
    done = folder / "installed"
    if not done.exists():
        shutil.rmtree(folder, ignore_errors=True)
        pip = [str(folder / "bin" / "python"), "-m", "pip", "-q", "--disable-pip-version-check"]
        for command in (
            [sys.executable, "-m", "venv", str(folder)],
            [*pip, "install", f"{tap.package}=={tap.version}"],
        ):
            ended = subprocess.run(command, capture_output=True, text=True, check=False)
            if ended.returncode:
                raise Failed(f"not installed: {last_line(ended.stderr)}")
        done.touch()
    return folder / "bin" / tap.command


class Bench:
    """A folder in which an installed tap reads from one local CRM; it keeps the state from run to run."""

    def __init__(self, tap: Tap, command: Path, folder: Path, process: Process) -> None:
        self._tap = tap
        self._command = command
        self._folder = folder
        (folder / "sitecustomize.py").write_text((HERE / "_redirect.py").read_text(encoding="utf-8"), encoding="utf-8")
        (folder / "config.json").write_text(json.dumps(tap.config(process)), encoding="utf-8")
        kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TMPDIR") if name in os.environ}
        self._env = {**kept, "PYTHONPATH": str(folder), "PEER_CRM": process.url}

    def discover(self) -> None:
        """Asks the tap for its catalogue and selects the streams. Raises Failed."""
        self._run("--discover")
        found = _parsed((self._folder / "out").read_bytes())
        missing = set(self._tap.streams) - {stream["tap_stream_id"] for stream in found["streams"]}
        if missing:
            raise Failed(f"discovery did not find {', '.join(sorted(missing))}")
        for stream in found["streams"]:
            _select(stream, FIELDS[self._tap.crm] if stream["tap_stream_id"] in self._tap.streams else frozenset())
        (self._folder / "catalog.json").write_text(json.dumps(found), encoding="utf-8")

    def read(self) -> tuple[Used, Counter[str]]:
        """Reads all that changed since the last read; gives what it used and the records by stream. Raises Failed."""
        state = self._folder / "state.json"
        used = self._run(self._tap.catalog, "catalog.json", *(("--state", "state.json") if state.exists() else ()))
        records: Counter[str] = Counter()
        reached: object = None
        with (self._folder / "out").open("rb") as lines:
            for line in lines:
                message = _parsed(line)
                if message["type"] == "RECORD":
                    records[message["stream"]] += 1
                elif message["type"] == "STATE":
                    reached = message["value"]
        if reached is None:
            raise Failed("it ended without a state")
        state.write_text(json.dumps(reached), encoding="utf-8")
        return used, records

    def _run(self, *options: str) -> Used:
        command = [str(self._command), "--config", "config.json", *options]
        try:
            used = metered(command, self._folder, self._env, PATIENCE)
        except (TimeoutError, RuntimeError) as error:
            raise Failed(last_line(str(error))) from None
        if used["code"]:
            wrong = (self._folder / "err").read_text(encoding="utf-8", errors="replace")
            raise Failed(f"ended with code {used['code']:.0f}: {last_line(wrong)}")
        return Used(used["seconds"], used["cpu"], used["memory"], {})


def _parsed(text: bytes) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        raise Failed("what it wrote is not JSON") from None


def _select(stream: dict[str, Any], wanted: frozenset[str]) -> None:
    """Selects a stream with the fields wanted, by its replication key if any; with none wanted deselects it."""
    # a field is the last word of its path; within an object, that object is wanted too
    nested = any(len(entry["breadcrumb"]) > 2 for entry in stream["metadata"])
    for entry in stream["metadata"]:
        found = entry["metadata"]
        if entry["breadcrumb"]:
            field = entry["breadcrumb"][-1].removeprefix("property_")
            found["selected"] = field in wanted or (nested and bool(wanted) and field == "properties")
            continue
        found["selected"] = bool(wanted)
        keys = found.get("valid-replication-keys")
        if keys:
            found["replication-method"] = "INCREMENTAL"
            found["replication-key"] = keys[0]


def last_line(text: str) -> str:
    """The last line that says something, fit for a cell of a table."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return (lines[-1] if lines else "no word of why").replace("|", "/")[:160]
