"""A run: what it did, and how the ledger stands after it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

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

_OUTCOMES = ("written", "overwrote", "present", "moved", "refused", "deferred", "unknown", "conflicts", "parked")


def print_counts(console: Console, counts: Mapping[str, Mapping[str, int]]) -> None:
    """Prints what a run did, a line a connection."""
    for name, done in counts.items():
        if not name:
            continue
        pulled = f"pulled {done.get('pulled', 0):,} ({done.get('new', 0):,} new, {done.get('changed', 0):,} changed)"
        wrote = ", ".join(f"{done[word]:,} {word}" for word in _OUTCOMES if done.get(word))
        say(console, f"{name}: {pulled}; {wrote or 'nothing to write'}; {done.get('calls', 0):,} calls")
        if done.get("unconditional"):
            say(
                console,
                f"{name}: {done['unconditional']:,} records were written without the condition that nobody edited them "
                "in that moment (`conditional_writes`)",
                "dim",
            )


def print_notes(console: Console, notes: Iterable[tuple[str, str]]) -> None:
    """Prints what else a person should know, a line each, with the connection that it is about."""
    for name, words in notes:
        say(console, f"{name}: {words}", "yellow")


def print_problem(console: Console, name: str, error: RefloopError) -> None:
    """Prints what kept a connection from being worked on."""
    say(console, f"{name}: {error}", "red")


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


def print_overwritten(console: Console, found: Sequence[Overwritten]) -> None:
    """Prints what people wrote and refloop wrote over, and how to put it back: a line a field."""
    for one in found[:MOST]:
        both = f"somebody wrote {one.found or ''!r} just before refloop wrote {one.wrote or ''!r} over it"
        back = f"to put it back: refloop undo {one.run} --overwritten"
        say(console, f"overwritten {one.ref} {one.field}: {both}; {back}", "yellow")
    if len(found) > MOST:
        say(console, f"overwritten {len(found) - MOST:,} more: see `refloop status --json`", "yellow")


def print_before_after(console: Console, changes: Iterable[PastChange]) -> None:
    """Prints what a run wrote to one record, field by field."""
    rows = [
        (change.field, change.before or "(empty)", change.after or "(empty)")
        for change in changes
        if change.verdict is Verdict.WRITTEN
    ]
    table(console, (*whole("field"), *text("before", "after")), rows)
