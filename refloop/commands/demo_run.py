"""What is done with the local CRMs: the demo, which shows the whole loop, and serving them until stopped."""

from __future__ import annotations

import itertools
import shlex
import signal
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from rich.console import Console

from refloop.commands.crm_folder import CLIENT_ID, SandboxFolder
from refloop.commands.local_crms import Data, LocalCrms, local_crms, throw_away
from refloop.errors import ConfigError, Exit, RefloopError
from refloop.ledger.reads.connections import pulled_by_connection
from refloop.ledger.reads.explain import record_story
from refloop.ledger.reads.spotlight import spotlight
from refloop.ledger.reads.summary import Summary, summary
from refloop.model import Level
from refloop.report.lines import say
from refloop.report.progress import progress_bars
from refloop.report.text.findings import print_findings
from refloop.report.text.run import print_before_after, print_counts, print_problem, print_summary
from refloop.sync.intake import import_codes
from refloop.sync.run import Task
from refloop.sync.run_report import Report
from refloop.sync.session import Session, read_config, session


@contextmanager
def _folder(keep: Path | None) -> Iterator[SandboxFolder]:
    """A folder that is thrown away, or an empty one that is kept. Raises ConfigError for one with something in it."""
    if keep is None:
        with tempfile.TemporaryDirectory(prefix="refloop-demo-") as name:
            yield SandboxFolder(Path(name))
        return
    if keep.exists() and not (keep.is_dir() and next(keep.iterdir(), None) is None):
        raise ConfigError(f"{keep} is there already", remedy="Name a folder that is empty, or is not there yet.")
    yield SandboxFolder(keep.absolute()).made()


def run_demo(out: Console, err: Console, data: Data, keep: Path | None = None) -> None:
    """Serves, provisions, syncs twice, and shows what came of it; keeps all of that in a folder where one is named."""
    title = partial(say, out, style="bold")
    with _folder(keep) as folder, local_crms(folder, data, err) as crms:
        title(f"A local Salesforce at {crms.addresses.salesforce} and a local HubSpot at {crms.addresses.hubspot}")
        for note in crms.notes:
            say(out, note)
        with session(read_config(folder.config)) as work:
            _prepare(out, work, crms)
            title("\nrefloop sync")
            first = _sync(out, err, work)
            _show(out, work, first)
            title("\nThe summary")
            found = summary(work.ledger)
            print_summary(out, found)
            title("\nrefloop sync, a second time")
            second = _sync(out, err, work)
            _judge(out, second, _why_nothing(work, crms, found))
        if keep:
            crms.keep()
            for line in _how_to_go_on(folder):
                say(out, line, to_copy=True)


def _how_to_go_on(folder: SandboxFolder) -> list[str]:
    refloop = shlex.join(["refloop", "-c", str(folder.config)])
    return [
        "",
        f"Kept in {folder.path}: the configuration, the ledger, and what both CRMs hold.",
        f"  {refloop} referrals list",
        f"  {refloop} explain RECORD",
        "What asks the CRMs needs them served, in another terminal:",
        f"  {shlex.join(['refloop', 'sandbox', '--dir', str(folder.path)])}",
        f"  {refloop} plan",
    ]


def _prepare(out: Console, work: Session, crms: LocalCrms) -> None:
    created = 0
    for connect in work.connections().values():
        connector = connect()
        try:
            found = list(connector.provision(work.policy.fields))
        finally:
            connector.close()
        print_findings(out, (finding for finding in found if finding.level is not Level.INFO))
        created += len(found)
    say(out, f"refloop provision: {created} fields, groups and permissions made sure of")
    if crms.codes is not None:
        done = import_codes(work.ledger, crms.codes, work.clock())
        say(out, f"refloop codes import: {done.counts['new']} codes")
        for line in done.lines():
            say(out, line, "yellow")


def _sync(out: Console, err: Console, work: Session) -> Report:
    started = time.monotonic()
    with progress_bars(err) as progress:
        report = work.runner(progress=progress).run(Task("sync"))
    print_counts(out, report)
    for name, error in report.problems:
        print_problem(out, name, error)
    say(out, f"in {time.monotonic() - started:.1f} s")
    return report


def _show(out: Console, work: Session, report: Report) -> None:
    """Shows what a run wrote to the records of one referral: one that was won, as far as there is one."""
    for title, ref in spotlight(work.ledger):
        story = record_story(work.ledger, ref)
        if story is not None:
            say(out, f"\n{title}: {story.record.title or ''} ({ref})", "bold")
            print_before_after(out, [change for change in story.written if change.run == report.run])


