"""What every command uses: the two streams, an opened session, a run in the journal, JSON and tables."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import takewhile
from typing import Annotated, TextIO, TypeVar

import typer
from rich.console import Console

from refloop import __version__
from refloop.commands.stopping import stopping
from refloop.commands.streams import is_read
from refloop.errors import Declined, Exit, RefloopError
from refloop.ledger.runs import end_run, start_run
from refloop.report.as_csv import LINE_END, csv_lines
from refloop.report.grid import Column, Row
from refloop.report.lines import harmless, say
from refloop.report.listings import Listing
from refloop.report.text.table import table
from refloop.sync.lock import alone
from refloop.sync.session import Session, read_config, session

T = TypeVar("T")

out = Console(highlight=False)
err = Console(stderr=True, highlight=False)

JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON for a script instead of text.")]
CsvOption = Annotated[bool, typer.Option("--csv", help="Print CSV for a spreadsheet instead of text.")]


def _connections(ctx: typer.Context, incomplete: str) -> list[str]:
    """Completes the name of a connection; nothing, where the configuration cannot be read."""
    try:
        names = read_config(ctx.find_root().params["config"]).connections
    except (RefloopError, KeyError):
        return []
    return [name for name in names if name.startswith(incomplete)]


OnlyOption = Annotated[
    str | None,
    typer.Option(
        "--only",
        metavar="CONNECTION",
        autocompletion=_connections,
        help="Work on this one connection of the configuration.",
    ),
]


@contextmanager
def opened(context: typer.Context, *, doubted: bool = False) -> Iterator[Session]:
    """A session of the configuration that --config names; over a ledger that may be damaged, where it is `doubted`."""
    with session(read_config(context.obj), doubted=doubted) as opened_session:
        yield opened_session


@contextmanager
def working(context: typer.Context) -> Iterator[Session]:
    """A session that holds the ledger alone, for commands that write to it; then does what was left for `later`."""
    with opened(context) as work:
        try:
            with alone(work.ledger, work.clock):
                yield work
        finally:
            for act in work.later:
                act()


@contextmanager
def journalled(work: Session, command: str) -> Iterator[int]:
    """A run in the journal around work that is not a sync."""
    run, code = start_run(work.ledger, command, __version__, work.clock()), Exit.BUG
    try:
        yield run
        code = Exit.OK
    except (RefloopError, typer.Exit) as stop:
        code = stop.exit if isinstance(stop, RefloopError) else Exit(stop.exit_code)
        raise
    except KeyboardInterrupt:
        code = Exit.INTERRUPTED
        raise
    except SystemExit as stop:
        code = Exit(stop.code) if isinstance(stop.code, int) else Exit.BUG
        raise
    finally:
        end_run(work.ledger, run, code, {}, [], work.clock())


@contextmanager
def paged(*, if_so: bool = True) -> Iterator[Console]:
    """Where long output goes: into a pager when that is a terminal (and `if_so`), else straight to standard output.

    The pager is $PAGER, or less: it is started at the end, and shows at once what fits the screen. So hold nothing
    open or locked around this that others wait for.
    """
    command = _pager()
    if not (if_so and out.is_terminal and command):
        yield out
        return
    with tempfile.TemporaryFile("w+", encoding="utf-8") as file:
        page = Console(file=file, force_terminal=True, width=out.width, highlight=False)
        page.no_color = out.no_color
        try:
            yield page
        finally:
            file.flush()
            if file.tell() and not stopping.stopped:
                file.seek(0)
                _show(command, file)


@contextmanager
def held(page: Console) -> Iterator[Console]:
    """Gives a page like this one whose text follows on it when the block ends: for what is to be read before it, and is
    known after it."""
    with tempfile.TemporaryFile("w+", encoding="utf-8") as file:
        later = Console(file=file, force_terminal=page.is_terminal, width=page.width, highlight=False)
        later.no_color = page.no_color
        yield later
        file.seek(0)
        shutil.copyfileobj(file, page.file)


def _pager() -> list[str]:
    """The command that $PAGER names; nothing where it names none."""
    try:
        return shlex.split(os.environ.get("PAGER", "less"))
    except ValueError:  # an open quotation mark
        return []


def _show(command: Sequence[str], file: TextIO) -> None:
    """Shows a file in a pager and waits until the person has seen it; without that pager, prints it."""
    # as git does: leave when all fits the screen, keep colours, do not clear the screen
    environment = {"LESS": "FRX", "LV": "-c", **os.environ}
    try:
        process = subprocess.Popen(command, stdin=file, env=environment)  # noqa: S603 - the person's own choice
    except OSError:
        shutil.copyfileobj(file, sys.stdout)
        return
    with stopping.left_to_another():
        process.wait()


def print_json(value: object) -> None:
    """Prints a value for a script."""
    print(harmless(json.dumps(value, ensure_ascii=False, indent=2)))  # noqa: T201 - this is the output


def print_listing(listing: Listing[T], values: Iterable[T], as_json: bool, as_csv: bool = False) -> None:
    """Prints a list as a table, as JSON or as CSV; says on the other stream when there is nothing in a table."""
    if as_json:
        print_json([listing.as_json(value) for value in values])
    elif as_csv:
        print_csv(listing.columns, map(listing.cells, values))
    else:
        with paged() as page:
            count = table(page, listing.columns, _while_read(map(listing.cells, values)))
        if not count:
            say(err, listing.nothing)


def print_csv(columns: Sequence[Column], rows: Iterable[Row]) -> None:
    """Prints rows as CSV, streamed: byte for byte what they hold, but `harmless` on a terminal."""
    shown = harmless if out.is_terminal else str
    for line in csv_lines(columns, _while_read(rows)):
        text, end = line[: -len(LINE_END)], line[-len(LINE_END) :]
        sys.stdout.write(shown(text) + end)


def _while_read(rows: Iterable[T]) -> Iterator[T]:
    return takewhile(lambda _: is_read(), rows)


def one_format(as_json: bool, as_csv: bool) -> None:
    """Refuses two formats at once."""
    if as_json and as_csv:
        raise typer.BadParameter("does not go with --json", param_hint="--csv")


def agreed(question: str) -> None:
    """Asks on standard error. Raises Declined unless the answer is yes; no answer, as in a script, is a no."""
    try:
        yes = typer.confirm(question, err=True)
    except typer.Abort as stop:
        if isinstance(stop.__context__, KeyboardInterrupt):  # typer makes one of it and of a closed standard input
            raise KeyboardInterrupt from None
        say(err, "")
        raise Declined(
            "there was nobody to answer; nothing was changed", remedy="`--yes` answers in a script."
        ) from None
    if not yes:
        raise Declined("you did not say yes; nothing was changed")
