"""Lists that a command shows: as a table for people, as JSON for scripts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from refloop.ledger.reads.codes import IssuedCode
from refloop.ledger.reads.journal import Run
from refloop.ledger.reads.referrals import Standing
from refloop.ledger.reads.review import OpenItem
from refloop.report.as_json.lists import code_json, open_item_json, standing_json
from refloop.report.as_json.run import run_json
from refloop.report.as_json.values import Json

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Listing(Generic[T]):
    """How a list of values is shown: the columns of its table and the cells of a line, a line as JSON, and what is said
    when there is `nothing` to show."""

    columns: tuple[str, ...]
    cells: Callable[[T], Sequence[object]]
    as_json: Callable[[T], Json]
    nothing: str


def _code(issued: IssuedCode) -> tuple[object, ...]:
    return tuple(code_json(issued).values())


def _standing(standing: Standing) -> tuple[object, ...]:
    now = standing.now
    who = (now.referral, standing.code, standing.referrer, standing.program, standing.claimed_at)
    return (*who, now.status, now.at, now.label, now.reason)


def _run(run: Run) -> tuple[object, ...]:
    return (run.number, run.command, run.started_at, run.ended_at, run.exit, run.problems)


def _open_item(found: OpenItem) -> tuple[object, ...]:
    item, ref = found.item, found.item.ref
    return (ref.connection, ref.kind, ref.id, item.reason, item.field, item.evidence, item.candidates)


CODES = Listing(
    ("code", "referrer", "referrer_name", "referrer_email", "program", "valid_from", "valid_to"),
    _code,
    code_json,
    "no codes: `refloop codes import FILE`",
)
REFERRALS = Listing(
    ("referral", "code", "referrer", "program", "claimed_at", "status", "status_at", "label", "reason"),
    _standing,
    standing_json,
    "no referrals",
)
RUNS = Listing(("run", "command", "started_at", "ended_at", "exit", "problems"), _run, run_json, "no runs yet")
REVIEW = Listing(
    ("connection", "kind", "id", "doubt", "field", "evidence", "candidates"),
    _open_item,
    open_item_json,
    "nothing left for review",
)
