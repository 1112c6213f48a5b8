"""Runs refloop's commands, each in a process of its own that can be killed at a point; a program, so that it may fork.

Reads one JSON object a line: the words of a command, the folder, at which point to die, what to sabotage, how large a
file may grow. Answers with one: how the process ended, what it printed, and the points it passed. A point is a moment
at which the world outside may change: before each SQL statement, before each HTTP request and after it was carried
out but before its answer is read, before each change to a folder. The kill is SIGKILL: nothing is tidied up.
"""

from __future__ import annotations

import ctypes
import gc
import json
import os
import resource
import signal
import sqlite3
import sys
import tempfile
import threading
import traceback
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import IO, Any

import requests
import typer.main
from hubspot.client import Client as Sdk
from requests.adapters import HTTPAdapter
from sqlite_utils import Database

import refloop.sync.push
from refloop.cli import app, main
from refloop.connectors.base import connector_class
from refloop.connectors.http.call_log import endpoint_of
from refloop.connectors.http.deadline import DeadlineAdapter
from refloop.errors import RefloopError
from refloop.ledger import open_ledger
from refloop.ledger.schema import migrations
from refloop.model import FieldChange, Receipt, Ref, Verdict
from refloop.sync.push import Pusher
from tests.command_tree import build_once
from tests.crash.bench import WRITE

_FOLDER_EVENTS = frozenset({"os.rename", "os.remove", "os.mkdir", "os.link", "os.chmod", "os.truncate", "os.rmdir"})


class Fate:
    """Numbers the points that a process passes, and kills it at the deadly one."""

    def __init__(self, deadly: int | None) -> None:
        self.points: list[str] = []
        self._deadly = deadly
        self._lock = threading.RLock()

    def point(self, what: str) -> None:
        with self._lock:
            self.points.append(what)
            if len(self.points) - 1 == self._deadly:
                os.kill(os.getpid(), signal.SIGKILL)


class CrashingConnection(sqlite3.Connection):
    """An SQLite connection whose process may die before any statement."""

    fate = Fate(None)

    def execute(self, sql: str, *parameters: Any) -> sqlite3.Cursor:
        self.fate.point(f"sql {sql[:60]}")
        return super().execute(sql, *parameters)

    def executemany(self, sql: str, *parameters: Any) -> sqlite3.Cursor:
        self.fate.point(f"sql {sql[:60]}")
        return super().executemany(sql, *parameters)

    def executescript(self, sql: str) -> sqlite3.Cursor:
        self.fate.point(f"sql {sql[:60]}")
        return super().executescript(sql)

    def backup(self, *where: Any, **how: Any) -> None:
        self.fate.point("sql backup")
        super().backup(*where, **how)


def watch_sql(fate: Fate) -> None:
    CrashingConnection.fate = fate
    sqlite3.connect = partial(sqlite3.connect, factory=CrashingConnection)  # type: ignore[assignment]  # of this process


def watch_http(fate: Fate) -> None:
    def send(self: HTTPAdapter, request: requests.PreparedRequest, **how: Any) -> requests.Response:
        what = endpoint_of(request.method or "", request.url or "")
        if is_write(what, request.body or b""):
            what += WRITE
        fate.point(f"http before {what}")
        response = HTTPAdapter.send(self, request, **how)
        fate.point(f"http after {what}")
        return response

    setattr(DeadlineAdapter, "send", send)  # noqa: B010 - of this process alone


def is_write(what: str, body: bytes | str) -> bool:
    """Whether a request may change a record: by itself, in a batch, or as a part of a composite."""
    raw = body.encode() if isinstance(body, str) else body
    return what.startswith("PATCH") or "/batch/update" in what or b'"PATCH"' in raw


def watch_folders(fate: Fate) -> None:
    def heard(event: str, arguments: tuple[Any, ...]) -> None:
        opened_to_write = event == "open" and isinstance(arguments[0], str) and arguments[2] & os.O_ACCMODE
        if event in _FOLDER_EVENTS or opened_to_write:
            fate.point(f"file {event}")

    sys.addaudithook(heard)


# what a naive tool does


def no_outbox(*_: object) -> None:
    """Sends without having written down what."""


def receipt_first(self: Pusher, name: str, connector: Any, changes: Sequence[FieldChange]) -> set[Ref]:
    """Writes down that it was done, and then does it."""
    self._keep(name, [Receipt(change, Verdict.WRITTEN, change.after) for change in changes])
    list(connector.push(changes))
    return set()


