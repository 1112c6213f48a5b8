"""Lists that a command shows: as a table for people, as JSON for scripts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from refloop.ledger.reads.codes import IssuedCode
from refloop.ledger.reads.journal import Wrote
from refloop.ledger.reads.referrals import Standing
from refloop.ledger.reads.review import OpenItem
from refloop.mapping.changes import RecordPlan
from refloop.report.as_json.lists import code_json, open_item_json, standing_json
from refloop.report.as_json.run import wrote_json
from refloop.report.as_json.values import Json
from refloop.report.grid import Column, Row, numbers, text, whole

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Listing(Generic[T]):
    """How a list of values is shown: the columns of its table and the cells of a line, a line as JSON, and what is said
    when there is `nothing` to show."""

    columns: tuple[Column, ...]
    cells: Callable[[T], Sequence[object]]
    as_json: Callable[[T], Json]
    nothing: str


def _code(issued: IssuedCode) -> tuple[object, ...]:
    return tuple(code_json(issued).values())


def _standing(standing: Standing) -> tuple[object, ...]:
    now = standing.now
    who = (now.referral, standing.code, standing.referrer, standing.program, standing.claimed_at)
    return (*who, now.status, now.at, now.label, now.reason)


def _run(wrote: Wrote) -> tuple[object, ...]:
    run = wrote.run
    what = (wrote.fields, wrote.records, wrote.refused, wrote.conflicts)
    return (run.number, run.command, run.started_at, run.ended_at, run.exit, *what, run.problems)


def _open_item(found: OpenItem) -> tuple[object, ...]:
    item, ref = found.item, found.item.ref
    return (ref.connection, ref.kind, ref.id, item.reason, item.field, item.evidence, item.candidates)


CODES = Listing(
    (*whole("code", "referrer"), *text("referrer_name"), *whole("referrer_email", "program", "valid_from", "valid_to")),
    _code,
    code_json,
    "no codes: `refloop codes import FILE`",
)
REFERRALS = Listing(
    (
        *whole("referral", "code", "referrer", "program", "claimed_at", "status", "status_at"),
        *text("label", "reason"),
    ),
    _standing,
    standing_json,
    "no referrals",
)
RUNS = Listing(
    (
        *whole("run", "command", "started_at", "ended_at"),
        *numbers("exit", "fields", "records", "refused", "conflicts"),
        *text("problems"),
    ),
    _run,
    wrote_json,
    "no runs",
)
REVIEW = Listing(
    (*whole("connection", "kind", "id", "doubt", "field"), *text("evidence"), *whole("candidates")),
    _open_item,
    open_item_json,
    "nothing left for review",
)

CHANGES = (*whole("connection", "kind", "id", "field"), *text("before", "after", "why"))
"""The columns of a plan."""


def change_rows(plans: Iterable[RecordPlan]) -> Iterator[Row]:
    """The changes of a plan, a row each."""
    for plan in plans:
        for change in plan.changes:
            ref = change.ref
            yield (ref.connection, ref.kind, ref.id, change.field.name, change.before, change.after, change.why)
