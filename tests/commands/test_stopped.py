"""Ctrl-C and SIGTERM: one line says what is kept and what to do, and the next run goes on from there."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from refloop.errors import Exit
from refloop_sandbox.server import Server
from tests.cli.conftest import Office, fill
from tests.commands.test_operations import Stuck
from tests.patience import PATIENCE

SYNC = ("sync",)
BACKFILL = ("backfill", "--from", "2026-01-01", "--to", "2026-12-31")


def stopped(office: Office, words: tuple[str, ...], path: str, *signals: signal.Signals) -> tuple[int, str]:
    """Runs a command over a HubSpot that does not answer at some path, and signals it there. Gives its exit code and
    what it said."""
    crm = Stuck(office.hubspot.app, path)
    with Server(crm) as slow:
        config = Path("config.yaml").read_text(encoding="utf-8")
        hubspot = re.findall(r"url: (\S+)", config)[1]
        Path("slow.yaml").write_text(config.replace(hubspot, slow.url), encoding="utf-8")
        office.later()
        process = subprocess.Popen(
            [sys.executable, "-m", "refloop.cli", "-c", "slow.yaml", *words],
            env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
        )
        try:
            assert crm.reached.wait(PATIENCE)
            for number in signals:
                process.send_signal(number)
            _, said = process.communicate(timeout=PATIENCE)
        finally:
            process.kill()
            process.wait()
            crm.released.set()
    return process.returncode, said


@pytest.mark.parametrize(
    ("words", "path", "number", "next_step"),
    [
        (SYNC, "/batch/update", signal.SIGINT, "run `refloop sync` again"),
        (SYNC, "/crm/objects", signal.SIGTERM, "run `refloop sync` again"),
        (BACKFILL, "/crm/objects", signal.SIGINT, "run the same again"),
        (("apply", "plan.jsonl"), "/batch/update", signal.SIGINT, "run `refloop sync`"),
    ],
    ids=["sync", "sync-terminated", "backfill", "apply"],
)
def test_what_is_kept_is_said_and_the_next_run_goes_on(
    office: Office, words: tuple[str, ...], path: str, number: signal.Signals, next_step: str
) -> None:
    office.ready()
    ids = fill(office.salesforce, office.hubspot)
    if words[0] == "apply":
        assert office.run("plan", "-o", "plan.jsonl").code == Exit.OK
    code, said = stopped(office, words, path, number)
    how, expected = {
        signal.SIGINT: ("stopped by Ctrl-C", Exit.INTERRUPTED),
        signal.SIGTERM: ("told to stop (SIGTERM)", Exit.TERMINATED),
    }[number]
    assert code == expected
    (line,) = said.splitlines()
    assert line.startswith(f"refloop: {how}; what was ")
    assert next_step in line
    run = json.loads(office.run("runs", "--json").out)[0]
    assert (run["exit"], run["imbalances"]) == (expected, [])
    assert office.run("sync").code == Exit.OK
    assert (office.hubspot.get("contacts", ids["visitor"]) or {})["ref_code"] == "ANNA-7K2Q"
    assert "nothing to write" in office.run("sync", "--verbose").out


def test_an_import_that_is_stopped_keeps_what_it_took_in(office: Office, refloop: list[str]) -> None:
    process = subprocess.Popen(
        [*refloop, "codes", "import", "-"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdin is not None
    # more than a pipe holds: when all is handed over, some of it has been taken in
    rows = "code,referrer\n" + "".join(f"CODE-{number:05},r{number}\n" for number in range(30_000))
    process.stdin.write(rows.encode())
    process.stdin.flush()
    process.send_signal(signal.SIGINT)
    assert process.wait(PATIENCE) == Exit.INTERRUPTED
    assert process.stderr is not None
    said = process.stderr.read().decode()
    assert "stopped by Ctrl-C; the rows up to the last thousand are kept: import the file again" in said
    for stream in (process.stdin, process.stdout, process.stderr):
        assert stream is not None
        stream.close()
    kept = len(json.loads(office.run("codes", "list", "--json").out))
    assert 0 < kept < 30_000
    assert kept % 1000 == 0


def test_a_second_signal_ends_it_at_once(tmp_path: Path) -> None:
    """Also where clearing away hangs."""
    program = (
        "import time\n"
        "from refloop.commands.stopping import stopping\n"
        "stopping.listen()\n"
        "try:\n"
        "    print('ready', flush=True)\n"
        "    time.sleep(3600)\n"
        "finally:\n"
        "    print('clearing', flush=True)\n"
        "    time.sleep(3600)\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )  # fmt: skip
    assert process.stdout is not None
    for word in ("ready", "clearing"):
        assert process.stdout.readline().strip() == word
        process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=PATIENCE)
    assert process.returncode == Exit.INTERRUPTED
    assert "ended at once" in said
    assert "Traceback" not in said
