"""What a referrer, a code, a company has: its referrals and where each stands, its records."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from refloop.ledger.codes import code_from, referrer_of
from refloop.ledger.identity import stands_of
from refloop.ledger.reads.find import Company
from refloop.ledger.reads.referrals import Standing, standing_from
from refloop.ledger.record_rows import record_from
from refloop.ledger.records import record_of
from refloop.ledger.store import Ledger, ref_of
from refloop.mapping.meant import spellings
from refloop.model import Code, Kind, Record, Ref, Referrer, Status

MOST_OF_A_COMPANY = 500
"""So many people of a company, and so many deals, are looked at."""


@dataclass(frozen=True, slots=True)
class Referrals:
    """Referrals: how many there are, how many stand where, and the latest ones with where each stands."""

    total: int
    by_status: Mapping[Status, int]
    latest: tuple[Standing, ...]


@dataclass(frozen=True, slots=True)
class ReferrerStory:
    """A referrer: their own records in the CRMs, their codes, their referrals."""

    referrer: Referrer
    records: tuple[Ref, ...]
    codes: tuple[Code, ...]
    referrals: Referrals


@dataclass(frozen=True, slots=True)
class CodeStory:
    """A code, whose it is, and what came by it."""

    code: Code
    referrer: Referrer
    referrals: Referrals


@dataclass(frozen=True, slots=True)
class CompanyRecord:
    """A record of a company, and the referrals that hold it or get a share of it."""

    record: Record
    referrals: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class CompanyStory:
    """A company: its people and its deals, each with the referrals that it belongs to. `more`: there are more than
    these."""

    company: Company
    people: tuple[CompanyRecord, ...]
    deals: tuple[CompanyRecord, ...]
    more: bool


def referrer_story(ledger: Ledger, referrer: str, most: int | None = None) -> ReferrerStory | None:
    """All of a referrer, of the referrals the latest `most`; None when there is none of that id."""
    known = referrer_of(ledger, referrer)
    if known is None:
        return None
    codes = ledger.rows("SELECT * FROM codes WHERE referrer = ? ORDER BY code_key", (referrer,))
    return ReferrerStory(
        known,
        tuple(_own_records(ledger, known.email)),
        tuple(map(code_from, codes)),
        _referrals(ledger, "referrer", referrer, most),
    )


def referrers_of(ledger: Ledger, record: Record) -> list[str]:
    """The referrers whose own record it is, by any of its addresses."""
    if record.ref.kind is Kind.DEAL:
        return []
    found: dict[str, None] = {}
    for email in record.addresses:
        rows = ledger.rows("SELECT referrer FROM referrers WHERE email = ? ORDER BY 1", (email,))
        found.update((row["referrer"], None) for row in rows)
    return list(found)


def code_story(ledger: Ledger, code: Code, most: int | None = None) -> CodeStory:
    """All of a code, of the referrals the latest `most`."""
    referrer = referrer_of(ledger, code.referrer) or Referrer(code.referrer)
    return CodeStory(code, referrer, _referrals(ledger, "code_key", code.key, most))


def company_story(ledger: Ledger, company: Company) -> CompanyStory:
    """The people of a company, and the deals that are the company's in its CRM or on which one of its people stands."""
    people = _people_of(ledger, company)
    accounts = {(one.ref.connection, one.account) for one in people if one.account}
    if company.account:
        accounts = {(company.connection, company.account)}
    deals: dict[Ref, None] = {}
    for connection, account in sorted(accounts):
        rows = ledger.rows(
            "SELECT connection, kind, id FROM records WHERE account = ? AND connection = ? AND kind = ? LIMIT ?",
            (account, connection, Kind.DEAL.value, MOST_OF_A_COMPANY),
        )
        deals.update((ref_of(row), None) for row in rows)
    deals.update((stand.deal, None) for stand in stands_of(ledger, frozenset(one.ref for one in people)))
    found = [record for deal in list(deals)[:MOST_OF_A_COMPANY] if (record := record_of(ledger, deal))]
    return CompanyStory(
        company,
        tuple(_with_referrals(ledger, people)),
        tuple(_with_referrals(ledger, found)),
        more=len(people) == MOST_OF_A_COMPANY or len(deals) >= MOST_OF_A_COMPANY,
    )


def _people_of(ledger: Ledger, company: Company) -> list[Record]:
    if company.account:
        rows = list(
            ledger.rows(
                "SELECT * FROM records WHERE account = ? AND connection = ? AND kind <> 'deal' LIMIT ?",
                (company.account, company.connection, MOST_OF_A_COMPANY),
            )
        )
    else:
        rows = [
            row
            for name in spellings(company.name)
            for row in ledger.rows(
                "SELECT * FROM records WHERE lower(title) = ? AND title IS NOT NULL AND kind <> 'deal' LIMIT ?",
                (name, MOST_OF_A_COMPANY),
            )
        ]
    return sorted(map(record_from, rows), key=lambda record: record.ref)[:MOST_OF_A_COMPANY]


def _with_referrals(ledger: Ledger, records: Iterable[Record]) -> list[CompanyRecord]:
    return [CompanyRecord(record, tuple(referrals_on(ledger, record.ref))) for record in records]


def referrals_on(ledger: Ledger, ref: Ref) -> list[str]:
    """The referrals that hold a record, or get a share of it."""
    name = (ref.connection, ref.kind.value, ref.id)
    rows = ledger.rows(
        "SELECT referral FROM members WHERE (connection, kind, id) = (?, ?, ?) "
        "UNION SELECT referral FROM current_credits WHERE (connection, kind, id) = (?, ?, ?) ORDER BY 1",
        (*name, *name),
    )
    return [row["referral"] for row in rows]


def _own_records(ledger: Ledger, email: str | None) -> list[Ref]:
    rows = ledger.rows(
        "SELECT connection, kind, id FROM records WHERE email = ? AND kind = 'contact' "
        "UNION SELECT connection, kind, id FROM addresses WHERE email = ? AND kind = 'contact' ORDER BY 1, 2, 3",
        (email, email),
    )
    return [ref_of(row) for row in rows] if email else []


def _referrals(ledger: Ledger, column: str, value: str, most: int | None) -> Referrals:
    counts = ledger.rows(
        "SELECT s.status, count(*) AS n FROM referrals f JOIN current_statuses s ON s.referral = f.referral "
        f"WHERE f.{column} = ? GROUP BY 1",
        (value,),
    )
    by_status = {Status(row["status"]): row["n"] for row in counts}
    latest = ledger.rows(
        f"SELECT s.* FROM referrals f JOIN standing s ON s.referral = f.referral WHERE f.{column} = ? "
        "ORDER BY f.claimed_at DESC, f.referral LIMIT ?",
        (value, sum(by_status.values()) if most is None else most),
    )
    return Referrals(
        sum(by_status.values()),
        {status: by_status[status] for status in Status if status in by_status},
        tuple(map(standing_from, latest)),
    )
