"""Salesforce's own words for what goes wrong on its side; `fault` makes any of them one to inject.

    crm.faults.add(fault(concurrent()), path="/composite")

The API's error catalogue: an array of `{message, errorCode}`.
"""

from __future__ import annotations

from refloop_sandbox import faults
from refloop_sandbox.salesforce.errors import ApiError


def fault(error: ApiError, *, applied: bool = False) -> faults.Fault:
    """Answers with this error, in place of the org or after the request was `applied`."""
    return faults.answer(error.status, error.body(), applied=applied)


def daily() -> ApiError:
    """The org's requests of 24 hours are used up, for all its users."""
    return ApiError(403, "REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded.")


def concurrent() -> ApiError:
    """Too many requests that run for 20 seconds or longer. Passes in seconds."""
    return ApiError(403, "REQUEST_LIMIT_EXCEEDED", "ConcurrentPerOrgLongTxn Limit exceeded.")


def session_expired() -> ApiError:
    return ApiError(401, "INVALID_SESSION_ID", "Session expired or invalid")


def unavailable() -> ApiError:
    """503 with a JSON body: the instance is being maintained."""
    return ApiError(503, "SERVER_UNAVAILABLE", "The server is temporarily unavailable")


def query_timeout() -> ApiError:
    return ApiError(400, "QUERY_TIMEOUT", "Your query request was running for too long.")
