"""What a run has to tell, a fact a line; and of what lasts, when it is told again."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from refloop.errors import ConfigError, Exit, RefloopError
from refloop.ledger.reads.news import Brought, Told
from refloop.model import format_time
from refloop.sync.run_report import Report

REMINDED = timedelta(days=1)
"""What lasts is told when it begins, when it changes, and then so often."""
PATIENCE = timedelta(hours=1)
"""So long `--quiet` says nothing of what may pass by itself."""
_PASSES = (Exit.LATER, Exit.UNAVAILABLE)
_TROUBLE, _RUN, _BACKUP = "trouble", "run", "backup"
_REFUSED, _DEFERRED = "refused", "deferred"


@dataclass(frozen=True, slots=True)
class Fact:
    """One thing to tell, of a connection or of all (""). `waits`: for a person. `is_trouble`: it kept a run from its
    work."""

    about: str
    text: str
    waits: bool = False
    is_trouble: bool = False


@dataclass(frozen=True, slots=True)
class Lasting:
    """Something that may last: told once while its `state` is the same. `passes`: perhaps by itself."""

    topic: str
    fact: Fact
    state: str
    passes: bool = False

    @property
    def key(self) -> tuple[str, str]:
        return self.fact.about, self.topic


@dataclass(frozen=True, slots=True)
class News:
    """What is to be told now, and what is to be kept of it: what lasts, and what is over."""

    facts: tuple[Fact, ...]
    keep: tuple[Told, ...] = ()
    over: tuple[tuple[str, str], ...] = ()


def happened(report: Report, found: Brought) -> Iterator[Fact]:
    """What a run did and found, and is not so again in the next one."""
    for name, counts in report.counts.items():
        if written := counts["written"]:
            records = found.records.get(name, 0)
            yield Fact(name, f"{_values(written)} written to {_records(records)} (run {report.run})")
        if conflicts := found.conflicts.get(name):
            said = "a person wrote something else there, and refloop leaves it alone: `refloop status`"
            yield Fact(name, f"{conflicts:,} new {_plural(conflicts, 'conflict')}: {said}", waits=True)
        if parked := counts["parked"]:
            said = "tried again when the record or what is wanted changes: `refloop status`"
            yield Fact(name, f"{_values(parked)} refused too often; {said}", waits=True)
        if moved := counts["moved"]:
            yield Fact(name, f"{_values(moved)} not written: somebody wrote there first; the next run looks again")
        if unknown := counts["unknown"]:
            yield Fact(name, f"{_values(unknown)} sent without an answer; the next run finds out")
    yield from (Fact(name, words, waits=True) for name, words in report.notes)
    if found.review:
        reasons = ", ".join(f"{count:,} {reason}" for reason, count in found.review.items())
        yield Fact("", f"{sum(found.review.values()):,} new for review ({reasons}): `refloop review`", waits=True)


def lasting(report: Report) -> Iterator[Lasting]:
    """What may be so again in the next run: trouble, changes that were refused or put off."""
    for name, error in report.problems:
        held = report.counts.get(name, Counter())["unsent"]
        kept_back = f"; {_values(held)} held back" if held else ""
        yield _trouble(name, _TROUBLE, error, kept_back)
    for name, counts in report.counts.items():
        if refused := counts["refused"]:
            fact = Fact(name, f"{_values(refused)} refused by the CRM: `refloop status`", waits=True)
            yield Lasting(_REFUSED, fact, str(refused))
        if deferred := counts["deferred"]:
            fact = Fact(
                name, f"{_values(deferred)} held back: the CRM could not take them now; the next run tries again"
            )
            yield Lasting(_DEFERRED, fact, str(deferred), passes=True)


def ended(error: RefloopError, only: str | None) -> Lasting:
    """What ended a whole run, over all connections or the one."""
    return _trouble(only or "", _RUN, error, "")


def checked_by(names: Collection[str], only: str | None) -> set[tuple[str, str]]:
    """The keys of what a run over these connections knows of when it came to its end."""
    return {(name, topic) for name in names for topic in (_TROUBLE, _REFUSED, _DEFERRED)} | {(only or "", _RUN)}


NO_BACKUP = ("", _BACKUP)
"""The key of what keeps a backup from being made."""


def no_backup(error: RefloopError) -> Lasting:
    """What kept the day's backup from being made."""
    return _trouble(*NO_BACKUP, error, "")


def _trouble(about: str, topic: str, error: RefloopError, more: str) -> Lasting:
    faults = error.faults if isinstance(error, ConfigError) else ()
    text = "; ".join([error.message, *faults]) + more
    remedy = f" -> {error.remedy}" if error.remedy else ""
    fact = Fact(about, f"{text}{remedy}", waits=True, is_trouble=True)
    # a count that differs from tick to tick makes no other trouble
    return Lasting(
        topic, fact, f"{error.exit.value} {re.sub(r'[0-9][0-9,.]*', '#', error.message)}", error.exit in _PASSES
    )


def news(
    facts: Sequence[Fact],
    now_lasting: Sequence[Lasting],
    told: Mapping[tuple[str, str], Told],
    checked: Collection[tuple[str, str]],
    now: datetime,
    *,
    quiet: bool,
) -> News:
    """What is to be told of a run. `told` is what was told before; `checked` are the keys of what this
    run would know of if it lasted. `quiet`: only what waits for a person, and nothing that may still pass by itself."""
    due = [fact for fact in facts if fact.waits or not quiet]
    keep = []
    for one in now_lasting:
        before = told.get(one.key)
        same = before if before and before.state == one.state else Told(*one.key, one.state, now, None)
        is_due = same.told_at is None or now - same.told_at >= REMINDED
        if is_due and not (quiet and (not one.fact.waits or (one.passes and now - same.since < PATIENCE))):
            due.append(one.fact if same.told_at is None else _reminder(one.fact, same.since))
            same = replace(same, told_at=now)
        if same != before:
            keep.append(same)
    lasts = {one.key for one in now_lasting}
    over = [was for key, was in told.items() if key not in lasts and key in checked]
    due += [_in_order(was) for was in over if was.told_at and was.topic in (_TROUBLE, _RUN, _BACKUP) and not quiet]
    return News(tuple(due), tuple(keep), tuple(was.key for was in over))


def _reminder(fact: Fact, since: datetime) -> Fact:
    return replace(fact, text=f"still, since {format_time(since)}: {fact.text}")


def _in_order(was: Told) -> Fact:
    return Fact(was.connection, f"in order again; the trouble began {format_time(was.since)}")


def _values(count: int) -> str:
    return f"{count:,} {_plural(count, 'value')}"


def _records(count: int) -> str:
    return f"{count:,} {_plural(count, 'record')}"


def _plural(count: int, word: str) -> str:
    return word if count == 1 else f"{word}s"
