"""`explain` takes whatever a person has at hand."""

from __future__ import annotations

import json
import re

import pytest

from refloop.errors import Exit
from tests.cli.conftest import Office, fill, office, quick

__all__ = ["office", "quick"]


def test_whatever_is_at_hand_leads_to_the_story(office: Office) -> None:
    office.ready()
    ids = fill(office.salesforce, office.hubspot)
    office.run("sync")
    deal, lead = ids["deal"], ids["lead"]
    for text in (
        f"sf:deal:{deal}",
        f"sf:opportunity:{deal[:15]}",
        f"opportunity:{deal}",
        deal,
        deal[:15],
        f"https://acme.lightning.force.com/lightning/r/Opportunity/{deal}/view?ws=%2Fx",
        f"https://na1.salesforce.com/{deal[:15]}",
        "deal:acme",
    ):
        told = office.run("explain", text)
        assert (told.code, told.out.splitlines()[0]) == (0, "Acme GmbH (deal)"), text
    for text in ("kim@lumen.io", "lead:kim", "Kim", lead[:15]):
        assert office.run("explain", text).out.startswith("Kim, Lumen Oy (lead)\n"), text
    for text in ("anna", "Anna Weiß", "anna@partners.io", "referrer anna"):
        assert office.run("explain", *text.split()).out.startswith("referrer Anna Weiß <anna@partners.io>"), text
    for text in ("anna-7k2q", "ANNA 7K2Q", "code:ANNA7K2Q", "https://shop.example/?utm_source=mail&ref=anna-7k2q"):
        assert office.run("explain", text).out.startswith("code ANNA-7K2Q (partners): of Anna Weiß"), text
    assert office.run("explain", "company:acme").out.startswith("company Acme GmbH")


def test_a_referrers_contact_tells_all_their_referrals(office: Office) -> None:
    office.ready()
    ids = fill(office.salesforce, office.hubspot)
    office.run("sync")
    told = office.run("explain", ids["anna"]).out
    assert re.search(r"  1 referrals: 1 Won\n  the latest first:\n    rf_\w+  Acme GmbH: Won since 12 Mar 2026", told)
    assert "code ANNA-7K2Q" in told
    (story,) = json.loads(office.run("explain", ids["anna"], "--json").out)
    assert [row["status"] for row in story["referrers"][0]["referrals"]["list"]] == ["won"]


def test_several_are_listed_and_one_can_be_picked(office: Office) -> None:
    office.ready()
    fill(office.salesforce, office.hubspot)
    office.run("sync")
    told = office.run("explain", "bo@acme.io").out
    assert told.startswith("bo@acme.io may be:\n")
    found = re.findall(r"^    (\S+:contact:\S+)", told, re.MULTILINE)
    assert len(found) == 2
    for ref in found:
        assert ref in office.run("explain", ref).out.splitlines()[1]
    assert len(json.loads(office.run("explain", "bo@acme.io", "--json").out)) == 2
    listed = json.loads(office.run("explain", "Acme GmbH", "--json").out)
    assert ([one["kind"] for one in listed["records"]], [one["name"] for one in listed["companies"]]) == (
        ["deal"],
        ["Acme GmbH"],
    )


def test_nothing_is_told_as_a_program_writes_it(office: Office) -> None:
    office.ready()
    ids = fill(office.salesforce, office.hubspot)
    office.run("sync")
    for text in (ids["deal"], ids["lead"], ids["anna"], ids["visitor"], "anna", "anna-7k2q", "company:acme"):
        told = office.run("explain", text).out
        assert not re.search(r"None|1\.0000|Decimal|datetime|\d{4}-\d\d-\d\dT", told), told
    assert "100 % of 1,200.50 USD" in office.run("explain", ids["deal"]).out


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("006Lo0000000001IAB", "its last three characters check the case of the others"),
        ("https://acme.lightning.force.com/lightning/o/Lead/list", "leads to no lead, contact"),
        ("https://app.hubspot.com/contacts/1/objects/0-1/views/all/list", "leads to no contact, deal"),
        ("anna-7k2x", "Nearest: ANNA-7K2Q"),
        ("kim@lumen.oi", "Nearest: kim@lumen.io"),
        ("nobody whatsoever", "knows nothing by 'nobody whatsoever'"),
    ],
)
def test_what_is_not_there_is_told_with_the_nearest(office: Office, text: str, said: str) -> None:
    office.ready()
    fill(office.salesforce, office.hubspot)
    office.run("sync")
    answer = office.run("explain", text)
    assert (answer.code, answer.out) == (Exit.DATA, "")
    assert said in answer.err


def test_an_address_of_another_account_is_told(office: Office) -> None:
    office.ready()
    ids = fill(office.salesforce, office.hubspot)
    office.run("sync")
    answer = office.run("explain", f"https://app.hubspot.com/contacts/999/record/0-1/{ids['visitor']}")
    assert answer.code == Exit.DATA
    assert "the address leads to account 999; the connection hs leads to" in answer.err


def test_hostile_names_act_on_no_terminal(office: Office) -> None:
    office.ready()
    fill(office.salesforce, office.hubspot)
    evil = "\x1b[2J\u202eevil\r[bold]x[/bold]\nreferral rf_0: forged"
    record = office.salesforce.create("Lead", {"LastName": "Kim2", "Company": evil, "Email": "evil@evil.io"})
    office.run("sync")
    for text in (record, "evil@evil.io", "Kim"):
        told = office.run("explain", text).out
        assert not re.search("[\x00-\x09\x0b-\x1f\u202e]", told)
        assert not re.search("^referral rf_0", told, re.MULTILINE)
        assert "[bold]x[/bold]" in told or text == "Kim"
    assert office.run("explain", "\x1b[31m%'\"--").code == Exit.DATA
