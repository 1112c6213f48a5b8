"""HubSpot's words about its limits."""

from __future__ import annotations

from typing import Any

import pytest

from refloop.connectors.http.limiter import LimitInfo
from refloop.connectors.hubspot.limits import limit_info, seconds_to_midnight
from refloop.model import parse_time

LIST = "GET /crm/objects/2026-03/contacts"
SEARCH = "POST /crm/objects/2026-03/deals/search"
ROLLING = {"message": "You have reached your ten_secondly_rolling limit.", "policyName": "TEN_SECONDLY_ROLLING"}
SECONDLY = {"message": "You have reached your secondly limit.", "errorType": "RATE_LIMIT"}
DAILY = {"message": "You have reached your daily limit.", "policyName": "DAILY"}
NAME = "X-HubSpot-RateLimit"
HEADERS = {
    f"{NAME}-Max": "190",
    f"{NAME}-Remaining": "0",
    f"{NAME}-Interval-Milliseconds": "10000",
    f"{NAME}-Daily": "625000",
    f"{NAME}-Daily-Remaining": "600000",
}


@pytest.mark.parametrize(
    ("endpoint", "status", "headers", "body", "expected"),
    [
        (LIST, 200, {}, None, LimitInfo("calls")),
        (LIST, 200, HEADERS, None, LimitInfo("calls", 190, 10.0, 0, day_limit=625_000, day_left=600_000)),
        (LIST, 429, {}, ROLLING, LimitInfo("calls", refused="calls", wait=10.0)),
        (LIST, 429, {}, None, LimitInfo("calls", refused="calls")),
        (LIST, 429, {"Retry-After": "2500"}, ROLLING, LimitInfo("calls", refused="calls", wait=2.5)),
        (SEARCH, 429, {}, SECONDLY, LimitInfo("calls", refused="searches", wait=1.0)),
        (SEARCH, 429, {}, DAILY, LimitInfo("calls", day_over=True)),
        (LIST, 503, {"Retry-After": "3"}, None, LimitInfo("calls")),
        *(
            (LIST, 200, {f"{NAME}-Max": odd}, None, LimitInfo("calls"))
            for odd in ("0", "", "-5", "many", "²", "9" * 30)
        ),
    ],
)
def test_what_an_answer_says(
    endpoint: str, status: int, headers: dict[str, str], body: Any, expected: LimitInfo
) -> None:
    assert limit_info(endpoint, status, headers, body) == expected


@pytest.mark.parametrize(
    ("now", "zone", "seconds"),
    [
        ("2026-03-01T22:30:00Z", "Europe/Berlin", 1_800),
        ("2026-03-01T23:30:00Z", "Europe/Berlin", 84_600),
        ("2026-03-28T23:00:00Z", "Europe/Berlin", 82_800),  # the clocks go forward: a day of 23 hours
        ("2026-03-01T22:30:00Z", "America/New_York", 23_400),
        ("2026-03-01T22:30:00Z", "../../etc/passwd", None),
        ("2026-03-01T22:30:00Z", "Mars/Olympus", None),
        ("2026-03-01T22:30:00Z", "", None),
    ],
)
def test_the_day_ends_at_midnight_in_the_accounts_own_time_zone(now: str, zone: str, seconds: float | None) -> None:
    assert seconds_to_midnight(parse_time(now), zone) == seconds
