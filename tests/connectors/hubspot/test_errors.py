from __future__ import annotations

from typing import Any

import pytest

from refloop.connectors.http.retry import FAIL, OK, REFRESH, Disposition, again, later
from refloop.connectors.hubspot.errors import Forbidden, disposition, failure
from refloop.errors import AuthError, ConfigError, CrmUnavailable, RefloopError

ROLLING = {"message": "You have reached your ten_secondly_rolling limit.", "policyName": "TEN_SECONDLY_ROLLING"}
SECONDLY = {"message": "You have reached your secondly limit.", "errorType": "RATE_LIMIT"}
DAILY = {"message": "You have reached your daily limit.", "policyName": "DAILY"}


@pytest.mark.parametrize(
    ("status", "headers", "body", "expected"),
    [
        (200, {}, None, OK),
        (207, {}, None, OK),
        (400, {}, {}, FAIL),
        (401, {}, {}, REFRESH),
        (403, {}, {}, FAIL),
        (409, {}, {}, FAIL),
        (414, {}, None, FAIL),
        (423, {}, {}, again(2.0, unprocessed=True)),
        (423, {"Retry-After": "9"}, {}, again(9.0, unprocessed=True)),
        (429, {}, ROLLING, again(10.0, unprocessed=True)),
        (429, {}, SECONDLY, again(1.0, unprocessed=True)),
        (429, {}, DAILY, later()),
        (429, {"Retry-After": "3"}, ROLLING, again(3.0, unprocessed=True)),
        (429, {"Retry-After": "2500"}, ROLLING, again(2.5, unprocessed=True)),
        (429, {}, None, again(None, unprocessed=True)),
        (429, {}, ["odd"], again(None, unprocessed=True)),
        (477, {"Retry-After": "7200"}, {}, again(7200.0, unprocessed=True)),
        (500, {}, None, again(None)),
        (502, {}, None, again(None)),
        (504, {}, None, again(None)),
        (521, {}, None, again(None)),
        (524, {}, None, again(None)),
    ],
)
def test_what_a_status_asks_for(status: int, headers: dict[str, str], body: Any, expected: Disposition) -> None:
    assert disposition(status, headers, body) == expected


SCOPES = {"requiredGranularScopes": ["crm.objects.deals.read"]}


@pytest.mark.parametrize(
    ("status", "body", "kind", "says"),
    [
        (401, {"category": "INVALID_AUTHENTICATION"}, AuthError, "INVALID_AUTHENTICATION"),
        (403, {"category": "MISSING_SCOPES", "errors": [{"context": SCOPES}]}, Forbidden, "crm.objects.deals.read"),
        (403, {"category": "MISSING_SCOPES", "context": SCOPES}, Forbidden, "crm.objects.deals.read"),
        (403, {"errors": ["odd"], "context": "odd"}, Forbidden, "does not allow the list"),
        (403, None, Forbidden, "does not allow the list"),
        (414, None, ConfigError, "too long"),
        (400, {"category": "VALIDATION_ERROR"}, ConfigError, "VALIDATION_ERROR"),
        (404, {}, ConfigError, "no reason given"),
        (599, {}, CrmUnavailable, "599"),
    ],
)
def test_a_final_no(status: int, body: Any, kind: type[RefloopError], says: str) -> None:
    error = failure(status, body, "the list of deals", "hub")
    assert type(error) is kind
    assert says in str(error)
    assert "hub: " in str(error)
    assert error.remedy


def test_a_failure_repeats_no_message_of_hubspot() -> None:
    body = {"category": "VALIDATION_ERROR", "message": "ann@example.com is taken", "context": {"ids": ["1"]}}
    assert "ann@" not in str(failure(400, body, "the list", "hub"))
