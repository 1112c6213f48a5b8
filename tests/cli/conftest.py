"""The command line over a local Salesforce and HubSpot whose clock goes on from command to command."""

from __future__ import annotations

import re
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from refloop.cli import main
from refloop_sandbox.hubspot import LocalHubSpot
from refloop_sandbox.salesforce import LocalSalesforce
from refloop_sandbox.server import Server
from tests.warm_start import warm_start

NOON = datetime(2026, 3, 12, 12, tzinfo=UTC)
CONFIG = """\
version: 1
connections:
  sf:
    connector: salesforce
    url: {salesforce}
    currency: USD
    auth: {{method: client_credentials, client_id: local-client, client_secret: "env:OFFICE_SF"}}
  hs:
    connector: hubspot
    url: {hubspot}
    auth: {{method: service_key, token: "env:OFFICE_HS"}}
"""
CODES = """\
code,referrer,referrer_name,referrer_email,program,valid_from,valid_to
ANNA-7K2Q,anna,Anna Weiß,anna@partners.io,partners,,
BENS-4F6T,ben,"Ben ""B"" O'Hara",ben@partners.io,partners,2026-01-01,2026-12-31
OLDC-0D3X,ben,,,partners,,2025-12-31
"""


@dataclass(frozen=True)
class Answer:
    """What a command printed, and its exit code."""

    code: int
    out: str
    err: str


@dataclass
class Clock:
    """The CRMs' clock, which stands still while a command works."""

    now: datetime = NOON

    def __call__(self) -> datetime:
        return self.now


@dataclass
class Office:
    """A company's desk: two CRMs, a config.yaml, and a terminal."""

    folder: Path
    salesforce: LocalSalesforce
    hubspot: LocalHubSpot
    capture: pytest.CaptureFixture[str]
    monkeypatch: pytest.MonkeyPatch
    clock: Clock

    def run(self, *words: str) -> Answer:
        """Runs a command, some seconds after what was done before it."""
        self.later()
        self.capture.readouterr()
        self.monkeypatch.setattr(sys, "argv", ["refloop", *words])
        with pytest.raises(SystemExit) as stop:
            main()
        printed = self.capture.readouterr()
        code = stop.value.code
        return Answer(code if isinstance(code, int) else 0, printed.out, printed.err)

    def later(self) -> None:
        self.clock.now += timedelta(seconds=5)

    def ready(self) -> None:
        assert self.run("provision").code == 0
        (self.folder / "codes.csv").write_text(CODES, encoding="utf-8")
        assert self.run("codes", "import", "codes.csv").code == 0


def plain(text: str) -> str:
    """The text without what differs from run to run: the present, and how long it took."""
    today = datetime.now(UTC)
    for day in (today, today - timedelta(days=1)):
        text = re.sub(rf"{day:%Y-%m-%d}T\d\d:\d\d:\d\d(\.\d+\+00:00|Z)", "<now>", text)
        text = re.sub(rf"\b{day.day} {day:%b %Y} \d\d:\d\d", "<now>", text)
    return text


def fill(salesforce: LocalSalesforce, hubspot: LocalHubSpot) -> dict[str, str]:
    """A few records, by hand: a lead that was converted and won, one that mistyped, a buyer in both CRMs."""
    ids: dict[str, str] = {}
    ids["account"] = account = salesforce.create("Account", {"Name": "Acme GmbH"})
    ids["anna"] = salesforce.create("Contact", {"LastName": "Weiß", "Email": "anna@partners.io"})
    ids["lead"] = salesforce.create(
        "Lead",
        {
            "LastName": "Kim",
            "Company": "Lumen Oy",
            "Email": "kim@lumen.io",
            "Description": "heard of you: code bens 4f6t",
        },
    )
    ids["typo"] = salesforce.create(
        "Lead", {"LastName": "Oz", "Company": "Oz Ltd", "Email": "oz@oz.io", "Description": "code ANNA-7K2X"}
    )
    ids["contact"] = salesforce.create("Contact", {"LastName": "Bo", "Email": "bo@acme.io", "AccountId": account})
    ids["deal"] = salesforce.create(
        "Opportunity",
        {
            "Name": "Acme GmbH",
            "StageName": "Closed Won",
            "CloseDate": "2026-03-12",
            "Amount": 1200.5,
            "AccountId": account,
        },
    )
    salesforce.create("OpportunityContactRole", {"OpportunityId": ids["deal"], "ContactId": ids["contact"]})
    ids["visitor"], ids["partner"] = hubspot.load(
        "contacts",
        [
            {
                "email": "bo@acme.io",
                "company": "Acme GmbH",
                "createdate": "2026-03-01T08:00:00Z",
                "hs_analytics_first_url": "https://shop.example/?utm_source=mail&ref=anna-7k2q",
            },
            {"email": "anna@partners.io", "createdate": "2026-01-01T08:00:00Z"},
        ],
    )
    return ids


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Waits are noted, and next to none of them waited: a window of a second has to pass all the same."""
    slept: list[float] = []
    pause = time.sleep

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        pause(min(seconds, 0.002))

    def wait(_event: threading.Event, timeout: float | None = None) -> bool:
        sleep(timeout or 0.0)
        return False

    monkeypatch.setattr("time.sleep", sleep)
    monkeypatch.setattr("threading.Event.wait", wait)
    return slept


@pytest.fixture(scope="session")
def refloop() -> Iterator[list[str]]:
    """What a command line begins with that is to be a process of its own; forked, where nothing is said about it."""
    with warm_start() as words:
        yield words


@pytest.fixture
def office(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Iterator[Office]:
    clock = Clock()
    hubspot = LocalHubSpot(clock=clock, token="pat-na1-office")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OFFICE_SF", "office-secret")
    monkeypatch.setenv("OFFICE_HS", "pat-na1-office")
    monkeypatch.setenv("COLUMNS", "200")
    with (
        LocalSalesforce(clock=clock, client_secret="office-secret") as salesforce,
        Server(salesforce.app) as first,
        Server(hubspot.app) as second,
    ):
        config = CONFIG.format(salesforce=first.url, hubspot=second.url)
        (tmp_path / "config.yaml").write_text(config, encoding="utf-8")
        yield Office(tmp_path, salesforce, hubspot, capsys, monkeypatch, clock)
