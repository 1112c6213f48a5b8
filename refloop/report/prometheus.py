"""The health of the sync as a Prometheus text file, for the textfile collector of node_exporter.

The format: https://prometheus.io/docs/instrumenting/exposition_formats/#text-based-format
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from refloop.atomic_file import is_regular, replacing
from refloop.errors import DiskError
from refloop.model import Ref
from refloop.report.health import ConnectionHealth, Health, LastSync, NewestBackup, Quota

Labels = Mapping[str, str]
Samples = tuple[tuple[Labels, float], ...]


@dataclass(frozen=True, slots=True)
class Metric:
    """One gauge with its samples: (labels, value)."""

    name: str
    help: str
    samples: Samples


def metrics(health: Health, version: str) -> list[Metric]:
    """The health of the sync as gauges. Times are Unix seconds; what never happened is left out."""
    summary, quota, last = health.summary, health.quota, health.last_sync
    refused = [(change.refusal.ref, change.parked) for change in health.quarantine]
    return [
        Metric("info", "The version of refloop that wrote this file.", (({"version": version}, 1),)),
        Metric("pull_timestamp_seconds", "When a page was last pulled.", _times(health, _pulled_at)),
        Metric("success_timestamp_seconds", "When a sync last went well.", _times(health, _succeeded_at)),
        Metric("error_timestamp_seconds", "When something last went wrong.", _times(health, _failed_at)),
        Metric("records", "Records that the ledger holds.", tuple(_records(health.connections))),
        Metric("last_run_timestamp_seconds", "When a run last ended.", _single(_ended_at(last))),
        Metric("last_run_exit_code", "How it ended; -1 if it was killed.", _single(_exit(last))),
        Metric("last_run_failed", "1 if it failed.", _single(float(last.failed) if last else None)),
        Metric(
            "conflicts",
            "Fields where a person wrote something else.",
            _counts(health, (found.conflict.ref for found in health.conflicts)),
        ),
        Metric("quarantined_changes", "Changes that the CRM refused.", _counts(health, (ref for ref, _ in refused))),
        Metric(
            "parked_changes",
            "Of these, those that are not tried again.",
            _counts(health, (ref for ref, parked in refused if parked)),
        ),
        Metric(
            "overwritten_values",
            "Values of a person that stand overwritten.",
            _counts(health, (one.ref for one in summary.overwritten)),
        ),
        Metric("unsettled_changes", "Changes that were sent and whose fate is unknown.", _unsettled(health)),
        Metric("review", "Records that refloop left for a person to decide.", _by("doubt", summary.review.items())),
        Metric(
            "won_without_buyer",
            "Won deals on which nobody stands, which no credit reaches.",
            _by("connection", _each(health, summary.won_without_buyer).items()),
        ),
        Metric("referrals", "Referrals that count.", _by("status", summary.by_status.items())),
        Metric(
            "quota_limit_calls",
            "Calls that the account allows a day.",
            _by("connection", ((account.connection, account.limit) for account in quota)),
        ),
        Metric("quota_used_calls", "Calls of the day, as the CRM last said.", tuple(_used(quota))),
        Metric("backup_timestamp_seconds", "When the newest backup was made.", _single(_backed_up_at(health.backup))),
        Metric("run_in_progress", "1 while a run works on the ledger.", (({}, float(health.working is not None)),)),
    ]


def exposition(found: Iterable[Metric]) -> str:
    """The text of a Prometheus file. A metric without samples is left out."""
    return "".join(line for metric in found if metric.samples for line in _lines(metric))


def write_metrics(path: Path, text: str) -> None:
    """Puts the text in place in one step, readable by all: another user's collector reads it. Raises DiskError."""
    try:
        if not is_regular(path):
            raise DiskError(f"cannot write the metrics {path}: it is not a regular file")
        with replacing(path, mode=0o644) as file:
            file.write(text)
    except OSError as error:
        raise DiskError(
            f"cannot write the metrics {path}: {error.strerror}", remedy="Make its folder writable for refloop's user."
        ) from error


def _lines(metric: Metric) -> Iterator[str]:
    name = f"refloop_{metric.name}"
    yield f"# HELP {name} {_escaped(metric.help)}\n"
    yield f"# TYPE {name} gauge\n"
    for labels, value in metric.samples:
        pairs = ",".join(f'{label}="{_quoted(text)}"' for label, text in labels.items())
        yield f"{name}{{{pairs}}} {value:.15g}\n" if pairs else f"{name} {value:.15g}\n"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("\n", "\\n")


def _quoted(text: str) -> str:
    return _escaped(text).replace('"', '\\"')


def _times(health: Health, of: Callable[[ConnectionHealth], datetime | None]) -> Samples:
    moments = [(found.pulled.connection, of(found)) for found in health.connections]
    return tuple(({"connection": name}, moment.timestamp()) for name, moment in moments if moment)


def _pulled_at(found: ConnectionHealth) -> datetime | None:
    return found.pulled.at


def _succeeded_at(found: ConnectionHealth) -> datetime | None:
    return found.last_success


def _failed_at(found: ConnectionHealth) -> datetime | None:
    return found.last_error.at if found.last_error else None


def _ended_at(last: LastSync | None) -> float | None:
    return last.ended_at.timestamp() if last else None


def _backed_up_at(backup: NewestBackup | None) -> float | None:
    return backup.at.timestamp() if backup and backup.at else None


def _exit(last: LastSync | None) -> float | None:
    if last is None:
        return None
    return -1 if last.run.exit is None else float(last.run.exit)


def _single(value: float | None) -> Samples:
    return () if value is None else (({}, value),)


def _records(connections: Iterable[ConnectionHealth]) -> Iterator[tuple[Labels, float]]:
    for pulled in (found.pulled for found in connections):
        for kind, count in (("lead", pulled.leads), ("contact", pulled.contacts), ("deal", pulled.deals)):
            yield {"connection": pulled.connection, "kind": kind}, float(count)


def _counts(health: Health, refs: Iterable[Ref]) -> Samples:
    """How many of the records each connection has, 0 included: an alert needs to see that it is over."""
    counts = {found.pulled.connection: 0 for found in health.connections}
    return _by("connection", {**counts, **Counter(ref.connection for ref in refs)}.items())


def _unsettled(health: Health) -> Samples:
    return _by("connection", _each(health, health.unsettled).items())


def _each(health: Health, counts: Mapping[str, int]) -> dict[str, int]:
    return {**{found.pulled.connection: 0 for found in health.connections}, **counts}


def _by(label: str, counts: Iterable[tuple[str, int]]) -> Samples:
    return tuple(({label: str(name)}, float(count)) for name, count in counts)


def _used(quota: Iterable[Quota]) -> Iterator[tuple[Labels, float]]:
    for account in quota:
        yield {"connection": account.connection, "by": "refloop"}, float(account.ours_day)
        yield {"connection": account.connection, "by": "others"}, float(account.others)
