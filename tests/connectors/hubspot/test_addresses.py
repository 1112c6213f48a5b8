"""What people copy out of HubSpot, and what it names."""

from __future__ import annotations

import pytest

from refloop.connectors.base import Addresses
from refloop.connectors.hubspot.settings import HubSpotSettings
from refloop.model import Kind, Ref


def account(url: str = "https://api.hubapi.com") -> HubSpotSettings:
    auth = {"method": "service_key", "token": "env:TOKEN"}
    return HubSpotSettings.model_validate({"connector": "hubspot", "url": url, "auth": auth})


@pytest.mark.parametrize(
    ("text", "kind", "portal"),
    [
        ("https://app.hubspot.com/contacts/123/record/0-1/101", Kind.CONTACT, "123"),
        ("https://app.hubspot.com/contacts/123/record/0-1/101/", Kind.CONTACT, "123"),
        ("https://app.hubspot.com/contacts/123/record/0-1/101/view/1?eschref=%2Fcontacts%2F9", Kind.CONTACT, "123"),
        ("https://app.hubspot.com/contacts/123/record/0-3/101", Kind.DEAL, "123"),
        ("https://app-eu1.hubspot.com/contacts/123/record/0-3/101?interaction=note", Kind.DEAL, "123"),
        ("https://app-na2.hubspot.com/contacts/123/record/0-3/101#activities", Kind.DEAL, "123"),
        ("https://app.hubspot.com/contacts/123/contact/101", Kind.CONTACT, "123"),
        ("https://app.hubspot.com/contacts/123/contact/101/?interaction=note", Kind.CONTACT, "123"),
        ("https://app.hubspot.com/contacts/123/deal/101/", Kind.DEAL, "123"),
        ("https://app.hubspot.com/sales/123/deal/101", Kind.DEAL, "123"),
        ("app.hubspot.com/contacts/123/deal/101", Kind.DEAL, "123"),
        ("https://APP.hubspot.com/contacts/123/deal/101", Kind.DEAL, "123"),
        ("https://api.hubapi.com/crm/v3/objects/contacts/101", Kind.CONTACT, ""),
        ("https://api-eu1.hubapi.com/crm/objects/2026-03/deals/101?properties=dealname", Kind.DEAL, ""),
    ],
)
def test_a_record(text: str, kind: Kind, portal: str) -> None:
    name = account().named(text)
    assert name is not None
    assert (name.id, name.kinds, name.account, name.is_company) == ("101", frozenset([kind]), portal, False)


@pytest.mark.parametrize("path", ["company/7", "record/0-2/7", "record/0-2/7/view/1"])
def test_a_company(path: str) -> None:
    name = account().named(f"https://app.hubspot.com/contacts/123/{path}")
    assert name is not None
    assert (name.id, name.is_company) == ("7", True)


def test_an_id_alone_may_be_of_any_kind() -> None:
    name = account().named("101")
    assert name is not None
    assert (name.id, name.kinds) == ("101", frozenset([Kind.CONTACT, Kind.DEAL]))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "0",
        "-1",
        "1.5",
        "12345678901234567890",
        "ANNA-7K2Q",
        "006Lo0000000001IAA",
        "https://acme.my.salesforce.com/006Lo0000000001IAA",
        "https://app.hubspot.com.evil.example/contacts/123/deal/101",
        "https://shop.example/contacts/123/deal/101",
    ],
)
def test_what_is_none_of_hubspots(text: str) -> None:
    assert account().named(text) is None


@pytest.mark.parametrize(
    "path",
    [
        "",
        "contacts/123",
        "contacts/123/objects/0-1/views/all/list",
        "contacts/123/record/0-5/9",
        "contacts/123/deal/",
        "contacts/123/deal/board/view/all/",
    ],
)
def test_an_address_without_a_record_is_told(path: str) -> None:
    with pytest.raises(ValueError, match="leads to no contact, deal or company"):
        account().named(f"https://app.hubspot.com/{path}")


@pytest.mark.parametrize(
    ("url", "host"),
    [("https://api.hubapi.com", "app.hubspot.com"), ("https://api-eu1.hubapi.com", "app-eu1.hubspot.com")],
)
def test_the_address_of_a_record_is_read_again(url: str, host: str) -> None:
    settings = account(url)
    assert isinstance(settings, Addresses)
    for kind, number in ((Kind.CONTACT, "0-1"), (Kind.DEAL, "0-3")):
        address = settings.address_of(Ref("hs", kind, "101"), "123")
        assert address == f"https://{host}/contacts/123/record/{number}/101"
        name = settings.named(address)
        assert name is not None
        assert (name.id, name.kinds, name.account) == ("101", frozenset([kind]), "123")


def test_no_address_where_nobody_knows_one() -> None:
    assert account().address_of(Ref("hs", Kind.DEAL, "101"), None) is None
    assert account("http://127.0.0.1:18081").address_of(Ref("hs", Kind.DEAL, "101"), "123") is None
