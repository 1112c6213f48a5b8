"""Codes and referrals that people bring: CSV or JSON files, or one by one. Bad rows are named, good ones kept."""

from __future__ import annotations

import csv
import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from enum import Enum, auto
from functools import partial
from itertools import islice
from pathlib import Path
from typing import IO, Any

from refloop.errors import DataError
from refloop.ledger.claims import keep_submitted, submitted_for
from refloop.ledger.codes import CodeTaken, Kept, code_of, keep_code, referrer_of, reread_if_codes_changed
from refloop.ledger.decisions import keep_status
from refloop.ledger.forget import Forgotten
from refloop.ledger.store import Ledger
from refloop.mapping.claims import apply_program_rules, submitted
from refloop.mapping.codes import code_key, outside_validity
from refloop.mapping.people import email_key
from refloop.mapping.policy import Part
from refloop.mapping.stages import status_of
from refloop.model import Code, Referral, Referrer, ReviewReason
from refloop.sync.context import RunContext

CODE_COLUMNS = ("code", "referrer", "referrer_name", "referrer_email", "program", "valid_from", "valid_to")
REFERRAL_COLUMNS = ("code", "email", "date", "note")
DEFAULT_PROGRAM = "default"
_CHUNK = 1000
_EXTRAS = "\0extras"
_LONGEST = 255


class Format(Enum):
    """How a file holds its rows."""

    CSV = auto()
    TSV = auto()
    JSON = auto()
    JSON_LINES = auto()


_FORMATS = {
    ".csv": Format.CSV,
    ".tsv": Format.TSV,
    ".json": Format.JSON,
    ".jsonl": Format.JSON_LINES,
    ".ndjson": Format.JSON_LINES,
}


class BadRow(ValueError):  # noqa: N818 - a fact about one row, turned into a line of the import's report
    """One row cannot be used; the message says why and what would be right."""


@dataclass
class Intake:
    """What an import came to: how many rows were new, changed or known, and the bad ones by place."""

    counts: Counter[str] = field(default_factory=Counter)
    faults: list[tuple[int, str]] = field(default_factory=list)

    def lines(self) -> list[str]:
        """The bad rows in the order of the file."""
        return [text for _, text in sorted(self.faults)]


@dataclass(frozen=True, slots=True)
class Enrolment:
    """A code together with who hands it out."""

    code: Code
    referrer: Referrer


@dataclass(frozen=True, slots=True)
class Claim:
    """A referral that somebody submits: this person came with this code, on this date."""

    code: str
    email: str
    on: date
    note: str


def enrolment(row: Mapping[str, str]) -> Enrolment:
    """A row of a codes file as values. Raises BadRow."""
    code, referrer = _required(row, "code"), _required(row, "referrer")
    key = code_key(code)
    if len(key) < 2:
        raise BadRow(f"code {_short(code)!r} has fewer than two letters or digits")
    email = row.get("referrer_email", "")
    if email and email_key(email) is None:
        raise BadRow("referrer_email is not an e-mail address")
    start, end = _date(row, "valid_from"), _date(row, "valid_to")
    if start and end and end < start:
        raise BadRow(f"valid_to {end} is before valid_from {start}")
    program = row.get("program", "") or DEFAULT_PROGRAM
    for column in ("program", "referrer_name"):
        _short_enough(column, row.get(column, ""))
    return Enrolment(
        Code(code, key, referrer, program, start, end),
        Referrer(referrer, row.get("referrer_name", ""), email_key(email)),
    )


def claim(row: Mapping[str, str], today: date) -> Claim:
    """A row of a referrals file as values; without a date, it is today's. Raises BadRow."""
    email = email_key(_required(row, "email"))
    if email is None:
        raise BadRow("email is not an e-mail address")
    on = _date(row, "date") or today
    if on > today:
        raise BadRow(f"date {on} is in the future")
    return Claim(_required(row, "code"), email, on, row.get("note", ""))


def _required(row: Mapping[str, str], column: str) -> str:
    value = row.get(column, "")
    if not value:
        raise BadRow(f"{column} is empty")
    return _short_enough(column, value)


def _short_enough(column: str, value: str) -> str:
    if len(value) > _LONGEST:
        raise BadRow(f"{column} is longer than {_LONGEST} characters")
    return value


