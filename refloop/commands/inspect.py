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
from refloop.ledger.reads.explain import record_story, referral_story, refs_with_id
from refloop.ledger.reads.journal import latest_runs
from refloop.ledger.reads.review import open_items
from refloop.model import Ref
from refloop.report.as_json.health import health_json
from refloop.report.as_json.story import record_story_json, referral_story_json
from refloop.report.health import alarms
from refloop.report.lines import say
from refloop.report.listings import REVIEW, RUNS
from refloop.report.prometheus import exposition, metrics, write_metrics
from refloop.report.text.health import print_health
from refloop.report.text.story import print_record_story, print_referral_story
from refloop.sync.session import Session

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
    ref: Annotated[str, typer.Argument(help="A record (connection:kind:id, or its id alone), or a referral (rf_...).")],
    as_json: JsonOption = False,
) -> None:
    """Tell the whole story of a record or referral: what was read, decided on what evidence, written, and when."""
    with opened(context) as work:
        referral = referral_story(work.ledger, ref)
        if referral is not None:
            if as_json:
                print_json(referral_story_json(referral))
            else:
                with paged() as page:
                    print_referral_story(page, referral)
            return
        stories = [story for found in _named(work, ref) if (story := record_story(work.ledger, found))]
        if not stories:
            raise DataError(f"the ledger knows no record or referral {ref!r}", remedy="See `refloop referrals list`.")
        if as_json:
            print_json([record_story_json(story) for story in stories])
        else:
            with paged() as page:
                for story in stories:
                    print_record_story(page, story)


def _named(work: Session, ref: str) -> list[Ref]:
    try:
        return [Ref.parse(ref)]
    except ValueError:
        return refs_with_id(work.ledger, ref)


def review(context: typer.Context, as_json: JsonOption = False) -> None:
    """List what refloop did not decide, and why: codes in doubt, deals and buyers in doubt."""
    with opened(context) as work:
        print_listing(REVIEW, open_items(work.ledger), as_json)
