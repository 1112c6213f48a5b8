"""The commands that only look: how things stand, what ran, what was left for a person, why a record is as it is."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Annotated

import typer

from refloop import __version__
from refloop.commands.console import JsonOption, err, opened, out, paged, print_json, print_listing
from refloop.commands.monitoring import health_report
from refloop.errors import DataError, Exit
from refloop.ledger.reads.journal import latest_runs
from refloop.ledger.reads.review import open_items
from refloop.report.as_json.health import health_json
from refloop.report.display import display_of
from refloop.report.found import found_json, print_found
from refloop.report.health import alarms
from refloop.report.lines import say
from refloop.report.listings import REVIEW, RUNS
from refloop.report.prometheus import exposition, metrics, write_metrics
from refloop.report.text.health import print_health
from refloop.sync.find import Looked, look_up

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
) -> None:
    """Show how things stand: the age of each pull, what went wrong last, what waits for a person, quota, backups."""
    with opened(context) as work:
        health = health_report(work)
    if prometheus is not None:
        write_metrics(prometheus, exposition(metrics(health, __version__)))
    raised = alarms(health, timedelta(minutes=min(max_age, _MINUTES))) if max_age else []
    if as_json:
        print_json(health_json(health, raised))
    else:
        print_health(out, health)
        for alarm in raised:
            say(err, alarm, "red")
    if raised:
        raise typer.Exit(Exit.ATTENTION)


def runs(
    context: typer.Context,
    limit: Annotated[int, typer.Option(min=1, help="How many, the newest first.")] = 20,
    as_json: JsonOption = False,
) -> None:
    """List past runs."""
    with opened(context) as work:
        print_listing(RUNS, latest_runs(work.ledger, limit), as_json)


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


def review(context: typer.Context, as_json: JsonOption = False) -> None:
    """List what refloop did not decide, and why: codes in doubt, deals and buyers in doubt."""
    with opened(context) as work:
        print_listing(REVIEW, open_items(work.ledger), as_json)
