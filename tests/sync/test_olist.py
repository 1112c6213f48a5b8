"""Real data through the whole loop: 8,000 leads of a marketplace, 842 of them won, against plain SQL over the files.

Each lead is a HubSpot contact that came by a landing page, each closed deal a Salesforce opportunity of a contact
with the same e-mail address. The landing page is the code. The data lies beside the checkout, not in it.
"""

from __future__ import annotations

import csv
import sqlite3
import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from functools import partial
from pathlib import Path

import pytest

from refloop.connectors.base import Connector, connector_class
from refloop.errors import Exit
from refloop.ledger import Ledger, open_ledger
from refloop.mapping.codes import code_key
from refloop.model import Code, Referrer
from refloop.sync.intake import Enrolment, codes_changing, enrol
from refloop.sync.run import Runner, Task
from refloop.sync.run_report import Report
from refloop_sandbox.hubspot import Allowance, LocalHubSpot
from refloop_sandbox.salesforce import LocalSalesforce
from refloop_sandbox.server import Server
from tests.sync.loop import MEMORY_DISK, POLICY

OLIST = Path(__file__).parents[3] / "shared" / "data" / "olist"
LEADS = OLIST / "olist_marketing_qualified_leads_dataset.csv"
DEALS = OLIST / "olist_closed_deals_dataset.csv"
OUTCOMES = """
    SELECT landing_page_id AS code, count(*) AS referrals, count(won_date) AS won,
           coalesce(sum(declared_monthly_revenue), 0) AS amount
    FROM leads LEFT JOIN (SELECT * FROM deals WHERE {credited}) USING (mql_id)
    GROUP BY landing_page_id ORDER BY landing_page_id"""
IN_TIME = """mql_id IN (
    SELECT mql_id FROM leads JOIN deals USING (mql_id) WHERE date(won_date) >= first_contact_date)"""

Outcome = tuple[int, int, Decimal, Decimal]
"""Referrals, won deals, won amount, and won deals for each referral."""


