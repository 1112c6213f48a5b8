"""What a sync costs in calls, time, CPU and memory, against local CRMs in processes of their own.

    python benchmarks/crm.py [--write] [--only NAME] [--scale 1.0]

Counts of calls are exact. Seconds are of this machine on this day: only their ratios mean anything elsewhere.
`--write` keeps the table in docs/benchmarks.md and the raw figures in docs/benchmarks.json.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from math import ceil
from pathlib import Path

from _meter import metered

from refloop_sandbox.fill import CODES, code
from refloop_sandbox.launch import Process, Setup, launch

PATIENCE = 3600
CONNECTIONS = {
    "salesforce": "connector: salesforce\n    currency: USD\n    url: {url}\n    auth: {{method: client_credentials, "
    "client_id: {client_id}, client_secret: env:BENCH_SECRET}}",
    "hubspot": "connector: hubspot\n    url: {url}\n    auth: {{method: service_key, token: env:BENCH_SECRET}}",
}


@dataclass(frozen=True)
class Row:
    """One line of the table. `floor` is the fewest calls, or seconds, that the CRM's own limits allow."""

    crm: str
    what: str
    calls: int
    floor: float
    floor_of: str
    seconds: float
    cpu: float
    memory: float
    note: str = ""


@dataclass(frozen=True)
class Used:
    """What one command used: seconds, CPU seconds, peak MB, and its JSON."""

    seconds: float
    cpu: float
    memory: float
    answer: Mapping[str, object]


class Desk:
    """A folder with a config.yaml for one local CRM, and the command line."""

    def __init__(self, folder: Path, crm: str, process: Process) -> None:
        self._folder = folder
        secret = process.credentials["client_secret" if crm == "salesforce" else "token"]
        self._env = {**os.environ, "BENCH_SECRET": secret}
        connection = CONNECTIONS[crm].format(url=process.url, client_id=process.credentials.get("client_id", ""))
        (folder / "config.yaml").write_text(f"version: 1\nconnections:\n  crm:\n    {connection}\n", encoding="utf-8")
        lines = [f"{code(number)},r{number % 100}" for number in range(CODES)]
        (folder / "codes.csv").write_text("\n".join(["code,referrer", *lines]) + "\n", encoding="utf-8")

    def run(self, *words: str) -> Used:
        """Runs a command to its end. Raises RuntimeError with what it said when it fails."""
        command = [sys.executable, "-m", "refloop.cli", *words]
        used = metered(command, self._folder, self._env, PATIENCE)
        said, wrong = ((self._folder / name).read_text(encoding="utf-8") for name in ("out", "err"))
        if used["code"] not in (0, 3):
            raise RuntimeError(f"{' '.join(words)}: {used['code']:.0f}\n{said}\n{wrong}")
        answer = json.loads(said) if "--json" in words else {}
        return Used(used["seconds"], used["cpu"], used["memory"], answer)


@contextmanager
def desk(crm: str, setup: Setup) -> Iterator[tuple[Desk, Process]]:
    """A filled CRM with our fields in it, the codes imported, and its counters at zero."""
    memory = "/dev/shm" if Path("/dev/shm").is_dir() else None  # noqa: S108 - the disk is not what is measured
    with tempfile.TemporaryDirectory(dir=memory) as name, launch(crm, setup) as process:  # type: ignore[arg-type]  # one of two words
        made = Desk(Path(name), crm, process)
        made.run("provision")
        made.run("codes", "import", "codes.csv")
        process.reset()
        yield made, process


def row(crm: str, what: str, process: Process, used: Used, floor: tuple[float, str], note: str = "") -> Row:
    """A row out of what the CRM counted since the last row."""
    stats = process.stats()
    process.reset()
    refused = sum(stats.refused.values())
    notes = [*([note] if note else []), *([f"refused {refused} times"] if refused else [])]
    return Row(crm, what, stats.received, *floor, used.seconds, used.cpu, used.memory, "; ".join(notes))


