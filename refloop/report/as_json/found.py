"""Several things that somebody may have meant; and what a code, a referrer, a company has."""

from __future__ import annotations

from refloop.ledger.reads.find import Company, Hits
from refloop.ledger.reads.holders import CodeStory, CompanyRecord, CompanyStory, Referrals, ReferrerStory
from refloop.model import Code, Referrer
from refloop.report.as_json.lists import standing_json
from refloop.report.as_json.values import Json, place


def hits_json(hits: Hits, records: list[CompanyRecord]) -> Json:
    """What a text may mean, where that is of several kinds."""
    return {
        "records": [_record(found) for found in records],
        "companies": [_company(company) for company in hits.companies],
        "codes": [_code(code) for code in hits.codes],
        "referrers": [_referrer(referrer) for referrer in hits.referrers],
        "referrals": list(hits.referrals),
        "more": hits.more,
    }


def referrer_story_json(story: ReferrerStory) -> Json:
    """What `explain` says of a referrer."""
    return {
        "referrer": _referrer(story.referrer),
        "records": [place(ref) for ref in story.records],
        "codes": [_code(code) for code in story.codes],
        "referrals": _referrals(story.referrals),
    }


def code_story_json(story: CodeStory) -> Json:
    """What `explain` says of a code."""
    return {
        "code": _code(story.code),
        "referrer": _referrer(story.referrer),
        "referrals": _referrals(story.referrals),
    }


def company_story_json(story: CompanyStory) -> Json:
    """What `explain` says of a company."""
    return {
        "company": _company(story.company),
        "people": [_record(one) for one in story.people],
        "deals": [_record(one) for one in story.deals],
        "more": story.more,
    }


def _referrals(referrals: Referrals) -> Json:
    return {
        "total": referrals.total,
        "by_status": {status.value: count for status, count in referrals.by_status.items()},
        "list": [standing_json(standing) for standing in referrals.latest],
    }


def _record(found: CompanyRecord) -> Json:
    record = found.record
    return {
        **place(record.ref),
        "name": record.name,
        "title": record.title,
        "email": record.email,
        "stage": record.stage,
        "outcome": record.outcome.value if record.outcome else None,
        "deleted": record.deleted,
        "referrals": list(found.referrals),
    }


def _company(company: Company) -> Json:
    return {"name": company.name, "connection": company.connection or None, "account": company.account or None}


def _code(code: Code) -> Json:
    return {
        "code": code.code,
        "code_key": code.key,
        "referrer": code.referrer,
        "program": code.program,
        "valid_from": code.valid_from.isoformat() if code.valid_from else None,
        "valid_to": code.valid_to.isoformat() if code.valid_to else None,
    }


def _referrer(referrer: Referrer) -> Json:
    return {"referrer": referrer.id, "name": referrer.name, "email": referrer.email}
