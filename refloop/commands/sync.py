"""The commands that pull, decide and write: a sync, a backfill, a plan, what a plan says, and taking a run back."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from refloop.commands.console import (
    CsvOption,
    JsonOption,
    OnlyOption,
    agreed,
    err,
    held,
    one_format,
    out,
    paged,
    print_csv,
    print_json,
    working,
)
from refloop.commands.monitoring import writes_metrics
from refloop.commands.stopping import stopping
from refloop.commands.telling import (
    QuietOption,
    Telling,
    VerboseOption,
    Voice,
    beside_another,
    is_attended,
    tell_news,
    tell_no_backup,
    tell_summary,
    voice_of,
)
from refloop.errors import Exit, RefloopError
from refloop.ledger.backups import back_up_daily
from refloop.ledger.reads.conflicts import FoundConflict, conflicts_to_come
from refloop.ledger.reads.journal import Asked, run_numbered, runs_with_writes
from refloop.ledger.reads.names import names_of
from refloop.ledger.reads.receipts import overwritten as overwritten_values
from refloop.ledger.reads.review import count_open
from refloop.ledger.reads.summary import summary
from refloop.ledger.runs import roll_up
from refloop.ledger.undo import undoing
from refloop.mapping.changes import RecordPlan
from refloop.model import Between, Conflict, FieldChange, format_time
from refloop.report.as_json.run import plan_json, report_json
from refloop.report.health import quarantine
from refloop.report.lines import MOST, say
from refloop.report.listings import CHANGES, change_rows
from refloop.report.plan_summary import Fate, PlanTally
from refloop.report.progress import progress_bars
from refloop.report.text.plan import plan_words, print_changes, print_conflicts, print_plan_summary
from refloop.report.text.review import print_open
from refloop.report.text.run import print_counts, print_notes, print_overwritten, print_problem
from refloop.sync.plan import Planner
from refloop.sync.planfile import load_plan, refuse_no_place, save_plan
from refloop.sync.run import Task
from refloop.sync.run_report import Report
from refloop.sync.session import Session, read_config, session, utc_now

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
    quiet: QuietOption = False,
    verbose: VerboseOption = False,
    as_json: JsonOption = False,
) -> None:
    """Pull what changed, match, and write outcomes back. What cron runs.

    Where nobody sits at a terminal, only what is new is said, a dated line each, and nothing where nothing is.
    """
    voice = voice_of(quiet, verbose, Voice.NEWS)
    kept = "what was pulled and written is kept: run `refloop sync` again, it goes on from there"
    with (
        stopping.kept(kept),
        beside_another(voice if not (dry_run or as_json) else Voice.SUMMARY),
        paged(if_so=dry_run and not as_json) as page,
        working(context) as work,
    ):
        limit = max_changes or work.config.sync.max_changes
        command = "sync --dry-run" if dry_run else "sync"
        task = Task(command, push=not dry_run, max_changes=limit, allow_shrink=allow_shrink, take_over=take_over)
        _run(work, task, Telling(only, voice, None if as_json else page, remembers=not is_attended()))


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
    quiet: QuietOption = False,
    verbose: VerboseOption = False,
    as_json: JsonOption = False,
) -> None:
    """Pull all records created or changed in a period again, whatever is known, and write outcomes back."""
    first = datetime.combine(start.date(), time(), UTC)
    last = datetime.combine(min(end.date(), _LAST_DAY) + timedelta(days=1), time(), UTC)
    if last <= first:
        raise typer.BadParameter("is before --from", param_hint="--to")
    if first > utc_now():
        raise typer.BadParameter(f"is in the future: today is {utc_now():%Y-%m-%d} (UTC)", param_hint="--from")
    voice = voice_of(quiet, verbose, Voice.SUMMARY)
    kept = "what was pulled and written is kept: run the same again, it reads the period once more and writes the rest"
    with stopping.kept(kept), paged(if_so=dry_run and not as_json) as page, working(context) as work:
        limit = max_changes or work.config.sync.max_changes
        command = f"backfill {start:%Y-%m-%d} {end:%Y-%m-%d}"
        task = Task(command, push=not dry_run, span=Between(first, last), max_changes=limit, allow_shrink=allow_shrink)
        _run(work, task, Telling(only, voice, None if as_json else page))


def _run(work: Session, task: Task, telling: Telling) -> None:
    """Runs a task and tells of it."""
    minutes = work.config.sync.max_runtime
    task = replace(task, max_runtime=timedelta(minutes=minutes) if minutes else None)
    with writes_metrics(work):
        with progress_bars(err) as progress:
            runner = work.runner(only=telling.only, progress=progress)
            ended_by = _caught(lambda: runner.run(task))
        report = runner.report or Report(0)
        ended_by = ended_by or _caught(lambda: roll_up(work.ledger, work.clock()))
        if not (report.problems or ended_by):
            work.later.append(partial(_back_up, work, telling))
        _tell(work, task, telling, report, ended_by)
    if ended_by:
        raise ended_by
    if report.exit:
        raise typer.Exit(report.exit)


def _caught(work: Callable[[], object]) -> RefloopError | None:
    """What ended some work; None where it came to its end. It is raised once it was told what was done before it."""
    try:
        work()
    except RefloopError as error:
        return error
    return None


def _back_up(work: Session, telling: Telling) -> None:
    """Raises what kept the day's backup from being made, after it was told."""
    trouble = _caught(lambda: back_up_daily(work.ledger, work.clock()))
    if telling.page and telling.voice.tells_news:
        tell_no_backup(work, telling, trouble)
    if trouble:
        raise trouble


