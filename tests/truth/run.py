"""Plays a world through refloop: both CRMs on loopback, a ledger, and so many syncs in two years."""

from __future__ import annotations

import csv
import os
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

from refloop.errors import RefloopError
from refloop.sync.intake import CODE_COLUMNS, import_codes, import_referrals
from refloop.sync.run import Task
from refloop.sync.session import Session, read_config, session
from refloop_sandbox.server import Server
from tests.sync.loop import MEMORY_DISK
from tests.truth.judge import Judgement, judge
from tests.truth.kinds import KINDS
from tests.truth.world import END, START, World

CONFIG = """\
version: 1
connections:
  salesforce:
    connector: salesforce
    url: {salesforce}
    auth: {{method: client_credentials, client_id: local-client, client_secret: env:LOCAL_SALESFORCE}}
    code_fields: {{lead: [Description], contact: [Description], deal: [Description]}}
  hubspot:
    connector: hubspot
    url: {hubspot}
    auth: {{method: service_key, token: env:LOCAL_HUBSPOT}}
    code_fields: {{contact: [how_heard, hs_analytics_first_url], deal: [description]}}
    mirror_of: salesforce
"""
_SECRETS = {"LOCAL_SALESFORCE": "local-secret", "LOCAL_HUBSPOT": "pat-na1-local"}
_AFTERWARDS = timedelta(days=3)


@dataclass
class Played:
    """A world after its last sync. `problems` are what syncs reported, each once."""

    judgement: Judgement
    problems: list[str] = field(default_factory=list)


def moments(pace: int) -> list[datetime]:
    """When so many syncs run, evenly over the play; the last one is when everything has happened."""
    step = (END - START) / pace
    return [START + step * number for number in range(1, pace)] + [END + _AFTERWARDS]


def play(seed: int, size: float, pace: int) -> Played:
    """Plays one world at one pace. Same seed and size, same world."""
    with _opened(World(KINDS, seed, size)) as (world, work, folder):
        _prepare(world, work, folder)
        problems: dict[str, None] = {}
        for at in moments(pace):
            world.play(at)
            problems |= dict.fromkeys(_synced(work))
        return Played(judge(world, work.ledger, pace), list(problems))


def _synced(work: Session) -> list[str]:
    try:
        report = work.runner().run(Task("sync"))
    except RefloopError as error:
        return [f"the run ended: {error.message}"]
    return [f"{name}: {error.message}" for name, error in report.problems]


@contextmanager
def _opened(world: World) -> Iterator[tuple[World, Session, Path]]:
    with ExitStack() as stack:
        stack.callback(world.close)
        there, here = (stack.enter_context(Server(crm.app)) for crm in (world.org, world.portal))
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=MEMORY_DISK)))
        stack.enter_context(_environment())
        config = folder / "config.yaml"
        config.write_text(CONFIG.format(salesforce=there.url, hubspot=here.url), encoding="utf-8")
        yield world, stack.enter_context(session(read_config(config), world.clock)), folder


@contextmanager
def _environment() -> Iterator[None]:
    before = {name: os.environ.get(name) for name in _SECRETS}
    os.environ.update(_SECRETS)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _prepare(world: World, work: Session, folder: Path) -> None:
    for connect in work.connections().values():
        connector = connect()
        try:
            faults = [finding for finding in connector.provision(work.policy.fields) if finding.level == "error"]
        finally:
            connector.close()
        assert faults == [], faults
    codes = folder / "codes.csv"
    with codes.open("w", encoding="utf-8", newline="") as lines:
        writer = csv.DictWriter(lines, CODE_COLUMNS)
        writer.writeheader()
        writer.writerows(world.town.rows())
    assert import_codes(work.ledger, codes, world.clock()).lines() == []
    referral = folder / "referral.csv"

    def submit(code: str, email: str) -> None:
        referral.write_text(f"code,email\n{code},{email}\n", encoding="utf-8")
        assert import_referrals(work.context(), referral).lines() == []

    world.submit = submit
