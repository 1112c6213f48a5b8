"""The local Salesforce and HubSpot as a person meets them: filled with a company, served, kept between starts."""

from __future__ import annotations

import csv
import secrets
import shutil
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from refloop.commands.crm_folder import CLIENT_ID, Addresses, Credentials, SandboxFolder
from refloop.errors import ConfigError, DataError, DiskError
from refloop.report.progress import progress_bars
from refloop.sync.intake import CODE_COLUMNS
from refloop.sync.session import utc_now
from refloop.tables import STDIN, SUFFIXES, BadLine, open_table, standard_input
from refloop_sandbox.company import build
from refloop_sandbox.exports import CODE_FIELDS, Wishes, currency_of, load_exports
from refloop_sandbox.exports.files import DayOrder, ExportError, Faulty, Sheet
from refloop_sandbox.exports.loading import LoadReport
from refloop_sandbox.hubspot import LocalHubSpot
from refloop_sandbox.salesforce import LocalSalesforce
from refloop_sandbox.server import Server


@dataclass(frozen=True)
class _Filled:
    """Both CRMs with what is in them. `codes` is a file that `codes import` reads, where there is one; `notes` tell how
    they were filled."""

    salesforce: LocalSalesforce
    hubspot: LocalHubSpot
    codes: Path | None
    notes: tuple[str, ...]

    @property
    def currency(self) -> str:
        return self.salesforce.currency


@dataclass(frozen=True)
class LocalCrms:
    """The two local CRMs, serving. `config_text` is a config.yaml that reaches them, as the one in `folder` does."""

    filled: _Filled
    addresses: Addresses
    folder: SandboxFolder
    config_text: str

    @property
    def codes(self) -> Path | None:
        return self.filled.codes

    @property
    def notes(self) -> tuple[str, ...]:
        return self.filled.notes

    def keep(self) -> None:
        """Keeps in the folder what both hold now. Raises DiskError where the disk refuses."""
        salesforce, hubspot = (self.folder.path / name for name in _STATES)
        try:
            self.filled.salesforce.keep(salesforce)
            self.filled.hubspot.keep(hubspot)
        except OSError as error:
            raise DiskError(
                f"cannot keep what the local CRMs hold: {error.strerror}", remedy="Name another folder: `--dir DIR`."
            ) from None

    def calls(self) -> int:
        """How many calls both have met: it moves when what they hold may have moved."""
        return self.filled.salesforce.calls.total() + self.filled.hubspot.calls.total()


_STATES = ("salesforce.db", "hubspot.db")
"""What the CRMs hold, between two starts."""

_MOST_ACCOUNTS = 1_000_000
"""Each company that the CRMs are filled with is an account of its own, so that no ledger takes it for another one."""

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
def local_crms(folder: SandboxFolder, data: Data, err: Console, ports: tuple[int, int] = (0, 0)) -> Iterator[LocalCrms]:
    """Serves both CRMs with the credentials of their folder: as they were kept there, else filled with the made-up
    company or with a person's exports.

    Raises ConfigError where a folder with kept CRMs is to be filled with something else, or a port is taken.
    """
    held = folder.credentials()
    kept = kept_crms(folder.path)
    if kept and data.path:
        raise ConfigError(
            f"{folder.path} keeps what the local CRMs held before",
            remedy="Say --new to throw that away, or name another folder: `--dir DIR`.",
        )
    with ExitStack() as stack:
        filled = _reopened(folder, held) if kept else _filled(folder, data, held, err)
        stack.callback(filled.salesforce.close)
        try:
            first = stack.enter_context(Server(filled.salesforce.app, port=ports[0]))
            second = stack.enter_context(Server(filled.hubspot.app, port=ports[1]))
        except OSError as error:
            raise ConfigError(
                f"cannot listen on 127.0.0.1: {error.strerror}", remedy="Choose other ports, or 0 for free ones."
            ) from error
        addresses = Addresses(first.url, second.url, filled.currency, CODE_FIELDS)
        yield LocalCrms(filled, addresses, folder, folder.write_config(held, addresses))


def kept_crms(folder: Path) -> bool:
    """Whether a folder keeps what both CRMs held."""
    return all((folder / name).is_file() for name in _STATES)


def throw_away(folder: Path) -> list[str]:
    """Removes from a folder what the CRMs held, their codes, and the ledger of its own configuration with its backups.
    The credentials stay. Gives the names of what is gone."""
    gone: list[str] = []
    for path in sorted(folder.iterdir() if folder.is_dir() else ()):
        if path.name in _STATES or path.name.startswith(("codes.", "refloop.db")):
            shutil.rmtree(path) if path.is_dir() else path.unlink()
            gone.append(path.name)
    return gone


def _reopened(folder: SandboxFolder, held: Credentials) -> _Filled:
    try:
        salesforce = LocalSalesforce.reopened(
            folder.path / _STATES[0], client_id=CLIENT_ID, client_secret=held.salesforce_secret
        )
        hubspot = LocalHubSpot.reopened(folder.path / _STATES[1], token=held.hubspot_token)
    except ValueError as error:
        raise DataError(
            f"what {folder.path} keeps cannot be read: {error}", remedy="Say --new to begin anew."
        ) from None
    codes = next(iter(sorted(folder.path.glob("codes.*"))), None)
    return _Filled(salesforce, hubspot, codes, ("the local CRMs go on with what they held before",))


def _filled(folder: SandboxFolder, data: Data, held: Credentials, err: Console) -> _Filled:
    own = _own_tables(data.path, folder.path) if data.path else None
    salesforce = LocalSalesforce(
        client_id=CLIENT_ID,
        client_secret=held.salesforce_secret,
        currency=own.currency if own else _CURRENCY,
        number=secrets.randbelow(_MOST_ACCOUNTS),
    )
    hubspot = LocalHubSpot(token=held.hubspot_token, portal_id=20_000_000 + secrets.randbelow(_MOST_ACCOUNTS))
    if own is None:
        return _Filled(salesforce, hubspot, _made_up(salesforce, hubspot, folder.path), ())
    with progress_bars(err) as progress, _as_refloop_says_it():
        notes = _notes(load_exports(own.sheets, salesforce, hubspot, Wishes(data.order, progress)))
    if own.codes is None:
        notes = (*notes, "there are no codes among them: without codes, nothing is found (`refloop codes --help`)")
        return _Filled(salesforce, hubspot, None, notes)
    codes = folder.path / f"codes{own.codes.suffix.lower()}"
    shutil.copyfile(own.codes, codes)
    return _Filled(salesforce, hubspot, codes, notes)


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
