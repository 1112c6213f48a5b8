"""The commands that look after the ledger, and a sync that is stopped in the middle."""

from __future__ import annotations

import gzip
import io
import json
import os
import re
import signal
import subprocess
import sys
import threading
from asyncio import to_thread
from pathlib import Path

import pytest
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from refloop.errors import Exit
from refloop.ledger import open_ledger
from refloop_sandbox.server import Server
from tests.cli.conftest import Office, fill
from tests.patience import PATIENCE


class Stuck:
    """A CRM that does what the first call to a path asks for, and then holds its answer back."""

    def __init__(self, app: ASGIApp, path: str) -> None:
        self._app = app
        self._path = path
        self.reached = threading.Event()
        self.released = threading.Event()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and self._path in scope["path"] and not self.reached.is_set():
            answer: list[Message] = []

            async def hold(message: Message) -> None:
                answer.append(message)

            await self._app(scope, receive, hold)
            self.reached.set()
            await to_thread(self.released.wait)
            for message in answer:
                await send(message)
        else:
            await self._app(scope, receive, send)


def test_a_sync_that_is_told_to_stop_stops_and_the_next_completes_it(office: Office) -> None:
    office.ready()
    ids = fill(office.salesforce, office.hubspot)
    crm = Stuck(office.hubspot.app, "/batch/update")
    with Server(crm) as slow:
        config = Path("config.yaml").read_text(encoding="utf-8")
        hubspot = re.findall(r"url: (\S+)", config)[1]
        Path("slow.yaml").write_text(config.replace(hubspot, slow.url), encoding="utf-8")
        office.later()
        process = subprocess.Popen(
            [sys.executable, "-m", "refloop.cli", "-c", "slow.yaml", "sync"],
            env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
            stdout=subprocess.DEVNULL,
        )
        try:
            assert crm.reached.wait(PATIENCE)
            process.send_signal(signal.SIGTERM)
            assert process.wait(PATIENCE) == Exit.TERMINATED
        finally:
            process.kill()
            process.wait()
            crm.released.set()
    (stopped,) = [run for run in json.loads(office.run("runs", "--json").out) if run["command"] == "sync"]
    assert (stopped["exit"], stopped["ended_at"] is not None) == (Exit.TERMINATED, True)
    assert stopped["imbalances"] == []
    assert (stopped["counts"]["hs"]["planned"], stopped["counts"]["hs"]["unknown"]) == (15, 15)
    assert office.run("sync").code == Exit.OK
    visitor = office.hubspot.get("contacts", ids["visitor"])
    assert visitor is not None
    assert visitor["ref_code"] == "ANNA-7K2Q"
    assert "nothing to write" in office.run("sync", "--verbose").out


def test_a_sync_takes_old_runs_without_news_out_of_the_journal(office: Office) -> None:
    """Also where it has trouble, which keeps it from its backup."""
    office.ready()
    fill(office.salesforce, office.hubspot)
    for _ in range(4):
        office.run("sync")
    before = [run["run"] for run in json.loads(office.run("runs", "--json").out)]
    ledger = open_ledger(Path("refloop.db"))
    ledger.execute("UPDATE runs SET started_at = '2026-01-01T00:00:00Z'")
    ledger.close()
    office.monkeypatch.setenv("OFFICE_HS", "pat-na1-of-somebody-else")
    assert office.run("sync").code == Exit.AUTH
    kept = [run["run"] for run in json.loads(office.run("runs", "--json").out)]
    quiet = set(before) - set(kept)
    ledger = open_ledger(Path("refloop.db"))
    assert sum(row["runs"] for row in ledger.rows("SELECT runs FROM quiet_runs")) == len(quiet) > 0
    (wrote,) = ledger.rows("SELECT DISTINCT run FROM receipts")
    ledger.close()
    assert wrote["run"] in kept
    office.monkeypatch.setenv("OFFICE_HS", "pat-na1-office")
    assert office.run("undo", str(wrote["run"]), "--yes").code == Exit.OK
    health = json.loads(office.run("status", "--json").out)
    assert all(one["last_success"] for one in health["connections"])


