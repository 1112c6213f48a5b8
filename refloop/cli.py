"""The command line: declares options, calls, prints. Decides nothing."""

from __future__ import annotations

import signal
import sqlite3
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

from refloop import __version__, log
from refloop.cli_intake import codes_app, referrals_app
from refloop.cli_ledger import forget_person, ledger_app, unlock
from refloop.config import write_template
from refloop.errors import DataError, Exit, RefloopError
from refloop.ledger.backups import back_up_daily
from refloop.ledger.book import translated
from refloop.ledger.undo import undoing
from refloop.model import Between, Change, Finding, Level, Ref
from refloop.report import figures, text
from refloop.report.progress import progress_bars
from refloop.sync.planfile import as_row, load_plan, save_plan
from refloop.sync.planner import Planner
from refloop.sync.run import CONNECTION_TROUBLE, Report, Task, gravity
from refloop.sync.session import Session
from refloop.terminal import JsonOption, err, opened, out, print_json, print_rows, working

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    help="Closes the referral loop inside your CRM: matches leads and deals to referral codes, writes outcomes back.",
)
app.add_typer(codes_app, name="codes")
app.add_typer(referrals_app, name="referrals")
app.add_typer(ledger_app, name="ledger")
app.command()(unlock)
app.command("forget")(forget_person)

OnlyOption = Annotated[
    str | None, typer.Option("--only", metavar="CONNECTION", help="Work on this one connection of the configuration.")
]


def _version(wanted: bool) -> None:
    if wanted:
        out.print(f"refloop {__version__}")
        raise typer.Exit


@app.callback()
def options(
    context: typer.Context,
    config: Annotated[
        Path, typer.Option("--config", "-c", envvar="REFLOOP_CONFIG", help="The configuration file.")
    ] = Path("config.yaml"),
    log_file: Annotated[
        Path | None,
        typer.Option(
            "--log", metavar="FILE", envvar="REFLOOP_LOG", help="Log into this file, a line of JSON an event."
        ),
    ] = None,
    log_level: Annotated[
        log.Level | None,
        typer.Option(
            metavar="LEVEL",
            envvar="REFLOOP_LOG_LEVEL",
            help="Log error, warning, info or debug; without --log to standard error. By default info with --log, "
            "else nothing.",
        ),
    ] = None,
    version: Annotated[  # noqa: ARG001 - its callback answers
        bool, typer.Option("--version", help="Print the version and exit.", is_eager=True, callback=_version)
    ] = False,
) -> None:
    context.obj = config
    log.start(log_level, log_file)


@app.command()
def init(
    path: Annotated[Path | None, typer.Argument(help="Where to write it; by default what --config names.")] = None,
    context: typer.Context = None,  # type: ignore[assignment]  # typer fills it in
) -> None:
    """Write a commented config.yaml to start from."""
    target = path or context.obj
    write_template(target)
    text.say(out, f"wrote {target}")
    text.say(out, f"Next: fill in your connections, then run `refloop --config {target} check`.")


@app.command()
def check(context: typer.Context, only: OnlyOption = None, as_json: JsonOption = False) -> None:
    """Look for what would keep refloop from working: one finding a line, with what to do. Writes nothing."""
    with opened(context) as work:
        finish(
            _each_connection(work, only, lambda crm: crm.check(work.policy.wants), as_json), "nothing to complain of"
        )


