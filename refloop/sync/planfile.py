"""A plan as a file: one JSON object a line, a header first. Made by `plan -o`, done by `apply`."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from refloop.errors import DataError, DiskError, StalePlan
from refloop.ledger.book import Ledger
from refloop.model import Change, FieldSpec, Ref

FORMAT = 1


@dataclass(frozen=True, slots=True)
class PlanHeader:
    """Which ledger a plan was made from, and at which position of it."""

    ledger: str
    position: int


def save_plan(path: Path, ledger: Ledger, changes: Iterable[Change]) -> int:
    """Writes a private plan file and returns how many changes it holds. Raises DiskError."""
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            os.fchmod(handle, 0o600)
            header = {"refloop_plan": FORMAT, "ledger": ledger.identity, "position": ledger.position()}
            file.write(json.dumps(header) + "\n")
            count = 0
            for change in changes:
                file.write(json.dumps(as_row(change), ensure_ascii=False) + "\n")
                count += 1
    except OSError as error:
        raise DiskError(f"cannot write the plan {path}: {error.strerror}") from error
    return count


def as_row(change: Change) -> dict[str, object]:
    """A change as JSON shows it, in plan files and for scripts."""
    return {
        "record": str(change.ref),
        "field": change.field.name,
        "before": change.before,
        "after": change.after,
        "why": change.why,
    }


def load_plan(path: Path, ledger: Ledger, specs: Mapping[str, FieldSpec]) -> Iterator[Change]:
    """The changes of a plan file, streamed, after its header was checked.

    Raises DataError with the line for a file that is no plan, StalePlan when the ledger has moved on.
    """
    try:
        with path.open(encoding="utf-8") as file:
            _check(path, file.readline(), ledger)
            for number, line in enumerate(file, start=2):
                yield _change(path, number, line, specs)
    except UnicodeDecodeError:
        raise DataError(f"{path} is not a plan", remedy="Make one with `refloop plan -o FILE`.") from None
    except OSError as error:
        raise DataError(f"cannot read the plan {path}: {error.strerror}") from error


def _check(path: Path, line: str, ledger: Ledger) -> None:
    try:
        header = json.loads(line)
        made = PlanHeader(str(header["ledger"]), int(header["position"]))
        known = header["refloop_plan"] == FORMAT
    except (ValueError, KeyError, TypeError):
        known, made = False, PlanHeader("", 0)
    if not known:
        raise DataError(f"{path} is not a plan", remedy="Make one with `refloop plan -o FILE`.")
    if made.ledger != ledger.identity:
        raise StalePlan(f"{path} was made from another ledger", remedy="Make a new one with `refloop plan -o FILE`.")
    if made.position != ledger.position():
        raise StalePlan(
            f"{path} was made before the ledger changed", remedy="Make a new one with `refloop plan -o FILE`."
        )


def _change(path: Path, number: int, line: str, specs: Mapping[str, FieldSpec]) -> Change:
    try:
        row = json.loads(line)
        before, after = row["before"], row["after"]
        if not all(value is None or isinstance(value, str) for value in (before, after)):
            raise ValueError(line)
        return Change(Ref.parse(row["record"]), specs[row["field"]], before, after, str(row["why"]))
    except (ValueError, KeyError, TypeError):
        raise DataError(
            f"{path}, line {number}: not a change", remedy="Make a new plan with `refloop plan -o FILE`."
        ) from None
