"""docs/cli.md out of the program itself: `python -m tests.cli.reference > docs/cli.md`."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import typer.main
from typer.testing import CliRunner

from refloop.cli import app
from refloop.errors import Exit

HEAD = """\
# The command line

Results go to standard output, messages and progress to standard error. Commands that a script would read take `--json`.
On a terminal, long results go through a pager (`$PAGER`, else less), in colours unless you say `--no-color` or
set `NO_COLOR`.

Tables are as wide as the terminal: text is broken between words, ids, codes and references never; where that does not
fit, a row becomes a block of a few lines. In a pipe each row is one line under the names of the columns, its cells
separated by tabs (`refloop runs --wrote | cut -f 1`). `--csv` prints a table as CSV (RFC 4180) for a spreadsheet: a
cell that one would take for a formula has an apostrophe before it, which `refloop codes import` takes off again. A
reader that has enough may go: `refloop codes list | head` is no error.

Statuses, reasons and kinds are taken in any spelling in which they are printed, in capitals or not:
`--status "in negotiation"`, `--kind opportunity`. `-h` is `--help`. `refloop --install-completion` lets your shell
complete commands, options, connections, statuses and the runs that can be taken back; `refloop --show-completion` only
prints what it would install.

## Exit codes

| code | meaning |
|---|---|
"""


def reference() -> str:
    """The whole page."""
    codes = "".join(f"| {code.value} | {code.meaning} |\n" for code in Exit)
    return HEAD + codes + "".join(_section(path) for path in commands())


def commands() -> Iterator[tuple[str, ...]]:
    """The path of every command and group, in the order of the help."""
    yield from _below(typer.main.get_command(app), ())


def _below(command: Any, path: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    yield path
    children = getattr(command, "commands", {})
    for name, child in children.items():
        yield from _below(child, (*path, name))


def help_of(path: tuple[str, ...]) -> str:
    """What `refloop PATH --help` prints, 100 columns wide."""
    os.environ["COLUMNS"] = "100"
    result = CliRunner().invoke(app, [*path, "--help"], prog_name="refloop", terminal_width=100)
    if result.exit_code:
        raise AssertionError(f"{path}: {result.output}")
    return result.output


def _section(path: tuple[str, ...]) -> str:
    title = " ".join(("refloop", *path))
    return f"\n## {title}\n\n```text\n{help_of(path).strip()}\n```\n"


if __name__ == "__main__":
    print(reference(), end="")  # noqa: T201 - this is the output
