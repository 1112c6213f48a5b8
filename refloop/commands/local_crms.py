"""The local Salesforce and HubSpot as a person meets them: the demo, which closes the loop, or served until stopped."""

from __future__ import annotations

import csv
import json
import os
import secrets
import shutil
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from rich.console import Console

from refloop.errors import ConfigError, DataError, RefloopError
from refloop.ledger.reads.explain import record_story
from refloop.ledger.reads.spotlight import spotlight
from refloop.ledger.reads.summary import summary
from refloop.model import Level
from refloop.report.lines import print_findings, say
from refloop.report.progress import progress_bars
from refloop.report.text.run import print_before_after, print_counts, print_problem, print_summary
from refloop.sync.intake import CODE_COLUMNS, import_codes
from refloop.sync.run import Task
from refloop.sync.run_report import Report
from refloop.sync.session import Session, read_config, session, utc_now
from refloop.tables import STDIN, SUFFIXES, BadLine, open_table, standard_input
from refloop_sandbox.company import build
from refloop_sandbox.exports import CODE_FIELDS, Wishes, currency_of, load_exports
from refloop_sandbox.exports.files import DayOrder, ExportError, Faulty, Sheet
from refloop_sandbox.exports.loading import LoadReport
from refloop_sandbox.hubspot import LocalHubSpot
from refloop_sandbox.salesforce import LocalSalesforce
from refloop_sandbox.server import Server

CONFIG = """\
version: 1
connections:
  salesforce:
    connector: salesforce
    url: {salesforce}
    currency: {currency}
    code_fields: {salesforce_fields}
    auth:
      method: client_credentials
      client_id: {client_id}
      client_secret: env:REFLOOP_LOCAL_SALESFORCE_SECRET
  hubspot:
    connector: hubspot
    url: {hubspot}
    code_fields: {hubspot_fields}
    auth:
      method: service_key
      token: env:REFLOOP_LOCAL_HUBSPOT_TOKEN
"""


@dataclass(frozen=True)
class LocalCrms:
    """The two local CRMs, serving. `currency` is the org's; `codes` is a file that `codes import` reads, where there is
    one; `notes` is what is to be said about how they were filled."""

    salesforce: Server
    hubspot: Server
    currency: str
    codes: Path | None
    notes: tuple[str, ...]

    def config(self, client_id: str) -> str:
        return CONFIG.format(
            salesforce=self.salesforce.url,
            hubspot=self.hubspot.url,
            client_id=client_id,
            currency=self.currency,
            salesforce_fields=json.dumps(CODE_FIELDS["salesforce"]),
            hubspot_fields=json.dumps(CODE_FIELDS["hubspot"]),
        )


CLIENT_ID = "refloop-local"
_CURRENCY = "USD"
_NO_EXPORTS = ("codes", "referrals")
"""Tables that are no CRM's: they may lie beside the exports."""


@dataclass(frozen=True)
class Data:
    """What the local CRMs are filled with: nothing is the made-up company. `path` is a folder of tables, one table, or
    `-`, standard input; `order` that of dates in files that do not show it."""

    path: Path | None = None
    order: DayOrder | None = None


def own_data(path: Path | None, dates: str | None) -> Data:
    """What a person names on the command line."""
    return Data(path, DayOrder(dates) if dates else None)


