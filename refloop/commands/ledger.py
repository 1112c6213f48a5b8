"""The commands that look after the ledger itself: verified, backed up, put back, rebuilt; and forgetting a person."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from refloop.commands.console import JsonOption, agreed, err, journalled, opened, out, print_json, working
from refloop.commands.stopping import stopping
from refloop.errors import LedgerError
from refloop.ledger import backups
from refloop.ledger.lease import holder_of, replace_holder
from refloop.ledger.rebuild import rebuild
from refloop.ledger.soundness import faults_of
from refloop.mapping.policy import Part
from refloop.report.as_json.lists import faults_json
from refloop.report.lines import say
from refloop.sync.forget import Person, UnknownPerson, forget, person_of
from refloop.sync.lock import locked_file
from refloop.sync.session import Session, read_config, utc_now

ledger_app = typer.Typer(no_args_is_help=True, help="Verify the ledger, back it up, put a backup back, rebuild it.")

YesOption = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]


@ledger_app.command()
def verify(context: typer.Context, as_json: JsonOption = False) -> None:
    """Look for damage: the file, what its rows name, and each record against its hash. Writes nothing to the ledger.

    A ledger that something else than refloop has saved is taken again once nothing is found.
    """
    with opened(context, doubted=True) as work:
        faults = list(faults_of(work.ledger))
        if not faults:
            work.ledger.was_checked(work.clock())
    if as_json:
        print_json(faults_json(str(work.ledger.path), faults))
    for fault in [] if as_json else faults:
        say(out, fault, "red")
    if faults:
        raise LedgerError(
            f"the ledger {work.ledger.path} is damaged",
            remedy="Run `refloop ledger restore`, or `refloop ledger rebuild` and then `refloop sync`.",
        )
    if not as_json:
        say(out, "the ledger is sound")


@ledger_app.command()
def backup(context: typer.Context) -> None:
    """Make a verified copy beside the ledger now. `refloop sync` makes one a day; the three newest are
    kept, and one of each of the four weeks before."""
    with working(context) as work:
        say(out, f"backed up to {backups.back_up(work.ledger, work.clock())}")


@ledger_app.command()
def restore(
    context: typer.Context,
    file: Annotated[Path | None, typer.Argument(help="The backup; by default the newest.")] = None,
    yes: YesOption = False,
) -> None:
    """Put a backup in the ledger's place, once it is verified. What was there is moved aside, never deleted."""
    path = read_config(context.obj).ledger
    chosen = backups.backup_to_restore(path, file, utc_now())
    if not yes:
        agreed(f"Put {chosen} in the place of {path}?")
    whole = "the ledger is the one that was there or the backup, never half of it: `refloop ledger verify`"
    with stopping.kept(whole), locked_file(path, utc_now):
        taken, aside = backups.restore(path, chosen, utc_now())
    say(out, f"{taken} is the ledger {path} now")
    if aside:
        say(out, f"what was there is {aside}")
    say(out, "Next: `refloop sync`. It finds out first what became of changes that were under way.")


@ledger_app.command("rebuild")
def rebuild_ledger(context: typer.Context, yes: YesOption = False) -> None:
    """Forget what the CRMs showed, so that the next sync pulls everything. Codes, referrals, decisions and receipts
    stay."""
    with working(context) as work:
        if not yes:
            agreed("Forget all records, and pull everything with the next sync?")
        with stopping.kept("run `refloop ledger rebuild` again"), journalled(work, "ledger rebuild") as run:
            by = work.context(run).provenance(Part.MATCH)
            forgotten = rebuild(work.ledger, work.config.connections, by)
    say(out, f"{forgotten:,} records forgotten. Next: `refloop sync`, which pulls everything again.")


def forget_person(
    context: typer.Context,
    person: Annotated[str, typer.Argument(help="An e-mail address, or a lead or contact (connection:kind:id).")],
    yes: YesOption = False,
) -> None:
    """Erase a person's e-mail, title and texts from the ledger and its backups, and keep them out from now on.

    Referrals, credits and totals stay. The CRMs are left alone.
    """
    with working(context) as work:
        found = _person(work, person)
        for ref in sorted(found.refs):
            say(out, f"{ref}")
        if not yes:
            known = f"{len(found.refs)} records, {found.submitted} submitted referrals"
            agreed(f"Erase this person ({known})? It cannot be taken back.")
        cut_short = "not all of the person may be erased, and backups may still hold them: run the same again"
        with stopping.kept(cut_short), journalled(work, "forget"):
            erased = forget(work.ledger, found, work.clock())
    for name, count in erased.counts.items():
        say(out, f"{name}: {count:,} erased")
    for path in erased.deleted:
        say(out, f"deleted {path}")
    say(out, f"a new backup is {erased.backup}")
    say(out, "Saved plans and exports may still name the person: delete them yourself.")


def _person(work: Session, name: str) -> Person:
    """Raises DataError for nobody, after the nearest address was told: it is a person's, and errors go into the log."""
    try:
        return person_of(work.context(), name)
    except UnknownPerson as unknown:
        if unknown.nearest:
            say(err, f"the nearest address is {unknown.nearest}")
        raise


def unlock(
    context: typer.Context,
    force: Annotated[bool, typer.Option("--force", help="Let the next run take over at once.")] = False,
) -> None:
    """Show who works on the ledger; with --force, replace a process that stands still: it writes nothing any more."""
    with opened(context) as work:
        holder = replace_holder(work.ledger, work.clock()) if force else holder_of(work.ledger)
    if holder is None or holder.expires_at is None:
        say(out, "nobody works on the ledger")
    else:
        say(out, f"{holder}")
    if holder and holder.expires_at and force:
        say(err, "it was replaced: the next run begins at once")
