"""The same pull by refloop and by pull tools of others, through the same local CRMs.

    python benchmarks/peers.py [--write] [--only NAME] [--latency 0.1] [--scale 1.0]

Each tool meets a CRM of its own in a process of its own, with the same records: once from nothing, and once more after
people edited one in a hundred. The tools of others are installed from the package index into `.bench-peers/`, each
into an environment of its own; one that cannot be installed or run is a row that says so. `--write` keeps the table in
docs/benchmarks-peers.md and the raw figures in docs/benchmarks-peers.json.
"""

from __future__ import annotations

import argparse
import json
import platform
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from math import ceil
from pathlib import Path

from _taps import TAPS, Bench, Failed, Tap, install
from crm import Row, Used, desk, row, table

import refloop
from refloop_sandbox.launch import Process, Setup, launch

CHANGED = {"hubspot": "contacts", "salesforce": "Lead"}
PAGE = {"hubspot": 100, "salesforce": 2_000}


def fill(crm: str, scale: float) -> Mapping[str, int]:
    """How many records of each object. A role needs a contact: there are a few."""
    people, deals = int(20_000 * scale), int(5_000 * scale)
    if crm == "hubspot":
        return {"contacts": people, "deals": deals}
    return {"Lead": people, "Contact": 100, "Opportunity": deals, "OpportunityContactRole": deals}


def floors(crm: str, records: Mapping[str, int]) -> tuple[tuple[float, str], tuple[float, str]]:
    """The fewest calls for a full pull by pages, and for the records that changed."""
    pages = sum(ceil(count / PAGE[crm]) for count in records.values())
    if crm == "hubspot":
        return (pages, "pages of 100"), (2, "one search a kind")
    return (ceil(pages / 5), "composites of 5 pages of 2,000"), (1, "one composite")


def ours(crm: str, setup: Setup) -> Iterator[Row]:
    """`refloop sync --dry-run`, everything included."""
    name = f"refloop {refloop.__version__}"
    records = _records(setup)
    full, tick = floors(crm, records)
    with desk(crm, setup) as (made, process):
        used = made.run("sync", "--dry-run", "--json")
        yield row(crm, f"{name}: {_full(crm)}", process, used, full, _pulled(used))
        changed = _edited(crm, process, records)
        used = made.run("sync", "--dry-run", "--json")
        yield row(crm, f"{name}: {changed}", process, used, tick, _pulled(used))


def _pulled(used: Used) -> str:
    """How many people and deals came; their links come with them and are not counted apart."""
    pulled = used.answer["connections"]["crm"]["pulled"]  # type: ignore[index]  # the command's own JSON
    return f"pulled {pulled:,} people and deals, matched codes, made the plan"


def theirs(tap: Tap, setup: Setup) -> Iterator[Row]:
    """A tap that writes what it read to a file in memory. Finding out what there is to read is not counted."""
    records = _records(setup)
    what = _full(tap.crm)
    try:
        command = install(tap)
        with tempfile.TemporaryDirectory(dir=_memory()) as name, launch(tap.crm, setup) as process:  # type: ignore[arg-type]  # one of two words
            bench = Bench(tap, command, Path(name), process)
            bench.discover()
            process.reset()
            yield _read(tap, bench, process, what, floors(tap.crm, records)[0])
            what = _edited(tap.crm, process, records)
            yield _read(tap, bench, process, what, floors(tap.crm, records)[1])
    except Failed as failed:
        yield Row(tap.crm, f"{tap.name}: {what}", 0, 0, "", 0, 0, 0, f"did not run: {failed}")


def _read(tap: Tap, bench: Bench, process: Process, what: str, floor: tuple[float, str]) -> Row:
    used, records = bench.read()
    note = "gave " + (", ".join(f"{count:,} {stream}" for stream, count in sorted(records.items())) or "nothing")
    return row(tap.crm, f"{tap.name}: {what}", process, used, floor, note)


def _records(setup: Setup) -> Mapping[str, int]:
    assert isinstance(setup.fill, Mapping)
    return setup.fill


def _full(crm: str) -> str:
    return "full pull" + (" with links" if crm == "hubspot" else " with roles")


def _edited(crm: str, process: Process, records: Mapping[str, int]) -> str:
    edited = process.edit(CHANGED[crm], records[CHANGED[crm]] // 100)
    return f"next run, {edited:,} edited"


def _memory() -> str | None:
    return "/dev/shm" if Path("/dev/shm").is_dir() else None  # noqa: S108 - the disk is not what is measured


def measured(crm: str, names: list[str], latency: float, scale: float) -> Iterator[Row]:
    """The rows of one CRM, refloop's first."""
    setup = Setup(fill=fill(crm, scale), latency=latency)
    if "refloop" in names:
        yield from ours(crm, setup)
    for tap in TAPS:
        if tap.crm == crm and tap.package in names:
            yield from theirs(tap, setup)


HEAD = """\
# refloop beside other pull tools

Written by `make bench-peers WRITE=1`, which anyone can repeat: each tool reads the same records from a local CRM in a
process of its own on the same machine, first from nothing, then, with the state it kept, after people edited one
contact or lead in a hundred. Every call takes {latency:.0f} ms more than the local CRM needs.

- HubSpot: {hubspot}. Salesforce: {salesforce}.
- A row of refloop is one `refloop sync --dry-run` with everything included: log-in, ledger written, codes matched, plan
  made. A row of another tool is its sync alone: it writes what it read to a file in memory, and its discovery, done
  once, is left out. It is told to select the fields that refloop reads.
- Calls are counted by the CRM and exact. Seconds and CPU are of one machine on one day: only their ratios mean anything
  elsewhere. Peak memory is that of the largest process of the tool.
- The other tools are what the package index gives for the versions named, each in an environment of its own, on
  Python {python}; their requests to the CRM's hosts are sent to the local CRM, and to no other host.

Raw figures: [benchmarks-peers.json](benchmarks-peers.json).

"""


def head(latency: float, scale: float) -> str:
    """What stands before the table."""
    sizes = {
        crm: ", ".join(f"{count:,} {name}" for name, count in fill(crm, scale).items())
        for crm in ("hubspot", "salesforce")
    }
    return HEAD.format(latency=latency * 1000, python=platform.python_version(), **sizes)


def main() -> None:
    names = ["refloop", *(tap.package for tap in TAPS)]
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", action="store_true", help="keep the table in docs/")
    parser.add_argument("--only", action="append", choices=names)
    parser.add_argument("--latency", type=float, default=0.1, help="seconds that a call takes more; 0.1 unless told")
    parser.add_argument("--scale", type=float, default=1.0)
    options = parser.parse_args()
    rows: list[Row] = []
    for crm in ("hubspot", "salesforce"):
        for one in measured(crm, options.only or names, options.latency, options.scale):
            rows.append(one)
            print(table([one] if len(rows) > 1 else rows).splitlines()[-1], flush=True)
    if options.write:
        text = head(options.latency, options.scale) + table(rows)
        Path("docs/benchmarks-peers.md").write_text(text, encoding="utf-8")
        figures = {"latency": options.latency, "rows": [asdict(one) for one in rows]}
        Path("docs/benchmarks-peers.json").write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
