"""The commands that only look: how things stand, what ran, what was left for a person, why a record is as it is."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Annotated

import typer

from refloop import __version__
from refloop.commands.console import JsonOption, err, opened, out, paged, print_json, print_rows
from refloop.commands.monitoring import health_report
from refloop.errors import DataError, Exit
from refloop.model import Ref
from refloop.report import figures, text
from refloop.report.health import alarms
from refloop.report.prometheus import exposition, metrics, write_metrics
from refloop.sync.session import Session


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
        told = health_report(work)
    if prometheus is not None:
        write_metrics(prometheus, exposition(metrics(told, __version__)))
    told["alarms"] = alarms(told, timedelta(minutes=max_age)) if max_age else []
    if as_json:
        print_json(told)
    else:
        text.health(out, told)
        for alarm in told["alarms"]:
            text.say(err, alarm, "red")
    if told["alarms"]:
        raise typer.Exit(Exit.ATTENTION)


def runs(
    context: typer.Context,
    limit: Annotated[int, typer.Option(min=1, help="How many, the newest first.")] = 20,
    as_json: JsonOption = False,
) -> None:
    """List past runs."""
    columns = ("run", "command", "started_at", "ended_at", "exit", "problems")
    with opened(context) as work:
        print_rows(figures.runs(work.ledger, limit), columns, as_json, "no runs yet")


def explain(
    context: typer.Context,
    ref: Annotated[str, typer.Argument(help="A record (connection:kind:id, or its id alone), or a referral (rf_...).")],
    as_json: JsonOption = False,
) -> None:
    """Tell the whole story of a record or referral: what was read, decided on what evidence, written, and when."""
    with opened(context) as work:
        referral = figures.explain_referral(work.ledger, ref)
        if referral is not None:
            if as_json:
                print_json(referral)
            else:
                with paged() as page:
                    text.referral_story(page, referral)
            return
        stories = [figures.explain_record(work.ledger, found) for found in _named(work, ref)]
        told = [story for story in stories if story is not None]
        if not told:
            raise DataError(f"the ledger knows no record or referral {ref!r}", remedy="See `refloop referrals list`.")
        if as_json:
            print_json(told)
        else:
            with paged() as page:
                for story in told:
                    text.story(page, story)


def _named(work: Session, ref: str) -> list[Ref]:
    try:
        return [Ref.parse(ref)]
    except ValueError:
        return figures.refs_with_id(work.ledger, ref)


def review(context: typer.Context, as_json: JsonOption = False) -> None:
    """List what refloop did not decide, and why: unknown, ambiguous or expired codes, and the like."""
    columns = ("connection", "kind", "id", "doubt", "field", "evidence", "candidates")
    with opened(context) as work:
        print_rows(figures.questions(work.ledger), columns, as_json, "nothing left for review")