def _why_nothing(work: Session, crms: LocalCrms, found: Summary) -> str | None:
    """What to say where no referral came out of the data, and what it would need; None where one did."""
    if found.referrals:
        return None
    records = sum(one.leads + one.contacts + one.deals for one in pulled_by_connection(work.ledger))
    if not records:
        return "No record was loaded, so nothing could be found. docs/exports.md says what a table has to hold."
    if crms.codes is None:
        return (
            f"{records:,} records, and no codes: nothing could be found. Put a codes.csv (code, referrer, "
            "referrer_email) beside your tables."
        )
    fields = "; ".join(
        f"{connection} {kind}: {', '.join(names)}"
        for connection, kinds in crms.addresses.code_fields.items()
        for kind, names in kinds.items()
    )
    return (
        f"No referral: on none of {records:,} records was a code of {crms.codes.name} found that counts. Codes are "
        f"looked for in {fields}. Those are filled from the columns code_text and first_page_url, or what the CRMs "
        "call them (docs/exports.md); what only looks like a code, or is of another time, is left for review."
    )


def _judge(out: Console, second: Report, why_nothing: str | None) -> None:
    written = sum(counts["written"] for counts in second.counts.values())
    if written or second.problems:
        raise RefloopError(f"the second sync wrote {written} fields and met {len(second.problems)} problems")
    if why_nothing:
        say(out, why_nothing, "yellow")
        return
    say(out, "Nothing written: the CRMs say what the ledger says. The loop is closed.", "green")


# -- served until stopped

_LOOK = 0.25
"""Seconds between two looks at whether somebody stopped it."""

_KEEP = 20
"""Looks between two at whether there is something new to keep."""


def serve(out: Console, err: Console, data: Data, folder: SandboxFolder, *, ports: tuple[int, int], new: bool) -> None:
    """Serves both CRMs until stopped, says how to reach them, and keeps in their folder what they hold."""
    folder.made()
    for name in throw_away(folder.path) if new else ():
        say(out, f"removed {folder.path / name}")
    with local_crms(folder, data, err, ports) as crms, _told_to_stop() as told:
        for line in (*crms.notes, *_how_to_reach(crms)):
            say(out, line, to_copy=True)
        _keep_until(told, crms)
    if signal.SIGTERM in told:
        raise SystemExit(Exit.TERMINATED)
    say(out, "stopped")


@contextmanager
def _told_to_stop() -> Iterator[list[int]]:
    """Gives the signals that came to end the program: they are noted, so that none cuts a file that is being kept."""
    told: list[int] = []
    before = {number: signal.signal(number, lambda one, _: told.append(one)) for number in _STOPS}
    try:
        yield told
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


_STOPS = (signal.SIGINT, signal.SIGTERM)


def _keep_until(told: Sequence[int], crms: LocalCrms) -> None:
    """Keeps what the CRMs hold as it changes, so that what a kill loses is seconds, and at the end."""
    seen = -1
    for look in itertools.count():
        if told or (look % _KEEP == 0 and crms.calls() != seen):
            seen = crms.calls()
            crms.keep()
        if told:
            return
        time.sleep(_LOOK)


def _how_to_reach(crms: LocalCrms) -> list[str]:
    folder, held = crms.folder, crms.folder.credentials()
    refloop = shlex.join(["refloop", "-c", str(folder.config)])
    codes = [f"  {refloop} codes import {shlex.quote(str(crms.codes))}"] if crms.codes else []
    address = crms.addresses
    return [
        f"Salesforce  {address.salesforce}   client id {CLIENT_ID}, client secret {held.salesforce_secret}",
        f"HubSpot     {address.hubspot}   token {held.hubspot_token}",
        "",
        f"A config.yaml that works (it stands in {folder.config}; a copy of your own: `refloop init --sandbox`):",
        "",
        *crms.config_text.splitlines(),
        "",
        "In another terminal:",
        f"  {refloop} check",
        f"  {refloop} provision",
        *codes,
        f"  {refloop} sync",
        "",
        f"  curl -H 'Authorization: Bearer {held.hubspot_token}' {address.hubspot}/crm/v3/objects/contacts?limit=1",
        f"  curl -d grant_type=client_credentials -d client_id={CLIENT_ID} -d client_secret={held.salesforce_secret} "
        f"{address.salesforce}/services/oauth2/token",
        "",
        f"Ctrl-C stops both. What they hold is kept in {folder.path}; `refloop sandbox --new` begins anew.",
    ]
