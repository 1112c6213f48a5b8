"""One run: settle, pull, decide, plan, push; one connection's trouble is not the others'."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta

from refloop import __version__
from refloop.connectors.base import Clock, Conditional, Connector
from refloop.errors import (
    AuthError,
    ConfigError,
    ConnectorFault,
    CrmUnavailable,
    DataError,
    Exit,
    OtherAccount,
    RefloopError,
    SourceShrunk,
    StalePlan,
    TryLater,
)
from refloop.ledger.figures import keep_figures
from refloop.ledger.other_ledger import other_ledger_on
from refloop.ledger.other_ledger import take_over as claim
from refloop.ledger.queue import Topic, enqueue, next_refs
from refloop.ledger.rebuild import awaited
from refloop.ledger.receipts import all_written
from refloop.ledger.runs import end_run, start_run
from refloop.ledger.store import Ledger
from refloop.ledger.undo import keep_undone
from refloop.mapping.policy import Policy
from refloop.model import FieldChange, Problem, Span
from refloop.sync.account import confirm_account
from refloop.sync.context import Budget, Progress, RunContext, no_progress
from refloop.sync.describe import learn_labels
from refloop.sync.history import Historian
from refloop.sync.plan import Planner
from refloop.sync.pull import Puller
from refloop.sync.push import Pusher
from refloop.sync.run_report import Report
from refloop.sync.stages import Decider

Connect = Callable[[], Connector]
"""Opens a connection. What it raises concerns that connection alone."""

READ_AT_ONCE = 1000

CONNECTION_TROUBLE = (AuthError, ConfigError, ConnectorFault, CrmUnavailable, TryLater)
"""What concerns one connection: the others go on."""


@dataclass(frozen=True)
class Task:
    """What a run is to do. `span` None: what is new since the last pull. `max_changes`, `max_runtime` None: no limit.
    `allow_shrink`: a full pull may bring far fewer records than are known. `take_over`: this ledger goes on in the
    place of another one that wrote to the account."""

    command: str
    pull: bool = True
    push: bool = True
    span: Span | None = None
    max_changes: int | None = None
    max_runtime: timedelta | None = None
    allow_shrink: bool = False
    take_over: bool = False


class Runner:
    """Runs tasks over one ledger and its connections."""

    def __init__(
        self,
        ledger: Ledger,
        policy: Policy,
        connections: Mapping[str, Connect],
        clock: Clock,
        progress: Progress = no_progress,
    ) -> None:
        self._ledger = ledger
        self._policy = policy
        self._connections = connections
        self._clock = clock
        self._progress = progress
        self.report: Report | None = None
        """What the last run did, however it ended."""

    def run(self, task: Task) -> Report:
        """Does the task. Trouble with one connection ends that connection's part only, and is in the report.

        Raises DiskError and LedgerError, which concern all, and TimeIsUp between two pages or batches. However it ends,
        the run is closed in the journal.
        """
        budget = Budget(self._clock() + task.max_runtime if task.max_runtime else None)
        return self._journalled(task.command, lambda run: run.work(task), budget)

    def apply(self, changes: Sequence[FieldChange], *, take_over: bool = False) -> Report:
        """Writes exactly these changes, after reading that each record still holds what the plan saw.

        Raises StalePlan, with nothing written anywhere, when one does not; ConfigError when another ledger has written
        there, unless this one is to `take_over`.
        """
        return self._journalled("apply", lambda run: run.apply(changes, take_over=take_over))

    def undo(self, changes: Sequence[FieldChange]) -> Report:
        """Takes back what a run wrote (see `refloop.ledger.undo.undoing`), where the field still holds it.

        What is undone is not written again until the ledger wants something else there. A code that a person had typed
        and that was put back is read by the next run.
        """
        return self._journalled("undo", lambda run: run.undo(changes))

    def _journalled(self, command: str, work: Callable[[_Run], None], budget: Budget = Budget()) -> Report:  # noqa: B008 - a frozen value
        report = self.report = Report(start_run(self._ledger, command, __version__, self._clock()))
        context = RunContext(self._ledger, report.run, self._policy, self._clock, budget, self._progress)
        code: int = Exit.BUG
        raised: list[str] = []  # what ended the run, and is no connection's
        try:
            work(_Run(context, report, self._connections))
            keep_figures(self._ledger)
            code = report.exit
        except RefloopError as error:
            code, raised = error.exit, [error.message]
            raise
        except KeyboardInterrupt:
            code, raised = Exit.INTERRUPTED, [Exit.INTERRUPTED.meaning]
            raise
        except SystemExit as stop:
            code = stop.code if isinstance(stop.code, int) else Exit.BUG
            raised = [Exit.TERMINATED.meaning]
            raise
        except Exception as error:
            raised = [f"{Exit.BUG.meaning} ({type(error).__name__})"]  # its own words may hold a person's data
            raise
        finally:
            problems = [Problem(name, error.message) for name, error in report.problems]
            problems += [Problem("", message) for message in raised]
            end_run(self._ledger, report.run, code, report.counts, problems, self._clock())
        return report


class _Run:
    """One run, from its number in the journal to its end."""

    def __init__(self, context: RunContext, report: Report, connections: Mapping[str, Connect]) -> None:
        self._context = context
        self._ledger = context.ledger
        self._report = report
        self._connections = connections

    def work(self, task: Task) -> None:
        with self._connected() as connectors:
            if task.pull:
                self._each(connectors, lambda name, crm: self._settle_and_pull(task, name, crm))
            if self._awaits():
                return
            with self._report.counting("", Decider(self._context)) as decider:
                decider.match()
                if task.pull:
                    self._each(connectors, self._ask_history)
                decider.decide()
            self._each(connectors, self._learn_labels)
            if task.push:
                self._guard(task)
                self._each(connectors, lambda name, crm: self._push(task, name, crm))

    def apply(self, changes: Sequence[FieldChange], *, take_over: bool) -> None:
        planned = _by_connection(changes)
        with self._report.counting_unsent(planned), self._connected() as connectors:
            if self._report.problems:
                return
            unknown = sorted(planned.keys() - connectors.keys())
            if unknown:
                raise StalePlan(f"the plan writes to {', '.join(unknown)}, which is not configured any more")
            for name, part in planned.items():
                self._refuse_second_ledger(name, take_over=take_over)
                _refuse_moved(connectors[name], part)
            self._send(connectors, changes)

    def undo(self, changes: Sequence[FieldChange]) -> None:
        with self._report.counting_unsent(_by_connection(changes)), self._connected() as connectors:
            with self._ledger.writing():
                keep_undone(self._ledger, self._report.run, changes)
                enqueue(self._ledger, Topic.MATCH, {change.ref for change in changes})
            # an undo that was cut short wrote what nothing is known of yet; looked at by the push, that would
            # count as somebody else's, and an undo of this run would leave it
            self._each(connectors, self._settle)
            self._send(connectors, self._not_done(changes))

    def _not_done(self, changes: Sequence[FieldChange]) -> list[FieldChange]:
        """Those that are not what was written last: what was just settled is not to be written down as sent again."""
        wrote = all_written(self._ledger, {change.ref for change in changes})
        return [
            change
            for change in changes
            if wrote.get(change.ref, {}).get(change.field.name, change.before) != change.after
        ]

    def _send(self, connectors: Mapping[str, Connector], changes: Sequence[FieldChange]) -> None:
        planned = _by_connection(changes)

        def send(name: str, connector: Connector) -> None:
            self._context.expects("push", name, len(planned.get(name, [])))
            with self._report.counting(name, Pusher(self._context)) as pusher:
                pusher.send(name, connector, planned.get(name, []))
            self._report.pushed.add(name)

        self._each(connectors, send)

    @contextmanager
    def _connected(self) -> Iterator[dict[str, Connector]]:
        report = self._report
        connectors: dict[str, Connector] = {}
        try:
            for name, connect in self._connections.items():
                try:
                    connectors[name] = connect()
                    confirm_account(self._context, name, connectors[name])
                except (*CONNECTION_TROUBLE, OtherAccount) as error:
                    report.met(name, error)
            yield connectors
        finally:
            for name, connector in connectors.items():
                report.add(name, {"calls": sum(connector.calls().values())})
                if usage := connector.usage():
                    report.add(name, {"quota_limit": usage.limit, "quota_used": usage.used, "quota_ours": usage.ours})
                if isinstance(connector, Conditional) and (sent := connector.unconditional()):
                    report.add(name, {"unconditional": sent})
                connector.close()

    def _each(self, connectors: Mapping[str, Connector], step: Callable[[str, Connector], None]) -> None:
        """Takes a step with each connection that had no trouble yet."""
        for name, connector in connectors.items():
            if self._report.troubled(name):
                continue
            try:
                step(name, connector)
            except (*CONNECTION_TROUBLE, DataError) as error:  # its cursor, or that it shows far less than before
                self._report.met(name, error)

    def _settle_and_pull(self, task: Task, name: str, connector: Connector) -> None:
        """Trouble in settling (a field of ours that is gone, say) keeps this run from writing there, not from reading:
        it is raised after the pull, where that has no trouble of its own."""
        trouble: RefloopError | None = None
        try:
            self._settle(name, connector)
        except CONNECTION_TROUBLE as error:
            trouble = error
        with self._report.counting(name, Puller(self._context)) as puller:
            puller.pull_guarded(name, connector, task)
        if trouble is not None:
            raise trouble

    def _ask_history(self, name: str, connector: Connector) -> None:
        with self._report.counting(name, Historian(self._context)) as historian:
            historian.ask(name, connector)

    def _learn_labels(self, name: str, connector: Connector) -> None:
        if said := learn_labels(self._context, name, connector):
            self._report.notes.append((name, said))

    def _settle(self, name: str, connector: Connector) -> None:
        with self._report.counting(name, Pusher(self._context)) as pusher:
            pusher.settle(name, connector)

    def _awaits(self) -> bool:
        """Whether a full pull is not through, or was not believed: nothing is decided from half of the records."""
        report, names = self._report, awaited(self._ledger)
        for name in names:
            if not report.troubled(name):
                trouble = TryLater(
                    "a full pull of its records has begun and is not through yet; nothing was decided",
                    remedy="Run `refloop sync` over all connections.",
                )
                report.met(name, trouble)
        return bool(names) or any(isinstance(error, SourceShrunk) for _, error in report.problems)

    def _refuse_second_ledger(self, name: str, *, take_over: bool) -> None:
        other = other_ledger_on(self._ledger, name, self._context.policy.names("id"))
        if other is None:
            return
        if not take_over:
            raise ConfigError(
                f"another ledger of refloop has written to {other.records:,} records here, for example "
                f"{other.example}; this one never has, and wrote nothing",
                remedy="Two ledgers on one account work against each other. If the other one was lost, put its backup "
                "back (`refloop ledger restore`); if there is none, run `refloop sync --take-over` once.",
            )
        claim(self._ledger, name)

    def _push(self, task: Task, name: str, connector: Connector) -> None:
        if next_refs(self._ledger, Topic.PLAN, 1, connection=name):
            self._refuse_second_ledger(name, take_over=task.take_over)
        with self._report.counting(name, Pusher(self._context)) as pusher:
            pusher.push(name, connector)
            if pusher.counts["unknown"]:
                pusher.settle(name, connector)
        self._report.pushed.add(name)

    def _guard(self, task: Task) -> None:
        if task.max_changes is None:
            return
        by_connection: Counter[str] = Counter()
        for plan in Planner(self._context).plans():
            by_connection[plan.ref.connection] += len(plan.changes)
            self._context.expects("push", plan.ref.connection, by_connection[plan.ref.connection])
        planned = by_connection.total()
        if planned > task.max_changes:
            for name, count in by_connection.items():
                self._report.add(name, {"planned": count, "unsent": count})
            raise ConfigError(
                f"the plan holds {planned:,} changes, more than `sync: max_changes: {task.max_changes}` allows; "
                "nothing was written",
                remedy="Look at it with `refloop plan`; if it is right, run `refloop sync --max-changes N` once.",
            )


def _by_connection(changes: Sequence[FieldChange]) -> dict[str, list[FieldChange]]:
    found: dict[str, list[FieldChange]] = {}
    for change in changes:
        found.setdefault(change.ref.connection, []).append(change)
    return found


def _refuse_moved(connector: Connector, changes: Sequence[FieldChange]) -> None:
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
