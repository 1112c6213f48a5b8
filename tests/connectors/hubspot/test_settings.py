from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from refloop.connectors.hubspot import HubSpotSettings
from refloop.connectors.hubspot.settings import OAuth, ServiceKey

KEY = {"method": "service_key", "token": "env:HUBSPOT_TOKEN"}


def settings(**more: Any) -> HubSpotSettings:
    return HubSpotSettings.model_validate({"connector": "hubspot", "auth": KEY} | more)


def test_the_smallest_connection_is_a_service_key() -> None:
    it = settings()
    assert isinstance(it.auth, ServiceKey)
    assert (it.url, it.api_version, it.look_back) == ("https://api.hubapi.com", "2026-03", 60)
    assert it.code_fields.contact == ("hs_analytics_first_url",)
    assert it.code_fields.deal == ()
    assert it.other_connections() == {}


def test_an_oauth_app_brings_three_things() -> None:
    auth = {"method": "oauth", "client_id": "abc", "client_secret": "env:SECRET", "refresh_token": "env:REFRESH"}
    assert isinstance(settings(auth=auth).auth, OAuth)


def test_a_mirror_names_another_connection() -> None:
    assert settings(mirror_of="crm").other_connections() == {"mirror_of": "crm"}


@pytest.mark.parametrize(
    "url",
    [
        "https://api.hubapi.com/",
        "https://api-eu1.hubapi.com",
        "http://127.0.0.1:8080",
        "http://localhost:1",
        "http://[::1]:8080",
        "https://127.0.0.1:8443",
    ],
)
def test_addresses_of_hubspot_and_of_this_machine_are_taken(url: str) -> None:
    assert settings(url=url).url == url.rstrip("/")


@pytest.mark.parametrize(
    ("key", "value", "says"),
    [
        ("url", "http://api.hubapi.com", "not an address of HubSpot"),
        ("url", "https://api.hubapi.com.evil.example", "not an address of HubSpot"),
        ("url", "https://evil.example/api.hubapi.com", "more than scheme and host"),
        ("url", "https://api.hubapi.com@evil.example", "more than scheme and host"),
        ("url", "https://api.hubapi.com:8443", "not an address of HubSpot"),
        ("url", "https://api.hubapi.com?x=1", "more than scheme and host"),
        ("url", "https://app.hubapi.com", "not an address of HubSpot"),
        ("api_version", "v3", "not a dated version"),
        ("api_version", "2026-13", "not a dated version"),
        ("api_version", "2026-03/../..", "not a dated version"),
        ("currency", "euro", "not a currency code"),
        ("currency", "eur", "not a currency code"),
        ("code_fields", {"contact": ["Referral Code"]}, "not the internal name"),
        ("code_fields", {"deal": ["x,hs_secret"]}, "not the internal name"),
        ("code_fields", {"lead": ["x"]}, "Extra inputs"),
        ("code_fields", {"deal": [f"p{number}" for number in range(41)]}, "at most 40"),
        ("look_back", 0, "greater than or equal to 5"),
        ("mirror_of", "", "at least 1 character"),
        ("auth", {"method": "password"}, "service_key"),
        ("auth", {"method": "service_key"}, "Field required"),
        ("auth", {"method": "service_key", "token": "pat-na1-1234"}, "env:NAME"),
        ("colour", "red", "Extra inputs"),
    ],
)
def test_faults_say_what_is_wrong(key: str, value: object, says: str) -> None:
    with pytest.raises(ValidationError) as caught:
        settings(**{key: value})
    assert says in str(caught.value)
    assert "pat-na1" not in str(caught.value)


def test_a_fault_in_code_fields_says_which_one() -> None:
    with pytest.raises(ValidationError) as caught:
        settings(code_fields={"contact": ["good_one", "Bad One"]})
    assert caught.value.errors()[0]["loc"] == ("code_fields", "contact", 1)


@pytest.mark.parametrize("name", ["ref\nx", "a" * 101, "", "réf", "_ref", "ref code"])
def test_names_are_matched_whole(name: str) -> None:
    with pytest.raises(ValidationError, match="internal name"):
        settings(code_fields={"deal": [name]})
