"""How well the sync is, for people and for monitoring: ages, failures, what waits for somebody, quota, backups."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import islice
from typing import Any

from refloop.errors import Exit
from refloop.ledger.backups import backups_of, made_at
from refloop.ledger.lease import holder_of
from refloop.ledger.receipts import refusals
from refloop.ledger.runs import INTERRUPTED
from refloop.ledger.store import Ledger, ref_of
from refloop.model import Ref, format_time, parse_time
from refloop.report import figures
from refloop.report.text import ago
from refloop.sync.plan import Planner

Row = dict[str, Any]

DAY = timedelta(hours=24)
_SYNCING = ("sync", "backfill")
_AT_THE_CRM = (*_SYNCING, "apply", "undo")
"""Not `plan`: a person runs it, perhaps without the secrets that cron has, and sees how it ends."""
NO_FAILURE = (Exit.OK, Exit.ATTENTION, Exit.CHANGES, Exit.STALE, Exit.LATER, Exit.INTERRUPTED, Exit.TERMINATED)
"""Later: the age of the watermark says whether it became too late. Stopped: somebody wanted that."""
_RUNS_BACK = 10_000
_REFS_AT_ONCE = 500


def health(ledger: Ledger, planner: Planner, configured: Collection[str], now: datetime) -> Row:
    """Everything that `refloop status` tells. `configured` are the names of the connections in the configuration."""
    working = _working(ledger, now)
    past = _past(_journal(ledger, at_work=working is not None and not working["stands_still"]), configured, now)
    return {
        "connections": _connections(ledger, past, configured, now),
        "summary": figures.summary(ledger),
        "conflicts": list(figures.conflicts(ledger)),
        "quarantine": quarantine(ledger, planner),
        "unsettled": _by_connection(ledger, "SELECT connection, count(*) AS n FROM outbox GROUP BY 1"),
        "quota": _quota(past),
        "backup": _backup(ledger, now),
        "working": working,
        "last_run": next(iter(figures.runs(ledger, 1)), None),
        "last_sync": past.last,
    }


def alarms(told: Row, max_age: timedelta) -> list[str]:
    """What should wake somebody: a configured connection whose last pull is older than `max_age`, and a last run
    that failed. Nothing when all is well."""
    found = [
        f"{row['connection']}: never pulled"
        if row["age_seconds"] is None
        else f"{row['connection']}: last pulled {ago(row['age_seconds'])}, at {row['pulled_at']}"
        for row in told["connections"]
        if row["configured"] and (row["age_seconds"] is None or row["age_seconds"] > max_age.total_seconds())
    ]
    last = told["last_sync"]
    if last and last["failed"]:
        how = "was killed" if last["exit"] is None else f"ended with exit code {last['exit']}"
        found.append(f"run {last['run']} ({last['command']}) {how}: {'; '.join(last['problems']) or 'see the log'}")
    return found


@dataclass
class _Past:
    """What the journal says: by connection, when a sync last went well and what went wrong last; the day's calls."""

    success: dict[str, str] = field(default_factory=dict)
    error: dict[str, Row] = field(default_factory=dict)
    calls: Counter[str] = field(default_factory=Counter)
    spent: Counter[str] = field(default_factory=Counter)
    quota: dict[str, Row] = field(default_factory=dict)
    last: Row | None = None


def _journal(ledger: Ledger, *, at_work: bool) -> Iterator[Row]:
    """The runs that had to do with a CRM and ended, the newest first. An open one was killed, or is `at_work`."""
    for row in islice(ledger.rows("SELECT * FROM runs ORDER BY run DESC"), _RUNS_BACK):
        found = {**dict(row), "counts": json.loads(row["counts"]), "problems": json.loads(row["problems"])}
        if row["ended_at"] is None:
            found |= {"ended_at": row["started_at"], "problems": [INTERRUPTED]}
        if row["command"].startswith(_AT_THE_CRM) and not (row["ended_at"] is None and at_work):
            yield found


def _past(journal: Iterable[Row], names: Collection[str], now: datetime) -> _Past:
    past = _Past()
    for row in journal:
        counts, problems = row["counts"], row["problems"]
        recent = now - parse_time(row["ended_at"]) <= DAY
        past.last = past.last or {**row, "failed": row["exit"] not in NO_FAILURE}
        for name in {*names, *counts} - {""}:
            told = _about(name, problems, {*names, *counts})
            _remember(past, name, row, told, went_well=name in counts and _synced(row))
            if recent:
                past.calls[name] += counts.get(name, {}).get("calls", 0)
                past.spent[name] += counts.get(name, {}).get("quota_ours", 0)
            if "quota_limit" in counts.get(name, {}):
                past.quota.setdefault(name, {"at": row["ended_at"], **counts[name]})
        if not recent and past.success.keys() >= set(names) and past.last:
            break
    return past