def _tell(work: Session, task: Task, telling: Telling, report: Report, ended_by: RefloopError | None) -> None:
    if telling.page is None:
        if not ended_by:
            print_json(report_json(report, summary(work.ledger)))
    elif not task.push:
        if not ended_by:
            _show_plan(work, telling.only, telling.page)
        tell_summary(work, telling, report, ended_by, writes=False)
    elif telling.voice.tells_news:
        tell_news(work, telling, report, ended_by)
    else:
        tell_summary(work, telling, report, ended_by, writes=True)


def plan(
    context: typer.Context,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Save the plan for `refloop apply`.")] = None,
    pull: Annotated[bool, typer.Option("--pull/--no-pull", help="Ask the CRMs first what is new.")] = True,
    only: OnlyOption = None,
    detailed_exitcode: Annotated[bool, typer.Option(help="Exit with 4 when there are changes.")] = False,
    as_json: JsonOption = False,
    as_csv: CsvOption = False,
) -> None:
    """Show every change that a sync would write: how many of each field, then before, after, and why. Writes nothing
    to the CRMs."""
    one_format(as_json, as_csv)
    if output is not None:
        refuse_no_place(output)
    kept = "what was pulled is kept, nothing was written to a CRM, and no plan was saved: run it again"
    to_page = not (as_json or as_csv) and output is None
    # the page is shown when the ledger is let go: a person may look at it for long
    with stopping.kept(kept), paged(if_so=to_page) as page, working(context) as work:
        with progress_bars(err) as progress:
            report = work.runner(only=only, progress=progress).run(Task("plan", pull=pull, push=False))
        if output is not None:
            planned = save_plan(output, work.ledger, _changes(work, only))
            say(out, f"saved {planned:,} changes to {output}; `refloop apply {output}` writes exactly these")
        elif as_json:
            changes = list(_changes(work, only))
            conflicts = (conflict for plan in Planner(work.context()).plans(only) for conflict in plan.conflicts)
            print_json(plan_json(changes, conflicts_to_come(work.ledger, conflicts), count_open(work.ledger)))
            planned = len(changes)
        elif as_csv:
            tally = PlanTally()
            print_csv(CHANGES, change_rows(tally.passing(Planner(work.context()).plans(only))))
            planned = tally.changes
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


def _show_plan(work: Session, only: str | None, page: Console) -> int:
    """Shows a plan, its summary first; gives how many changes it holds. It is made once: what comes after the summary
    is kept in a file meanwhile."""
    tally, names, found = PlanTally(), partial(names_of, work.ledger), list[Conflict]()
    planner = Planner(work.context())
    with held(page) as details:
        print_changes(details, _finding(tally.passing(planner.plans(only)), found), names)
        print_conflicts(details, _tallied(conflicts_to_come(work.ledger, found), tally), names)
        for one in quarantine(work.ledger, planner):
            if one.parked and only in (None, one.refusal.ref.connection):
                tally.leaves(one.refusal.ref, one.refusal.field, Fate.HELD_BACK)
        print_plan_summary(page, tally)
    print_open(page, count_open(work.ledger))
    if tally.changes or tally.conflicts or tally.held_back:
        say(page, plan_words(tally), "bold")
    return tally.changes


