"""No secret and no person gets out: canaries in config, CRMs and files, over every fault, at debug level."""

from __future__ import annotations

import gc
import http.client
import json
import logging
import re
import socket
import sqlite3
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import requests

from refloop.connectors.hubspot import HubSpot
from refloop.connectors.salesforce import Salesforce
from refloop.errors import Exit
from refloop.sandbox.faults import Asked
from refloop.sync.session import read_config, session
from tests.cli.canaries import (
    CANARIES,
    EMAIL,
    FIRST,
    LAST,
    OTHER_LOGIN,
    PLAIN_LOGIN,
    Aviary,
    Sort,
    forms,
    found,
    is_any,
    is_read,
    is_write,
    matrix,
    of,
    poison,
    secrets,
)
from tests.cli.conftest import Answer, Office

TROUBLES = {Exit.OK, Exit.ATTENTION, Exit.UNAVAILABLE, Exit.LATER, Exit.AUTH, Exit.CONFIG, Exit.DATA, Exit.STALE}


class Elsewhere:
    """A server that nobody has business with; it notes what it is sent."""

    def __init__(self) -> None:
        self.visits: list[bytes] = []
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()

    def _listen(self) -> None:
        while True:
            try:
                visitor, _ = self._socket.accept()
            except OSError:
                return
            with visitor:
                self.visits.append(visitor.recv(65536))

    def close(self) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self._thread.join()


@pytest.fixture
def elsewhere() -> Iterator[Elsewhere]:
    made = Elsewhere()
    yield made
    made.close()


@pytest.fixture
def aviary(office: Office, quick: list[float]) -> Aviary:
    made = Aviary(office)
    made.furnish()
    return made


def clean(aviary: Aviary, answer: Answer, command: str, about: object = "") -> None:
    assert answer.code in TROUBLES, (command, about, answer)
    assert aviary.leaks(answer, command) == [], (command, about)


def sweep(aviary: Aviary, faults: Mapping[str, Any], commands: Mapping[str, Callable[[], Answer]]) -> int:
    """Every command under every fault. Gives how many combinations there were, each struck at least once."""
    count = 0
    for name, make in faults.items():
        for command, run in commands.items():
            for when in (is_read, is_write) if command == "sync" else (is_any,):
                if name == "poison" and when is not is_write:
                    continue
                aviary.hatch()
                aviary.trouble(make, when)
                before = aviary.struck
                answer = run()
                assert aviary.struck > before, (command, name, when)
                clean(aviary, answer, command, name)
                count += 1
    aviary.calm()
    return count


def _is_at(place: str, asked: Asked) -> bool:
    return place in asked.path


def commands_of(aviary: Aviary) -> dict[str, Callable[[], Answer]]:
    """The commands that call a CRM. What some of them need first is done in peace."""

    def apply() -> Answer:
        plans = {crm: [*crm.faults._rules] for crm in (aviary.office.salesforce, aviary.office.hubspot)}
        aviary.calm()
        aviary.run("plan", "-o", "plan.jsonl")
        for crm, rules in plans.items():
            crm.faults._rules[:] = rules
        return aviary.run("apply", "plan.jsonl")

    def undo() -> Answer:
        plans = {crm: [*crm.faults._rules] for crm in (aviary.office.salesforce, aviary.office.hubspot)}
        aviary.calm()
        aviary.run("sync")
        last = json.loads(aviary.run("runs", "--json").out)[0]["run"]
        for crm, rules in plans.items():
            crm.faults._rules[:] = rules
        return aviary.run("undo", str(last), "--yes")

    return {
        "sync": lambda: aviary.run("sync"),
        "check": lambda: aviary.run("check"),
        "provision": lambda: aviary.run("provision"),
        "plan": lambda: aviary.run("plan"),
        "sync --dry-run": lambda: aviary.run("sync", "--dry-run"),
        "backfill": lambda: aviary.run("backfill", "--from", "2026-03-01", "--to", "2026-03-31"),
        "apply": apply,
        "undo": undo,
    }


def looks_of(aviary: Aviary, ids: Mapping[str, str]) -> dict[str, Answer]:
    """What the commands show that ask the ledger alone."""
    aviary.run("plan", "--no-pull", "-o", "plan.jsonl")
    shown = {name: aviary.run(name) for name in ("status", "runs", "review")}
    shown |= {f"{name} --json": aviary.run(name, "--json") for name in ("status", "runs", "review")}
    shown["status"] = aviary.run("status", "--prometheus", "refloop.prom")
    assert Path("refloop.prom").is_file()
    shown["explain"] = aviary.run("explain", ids["lead"])
    shown["referrals list"] = aviary.run("referrals", "list")
    shown["ledger verify"] = aviary.run("ledger", "verify")
    shown["ledger backup"] = aviary.run("ledger", "backup")
    return shown


