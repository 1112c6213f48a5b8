"""What every command uses of the terminal: the two streams, an opened session, JSON and tables."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Annotated, Any

import typer
from rich.console import Console

from refloop.report import text
from refloop.sync.lock import alone
from refloop.sync.session import Session, read_config, session

out = Console(highlight=False)
err = Console(stderr=True, highlight=False)

JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON for a script instead of text.")]


@contextmanager
def opened(context: typer.Context) -> Iterator[Session]:
    """A session of the configuration that --config names."""
    with session(read_config(context.obj)) as opened_session:
        yield opened_session


@contextmanager
def working(context: typer.Context) -> Iterator[Session]:
    """A session that holds the ledger alone, for commands that write to it."""
    with opened(context) as work, alone(work.ledger, work.clock):
        yield work


def print_json(value: Any) -> None:
    """Prints a value for a script."""
    print(text.harmless(json.dumps(value, ensure_ascii=False, indent=2, default=str)))  # noqa: T201 - this is the output


def print_rows(rows: Iterable[Mapping[str, Any]], columns: tuple[str, ...], as_json: bool, nothing: str) -> None:
    """Prints rows as a table or as JSON; says `nothing` on the other stream when there are none."""
    if as_json:
        print_json(list(rows))
    elif not text.table(out, rows, columns):
        text.say(err, nothing)