@app.command()
def provision(
    context: typer.Context,
    only: OnlyOption = None,
    remove: Annotated[
        bool, typer.Option("--remove", help="Remove what this command created, with the values in it.")
    ] = False,
    print_metadata: Annotated[
        bool, typer.Option("--print-metadata", help="Print what an administrator would deploy; change nothing.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask before removing.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Create refloop's fields in the CRMs. Safe to repeat: what is there already is left alone."""
    with opened(context) as work:
        fields = work.policy.fields
        if print_metadata:
            finish(_print_metadata(work, only), "")
        elif remove:
            if not yes:
                typer.confirm("Remove refloop's fields and all that stands in them?", abort=True)
            finish(_each_connection(work, only, lambda crm: crm.unprovision(fields), as_json), "done")
        else:
            finish(_each_connection(work, only, lambda crm: crm.provision(fields), as_json), "done")


def _print_metadata(work: Session, only: str | None) -> Exit:
    """Prints the metadata of the connections whose CRM can be deployed to; says which cannot."""
    printed = 0
    for name, connect in work.connections(only).items():
        describe = getattr(connect(), "metadata", None)
        if describe is None:
            text.say(err, f"{name} takes no metadata; use `refloop provision --only {name}`")
        else:
            print(describe(work.policy.fields), end="")  # noqa: T201 - this is the output
            printed += 1
    return Exit.OK if printed else Exit.CONFIG


def _each_connection(
    work: Session, only: str | None, ask: Callable[[Any], Iterable[Finding]], as_json: bool
) -> Exit | None:
    troubles: list[Exit] = []
    rows: list[dict[str, str]] = []
    for name, connect in work.connections(only).items():
        found: list[Finding] = []
        try:
            connector = connect()
            try:
                found = list(ask(connector))
            finally:
                connector.close()
        except CONNECTION_TROUBLE as error:
            troubles.append(error.exit)
            found.append(Finding(Level.ERROR, name, error.message, error.remedy))
        if as_json:
            rows += [{"connection": name, **_finding(finding)} for finding in found]
        else:
            text.findings(out, found)
        if any(finding.level is not Level.INFO for finding in found):
            troubles.append(Exit.ATTENTION)
    worst = max(troubles, key=gravity, default=None)
    if as_json:
        print_json(rows)
        return worst or Exit.OK
    return worst


def _finding(finding: Finding) -> dict[str, str]:
    return {
        "level": finding.level.value,
        "place": finding.place,
        "message": finding.message,
        "remedy": finding.remedy,
    }


def finish(code: Exit | None, words: str) -> None:
    """Ends a command: None means that all is well, and that a person wants to read so."""
    if code is None:
        text.say(out, words)
    elif code is not Exit.OK:
        raise typer.Exit(code)


@app.command()
def review(context: typer.Context, as_json: JsonOption = False) -> None:
    """List what refloop did not decide, and why: unknown, ambiguous or expired codes, and the like."""
    columns = ("connection", "kind", "id", "doubt", "field", "evidence", "candidates")
    with opened(context) as work:
        print_rows(figures.questions(work.ledger), columns, as_json, "nothing left for review")


MaxChangesOption = Annotated[
    int | None, typer.Option(min=1, help="Stop before writing anything if the plan holds more changes than this.")
]


@app.command()
def sync(
    context: typer.Context,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Pull and decide, show the plan, write nothing.")] = False,
    only: OnlyOption = None,
    max_changes: MaxChangesOption = None,
    allow_shrink: Annotated[
        bool, typer.Option("--allow-shrink", help="Believe a CRM that shows far fewer records than before a rebuild.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Pull what changed, match, and write outcomes back. What cron runs."""
    with working(context) as work:
        limit = max_changes or work.config.sync.max_changes
        command = "sync --dry-run" if dry_run else "sync"
        task = Task(command, push=not dry_run, max_changes=limit, allow_shrink=allow_shrink)
        _run(work, task, only, as_json)


@app.command()
def backfill(
    context: typer.Context,
    start: Annotated[datetime, typer.Option("--from", formats=["%Y-%m-%d"], help="The first day (UTC).")],
    end: Annotated[datetime, typer.Option("--to", formats=["%Y-%m-%d"], help="The last day (UTC), included.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the plan, write nothing.")] = False,
    only: OnlyOption = None,
    max_changes: MaxChangesOption = None,
    as_json: JsonOption = False,
) -> None:
    """Pull all records created or changed in a period again, whatever is known, and write outcomes back."""
    first = datetime.combine(start.date(), time(), UTC)
    last = datetime.combine(end.date() + timedelta(days=1), time(), UTC)
    if last <= first:
        raise typer.BadParameter("is before --from", param_hint="--to")
    with working(context) as work:
        limit = max_changes or work.config.sync.max_changes
        command = f"backfill {start:%Y-%m-%d} {end:%Y-%m-%d}"
        task = Task(command, push=not dry_run, span=Between(first, last), max_changes=limit)
        _run(work, task, only, as_json)


def _run(work: Session, task: Task, only: str | None, as_json: bool) -> None:
    minutes = work.config.sync.max_runtime
    task = replace(task, max_runtime=timedelta(minutes=minutes) if minutes else None)
    with progress_bars(err) as progress:
        report = work.runner(only=only, progress=progress).run(task)
    summary = figures.summary(work.ledger)
    if as_json:
        print_json(_report(report, summary))
    else:
        if not task.push:
            _show_plan(work, only)
        text.run_counts(out, report.counts)
        text.totals(out, summary)
        for name, error in report.problems:
            text.problem(err, name, error)
    if not report.problems:
        back_up_daily(work.ledger, work.clock())
    if report.exit:
        raise typer.Exit(report.exit)


def _report(report: Report, summary: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "run": report.run,
        "exit": int(report.exit),
        "connections": {name: dict(counts) for name, counts in report.counts.items() if name},
        "decided": dict(report.counts.get("", {})),
        "problems": [
            {"connection": name, "message": error.message, "remedy": error.remedy, "exit": int(error.exit)}
            for name, error in report.problems
        ],
        "summary": dict(summary),
    }


@app.command()
def plan(
    context: typer.Context,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Save the plan for `refloop apply`.")] = None,
    pull: Annotated[bool, typer.Option("--pull/--no-pull", help="Ask the CRMs first what is new.")] = True,
    only: OnlyOption = None,
    detailed_exitcode: Annotated[bool, typer.Option(help="Exit with 4 when there are changes.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Show every change that a sync would write: before, after, and why. Writes nothing to the CRMs."""
    with working(context) as work:
        with progress_bars(err) as progress:
            report = work.runner(only=only, progress=progress).run(Task("plan", pull=pull, push=False))
        if output is not None:
            planned = save_plan(output, work.ledger, _changes(work, only))
            text.say(out, f"saved {planned:,} changes to {output}; `refloop apply {output}` writes exactly these")
        elif as_json:
            rows = [as_row(change) for change in _changes(work, only)]
            print_json({"changes": rows, "conflicts": list(figures.conflicts(work.ledger))})
            planned = len(rows)
        else:
            planned = _show_plan(work, only)
        for name, error in report.problems:
            text.problem(err, name, error)
    if report.problems:
        raise typer.Exit(report.exit)
    if planned and detailed_exitcode:
        raise typer.Exit(Exit.CHANGES)


def _changes(work: Session, only: str | None) -> Iterator[Change]:
    return (change for item in Planner(work.ledger, work.policy).plans(only) for change in item.changes)


def _show_plan(work: Session, only: str | None) -> int:
    counts = text.changes(out, _changes(work, only))
    clashing = text.conflicts(
        out, figures.conflicts_to_come(work.ledger, Planner(work.ledger, work.policy).plans(only))
    )
    words = f"{counts['changes']:,} changes to {counts['records']:,} records, {clashing:,} conflicts"
    text.say(out, words if counts["changes"] or clashing else "nothing to change", "bold")
    return counts["changes"]


@app.command()
def apply(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(help="A plan saved by `refloop plan -o FILE`.")],
    as_json: JsonOption = False,
) -> None:
    """Write exactly a saved plan; refuse it when the ledger or a record has moved since."""
    with working(context) as work:
        specs = {spec.name: spec for spec in work.policy.fields}
        saved = list(load_plan(file, work.ledger, specs))
        with progress_bars(err) as progress:
            report = work.runner(progress=progress).apply(saved)
        if as_json:
            print_json(_report(report, figures.summary(work.ledger)))
        else:
            text.run_counts(out, report.counts)
            for name, error in report.problems:
                text.problem(err, name, error)
    if report.exit:
        raise typer.Exit(report.exit)


@app.command()
def undo(
    context: typer.Context,
    run: Annotated[int, typer.Argument(help="The run whose writes to take back; see `refloop runs`.")],
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be taken back, write nothing.")] = False,
) -> None:
    """Take back what a run wrote: every field that still holds it. Is itself a run that can be undone."""
    with working(context) as work:
        specs = {spec.name: spec for spec in work.policy.fields}
        taken = list(undoing(work.ledger, run, specs))
        counts = text.changes(out, taken)
        text.say(out, f"{counts['changes']:,} changes to {counts['records']:,} records", "bold")
        if dry_run or not taken:
            return
        if not yes and not typer.confirm("Take these back?"):
            raise typer.Exit(Exit.OK)
        report = work.runner().undo(taken)
        text.run_counts(out, report.counts)
        for name, error in report.problems:
            text.problem(err, name, error)
    if report.exit:
        raise typer.Exit(report.exit)


@app.command()
def status(context: typer.Context, as_json: JsonOption = False) -> None:
    """Show how things stand: age of each pull, referrals, what waits for a person, the last run."""
    with opened(context) as work:
        now = work.clock()
        told: dict[str, Any] = {
            "connections": figures.connections(work.ledger, now),
            "summary": figures.summary(work.ledger),
            "refused": figures.refused(work.ledger),
            "quota": figures.quota(work.ledger),
            "last_run": next(iter(figures.runs(work.ledger, 1)), None),
        }
        if as_json:
            print_json(told)
            return
        columns = ("connection", "pulled_at", "age_seconds", "leads", "contacts", "deals")
        for row in told["quota"]:
            text.say(
                out, "{connection}: {used:,} of {limit:,} calls a day used, {ours:,} by the last run".format(**row)
            )
        if not text.table(out, told["connections"], columns):
            text.say(out, "nothing pulled yet: run `refloop sync`")
        text.totals(out, told["summary"])
        if told["refused"]:
            text.table(out, told["refused"][:20], ("connection", "kind", "id", "field", "after", "reason"))


@app.command("runs")
def list_runs(
    context: typer.Context,
    limit: Annotated[int, typer.Option(min=1, help="How many, the newest first.")] = 20,
    as_json: JsonOption = False,
) -> None:
    """List past runs."""
    columns = ("run", "command", "started_at", "ended_at", "exit", "problems")
    with opened(context) as work:
        print_rows(figures.runs(work.ledger, limit), columns, as_json, "no runs yet")


@app.command()
def explain(
    context: typer.Context,
    ref: Annotated[str, typer.Argument(help="A record (connection:kind:id, or its id alone), or a referral (rf_...).")],
    as_json: JsonOption = False,
) -> None:
    """Tell the whole story of a record or referral: what was read, decided on what evidence, written, and when."""
    with opened(context) as work:
        referral = figures.explain_referral(work.ledger, ref)
        if referral is not None:
            print_json(referral) if as_json else text.referral_story(out, referral)
            return
        stories = [figures.explain_record(work.ledger, found) for found in _named(work, ref)]
        told = [story for story in stories if story is not None]
        if not told:
            raise DataError(f"the ledger knows no record or referral {ref!r}", remedy="See `refloop referrals list`.")
        if as_json:
            print_json(told)
        else:
            for story in told:
                text.story(out, story)


def _named(work: Session, ref: str) -> list[Ref]:
    try:
        return [Ref.parse(ref)]
    except ValueError:
        return figures.refs_with_id(work.ledger, ref)


DataOption = Annotated[
    Path | None, typer.Option("--data", metavar="DIR", help="Load your own CSV exports instead (docs/exports.md).")
]


@app.command()
def demo(data: DataOption = None) -> None:
    """Run the whole loop on a local Salesforce and HubSpot with a made-up company, and show it closed."""
    from refloop.demo import run_demo

    run_demo(out, err, data)


@app.command()
def sandbox(
    data: DataOption = None,
    salesforce_port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes a free one.")] = 8801,
    hubspot_port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes a free one.")] = 8802,
) -> None:
    """Serve the local Salesforce and HubSpot until stopped, for the CLI, the SDKs or curl."""
    from refloop.demo import serve

    serve(out, data, salesforce_port, hubspot_port)


def main() -> NoReturn:
    """The entry point: runs a command, and turns what it raises into a message and an exit code."""
    signal.signal(signal.SIGTERM, _terminated)
    try:
        app(prog_name="refloop")
    except KeyboardInterrupt:
        text.say(err, "refloop: stopped; what was done is kept, the next run goes on from there", "yellow")
        sys.exit(Exit.INTERRUPTED)
    except Exception as error:
        sys.exit(_told(error))
    finally:
        log.stop()
    sys.exit(Exit.OK)


def _told(error: Exception) -> Exit:
    """Says what ended a command. Of a bug, only where it is: its own words may quote a record."""
    if isinstance(error, ModuleNotFoundError) and error.name in ("starlette", "uvicorn", "lark"):
        text.say(err, 'refloop: the local CRMs need an extra: pip install "refloop[sandbox]"', "red")
        return Exit.USAGE
    if isinstance(error, sqlite3.DatabaseError):
        translation = translated(error, Path("(see `ledger:` in the configuration)"))
        error = translation if isinstance(translation, RefloopError) else error
    if isinstance(error, RefloopError):
        log.error("command failed", exit=int(error.exit), problem=error.message)
        text.say(err, f"refloop: {error}", "red")
        return error.exit
    frames = log.frames_of(error)
    log.error("bug", frames=frames)
    text.say(err, "refloop: a bug, please report it with these lines (they hold no data of yours):", "red")
    for frame in frames:
        text.say(err, f"  {frame}")
    return Exit.BUG


def _terminated(*_: object) -> NoReturn:
    sys.exit(Exit.TERMINATED)


if __name__ == "__main__":
    main()
