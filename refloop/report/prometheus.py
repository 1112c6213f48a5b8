"""The health of the sync as a Prometheus text file, for the textfile collector of node_exporter.

The format: https://prometheus.io/docs/instrumenting/exposition_formats/#text-based-format
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from refloop.atomic_file import is_regular, replacing
from refloop.errors import DiskError
from refloop.model import parse_time

Row = Mapping[str, Any]
Labels = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Metric:
    """One gauge with its samples: (labels, value)."""

    name: str
    help: str
    samples: tuple[tuple[Labels, float], ...]


def metrics(told: Row, version: str) -> list[Metric]:
    """What `refloop.report.health.health` told, as gauges. Times are Unix seconds; what never happened is left out."""
    connections, quota = told["connections"], told["quota"]
    parked = [row for row in told["quarantine"] if row["parked"]]
    overwritten = told["summary"]["overwritten"]
    last, backup = told["last_sync"], told["backup"]
    return [
        Metric("info", "The version of refloop that wrote this file.", (({"version": version}, 1),)),
        Metric("pull_timestamp_seconds", "When a page was last pulled.", _times(connections, "pulled_at")),
        Metric("success_timestamp_seconds", "When a sync last went well.", _times(connections, "last_success")),
        Metric("error_timestamp_seconds", "When something last went wrong.", _errors(connections)),
        Metric("records", "Records that the ledger holds.", tuple(_records(connections))),
        Metric("last_run_timestamp_seconds", "When a run last ended.", _single(last and _seconds(last["ended_at"]))),
        Metric("last_run_exit_code", "How it ended; -1 if it was killed.", _single(_exit(last))),
        Metric("last_run_failed", "1 if it failed.", _single(last and float(last["failed"]))),
        Metric("conflicts", "Fields where a person wrote something else.", _counts(told["conflicts"], connections)),
        Metric("quarantined_changes", "Changes that the CRM refused.", _counts(told["quarantine"], connections)),
        Metric("parked_changes", "Of these, those that are not tried again.", _counts(parked, connections)),
        Metric("overwritten_values", "Values of a person that stand overwritten.", _counts(overwritten, connections)),
        Metric("unsettled_changes", "Changes that were sent and whose fate is unknown.", _unsettled(told)),
        Metric("review", "Records that refloop left for a person to decide.", _by(told, "review", "doubt")),
        Metric("referrals", "Referrals that count.", _by(told, "by_status", "status")),
        Metric("quota_limit_calls", "Calls that the account allows a day.", _values(quota, "limit")),
        Metric("quota_used_calls", "Calls of the day, as the CRM last said.", tuple(_used(quota))),
        Metric("backup_timestamp_seconds", "When the newest backup was made.", _single(_at(backup))),
        Metric("run_in_progress", "1 while a run works on the ledger.", (({}, float(told["working"] is not None)),)),
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


Samples = tuple[tuple[Labels, float], ...]


def _seconds(at: str) -> float:
    return parse_time(at).timestamp()


def _at(backup: Row | None) -> float | None:
    return _seconds(backup["at"]) if backup and backup["at"] else None


def _exit(last: Row | None) -> float | None:
    if last is None:
        return None
    return -1 if last["exit"] is None else float(last["exit"])


def _single(value: float | None) -> Samples:
    return () if value is None else (({}, value),)


def _values(rows: Iterable[Row], column: str) -> Samples:
    return tuple(({"connection": row["connection"]}, float(row[column])) for row in rows)


def _times(rows: Iterable[Row], column: str) -> Samples:
    return tuple(({"connection": row["connection"]}, _seconds(row[column])) for row in rows if row[column])


def _errors(rows: Iterable[Row]) -> Samples:
    return _times(({"connection": row["connection"], "at": (row["last_error"] or {}).get("at")} for row in rows), "at")


def _records(rows: Iterable[Row]) -> Iterator[tuple[Labels, float]]:
    for row in rows:
        for kind in ("lead", "contact", "deal"):
            yield {"connection": row["connection"], "kind": kind}, float(row[f"{kind}s"])


def _counts(rows: Iterable[Row], connections: Iterable[Row]) -> Samples:
    """How many rows each connection has, 0 included: an alert needs to see that it is over."""
    counts = {row["connection"]: 0 for row in connections}
    for row in rows:
        counts[row["connection"]] = counts.get(row["connection"], 0) + 1
    return tuple(({"connection": name}, float(count)) for name, count in counts.items())


def _unsettled(told: Row) -> Samples:
    counts = {row["connection"]: 0 for row in told["connections"]} | told["unsettled"]
    return tuple(({"connection": name}, float(count)) for name, count in counts.items())


def _by(told: Row, what: str, label: str) -> Samples:
    return tuple(({label: name}, float(count)) for name, count in told["summary"][what].items())


def _used(quota: Iterable[Row]) -> Iterator[tuple[Labels, float]]:
    for row in quota:
        yield {"connection": row["connection"], "by": "refloop"}, float(row["ours_day"])
        yield {"connection": row["connection"], "by": "others"}, float(row["others"])
