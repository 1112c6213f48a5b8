"""How well the sync is, for people and for monitoring: ages, failures, what waits for somebody, quota, backups."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import islice
from pathlib import Path

from refloop.errors import Exit
from refloop.ledger.reads import Ledger
from refloop.ledger.reads.conflicts import FoundConflict, conflicts
from refloop.ledger.reads.connections import Pulled, pulled_by_connection
from refloop.ledger.reads.journal import Run, latest_runs, runs_at_the_crms
from refloop.ledger.reads.receipts import Refusal, refused, unsettled
from refloop.ledger.reads.referrers import referrers_without_contact
from refloop.ledger.reads.summary import Summary, summary
from refloop.ledger.reads.upkeep import Holder, newest_backup, worker
from refloop.model import Finding, Level, Ref, Referrer, format_time
from refloop.report.lines import MOST, ago
from refloop.sync.plan import Planner

DAY = timedelta(hours=24)
NO_FAILURE = (Exit.OK, Exit.ATTENTION, Exit.CHANGES, Exit.STALE, Exit.LATER, Exit.INTERRUPTED, Exit.TERMINATED)
"""Later: the age of the watermark says whether it became too late. Stopped: somebody wanted that."""
_REFS_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class LastError:
    """What went wrong last with a connection, and in which run. `over`: a sync went well since."""

    message: str
    at: datetime
    run: int
    over: bool


@dataclass(frozen=True, slots=True)
class ConnectionHealth:
    """What is held of a connection, how long ago it was last pulled, and how it went; None for what never happened.
    `configured`: it stands in the configuration."""

    pulled: Pulled
    age_seconds: int | None
    configured: bool
    last_success: datetime | None
    last_error: LastError | None


@dataclass(frozen=True, slots=True)
class Quota:
    """How an account's daily quota stood at the end of the last run that asked: calls `used` by everybody, `ours` by
    that run, `ours_day` by the runs of the last 24 hours, as far as the journal knows."""

    connection: str
    limit: int
    used: int
    ours: int
    ours_day: int
    at: datetime

    @property
    def others(self) -> int:
        """How many of those used were not of the last day's runs."""
        return max(0, self.used - self.ours_day)


@dataclass(frozen=True, slots=True)
class Quarantined:
    """A change that a CRM refused when it was last tried, and that is still wanted. `parked` ones were refused so often
    that they wait until the record or the wish changes; the others are tried again by the next run."""

    refusal: Refusal
    parked: bool


@dataclass(frozen=True, slots=True)
class NewestBackup:
    """The newest backup, and its age; None for a file that somebody else put there. All were verified before they got
    their names."""

    file: Path
    at: datetime | None
    age_seconds: int | None


@dataclass(frozen=True, slots=True)
class Working:
    """Who works on the ledger right now. `stands_still`: it shows no sign of life, and the next run takes over."""

    holder: Holder
    stands_still: bool


@dataclass(frozen=True, slots=True)
class LastSync:
    """The last run that had to do with a CRM; one that was killed ended when it began."""

    run: Run

    @property
    def ended_at(self) -> datetime:
        return self.run.ended_at or self.run.started_at

    @property
    def failed(self) -> bool:
        return self.run.exit not in NO_FAILURE


@dataclass(frozen=True, slots=True)
class Health:
    """Everything that `refloop status` tells. `unsettled` is by connection; `without_contact` are the referrers of
    whom no CRM has a contact."""

    connections: tuple[ConnectionHealth, ...]
    summary: Summary
    conflicts: tuple[FoundConflict, ...]
    quarantine: tuple[Quarantined, ...]
    unsettled: Mapping[str, int]
    without_contact: tuple[Referrer, ...]
    quota: tuple[Quota, ...]
    backup: NewestBackup | None
    working: Working | None
    last_run: Run | None
    last_sync: LastSync | None


def health(ledger: Ledger, planner: Planner, configured: Collection[str], now: datetime) -> Health:
    """How well the sync is now. `configured` are the names of the connections in the configuration."""
    working = _working(ledger, now)
    at_work = working is not None and not working.stands_still
    past = _past(runs_at_the_crms(ledger, at_work=at_work), configured, now)
    return Health(
        connections=tuple(_connections(ledger, past, configured, now)),
        summary=summary(ledger),
        conflicts=tuple(conflicts(ledger)),
        quarantine=tuple(quarantine(ledger, planner)),
        unsettled=unsettled(ledger),
        without_contact=tuple(referrers_without_contact(ledger)),
        quota=tuple(past.quotas()),
        backup=_backup(ledger, now),
        working=working,
        last_run=next(iter(latest_runs(ledger, 1)), None),
        last_sync=past.last,
    )


def referrer_findings(referrers: Sequence[Referrer]) -> list[Finding]:
    """A finding for each referrer without a contact, `MOST` at most, and one for how many more there are."""
    found = [
        Finding(
            Level.INFO,
            f"referrer {referrer.id}",
            "no CRM has a contact with this address" if referrer.email else "no e-mail address is known",
            "Nobody's record tells how these referrals fare. Give the contact the referrer's address as a further one, "
            "or import the code again with the right referrer_email.",
        )
        for referrer in referrers[:MOST]
    ]
    if len(referrers) > MOST:
        found.append(Finding(Level.INFO, "referrers", f"and {len(referrers) - MOST:,} more without a contact"))
    return found


