"""What is told of that which was found: of one thing its story, of several a list to pick from."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console

from refloop.ledger.reads import Ledger
from refloop.ledger.reads.explain import RecordStory, record_story, referral_story
from refloop.ledger.reads.find import Hits
from refloop.ledger.reads.holders import CompanyRecord, code_story, company_story, referrals_on, referrer_story
from refloop.model import Record
from refloop.report.as_json.found import code_story_json, company_story_json, hits_json, referrer_story_json
from refloop.report.as_json.story import record_story_json, referral_story_json
from refloop.report.display import Display
from refloop.report.lines import MOST
from refloop.report.text.found import print_hits
from refloop.report.text.story import (
    print_code_story,
    print_company_story,
    print_record_story,
    print_referral_story,
    print_referrer_story,
)


def print_found(console: Console, ledger: Ledger, text: str, hits: Hits, display: Display) -> None:
    """Prints the story of the one thing that was found, else a list of them."""
    if len(hits) > 1 or hits.more:
        print_hits(console, text, hits, _with_referrals(ledger, hits.records), display)
        return
    for story in _stories(ledger, hits.records):
        print_record_story(console, story, display)
    for company in hits.companies:
        print_company_story(console, company_story(ledger, company), display)
    for code in hits.codes:
        print_code_story(console, code_story(ledger, code, MOST), display)
    for referrer in hits.referrers:
        if found := referrer_story(ledger, referrer.id, MOST):
            print_referrer_story(console, found, display)
    for name in hits.referrals:
        if referral := referral_story(ledger, name):
            print_referral_story(console, referral, display)


def found_json(ledger: Ledger, hits: Hits, display: Display) -> object:
    """The same for a script: of records a list of their stories, of another thing its story; of things of several
    kinds, and of several that are no records, what there is of each kind."""
    if len(hits) == len(hits.records):
        return [record_story_json(story, display) for story in _stories(ledger, hits.records)]
    if len(hits) > 1:
        return hits_json(hits, _with_referrals(ledger, hits.records))
    for company in hits.companies:
        return company_story_json(company_story(ledger, company))
    for code in hits.codes:
        return code_story_json(code_story(ledger, code))
    for referrer in hits.referrers:
        if found := referrer_story(ledger, referrer.id):
            return referrer_story_json(found)
    (name,) = hits.referrals
    referral = referral_story(ledger, name)
    return referral_story_json(referral) if referral else None


def _stories(ledger: Ledger, records: Sequence[Record]) -> list[RecordStory]:
    return [story for record in records if (story := record_story(ledger, record.ref))]


def _with_referrals(ledger: Ledger, records: Sequence[Record]) -> list[CompanyRecord]:
    return [CompanyRecord(record, tuple(referrals_on(ledger, record.ref))) for record in records]