QUICK_FAULTS = ("400 quoting", "reset, applied", "redirect", "HTML", "poison")
LOGIN_FAULTS = (*QUICK_FAULTS, "401", "403 quoting", "503 HTML", "429 of a second", "truncated")


def test_a_sync_under_the_faults_that_say_most(aviary: Aviary, elsewhere: Elsewhere) -> None:
    faults = {name: make for name, make in matrix(elsewhere.url).items() if name in QUICK_FAULTS}
    assert sweep(aviary, faults, {"sync": commands_of(aviary)["sync"]}) == 2 * len(QUICK_FAULTS) - 1
    for command, answer in looks_of(aviary, aviary.hatch()).items():
        clean(aviary, answer, command.removesuffix(" --json"))
    assert elsewhere.visits == []
    with closing(sqlite3.connect("refloop.db")) as ledger:
        reasons = [
            *ledger.execute("SELECT DISTINCT reason FROM receipts"),
            *ledger.execute("SELECT problems FROM runs"),
        ]
    assert any("[secret]" in reason and "[personal]" in reason for (reason,) in reasons)
    assert found(str(reasons).encode(), of(Sort.PERSON)) == []


@pytest.mark.slow
@pytest.mark.parametrize(
    "command", ["sync", "check", "provision", "plan", "sync --dry-run", "backfill", "apply", "undo"]
)
def test_each_command_under_every_fault(aviary: Aviary, elsewhere: Elsewhere, command: str) -> None:
    faults = matrix(elsewhere.url)
    count = sweep(aviary, faults, {command: commands_of(aviary)[command]})
    assert count == (2 * len(faults) - 1 if command == "sync" else len(faults) - 1)
    assert elsewhere.visits == []


@pytest.mark.slow
@pytest.mark.parametrize("command", ["sync", "check"])
def test_the_other_ways_to_log_in_under_faults(
    office: Office, quick: list[float], elsewhere: Elsewhere, command: str
) -> None:
    aviary = Aviary(office, OTHER_LOGIN)
    aviary.furnish()
    faults = {name: make for name, make in matrix(elsewhere.url).items() if name in LOGIN_FAULTS}
    sweep(aviary, faults, {command: commands_of(aviary)[command]})
    for place in ("/services/oauth2/token", "/oauth/"):
        aviary.hatch()
        aviary.trouble(matrix(elsewhere.url)["400 quoting"], partial(_is_at, place))
        before = aviary.struck
        clean(aviary, aviary.run(command), command, place)
        assert aviary.struck > before
    assert elsewhere.visits == []


def test_an_address_that_is_not_there(aviary: Aviary) -> None:
    aviary.hatch()
    lookup = socket.getaddrinfo

    def unknown(host: str, *args: Any, **more: Any) -> Any:
        if host not in ("127.0.0.1", "localhost"):
            raise socket.gaierror(socket.EAI_NONAME, f"Name or service not known: {host}")
        return lookup(host, *args, **more)

    aviary.office.monkeypatch.setattr(socket, "getaddrinfo", unknown)
    aviary.configure("gone.yaml", sf_url="https://canary.my.salesforce.com", hs_url="http://127.0.0.1:9")
    for command in ("sync", "check", "provision", "plan"):
        answer = aviary.run("-c", "gone.yaml", command)
        assert answer.code == Exit.UNAVAILABLE
        clean(aviary, answer, command)


def breaks(request: requests.PreparedRequest) -> RuntimeError:
    """An exception that drags along all that there is."""
    try:
        raise KeyError(f"{FIRST} {LAST} <{EMAIL}>")
    except KeyError as error:
        made = RuntimeError(f"{request.url} {dict(request.headers)} {request.body!r} {error}", *map(str, CANARIES))
        made.add_note(f"{request.headers}")
        made.__cause__ = error
        return made


