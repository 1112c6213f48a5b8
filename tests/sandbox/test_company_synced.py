"""The made-up company after one sync: the ledger and both CRMs say what was planned."""

from __future__ import annotations

import csv
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import pytest

from refloop.ledger import Ledger
from refloop.mapping.codes import code_key
from refloop.mapping.match import READING_REASONS
from refloop.sync.intake import import_codes
from refloop.sync.run import Task
from refloop.sync.session import read_config, session, utc_now
from refloop_sandbox.company import Company, build
from refloop_sandbox.hubspot import Allowance, LocalHubSpot
from refloop_sandbox.nouns import Kind, Ref
from refloop_sandbox.salesforce import LocalSalesforce
from refloop_sandbox.server import Server

CONFIG = """
version: 1
connections:
  salesforce:
    connector: salesforce
    url: {salesforce}
    currency: USD
    auth: {{method: client_credentials, client_id: local-client, client_secret: env:LOCAL_SALESFORCE}}
  hubspot:
    connector: hubspot
    url: {hubspot}
    auth: {{method: service_key, token: env:LOCAL_HUBSPOT}}
"""


@dataclass
class Synced:
    company: Company
    salesforce: LocalSalesforce
    hubspot: LocalHubSpot
    ledger: Ledger

    def refs(self, sql: str, *values: str) -> set[Ref]:
        rows = self.ledger.rows(sql, values)
        return {Ref(row["connection"], Kind(row["kind"]), row["id"]) for row in rows}


@pytest.fixture(scope="module")
def synced() -> Iterator[Synced]:
    hubspot = LocalHubSpot(allowance=Allowance(per_ten_seconds=1000))
    with (
        LocalSalesforce() as salesforce,
        Server(salesforce.app) as there,
        Server(hubspot.app) as here,
        tempfile.TemporaryDirectory() as name,
        pytest.MonkeyPatch.context() as patch,
    ):
        patch.setenv("LOCAL_SALESFORCE", "local-secret")
        patch.setenv("LOCAL_HUBSPOT", "pat-na1-local")
        folder = Path(name)
        (folder / "config.yaml").write_text(CONFIG.format(salesforce=there.url, hubspot=here.url), encoding="utf-8")
        company = build(salesforce, hubspot, size=0.15, today=date(2026, 11, 1))
        with session(read_config(folder / "config.yaml")) as opened:
            assert import_codes(opened.ledger, _codes_file(folder, company), utc_now()).lines() == []
            for connect in opened.connections().values():
                connector = connect()
                assert [
                    finding for finding in connector.provision(opened.policy.fields) if finding.level == "error"
                ] == []
                connector.close()
            assert opened.runner().run(Task("sync")).problems == []
            yield Synced(company, salesforce, hubspot, opened.ledger)


def _codes_file(folder: Path, company: Company) -> Path:
    path = folder / "codes.csv"
    with path.open("w", encoding="utf-8", newline="") as lines:
        writer = csv.DictWriter(lines, list(company.codes[0]))
        writer.writeheader()
        writer.writerows(company.codes)
    return path


def test_matches_are_the_planned_ones(synced: Synced) -> None:
    rows = synced.ledger.rows("SELECT connection, kind, id, code_key FROM current_matches")
    found = {Ref(row["connection"], Kind(row["kind"]), row["id"]): row["code_key"] for row in rows}
    assert found == {ref: code_key(code) for ref, code in synced.company.expected.matches.items()}


def test_questions_are_the_planned_ones(synced: Synced) -> None:
    rows = synced.ledger.rows("SELECT connection, kind, id, doubt FROM questions")
    found = {(Ref(row["connection"], Kind(row["kind"]), row["id"]), row["doubt"]) for row in rows}
    reading = {(ref, doubt) for ref, doubt in found if doubt in READING_REASONS}
    assert reading == {(ref, doubt.value) for ref, doubt in synced.company.expected.questions.items()}
    late = {ref for ref, doubt in found if doubt == "closed-before-referral"}
    assert late >= {deal for deal, _ in synced.company.expected.late}


def test_self_referrals_do_not_count(synced: Synced) -> None:
    void = synced.refs("SELECT m.* FROM members m JOIN referrals f USING (referral) WHERE f.void = 'disqualified'")
    assert synced.company.expected.self_referrals
    assert void >= set(synced.company.expected.self_referrals)


def test_late_people_get_no_credit(synced: Synced) -> None:
    assert synced.company.expected.late
    for deal, person in synced.company.expected.late:
        credited = synced.refs(
            "SELECT m.* FROM members m JOIN current_credits c USING (referral) WHERE c.connection = ? AND c.id = ?",
            deal.crm,
            deal.id,
        )
        assert person not in credited


def test_won_deals_without_a_referral_stay_without(synced: Synced) -> None:
    credited = synced.refs("SELECT * FROM credited_deals WHERE connection = 'salesforce'")
    lonely = {ref for ref in synced.company.expected.unreferred_won if ref.crm == "salesforce"}
    shared = {there for there, _ in synced.company.expected.same_person}
    assert lonely
    people = {ref: _people(synced, ref) for ref in lonely & credited}
    assert all(group & shared for group in people.values())


def _people(synced: Synced, deal: Ref) -> set[Ref]:
    """The contacts of a deal, and the leads that they were."""
    contacts = {
        row["ContactId"] for row in synced.salesforce.rows("OpportunityContactRole") if row["OpportunityId"] == deal.id
    }
    leads = [row["Id"] for row in synced.salesforce.rows("Lead") if row["ConvertedContactId"] in contacts]
    people = {Ref("salesforce", Kind.CONTACT, str(contact)) for contact in contacts}
    return people | {Ref("salesforce", Kind.LEAD, str(lead)) for lead in leads}


def test_the_spotlight_shows_the_loop_closed(synced: Synced) -> None:
    spot = synced.company.spotlight
    lead, deal = synced.salesforce.get("Lead", spot.lead.id), synced.salesforce.get("Opportunity", spot.deal.id)
    assert lead is not None
    assert deal is not None
    assert (lead["Ref_Code__c"], lead["Ref_Status__c"]) == (spot.code, "contacted")
    assert (deal["Ref_Code__c"], deal["Ref_Status__c"], deal["Ref_Referrer__c"]) == (
        spot.code,
        "won",
        spot.referrer.name,
    )
    there = synced.salesforce.get("Contact", spot.in_salesforce.id)
    here = synced.hubspot.get("contacts", spot.in_hubspot.id)
    assert there is not None
    assert here is not None
    sent, won = there["Ref_Sent__c"], there["Ref_Won__c"]
    assert isinstance(sent, float)
    assert isinstance(won, float)
    assert sent >= 2
    assert won >= 1
    assert (float(here["ref_sent"]), float(here["ref_won"])) == (sent, won)
