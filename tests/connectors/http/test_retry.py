"""What an answer asks for, how long to wait, how many retries there are."""

from __future__ import annotations

from typing import Any

import pytest

from refloop.connectors.http.retry import (
    FAIL,
    OK,
    REFRESH,
    Disposition,
    RetryBudget,
    RetryPolicy,
    again,
    classify,
    error_code,
    retry_after,
)

NOW = "Sat, 21 Nov 2026 10:00:00 GMT"


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"Retry-After": "0"}, 0.0),
        ({"Retry-After": " 119 "}, 119.0),
        ({"Retry-After": "86400"}, 86400.0),
        ({"Retry-After": "1.5"}, 1.5),
        ({"Retry-After": "-1"}, None),
        ({"Retry-After": "soon"}, None),
        ({"Retry-After": "9" * 400}, None),
        ({"Retry-After": "nan"}, None),
        ({"Retry-After": "\u0661"}, None),
        ({"Retry-After": "Sat, 21 Nov 2026 10:02:00 GMT", "Date": NOW}, 120.0),
        ({"Retry-After": "Sat, 21 Nov 2026 09:00:00 GMT", "Date": NOW}, 0.0),
        ({"Retry-After": "Sat, 21 Nov 2026 10:02:00 GMT"}, None),
        ({"Retry-After": "Sat, 99 Nov 2026 10:02:00 GMT", "Date": NOW}, None),
    ],
)
def test_retry_after(headers: dict[str, str], seconds: float | None) -> None:
    assert retry_after(headers) == seconds


@pytest.mark.parametrize(
    ("status", "headers", "disposition"),
    [
        (200, {}, OK),
        (207, {}, OK),
        (304, {}, OK),
        (400, {}, FAIL),
        (401, {}, REFRESH),
        (403, {}, FAIL),
        (404, {}, FAIL),
        (409, {}, FAIL),
        (408, {}, again(unprocessed=True)),
        (423, {}, again(unprocessed=True)),
        (429, {"Retry-After": "3"}, again(3.0, unprocessed=True)),
        (500, {}, again()),
        (502, {"Retry-After": "3"}, again(3.0)),
        (503, {}, again()),
        (503, {"Retry-After": "3"}, again(3.0, unprocessed=True)),
        (504, {}, again()),
        (501, {}, FAIL),
    ],
)
def test_what_http_says(status: int, headers: dict[str, str], disposition: Disposition) -> None:
    assert classify(status, headers, None) == disposition


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ([{"errorCode": "INVALID_FIELD", "message": "No such column 'a@b.test'"}], "INVALID_FIELD"),
        ({"status": "error", "category": "VALIDATION_ERROR", "message": "x"}, "VALIDATION_ERROR"),
        ({"policyName": "DAILY", "errorType": "RATE_LIMIT"}, "DAILY"),
        ({"error": "invalid_grant", "error_description": "x"}, "invalid_grant"),
        ([{"errorCode": "mail anna@example.com"}], ""),
        ({"category": 7}, ""),
        ([], ""),
        (["x"], ""),
        (None, ""),
        ("INVALID_FIELD", ""),
    ],
)
def test_the_word_for_an_error(body: Any, code: str) -> None:
    assert error_code(body) == code


def test_retries_are_a_tenth_of_the_calls_and_a_few_to_begin_with() -> None:
    budget = RetryBudget(RetryPolicy(share=0.1, spare=2))
    assert [budget.spend() for _ in range(3)] == [True, True, False]
    for _ in range(11):
        budget.earn()
    assert [budget.spend() for _ in range(2)] == [True, False]