@pytest.mark.parametrize("skip", [0, 6])
def test_an_exception_that_nobody_expected(aviary: Aviary, skip: int) -> None:
    """At any call: it ends the command as a bug, and drags nothing of what it says into the open."""
    aviary.hatch()
    send = requests.adapters.HTTPAdapter.send
    calls = [skip]

    def sometimes(self: Any, request: requests.PreparedRequest, **how: Any) -> requests.Response:
        if not calls[0]:
            raise breaks(request)
        calls[0] -= 1
        logging.getLogger("urllib3.connectionpool").warning("sent %s %s", request.url, request.headers)
        return send(self, request, **how)

    aviary.office.monkeypatch.setattr("requests.adapters.HTTPAdapter.send", sometimes)
    answer = aviary.run("sync")
    assert answer.code == Exit.BUG
    assert "RuntimeError" in answer.err
    assert aviary.leaks(answer, "sync") == []
    aviary.office.monkeypatch.undo()


def test_a_key_that_makes_its_library_stumble(office: Office) -> None:
    aviary = Aviary(office, OTHER_LOGIN)
    aviary.furnish()

    def stumble(_claims: object, key: str, **_more: object) -> str:
        raise RuntimeError(f"cannot read {key}")

    office.monkeypatch.setattr("jwt.encode", stumble)
    answer = aviary.run("check", "--only", "sf")
    assert answer.code == Exit.BUG
    assert aviary.leaks(answer, "check") == []


def test_no_object_shows_a_secret(office: Office) -> None:
    """After a sync by each way to log in: all that is ours and alive, by `repr`, `str`, and as pydantic dumps it."""
    for login in (PLAIN_LOGIN, OTHER_LOGIN):
        aviary = Aviary(office, login)
        aviary.furnish()
        with session(read_config(Path("config.yaml"))) as work:
            connectors = [connect() for connect in work.connections().values()]
            for connector in connectors:
                list(connector.check(work.policy.wants))
            ours = [one for one in gc.get_objects() if re.match(r"refloop\.(?!sandbox)", str(type(one).__module__))]
            assert {HubSpot, Salesforce} <= {type(one) for one in ours}
            shown = " ".join(f"{one!r} {one!s}" for one in ours) + work.config.model_dump_json()
            for connector in connectors:
                connector.close()
        assert "env:CANARY" in shown
        assert found(shown.encode(), secrets(aviary.before)) == []


def test_nothing_prints_headers_or_starts_programs() -> None:
    """What has a pager's arguments can be seen by everybody: it starts what $PAGER says, and nothing else does."""
    assert http.client.HTTPConnection.debuglevel == 0
    for path in Path("refloop").rglob("*.py"):
        if "sandbox" not in path.parts and path.name != "terminal.py":
            assert not re.search(r"\bsubprocess\b|os\.(exec|spawn|popen|system)", path.read_text()), path


# -- whether the search finds what it should: a refloop that is broken on purpose


@pytest.mark.parametrize("sort", list(Sort))
def test_each_form_of_each_canary_is_found(sort: Sort) -> None:
    for canary in of(sort):
        for form in forms(canary.value):
            assert found(b"\x00" + form.upper().encode() + b"\xff", CANARIES), (canary, form)
        assert found(f"a plain text without {canary.name}".encode(), [canary]) == []


def leaky_reasons(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("refloop.connectors.hubspot.answers.without_quotes", str)
    monkeypatch.setattr("refloop.connectors.salesforce.answers.without_quotes", str)


def leaky_frames(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("refloop.log.frames_of", lambda error: [f"{error!r}"])


def leaky_libraries(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("refloop.log._foreign", lambda record: {"event": "library", "message": record.getMessage()})
    monkeypatch.setattr("refloop.log.redacted", str)


@pytest.mark.parametrize(
    ("leak", "where"),
    [
        (leaky_reasons, "refloop.db: HubSpot token"),
        (leaky_frames, "printed: HubSpot token"),
        (leaky_libraries, "refloop.log: HubSpot token"),
    ],
    ids=["reasons", "frames", "libraries"],
)
def test_a_refloop_that_leaks_is_caught(aviary: Aviary, leak: Callable[[pytest.MonkeyPatch], None], where: str) -> None:
    leak(aviary.office.monkeypatch)
    aviary.hatch()
    aviary.trouble(lambda _crm: poison(), is_write)
    send = requests.adapters.HTTPAdapter.send

    def chatty(self: Any, request: requests.PreparedRequest, **how: Any) -> requests.Response:
        logging.getLogger("urllib3").warning("sent %s", request.headers)
        if leak is leaky_frames:
            raise breaks(request)
        return send(self, request, **how)

    aviary.office.monkeypatch.setattr("requests.adapters.HTTPAdapter.send", chatty)
    assert where in aviary.leaks(aviary.run("sync"), "sync")