def _date(row: Mapping[str, str], column: str) -> date | None:
    text = row.get(column, "")
    try:
        return date.fromisoformat(text) if text else None
    except ValueError:
        raise BadRow(f"{column} {_short(text)!r} is not a date; write it as 2026-03-31") from None


def _short(text: str) -> str:
    return text if len(text) <= 40 else text[:39] + "…"


def import_codes(ledger: Ledger, path: Path, now: datetime) -> Intake:
    """Imports codes, their referrers and programs. Nothing twice: a known row is left as it is.

    Raises DataError when the file as a whole cannot be used.
    """

    def keep(row: Mapping[str, str]) -> Kept:
        return enrol(ledger, enrolment(row), now)

    with codes_changing(ledger) as intake:
        _import(ledger, path, CODE_COLUMNS, ("code", "referrer"), keep, intake)
    return intake


@contextmanager
def codes_changing(ledger: Ledger) -> Iterator[Intake]:
    """Records are read again once the codes are as they should be, if any changed."""
    try:
        yield Intake()
    finally:
        reread_if_codes_changed(ledger)


def enrol(ledger: Ledger, row: Enrolment, now: datetime) -> Kept:
    """Keeps one code. Raises BadRow when it is somebody else's already."""
    try:
        return keep_code(ledger, row.code, _known_referrer(ledger, row.referrer), now)
    except CodeTaken as taken:
        raise BadRow(
            f"code {row.code.code!r} belongs to referrer {taken.referrer!r} in program {taken.program!r} already"
        ) from None


def _known_referrer(ledger: Ledger, referrer: Referrer) -> Referrer:
    """The referrer without what was forgotten of them."""
    forgotten = Forgotten(ledger)
    if referrer.email is None or not forgotten.emails([referrer.email]):
        return referrer
    return Referrer(referrer.id, "", forgotten.pseudonym(referrer.email))


def import_referrals(context: RunContext, path: Path) -> Intake:
    """Imports submitted referrals. Raises DataError when the file as a whole cannot be used."""

    def keep(row: Mapping[str, str]) -> Kept:
        return submit(context, claim(row, context.clock().date()))

    intake = Intake()
    _import(context.ledger, path, REFERRAL_COLUMNS, ("code", "email"), keep, intake)
    return intake


def submit(context: RunContext, row: Claim) -> Kept:
    """Keeps one submitted referral. Raises BadRow when its code is unknown or was not valid on its date."""
    ledger = context.ledger
    code = code_of(ledger, code_key(row.code))
    if code is None:
        raise BadRow(f"code {_short(row.code)!r} is unknown; add it with `refloop codes add`")
    if (outside := outside_validity(code, row.on)) is not None:
        too_early = outside is ReviewReason.NOT_YET_VALID
        when = f"is valid from {code.valid_from}" if too_early else f"was valid until {code.valid_to}"
        raise BadRow(f"code {code.code!r} {when} only")
    if Forgotten(ledger).emails([row.email]):
        raise BadRow("this person was forgotten (`refloop forget`), and is not taken in again")
    claim = submitted(row.email, code, row.on, context.company_zone)
    judged = _judged(ledger, claim)
    done = keep_submitted(ledger, context.provenance(Part.CLAIM), claim, judged, row.note)
    if done is Kept.NEW:
        # at once, so that it is listed before the next sync decides about it
        mine = next(referral for referral in judged if referral.id == claim.id)
        by = context.provenance(Part.STATUS)
        keep_status(ledger, by, status_of(mine, [], [], context.policy.status.words))
    return done


def _judged(ledger: Ledger, claim: Referral) -> list[Referral]:
    """How a submitted referral and those that wait for the same person stand. Those that hold records compete with
    them as they are: about those their buyer decides."""
    email = claim.email or ""
    waiting, holding = submitted_for(ledger, email)
    beside = [replace(item, void=None, void_reason="") for item in waiting if item.id != claim.id]
    known = [item for item in holding if item.id != claim.id]
    referrers = map(partial(referrer_of, ledger), {item.referrer for item in (claim, *beside)})
    emails = {referrer.id: referrer.email for referrer in referrers if referrer and referrer.email}
    judged = apply_program_rules([claim, *beside, *known], {email}, partial(code_of, ledger), emails)
    settled = {item.id for item in known}
    return [item for item in judged if item.id not in settled]


