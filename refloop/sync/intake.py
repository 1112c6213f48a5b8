"""Codes and referrals that people bring: CSV or JSON files, or one by one. Bad rows are named, good ones kept."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from pathlib import Path

from refloop.errors import DataError
from refloop.ledger.claims import keep_submitted, submitted_for, waiting_of
from refloop.ledger.codes import CodeTaken, Kept, code_of, keep_code, referrer_of, reread_if_codes_changed
from refloop.ledger.decisions import keep_referral, keep_status
from refloop.ledger.forget import Forgotten
from refloop.ledger.history import Provenance
from refloop.ledger.queue import Topic, enqueue_ids
from refloop.ledger.store import Ledger
from refloop.mapping.claims import apply_program_rules, submitted
from refloop.mapping.codes import code_key, outside_validity
from refloop.mapping.policy import Part
from refloop.mapping.stages import Course, status_of
from refloop.model import Code, Referral, Referrer, ReviewReason
from refloop.sync.context import RunContext
from refloop.sync.enrolling import enrol_at_once
from refloop.sync.rows import (
    ADVOCATE_COLUMNS,
    CODE_COLUMNS,
    DEFAULT_PROGRAM,
    REFERRAL_COLUMNS,
    BadRow,
    Claim,
    Enrolment,
    claim,
    enrolment,
    short,
)
from refloop.tables import BadLine, Line, Table, chunks, column_key, open_table

__all__ = [
    "ADVOCATE_COLUMNS",
    "CODE_COLUMNS",
    "DEFAULT_PROGRAM",
    "REFERRAL_COLUMNS",
    "BadRow",
    "Claim",
    "Enrolment",
    "Intake",
    "claim",
    "codes_changing",
    "enrol",
    "enrolment",
    "import_codes",
    "import_referrals",
    "submit",
]

_CHUNK = 1000
Needs = tuple[tuple[str, ...], ...]
"""The columns without which a table is of no use; of each group the first, or one that serves as well."""

Progress = Callable[[str, str, int], None]
"""Told how many rows more were taken in: the step, the table's name, the count."""


@dataclass
class Intake:
    """What an import came to: how many rows were new, changed or known, the bad ones by place, and the columns of the
    table that say nothing to us."""

    counts: Counter[str] = field(default_factory=Counter)
    faults: list[tuple[int, str]] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)

    def lines(self) -> list[str]:
        """The bad rows in the order of the file."""
        return [text for _, text in sorted(self.faults)]


Rows = Mapping[int, Mapping[str, str]]
"""Rows of a table, by where they stand in it."""


def _none_at_once(_: Rows) -> dict[int, Kept]:
    return {}


@dataclass(frozen=True)
class Reading:
    """What taking in a table takes: where it is kept, what keeps a row, what is told of it, who hears how far it is;
    and what keeps at once those rows of many that need not be looked at one by one."""

    ledger: Ledger
    keep: Callable[[Mapping[str, str]], Kept]
    intake: Intake
    progress: Progress
    at_once: Callable[[Rows], dict[int, Kept]] = _none_at_once


def unseen(stage: str, about: str, done: int) -> None:
    """The progress of what nobody watches."""


def import_codes(ledger: Ledger, path: Path, now: datetime, progress: Progress = unseen) -> Intake:
    """Imports codes, their referrers and programs; `-` is standard input. Nothing twice: a known row is left as it is.

    Raises DataError when the file as a whole cannot be used, or not beyond some line: what stood before that is kept.
    """

    def keep(row: Mapping[str, str]) -> Kept:
        return enrol(ledger, enrolment(row), now)

    columns = (*CODE_COLUMNS, *ADVOCATE_COLUMNS)
    needs: Needs = (("code", "promotion_referral_code", "advocate"), ("referrer", *ADVOCATE_COLUMNS[:2]))
    with codes_changing(ledger) as intake, open_table(path) as table:
        _import(table, columns, needs, Reading(ledger, keep, intake, progress, partial(enrol_at_once, ledger, now)))
    return intake


