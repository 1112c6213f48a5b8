"""The refusals of HubSpot, in the bodies that it sends.

HubSpot error handling docs: `{"status": "error", "message", "correlationId", "category", "errors"?, "context"?}`.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Body = dict[str, Any]


class Refusal(Exception):  # noqa: N818 - it is an answer of the API, not a fault of ours
    """An answer other than success. `error` is the body without `correlationId`."""

    def __init__(self, status: int, error: Body, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(f"{status} {error.get('category', '')}")
        self.status = status
        self.error = error
        self.headers = dict(headers or {})

    def body(self) -> Body:
        return {**self.error, "correlationId": correlation_id()}


@dataclass(frozen=True, slots=True)
class Issue:
    """Why one property value was not accepted. `code` is HubSpot's, e.g. PROPERTY_DOESNT_EXIST."""

    name: str
    code: str
    message: str
    value: str = ""


def correlation_id() -> str:
    return str(uuid.uuid4())


def error_body(message: str, category: str | None = None, **more: Any) -> Body:
    body: Body = {"status": "error", "message": message}
    if category is not None:
        body["category"] = category
    return {**body, **more}


def bad_request(message: str, category: str | None = "VALIDATION_ERROR", **more: Any) -> Refusal:
    return Refusal(400, error_body(message, category, **more))


def invalid_json(reason: str, line: int = 1, column: int = 1) -> Refusal:
    return bad_request(f"Invalid input JSON on line {line}, column {column}: {reason}", None)


def resource_not_found() -> Refusal:
    return Refusal(404, error_body("resource not found", "OBJECT_NOT_FOUND"))


def not_numeric(record_id: str) -> Refusal:
    return Refusal(
        404,
        error_body("Object not found.  objectId are usually numeric.", "OBJECT_NOT_FOUND", context={"id": [record_id]}),
    )


def no_such_path() -> Refusal:
    return Refusal(404, error_body("The requested URL was not found on this server.", "OBJECT_NOT_FOUND"))


def no_credentials() -> Refusal:
    return Refusal(
        401,
        error_body(
            "Authentication credentials not found. This API supports OAuth 2.0 authentication and you can find more "
            "details at https://developers.hubspot.com/docs/methods/auth/oauth-overview",
            "INVALID_AUTHENTICATION",
        ),
    )


def expired_credentials(minutes: int) -> Refusal:
    return Refusal(
        401,
        error_body(
            f"The OAuth token used to make this call expired {minutes} minute(s) ago.", "EXPIRED_AUTHENTICATION"
        ),
    )


def missing_scopes(scopes: Sequence[str]) -> Refusal:
    message = "This app hasn't been granted all required scopes to make this call."
    scoped = {
        "message": "One or more of the following scopes are required.",
        "context": {"requiredGranularScopes": list(scopes)},
    }
    return Refusal(403, error_body(message, "MISSING_SCOPES", errors=[scoped]))


def invalid_values(issues: Sequence[Issue], portal_id: int) -> Refusal:
    """One 400 for all the values of a request that were not accepted; it names properties, never records."""
    embedded = [
        {
            "isValid": False,
            "message": issue.message,
            "error": issue.code,
            "name": issue.name,
            "propertyValue": issue.value,
            "localizedErrorMessage": issue.message,
            "portalId": portal_id,
        }
        for issue in issues
    ]
    listed = [
        {"message": issue.message, "code": issue.code, "context": {"propertyName": [issue.name]}} for issue in issues
    ]
    text = json.dumps(embedded, separators=(",", ":"), ensure_ascii=False)
    return bad_request(f"Property values were not valid: {text}", errors=listed)


def required_values(noun: str, names: Sequence[str]) -> Refusal:
    return bad_request(
        f"Error creating {noun}. Some required properties were not set.", context={"properties": list(names)}
    )


class Conflict(Refusal):
    """Another record has the value that must be unique."""

    def __init__(self, noun: str, existing_id: int) -> None:
        message = f"{noun.capitalize()} already exists. Existing ID: {existing_id}"
        super().__init__(409, error_body(message, "CONFLICT"))
        self.existing_id = existing_id
