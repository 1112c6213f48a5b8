"""A refloop on a bench: a ledger, the local Salesforce and HubSpot, and processes that die where they are told.

The state of all three can be kept and put back, so that one command is run from the same start at every point.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from operator import attrgetter
from pathlib import Path
from typing import Any, NamedTuple

from starlette.types import ASGIApp, Receive, Scope, Send

from refloop.connectors.salesforce.names import OBJECTS as SALESFORCE
from refloop.connectors.salesforce.names import crm_name
from refloop.ledger import open_ledger
from refloop.ledger.soundness import faults_of
from refloop.mapping.fields import field_specs
from refloop.model import Kind, Ref, canonical
from refloop_sandbox.hubspot import LocalHubSpot
from refloop_sandbox.salesforce import LocalSalesforce
from tests.cli.conftest import CODES, CONFIG, NOON, fill

HUBSPOT = {Kind.CONTACT: "contacts", Kind.DEAL: "deals"}
SPECS = field_specs("ref")
SECRETS = {"OFFICE_SF": "office-secret", "OFFICE_HS": "pat-na1-office"}
ROOT = Path(__file__).parents[2]
KILLED = -9
WRITE = " (write)"
"""How a request ends that may change a record."""
MEANWHILE = timedelta(minutes=1)
"""Before a process starts: what was edited this very second is left to the next run."""


class Write(NamedTuple):
    """A field that was written by the API: what it held, and what it holds since."""

    ref: Ref
    field: str
    before: str | None
    after: str | None


@dataclass(frozen=True)
class Ended:
    """How a process ended, what it printed, and the points that it passed (none when it was killed).

    `seen` and `struck`: how often it wrote to a disk that was to fail, and how often that failed.
    """

    status: int
    printed: str
    points: list[str]
    seen: int = 0
    struck: int = 0


@dataclass(frozen=True)
class State:
    """All that survives a process."""

    files: Path
    salesforce: bytes
    hubspot: bytes
    now: datetime
    writes: tuple[Write, ...]


@dataclass(frozen=True)
class End:
    """What a history came to."""

    fields: dict[Ref, dict[str, str]]
    conflicts: frozenset[tuple[str, str, str | None]]
    standing: frozenset[tuple[str, ...]]


class Children:
    """Runs commands, each in a process of its own, on any bench: a program beside the tests, so that it may fork.

    `preload` is a library that they load before all others.
    """

    def __init__(self, preload: str = "") -> None:
        self._preload = preload
        self._program: subprocess.Popen[str] | None = None

    def run(self, task: Mapping[str, Any]) -> Ended:
        """Runs a command to its end; `task` as tests/crash/crash_child.py reads it."""
        program = self._program = self._program or self._started()
        assert program.stdin
        assert program.stdout
        try:
            program.stdin.write(json.dumps(task) + "\n")
            program.stdin.flush()
            return Ended(**json.loads(program.stdout.readline()))
        except BaseException:
            program.kill()  # an answer that nobody waited for would be taken for the next one's
            self.close()
            raise

    def _started(self) -> subprocess.Popen[str]:
        own = {"COLUMNS": "200", "PYTHONPATH": str(ROOT), "LD_PRELOAD": self._preload}
        return subprocess.Popen(
            [sys.executable, "-m", "tests.crash.crash_child"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
            env={**os.environ, **SECRETS, **own},
        )

    def close(self) -> None:
        if program := self._program:
            self._program = None
            program.communicate()


@dataclass
class Bench:
    """One configured refloop in `folder / "office"`."""

    folder: Path
    salesforce: LocalSalesforce
    hubspot: LocalHubSpot
    urls: tuple[str, str]
    children: Children
    now: datetime = NOON
    writes: list[Write] = field(default_factory=list)
    ids: dict[str, str] = field(default_factory=dict)
    kept: int = 0

    def __post_init__(self) -> None:
        self.office = self.folder / "office"
        self.office.mkdir()
        config = CONFIG.format(salesforce=self.urls[0], hubspot=self.urls[1])
        (self.office / "config.yaml").write_text(config, encoding="utf-8")
        (self.office / "codes.csv").write_text(CODES, encoding="utf-8")
        self._witness_salesforce()
        front: Any = self.hubspot.app
        front._inner = _Witness(front._inner, self)

    # processes

    def run(self, *words: str, **how: Any) -> Ended:
        """Runs a command in a process of its own; `how` as tests/crash/crash_child.py reads it."""
        self.now += MEANWHILE
        return self.children.run({"words": words, "folder": str(self.office), **how})

    def done(self, *words: str, codes: Sequence[int] = (0,), **how: Any) -> Ended:
        """The same, for a command that has to end well."""
        ended = self.run(*words, **how)
        assert ended.status in codes, f"{' '.join(words)} ended with {ended.status}:\n{ended.printed}"
        return ended

    def ready(self) -> None:
        """Our fields made, the codes in, a few records in both CRMs."""
        self.done("provision")
        self.done("codes", "import", "codes.csv")
        self.ids = fill(self.salesforce, self.hubspot)

    # what survives them

    def state(self) -> State:
        self.kept += 1
        files = self.folder / f"kept{self.kept}"
        shutil.copytree(self.office, files)
        with self.hubspot._portal.store.lock:
            hubspot = self.hubspot._portal.store.sql.serialize()
        with self.salesforce._org.store.lock:
            salesforce = self.salesforce._org.store._connection.serialize()
        return State(files, salesforce, hubspot, self.now, tuple(self.writes))

    def put_back(self, state: State) -> None:
        shutil.rmtree(self.office)
        shutil.copytree(state.files, self.office)
        store = self.hubspot._portal.store
        with store.lock:
            store.sql.deserialize(state.hubspot)
            store.version += 1  # what a search found before is not what it finds now
        with self.salesforce._org.store.lock:
            self.salesforce._org.store._connection.deserialize(state.salesforce)
        self.hubspot.reset_counters()  # a clock that is put back never leaves a rate window
        self.salesforce.reset_counters()
        self.now = state.now
        self.writes = list(state.writes)

    def drop(self, state: State) -> None:
        shutil.rmtree(state.files)

    def pass_time(self) -> None:
        """Further than a pull looks back: nothing is healed by luck."""
        self.now += timedelta(hours=2)

    # what the CRMs saw

    def _witness_salesforce(self) -> None:
        records = self.salesforce._org.records
        update = records.update
        kinds = {name: kind for kind, name in SALESFORCE.items()}

        def noted(sobject: Any, record_id: str, fields: Any, actor: Any) -> None:
            if not actor.api or sobject.name not in kinds:
                update(sobject, record_id, fields, actor)
                return
            ref = Ref("sf", kinds[sobject.name], record_id)
            before = self.fields(ref)
            update(sobject, record_id, fields, actor)
            given = {name.removesuffix("__c").lower() for name in fields}
            self._note(ref, given, before)

        records.update = noted  # type: ignore[method-assign]  # a witness, not a stand-in

    def _note(self, ref: Ref, given: set[str], before: dict[str, str]) -> None:
        after = self.fields(ref)
        for name in sorted(given & {spec.name for spec in SPECS}):
            self.writes.append(Write(ref, name, before.get(name), after.get(name)))

    def fields(self, ref: Ref) -> dict[str, str]:
        """What our fields hold in the CRM."""
        if ref.connection == "sf":
            row: Any = self.salesforce.get(SALESFORCE[ref.kind], ref.id) or {}
        else:
            row = self.hubspot.get(HUBSPOT[ref.kind], ref.id) or {}
        spelled = crm_name if ref.connection == "sf" else attrgetter("name")
        held = {spec.name: canonical(spec.type, row.get(spelled(spec))) for spec in SPECS if ref.kind in spec.kinds}
        return {name: value for name, value in held.items() if value is not None}

    # what it all came to

    def end(self) -> End:
        """The state of both CRMs and of the ledger, which is sound, and owes nothing."""
        assert not list(self.office.rglob(".*.arriving*")), "a copy of the ledger lies about"
        with closing(open_ledger(self.office / "refloop.db")) as ledger:
            assert list(faults_of(ledger)) == []
            assert ledger.one("SELECT 1 FROM outbox") is None, "something is still to be settled"
            last = ledger.one("SELECT * FROM runs ORDER BY run DESC LIMIT 1")
            assert last is not None
            assert last["ended_at"], "the last run is not closed in the journal"
            refs = [
                Ref(row[0], Kind(row[1]), row[2]) for row in ledger.rows("SELECT connection, kind, id FROM records")
            ]
            return End(
                {ref: self.fields(ref) for ref in refs},
                frozenset((row["id"], row["field"], row["found"]) for row in ledger.rows("SELECT * FROM conflicts")),
                frozenset(tuple(row) for row in ledger.rows("SELECT code, status, status_at FROM standing")),
            )

    def told_and_done(self) -> tuple[Counter[tuple[Ref, str]], Counter[tuple[Ref, str]]]:
        """How often each field was written, by the ledger's receipts and by what the CRMs saw."""
        with closing(open_ledger(self.office / "refloop.db")) as ledger:
            rows = ledger.rows("SELECT connection, kind, id, field FROM receipts WHERE verdict = 'written'")
            told = Counter((Ref(row[0], Kind(row[1]), row[2]), str(row[3])) for row in rows)
        return told, Counter((write.ref, write.field) for write in self.writes)


class _Witness:
    """Stands before the local HubSpot and notes each value that a batch writes."""

    def __init__(self, inner: ASGIApp, bench: Bench) -> None:
        self._inner = inner
        self._bench = bench

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        inputs = list(_inputs(scope))
        before = {ref: self._bench.fields(ref) for ref, _ in inputs}
        await self._inner(scope, receive, send)
        for ref, names in inputs:
            self._bench._note(ref, names, before[ref])


def _inputs(scope: Scope) -> Iterator[tuple[Ref, set[str]]]:
    parts = scope["path"].strip("/").split("/")
    if parts[-2:] != ["batch", "update"] or scope.get("struck"):
        return
    kind = next(kind for kind, name in HUBSPOT.items() if name in parts)
    for row in json.loads(scope["body"])["inputs"]:
        yield Ref("hs", kind, str(row["id"])), set(row["properties"])