SABOTAGE: Mapping[str, Callable[[], None]] = {
    "no outbox": lambda: setattr(refloop.sync.push, "intend", no_outbox),
    "receipt first": lambda: setattr(Pusher, "_sent", receipt_first),
    "unsettled": lambda: setattr(Pusher, "settle", lambda *_: Counter()),
}


# other versions of refloop


def newer(db: Database) -> None:
    """A migration that alters, adds, fills and converts."""
    db.execute("ALTER TABLE runs ADD COLUMN weather TEXT")
    db.execute("CREATE TABLE weather (day TEXT PRIMARY KEY) STRICT")
    db.execute("INSERT INTO weather SELECT DISTINCT substr(started_at, 1, 10) FROM runs")
    db.execute("UPDATE runs SET weather = 'fine'")
    db.execute("DROP VIEW credited_deals")
    db.execute("CREATE VIEW credited_deals AS SELECT * FROM current_credits")


def become(version: int) -> None:
    """Knows the first so many migrations; one more than there are, and that is `newer`."""
    if version > len(migrations._migrations):
        migrations(name="newer")(newer)
    del migrations._migrations[version:]


def main_or_open(words: Sequence[str]) -> None:
    """The command line; or `open`, which does what every command begins with, and no more."""
    if list(words) == ["open"]:
        open_ledger(Path("refloop.db")).close()
    else:
        main()


# the processes


def child(task: Mapping[str, Any], told: int, printed: IO[bytes]) -> None:
    """Becomes the command. Never returns."""
    for stream in (1, 2):
        os.dup2(printed.fileno(), stream)
    os.chdir(task["folder"])
    fate = Fate(task.get("deadly"))
    watch_sql(fate)
    watch_http(fate)
    watch_folders(fate)
    if task.get("sabotage"):
        SABOTAGE[task["sabotage"]]()
    if (version := task.get("version")) is not None:
        become(version)
    _limit(task)
    sys.argv = ["refloop", *task["words"]]
    code: Any = 0 if task["words"] == ["open"] else 1
    try:
        main_or_open(task["words"])
    except SystemExit as stop:
        code = stop.code
    except RefloopError as error:
        code = error.exit
        print(error)  # noqa: T201 - `open` has nobody else to tell it
    except BaseException:
        code = 1
        traceback.print_exc()
    sys.stdout.flush()
    sys.stderr.flush()
    with os.fdopen(told, "w") as answer:
        json.dump({"points": fate.points, **_disk(task)}, answer)
    os._exit(code)


def _limit(task: Mapping[str, Any]) -> None:
    """The disk that this process is to have."""
    if (size := task.get("largest_file")) is not None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))
    if disk := task.get("disk"):
        ctypes.CDLL(None).disk_fails(disk["first"], disk["error"], int(disk["syncs"]))


def _disk(task: Mapping[str, Any]) -> dict[str, int]:
    """How often the disk was written to and failed, as tests/crash/disk.c counts."""
    if not task.get("disk"):
        return {}
    counts = ctypes.CDLL(None)
    told = {"seen": int(counts.disk_seen()), "struck": int(counts.disk_struck())}
    counts.disk_fails(-1, 0, 0)
    return told


def run(task: Mapping[str, Any]) -> dict[str, Any]:
    heard, told = os.pipe()
    with tempfile.TemporaryFile() as printed:
        pid = os.fork()
        if pid == 0:
            try:
                os.close(heard)
                child(task, told, printed)
            finally:
                os._exit(70)  # the harness itself is at fault
        os.close(told)
        with os.fdopen(heard) as answers:
            answer = answers.read()
        _, status = os.waitpid(pid, 0)
        printed.seek(0)
        text = printed.read().decode("utf-8", "replace")
    told_by_child = json.loads(answer) if answer else {"points": []}
    return {"status": os.waitstatus_to_exitcode(status), "printed": text, **told_by_child}


def warm_up() -> None:
    """Does once what each child would do anew: finds the connectors, imports what they import late, builds the tree."""
    for name in ("hubspot", "salesforce"):
        connector_class(name)
    assert Sdk().crm.objects.batch_api
    build_once()
    typer.main.get_command(app)


if __name__ == "__main__":
    warm_up()
    gc.freeze()
    assert Path(refloop.__file__ or "").is_file()
    for line in sys.stdin:
        sys.stdout.write(json.dumps(run(json.loads(line))) + "\n")
        sys.stdout.flush()