def _synced(row: Row) -> bool:
    """Whether a run was a sync that came to its end, for those connections that had no problem."""
    ended = row["exit"] in (Exit.OK, Exit.ATTENTION) or bool(row["problems"])
    return ended and row["command"].startswith(_SYNCING)


def _about(name: str, problems: Iterable[str], names: Collection[str]) -> list[str]:
    """The problems of a run that concern a connection: its own, and those that are no connection's."""
    others = tuple(f"{other}: " for other in names if other and other != name)
    return [problem.removeprefix(f"{name}: ") for problem in problems if not problem.startswith(others)]


def _remember(past: _Past, name: str, row: Row, told: list[str], *, went_well: bool) -> None:
    if told:
        over = name in past.success
        past.error.setdefault(name, {"message": told[0], "at": row["ended_at"], "run": row["run"], "over": over})
    elif went_well:
        past.success.setdefault(name, row["ended_at"])


def _connections(ledger: Ledger, past: _Past, configured: Collection[str], now: datetime) -> list[Row]:
    known = {row["connection"]: row for row in figures.connections(ledger, now)}
    bare = {"leads": 0, "contacts": 0, "deals": 0, "pulled_at": None, "age_seconds": None}
    return [
        {
            **bare,
            **known.get(name, {}),
            "connection": name,
            "configured": name in configured,
            "last_success": past.success.get(name),
            "last_error": past.error.get(name),
        }
        for name in sorted({*known, *configured})
    ]


def _quota(past: _Past) -> list[Row]:
    """How each account's daily quota stood at the end of the last run that asked; how much of it the runs of the last
    24 hours used (`ours_day`), and the rest (`others`), as far as the journal knows."""
    return [
        {
            "connection": name,
            "limit": told["quota_limit"],
            "used": told["quota_used"],
            "ours": told["quota_ours"],
            "ours_day": past.spent[name],
            "others": max(0, told["quota_used"] - past.spent[name]),
            "at": told["at"],
        }
        for name, told in sorted(past.quota.items())
    ]


def quarantine(ledger: Ledger, planner: Planner) -> list[Row]:
    """The changes that a CRM refused when they were last tried and that are still wanted. `parked` ones were refused
    so often that they wait until the record or the wish changes; the others are tried again by the next run."""
    rows = {(ref_of(row), row["field"]): row for row in figures.refused(ledger)}
    found = []
    for refs in _chunks(dict.fromkeys(ref for ref, _ in rows)):
        times = refusals(ledger, refs)
        for plan in planner.plan(refs):
            for change in (*plan.parked, *plan.changes):
                key = (change.ref, change.field.name)
                if key in rows and rows[key]["after"] == change.after:
                    tried = times.get(key, (None, None, 0))[2]
                    found.append({**rows[key], "times": tried, "parked": change in plan.parked})
    return found


def _chunks(refs: Iterable[Ref]) -> Iterator[list[Ref]]:
    rest = iter(refs)
    while chunk := list(islice(rest, _REFS_AT_ONCE)):
        yield chunk


def _by_connection(ledger: Ledger, sql: str) -> dict[str, int]:
    return {row["connection"]: row["n"] for row in ledger.rows(sql)}


def _backup(ledger: Ledger, now: datetime) -> Row | None:
    """The newest backup. All were verified before they got their names."""
    newest = next(iter(backups_of(ledger.path)), None)
    if newest is None:
        return None
    at = made_at(newest)
    age = int((now - at).total_seconds()) if at else None
    return {"file": str(newest), "at": format_time(at) if at else None, "age_seconds": age}


def _working(ledger: Ledger, now: datetime) -> Row | None:
    """Who works on the ledger right now. `stands_still`: it shows no sign of life, and the next run takes over."""
    holder = holder_of(ledger)
    if holder is None or holder.expires_at is None:
        return None
    return {
        "pid": holder.pid,
        "host": holder.host,
        "since": format_time(holder.started_at),
        "last_seen": format_time(holder.heartbeat_at),
        "stands_still": holder.expired(now),
    }
