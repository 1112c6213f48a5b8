"""The commands by which codes and referrals come in and are looked at."""

from __future__ import annotations

import csv
import json
import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Annotated, TextIO

import typer

from refloop.commands.console import (
    CsvOption,
    JsonOption,
    err,
    journalled,
    one_format,
    opened,
    out,
    print_json,
    print_listing,
    working,
)
from refloop.commands.options import StatusOption
from refloop.commands.stopping import stopping
from refloop.errors import DataError, DiskError, Exit
from refloop.ledger.reads.codes import IssuedCode, issued_codes
from refloop.ledger.reads.referrals import standings
from refloop.report.as_json.lists import code_json, intake_json
from refloop.report.lines import say
from refloop.report.listings import CODES, REFERRALS
from refloop.report.progress import progress_bars
from refloop.sync import intake
from refloop.tables import protected

codes_app = typer.Typer(no_args_is_help=True, help="The codes that referrers hand out.")
referrals_app = typer.Typer(no_args_is_help=True, help="Referrals: found on records, or submitted by a person.")

CODES_HELP = f"{', '.join(intake.CODE_COLUMNS)}; of Salesforce's own codes {', '.join(intake.ADVOCATE_COLUMNS)}"
REFERRALS_HELP = ", ".join(intake.REFERRAL_COLUMNS)

_KEPT = "the rows up to the last thousand are kept: import the file again, nothing is added twice"

DayOption = Annotated[datetime | None, typer.Option(formats=["%Y-%m-%d"], metavar="YYYY-MM-DD")]


@codes_app.command("import")
def codes_import(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(help=f"CSV or JSON, or - for standard input; columns: {CODES_HELP}.")],
    as_json: JsonOption = False,
) -> None:
    """Import codes with their referrers. Bad rows are named, the good ones kept, nothing is added twice.

    What a known code has no column for stays as it is; an empty cell under valid_from or valid_to takes the date away.
    """
    with stopping.kept(_KEPT), working(context) as work, progress_bars(err) as progress:
        done = intake.import_codes(work.ledger, file, work.clock(), progress)
    _imported(done, "codes", as_json)


@codes_app.command("add")
def codes_add(
    context: typer.Context,
    code: Annotated[str, typer.Argument(help="The code as it is handed out.")],
    referrer: Annotated[str, typer.Option(help="The referrer's id: your own name for them.")],
    name: Annotated[str, typer.Option(help="The referrer's name, as the CRM should show it.")] = "",
    email: Annotated[str, typer.Option(help="The referrer's e-mail: how their own contact is found.")] = "",
    program: Annotated[
        str, typer.Option(help=f"The program the code belongs to; {intake.DEFAULT_PROGRAM!r} for a new one.")
    ] = "",
    valid_from: DayOption = None,
    valid_to: DayOption = None,
) -> None:
    """Add one code, or change a known one: what is not said stays."""
    days = {"valid_from": valid_from, "valid_to": valid_to}
    row = {
        "code": code.strip(),
        "referrer": referrer.strip(),
        "referrer_name": name.strip(),
        "referrer_email": email.strip(),
        "program": program.strip(),
        **{column: day.date().isoformat() for column, day in days.items() if day},
    }
    with working(context) as work, bad_row(), intake.codes_changing(work.ledger) as done, work.ledger.writing():
        kept = intake.enrol(work.ledger, intake.enrolment(row), work.clock())
        done.counts[kept] += 1
    say(out, f"code {code}: {kept}")


@codes_app.command("list")
def codes_list(context: typer.Context, as_json: JsonOption = False, as_csv: CsvOption = False) -> None:
    """List the codes."""
    one_format(as_json, as_csv)
    with opened(context) as work:
        print_listing(CODES, issued_codes(work.ledger), as_json, as_csv)


@codes_app.command("export")
def codes_export(
    context: typer.Context,
    file: Annotated[Path | None, typer.Argument(help="Where to; by default standard output.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Export the codes as CSV (or JSON) that `codes import` reads."""
    with opened(context) as work:
        codes = issued_codes(work.ledger)
        if file is None:
            _write_codes(sys.stdout, codes, as_json)
            return
        try:
            with open(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as handle:  # noqa: PTH123 - Path cannot create privately
                _write_codes(handle, codes, as_json)
        except FileExistsError:
            raise DataError(f"{file} is there already", remedy="Name another file.") from None
        except OSError as error:
            raise DiskError(
                f"cannot write {file}: {error.strerror}", remedy="Name a file that you may write."
            ) from error


def _write_codes(file: TextIO, codes: Iterable[IssuedCode], as_json: bool) -> None:
    rows = map(code_json, codes)
    if as_json:
        file.write(json.dumps(list(rows), ensure_ascii=False, indent=2) + "\n")
        return
    writer = csv.DictWriter(file, intake.CODE_COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows({name: protected(value) for name, value in row.items()} for row in rows)


@referrals_app.command("import")
def referrals_import(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(help=f"CSV or JSON, or - for standard input; columns: {REFERRALS_HELP}.")],
    as_json: JsonOption = False,
) -> None:
    """Import referrals that people submitted. Bad rows are named, the good ones kept, nothing is added twice."""
    with stopping.kept(_KEPT), working(context) as work, journalled(work, "referrals import") as run:
        with progress_bars(err) as progress:
            done = intake.import_referrals(work.context(run), file, progress)
        _imported(done, "referrals", as_json)


@referrals_app.command("add")
def referrals_add(
    context: typer.Context,
    code: Annotated[str, typer.Argument(help="The referrer's code.")],
    email: Annotated[str, typer.Argument(help="The e-mail of the person referred.")],
    on: Annotated[datetime | None, typer.Option("--date", formats=["%Y-%m-%d"], help="When; by default today.")] = None,
    note: Annotated[str, typer.Option(help="Anything worth knowing.")] = "",
) -> None:
    """Submit one referral: this person came with this code."""
    row = {"code": code.strip(), "email": email, "date": on.date().isoformat() if on else "", "note": note.strip()}
    with working(context) as work, journalled(work, "referrals add") as run, bad_row(), work.ledger.writing():
        known = work.context(run)
        kept = intake.submit(known, intake.claim(row, known.today))
    say(out, f"referral: {kept}; the next sync writes it to the CRM")


@referrals_app.command("list")
def referrals_list(
    context: typer.Context,
    status: StatusOption = None,
    referrer: Annotated[str | None, typer.Option(help="Only those of this referrer.")] = None,
    as_json: JsonOption = False,
    as_csv: CsvOption = False,
) -> None:
    """List referrals and where they stand."""
    one_format(as_json, as_csv)
    with opened(context) as work:
        print_listing(REFERRALS, standings(work.ledger, status, referrer), as_json, as_csv)


def _imported(done: intake.Intake, what: str, as_json: bool) -> None:
    lines = done.lines()
    if as_json:
        print_json(intake_json(done.counts, lines, done.left_out))
    else:
        counts = ", ".join(f"{count:,} {word}" for word, count in sorted(done.counts.items())) or "none"
        say(out, f"{what}: {counts}")
        if done.left_out:
            say(err, f"columns left out: {', '.join(done.left_out)}")
        for line in lines:
            say(err, line, "yellow")
    if lines:
        raise typer.Exit(Exit.DATA)


@contextmanager
def bad_row() -> Iterator[None]:
    """Raises DataError for a row that a person gave and that is no good."""
    try:
        yield
    except intake.BadRow as fault:
        raise DataError(str(fault)) from None
