"""config.yaml -> SalesforceSettings: what passes, and that a refusal says what to write instead."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from refloop.config import SecretRef
from refloop.connectors.salesforce import Salesforce, SalesforceSettings
from refloop.connectors.salesforce.settings import AccessToken, ClientCredentials, Jwt
from refloop.model import Kind

TOKEN = {"method": "access_token", "token": "env:SF_TOKEN"}
JWT = {"method": "jwt", "client_id": "3MVG", "username": "a@b.c", "private_key": "file:/etc/sf.pem"}
URL = "https://acme.my.salesforce.com"


def settings(**changes: Any) -> SalesforceSettings:
    return SalesforceSettings.model_validate({"connector": "salesforce", "url": URL, "auth": TOKEN, **changes})


def test_the_least_that_has_to_be_said() -> None:
    made = settings()
    assert (made.url, made.api_version, made.currency, made.look_back) == (URL, "67.0", None, 15)
    assert [made.fields_with_codes(kind) for kind in Kind] == [("Description",), ("Description",), ()]
    assert made.conditional_writes == "auto"
    assert Salesforce.settings is SalesforceSettings


@pytest.mark.parametrize(
    ("auth", "kind"),
    [
        (TOKEN, AccessToken),
        ({"method": "client_credentials", "client_id": "3MVG", "client_secret": "env:SF_SECRET"}, ClientCredentials),
        (JWT, Jwt),
    ],
)
def test_ways_to_log_in(auth: dict[str, str], kind: type) -> None:
    assert isinstance(settings(auth=auth).auth, kind)


@pytest.mark.parametrize(
    ("url", "kept"),
    [
        ("https://acme.my.salesforce.com/", URL),
        ("https://ACME.my.salesforce.com", URL),
        ("https://acme--uat.sandbox.my.salesforce.com", "https://acme--uat.sandbox.my.salesforce.com"),
        ("https://acme.my.salesforce.com:443", URL),
        ("http://127.0.0.1:8080", "http://127.0.0.1:8080"),
    ],
)
def test_addresses(url: str, kept: str) -> None:
    assert settings(url=url).url == kept


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("http://acme.my.salesforce.com", "https://"),
        ("https://login.salesforce.com", "My Domain"),
        ("https://acme.lightning.force.com", "My Domain"),
        ("https://acme.my.salesforce.com.evil.example", "My Domain"),
        ("https://my.salesforce.com", "My Domain"),
        ("https://evil.example/.my.salesforce.com", "address alone"),
        ("https://user:pw@acme.my.salesforce.com", "address alone"),
        ("https://acme.my.salesforce.com:8443", "My Domain"),
        ("https://acme.my.salesforce.com:x", "port"),
        ("https://acme.my.salesforce.com?x=1", "address alone"),
        ("acme", "address alone"),
        ("https://127.0.0.1.evil.example", "My Domain"),
        ("https://acme.my.sfcrmproducts.cn", "Salesforce in China"),
    ],
)
def test_an_address_that_would_give_the_token_away(url: str, words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        settings(url=url)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"api_version": "67"}, "67.0"),
        ({"api_version": "v67.0"}, "67.0"),
        ({"api_version": "67.0\n/.."}, "67.0"),
        ({"api_version": "20.0"}, "too old"),
        ({"currency": "euro"}, "ISO 4217"),
        ({"look_back": -1}, "greater than or equal to 0"),
        ({"code_fields": {"lead": ["Description FROM User"]}}, "not a Salesforce field name"),
        ({"code_fields": {"lead": ["Campaign.Name"]}}, "not read yet"),
        ({"code_fields": {"deal": ["Account.Partner_Code__c"]}}, "not read yet"),
        ({"code_fields": {"deal": ["CampaignId"]}}, "the id of a record"),
        ({"code_fields": {"lead": ["Id"]}}, "the id of a record"),
        ({"auth": {**JWT, "audience": "login.salesforce.com"}}, "https://login.salesforce.com"),
        ({"auth": {**JWT, "audience": "https://login.salesforce.com/services"}}, "an address alone"),
        ({"code_fields": {"account": ["Description"]}}, "lead"),
        ({"conditional_writes": "sometimes"}, "'auto', 'always' or 'never'"),
        ({"campaign": "x"}, "not permitted"),
        ({"auth": {"method": "password"}}, "client_credentials"),
        ({"auth": {**TOKEN, "token": "00D!secret"}}, "where the secret is"),
    ],
)
def test_a_refusal_says_what_to_write(change: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=words) as refusal:
        settings(**change)
    assert "00D!secret" not in str(refusal.value)


@pytest.mark.parametrize("name", ["Description", "Referral_Id__c", "ns__Paid__c", "Grid", "RAPID"])
def test_a_field_that_may_hold_a_code(name: str) -> None:
    assert settings(code_fields={"lead": [name]}).fields_with_codes(Kind.LEAD) == (name,)


def test_a_secret_stays_a_reference() -> None:
    made = settings().auth
    assert isinstance(made, AccessToken)
    assert made.token == SecretRef("env:SF_TOKEN")
