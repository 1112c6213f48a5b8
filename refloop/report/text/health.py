"""The health of the sync."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console

from refloop.model import Referrer, format_time
from refloop.report.grid import Row, numbers, text, whole
from refloop.report.health import ConnectionHealth, Health, Quarantined
from refloop.report.lines import MOST, ago, say
from refloop.report.text.run import print_summary
from refloop.report.text.table import table

CONNECTIONS = (*whole("connection", "pulled_at", "last_success"), *numbers("leads", "contacts", "deals"))
"""The columns of the table of connections."""
_QUARANTINE = (*whole("connection", "kind", "id", "field"), *text("after", "reason"), *numbers("times"))


def print_health(console: Console, health: Health) -> None:
    """Prints what `refloop status` tells."""
    if not table(console, CONNECTIONS, [connection_cells(found) for found in health.connections]):
        say(console, "nothing pulled yet: run `refloop sync`")
    for found in health.connections:
        _print_connection(console, found)
    for quota in health.quota:
        say(
            console,
            f"{quota.connection}: {quota.used:,} of {quota.limit:,} calls a day used, {quota.ours_day:,} by refloop, "
            f"{quota.others:,} by others",
        )
    _print_operations(console, health)
    print_summary(console, health.summary)
    waiting = health.quarantine
    table(console, _QUARANTINE, [_quarantined_cells(change) for change in waiting[:MOST]])
    if len(waiting) > MOST:
        say(console, f"and {len(waiting) - MOST:,} more: see `refloop status --json`")
    _print_without_contact(console, health.without_contact)


def _print_without_contact(console: Console, referrers: Sequence[Referrer]) -> None:
    """Whose own record can tell nothing: there is none."""
    if referrers:
        names = ", ".join(referrer.id for referrer in referrers[:MOST])
        more = f" and {len(referrers) - MOST:,} more (`refloop status --json`)" if len(referrers) > MOST else ""
        say(console, f"referrers without a contact in any CRM: {names}{more}", "yellow")


def connection_cells(found: ConnectionHealth) -> Row:
    """A line of the table of connections."""
    pulled = found.pulled
    return (pulled.connection, pulled.at, found.last_success, pulled.leads, pulled.contacts, pulled.deals)


def _quarantined_cells(change: Quarantined) -> tuple[object, ...]:
    of = change.refusal
    return (of.ref.connection, of.ref.kind, of.ref.id, of.field, of.after, of.reason, of.times)


def _print_connection(console: Console, found: ConnectionHealth) -> None:
    name, error = found.pulled.connection, found.last_error
    age = "never pulled" if found.age_seconds is None else f"last pulled {ago(found.age_seconds)}"
    say(console, f"{name}: {age}" + ("" if found.configured else ", not in the configuration any more"))
    if error:
        what = "an error that is over" if error.over else "the last error"
        line = f"{name}: {what}, {format_time(error.at)}, run {error.run}: {error.message}"
        say(console, line, "" if error.over else "red")


def _print_operations(console: Console, health: Health) -> None:
    last, backup, working = health.last_sync, health.backup, health.working
    if last:
        how = "was killed" if last.run.exit is None else f"exit code {last.run.exit}"
        line = f"last run: {last.run.number} ({last.run.command}), {format_time(last.ended_at)}, {how}"
        say(console, line, "red" if last.failed else "")
    if working:
        holder = working.holder
        still = ", but it stands still: the next run takes over" if working.stands_still else ""
        since = format_time(holder.started_at)
        say(console, f"working now: process {holder.pid} on {holder.host}, since {since}{still}")
    if backup is None:
        say(console, "backup: none yet; the first `refloop sync` of a day makes one", "yellow")
    elif backup.age_seconds is not None:
        say(console, f"backup: {ago(backup.age_seconds)}, {backup.file}")
