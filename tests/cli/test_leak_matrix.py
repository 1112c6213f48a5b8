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

from refloop.connectors.http import answer as http_answer
from refloop.connectors.hubspot import HubSpot
from refloop.connectors.salesforce import Salesforce
from refloop.connectors.salesforce.client import PartAnswer
from refloop.errors import Exit
from refloop.sync.session import read_config, session
from refloop_sandbox.faults import Asked
from tests.cli.canaries import (
    CANARIES,
    EMAIL,
    FIRST,
    LAST,
    OTHER_LOGIN,
    PLAIN_LOGIN,
    PlantedOffice,
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
def planted(office: Office, quick: list[float]) -> PlantedOffice:
    made = PlantedOffice(office)
    made.set_up()
    return made


def clean(planted: PlantedOffice, answer: Answer, command: str, about: object = "") -> None:
    assert answer.code in TROUBLES, (command, about, answer)
    assert planted.leaks(answer, command) == [], (command, about)


def sweep(planted: PlantedOffice, faults: Mapping[str, Any], commands: Mapping[str, Callable[[], Answer]]) -> int:
    """Every command under every fault. Gives how many combinations there were, each struck at least once."""
    count = 0
    for name, make in faults.items():
        for command, run in commands.items():
            for when in (is_read, is_write) if command == "sync" else (is_any,):
                if name == "poison" and when is not is_write:
                    continue
                planted.plant_records()
                planted.trouble(make, when)
                before = planted.struck
                answer = run()
                assert planted.struck > before, (command, name, when)
                clean(planted, answer, command, name)
                count += 1
    planted.calm()
    return count


def _is_at(place: str, asked: Asked) -> bool:
    return place in asked.path


def commands_of(planted: PlantedOffice) -> dict[str, Callable[[], Answer]]:
    """The commands that call a CRM. What some of them need first is done in peace."""

    def apply() -> Answer:
        plans = {crm: [*crm.faults._rules] for crm in (planted.office.salesforce, planted.office.hubspot)}
        planted.calm()
        planted.run("plan", "-o", "plan.jsonl")
        for crm, rules in plans.items():
            crm.faults._rules[:] = rules
        return planted.run("apply", "plan.jsonl")

    def undo() -> Answer:
        plans = {crm: [*crm.faults._rules] for crm in (planted.office.salesforce, planted.office.hubspot)}
        planted.calm()
        planted.run("sync")
        last = json.loads(planted.run("runs", "--json").out)[0]["run"]
        for crm, rules in plans.items():
            crm.faults._rules[:] = rules
        return planted.run("undo", str(last), "--yes")

    return {
        "sync": lambda: planted.run("sync"),
        "check": lambda: planted.run("check"),
        "provision": lambda: planted.run("provision"),
        "plan": lambda: planted.run("plan"),
        "sync --dry-run": lambda: planted.run("sync", "--dry-run"),
        "backfill": lambda: planted.run("backfill", "--from", "2026-03-01", "--to", "2026-03-31"),
        "apply": apply,
        "undo": undo,
    }


def looks_of(planted: PlantedOffice, ids: Mapping[str, str]) -> dict[str, Answer]:
    """What the commands show that ask the ledger alone."""
    planted.run("plan", "--no-pull", "-o", "plan.jsonl")
    shown = {name: planted.run(name) for name in ("status", "runs", "review")}
    shown |= {f"{name} --json": planted.run(name, "--json") for name in ("status", "runs", "review")}
    shown["status"] = planted.run("status", "--prometheus", "refloop.prom")
    assert Path("refloop.prom").is_file()
    shown["explain"] = planted.run("explain", ids["lead"])
    shown["referrals list"] = planted.run("referrals", "list")
    shown["ledger verify"] = planted.run("ledger", "verify")
    shown["ledger backup"] = planted.run("ledger", "backup")
    return shown


QUICK_FAULTS = ("400 quoting", "reset, applied", "redirect", "HTML", "poison")
LOGIN_FAULTS = (*QUICK_FAULTS, "401", "403 quoting", "503 HTML", "429 of a second", "truncated")


def test_a_sync_under_the_faults_that_say_most(planted: PlantedOffice, elsewhere: Elsewhere) -> None:
    faults = {name: make for name, make in matrix(elsewhere.url).items() if name in QUICK_FAULTS}
    assert sweep(planted, faults, {"sync": commands_of(planted)["sync"]}) == 2 * len(QUICK_FAULTS) - 1
    for command, answer in looks_of(planted, planted.plant_records()).items():
        clean(planted, answer, command.removesuffix(" --json"))
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
def test_each_command_under_every_fault(planted: PlantedOffice, elsewhere: Elsewhere, command: str) -> None:
    faults = matrix(elsewhere.url)
    count = sweep(planted, faults, {command: commands_of(planted)[command]})
    assert count == (2 * len(faults) - 1 if command == "sync" else len(faults) - 1)
    assert elsewhere.visits == []


@pytest.mark.slow
@pytest.mark.parametrize("command", ["sync", "check"])
def test_the_other_ways_to_log_in_under_faults(
    office: Office, quick: list[float], elsewhere: Elsewhere, command: str
) -> None:
    planted = PlantedOffice(office, OTHER_LOGIN)
    planted.set_up()
    faults = {name: make for name, make in matrix(elsewhere.url).items() if name in LOGIN_FAULTS}
    sweep(planted, faults, {command: commands_of(planted)[command]})
    for place in ("/services/oauth2/token", "/oauth/"):
        planted.plant_records()
        planted.trouble(matrix(elsewhere.url)["400 quoting"], partial(_is_at, place))
        before = planted.struck
        clean(planted, planted.run(command), command, place)
        assert planted.struck > before
    assert elsewhere.visits == []


def test_an_address_that_is_not_there(planted: PlantedOffice) -> None:
    planted.plant_records()
    lookup = socket.getaddrinfo

    def unknown(host: str, *args: Any, **more: Any) -> Any:
        if host not in ("127.0.0.1", "localhost"):
            raise socket.gaierror(socket.EAI_NONAME, f"Name or service not known: {host}")
        return lookup(host, *args, **more)

    planted.office.monkeypatch.setattr(socket, "getaddrinfo", unknown)
    planted.configure("gone.yaml", sf_url="https://canary.my.salesforce.com", hs_url="http://127.0.0.1:9")
    for command in ("sync", "check", "provision", "plan"):
        answer = planted.run("-c", "gone.yaml", command)
        assert answer.code == Exit.UNAVAILABLE
        clean(planted, answer, command)


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
def test_an_exception_that_nobody_expected(planted: PlantedOffice, skip: int) -> None:
    """At any call: it ends the command as a bug, and drags nothing of what it says into the open."""
    planted.plant_records()
    send = requests.adapters.HTTPAdapter.send
    calls = [skip]

    def sometimes(self: Any, request: requests.PreparedRequest, **how: Any) -> requests.Response:
        if not calls[0]:
            raise breaks(request)
        calls[0] -= 1
        logging.getLogger("urllib3.connectionpool").warning("sent %s %s", request.url, request.headers)
        return send(self, request, **how)

    planted.office.monkeypatch.setattr("requests.adapters.HTTPAdapter.send", sometimes)
    answer = planted.run("sync")
    assert answer.code == Exit.BUG
    assert "RuntimeError" in answer.err
    assert planted.leaks(answer, "sync") == []
    planted.office.monkeypatch.undo()


def test_a_key_that_makes_its_library_stumble(office: Office) -> None:
    planted = PlantedOffice(office, OTHER_LOGIN)
    planted.set_up()

    def stumble(_claims: object, key: str, **_more: object) -> str:
        raise RuntimeError(f"cannot read {key}")

    office.monkeypatch.setattr("jwt.encode", stumble)
    answer = planted.run("check", "--only", "sf")
    assert answer.code == Exit.BUG
    assert planted.leaks(answer, "check") == []


def test_no_object_shows_a_secret(office: Office) -> None:
    """After a sync by each way to log in: all that is ours and alive, by `repr`, `str`, and as pydantic dumps it."""
    for login in (PLAIN_LOGIN, OTHER_LOGIN):
        planted = PlantedOffice(office, login)
        planted.set_up()
        with session(read_config(Path("config.yaml"))) as work:
            connectors = [connect() for connect in work.connections().values()]
            for connector in connectors:
                list(connector.check(work.policy.fields))
            ours = [one for one in gc.get_objects() if re.match(r"refloop\.", str(type(one).__module__))]
            assert {HubSpot, Salesforce} <= {type(one) for one in ours}
            shown = " ".join(f"{one!r} {one!s}" for one in ours) + work.config.model_dump_json()
            for connector in connectors:
                connector.close()
        assert "env:CANARY" in shown
        assert found(shown.encode(), secrets(planted.before)) == []


def test_an_answer_that_quotes_a_secret_does_not_show_it() -> None:
    """Whether one is still alive when the objects are looked at is the garbage collector's to say."""
    body = {"access_token": "canary", "message": "canary"}
    for answer in (http_answer.Answer(400, {"x-echo": "canary"}, body), PartAnswer(400, body)):
        assert "canary" not in repr(answer)
        assert "400" in repr(answer)


def test_nothing_prints_headers_or_starts_programs() -> None:
    """What has a pager's arguments can be seen by everybody: it starts what $PAGER says, and nothing else does."""
    assert http.client.HTTPConnection.debuglevel == 0
    for path in Path("refloop").rglob("*.py"):
        if path.name != "console.py":
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
def test_a_refloop_that_leaks_is_caught(
    planted: PlantedOffice, leak: Callable[[pytest.MonkeyPatch], None], where: str
) -> None:
    leak(planted.office.monkeypatch)
    planted.plant_records()
    planted.trouble(lambda _crm: poison(), is_write)
    send = requests.adapters.HTTPAdapter.send

    def chatty(self: Any, request: requests.PreparedRequest, **how: Any) -> requests.Response:
        logging.getLogger("urllib3").warning("sent %s", request.headers)
        if leak is leaky_frames:
            raise breaks(request)
        return send(self, request, **how)

    planted.office.monkeypatch.setattr("requests.adapters.HTTPAdapter.send", chatty)
    assert where in planted.leaks(planted.run("sync"), "sync")
