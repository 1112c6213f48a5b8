"""What people copy out of Salesforce, and what it names."""

from __future__ import annotations

import pytest

from refloop.connectors.base import Addresses
from refloop.connectors.salesforce.settings import SalesforceSettings
from refloop.model import Kind, Ref

ORG = "https://acme.my.salesforce.com"
DEAL, DEAL15 = "006Lo0000000001IAA", "006Lo0000000001"
LEAD, CONTACT, ACCOUNT = "00QLo0000000001MAA", "003Lo0000000002IAA", "001Lo0000000003IAA"


def org(url: str = ORG) -> SalesforceSettings:
    auth = {"method": "access_token", "token": "env:TOKEN"}
    return SalesforceSettings.model_validate({"connector": "salesforce", "url": url, "auth": auth})


@pytest.mark.parametrize(
    "text",
    [
        DEAL,
        DEAL15,
        f"{ORG}/{DEAL15}",
        f"{ORG}/{DEAL}",
        f"{ORG}/{DEAL15}/e?retURL=%2F{ACCOUNT}",
        f"https://na139.salesforce.com/{DEAL15}?srPos=0&srKp=006",
        f"https://acme.lightning.force.com/lightning/r/Opportunity/{DEAL}/view",
        f"https://acme.lightning.force.com/lightning/r/{DEAL}/view",
        f"https://ACME.lightning.force.com/lightning/r/Opportunity/{DEAL}/view?ws=%2Flightning%2Fr%2F{ACCOUNT}%2Fview",
        f"https://acme.lightning.force.com/lightning/r/Opportunity/{DEAL}/related/OpportunityContactRoles/view",
        f"https://acme.lightning.force.com/one/one.app#/sObject/{DEAL}/view",
        f"https://acme.lightning.force.com/one/one.app?source=alohaHeader#/sObject/{DEAL}/view?t=1",
        f"https://acme.lightning.force.com/lightning/page/home?backgroundContext=%2Flightning%2Fr%2F{DEAL}%2Fview",
        f"https://c.na1.visual.force.com/apex/Page?id={DEAL15}",
        f"{ORG}/services/data/v67.0/sobjects/Opportunity/{DEAL}",
        f"acme.lightning.force.com/lightning/r/Opportunity/{DEAL}/view",
        f"salesforce1://sObject/{DEAL}/view",
    ],
)
def test_a_deal(text: str) -> None:
    name = org().named(text)
    assert name is not None
    assert (name.id, name.kinds, name.is_company, name.elsewhere) == (DEAL, frozenset([Kind.DEAL]), False, "")


@pytest.mark.parametrize(("record", "kind"), [(LEAD, Kind.LEAD), (CONTACT, Kind.CONTACT), (DEAL, Kind.DEAL)])
def test_an_id_says_what_it_is_one_of_and_leads_to_its_page(record: str, kind: Kind) -> None:
    settings = org()
    assert isinstance(settings, Addresses)
    address = settings.address_of(Ref("sf", kind, record), None)
    assert address == f"{ORG}/{record}"
    for text in (record, record[:15], address):
        name = settings.named(text)
        assert name is not None
        assert (name.id, name.kinds) == (record, frozenset([kind]))


def test_an_account_is_a_company() -> None:
    name = org().named(f"https://acme.lightning.force.com/lightning/r/Account/{ACCOUNT}/view")
    assert name is not None
    assert (name.id, name.is_company) == (ACCOUNT, True)


@pytest.mark.parametrize(
    ("host", "elsewhere"),
    [
        ("acme.my.salesforce.com", ""),
        ("acme.lightning.force.com", ""),
        ("eu5.salesforce.com", ""),
        ("acme--uat.sandbox.my.salesforce.com", "acme--uat.sandbox.my.salesforce.com"),
        ("acme--uat.sandbox.lightning.force.com", "acme--uat.sandbox.lightning.force.com"),
        ("other.my.salesforce.com", "other.my.salesforce.com"),
    ],
)
def test_an_address_of_another_org_is_told(host: str, elsewhere: str) -> None:
    name = org().named(f"https://{host}/{DEAL}")
    assert name is not None
    assert name.elsewhere == elsewhere


def test_a_sandboxs_own_addresses_are_its_own() -> None:
    name = org("https://acme--uat.sandbox.my.salesforce.com").named(
        f"https://acme--uat.sandbox.lightning.force.com/lightning/r/Lead/{LEAD}/view"
    )
    assert name is not None
    assert name.elsewhere == ""


@pytest.mark.parametrize(
    "text",
    [
        "",
        "ANNA-7K2Q",
        "SUMMERSALESTEAM",
        "101",
        "005Lo0000000001IAA",
        DEAL15.lower()[:-1],
        "https://app.hubspot.com/contacts/1/deal/2",
        f"https://salesforce.com.evil.example/{DEAL}",
        f"https://evil.example/acme.my.salesforce.com/{DEAL}",
        "https://[",
        "\ud800",
        "x" * 100_000,
    ],
)
def test_what_is_none_of_salesforces(text: str) -> None:
    assert org().named(text) is None


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("006Lo0000000001IAB", "006Lo0000000001IAA"),
        ("006lo0000000001iaa", "006Lo0000000001IAA"),
        ("006LO0000000001IAA", "006Lo0000000001IAA"),
        ("00qlo0000000001maa", LEAD),
    ],
)
def test_wrong_check_characters_are_told_with_what_may_be_meant(text: str, meant: str) -> None:
    with pytest.raises(ValueError, match=f"{text} is not the id of a record.*{meant}"):
        org().named(text)


@pytest.mark.parametrize(
    "path", ["", "/", "/setup/forcecomHomepage.apexp", "/lightning/o/Lead/list?filterName=Recent", "/005Lo0000000001"]
)
def test_an_address_without_a_record_is_told(path: str) -> None:
    with pytest.raises(ValueError, match="leads to no lead, contact, opportunity or account"):
        org().named(f"https://acme.lightning.force.com/{path.lstrip('/')}")


def test_a_local_org_has_no_pages() -> None:
    settings = org("http://127.0.0.1:18080")
    assert settings.address_of(Ref("sf", Kind.DEAL, DEAL), None) is None
    name = settings.named(f"http://127.0.0.1:18080/{DEAL}")
    assert name is not None
    assert name.id == DEAL
