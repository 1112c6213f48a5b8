"""How much a sync says, to a person who sits there or to a machine whose mails a person reads."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from enum import Enum
from typing import Annotated

import typer
from rich.console import Console

from refloop.commands.console import err, out
from refloop.errors import AnotherAtWork, RefloopError
from refloop.ledger.reads.news import Brought, Told, brought
from refloop.ledger.reads.summary import summary
from refloop.ledger.told import all_told, keep_told
from refloop.model import format_time
from refloop.report.lines import is_watched, say
from refloop.report.news import NO_BACKUP, Fact, Lasting, checked_by, ended, happened, lasting, news, no_backup
from refloop.report.text.run import (
    print_counts,
    print_figures,
    print_notes,
    print_overwritten,
    print_problem,
    print_summary,
)
from refloop.sync.run_report import Report
from refloop.sync.session import Session

QuietOption = Annotated[bool, typer.Option("--quiet", "-q", help="Say only what a person must act on.")]
VerboseOption = Annotated[
    bool, typer.Option("--verbose", "-v", help="Say all that was done, and how the ledger stands.")
]


class Voice(Enum):
    """How much a sync says."""

    QUIET = "what a person must act on"
    NEWS = "what is new"
    SUMMARY = "what was done, and in two lines how the ledger stands"
    VERBOSE = "what was done, and how the ledger stands"

    @property
    def tells_news(self) -> bool:
        return self in (Voice.QUIET, Voice.NEWS)


def is_attended() -> bool:
    """Whether a person sits at a terminal."""
    return is_watched(out) or is_watched(err)


def voice_of(quiet: bool, verbose: bool, otherwise: Voice) -> Voice:
    """The voice that was asked for. On a terminal, a person who did not ask for quiet hears a summary."""
    if quiet and verbose:
        raise typer.BadParameter("does not go with --quiet", param_hint="--verbose")
    if quiet or verbose:
        return Voice.QUIET if quiet else Voice.VERBOSE
    return Voice.SUMMARY if is_attended() else otherwise


@contextmanager
def beside_another(voice: Voice) -> Iterator[None]:
    """A tick that finds another run at work has nothing to say where nobody sits: the exit code says it."""
    try:
        yield
    except AnotherAtWork as busy:
        busy.said = voice.tells_news and not is_attended()
        raise


@dataclass(frozen=True)
class Telling:
    """How a run is told of: which connections it is for (None: all), in which voice, and on which page; as JSON where
    there is none. `remembers`: what lasts is told when it begins, when it changes, and once a day."""

    only: str | None
    voice: Voice
    page: Console | None
    remembers: bool = False


def tell_news(work: Session, telling: Telling, report: Report, error: RefloopError | None) -> None:
    """Tells what a run brought, and what ended it: a dated line a fact, and nothing where nothing is new."""
    found = Brought({}, {}, {}, ())
    with suppress(RefloopError):  # what ended the run may keep its ledger from being read; that is to be told
        found = brought(work.ledger, report.run, report.counts)
    lasts = [*lasting(report), *([ended(error, telling.only)] if error else [])]
    checked = set() if error else checked_by(work.connections(telling.only), telling.only)
    _tell(work, telling, list(happened(report, found)), lasts, checked)
    print_overwritten(out, found.overwritten, f"{format_time(work.clock())} ")
    if error:
        error.said = True


def tell_no_backup(work: Session, telling: Telling, error: RefloopError | None) -> None:
    """Tells what kept a backup from being made, or that it is made again."""
    _tell(work, telling, [], [no_backup(error)] if error else [], {NO_BACKUP})
    if error:
        error.said = True


def _tell(
    work: Session, telling: Telling, facts: list[Fact], lasts: list[Lasting], checked: set[tuple[str, str]]
) -> None:
    now = work.clock()
    told: dict[tuple[str, str], Told] = {}
    with suppress(RefloopError):
        told = all_told(work.ledger) if telling.remembers else {}
    fresh = news(facts, lasts, told, checked, now, quiet=telling.voice is Voice.QUIET)
    for fact in fresh.facts:
        about = f"{fact.about}: " if fact.about else ""
        line = f"{format_time(now)} {about}{fact.text}"
        say(err if fact.is_trouble else out, line, "yellow" if fact.waits else "")
    if telling.remembers and (fresh.keep or fresh.over):
        with suppress(RefloopError):  # told again by the next run, which is better than not at all
            keep_told(work.ledger, fresh.keep, fresh.over)


def tell_summary(work: Session, telling: Telling, report: Report, error: RefloopError | None, *, writes: bool) -> None:
    """Tells what a run did and how the ledger stands; of one that something ended, what it did. Where nobody sits, with
    the date."""
    stamp = "" if is_attended() else f"{format_time(work.clock())} "
    page = telling.page or out
    print_counts(page, report, stamp=stamp, writes=writes)
    if not error and telling.voice is Voice.VERBOSE:
        print_summary(page, summary(work.ledger))
    elif not error:
        figures = summary(work.ledger)
        print_figures(page, figures, stamp)
        print_overwritten(page, [one for one in figures.overwritten if one.run == report.run], stamp)
    print_notes(err, report.notes, stamp)
    for name, trouble in report.problems:
        print_problem(err, name, trouble, stamp)
