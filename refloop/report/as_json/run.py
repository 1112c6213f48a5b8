"""What a plan and a run say, and the figures of the whole ledger."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal

from refloop.ledger.reads.conflicts import FoundConflict
from refloop.ledger.reads.journal import Run, Wrote
from refloop.ledger.reads.receipts import Overwritten
from refloop.ledger.reads.summary import Summary
from refloop.mapping.money import money_text
from refloop.model import FieldChange, ReviewReason, format_time
from refloop.report.as_json.values import Json, place, time_or_none
from refloop.sync.planfile import as_row
from refloop.sync.run_report import Report


def plan_json(
    changes: Iterable[FieldChange], conflicts: Iterable[FoundConflict], review: Mapping[ReviewReason, int]
) -> Json:
    """What `plan` says."""
    return {
        "changes": [as_row(change) for change in changes],
        "conflicts": [conflict_json(found) for found in conflicts],
        "review": review_json(review),
    }


def report_json(report: Report, summary: Summary) -> Json:
    """What a sync, a backfill or an apply says when it has ended."""
    return {
        "run": report.run,
        "exit": int(report.exit),
        "connections": {name: counts for name, counts in report.counts.items() if name},
        "decided": report.counts.get("", {}),
        "problems": [
            {"connection": name, "message": error.message, "remedy": error.remedy, "exit": int(error.exit)}
            for name, error in report.problems
        ],
        "summary": summary_json(summary),
    }


def run_json(run: Run) -> Json:
    """A run with what does not add up in its counts."""
    return {**journal_json(run), "imbalances": run.imbalances}


def wrote_json(wrote: Wrote) -> Json:
    """A line of `runs`."""
    what = {name: getattr(wrote, name) for name in ("fields", "records", "refused", "conflicts")}
    return {**run_json(wrote.run), "wrote": what}


def journal_json(run: Run) -> Json:
    """A run as the journal has it."""
    return {
        "run": run.number,
        "command": run.command,
        "version": run.version,
        "started_at": format_time(run.started_at),
        "ended_at": time_or_none(run.ended_at),
        "exit": run.exit,
        "counts": run.counts,
        "problems": [str(problem) for problem in run.problems],
    }


def conflict_json(found: FoundConflict) -> Json:
    """A conflict; without a run where a plan would find it."""
    conflict = found.conflict
    shown = {
        **place(conflict.ref),
        "field": conflict.field,
        "wrote": conflict.wrote,
        "found": conflict.found,
        "want": conflict.want,
        "why": conflict.why,
    }
    return shown if found.run is None else {**shown, "run": found.run}


def summary_json(summary: Summary) -> Json:
    """The figures of the whole ledger."""
    return {
        "referrals": summary.referrals,
        "open": summary.open,
        "won": summary.won,
        "lost": summary.lost,
        "by_status": {status.value: count for status, count in summary.by_status.items()},
        "not_counted": {status.value: count for status, count in summary.not_counted.items()},
        "won_amount": _amounts(summary.won_amount),
        "open_amount": _amounts(summary.open_amount),
        "renewed_amount": _amounts(summary.renewed_amount),
        "won_without_buyer": dict(summary.won_without_buyer),
        "review": review_json(summary.review),
        "conflicts": summary.conflicts,
        "refused": summary.refused,
        "unsettled": summary.unsettled,
        "overwritten": [_overwritten(one) for one in summary.overwritten],
    }


def review_json(counts: Mapping[ReviewReason, int]) -> Json:
    """How much is open, by why."""
    return {reason.value: count for reason, count in counts.items()}


def _amounts(amounts: Mapping[str, Decimal]) -> Json:
    return {currency: money_text(amount, currency) for currency, amount in amounts.items()}


def _overwritten(one: Overwritten) -> Json:
    return {
        **place(one.ref),
        "field": one.field,
        "found": one.found,
        "wrote": one.wrote,
        "run": one.run,
        "at": format_time(one.at),
    }
