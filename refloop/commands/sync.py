"""The commands that pull, decide and write: a sync, a backfill, a plan, what a plan says, and taking a run back."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from refloop.commands.console import JsonOption, OnlyOption, agreed, err, out, paged, print_json, working
from refloop.commands.monitoring import writes_metrics
from refloop.errors import Exit
from refloop.ledger.backups import back_up_daily
from refloop.ledger.reads.conflicts import FoundConflict, conflicts_to_come
from refloop.ledger.reads.receipts import overwritten as overwritten_values
from refloop.ledger.reads.review import count_open
from refloop.ledger.reads.summary import summary
from refloop.ledger.runs import roll_up
from refloop.ledger.undo import undoing
from refloop.model import Between, FieldChange
from refloop.report.as_json.run import plan_json, report_json
from refloop.report.lines import say
from refloop.report.progress import progress_bars
from refloop.report.text.plan import print_changes, print_conflicts
from refloop.report.text.review import print_open
from refloop.report.text.run import print_counts, print_notes, print_overwritten, print_problem, print_summary
from refloop.sync.plan import Planner
from refloop.sync.planfile import load_plan, save_plan
from refloop.sync.run import Task
from refloop.sync.session import Session

AllowShrinkOption = Annotated[
    bool, typer.Option("--allow-shrink", help="Believe a full pull that brings far fewer records than before.")
]

TakeOverOption = Annotated[
    bool, typer.Option("--take-over", help="Go on in the place of another ledger that wrote to this account.")
]

MaxChangesOption = Annotated[
    int | None, typer.Option(min=1, help="Stop before writing anything if the plan holds more changes than this.")
]


def sync(
    context: typer.Context,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Pull and decide, show the plan, write nothing.")] = False,
    only: OnlyOption = None,
    max_changes: MaxChangesOption = None,
    allow_shrink: AllowShrinkOption = False,
    take_over: TakeOverOption = False,
    as_json: JsonOption = False,
) -> None:
    """Pull what changed, match, and write outcomes back. What cron runs."""
    with paged(if_so=dry_run and not as_json) as page, working(context) as work:
        limit = max_changes or work.config.sync.max_changes
        command = "sync --dry-run" if dry_run else "sync"
        task = Task(command, push=not dry_run, max_changes=limit, allow_shrink=allow_shrink)
        _run(work, replace(task, take_over=take_over), only, None if as_json else page)


_LAST_DAY = date.max - timedelta(days=1)
"""After which there is another."""


def backfill(
    context: typer.Context,
    start: Annotated[datetime, typer.Option("--from", formats=["%Y-%m-%d"], help="The first day (UTC).")],
    end: Annotated[datetime, typer.Option("--to", formats=["%Y-%m-%d"], help="The last day (UTC), included.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the plan, write nothing.")] = False,
    only: OnlyOption = None,
    max_changes: MaxChangesOption = None,
    allow_shrink: AllowShrinkOption = False,
    as_json: JsonOption = False,
) -> None:
    """Pull all records created or changed in a period again, whatever is known, and write outcomes back."""
    first = datetime.combine(start.date(), time(), UTC)
    last = datetime.combine(min(end.date(), _LAST_DAY) + timedelta(days=1), time(), UTC)
    if last <= first:
        raise typer.BadParameter("is before --from", param_hint="--to")
    with paged(if_so=dry_run and not as_json) as page, working(context) as work:
        limit = max_changes or work.config.sync.max_changes
        command = f"backfill {start:%Y-%m-%d} {end:%Y-%m-%d}"
        task = Task(command, push=not dry_run, span=Between(first, last), max_changes=limit)
        _run(work, replace(task, allow_shrink=allow_shrink), only, None if as_json else page)


def _run(work: Session, task: Task, only: str | None, page: Console | None) -> None:
    """Runs a task and shows what it did on a page, or as JSON where there is none."""
    minutes = work.config.sync.max_runtime
    task = replace(task, max_runtime=timedelta(minutes=minutes) if minutes else None)
    with writes_metrics(work):
        with progress_bars(err) as progress:
            report = work.runner(only=only, progress=progress).run(task)
        if not report.problems:
            back_up_daily(work.ledger, work.clock())
        roll_up(work.ledger, work.clock())
    figures = summary(work.ledger)
    if page is None:
        print_json(report_json(report, figures))
    else:
        if not task.push:
            _show_plan(work, only, page)
        print_counts(page, report.counts)
        print_summary(page, figures)
        print_notes(err, report.notes)
        for name, error in report.problems:
            print_problem(err, name, error)
    if report.exit:
        raise typer.Exit(report.exit)


def plan(
    context: typer.Context,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Save the plan for `refloop apply`.")] = None,
    pull: Annotated[bool, typer.Option("--pull/--no-pull", help="Ask the CRMs first what is new.")] = True,
    only: OnlyOption = None,
    detailed_exitcode: Annotated[bool, typer.Option(help="Exit with 4 when there are changes.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Show every change that a sync would write: before, after, and why. Writes nothing to the CRMs."""
    # the page is shown when the ledger is let go: a person may look at it for long
    with paged(if_so=not as_json and output is None) as page, working(context) as work:
        with progress_bars(err) as progress:
            report = work.runner(only=only, progress=progress).run(Task("plan", pull=pull, push=False))
        if output is not None:
            planned = save_plan(output, work.ledger, _changes(work, only))
            say(out, f"saved {planned:,} changes to {output}; `refloop apply {output}` writes exactly these")
        elif as_json:
            changes = list(_changes(work, only))
            print_json(plan_json(changes, _conflicts(work, only), count_open(work.ledger)))
            planned = len(changes)
        else:
            planned = _show_plan(work, only, page)
        print_notes(err, report.notes)
        for name, error in report.problems:
            print_problem(err, name, error)
    if report.problems:
        raise typer.Exit(report.exit)
    if planned and detailed_exitcode:
        raise typer.Exit(Exit.CHANGES)