@contextmanager
def codes_changing(ledger: Ledger) -> Iterator[Intake]:
    """Records are read again once the codes are as they should be, if any changed."""
    try:
        yield Intake()
    finally:
        reread_if_codes_changed(ledger)


def enrol(ledger: Ledger, row: Enrolment, now: datetime) -> Kept:
    """Keeps one code, with its first half beside it where that is a code too. What the row does not say of a known code
    stays. Raises BadRow when it is somebody else's already, or its dates are none.

    An advocate may be in several promotions: their own half stays in the one that it came with first.
    """
    before = referrer_of(ledger, row.referrer.id)
    kept = _enrol(ledger, row, now)
    if before and referrer_of(ledger, row.referrer.id) != before:
        _judge_waiting(ledger, row.referrer.id, now)
    return kept


def _enrol(ledger: Ledger, row: Enrolment, now: datetime) -> Kept:
    code = _completed(ledger, row.code, row.unsaid)
    referrer, before = _known_referrer(ledger, row.referrer), referrer_of(ledger, row.referrer.id)
    half = row.advocate and code_of(ledger, row.advocate.key)
    if half and half.referrer != code.referrer:
        raise _taken(half.code, half.referrer, half.program)
    try:
        kept = keep_code(ledger, code, referrer, now)
    except CodeTaken as taken:
        raise _taken(row.code.code, taken.referrer, taken.program) from None
    if before and referrer_of(ledger, row.referrer.id) != before:
        _judge_waiting(ledger, row.referrer.id, now)
    if row.advocate and (half is None or half.program == code.program):
        of_half = keep_code(ledger, _completed(ledger, row.advocate, row.unsaid), referrer, now)
        return kept if kept is not Kept.UNCHANGED or of_half is Kept.UNCHANGED else Kept.CHANGED
    return kept


def _taken(code: str, referrer: str, program: str) -> BadRow:
    return BadRow(f"code {code!r} belongs to referrer {referrer!r} in program {program!r} already")


def _completed(ledger: Ledger, code: Code, unsaid: frozenset[str]) -> Code:
    """The code with what is known of it where the row says nothing."""
    known = code_of(ledger, code.key)
    if known:
        code = replace(
            code,
            program=known.program if "program" in unsaid else code.program,
            valid_from=known.valid_from if "valid_from" in unsaid else code.valid_from,
            valid_to=known.valid_to if "valid_to" in unsaid else code.valid_to,
        )
    if code.valid_from and code.valid_to and code.valid_to < code.valid_from:
        raise BadRow(f"valid_to {code.valid_to} is before valid_from {code.valid_from}")
    return code


def _judge_waiting(ledger: Ledger, referrer: str, now: datetime) -> None:
    """Judges anew the submitted referrals of a referrer whose address is another than before, and that wait for their
    buyer: no record of theirs brings them up."""
    by = Provenance(0, "", now)
    for waiting in waiting_of(ledger, referrer):
        changed = {item.id for item in _judged(ledger, waiting) if keep_referral(ledger, by, item)}
        enqueue_ids(ledger, Topic.STATUS, changed)


def _known_referrer(ledger: Ledger, referrer: Referrer) -> Referrer:
    """The referrer without what was forgotten of them."""
    forgotten = Forgotten(ledger)
    if referrer.email is None or not forgotten.emails([referrer.email]):
        return referrer
    return Referrer(referrer.id, "", forgotten.pseudonym(referrer.email))


def import_referrals(context: RunContext, path: Path, progress: Progress = unseen) -> Intake:
    """Imports submitted referrals; `-` is standard input. Raises DataError as `import_codes` does."""

    def keep(row: Mapping[str, str]) -> Kept:
        return submit(context, claim(row, context.today))

    intake = Intake()
    with open_table(path) as table:
        _import(table, REFERRAL_COLUMNS, (("code",), ("email",)), Reading(context.ledger, keep, intake, progress))
    return intake


def submit(context: RunContext, row: Claim) -> Kept:
    """Keeps one submitted referral. Raises BadRow when its code is unknown or was not valid on its date."""
    ledger = context.ledger
    code = code_of(ledger, code_key(row.code))
    if code is None:
        raise BadRow(f"code {short(row.code)!r} is unknown; add it with `refloop codes add`")
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
        keep_status(ledger, by, status_of(mine, Course(), context.policy.status.words, context.clock()))
    return done


