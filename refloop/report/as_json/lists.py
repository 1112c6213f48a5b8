"""What the commands that list say, a line each; and what became of an import."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from refloop.ledger.reads.codes import IssuedCode
from refloop.ledger.reads.referrals import Standing
from refloop.ledger.reads.review import OpenItem
from refloop.model import Finding, format_time
from refloop.report.as_json.values import Json, exact, place


def finding_json(connection: str, finding: Finding) -> Json:
    """A line of `check` and `provision`."""
    return {
        "connection": connection,
        "level": finding.level.value,
        "place": finding.place,
        "message": finding.message,
        "remedy": finding.remedy,
    }


def faults_json(ledger: str, faults: Iterable[str]) -> Json:
    """What `ledger verify` says."""
    return {"ledger": ledger, "faults": list(faults)}


def intake_json(counts: Mapping[str, int], bad_rows: Iterable[str], left_out: Iterable[str]) -> Json:
    """What became of the rows of an import, and which columns it did not know."""
    return {**counts, "bad_rows": list(bad_rows), "columns_left_out": list(left_out)}


def code_json(issued: IssuedCode) -> dict[str, str]:
    """A line of `codes list`, in the columns that `codes import` reads."""
    code, referrer = issued.code, issued.referrer
    return {
        "code": code.code,
        "referrer": code.referrer,
        "referrer_name": referrer.name,
        "referrer_email": referrer.email or "",
        "program": code.program,
        "valid_from": code.valid_from.isoformat() if code.valid_from else "",
        "valid_to": code.valid_to.isoformat() if code.valid_to else "",
    }


def standing_json(standing: Standing) -> Json:
    """A line of `referrals list`."""
    now = standing.now
    return {
        "referral": now.referral,
        "referrer": standing.referrer,
        "referrer_name": standing.referrer_name,
        "program": standing.program,
        "code": standing.code,
        "claimed_at": exact(standing.claimed_at),
        "status": now.status.value,
        "status_at": format_time(now.at),
        "reason": now.reason,
        "label": now.label,
    }


def open_item_json(found: OpenItem) -> Json:
    """A line of `review`."""
    item = found.item
    return {
        **place(item.ref),
        "doubt": item.reason.value,
        "field": item.field,
        "evidence": item.evidence,
        "candidates": list(item.candidates),
        "run": found.run,
    }