def _changes(work: Session, only: str | None) -> Iterator[FieldChange]:
    return (change for item in Planner(work.context()).plans(only) for change in item.changes)


def _conflicts(work: Session, only: str | None) -> Iterator[FoundConflict]:
    return conflicts_to_come(work.ledger, Planner(work.context()).plans(only))


def _show_plan(work: Session, only: str | None, page: Console) -> int:
    counts = print_changes(page, _changes(work, only))
    conflicts = print_conflicts(page, _conflicts(work, only))
    print_open(page, count_open(work.ledger))
    words = f"{counts['changes']:,} changes to {counts['records']:,} records, {conflicts:,} conflicts"
    say(page, words if counts["changes"] or conflicts else "nothing to change", "bold")
    return counts["changes"]


def apply(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(help="A plan saved by `refloop plan -o FILE`.")],
    take_over: TakeOverOption = False,
    as_json: JsonOption = False,
) -> None:
    """Write exactly a saved plan; refuse it when the ledger or a record has moved since."""
    with working(context) as work:
        specs = {spec.name: spec for spec in work.policy.fields}
        saved = list(load_plan(file, work.ledger, specs))
        with progress_bars(err) as progress:
            report = work.runner(progress=progress).apply(saved, take_over=take_over)
        if as_json:
            print_json(report_json(report, summary(work.ledger)))
        else:
            print_counts(out, report.counts)
            print_overwritten(out, overwritten_values(work.ledger))
            for name, error in report.problems:
                print_problem(err, name, error)
    if report.exit:
        raise typer.Exit(report.exit)


def undo(
    context: typer.Context,
    run: Annotated[int, typer.Argument(help="The run whose writes to take back; see `refloop runs`.")],
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be taken back, write nothing.")] = False,
    overwritten: Annotated[
        bool, typer.Option("--overwritten", help="Only put back what people wrote and the run wrote over.")
    ] = False,
) -> None:
    """Take back what a run wrote: every field that still holds it. Is itself a run that can be undone."""
    with working(context) as work:
        specs = {spec.name: spec for spec in work.policy.fields}
        taken = list(undoing(work.ledger, run, specs, overwritten=overwritten))
        with paged() as page:
            counts = print_changes(page, taken)
            say(page, f"{counts['changes']:,} changes to {counts['records']:,} records", "bold")
        if dry_run or not taken:
            return
        if not yes and not agreed("Take these back?"):
            return
        report = work.runner().undo(taken)
        print_counts(out, report.counts)
        print_overwritten(out, overwritten_values(work.ledger))
        for name, error in report.problems:
            print_problem(err, name, error)
    if report.exit:
        raise typer.Exit(report.exit)