def test_the_ledger_is_verified_backed_up_put_back_and_rebuilt(office: Office) -> None:
    office.ready()
    fill(office.salesforce, office.hubspot)
    assert office.run("sync").code == Exit.OK
    (daily,) = Path("refloop.db.backups").iterdir()
    assert office.run("sync").code == Exit.OK
    assert list(Path("refloop.db.backups").iterdir()) == [daily]
    assert "sound" in office.run("ledger", "verify").out
    assert office.run("ledger", "backup").code == Exit.OK
    assert len(list(Path("refloop.db.backups").iterdir())) == 2

    ledger = open_ledger(Path("refloop.db"))
    ledger.execute("UPDATE records SET stage = 'nonsense' WHERE kind = 'deal'")
    ledger.close()
    damaged = office.run("ledger", "verify")
    assert damaged.code == Exit.DATA
    assert "is not what was kept" in damaged.out
    assert len(json.loads(office.run("ledger", "verify", "--json").out)["faults"]) == 1
    assert office.run("ledger", "backup").code == Exit.DATA

    back = office.run("ledger", "restore", "--yes")
    assert back.code == Exit.OK
    assert "refloop.db.replaced-" in back.out
    assert office.run("ledger", "verify").code == Exit.OK
    assert office.run("ledger", "restore", "none.db", "--yes").code == Exit.DATA

    assert "records forgotten" in office.run("ledger", "rebuild", "--yes").out
    assert office.run("plan", "--no-pull").code == Exit.LATER
    again = office.run("sync", "--verbose")
    assert again.code == Exit.OK
    assert "nothing to write" in again.out


def test_a_person_is_forgotten_only_when_one_says_yes(office: Office) -> None:
    office.ready()
    ids = fill(office.salesforce, office.hubspot)
    office.run("sync")
    office.monkeypatch.setattr(sys, "stdin", io.StringIO("n\n"))
    asked = office.run("forget", "bo@acme.io")
    assert asked.code == Exit.DECLINED
    assert "(2 records, 0 submitted referrals)? It cannot be taken back" in asked.err
    assert "nothing was changed" in asked.err
    assert b"bo@acme.io" in Path("refloop.db").read_bytes()
    done = office.run("forget", "bo@acme.io", "--yes")
    assert done.code == Exit.OK
    assert "records: 2 erased" in done.out
    assert office.run("sync").code == Exit.OK
    for path in Path().rglob("refloop.db*"):
        assert path.is_dir() or b"bo@acme.io" not in path.read_bytes()
    (backup,) = Path("refloop.db.backups").iterdir()
    assert b"bo@acme.io" not in gzip.decompress(backup.read_bytes())
    assert "was forgotten" in office.run("explain", f"sf:contact:{ids['contact']}").out
    assert office.run("forget", "nobody").code == Exit.DATA
    assert "bo@acme.io" not in office.run("runs", "--json").out


def test_who_holds_the_ledger_is_shown(office: Office) -> None:
    office.run("status")
    assert "nobody works" in office.run("unlock").out
    office.ready()
    assert "nobody works" in office.run("unlock", "--force").out


@pytest.mark.parametrize(("mode", "told"), [("auto", False), ("never", True)])
def test_a_sync_says_how_many_records_it_wrote_without_a_condition(office: Office, mode: str, told: bool) -> None:
    config = Path("config.yaml").read_text(encoding="utf-8")
    changed = config.replace("currency: USD", f"currency: USD\n    conditional_writes: {mode}", 1)
    Path("config.yaml").write_text(changed, encoding="utf-8")
    office.ready()
    fill(office.salesforce, office.hubspot)
    out = office.run("sync", "--verbose").out
    assert ("sf: 4 records were written without the condition" in out) is told
    assert ("`conditional_writes`" in out) is told
    (run,) = [run for run in json.loads(office.run("runs", "--json").out) if run["command"] == "sync"]
    assert run["counts"]["sf"].get("unconditional") == (4 if told else None)
