"""What the ledger costs: pull, match, decide and plan, without a network. CPU and memory as the records grow.

    python benchmarks/ledger.py [--sizes 20000,100000] [--dir DIR]

Each size runs in a process of its own. Half of the records are leads and contacts of which one in ten carries a
code, a quarter deals on those people, the rest companies' contacts without anything. Prints CPU seconds a stage,
per 1,000 records, and the peak memory; both should stay flat while the records grow.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

from refloop.ledger import Ledger, open_ledger
from refloop.ledger.records import keep_page
from refloop.mapping.codes import code_key
from refloop.mapping.policy import Policy
from refloop.model import Code, Kind, Link, Outcome, Page, Record, Ref, Referrer, Relation
from refloop.sync.context import RunContext
from refloop.sync.intake import Enrolment, enrol
from refloop.sync.plan import Planner
from refloop.sync.stages import Decider

START = datetime(2026, 1, 1, tzinfo=UTC)
MEMORY = "/dev/shm" if Path("/dev/shm").is_dir() else None  # noqa: S108 - a folder of our own is made in it
PAGE = 500
CODES = 1000


def code(number: int) -> str:
    return f"QX-{number * 7919 % 10**6:06d}"


def person(number: int) -> Record:
    kind = Kind.LEAD if number % 2 else Kind.CONTACT
    text = f"referred by a friend, code {code(number % CODES)}" if number % 10 == 0 else "asked for a quote"
    at = START + timedelta(minutes=number)
    return Record(
        Ref("crm", kind, f"{number:09d}"),
        at,
        at,
        email=f"person{number}@company{number // 3}.io",
        title=f"Company {number // 3}",
        texts={"Description": text},
    )


def deal(number: int, whose: int) -> tuple[Record, Link]:
    at = START + timedelta(minutes=whose, days=3)
    outcome = (Outcome.OPEN, Outcome.WON, Outcome.LOST)[number % 3]
    record = Record(
        Ref("crm", Kind.DEAL, f"{number:09d}"),
        at,
        at,
        title=f"Deal {number}",
        outcome=outcome,
        amount=Decimal(number % 10_000),
        currency="USD",
        closed_at=None if outcome is Outcome.OPEN else at + timedelta(days=30),
    )
    return record, Link(record.ref, Relation.ASSOCIATED_WITH, person(whose).ref, f"role{number}")


def pages(size: int) -> Iterator[Page]:
    people, deals = size * 3 // 4, size // 4
    for start in range(0, people, PAGE):
        yield Page(tuple(person(number) for number in range(start, min(start + PAGE, people))))
    for start in range(0, deals, PAGE):
        made = [deal(number, number * 2 % people) for number in range(start, min(start + PAGE, deals))]
        yield Page(tuple(record for record, _ in made), tuple(link for _, link in made))


def with_codes(path: Path) -> Ledger:
    """A new ledger, with the codes that the records carry."""
    ledger = open_ledger(path)
    with ledger.writing():
        for number in range(CODES):
            row = Code(code(number), code_key(code(number)), f"r{number % 100}", "program")
            enrol(ledger, Enrolment(row, Referrer(f"r{number % 100}", "", f"r{number % 100}@p.io")), START)
    return ledger


def measure(size: int, folder: str | None) -> dict[str, float]:
    """CPU seconds of each stage, and the peak memory in MB, for one size; in this process."""
    with tempfile.TemporaryDirectory(dir=folder) as name:
        ledger = with_codes(Path(name) / "refloop.db")
        figures: dict[str, float] = {"records": size}
        begun = time.process_time()
        for page in pages(size):
            keep_page(ledger, 1, "crm", page, START)
        figures["pull"] = time.process_time() - begun
        context = RunContext(ledger, 1, Policy(), lambda: START)
        begun = time.process_time()
        Decider(context).decide()
        figures["decide"] = time.process_time() - begun
        begun = time.process_time()
        figures["changes"] = sum(len(plan.changes) for plan in Planner(context).plans())
        figures["plan"] = time.process_time() - begun
        begun = time.process_time()
        Decider(RunContext(ledger, 2, Policy(), lambda: START)).decide()
        figures["nothing new"] = time.process_time() - begun
        ledger.close()
    figures["peak MB"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", default="20000,100000")
    parser.add_argument("--one", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--dir", default=MEMORY, help="Where the ledgers lie; by default in memory.")
    options = parser.parse_args()
    if options.one:
        print(json.dumps(measure(options.one, options.dir)))
        return
    print("CPU milliseconds per 1,000 records")
    print(f"{'records':>10} {'pull':>8} {'decide':>8} {'plan':>8} {'peak MB':>8} {'changes':>9}")
    for size in (int(text) for text in options.sizes.split(",")):
        command = [sys.executable, __file__, "--one", str(size), *(["--dir", options.dir] if options.dir else [])]
        figures = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
        per = {stage: figures[stage] * 1_000_000 / size for stage in ("pull", "decide", "plan")}
        print(
            f"{size:>10,} {per['pull']:>8.1f} {per['decide']:>8.1f} {per['plan']:>8.1f} "
            f"{figures['peak MB']:>8.0f} {figures['changes']:>9,.0f}"
        )


if __name__ == "__main__":
    main()
