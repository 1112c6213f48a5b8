"""What monitoring is told, by `refloop status` and by each sync: how well the sync is, and as metrics in a file."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace

from refloop import __version__
from refloop.errors import RefloopError
from refloop.report.health import Health, health
from refloop.report.prometheus import exposition, metrics, write_metrics
from refloop.sync.plan import Planner
from refloop.sync.session import Session


def health_report(work: Session) -> Health:
    """What `refloop status` tells."""
    return health(work.ledger, Planner(work.context()), work.config.connections, work.clock())


@contextmanager
def writes_metrics(work: Session) -> Iterator[None]:
    """Leaves the metrics where `sync: prometheus` says, however the work inside ended. Raises DiskError, unless what
    happened before is more worth telling."""
    try:
        yield
    except BaseException:
        with suppress(RefloopError):
            _write_metrics(work)
        raise
    _write_metrics(work)


def _write_metrics(work: Session) -> None:
    path = work.config.sync.prometheus
    if path is not None:
        write_metrics(path, exposition(metrics(replace(health_report(work), working=None), __version__)))
