"""Where a request may go, what counts as JSON, how a call is named."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from refloop.connectors.http.call_log import endpoint_of
from refloop.connectors.http.origin import Origin
from refloop.connectors.http.strict_json import MAX_DEPTH, NONSENSE, parsed_json
from refloop.errors import ConfigError, CrmUnavailable

ALLOWED = ("api.example.com", ".my.example.com")


@pytest.mark.parametrize(
    ("base_url", "origin"),
    [
        ("https://api.example.com", "https://api.example.com"),
        ("https://API.example.com/", "https://api.example.com"),
        ("https://api.example.com:443", "https://api.example.com"),
        ("https://api.example.com:8443", "https://api.example.com:8443"),
        ("https://acme--uat.sandbox.my.example.com", "https://acme--uat.sandbox.my.example.com"),
        ("http://127.0.0.1:8080", "http://127.0.0.1:8080"),
        ("http://127.8.9.1", "http://127.8.9.1"),
        ("http://[::1]:8080", "http://[::1]:8080"),
        ("https://localhost:8443", "https://localhost:8443"),
    ],
)
def test_an_allowed_address_is_an_origin(base_url: str, origin: str) -> None:
    assert str(Origin.parse(base_url, ALLOWED)) == origin


@pytest.mark.parametrize(
    "base_url",
    [
        "http://api.example.com",
        "ftp://api.example.com",
        "https://",
        "api.example.com",
        "",
        "https://api.example.com.evil.test",
        "https://evilapi.example.com",
        "https://my.example.com",
        "https://evilmy.example.com",
        "https://user@api.example.com",
        "https://api.example.com@evil.test",
        "https://api.example.com/path",
        "https://api.example.com?x=1",
        "https://api.example.com#x",
        "https://api.example.com:0",
        "https://api.example.com:99999",
        "https://api.example.com\\.evil.test",
        "http://10.0.0.1",
        "http://127.0.0.1.evil.test",
        "http://0.0.0.0",
    ],
)
def test_any_other_address_is_a_configuration_error(base_url: str) -> None:
    with pytest.raises(ConfigError):
        Origin.parse(base_url, ALLOWED)


def test_the_allowed_hosts_may_be_a_function() -> None:
    assert Origin.parse("https://x.test", lambda host: host == "x.test").host == "x.test"
    with pytest.raises(ConfigError):
        Origin.parse("https://y.test", lambda host: host == "x.test")


@pytest.mark.parametrize(
    ("url", "sent"),
    [
        ("/crm/objects", "https://api.example.com/crm/objects"),
        ("/crm/objects?after=2&q=a%2Fb..", "https://api.example.com/crm/objects?after=2&q=a%2Fb.."),
        ("https://api.example.com/x", "https://api.example.com/x"),
        ("https://api.example.com:443/x", "https://api.example.com:443/x"),
        ("https://API.EXAMPLE.COM/x", "https://API.EXAMPLE.COM/x"),
        ("/v1/a.b/..c", "https://api.example.com/v1/a.b/..c"),
    ],
)
def test_the_own_origin_is_admitted(url: str, sent: str) -> None:
    assert Origin.parse("https://api.example.com", ALLOWED).admit(url) == sent


@pytest.mark.parametrize(
    "url",
    [
        "https://evil.test/x",
        "//evil.test/x",
        "https://api.example.com:8443/x",
        "http://api.example.com/x",
        "https://user:pw@api.example.com/x",
        "https://api.example.com@evil.test/x",
        "@evil.test/x",
        "/objects/../x",
        "/objects/./x",
        "/objects/%2e%2E/x",
        "/objects/.%2e",
        "/objects/a%2fb",
        "/objects/a%5Cb",
        "/objects/a\\b",
        "/objects/a\nb",
        "/objects/a b",
        "https://api.example.com\\@evil.test/",
        "objects/x",
        "file:///etc/passwd",
        "",
    ],
)
def test_everything_else_is_refused_without_naming_it(url: str) -> None:
    with pytest.raises(CrmUnavailable, match=r"outside of https://api\.example\.com") as refusal:
        Origin.parse("https://api.example.com", ALLOWED).admit(url)
    assert "evil" not in str(refusal.value)


def test_https_to_a_loopback_instance_served_over_http_becomes_http() -> None:
    local = Origin.parse("http://127.0.0.1:8080", ())
    assert local.admit("https://127.0.0.1:8080/x?y=1") == "http://127.0.0.1:8080/x?y=1"
    for elsewhere in ("https://127.0.0.1:8081/x", "https://127.0.0.1/x", "https://localhost:8080/x"):
        with pytest.raises(CrmUnavailable):
            local.admit(elsewhere)


@pytest.mark.parametrize(
    ("body", "value"),
    [
        (b'{"a": [1, 2.50, 1e999]}', {"a": [1, Decimal("2.50"), Decimal("1E+999")]}),
        (b"null", None),
        ('"\u00e9\U0001f600"'.encode(), "\u00e9\U0001f600"),
        (b"[" * MAX_DEPTH + b"]" * MAX_DEPTH, None),
    ],
)
def test_json_is_read(body: bytes, value: object) -> None:
    parsed = parsed_json(body)
    assert parsed is not NONSENSE
    assert value is None or parsed == value


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"<html></html>",
        b'{"a": NaN}',
        b'{"a": Infinity}',
        b'{"a": -Infinity}',
        b'{"a": 1, "a": 2}',
        b'{"a": {"b": 1, "b": 1}}',
        b"{} {}",
        b"\xff\xfe{\x00}\x00",
        b'"\xe9"',
        b'\xef\xbb\xbf{"a": 1}',
        b"1" * 5000,
        b"[" * (MAX_DEPTH + 1) + b"]" * (MAX_DEPTH + 1),
        b'{"a":' * 100_000,
        b"[" * 100_000 + b"]" * 100_000,
    ],
)
def test_what_is_not_strict_json_is_nonsense(body: bytes) -> None:
    assert parsed_json(body) is NONSENSE


@given(st.binary(max_size=200))
def test_no_bytes_break_the_parser(body: bytes) -> None:
    parsed_json(body)


@pytest.mark.parametrize(
    ("method", "url", "endpoint"),
    [
        ("get", "https://x.test/services/data/v67.0/query?q=SELECT", "GET /services/data/v67.0/query"),
        ("GET", "/services/data/v67.0/query/01g5g00000ABCDEAAA-2000", "GET /services/data/v67.0/query/{id}"),
        (
            "PATCH",
            "/services/data/v67.0/sobjects/Lead/00Q5g00000ABCDE",
            "PATCH /services/data/v67.0/sobjects/Lead/{id}",
        ),
        (
            "GET",
            "/services/data/v67.0/sobjects/Ref_2__c/describe",
            "GET /services/data/v67.0/sobjects/Ref_2__c/describe",
        ),
        ("POST", "/services/oauth2/token", "POST /services/oauth2/token"),
        ("POST", "/crm/objects/2026-09/0-136/search", "POST /crm/objects/2026-09/0-136/search"),
        ("GET", "/crm/objects/2026-09/contacts/12345", "GET /crm/objects/2026-09/contacts/{id}"),
        ("GET", "/crm/objects/2026-09/contacts/a.b@c.test", "GET /crm/objects/2026-09/contacts/{id}"),
        ("GET", "/account-info/v3/api-usage/", "GET /account-info/v3/api-usage/"),
    ],
)
def test_a_call_is_named_without_ids(method: str, url: str, endpoint: str) -> None:
    assert endpoint_of(method, url) == endpoint