def _judged(ledger: Ledger, claim: Referral) -> list[Referral]:
    """How a submitted referral and those that wait for the same person stand. Those that hold records compete with
    them as they are: about those their buyer decides."""
    email = claim.email or ""
    waiting, holding = submitted_for(ledger, email)
    claim = replace(claim, void=None, void_reason="")
    beside = [replace(item, void=None, void_reason="") for item in waiting if item.id != claim.id]
    known = [item for item in holding if item.id != claim.id]
    referrers = map(partial(referrer_of, ledger), {item.referrer for item in (claim, *beside)})
    emails = {referrer.id: referrer.email for referrer in referrers if referrer and referrer.email}
    judged = apply_program_rules([claim, *beside, *known], {email}, partial(code_of, ledger), emails)
    settled = {item.id for item in known}
    return [item for item in judged if item.id not in settled]


def _import(table: Table, columns: Sequence[str], needs: Needs, reading: Reading) -> None:
    """Keeps the rows of a table, a thousand in each transaction."""
    found, intake = _Columns(table, columns), reading.intake
    found.check(needs)
    try:
        for chunk in chunks(table, _CHUNK):
            _keep(chunk, found, reading)
    except DataError as error:
        before = intake.counts.total()
        if type(error) is not DataError or not before:
            raise
        kept = f"{error.message}; what stood before it is taken in: {before:,} good rows, {len(intake.faults):,} bad"
        raise DataError(kept, remedy=error.remedy) from error
    intake.left_out = found.unknown()


def _keep(chunk: Sequence[Line | BadLine], columns: _Columns, reading: Reading) -> None:
    intake, name = reading.intake, columns.table.name
    rows: dict[int, Mapping[str, str]] = {}
    for row in chunk:
        with _naming(row, name, intake):
            rows[row.number] = columns.row(row)
    with reading.ledger.writing():
        kept = reading.at_once(rows)
        intake.counts.update(kept.values())
        for row in chunk:
            if row.number in rows and row.number not in kept:
                with _naming(row, name, intake):
                    intake.counts[reading.keep(rows[row.number])] += 1
    reading.progress("import", name, len(chunk))


@contextmanager
def _naming(row: Line | BadLine, name: str, intake: Intake) -> Iterator[None]:
    """Tells of a row that is no good where it stands."""
    try:
        yield
    except BadRow as fault:
        intake.faults.append((row.number, f"{name}, line {row.number}: {fault}"))


class _Columns:
    """The columns of a table that are ours, in any spelling."""

    def __init__(self, table: Table, columns: Sequence[str]) -> None:
        self.table = table
        self.columns = columns
        self._ours = {column_key(column): column for column in columns}

    def unknown(self) -> list[str]:
        return sorted(label for key, label in self.table.labels.items() if key not in self._ours)

    def check(self, needs: Needs) -> None:
        """Raises DataError where the header leaves out what every row needs, or says it twice."""
        table = self.table
        missing = [
            f"the column {names[0]!r} is missing"
            for names in needs
            if not any(column_key(name) in table.labels for name in names)
        ]
        unknown = [f"the column {name!r} is unknown" for name in self.unknown()]
        twice = [f"the column {name!r} stands there twice" for name in self.columns if column_key(name) in table.twice]
        if table.labels and (missing or twice):
            raise DataError(
                f"{table.name}: {'; '.join([*missing, *(unknown if missing else ()), *twice])}",
                remedy=f"Columns are: {', '.join(self.columns)}.",
            )

    def row(self, line: Line | BadLine) -> dict[str, str]:
        """The cells by our names; those that the row has. Raises BadRow."""
        if isinstance(line, BadLine):
            raise BadRow(line.why)
        for label in line.nested:
            if column_key(label) in self._ours:
                raise BadRow(f"{self._ours[column_key(label)]} is a list or an object, which is no text")
        return {column: line.cells[key] for key, column in self._ours.items() if key in line.cells}
