"""HubSpot's own words for what goes wrong on its side; `fault` makes any of them one to inject.

    crm.faults.add(fault(ten_secondly(retry_after="10")), times=2)

HubSpot usage guidelines; the bodies of 429 as recorded and as documented, which differ in what they call things.
"""

from __future__ import annotations

from refloop_sandbox import faults
from refloop_sandbox.hubspot.errors import Refusal, correlation_id, error_body, expired_credentials

_KEY = "private-apps-api-calls"


def fault(refusal: Refusal, *, applied: bool = False) -> faults.Fault:
    """Answers with this refusal, in place of the CRM or after the request was `applied`."""
    return faults.answer(refusal.status, refusal.body(), refusal.headers, applied=applied)


def ten_secondly(portal_id: int = 20_000_001, key: str = _KEY, *, retry_after: str | None = None) -> Refusal:
    """429, the app's window of ten seconds, as recorded: `errorType`, `policyName`, `groupName`."""
    body = error_body(
        "You have reached your ten_secondly_rolling limit.",
        errorType="RATE_LIMIT",
        policyName="TEN_SECONDLY_ROLLING",
        groupName=f"publicapi:{key}-ten-secondly:{portal_id}",
    )
    return Refusal(429, body, _headers(retry_after))


def secondly(*, retry_after: str | None = "1") -> Refusal:
    """429, the account's searches a second, as newer answers have it: `category`."""
    body = error_body("You have reached your secondly limit.", "RATE_LIMITS", policyName="SECONDLY")
    return Refusal(429, body, _headers(retry_after))


def daily(*, retry_after: str | None = None) -> Refusal:
    """429, the account's calls a day, as documented: `requestId`."""
    body = error_body(
        "You have reached your daily limit.",
        errorType="RATE_LIMIT",
        policyName="DAILY",
        requestId=correlation_id().replace("-", ""),
    )
    return Refusal(429, body, _headers(retry_after))


def locked() -> Refusal:
    """423: large writes at the same time. To be tried again after two seconds or more."""
    return Refusal(423, error_body("The resource is locked by another request.", "LOCKED"))


def migrating(*, retry_after: str = "3600") -> Refusal:
    """477: the account is being moved to another data centre. `Retry-After` is in seconds, up to a day."""
    return Refusal(477, error_body("This account is being migrated.", "MIGRATION_IN_PROGRESS"), _headers(retry_after))


def expired(minutes: int = 1) -> Refusal:
    """401: the access token has run out."""
    return expired_credentials(minutes)


def proxy(status: int) -> faults.Fault:
    """502, 503, 504, 521, 523 or 524 with the page of the proxy in front of HubSpot."""
    page = f"<html><head><title>api.hubapi.com | {status}</title></head><body><center>cloudflare</center></body></html>"
    return faults.answer(status, page)


def _headers(retry_after: str | None) -> dict[str, str]:
    return {} if retry_after is None else {"Retry-After": retry_after}
