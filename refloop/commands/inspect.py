"""The commands that only look: how things stand, what ran, what was left for a person, why a record is as it is."""

from __future__ import annotations

from datetime import timedelta
from itertools import islice
from pathlib import Path
from typing import Annotated

import typer

from refloop import __version__
from refloop.commands.console import (
    CsvOption,
    JsonOption,
    OnlyOption,
    err,
    one_format,
    opened,
    out,
    paged,
    print_csv,
    print_json,
    print_listing,
)
from refloop.commands.monitoring import health_report
from refloop.commands.options import KindOption, ReasonOption, SinceOption
from refloop.errors import DataError, Exit
from refloop.ledger.reads.journal import Asked, runs_with_writes
from refloop.ledger.reads.review import Wanted, count_open, open_groups, open_items
from refloop.ledger.reads.upkeep import worker
from refloop.mapping.codes import code_key
from refloop.report.as_json.health import health_json
from refloop.report.display import display_of
from refloop.report.found import found_json, print_found
from refloop.report.health import NO_FAILURE, alarms
from refloop.report.lines import MOST, say
from refloop.report.listings import REVIEW, RUNS
from refloop.report.prometheus import exposition, metrics, write_metrics
from refloop.report.text.health import CONNECTIONS, connection_cells, print_health
from refloop.report.text.review import print_groups
from refloop.sync.find import Looked, look_up
from refloop.sync.session import Session

_NEAREST = 5

_MINUTES = 10**9
"""Two thousand years: more does not fit into a length of time."""


def status(
    context: typer.Context,
    max_age: Annotated[
        int | None,
        typer.Option(
            metavar="MINUTES",
            min=1,
            help="For monitoring: exit with 3 when a connection was not pulled for so long, or the last run failed.",
        ),
    ] = None,
    prometheus: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Also write metrics for Prometheus' textfile collector.")
    ] = None,
    as_json: JsonOption = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print the table of connections as CSV instead.")] = False,
) -> None:
    """Show how things stand: the age of each pull, what went wrong last, what waits for a person, quota, backups."""
    one_format(as_json, as_csv)
    with opened(context) as work:
        health = health_report(work)
    if prometheus is not None:
        write_metrics(prometheus, exposition(metrics(health, __version__)))
    raised = alarms(health, timedelta(minutes=min(max_age, _MINUTES))) if max_age else []
    if as_json:
        print_json(health_json(health, raised))
    elif as_csv:
        print_csv(CONNECTIONS, map(connection_cells, health.connections))
    else:
        print_health(out, health)
    for alarm in [] if as_json else raised:
        say(err, alarm, "red")
    if raised:
        raise typer.Exit(Exit.ATTENTION)


def runs(
    context: typer.Context,
    limit: Annotated[int, typer.Option(min=1, help="How many, the newest first.")] = 20,
    since: SinceOption = None,
    wrote: Annotated[bool, typer.Option("--wrote", help="Only those that wrote to a CRM.")] = False,
    failed: Annotated[bool, typer.Option("--failed", help="Only those that failed or were killed.")] = False,
    as_json: JsonOption = False,
    as_csv: CsvOption = False,
) -> None:
    """List past runs: what each wrote, what was refused, what people had written, and how it ended."""
    one_format(as_json, as_csv)
    with opened(context) as work:
        asked = Asked(limit, since, wrote, NO_FAILURE if failed else (), _is_at_work(work))
        print_listing(RUNS, runs_with_writes(work.ledger, asked), as_json, as_csv)


def _is_at_work(work: Session) -> bool:
    holder = worker(work.ledger)
    return holder is not None and not holder.expired(work.clock())


def explain(
    context: typer.Context,
    what: Annotated[
        list[str],
        typer.Argument(
            metavar="WHAT",
            help="Whatever you have at hand: a record's address in the browser, its id, an e-mail, a code, a referrer, "
            "the name of a person, deal or company, a referral (rf_...); or KIND:NAME, CONNECTION:KIND:ID.",
        ),
    ],
    as_json: JsonOption = False,
) -> None:
    """Tell the whole story of a record, referral, code, referrer or company: what was seen, decided, written, when.

    Where several things are meant they are listed, each with what to type to have it alone.
    """
    text = " ".join(what)
    with opened(context) as work:
        found, display = look_up(work, text), display_of(work)
        if not found.hits:
            raise DataError(_nothing(text, found), remedy=_remedy(found))
        for remark in found.remarks:
            say(err, f"note: {remark}", "yellow")
        if as_json:
            print_json(found_json(work.ledger, found.hits, display))
            return
        with paged() as page:
            print_found(page, work.ledger, text, found.hits, display)


def _nothing(text: str, found: Looked) -> str:
    why = f": {'; '.join(found.faults)}" if found.faults else ""
    return f"the ledger knows nothing by {text!r}{why}"


def _remedy(found: Looked) -> str:
    if found.near:
        return f"Nearest: {', '.join(found.near[:_NEAREST])}."
    return "See `refloop explain --help` for what can be named; what came after the last sync is not known yet."


def review(
    context: typer.Context,
    reason: ReasonOption = None,
    kind: KindOption = None,
    code: Annotated[str | None, typer.Option(help="Only what is about this code, in any spelling.")] = None,
    only: OnlyOption = None,
    limit: Annotated[int | None, typer.Option(min=1, help="List the first so many one by one.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="List all of them one by one.")] = False,
    as_json: JsonOption = False,
    as_csv: CsvOption = False,
) -> None:
    """List what refloop did not decide, and why: codes in doubt, deals and buyers in doubt.

    Where it is much, what is alike is counted and the first of each named.
    """
    one_format(as_json, as_csv)
    wanted = Wanted(reason, kind, only, code_key(code) if code else None)
    with opened(context) as work:
        counts = count_open(work.ledger, wanted)
        if everything or limit or as_json or as_csv or sum(counts.values()) <= MOST:
            print_listing(REVIEW, islice(open_items(work.ledger, wanted), limit), as_json, as_csv)
            return
        with paged() as page:
            print_groups(page, counts, open_groups(work.ledger, wanted))