def alarms(found: Health, max_age: timedelta) -> list[str]:
    """What should wake somebody: a configured connection whose last pull is older than `max_age`, and a last run
    that failed. Nothing when all is well."""
    late = [
        _lateness(one)
        for one in found.connections
        if one.configured and (one.age_seconds is None or one.age_seconds > max_age.total_seconds())
    ]
    last = found.last_sync
    return [*late, _failure(last.run)] if last and last.failed else late


def _lateness(one: ConnectionHealth) -> str:
    if one.age_seconds is None or one.pulled.at is None:
        return f"{one.pulled.connection}: never pulled"
    return f"{one.pulled.connection}: last pulled {ago(one.age_seconds)}, at {format_time(one.pulled.at)}"


def _failure(run: Run) -> str:
    how = "was killed" if run.exit is None else f"ended with exit code {run.exit}"
    return f"run {run.number} ({run.command}) {how}: {'; '.join(map(str, run.problems)) or 'see the log'}"


@dataclass
class _Past:
    """What the journal says: by connection, when a sync last went well and what went wrong last; the day's calls."""

    success: dict[str, datetime] = field(default_factory=dict)
    error: dict[str, LastError] = field(default_factory=dict)
    spent: Counter[str] = field(default_factory=Counter)
    quota: dict[str, tuple[datetime, Mapping[str, int]]] = field(default_factory=dict)
    last: LastSync | None = None

    def quotas(self) -> Iterator[Quota]:
        for name, (at, counts) in sorted(self.quota.items()):
            limit, used, ours = (counts[f"quota_{word}"] for word in ("limit", "used", "ours"))
            yield Quota(name, limit, used, ours, self.spent[name], at)


def _past(journal: Iterable[Run], names: Collection[str], now: datetime) -> _Past:
    past = _Past()
    for run in journal:
        ended_at = run.ended_at or run.started_at
        recent = now - ended_at <= DAY
        past.last = past.last or LastSync(run)
        for name in {*names, *run.counts} - {""}:
            counts = run.counts.get(name, {})
            _remember(past, name, run, ended_at)
            if recent:
                past.spent[name] += counts.get("quota_ours", 0)
            if "quota_limit" in counts:
                past.quota.setdefault(name, (ended_at, counts))
        if not recent and past.success.keys() >= set(names):
            break
    return past


def _remember(past: _Past, name: str, run: Run, ended_at: datetime) -> None:
    """Remembers how a run went for a connection: its own problem counts, and one that is no connection's."""
    problem = next((problem for problem in run.problems if problem.connection in (name, "")), None)
    if problem:
        over = name in past.success
        past.error.setdefault(name, LastError(problem.message, ended_at, run.number, over))
    elif name in run.counts and _synced(run):
        past.success.setdefault(name, ended_at)


def _synced(run: Run) -> bool:
    """Whether a run was a sync that came to its end, for those connections that had no problem."""
    return run.syncs and (run.exit in (Exit.OK, Exit.ATTENTION) or bool(run.problems))


def _connections(ledger: Ledger, past: _Past, configured: Collection[str], now: datetime) -> Iterator[ConnectionHealth]:
    known = {pulled.connection: pulled for pulled in pulled_by_connection(ledger)}
    for name in sorted({*known, *configured}):
        pulled = known.get(name, Pulled(name))
        age = _age(pulled.at, now)
        yield ConnectionHealth(pulled, age, name in configured, past.success.get(name), past.error.get(name))


def quarantine(ledger: Ledger, planner: Planner) -> Iterator[Quarantined]:
    """The changes that a CRM refused when they were last tried and that are still wanted."""
    refusals = {(refusal.ref, refusal.field): refusal for refusal in refused(ledger)}
    for refs in _chunks(dict.fromkeys(ref for ref, _ in refusals)):
        for plan in planner.plan(refs):
            for change in (*plan.parked, *plan.changes):
                refusal = refusals.get((change.ref, change.field.name))
                if refusal and refusal.after == change.after:
                    yield Quarantined(refusal, change in plan.parked)


def _chunks(refs: Iterable[Ref]) -> Iterator[list[Ref]]:
    rest = iter(refs)
    while chunk := list(islice(rest, _REFS_AT_ONCE)):
        yield chunk


def _backup(ledger: Ledger, now: datetime) -> NewestBackup | None:
    newest = newest_backup(ledger, now)
    return NewestBackup(newest.file, newest.at, _age(newest.at, now)) if newest else None


def _age(at: datetime | None, now: datetime) -> int | None:
    return int((now - at).total_seconds()) if at else None


def _working(ledger: Ledger, now: datetime) -> Working | None:
    holder = worker(ledger)
    return Working(holder, holder.expired(now)) if holder else None
