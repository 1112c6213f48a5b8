"""What commands cost that have nothing, or little, to do: at two sizes of the ledger, and how they compare.

    python benchmarks/any_size.py [--sizes 25000,1000000] [--codes 200000] [--dir DIR] [--write]

Each is done once for warmth and then measured in a process of its own, behind its imports: CPU milliseconds (the least
of up to 25), statements, and MB read. DIR is where the ledgers lie: in memory by default; a folder on a disk shows what
a disk makes of it. Ledgers that are there from an earlier time are used again. `--write` keeps the figures in
docs/benchmarks-size.md.
"""

from __future__ import annotations

import argparse
import csv
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from ledger import MEMORY, START, pages, with_codes

from refloop.ledger import Ledger, open_ledger
from refloop.ledger.engine.sqlite import SqliteEngine
from refloop.ledger.figures import keep_figures
from refloop.ledger.reads.explain import record_story
from refloop.ledger.reads.review import open_items
from refloop.ledger.reads.summary import summary
from refloop.ledger.records import keep_page
from refloop.mapping.codes import code_key
from refloop.mapping.policy import Policy
from refloop.model import Code, Kind, Ref, Referrer
from refloop.report.health import health
from refloop.sync.context import RunContext
from refloop.sync.intake import Enrolment, codes_changing, enrol, import_codes
from refloop.sync.lock import alone
from refloop.sync.plan import Planner
from refloop.sync.run import Runner, Task
from refloop.sync.stages import Decider
from refloop.testing import MemoryCrm

TIMES = 25
AT_MOST = 2000
"""CPU milliseconds after which it is not done again."""
GOAL = 1.2
IMPORT_GOAL = 10.0
NEW_CODE = "ZK-77777Q"
PAGE = Path("docs/benchmarks-size.md")


class Cost(NamedTuple):
    """CPU milliseconds, statements, and MB read."""

    cpu: float
    statements: int
    read: float


def now() -> datetime:
    return datetime.now(UTC)


def tick(path: Path) -> None:
    crm = MemoryCrm("other")
    with closing(open_ledger(path)) as ledger, alone(ledger, now):
        Runner(ledger, Policy(), {"other": crm.connector}, now).run(Task("sync"))
        summary(ledger)


def status(path: Path) -> None:
    with closing(open_ledger(path)) as ledger:
        health(ledger, Planner(_context(ledger)), ["crm"], now())


def explain(path: Path) -> None:
    with closing(open_ledger(path)) as ledger:
        assert record_story(ledger, Ref("crm", Kind.CONTACT, f"{10:09d}"))


def review(path: Path) -> None:
    with closing(open_ledger(path)) as ledger:
        list(open_items(ledger))


def one_code(path: Path) -> None:
    """Adds a code that no record carries, or has it mean something else: either is looked for in all texts."""
    with closing(open_ledger(path)) as ledger, alone(ledger, now):
        with codes_changing(ledger), ledger.writing():
            day = now().date() if time.time_ns() % 2 else None
            new = Code(f"{NEW_CODE}{time.time_ns() % 1000}", code_key(NEW_CODE), "r1", "program", day)
            enrol(ledger, Enrolment(new, Referrer("r1")), now())
        Decider(_context(ledger)).decide()


COMMANDS: dict[str, Callable[[Path], None]] = {
    "a sync without news": tick,
    "status": status,
    "explain": explain,
    "review": review,
    "one code more": one_code,
}


def _context(ledger: Ledger) -> RunContext:
    return RunContext(ledger, 0, Policy(), now)


def build(path: Path, size: int) -> None:
    """A ledger of so many records, decided, and nothing pushed."""
    with closing(with_codes(path)) as ledger:
        for page in pages(size):
            keep_page(ledger, 1, "crm", page, START)
        Decider(RunContext(ledger, 1, Policy(), lambda: START)).decide()
        keep_figures(ledger)


def measured(act: Callable[[Path], None], path: Path) -> Cost:
    """What an act costs; in this process."""
    act(path)  # looks through the ledger where nobody did, and warms up
    statements = _counted()
    before = len(statements), _read()
    act(path)
    count, read = len(statements) - before[0], (_read() - before[1]) / 1e6
    times = [_timed(act, path)]
    while len(times) < TIMES and sum(times) < AT_MOST:
        times.append(_timed(act, path))
    return Cost(min(times), count, read)


def _timed(act: Callable[[Path], None], path: Path) -> float:
    begun = time.process_time()
    act(path)
    return 1000 * (time.process_time() - begun)