@contextmanager
def local_crms(folder: Path, data: Data, err: Console, ports: tuple[int, int] = (0, 0)) -> Iterator[LocalCrms]:
    """Serves both CRMs, filled with the made-up company or with a person's exports.

    Their secrets are new each time and stand in the environment, where the configuration refers to them.
    """
    os.environ["REFLOOP_LOCAL_SALESFORCE_SECRET"] = secrets.token_urlsafe(16)
    os.environ["REFLOOP_LOCAL_HUBSPOT_TOKEN"] = f"pat-na1-{secrets.token_hex(16)}"
    own = _own_tables(data.path, folder) if data.path else None
    salesforce = LocalSalesforce(
        client_id=CLIENT_ID,
        client_secret=os.environ["REFLOOP_LOCAL_SALESFORCE_SECRET"],
        currency=own.currency if own else _CURRENCY,
    )
    hubspot = LocalHubSpot(token=os.environ["REFLOOP_LOCAL_HUBSPOT_TOKEN"])
    if own:
        with progress_bars(err) as progress, _as_refloop_says_it():
            notes = _notes(load_exports(own.sheets, salesforce, hubspot, Wishes(data.order, progress)))
        codes = own.codes
    else:
        codes, notes = _made_up(salesforce, hubspot, folder), ()
    with ExitStack() as stack:
        try:
            first = stack.enter_context(Server(salesforce.app, port=ports[0]))
            second = stack.enter_context(Server(hubspot.app, port=ports[1]))
        except OSError as error:
            raise ConfigError(
                f"cannot listen on 127.0.0.1: {error.strerror}", remedy="Choose other ports, or 0 for free ones."
            ) from error
        if own and codes is None:
            notes = (*notes, "there are no codes among them: without codes, nothing is found (`refloop codes --help`)")
        yield LocalCrms(first, second, own.currency if own else _CURRENCY, codes, notes)


def _made_up(salesforce: LocalSalesforce, hubspot: LocalHubSpot, folder: Path) -> Path:
    """Fills both with the made-up company; gives the file of its codes."""
    company = build(salesforce, hubspot, today=utc_now().date())
    codes = folder / "codes.csv"
    with codes.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, CODE_COLUMNS)
        writer.writeheader()
        writer.writerows(company.codes)
    return codes


@dataclass(frozen=True)
class _Own:
    """A person's own tables: what the local CRMs are filled with, their currency in Salesforce, and their codes."""

    sheets: list[Sheet]
    currency: str
    codes: Path | None


def _own_tables(path: Path, room: Path) -> _Own:
    tables = _tables(path, room)
    sheets = [sheet(name, file) for name, file in tables.items() if file.stem.casefold() not in _NO_EXPORTS]
    codes = next((file for file in tables.values() if file.stem.casefold() == "codes"), None)
    with _as_refloop_says_it():
        return _Own(sheets, currency_of(sheets) or _CURRENCY, codes)


@contextmanager
def _as_refloop_says_it() -> Iterator[None]:
    """What the local CRMs, which do not know refloop, say of a file that cannot be used, as refloop says it."""
    try:
        yield
    except ExportError as error:
        raise DataError(error.message, remedy=error.remedy) from error


def _tables(path: Path, room: Path) -> dict[str, Path]:
    """The tables of a folder, or the one that is named, by the name under which faults tell of them. What comes by
    standard input is kept in `room`, as tables are read twice."""
    if path == STDIN:
        kept = room / "standard-input"
        with kept.open("wb") as file:
            shutil.copyfileobj(standard_input(), file)
        return {"standard input": kept}
    if path.is_file():
        return {path.name: path}
    if not path.is_dir():
        raise DataError(f"{path} is not a folder", remedy="Name the folder that holds the tables, or one table.")
    found = {file.name: file for file in sorted(path.iterdir()) if file.suffix.lower() in SUFFIXES}
    if not found:
        raise DataError(f"{path} holds no table", remedy=f"A table's name ends with {', '.join(SUFFIXES)}.")
    return found


def sheet(name: str, path: Path) -> Sheet:
    """A table as the local CRMs take it. Raises DataError, now or while it is read."""

    def read() -> Iterator[tuple[int, Mapping[str, str]] | Faulty]:
        with open_table(path) as table:
            for line in table:
                yield Faulty(line.number, line.why) if isinstance(line, BadLine) else (line.number, line.cells)

    with open_table(path) as table:
        if table.is_json:  # an object names its columns itself, and may leave out those of others
            for _ in table:
                pass
        return Sheet(name, dict(table.labels), read, frozenset(table.twice))


