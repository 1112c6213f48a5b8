"""The commands that come before the first sync: a configuration, what is wrong with it, our fields in the CRMs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Annotated, Any

import typer

from refloop.commands.console import JsonOption, OnlyOption, agreed, err, opened, out, print_json
from refloop.connectors.base import Metadata, Words, answers_of
from refloop.errors import Exit, OtherAccount, TryLater
from refloop.ledger.reads.referrers import referrers_without_contact
from refloop.mapping.readings import readings
from refloop.model import Finding, Level
from refloop.report.as_json.lists import finding_json
from refloop.report.as_json.values import Json
from refloop.report.health import referrer_findings
from refloop.report.lines import say
from refloop.report.text.findings import print_check, print_findings, print_grouped
from refloop.sync.account import refuse_other_account
from refloop.sync.describe import learn_labels
from refloop.sync.lock import alone
from refloop.sync.run import CONNECTION_TROUBLE
from refloop.sync.run_report import severity
from refloop.sync.session import Session

AllOption = Annotated[bool, typer.Option("--all", help="Print one finding a line, also what is only told.")]


def check(
    context: typer.Context, only: OnlyOption = None, everything: AllOption = False, as_json: JsonOption = False
) -> None:
    """Look for what would keep refloop from working, and say what to do. Writes nothing.

    A connection that needs nothing is one line.
    """
    shown = _Shown(as_json, everything, "refloop check --all")
    with opened(context) as work:
        found = referrer_findings(referrers_without_contact(work.ledger))
        finish(_each_connection(work, only, lambda name, crm: _checked(work, name, crm), shown, beside=found), "")


def _checked(work: Session, name: str, crm: Any) -> Iterable[Finding]:
    """What is wrong, and how the account's own words are read."""
    yield from crm.check(work.policy.fields)
    if isinstance(crm, Words):
        yield from readings(name, crm.words(), work.policy)


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
    dry_run: Annotated[bool, typer.Option("--dry-run", help="With --remove: show what would go, and stop.")] = False,
    everything: AllOption = False,
    as_json: JsonOption = False,
) -> None:
    """Create refloop's fields in the CRMs. Safe to repeat: what is there already is left alone."""
    if dry_run and not remove:
        raise typer.BadParameter("goes with --remove; `refloop check` tells what provision would create")
    shown = _Shown(as_json, everything)
    with opened(context) as work:
        if print_metadata:
            finish(_print_metadata(work, only), "")
        elif remove:
            if dry_run or not yes:
                preview = _each_connection(work, only, lambda _, crm: _unprovision(work, crm, preview=True), shown)
            if dry_run:
                finish(preview, "nothing was removed")
                return
            if not yes:
                agreed("Remove this for good?")
            finish(_each_connection(work, only, lambda _, crm: _unprovision(work, crm), shown), "done")
        else:
            finish(_each_connection(work, only, lambda name, crm: _provision(work, name, crm), shown), "done")


def _provision(work: Session, name: str, crm: Any) -> Iterable[Finding]:
    """Creates the fields; what waited for one of them is planned with the next sync. While another run works, that one
    finds out by itself."""
    yield from crm.provision(work.policy.fields)
    with suppress(TryLater), alone(work.ledger, work.clock):
        learn_labels(work.context(), name, crm, afresh=True)


def _unprovision(work: Session, crm: Any, *, preview: bool = False) -> Iterable[Finding]:
    found: Iterable[Finding] = crm.unprovision(work.policy.fields, preview=preview)
    return found


def _print_metadata(work: Session, only: str | None) -> Exit:
    """Prints the metadata of the connections whose CRM can be deployed to; says which cannot."""
    printed = 0
    for name, connect in work.connections(only).items():
        connector = connect()
        if isinstance(connector, Metadata):
            print(connector.metadata(work.policy.fields), end="")  # noqa: T201 - this is the output
            printed += 1
        else:
            say(err, f"{name} takes no metadata; use `refloop provision --only {name}`")
    return Exit.OK if printed else Exit.CONFIG


@dataclass(frozen=True)
class _Shown:
    """How findings are shown: as JSON, or as text with each of them on a line (`everything`), or what is alike
    together. `command` shows everything, where what is only told is counted otherwise."""

    as_json: bool
    everything: bool
    command: str = ""


def _each_connection(
    work: Session,
    only: str | None,
    ask: Callable[[str, Any], Iterable[Finding]],
    shown: _Shown,
    *,
    beside: Sequence[Finding] = (),
) -> Exit | None:
    """Prints what each connection finds, and `beside` what was found in none of them."""
    troubles: list[Exit] = []
    rows: list[Json] = []
    for name, connect in work.connections(only).items():
        found: list[Finding] = []
        try:
            connector = connect()
            try:
                refuse_other_account(work.context(), name, connector)
                found = list(answers_of(name, lambda: iter(ask(name, connector))))  # noqa: B023 - called at once
            finally:
                connector.close()
        except (*CONNECTION_TROUBLE, OtherAccount) as error:
            troubles.append(error.exit)
            found.append(Finding(Level.ERROR, name, error.message, error.remedy))
        found = [replace(one, message=one.message.removeprefix(f"{name}: ")) for one in found]
        rows += [finding_json(name, finding) for finding in found]
        _print(name, found, shown)
        if any(finding.level is not Level.INFO for finding in found):
            troubles.append(Exit.ATTENTION)
    rows += [finding_json("", finding) for finding in beside]
    _print("", beside, shown)
    worst = max(troubles, key=severity, default=None)
    if shown.as_json:
        print_json(rows)
        return worst or Exit.OK
    return worst


def _print(connection: str, found: Sequence[Finding], shown: _Shown) -> None:
    """Prints what one connection found, or none in particular ("")."""
    if shown.as_json:
        return
    if shown.everything:
        print_findings(out, found)
    elif connection and shown.command:
        print_check(out, connection, found, shown.command)
    else:
        print_grouped(out, found)


def finish(code: Exit | None, words: str) -> None:
    """Ends a command: None means that all is well, and that a person wants to read so."""
    if code is None:
        if words:
            say(out, words)
    elif code is not Exit.OK:
        raise typer.Exit(code)