def _counted() -> list[str]:
    """The statements that are sent from here on."""
    sent: list[str] = []
    for name in ("execute", "execute_many", "rows"):
        verb = getattr(SqliteEngine, name)

        def hear(engine: SqliteEngine, sql: str, *values: object, verb: Callable[..., object] = verb) -> object:
            sent.append(sql)
            return verb(engine, sql, *values)

        setattr(SqliteEngine, name, hear)
    return sent


def _read() -> int:
    """Bytes that this process has read, from a disk or not; 0 where the system does not say."""
    io = Path("/proc/self/io")
    return int(io.read_text().split()[1]) if io.exists() else 0


def imported(folder: Path, count: int) -> tuple[float, float]:
    """CPU seconds of so many rows: plainly into their tables, and by `codes import`."""
    rows = [
        (f"QX-{n * 7919 % 10**8:08d}A", f"r{n}", f"R {n}", f"r{n}@p.io", "partners", "2027-01-01") for n in range(count)
    ]
    with closing(open_ledger(folder / "plain.db")) as ledger:
        begun = time.process_time()
        with ledger.writing():
            ledger.execute("INSERT INTO programs VALUES ('partners', '')")
            ledger.execute_many("INSERT INTO referrers VALUES (?, ?, ?)", (row[1:4] for row in rows))
            values = ((code_key(row[0]), row[0], row[1], row[4], None, row[5], "") for row in rows)
            ledger.execute_many("INSERT INTO codes VALUES (?, ?, ?, ?, ?, ?, ?)", values)
        plain = time.process_time() - begun
    table = folder / "codes.csv"
    with table.open("w", newline="", encoding="utf-8") as file:
        columns = ("code", "referrer", "referrer_name", "referrer_email", "program", "valid_to")
        csv.writer(file).writerows([columns, *rows])
    with closing(open_ledger(folder / "imported.db")) as ledger:
        begun = time.process_time()
        done = import_codes(ledger, table, now())
        assert done.counts.total() == count
        return plain, time.process_time() - begun


def table_of(sizes: Sequence[int], costs: dict[str, list[Cost]]) -> str:
    small, large = (f"{size:,}" for size in sizes)
    lines = [
        f"| | CPU ms at {small} | at {large} | times | statements | MB read |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    for name, (few, many) in costs.items():
        times, counts = f"{many.cpu / few.cpu:.2f}", f"{few.statements}, {many.statements}"
        lines.append(
            f"| {name} | {few.cpu:.1f} | {many.cpu:.1f} | {times} | {counts} | {few.read:.1f}, {many.read:.1f} |"
        )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", default="25000,1000000")
    parser.add_argument("--codes", type=int, default=200_000)
    parser.add_argument(
        "--dir", type=Path, help="Where the ledgers lie, and stay; by default in memory, for this time."
    )
    parser.add_argument("--write", action="store_true", help=f"Keep the figures in {PAGE}.")
    parser.add_argument("--one", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        name, path = options.one
        print(json.dumps(measured(COMMANDS[name], Path(path))))
        return
    sizes = [int(text) for text in options.sizes.split(",")]
    with tempfile.TemporaryDirectory(dir=options.dir or MEMORY) as made:
        ledgers = [(options.dir or Path(made)) / f"any-size-{size}.db" for size in sizes]
        for path, size in zip(ledgers, sizes, strict=True):
            if not path.exists():
                build(path, size)
        costs = {name: [_apart(name, path) for path in ledgers] for name in COMMANDS}
        plain, took = imported(Path(made), options.codes)
    said = (
        f"{table_of(sizes, costs)}\n\n`codes import` of {options.codes:,} codes: {took:.1f} CPU s, {took / plain:.1f} "
        f"times a plain `executemany` of the same rows ({plain:.1f} s)."
    )
    print(said)
    if options.write:
        PAGE.write_text(HEAD + said + "\n", encoding="utf-8")


def _apart(name: str, path: Path) -> Cost:
    """The cost in a process of its own."""
    command = [sys.executable, __file__, "--one", name, str(path)]
    return Cost(*json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout))


HEAD = f"""# Cost and size

Written by `python benchmarks/any_size.py --write`, a part of `make bench`. Each row is a command that has nothing, or
little, to do, behind its imports and without a network, on a ledger in memory (`--dir` puts it on a disk). A sync,
`status`, `explain` and `review` should cost at most {GOAL} times as much at the larger size; one code more is one look
at all texts; an import at most {IMPORT_GOAL:.0f} times a plain `executemany`. Milliseconds are of one machine on one
day.

"""


if __name__ == "__main__":
    main()