def _rows(path: Path) -> Iterator[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as lines:
        yield from csv.DictReader(lines)


@pytest.fixture(scope="module")
def database() -> Iterator[sqlite3.Connection]:
    if not (LEADS.exists() and DEALS.exists()):
        pytest.skip(f"the Olist data is not at {OLIST}")
    connection = sqlite3.connect(":memory:")
    connection.execute("CREATE TABLE leads (mql_id TEXT PRIMARY KEY, first_contact_date TEXT, landing_page_id TEXT)")
    connection.execute("CREATE TABLE deals (mql_id TEXT PRIMARY KEY, won_date TEXT, declared_monthly_revenue REAL)")
    for table, path in (("leads", LEADS), ("deals", DEALS)):
        columns = [column[0] for column in connection.execute(f"SELECT * FROM {table}").description]  # noqa: S608 - ours
        connection.executemany(
            f"INSERT INTO {table} VALUES (?, ?, ?)",  # noqa: S608 - our own names
            ([row[column] for column in columns] for row in _rows(path)),
        )
    yield connection
    connection.close()


def _outcomes(rows: Iterator[tuple[str, int, int, object]]) -> dict[str, Outcome]:
    return {
        code: (referrals, won, Decimal(str(amount)).quantize(Decimal("0.01")), _share(won, referrals))
        for code, referrals, won, amount in rows
    }


def _share(won: int, referrals: int) -> Decimal:
    return (Decimal(won) / referrals).quantize(Decimal("0.0001"))


def load_hubspot(hubspot: LocalHubSpot) -> None:
    """Each lead is a contact, made on the day of first contact, who came by a link with the landing page in it."""
    hubspot.load(
        "contacts",
        (
            {
                "email": _email(row["mql_id"]),
                "createdate": f"{row['first_contact_date']}T00:00:00Z",
                "lastmodifieddate": f"{row['first_contact_date']}T00:00:00Z",
                "hs_analytics_first_url": "https://www.olist.example/lp"
                f"?utm_source={row['origin']}&ref={row['landing_page_id']}",
            }
            for row in _rows(LEADS)
        ),
    )


def load_salesforce(salesforce: LocalSalesforce) -> dict[str, str]:
    """Each closed deal is a won opportunity with an account and a contact. Gives the opportunity's id by lead."""
    met = {row["mql_id"]: row["first_contact_date"] for row in _rows(LEADS)}
    deals = list(_rows(DEALS))
    began = [f"{min(met[row['mql_id']], row['won_date'][:10])}T00:00:00Z" for row in deals]
    accounts = salesforce.load("Account", ({"Name": f"Seller {row['seller_id'][:8]}"} for row in deals))
    people = zip(deals, began, accounts, strict=True)
    contacts = salesforce.load(
        "Contact",
        (
            {"LastName": row["seller_id"][:8], "Email": _email(row["mql_id"]), "AccountId": account, "CreatedDate": at}
            for row, at, account in people
        ),
    )
    opportunities = salesforce.load(
        "Opportunity",
        (
            {
                "Name": f"Seller {row['seller_id'][:8]}",
                "AccountId": account,
                "StageName": "Closed Won",
                "CloseDate": row["won_date"][:10],
                "Amount": row["declared_monthly_revenue"],
                "CreatedDate": at,
                "SystemModstamp": f"{row['won_date'].replace(' ', 'T')}Z",
            }
            for row, at, account in zip(deals, began, accounts, strict=True)
        ),
    )
    pairs = zip(opportunities, contacts, strict=True)
    salesforce.load(
        "OpportunityContactRole",
        ({"OpportunityId": deal, "ContactId": person, "IsPrimary": True} for deal, person in pairs),
    )
    return dict(zip((row["mql_id"] for row in deals), opportunities, strict=True))


def _email(mql_id: str) -> str:
    return f"{mql_id}@olist.example"


def enrol_pages(ledger: Ledger, now: datetime) -> int:
    """Each landing page is a code of its own and its own referrer. Gives how many there are."""
    pages = {row["landing_page_id"] for row in _rows(LEADS)}
    with codes_changing(ledger) as done, ledger.writing():
        for page in sorted(pages):
            row = Enrolment(Code(page, code_key(page), page, "landing-pages"), Referrer(page, f"Page {page[:6]}"))
            done.counts[enrol(ledger, row, now)] += 1
    return len(pages)


@dataclass
class Loop:
    """Both CRMs over HTTP, and one ledger."""

    salesforce: LocalSalesforce
    hubspot: LocalHubSpot
    ledger: Ledger
    connectors: dict[str, partial[Connector]]
    deals: dict[str, str]
    reports: list[Report] = field(default_factory=list)

    def sync(self) -> Report:
        self.reports.append(Runner(self.ledger, POLICY, self.connectors, _now).run(Task("sync")))
        return self.reports[-1]


def _now() -> datetime:
    return datetime.now(UTC)


@pytest.fixture(scope="module")
def loop(database: sqlite3.Connection) -> Iterator[Loop]:
    """After one whole sync."""
    hubspot = LocalHubSpot(allowance=Allowance(per_ten_seconds=1000))
    with (
        LocalSalesforce() as salesforce,
        Server(salesforce.app) as there,
        Server(hubspot.app) as here,
        tempfile.TemporaryDirectory(dir=MEMORY_DISK) as folder,
        pytest.MonkeyPatch.context() as patch,
    ):
        patch.setenv("LOCAL_SALESFORCE", "local-secret")
        patch.setenv("LOCAL_HUBSPOT", "pat-na1-local")
        ledger = open_ledger(Path(folder) / "refloop.db")
        enrol_pages(ledger, _now())
        load_hubspot(hubspot)
        made = Loop(salesforce, hubspot, ledger, _connectors(there.url, here.url), load_salesforce(salesforce))
        for connect in made.connectors.values():
            connector = connect()
            assert [finding for finding in connector.provision(POLICY.fields) if finding.level == "error"] == []
            connector.close()
        made.sync()
        yield made
        ledger.close()


def _connectors(salesforce_url: str, hubspot_url: str) -> dict[str, partial[Connector]]:
    said = {
        "salesforce": {
            "connector": "salesforce",
            "url": salesforce_url,
            "currency": "BRL",
            "auth": {
                "method": "client_credentials",
                "client_id": "local-client",
                "client_secret": "env:LOCAL_SALESFORCE",
            },
        },
        "hubspot": {
            "connector": "hubspot",
            "url": hubspot_url,
            "auth": {"method": "service_key", "token": "env:LOCAL_HUBSPOT"},
        },
    }
    made: dict[str, partial[Connector]] = {}
    for name, settings in said.items():
        kind = connector_class(name)
        made[name] = partial(kind, name, kind.settings.model_validate(settings), clock=_now)
    return made


def test_the_data_is_what_it_was(database: sqlite3.Connection) -> None:
    counts = database.execute("SELECT (SELECT count(*) FROM leads), (SELECT count(*) FROM deals)").fetchone()
    assert counts == (8000, 842)


def test_the_first_sync_read_all_and_met_no_trouble(loop: Loop) -> None:
    report = loop.reports[0]
    assert report.problems == []
    assert report.exit is Exit.OK
    assert report.counts["hubspot"]["pulled"] == 8000
    assert report.counts["salesforce"]["pulled"] == 2 * 842


def test_referrals_and_outcomes_of_every_code_are_those_of_the_data(loop: Loop, database: sqlite3.Connection) -> None:
    expected = _outcomes(database.execute(OUTCOMES.format(credited=IN_TIME)))
    found = _outcomes(
        (row["code"], row["referrals"], row["won"], row["amount"])
        for row in loop.ledger.rows(
            "SELECT s.code, count(*) AS referrals, sum(s.status = 'won') AS won, "
            "coalesce(sum((SELECT sum(CAST(d.amount AS REAL) * CAST(d.share AS REAL)) FROM credited_deals d "
            "WHERE d.referral = s.referral AND d.outcome = 'won')), 0) AS amount "
            "FROM standing s GROUP BY s.code ORDER BY s.code"
        )
    )
    assert len(expected) == 495
    assert found == expected
    assert sum(outcome[1] for outcome in found.values()) == 841


def test_every_deal_is_credited_to_the_page_that_brought_its_lead(loop: Loop, database: sqlite3.Connection) -> None:
    wanted = database.execute(f"SELECT mql_id, landing_page_id FROM leads JOIN deals USING (mql_id) WHERE {IN_TIME}")  # noqa: S608 - ours
    found = loop.ledger.rows("SELECT id, referrer, share, role, currency FROM credited_deals")
    assert sorted((row["id"], row["referrer"], Decimal(row["share"]), *tuple(row)[3:]) for row in found) == sorted(
        (loop.deals[mql_id], page, Decimal(1), "sourced", "BRL") for mql_id, page in wanted
    )


def test_the_deal_won_before_its_first_contact_is_nobodys(loop: Loop, database: sqlite3.Connection) -> None:
    (early,) = database.execute(
        "SELECT mql_id, landing_page_id FROM leads JOIN deals USING (mql_id) WHERE date(won_date) < first_contact_date"
    )
    deal = loop.deals[early[0]]
    questions = loop.ledger.rows("SELECT kind, id, doubt FROM questions")
    assert [tuple(row) for row in questions] == [("deal", deal, "closed-before-referral")]
    held = loop.salesforce.get("Opportunity", deal)
    assert held is not None
    assert held["Ref_Code__c"] is None
    (status,) = loop.ledger.rows(
        "SELECT s.status, s.code FROM standing s JOIN referrals f USING (referral) JOIN records r "
        "ON (r.connection, r.kind, r.id) = (f.origin_connection, f.origin_kind, f.origin_id) WHERE r.email = ?",
        [_email(early[0])],
    )
    assert tuple(status) == ("submitted", early[1])


def test_the_marketer_sees_it_in_both_crms(loop: Loop, database: sqlite3.Connection) -> None:
    leads = database.execute(
        f"SELECT mql_id, landing_page_id, CASE WHEN {IN_TIME} THEN 'won' ELSE 'submitted' END FROM leads"  # noqa: S608 - ours
    )
    wanted = {_email(mql_id): (page, status) for mql_id, page, status in leads}
    contacts = {row["email"]: (row["ref_code"], row["ref_status"]) for _, row in loop.hubspot.rows("contacts")}
    assert contacts == wanted
    sellers = {str(row["Email"]): (row["Ref_Code__c"], row["Ref_Status__c"]) for row in loop.salesforce.rows("Contact")}
    assert len(sellers) == 842
    assert sellers.items() <= wanted.items()
    told = Counter(row["Ref_Status__c"] for row in loop.salesforce.rows("Opportunity"))
    assert told == {"won": 841, None: 1}


def test_a_second_sync_writes_nothing(loop: Loop) -> None:
    before = loop.ledger.one("SELECT count(*), max(seq) FROM receipts")
    made = Counter(loop.hubspot.calls), Counter(loop.salesforce.calls)
    report = loop.sync()
    assert report.exit is Exit.OK
    after = loop.ledger.one("SELECT count(*), max(seq) FROM receipts")
    assert before is not None
    assert after is not None
    assert tuple(after) == tuple(before)
    assert sum(counts["written"] for counts in report.counts.values()) == 0
    sent = (Counter(loop.hubspot.calls) - made[0]) + (Counter(loop.salesforce.calls) - made[1])
    assert [call for call in sent if "update" in call or call.startswith(("PATCH", "PUT", "DELETE"))] == []