def _import(
    ledger: Ledger,
    path: Path,
    columns: tuple[str, ...],
    required: tuple[str, ...],
    keep: Callable[[Mapping[str, str]], Kept],
    intake: Intake,
) -> None:
    rows = _rows(path, columns, required, intake)
    while chunk := list(islice(rows, _CHUNK)):
        with ledger.writing():
            for line, row in chunk:
                try:
                    intake.counts[keep(row)] += 1
                except BadRow as fault:
                    intake.faults.append((line, f"{path.name}, line {line}: {fault}"))


def _rows(
    path: Path, columns: tuple[str, ...], required: tuple[str, ...], intake: Intake
) -> Iterator[tuple[int, dict[str, str]]]:
    """(line, row) of a CSV, TSV or JSON file. For JSON, the number of the object stands for the line."""
    try:
        first = True
        for line, row in _read(path):
            if first:
                _check_columns(path, row, columns, required)
                first = False
            fault = _fault_of(row, columns)
            if fault:
                intake.faults.append((line, f"{path.name}, line {line}: {fault}"))
            else:
                yield line, {str(name).strip(): _text(value) for name, value in row.items()}
    except (csv.Error, ValueError, RecursionError) as error:
        raise DataError(
            f"{path} is neither CSV nor JSON that can be read",
            remedy=f"Save it as UTF-8 CSV with a header: {', '.join(columns)}.",
        ) from error
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror}") from error


def _read(path: Path) -> Iterator[tuple[int, Mapping[str, Any]]]:
    kind = _FORMATS.get(path.suffix.lower())
    if kind is None:
        kind = _guessed(path)
    if kind in (Format.CSV, Format.TSV):
        yield from _table(path, "excel-tab" if kind is Format.TSV else "excel")
        return
    with path.open("rb") as file:
        for number, row in enumerate(_values(file, kind), start=1):
            if not isinstance(row, Mapping):
                raise ValueError("not an object")
            yield number, row


def _values(file: IO[bytes], kind: Format) -> Iterable[object]:
    if kind is Format.JSON_LINES:
        return (json.loads(line) for line in file if line.strip())
    found = json.load(file)
    return found if isinstance(found, list) else [found]


def _guessed(path: Path) -> Format:
    with path.open("rb") as file:
        start = file.read(2048).removeprefix(b"\xef\xbb\xbf").lstrip()
    if start.startswith(b"["):
        return Format.JSON
    if start.startswith(b"{"):
        return Format.JSON_LINES
    return Format.TSV if b"\t" in start.partition(b"\n")[0] else Format.CSV


def _table(path: Path, dialect: str) -> Iterator[tuple[int, Mapping[str, Any]]]:
    """The rows with the line on which each begins: a quoted field may hold line breaks."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.DictReader(file, restkey=_EXTRAS, dialect=dialect, strict=True)
        for row in reader:
            breaks = sum(_breaks(value) for value in row.values() if isinstance(value, str))
            yield reader.line_num - breaks, row


def _breaks(text: str) -> int:
    return text.count("\n") + text.count("\r") - text.count("\r\n")


def _fault_of(row: Mapping[str, Any], columns: tuple[str, ...]) -> str:
    if _EXTRAS in row:
        return "has more fields than the header has columns"
    unknown = sorted({str(name).strip() for name in row} - set(columns))
    if unknown:
        return f"the column {unknown[0]!r} is unknown"
    if any("\ud800" <= letter <= "\udfff" for value in row.values() for letter in str(value)):
        return "holds half a character, which is no text"
    return ""


def _text(value: Any) -> str:
    return "" if value is None else str(value).strip()


def _check_columns(path: Path, row: Mapping[str, Any], columns: tuple[str, ...], required: tuple[str, ...]) -> None:
    found = {str(name).strip() for name in row} - {_EXTRAS}
    missing = [name for name in required if name not in found]
    unknown = sorted(found - set(columns))
    if missing or unknown:
        parts = [f"the column {name!r} is missing" for name in missing] + [
            f"the column {name!r} is unknown" for name in unknown
        ]
        raise DataError(f"{path}: {'; '.join(parts)}", remedy=f"Columns are: {', '.join(columns)}.")
