"""What `status` says."""

from __future__ import annotations

from collections.abc import Iterable

from refloop.model import format_time
from refloop.report.as_json.run import conflict_json, journal_json, run_json, summary_json
from refloop.report.as_json.values import Json, place, time_or_none
from refloop.report.health import ConnectionHealth, Health, LastSync, NewestBackup, Quarantined, Quota, Working


def health_json(health: Health, alarms: Iterable[str]) -> Json:
    """What `status` says."""
    return {
        "connections": [_connection(found) for found in health.connections],
        "summary": summary_json(health.summary),
        "conflicts": [conflict_json(found) for found in health.conflicts],
        "quarantine": [_quarantined(change) for change in health.quarantine],
        "unsettled": health.unsettled,
        "without_contact": [
            {"referrer": one.id, "name": one.name, "email": one.email} for one in health.without_contact
        ],
        "quota": [_quota(quota) for quota in health.quota],
        "backup": _backup(health.backup) if health.backup else None,
        "working": _working(health.working) if health.working else None,
        "last_run": run_json(health.last_run) if health.last_run else None,
        "last_sync": _last_sync(health.last_sync) if health.last_sync else None,
        "alarms": list(alarms),
    }


def _connection(found: ConnectionHealth) -> Json:
    pulled, error = found.pulled, found.last_error
    return {
        "leads": pulled.leads,
        "contacts": pulled.contacts,
        "deals": pulled.deals,
        "pulled_at": time_or_none(pulled.at),
        "age_seconds": found.age_seconds,
        "connection": pulled.connection,
        "configured": found.configured,
        "last_success": time_or_none(found.last_success),
        "last_error": {"message": error.message, "at": format_time(error.at), "run": error.run, "over": error.over}
        if error
        else None,
    }


def _quarantined(change: Quarantined) -> Json:
    refusal = change.refusal
    return {
        **place(refusal.ref),
        "field": refusal.field,
        "after": refusal.after,
        "reason": refusal.reason,
        "run": refusal.run,
        "at": format_time(refusal.at),
        "times": refusal.times,
        "parked": change.parked,
    }


def _quota(quota: Quota) -> Json:
    return {
        "connection": quota.connection,
        "limit": quota.limit,
        "used": quota.used,
        "ours": quota.ours,
        "ours_day": quota.ours_day,
        "others": quota.others,
        "at": format_time(quota.at),
    }


def _backup(backup: NewestBackup) -> Json:
    return {"file": str(backup.file), "at": time_or_none(backup.at), "age_seconds": backup.age_seconds}


def _working(working: Working) -> Json:
    holder = working.holder
    return {
        "pid": holder.pid,
        "host": holder.host,
        "since": format_time(holder.started_at),
        "last_seen": format_time(holder.heartbeat_at),
        "stands_still": working.stands_still,
    }


def _last_sync(last: LastSync) -> Json:
    return {**journal_json(last.run), "failed": last.failed}