def _finding(plans: Iterable[RecordPlan], found: list[Conflict]) -> Iterator[RecordPlan]:
    """The plans as they come; their conflicts are found."""
    for one in plans:
        found += one.conflicts
        yield one


def _tallied(conflicts: Iterable[FoundConflict], tally: PlanTally) -> Iterator[FoundConflict]:
    for one in conflicts:
        tally.leaves(one.conflict.ref, one.conflict.field, Fate.CONFLICT)
        yield one


def apply(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(help="A plan saved by `refloop plan -o FILE`.")],
    take_over: TakeOverOption = False,
    as_json: JsonOption = False,
) -> None:
    """Write exactly a saved plan; refuse it when the ledger or a record has moved since."""
    kept = "what was written is kept: make a new plan of the rest (`refloop plan -o FILE`), or run `refloop sync`"
    with stopping.kept(kept), working(context) as work:
        specs = {spec.name: spec for spec in work.policy.fields}
        saved = list(load_plan(file, work.ledger, specs))
        with progress_bars(err) as progress:
            report = work.runner(progress=progress).apply(saved, take_over=take_over)
        if as_json:
            print_json(report_json(report, summary(work.ledger)))
        else:
            print_counts(out, report)
            print_overwritten(out, overwritten_values(work.ledger))
            for name, error in report.problems:
                print_problem(err, name, error)
    if report.exit:
        raise typer.Exit(report.exit)


def _runs_that_wrote(ctx: typer.Context, incomplete: str) -> list[tuple[str, str]]:
    """Completes the number of a run, the newest first; nothing, where the ledger cannot be read."""
    try:
        config = read_config(ctx.find_root().params["config"])
        if not config.ledger.exists():
            return []
        with session(config) as work:
            found = list(runs_with_writes(work.ledger, Asked(MOST, wrote=True)))
    except (RefloopError, KeyError):
        return []
    return [
        (str(one.run.number), f"{one.run.command}, {format_time(one.run.started_at)}: {one.fields:,} fields")
        for one in found
        if str(one.run.number).startswith(incomplete)
    ]


def undo(
    context: typer.Context,
    run: Annotated[
        int,
        typer.Argument(
            min=1,
            help="The run whose writes to take back; see `refloop runs --wrote`.",
            autocompletion=_runs_that_wrote,
        ),
    ],
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be taken back, write nothing.")] = False,
    overwritten: Annotated[
        bool, typer.Option("--overwritten", help="Only put back what people wrote and the run wrote over.")
    ] = False,
) -> None:
    """Take back what a run wrote: every field that still holds it. Is itself a run that can be undone."""
    cut_short = f"what was taken back is kept; run `refloop undo {run}` again: it takes back the rest"
    with stopping.kept(cut_short), working(context) as work:
        known = run_numbered(work.ledger, run)
        specs = {spec.name: spec for spec in work.policy.fields}
        taken = list(undoing(work.ledger, run, specs, overwritten=overwritten))
        if not taken:
            stands = "nothing is left to take back" if known and known.wrote else "it wrote nothing"
            say(out, f"run {run}: {stands}")
            return
        tally = PlanTally()
        plans = (RecordPlan(ref, tuple(of)) for ref, of in groupby(taken, key=lambda change: change.ref))
        with paged() as page, held(page) as details:
            print_changes(details, tally.passing(plans), partial(names_of, work.ledger))
            print_plan_summary(page, tally)
        if dry_run:
            return
        if not yes:
            agreed("Take these back?")
        report = work.runner().undo(taken)
        print_counts(out, report)
        print_overwritten(out, overwritten_values(work.ledger))
        for name, error in report.problems:
            print_problem(err, name, error)
    if report.exit:
        raise typer.Exit(report.exit)
