"""One run: settle, pull, decide, plan, push; one connection's trouble is not the others'."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from refloop import __version__
from refloop.connectors.base import Clock, Conditional, Connector
from refloop.errors import (
    AuthError,
    ConfigError,
    CrmUnavailable,
    DataError,
    Exit,
    RefloopError,
    StalePlan,
    TimeIsUp,
    TryLater,
)
from refloop.ledger.book import Ledger
from refloop.ledger.queue import Topic, enqueue
from refloop.ledger.rebuild import arrived, awaited
from refloop.ledger.runs import end_run, start_run
from refloop.ledger.undo import keep_undone
from refloop.model import Change, Span
from refloop.sync.decide import Decider
from refloop.sync.planner import Planner
from refloop.sync.policy import Policy, Progress, silent
from refloop.sync.pull import Puller, span_since_last
from refloop.sync.push import Pusher

Connect = Callable[[], Connector]
"""Opens a connection. What it raises concerns that connection alone."""

READ_AT_ONCE = 1000

CONNECTION_TROUBLE = (AuthError, ConfigError, CrmUnavailable, TryLater)


@dataclass(frozen=True)
class Task:
    """What a run is to do. `span` None: what is new since the last pull. `max_changes`, `max_runtime` None: no limit.
    `allow_shrink`: a connection may show far fewer records than before a rebuild."""

    command: str
    pull: bool = True
    push: bool = True
    span: Span | None = None
    max_changes: int | None = None
    max_runtime: timedelta | None = None
    allow_shrink: bool = False


@dataclass
class Report:
    """What a run did: counts by connection (and under "" what concerns all), and whose trouble it met."""

    run: int
    counts: dict[str, Counter[str]] = field(default_factory=dict)
    problems: list[tuple[str, RefloopError]] = field(default_factory=list)

    @property
    def exit(self) -> Exit:
        """The worst trouble first; else whether a person has to look."""
        if self.problems:
            return max((error.exit for _, error in self.problems), key=gravity)
        attention = ("conflicts", "refused", "parked", "unknown", "moved", "overwrote")
        if any(counts[word] for counts in self.counts.values() for word in attention):
            return Exit.ATTENTION
        return Exit.OK

    def add(self, name: str, counts: Mapping[str, int]) -> None:
        self.counts.setdefault(name, Counter()).update(counts)


def gravity(code: Exit) -> int:
    """Ranks exit codes, so that the worst of several speaks for all."""
    order = (Exit.OK, Exit.ATTENTION, Exit.LATER, Exit.UNAVAILABLE, Exit.AUTH, Exit.CONFIG)
    return order.index(code) if code in order else len(order)


class Runner:
    """Runs tasks over one ledger and its connections."""

    def __init__(
        self,
        ledger: Ledger,
        policy: Policy,
        connections: Mapping[str, Connect],
        clock: Clock,
        progress: Progress = silent,
    ) -> None:
        self._ledger = ledger
        self._policy = policy
        self._connections = connections
        self._clock = clock
        self._watcher = progress
        self._end: datetime | None = None

    def run(self, task: Task) -> Report:
        """Does the task. Trouble with one connection ends that connection's part only, and is in the report.

        Raises DiskError and LedgerError, which concern all, and TimeIsUp between two pages or batches. However it ends,
        the run is closed in the journal.
        """
        self._end = self._clock() + task.max_runtime if task.max_runtime else None
        return self._journalled(task.command, lambda report: self._work(task, report))

    def apply(self, changes: Sequence[Change]) -> Report:
        """Writes exactly these changes, after reading that each record still holds what the plan saw.

        Raises StalePlan, with nothing written anywhere, when one does not.
        """
        return self._journalled("apply", lambda report: self._apply(changes, report))

    def undo(self, changes: Sequence[Change]) -> Report:
        """Takes back what a run wrote (see `refloop.ledger.undo.undoing`), where the field still holds it.

        What is undone is not written again until the ledger wants something else there. A code that a person had typed
        and that was put back is read by the next run.
        """

        def work(report: Report) -> None:
            with self._ledger.writing():
                keep_undone(self._ledger, report.run, changes)
                enqueue(self._ledger, Topic.MATCH, {change.ref for change in changes})
            with self._connected(report) as connectors:
                self._send(connectors, report, changes)

        return self._journalled("undo", work)

    def _journalled(self, command: str, work: Callable[[Report], None]) -> Report:
        report = Report(start_run(self._ledger, command, __version__, self._clock()))
        code: int = Exit.BUG
        try:
            work(report)
            code = report.exit
        except RefloopError as error:
            code = error.exit
            raise
        except KeyboardInterrupt:
            code = Exit.INTERRUPTED
            raise
        except SystemExit as stop:
            code = stop.code if isinstance(stop.code, int) else Exit.BUG
            raise
        finally:
            problems = [f"{name}: {error.message}" for name, error in report.problems]
            end_run(self._ledger, report.run, code, report.counts, problems, self._clock())
        return report

    def _work(self, task: Task, report: Report) -> None:
        with self._connected(report) as connectors:
            if task.pull:
                self._each(connectors, report, lambda name, crm: self._settle_and_pull(task, report, name, crm))
            if self._awaits(report):
                return
            report.add("", Decider(self._ledger, report.run, self._policy, self._progress).decide())
            if task.push:
                self._guard(task)
                self._each(connectors, report, lambda name, crm: self._push(report, name, crm))

    def _apply(self, changes: Sequence[Change], report: Report) -> None:
        planned = _by_connection(changes)
        with self._connected(report) as connectors:
            if report.problems:
                return
            unknown = sorted(planned.keys() - connectors.keys())
            if unknown:
                raise StalePlan(f"the plan writes to {', '.join(unknown)}, which is not configured any more")
            for name, part in planned.items():
                _refuse_moved(connectors[name], part)
            self._send(connectors, report, changes)

    def _send(self, connectors: Mapping[str, Connector], report: Report, changes: Sequence[Change]) -> None:
        planned = _by_connection(changes)
        pusher = self._pusher(report)
        self._each(
            connectors, report, lambda name, crm: report.add(name, pusher.send(name, crm, planned.get(name, [])))
        )

    @contextmanager
    def _connected(self, report: Report) -> Iterator[dict[str, Connector]]:
        connectors: dict[str, Connector] = {}
        try:
            for name, connect in self._connections.items():
                try:
                    connectors[name] = connect()
                except CONNECTION_TROUBLE as error:
                    report.problems.append((name, error))
            yield connectors
        finally:
            for name, connector in connectors.items():
                report.add(name, {"calls": sum(connector.calls().values())})
                if usage := connector.usage():
                    report.add(name, {"quota_limit": usage.limit, "quota_used": usage.used, "quota_ours": usage.ours})
                if isinstance(connector, Conditional) and (sent := connector.unconditional()):
                    report.add(name, {"unconditional": sent})
                connector.close()

    def _each(
        self, connectors: Mapping[str, Connector], report: Report, step: Callable[[str, Connector], None]
    ) -> None:
        """Takes a step with each connection that had no trouble yet."""
        for name, connector in connectors.items():
            if any(troubled == name for troubled, _ in report.problems):
                continue
            try:
                step(name, connector)
            except (*CONNECTION_TROUBLE, DataError) as error:  # its cursor, or that it shows far less than before
                report.problems.append((name, error))

    def _settle_and_pull(self, task: Task, report: Report, name: str, connector: Connector) -> None:
        report.add(name, self._pusher(report).settle(name, connector))
        span = task.span or span_since_last(self._ledger, name)
        puller = Puller(self._ledger, report.run, self._clock, self._progress)
        report.add(name, puller.pull(name, connector, self._policy.wants, span))
        if task.span is None:
            arrived(self._ledger, name, allow_shrink=task.allow_shrink)

    def _awaits(self, report: Report) -> bool:
        """Whether records that were forgotten are not all there again: nothing is decided from half of them."""
        names = awaited(self._ledger)
        for name in set(names).difference(name for name, _ in report.problems):
            trouble = TryLater(
                "its records were forgotten by a rebuild and have not all been pulled again; nothing was decided",
                remedy="Run `refloop sync` over all connections.",
            )
            report.problems.append((name, trouble))
        return bool(names)

    def _push(self, report: Report, name: str, connector: Connector) -> None:
        pusher = self._pusher(report)
        counts = pusher.push(name, connector)
        if counts["unknown"]:
            counts["unknown"] = 0
            counts += pusher.settle(name, connector)
        report.add(name, counts)

    def _progress(self, stage: str, about: str, done: int) -> None:
        """Stages call this when something is kept: a good moment to stop."""
        self._watcher(stage, about, done)
        if self._end is not None and self._clock() >= self._end:
            raise TimeIsUp(
                "the run has taken as long as `sync: max_runtime` allows, and stopped; what was done is kept",
                remedy="The next run goes on from there.",
            )

    def _pusher(self, report: Report) -> Pusher:
        return Pusher(self._ledger, report.run, self._policy, self._clock, self._progress)

    def _guard(self, task: Task) -> None:
        if task.max_changes is None:
            return
        planned = sum(len(plan.changes) for plan in Planner(self._ledger, self._policy).plans())
        if planned > task.max_changes:
            raise ConfigError(
                f"the plan holds {planned:,} changes, more than `sync: max_changes: {task.max_changes}` allows; "
                "nothing was written",
                remedy="Look at it with `refloop plan`; if it is right, run `refloop sync --max-changes N` once.",
            )


def _by_connection(changes: Sequence[Change]) -> dict[str, list[Change]]:
    found: dict[str, list[Change]] = {}
    for change in changes:
        found.setdefault(change.ref.connection, []).append(change)
    return found


def _refuse_moved(connector: Connector, changes: Sequence[Change]) -> None:
    for start in range(0, len(changes), READ_AT_ONCE):
        part = changes[start : start + READ_AT_ONCE]
        fields = sorted({change.field for change in part}, key=lambda spec: spec.name)
        held = connector.read(sorted({change.ref for change in part}), fields)
        for change in part:
            found = held.get(change.ref)
            if found is None or found.get(change.field.name) != change.before:
                raise StalePlan(
                    f"{change.ref} has changed since the plan was made ({change.field.name}); nothing was written",
                    remedy="Make a new plan with `refloop plan -o FILE`.",
                )
