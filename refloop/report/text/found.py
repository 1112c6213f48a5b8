"""Several things that somebody may have meant, and how to pick one."""

from __future__ import annotations

from rich.console import Console

from refloop.ledger.reads.find import Company, Hits
from refloop.ledger.reads.holders import CompanyRecord
from refloop.report.display import Display
from refloop.report.lines import say, section
from refloop.report.text.story import heading


def print_hits(console: Console, text: str, hits: Hits, records: list[CompanyRecord], display: Display) -> None:
    """Prints what a text may mean, kind by kind, each with what to type to have it alone. `records`: those of the hits,
    with the referrals that they belong to."""
    say(console, f"{text} may be:", "bold")
    section(console, "records", [_record(found, display) for found in records])
    section(console, "companies", [f"{_company(company)}" for company in hits.companies])
    section(console, "codes", [f"code:{code.code}  of {code.referrer}, {code.program}" for code in hits.codes])
    section(console, "referrers", [f"referrer:{one.id}  {one.name}".rstrip() for one in hits.referrers])
    section(console, "referrals", list(hits.referrals))
    if hits.more:
        say(console, "  there are more: type more of it", "yellow")
    say(console, "Pick one: `refloop explain` and what its line begins with.")


def _record(found: CompanyRecord, display: Display) -> str:
    record = found.record
    mail = f" <{record.email}>" if record.email else ""
    referrals = f"  {', '.join(found.referrals)}" if found.referrals else ""
    gone = ", deleted" if record.deleted else ""
    address = display.address_of(record.ref)
    return f"{record.ref}  {heading(record)}{mail}{gone}{referrals}" + (f"  {address}" if address else "")


def _company(company: Company) -> str:
    if company.account:
        return f"company:{company.account}  {company.name} in {company.connection}"
    return f"'company:{company.name}'"
