"""A configured refloop: its ledger, its policy and its connections, opened and closed together."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from refloop import log
from refloop.config import Config, load_config
from refloop.connectors.base import Clock, Connector, connector_class, settings_class
from refloop.errors import ConfigError
from refloop.ledger.store import Ledger, open_ledger
from refloop.mapping.policy import Policy
from refloop.nearest import did_you_mean
from refloop.sync.context import Expecting, Progress, RunContext, no_progress
from refloop.sync.policy import policy_of
from refloop.sync.run import Connect, Runner


def utc_now() -> datetime:
    """The present, aware and in UTC."""
    return datetime.now(UTC)


@dataclass(frozen=True)
class Session:
    """What every command works with."""

    config: Config
    policy: Policy
    ledger: Ledger
    clock: Clock
    later: list[Callable[[], object]] = field(default_factory=list)
    """What is to be done when the ledger is let go, beside the run of somebody else."""

    def context(self, run: int = 0) -> RunContext:
        """What a step of that run is handed; of no run when it only looks."""
        return RunContext(self.ledger, run, self.policy, self.clock)

    def connections(self, only: str | None = None) -> dict[str, Connect]:
        """How to open each connection, or the one named. Raises ConfigError for a name that is not configured."""
        names = self.config.connections
        if only is not None and only not in names:
            raise ConfigError(
                f"there is no connection {only!r} in {self.config.path}",
                remedy=f"Use one of: {', '.join(names)}.{did_you_mean(only, names)}",
            )
        return {name: partial(self._connect, name) for name in names if only in (None, name)}

    def _connect(self, name: str) -> Connector:
        settings = self.config.connections[name]
        return connector_class(settings.connector)(name, settings, clock=self.clock)

    def runner(self, *, only: str | None = None, progress: Progress = no_progress) -> Runner:
        """A runner over all connections, or the one named."""
        connections: Mapping[str, Connect] = self.connections(only)
        return Runner(self.ledger, self.policy, connections, self.clock, _Logged(progress))


@dataclass(frozen=True)
class _Logged:
    """Progress that is told to the log as well."""

    progress: Progress

    def __call__(self, stage: str, about: str, done: int) -> None:
        if stage == "pull":
            log.info("page kept", connection=about, records=done)
        elif stage == "push":
            log.info("batch pushed", connection=about, changes=done)
        else:
            log.debug("chunk decided", stage=stage, names=done)
        self.progress(stage, about, done)

    def expect(self, stage: str, about: str, total: int) -> None:
        if isinstance(self.progress, Expecting):
            self.progress.expect(stage, about, total)


@contextmanager
def session(config: Config, clock: Clock = utc_now, *, doubted: bool = False) -> Iterator[Session]:
    """Opens what a configuration names; its ledger may be `doubted` (see `open_ledger`). Raises what opening the ledger
    raises."""
    ledger = open_ledger(config.ledger, doubted=doubted)
    try:
        yield Session(config, policy_of(config), ledger, clock)
    finally:
        ledger.close()


def read_config(path: Path) -> Config:
    """Reads config.yaml with the settings of the installed connectors. Raises ConfigError with all its faults."""
    return load_config(path, settings_class)
