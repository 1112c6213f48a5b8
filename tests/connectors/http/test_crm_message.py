"""A CRM's words about a refused change, without what they quote of a record."""

from __future__ import annotations

import pytest

from refloop.connectors.http.crm_message import identifier_or_empty, without_quotes
from refloop.connectors.hubspot.answers import read_error
from refloop.connectors.hubspot.batch import reason_of
from refloop.connectors.hubspot.errors import missing_scopes
from refloop.connectors.salesforce.answers import refused
from refloop.connectors.salesforce.bulk_ingest import refusal
from refloop.connectors.salesforce.errors import verdict


@pytest.mark.parametrize(
    ("words", "kept"),
    [
        ("Close date is required", "Close date is required"),
        ("", ""),
        (None, ""),
        ("it\nbroke\t twice", "it broke twice"),
        ('the value "Anna Weiß" is taken', "the value ... is taken"),
        ("the value 'Anna' and the rep's 'Ben'", "the value ... and the rep's ..."),
        ("O'Hara's doesn't fit", "O'Hara's doesn't fit"),
        ("the value “Anna” or ‘Ben’, «Cy», „Di“, `Ed`", "the value ... or ..., ..., ..., ..."),  # noqa: RUF001 - as people quote
        ('cut within "Anna We', "cut within ..."),
        ("Email: invalid email address: anna@partners.io", "Email: invalid email address: [personal]"),
        ("Phone +49 30 9018200 is bad", "Phone [personal] is bad"),
        ("sent with Bearer 00Dxx0000001gPL!AQ4", "sent with Bearer [secret]"),
        ("\x1b[2Jcleared \u202eback", "?[2Jcleared ?back"),
    ],
)
def test_unquoted(words: object, kept: str) -> None:
    assert without_quotes(words) == kept


@pytest.mark.parametrize(
    ("word", "kept"),
    [("RATE_LIMITS", "RATE_LIMITS"), ("Ref_Code__c", "Ref_Code__c"), ("Anna Weiß", ""), ("a@b.c", ""), (None, "")],
)
def test_bare(word: object, kept: str) -> None:
    assert identifier_or_empty(word) == kept


VALUES = (
    'Property values were not valid: [{"isValid":false,"message":"\\"anna@x.io\\" is taken","error":"INVALID_EMAIL",'
    '"name":"email","propertyValue":"anna@x.io"}]'
)


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ({"message": VALUES}, "Property values were not valid (INVALID_EMAIL, email)"),
        ({"category": "Anna Weiß", "message": ""}, "HubSpot gave no reason"),
        ({"category": "CONFLICT", "message": 'Contact "anna" exists'}, "Contact ... exists"),
        (
            {
                "category": "VALIDATION_ERROR",
                "errors": [{"code": "Anna W", "context": {"propertyName": ["ref_status"]}}],
            },
            "VALIDATION_ERROR (ref_status)",
        ),
    ],
)
def test_a_hubspot_reason(body: dict[str, object], reason: str) -> None:
    assert reason_of(read_error(body)) == reason


def test_scopes_are_words() -> None:
    body = {"context": {"requiredGranularScopes": ["crm.objects.deals.read", "Anna Weiß", 7]}}
    assert list(missing_scopes(body)) == ["crm.objects.deals.read"]


def test_a_salesforce_reason() -> None:
    error = {"statusCode": "X Y", "message": "bad 'Anna' <anna@x.io>", "fields": ["Email", "Anna Weiß"]}
    assert verdict(refused([error]))[1] == "UNKNOWN_EXCEPTION: bad ... <[personal]>: Email"
    assert verdict(refusal('FIELD_CUSTOM_VALIDATION_EXCEPTION:no "Anna":Email--'))[1].endswith(
        "(FIELD_CUSTOM_VALIDATION_EXCEPTION: no ...: Email)"
    )
