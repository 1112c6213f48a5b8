"""A run: what it did, and how the ledger stands after it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rich.console import Console

from refloop.errors import RefloopError
from refloop.ledger.reads.receipts import Overwritten, PastChange
from refloop.ledger.reads.summary import Summary
from refloop.mapping.money import money_text
from refloop.mapping.stages import label_of
from refloop.model import Verdict
from refloop.report.grid import text, whole
from refloop.report.lines import MOST, say
from refloop.report.text.review import print_open_with_remedies
from refloop.report.text.table import table
from refloop.sync.run_report import Report

_OUTCOMES = {
    "written": "written",
    "overwrote": "overwrote",
    "present": "present",
    "moved": "moved",
    "refused": "refused",
    "deferred": "deferred",
    "unknown": "unknown",
    "conflicts": "conflicts",
    "parked": "parked",
    "unsent": "held back",
}
"""Counts of what became of changes, in words."""


def print_counts(console: Console, report: Report, *, stamp: str = "", writes: bool = True) -> None:
    """Prints what a run did, a line a connection. `writes`: it was to write, if there was something."""
    for name, done in report.counts.items():
        if not name:
            continue
        pulled = f"pulled {done.get('pulled', 0):,} ({done.get('new', 0):,} new, {done.get('changed', 0):,} changed)"
        wrote = f"; {_wrote(report, name)}" if writes else ""
        say(console, f"{stamp}{name}: {pulled}{wrote}; {done.get('calls', 0):,} calls")
        if done.get("unconditional"):
            say(
                console,
                f"{stamp}{name}: {done['unconditional']:,} records were written without the condition that nobody "
                "edited them in that moment (`conditional_writes`)",
                "dim",
            )


def print_notes(console: Console, notes: Iterable[tuple[str, str]], stamp: str = "") -> None:
    """Prints what else a person should know, a line each, with the connection that it is about."""
    for name, words in notes:
        say(console, f"{stamp}{name}: {words}", "yellow")


def _wrote(report: Report, name: str) -> str:
    """What became of changes; that there was nothing to write is said only where the run got to know it."""
    done = report.counts[name]
    outcomes = ", ".join(f"{done[word]:,} {said}" for word, said in _OUTCOMES.items() if done.get(word))
    return outcomes or ("nothing to write" if name in report.pushed else "nothing was written")


def print_figures(console: Console, summary: Summary, stamp: str = "") -> None:
    """Prints in two lines how the ledger stands, and what waits for a person."""
    other = summary.referrals - summary.open - summary.won - summary.lost
    parts = [f"{summary.open:,} open", f"{summary.won:,} won", f"{summary.lost:,} lost"]
    parts += [f"{other:,} other"] if other else []
    say(console, f"{stamp}{summary.referrals:,} referrals: {', '.join(parts)}")
    review = sum(summary.review.values())
    status = {
        "conflicts": summary.conflicts,
        "refused": summary.refused,
        "overwritten": len(summary.overwritten),
        "unsettled": summary.unsettled,
    }
    counts = ", ".join(f"{count:,} {word}" for word, count in status.items() if count)
    waits = [f"{review:,} to review (`refloop review`)"] if review else []
    waits += [f"{counts} (`refloop status`)"] if counts else []
    if waits:
        say(console, f"{stamp}waits for a person: {'; '.join(waits)}", "yellow")


def print_problem(console: Console, name: str, error: RefloopError, stamp: str = "") -> None:
    """Prints what kept a connection from being worked on."""
    say(console, f"{stamp}{name}: {error}", "red")


def print_summary(console: Console, summary: Summary) -> None:
    """Prints referrals, endings, amounts, and what waits for a person and why."""
    say(
        console,
        f"referrals   {summary.referrals:>7,}   won {summary.won:,}, lost {summary.lost:,}, open {summary.open:,}",
    )
    for status, count in summary.by_status.items():
        say(console, f"            {count:>7,}   {label_of(status).lower()}", "dim")
    for status, count in summary.not_counted.items():
        say(console, f"  not counted {count:>5,}   {label_of(status).lower()}", "dim")
    for word, amounts in (("won", summary.won_amount), ("open", summary.open_amount)):
        for currency, amount in amounts.items():
            say(console, f"credited {word:<5} {money_text(amount, currency):>14} {currency}")
    for currency, amount in summary.renewed_amount.items():
        say(console, f"renewed        {money_text(amount, currency):>14} {currency}")
    for connection, count in summary.won_without_buyer.items():
        say(
            console,
            f"no buyer    {count:>7,}   won deals of {connection} on which nobody stands: no credit reaches them",
        )
    print_open_with_remedies(console, summary.review)
    for word, count, remedy in (
        ("conflicts", summary.conflicts, "a person wrote there: see `refloop plan`"),
        ("refused", summary.refused, "the CRM refused the change: see `refloop status`"),
        ("unsettled", summary.unsettled, "sent, but the answer was lost: settled first thing in the next run"),
    ):
        if count:
            say(console, f"{word:<11} {count:>7,}   {remedy}", "yellow")
    print_overwritten(console, summary.overwritten)


def print_overwritten(console: Console, found: Sequence[Overwritten], stamp: str = "") -> None:
    """Prints what people wrote and refloop wrote over, and how to put it back: a line a field."""
    for one in found[:MOST]:
        both = f"somebody wrote {one.found or ''!r} just before refloop wrote {one.wrote or ''!r} over it"
        back = f"to put it back: refloop undo {one.run} --overwritten"
        say(console, f"{stamp}overwritten {one.ref} {one.field}: {both}; {back}", "yellow")
    if len(found) > MOST:
        say(console, f"{stamp}overwritten {len(found) - MOST:,} more: see `refloop status --json`", "yellow")


def print_before_after(console: Console, changes: Iterable[PastChange]) -> None:
    """Prints what a run wrote to one record, field by field."""
    rows = [
        (change.field, change.before or "(empty)", change.after or "(empty)")
        for change in changes
        if change.verdict is Verdict.WRITTEN
    ]
    table(console, (*whole("field"), *text("before", "after")), rows)