def hubspot(scale: float) -> Iterator[Row]:
    """Pull, tick, change and push with HubSpot."""
    contacts, deals = int(20_000 * scale), int(5_000 * scale)
    with desk("hubspot", Setup(fill={"contacts": contacts, "deals": deals}, index_lag=0)) as (made, process):
        size = f"{contacts:,} contacts, {deals:,} deals, their links"
        pages = ceil(contacts / 100) + ceil(deals / 100)
        yield row(
            "hubspot", f"full pull: {size}", process, made.run("sync", "--dry-run", "--json"), (pages, "pages of 100")
        )
        yield row("hubspot", "nothing new", process, made.run("sync", "--dry-run", "--json"), (2, "one search a kind"))
        process.edit("contacts", contacts // 100)
        changed = ceil(contacts / 100 / 200) + 1
        used = made.run("sync", "--dry-run", "--json")
        yield row("hubspot", f"1 % changed: {contacts // 100:,} contacts", process, used, (changed, "searches of 200"))
        used = made.run("sync", "--json")
        yield _pushed("hubspot", process, used, 100, back=50)


def salesforce(scale: float) -> Iterator[Row]:
    """Pull, tick, change and push with Salesforce."""
    leads, deals = int(20_000 * scale), int(5_000 * scale)
    fill = {"Account": 2_000, "Contact": deals, "Lead": leads, "Opportunity": deals, "OpportunityContactRole": deals}
    with desk("salesforce", Setup(fill=fill)) as (made, process):
        rows = leads + 3 * deals
        size = f"{leads:,} leads, {deals:,} contacts, {deals:,} opportunities, {deals:,} roles"
        composites = ceil(rows / 2000 / 5)
        used = made.run("sync", "--dry-run", "--json")
        yield row(
            "salesforce",
            f"full pull: {size}",
            process,
            used,
            (composites, f"composites of 5 pages of 2,000 for {rows:,} rows"),
        )
        yield row("salesforce", "nothing new", process, made.run("sync", "--dry-run", "--json"), (1, "one composite"))
        process.edit("Lead", leads // 100)
        used = made.run("sync", "--dry-run", "--json")
        yield row("salesforce", f"1 % changed: {leads // 100:,} leads", process, used, (1, "one composite"))
        yield _pushed("salesforce", process, made.run("sync", "--json"), 1000)


def _pushed(crm: str, process: Process, used: Used, batch: int, *, back: int = 0) -> Row:
    """`batch` records are looked at and written in a call each; `back` at a time are read back, where that is done."""
    counts = used.answer["connections"]["crm"]  # type: ignore[index]  # the command's own JSON
    written = counts["written"]
    records = ceil(written / 6)
    floor = 2 * ceil(records / batch) + (ceil(records / back) if back else 0)
    of = "a look and a write a batch" + (f", a look back at each {back} records" if back else "")
    return row(crm, f"push of {written:,} changes to {records:,} records", process, used, (floor, of))


def hubspot_at_the_limit(scale: float) -> Iterator[Row]:
    """A full pull with real latency and real rate windows: how near to the CRM's own speed limit."""
    contacts, deals = int(40_000 * scale), int(20_000 * scale)
    setup = Setup(fill={"contacts": contacts, "deals": deals}, strict=True, latency=0.15)
    with desk("hubspot", setup) as (made, process):
        used = made.run("sync", "--dry-run", "--json")
        # a window's calls may all come at once, the next ones ten seconds later
        seconds = 10 * ((process.stats().received - 1) // 100)
        what = f"full pull at 150 ms a call, 100 calls per 10 s: {contacts:,} contacts, {deals:,} deals"
        note = f"{used.seconds / seconds:.2f} times the windows alone" if seconds else "all in one window"
        yield row("hubspot", what, process, used, (seconds, "seconds, by the windows"), note)


def many(crm: str, size: int) -> Iterator[Row]:
    """CPU and memory as the records grow: half people, a quarter deals, the rest others."""
    with desk(crm, Setup(fill=size, per_ten_seconds=100_000)) as (made, process):
        used = made.run("sync", "--dry-run", "--json")
        yield row(crm, f"full pull, match and plan of a CRM of {size:,} records", process, used, (0, ""))


MEASUREMENTS: Mapping[str, Callable[[float], Iterator[Row]]] = {
    "hubspot": hubspot,
    "salesforce": salesforce,
    "hubspot-at-the-limit": hubspot_at_the_limit,
    "hubspot-100k": lambda scale: many("hubspot", int(100_000 * scale)),
    "salesforce-100k": lambda scale: many("salesforce", int(100_000 * scale)),
    "hubspot-1m": lambda scale: many("hubspot", int(1_000_000 * scale)),
    "salesforce-1m": lambda scale: many("salesforce", int(1_000_000 * scale)),
}
LONG = ("hubspot-1m", "salesforce-1m")


def table(rows: Sequence[Row]) -> str:
    """The rows as a Markdown table."""
    lines = ["| CRM | what | calls | floor | s | CPU s | peak MB | |", "|---|---|---:|---|---:|---:|---:|---|"]
    for one in rows:
        floor = f"{one.floor:,.0f} ({one.floor_of})" if one.floor_of else ""
        lines.append(
            f"| {one.crm} | {one.what} | {one.calls:,} | {floor} | {one.seconds:.1f} | {one.cpu:.1f} "
            f"| {one.memory:.0f} | {one.note} |"
        )
    return "\n".join(lines) + "\n"


HEAD = """\
# Benchmarks

Written by `make bench`, against the local CRMs in processes of their own on the same machine. Each row is one
`refloop sync` (with `--dry-run` where nothing is pushed) with everything included: start-up, log-in, ledger written,
codes matched, plan made. Calls are exact; seconds and CPU are of one machine on one day, and only their ratios mean
anything elsewhere. The floor is the fewest calls that page and batch sizes allow. Raw figures:
[benchmarks.json](benchmarks.json).

"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", action="store_true", help="keep the table in docs/")
    parser.add_argument("--only", action="append", choices=list(MEASUREMENTS))
    parser.add_argument("--long", action="store_true", help="the million records too")
    parser.add_argument("--scale", type=float, default=1.0)
    options = parser.parse_args()
    names = options.only or [name for name in MEASUREMENTS if options.long or name not in LONG]
    rows: list[Row] = []
    for name in names:
        for one in MEASUREMENTS[name](options.scale):
            rows.append(one)
            print(table([one]).splitlines()[-1], flush=True)
    if options.write:
        Path("docs/benchmarks.md").write_text(HEAD + table(rows), encoding="utf-8")
        figures = json.dumps([asdict(one) for one in rows], indent=1)
        Path("docs/benchmarks.json").write_text(figures + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