def _notes(report: LoadReport) -> tuple[str, ...]:
    loaded = ", ".join(f"{count:,} {kind} into {crm}" for (kind, crm), count in sorted(report.loaded.items()))
    unsaid = report.bad_rows - len(report.faults)
    return (
        f"loaded {loaded or 'nothing'}",
        *(f"{file}: columns not used: {', '.join(names)}" for file, names in sorted(report.ignored.items())),
        *(f"{file}: left out: nothing tells that it holds leads, contacts, deals or links" for file in report.strange),
        *(f"{note} ({count:,} times)" for note, count in sorted(report.notes.items())),
        *report.faults,
        *([f"and {unsaid:,} more bad rows"] if unsaid else []),
    )


def run_demo(out: Console, err: Console, data: Data) -> None:
    """Serves, provisions, syncs twice, and shows what came of it."""
    with tempfile.TemporaryDirectory(prefix="refloop-demo-") as name:
        folder = Path(name)
        title = partial(say, out, style="bold")
        with local_crms(folder, data, err) as crms:
            title(f"A local Salesforce at {crms.salesforce.url} and a local HubSpot at {crms.hubspot.url}")
            for note in crms.notes:
                say(out, note)
            config = folder / "config.yaml"
            config.write_text(crms.config(CLIENT_ID), encoding="utf-8")
            with session(read_config(config)) as work:
                _prepare(out, work, crms)
                title("\nrefloop sync")
                first = _sync(out, err, work)
                _show(out, work, first)
                title("\nThe summary")
                print_summary(out, summary(work.ledger))
                title("\nrefloop sync, a second time")
                second = _sync(out, err, work)
                _judge(out, second)


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
    found = spotlight(work.ledger)
    if found is None:
        return
    for title, ref in (
        (f"The {found.buyer.kind} that came with a code", found.buyer),
        ("The deal", found.deal),
        ("The referrer's own contact", found.referrer),
    ):
        story = record_story(work.ledger, ref)
        if story is not None:
            say(out, f"\n{title}: {story.record.title or ''} ({ref})", "bold")
            print_before_after(out, [change for change in story.written if change.run == report.run])


def _judge(out: Console, second: Report) -> None:
    written = sum(counts["written"] for counts in second.counts.values())
    if written or second.problems:
        raise RefloopError(f"the second sync wrote {written} fields and met {len(second.problems)} problems")
    say(out, "Nothing written: the CRMs say what the ledger says. The loop is closed.", "green")


def serve(out: Console, err: Console, data: Data, ports: tuple[int, int]) -> None:
    """Serves both CRMs until Ctrl-C, and says how to reach them."""
    with tempfile.TemporaryDirectory(prefix="refloop-sandbox-") as name:
        folder = Path(name)
        with local_crms(folder, data, err, ports) as crms:
            config = folder / "config.yaml"
            config.write_text(crms.config(CLIENT_ID), encoding="utf-8")
            try:
                for line in (*crms.notes, *_how_to_reach(crms, config, os.environ)):
                    say(out, line)
                threading.Event().wait()
            except KeyboardInterrupt:
                say(out, "stopped")


def _how_to_reach(crms: LocalCrms, config: Path, environment: Mapping[str, str]) -> list[str]:
    secret, token = environment["REFLOOP_LOCAL_SALESFORCE_SECRET"], environment["REFLOOP_LOCAL_HUBSPOT_TOKEN"]
    codes = [f"  refloop -c {config} codes import {crms.codes}"] if crms.codes else []
    return [
        f"Salesforce  {crms.salesforce.url}",
        f"HubSpot     {crms.hubspot.url}",
        "",
        "In another terminal:",
        f"  export REFLOOP_LOCAL_SALESFORCE_SECRET={secret} REFLOOP_LOCAL_HUBSPOT_TOKEN={token}",
        f"  refloop -c {config} check",
        f"  refloop -c {config} provision",
        *codes,
        f"  refloop -c {config} sync",
        "",
        f"  curl -H 'Authorization: Bearer {token}' {crms.hubspot.url}/crm/v3/objects/contacts?limit=1",
        f"  curl -d grant_type=client_credentials -d client_id={CLIENT_ID} -d client_secret={secret} "
        f"{crms.salesforce.url}/services/oauth2/token",
        "",
        "Ctrl-C stops both; nothing is kept.",
    ]
