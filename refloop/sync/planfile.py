"""A plan as a file: one JSON object a line, a header first. Made by `plan -o`, done by `apply`."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from refloop.atomic_file import is_regular, replacing
from refloop.errors import DataError, DiskError, StalePlan
from refloop.ledger.store import Ledger
from refloop.model import FieldChange, FieldSpec, Ref, canonical

FORMAT = 1
_NO_PLAN = (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError)


@dataclass(frozen=True, slots=True)
class PlanHeader:
    """Which ledger a plan was made from, and at which position of it."""

    ledger: str
    position: int


def refuse_no_place(path: Path) -> None:
    """Raises DiskError for a path at which no plan can be saved: before a plan is made, which may take long."""
    if not is_regular(path):
        raise DiskError(f"cannot write the plan {path}: it is not a regular file", remedy="Name another file.")
    if not path.absolute().parent.is_dir():
        raise DiskError(f"cannot write the plan {path}: its folder does not exist", remedy="Name another file.")


def save_plan(path: Path, ledger: Ledger, changes: Iterable[FieldChange]) -> int:
    """Writes a private plan file and returns how many changes it holds. Raises DiskError.

    The file appears when it is whole: half a plan would look like a plan.
    """
    try:
        refuse_no_place(path)
        with replacing(path) as file:
            count = _write(file, ledger, changes)
    except OSError as error:
        raise DiskError(
            f"cannot write the plan {path}: {error.strerror}",
            remedy="Free or repair the disk, then run again. A plan that was there before is as it was.",
        ) from error
    return count


def _write(file: TextIO, ledger: Ledger, changes: Iterable[FieldChange]) -> int:
    header = {"refloop_plan": FORMAT, "ledger": ledger.identity, "position": ledger.position()}
    file.write(json.dumps(header) + "\n")
    count = 0
    for change in changes:
        file.write(json.dumps(as_row(change), ensure_ascii=False) + "\n")
        count += 1
    return count


def as_row(change: FieldChange) -> dict[str, object]:
    """A change as JSON shows it, in plan files and for scripts."""
    return {
        "record": str(change.ref),
        "field": change.field.name,
        "before": change.before,
        "after": change.after,
        "why": change.why,
    }


def load_plan(path: Path, ledger: Ledger, specs: Mapping[str, FieldSpec]) -> Iterator[FieldChange]:
    """The changes of a plan file, streamed, after its header was checked.

    Raises DataError with the line for a file that is no plan, StalePlan when the ledger has moved on.
    """
    try:
        with path.open(encoding="utf-8") as file:
            _check(path, file.readline(), ledger)
            named: set[tuple[Ref, str]] = set()
            for number, line in enumerate(file, start=2):
                change = _change(path, number, line, specs)
                name = (change.ref, change.field.name)
                if name in named:
                    raise DataError(f"{path}, line {number}: {change.ref} {change.field.name} is there twice")
                named.add(name)
                yield change
    except UnicodeDecodeError:
        raise DataError(f"{path} is not a plan", remedy="Make one with `refloop plan -o FILE`.") from None
    except OSError as error:
        raise DataError(f"cannot read the plan {path}: {error.strerror}") from error


def _check(path: Path, line: str, ledger: Ledger) -> None:
    try:
        header = json.loads(line)
        made = PlanHeader(str(header["ledger"]), int(header["position"]))
        known = header["refloop_plan"] == FORMAT
    except _NO_PLAN:
        known, made = False, PlanHeader("", 0)
    if not known:
        raise DataError(f"{path} is not a plan", remedy="Make one with `refloop plan -o FILE`.")
    if made.ledger != ledger.identity:
        raise StalePlan(f"{path} was made from another ledger", remedy="Make a new one with `refloop plan -o FILE`.")
    if made.position != ledger.position():
        raise StalePlan(
            f"{path} was made before the ledger changed", remedy="Make a new one with `refloop plan -o FILE`."
        )


def _change(path: Path, number: int, line: str, specs: Mapping[str, FieldSpec]) -> FieldChange:
    try:
        row = json.loads(line)
        ref, spec, why = Ref.parse(row["record"]), specs[row["field"]], str(row["why"])
        before, after = row["before"], row["after"]
        if ref.kind not in spec.kinds or not (_is_value(spec, before) and _is_value(spec, after)):
            raise ValueError(line)
        f"{ref}{before}{after}{why}".encode()  # half a surrogate pair is no text
        return FieldChange(ref, spec, before, after, why)
    except _NO_PLAN:
        raise DataError(
            f"{path}, line {number}: not a change", remedy="Make a new plan with `refloop plan -o FILE`."
        ) from None


def _is_value(spec: FieldSpec, value: object) -> bool:
    """Whether a field may hold a value in this form: a plan is compared with what is found, text by text."""
    return value is None or (isinstance(value, str) and canonical(spec.type, value) == value)
