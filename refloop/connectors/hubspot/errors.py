"""What HubSpot's error answers mean to us: the one table.

HubSpot docs, "Error handling" and "API usage guidelines"; every field of an error body is optional.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from refloop.connectors.http.crm_message import identifier_or_empty
from refloop.connectors.http.retry import OK, REFRESH, Disposition, again, classify, later, retry_after
from refloop.connectors.hubspot.answers import BatchError, read_error
from refloop.errors import AuthError, ConfigError, CrmUnavailable, RefloopError

SCOPES = tuple(
    f"crm.{family}.{kind}.{right}"
    for kind in ("contacts", "deals")
    for family, right in (("objects", "read"), ("objects", "write"), ("schemas", "write"))
)
"""What refloop needs. The schemas are for provisioning alone."""

_LOCKED = 423
_TOO_MANY = 429
_MIGRATING = 477  # the account moves to another data centre: up to 24 h

_LOCK_SECONDS = 2.0
_LONGEST_IN_SECONDS = 120.0
"""A `Retry-After` above this on a 429 counts milliseconds, below it seconds: HubSpot sends both."""

_POLICY_SECONDS: Mapping[str, float] = {"TEN_SECONDLY": 10.0, "SECONDLY": 1.0}
"""How long a limit lasts, by a piece of `policyName`; the longer name first."""


class Forbidden(AuthError):  # noqa: N818 - named by the situation, as its kin
    """The credentials are good, and a permission is missing."""


def disposition(status: int, headers: Mapping[str, str], body: Any) -> Disposition:
    """What a status asks the transport to do.

    | status              | means                                  | we                          |
    |---------------------|----------------------------------------|-----------------------------|
    | 401                 | the token ran out                      | renew it once               |
    | 423                 | locked by another write                | wait 2 s, again             |
    | 429 DAILY           | the account's calls of the day are up  | end the run                 |
    | 429                 | a limit of 1 s or 10 s                 | wait that long, again       |
    | 477                 | the account is being moved             | again after Retry-After     |
    | 500, 502-504, 52x   | a passing failure                      | again                       |
    | any other           | a final no                             | the caller decides          |
    """
    if status < 400:
        return OK
    if status == 401:
        return REFRESH
    if status == _LOCKED:
        return again(max(retry_after(headers) or 0.0, _LOCK_SECONDS), unprocessed=True)
    if status == _TOO_MANY:
        return _limited(headers, body)
    if status == _MIGRATING:
        return again(retry_after(headers), unprocessed=True)
    return classify(status, headers, body)


def _limited(headers: Mapping[str, str], body: Any) -> Disposition:
    said = body if isinstance(body, dict) else {}
    policy = f"{said.get('policyName') or ''} {said.get('message') or ''}".upper()
    if "DAILY" in policy:
        return later()
    seconds = retry_after(headers)
    if seconds is not None and seconds > _LONGEST_IN_SECONDS:
        return again(seconds / 1000, unprocessed=True)
    default = next((wait for name, wait in _POLICY_SECONDS.items() if name in policy), None)
    return again(seconds if seconds is not None else default, unprocessed=True)


def failure(status: int, body: Any, what: str, connection: str) -> RefloopError:
    """The exception for a final no to a whole call. Holds HubSpot's codes, never its message: those quote data."""
    error = read_error(body) if isinstance(body, dict) else BatchError("", "", frozenset())
    words = ", ".join(filter(None, (error.category, *sorted(error.codes)))) or "no reason given"
    if status == 401:
        return AuthError(
            f"{connection}: HubSpot refused the token ({words})",
            remedy="Create a service key (Development > Keys > Service keys), or renew it, and update the secret.",
        )
    if status == 403:
        return _forbidden(body, what, connection, words)
    if status == 414:
        return ConfigError(
            f"{connection}: HubSpot finds the address of {what} too long",
            remedy="Name fewer properties in `code_fields`.",
        )
    if 400 <= status < 500:
        return ConfigError(
            f"{connection}: HubSpot refused {what} with status {status} ({words})",
            remedy="Run `refloop check` to see what in the account does not fit the configuration.",
        )
    return CrmUnavailable(
        f"{connection}: HubSpot failed at {what} with status {status} ({words})",
        remedy="Run again; if it stays, look at https://status.hubspot.com.",
    )


def _forbidden(body: Any, what: str, connection: str, words: str) -> Forbidden:
    scopes = sorted(set(missing_scopes(body)))
    if not scopes:
        return Forbidden(
            f"{connection}: HubSpot does not allow {what} ({words})",
            remedy=f"Give the service key or app these scopes: {', '.join(SCOPES)}.",
        )
    return Forbidden(
        f"{connection}: HubSpot does not allow {what}: scope missing: {', '.join(scopes)}",
        remedy="Add the scope to the service key or app (an app must be installed anew), then run again.",
    )


def missing_scopes(body: Any) -> Iterator[str]:
    """The scopes that a 403 MISSING_SCOPES names, in its own context or in those of its `errors`."""
    if not isinstance(body, dict):
        return
    inner = body.get("errors")
    for holder in (body, *(inner if isinstance(inner, list) else ())):
        context = holder.get("context") if isinstance(holder, dict) else None
        scopes = context.get("requiredGranularScopes") if isinstance(context, dict) else None
        yield from filter(None, map(identifier_or_empty, scopes if isinstance(scopes, list) else ()))
