"""A refloop over CRMs in memory, for tests of what stands above the connectors."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path

from refloop.ledger import Ledger, open_ledger
from refloop.ledger.history import Provenance
from refloop.ledger.records import records_of
from refloop.ledger.runs import imbalances
from refloop.mapping.codes import code_key
from refloop.mapping.fields import Desired
from refloop.mapping.policy import Policy
from refloop.model import Code, Kind, Ref, Referrer, Span
from refloop.sync.context import RunContext
from refloop.sync.desired import DesiredState
from refloop.sync.intake import Enrolment, codes_changing, enrol
from refloop.sync.plan import Planner
from refloop.sync.run import Runner, Task
from refloop.sync.run_report import Report
from refloop.sync.stages import Decider
from refloop.testing import World

NOW = datetime(2026, 6, 1, 9, tzinfo=UTC)
MEMORY_DISK = "/dev/shm" if Path("/dev/shm").is_dir() else None  # noqa: S108 - a folder of our own is made in it
"""Where a test's ledger lies: each commit waits for the disk, and thousands of histories commit often."""

POLICY = Policy()
BY = Provenance(0, "", NOW)
"""A decision of no run."""


@dataclass
class Loop:
    """One ledger and the CRMs beside it."""

    ledger: Ledger
    crms: dict[str, World]
    policy: Policy = POLICY
    reports: list[Report] = field(default_factory=list)

    def reopen(self) -> None:
        """Opens whatever file is the ledger now."""
        self.ledger = open_ledger(self.ledger.path)

    def context(self, run: int = 0) -> RunContext:
        return RunContext(self.ledger, run, self.policy, lambda: NOW)

    def runner(self, *names: str) -> Runner:
        connections = {name: crm.connector for name, crm in self.crms.items() if not names or name in names}
        return Runner(self.ledger, self.policy, connections, lambda: NOW)

    def sync(self, *names: str, push: bool = True, span: Span | None = None) -> Report:
        try:
            self.reports.append(self.runner(*names).run(Task("sync", push=push, span=span)))
        finally:
            assert_balanced(self.ledger, "WHERE run = (SELECT max(run) FROM runs)")
        return self.reports[-1]

    def code(self, code: str, referrer: str, email: str | None = None, **dates: date) -> None:
        row = Code(code, code_key(code), referrer, "program", dates.get("valid_from"), dates.get("valid_to"))
        with codes_changing(self.ledger) as done, self.ledger.writing():
            done.counts[enrol(self.ledger, Enrolment(row, Referrer(referrer, referrer.title(), email)), NOW)] += 1

    def fields(self, ref: Ref) -> dict[str, str]:
        """What our fields hold in the CRM, without the prefix."""
        crm = self.crms[ref.connection]
        held = {spec.name: crm.stored(ref, spec) for spec in self.policy.fields if ref.kind in spec.kinds}
        return {name.removeprefix("ref_"): value for name, value in held.items() if value is not None}

    def provision(self) -> None:
        for crm in self.crms.values():
            list(crm.connector().provision(self.policy.fields))

    def planned(self) -> dict[tuple[Ref, str], str | None]:
        """What a decided ledger would still change, over all that it knows."""
        Decider(self.context()).decide()
        everything = [
            Ref(row["connection"], Kind(row["kind"]), row["id"])
            for row in self.ledger.rows("SELECT connection, kind, id FROM records")
        ]
        plans = Planner(self.context()).plan(everything)
        return {(change.ref, change.field.name): change.after for plan in plans for change in plan.changes}


def assert_balanced(ledger: Ledger, which: str = "") -> None:
    """That the counts of runs add up, and are those of their receipts (a killed run has none); and, unless only some
    runs are looked at, that the history ends with what holds now."""
    for row in ledger.rows(f"SELECT run, counts FROM runs {which}"):  # noqa: S608 - a condition of a test
        counts = json.loads(row["counts"])
        assert imbalances(counts) == []
        for kept in ledger.rows(_RECEIPTS, (row["run"],)) if counts else ():
            assert counts[kept["connection"]].get(kept["verdict"], 0) == kept["n"], (counts, tuple(kept))
    if not which:
        assert_history(ledger)


_HISTORY = (
    (
        "SELECT {columns} FROM claims h WHERE h.seq = (SELECT max(i.seq) FROM claims i WHERE i.referral = h.referral)",
        "SELECT {columns} FROM referrals",
        "referral, code_key, program, referrer, source, origin_connection, origin_kind, origin_id, email, claimed_at, "
        "why, void, void_reason, policy",
    ),
    (
        "SELECT {columns} FROM memberships h WHERE h.holds = 1 AND h.seq = (SELECT max(i.seq) FROM memberships i "
        "WHERE (i.connection, i.kind, i.id, i.referral) = (h.connection, h.kind, h.id, h.referral))",
        "SELECT {columns} FROM members",
        "connection, kind, id, referral",
    ),
    (
        "SELECT {columns} FROM code_definitions h WHERE h.seq = (SELECT max(i.seq) FROM code_definitions i "
        "WHERE i.code_key = h.code_key)",
        "SELECT {columns} FROM codes",
        "code_key, code, referrer, program, valid_from, valid_to",
    ),
    (
        "SELECT connection, kind, id, reason AS doubt, field, evidence, candidates FROM review_items h "
        "WHERE h.open = 1 AND h.seq = (SELECT max(i.seq) FROM review_items i WHERE i.item = h.item)",
        "SELECT {columns} FROM questions",
        "connection, kind, id, doubt, field, evidence, candidates",
    ),
)


def assert_history(ledger: Ledger) -> None:
    """That the last row of each key in the history is what the ledger says now."""
    for history, now, columns in _HISTORY:
        was = sorted(map(repr, map(tuple, ledger.rows(history.format(columns=columns)))))
        assert was == sorted(map(repr, map(tuple, ledger.rows(now.format(columns=columns))))), history


_RECEIPTS = (
    "SELECT connection, verdict, count(*) AS n FROM receipts WHERE run = ? AND verdict <> 'unknown' GROUP BY 1, 2"
)


def wanted(loop: Loop) -> dict[Ref, dict[str, Desired]]:
    """What should stand on every record that is still there, by what the ledger says."""
    rows = loop.ledger.rows("SELECT connection, kind, id FROM records WHERE deleted = 0")
    refs = [Ref(row["connection"], Kind(row["kind"]), row["id"]) for row in rows]
    return DesiredState(loop.ledger, loop.policy).of(list(records_of(loop.ledger, refs)))
